"""Verifying the rotation of the mirror's logs: tried dry, then forced on each node while it is active.

Rotating is what the timer's service does, with its file and its state on the mirror; only `--force` is added. Between
rotations requests go out, so that there is something to rotate, and at the end each must have exactly one record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from blueprint.render.rotation import Rotation
from blueprint.rotation import rendered
from declaration.site import Site
from operations.actions.do import hold
from operations.mounted import NOT_MOUNTED, ONLY_MOUNTED, require_mounted
from operations.verify.model import Check, FileChange, Report
from operations.verify.site import Options, other, require_sender, service_checks, start
from operations.verify.walk import Walk
from providers.connection.answers import not_understood, told_by
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result, command, script
from providers.connection.errors import HostError, Refused, in_a_line
from providers.host.waiting import until

LOGROTATE = "/usr/sbin/logrotate"
REOPENED_WITHIN = 30.0
"""Seconds until Squid has opened a new log: it is asked by a signal, and does it when it gets round to it."""

# $1: mount point, then logs. Prints inode, size and name of each log's file and of those rotated out of it.
_LIST = r"""
shift
for log; do
    for file in "$log" "$log"[-._]*; do
        [ -f "$file" ] && stat -c '%i %s %n' -- "$file"
    done
done
true
"""


@dataclass(frozen=True)
class LogFile:
    """A file as it lies there; its inode tells it apart under whatever name."""

    inode: int
    size: int


Listing = Mapping[str, LogFile]


async def verify_rotation(cluster: Cluster, site: Site, stack: str, owner: str, options: Options) -> Report:
    """Dry and forced, here and on the other node, and the service back where it was.

    A move that fails, and where it left the service, come last. On a node that is declared away nothing is rotated,
    which is a failed check. Raises `Misused` for a sender that there is not, `Refused` for a site without a log on a
    mirror, or whose service does not run, and `Locked`.
    """
    require_sender(cluster, options.sender)
    wanted = _wanted(site, owner)
    await hold(cluster)
    checks, active = await service_checks(cluster, site)
    if active is None:
        raise Refused(f"nothing can be rotated, because the service {checks[0].seen}")
    walk = await start(cluster, site, active, replace(options, move=False))
    files: list[FileChange] = []
    proof = None
    with walk.telling():
        files += await _stand(walk, active, wanted, options.requests)
        second = other(site, active)
        if second is None:
            walk.checks += [_left_out(node.name) for node in site.nodes if node.name != active]
            proof = await walk.proof(active)
        elif await walk.move(second):
            files += await _stand(walk, second, wanted, options.requests)
            if await walk.move(active):
                await walk.ask(active, options.requests)
                proof = await walk.proof(active)
        await walk.whereabouts()
    return Report(stack=stack, phase=site.phase, checks=[*checks, *walk.checks], files=files, proof=proof)


def _wanted(site: Site, owner: str) -> Rotation:
    if site.mirror is None:
        raise Refused("the site has no mirror, so there is no log whose rotation is ours")
    wanted = rendered(site, owner)
    if not wanted.logs:
        raise Refused("the site writes no log to its mirror, so there is none whose rotation is ours")
    return wanted


def _left_out(node: str) -> Check:
    seen = "it is declared away, so nothing was rotated there; declare it back and verify again"
    return Check(name="rotation", where=node, passed=False, seen=seen)


async def _stand(walk: Walk, node: str, wanted: Rotation, requests: int) -> list[FileChange]:
    """The rotation on the active node, with requests before and after it."""
    await walk.ask(node, requests)
    files = await rotate(walk, walk.cluster.nodes[node], wanted)
    await walk.ask(node, requests)
    return files


async def rotate(walk: Walk, node: Node, wanted: Rotation) -> list[FileChange]:
    """Once dry, once for real; adds the checks to the walk, and returns what became of the files.

    A node that cannot be asked is a failed check.
    """
    try:
        return await _rotate(walk, node, wanted)
    except HostError as trouble:
        seen = in_a_line(trouble, node.name)
        walk.checks.append(Check(name="rotation", where=node.name, passed=False, seen=seen))
        return []


async def _rotate(walk: Walk, node: Node, wanted: Rotation) -> list[FileChange]:
    before = await list_files(node, wanted)
    walk.cluster.progress(f"{node.name}: rotating, dry and then by force")
    dry = await node.run(logrotate(wanted, "--debug"))
    untouched = {name: file.inode for name, file in (await list_files(node, wanted)).items()}
    walk.checks.append(dry_check(node.name, dry, changed=untouched != {name: f.inode for name, f in before.items()}))
    done = await node.run(logrotate(wanted, "--force", "--verbose"))
    after, _ = await until(lambda: list_files(node, wanted), lambda now: reopened(wanted, before, now), REOPENED_WITHIN)
    walk.checks.append(forced_check(node.name, wanted, done, before, after))
    return changes(node.name, before, after)


def logrotate(wanted: Rotation, *options: str) -> Command:
    """What the rotation's service runs, with more options. It tells everything on standard error."""
    argv = (LOGROTATE, *options, "--state", wanted.state, wanted.configuration)
    return command(*argv, ok=None, timeout=600, reads="--debug" in options)


async def list_files(node: Node, wanted: Rotation) -> dict[str, LogFile]:
    """The logs and what was rotated out of them, by path.

    Raises `Unknown` when the mirror is not mounted, or for a list that is not understood.
    """
    words, label = (wanted.mount_point, *wanted.logs), "list the mirror's logs"
    look = script(ONLY_MOUNTED + _LIST, *words, ok={0, NOT_MOUNTED}, label=label, reads=True)
    result = await node.run(look)
    require_mounted(node.name, [result])
    with told_by(node.name):
        return parse_files(result.stdout)


def parse_files(output: str) -> dict[str, LogFile]:
    """What the list of the mirror's logs printed. Raises `Unknown` where that is cut off, or is something else."""
    rows = [line.split(" ", 2) for line in output.splitlines()]
    try:
        return {name: LogFile(int(inode), int(size)) for inode, size, name in rows}
    except ValueError:
        raise not_understood("what is said of the mirror's logs") from None


def reopened(wanted: Rotation, before: Listing, after: Listing) -> bool:
    """Whether Squid writes every log that had something in it to a new file."""
    return all(name in after and after[name].inode != before[name].inode for name in _filled(wanted, before))


def _filled(wanted: Rotation, before: Listing) -> list[str]:
    """Logs that are rotated by force: empty ones are left even then (`notifempty`)."""
    return [log for log in wanted.logs if log in before and before[log].size > 0]


def dry_check(node: str, result: Result, *, changed: bool) -> Check:
    """A dry run that finds no fault, and leaves every file where it is."""
    found = errors(result)
    verdicts = [line.strip() for line in result.stderr.splitlines() if line.strip().startswith("log ")]
    if found or changed:
        seen = "; ".join(found) or "it moved files, though it was told not to"
        return Check(name="rotation, dry", where=node, passed=False, seen=seen)
    return Check(name="rotation, dry", where=node, passed=bool(verdicts), seen="; ".join(verdicts) or "no log seen")


def forced_check(node: str, wanted: Rotation, result: Result, before: Listing, after: Listing) -> Check:
    """Each log's file has got another name, nothing of it is missing, and Squid writes to a new one."""
    name = "rotation, forced"
    names = {file.inode: path for path, file in after.items()}
    seen = errors(result)
    for log in _filled(wanted, before):
        now = names.get(before[log].inode)
        if now in (None, log):
            seen.append(f"{_base(log)} was not rotated" if now else f"{_base(log)} is gone")
        elif after[now].size < before[log].size:
            seen.append(f"{_base(now)} is shorter than {_base(log)} was")
        elif log not in after:
            seen.append(f"Squid has not opened a new {_base(log)} within {REOPENED_WITHIN:g} s")
    if seen:
        return Check(name=name, where=node, passed=False, seen="; ".join(seen))
    moved = [f"{_base(log)} → {_base(names[before[log].inode])}" for log in _filled(wanted, before)]
    return Check(name=name, where=node, passed=bool(moved), seen=", ".join(moved) or "there was no record to rotate")


def errors(result: Result) -> list[str]:
    """What logrotate complained of, or that it failed without a word."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip().startswith("error:")]
    if result.exit_code != 0 and not lines:
        last = result.stderr.strip().splitlines()[-1:] or ["without a word"]
        lines = [f"logrotate ended with exit code {result.exit_code}: {last[0]}"]
    return lines


def changes(node: str, before: Listing, after: Listing) -> list[FileChange]:
    """What became of every file, by name."""
    were = {file.inode: name for name, file in before.items()}
    made: list[FileChange] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        became = _became(name, old, new, were, before, after)
        if became:
            sizes = {"before": old.size if old else None, "after": new.size if new else None}
            made.append(FileChange(node=node, file=name, became=became, **sizes))
    return made


def _became(
    name: str, old: LogFile | None, new: LogFile | None, were: Mapping[int, str], before: Listing, after: Listing
) -> str:
    if new is None:
        if old is not None and any(file.inode == old.inode for file in after.values()):
            return ""
        return "" if f"{name}.gz" in after else "removed, more than are kept"
    was = were.get(new.inode)
    if was == name:
        return "as before" if old and old.size == new.size else "written on"
    if was is not None:
        return f"was {_base(was)}"
    if name.endswith(".gz") and name.removesuffix(".gz") in before:
        return f"{_base(name.removesuffix('.gz'))}, compressed"
    return "new" if old is None else "new, opened by Squid"


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]
