"""Commands that read and change packages and accounts on one node; what they mean is in `providers.host.dpkg`.

apt writes to a file on the node instead of the SSH channel: if the channel breaks in the middle, apt finishes what it
is doing, and the next run waits for its lock instead of meeting a half-configured system.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from providers.connection.cluster import Node
from providers.connection.command import Command, command, script
from providers.host.dpkg import (
    HOUSEKEEPING,
    STATE_ROOTS,
    Snapshot,
    parse_dependencies,
    parse_directories,
    parse_names,
    parse_packages,
    parse_simulated_removal,
    without_architecture,
)

INSTALL_LIMIT = 1800.0
"""Seconds for one installation or removal, a slow mirror and an emulated guest included."""

LOCK_WAIT = "300"
"""Seconds to wait for another apt or dpkg to finish, such as the one of a run that was cut off."""

_ALL = command(
    "dpkg-query", "--show", "--showformat", r"${binary:Package}\t${db:Status-Status}\n", label="dpkg-query", reads=True
)

_APT = r"""
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none LC_ALL=C
log=/run/squid-ha-packages.log
wait=$1; shift
: >"$log"
apt() {
    apt-get --yes --no-install-recommends -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=false \
        -o "DPkg::Lock::Timeout=$wait" "$@" >>"$log" 2>&1 </dev/null
}
configure() {
    tries=$((wait / 2))
    until dpkg --configure --pending >>"$log" 2>&1 </dev/null; do
        tail -n 3 "$log" | grep -q 'lock' && [ "$tries" -gt 0 ] || return 0
        tries=$((tries - 1)); sleep 2
    done
}
fail() {
    grep -E '^(E:|dpkg: error|Err:)' "$log" | tail -n 4 >&2
    grep -qE '^(E:|dpkg: error|Err:)' "$log" || tail -n 4 "$log" >&2
    exit 1
}
if [ -n "$(dpkg --audit)" ]; then configure; apt --fix-broken install || fail; fi
"""

_INSTALL = (
    _APT
    + r"""
fresh() {
    find /var/lib/apt/lists -maxdepth 0 -mmin -60 | grep -q . && ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1
}
# apt waits for dpkg's lock and not for the one of the lists, which a node that has just booted holds for a while.
fetch_lists() {
    tries=$((wait / 2))
    until apt update; do
        tail -n 5 "$log" | grep -q '/lists/lock' && [ "$tries" -gt 0 ] || fail
        tries=$((tries - 1)); sleep 2
        : >"$log"
    done
}
if fresh && apt install "$@"; then exit 0; fi
fetch_lists
apt install "$@" || fail
"""
)

# What is installed while apt waits for its lock may need what goes, and apt would take it along: it never waits here,
# and what would go is looked at anew each time.
_PURGE = (
    _APT
    + r"""
others() {
    said=$(apt-get --simulate purge "$@" 2>>"$log" </dev/null) || return 1
    printf '%s\n' "$said" | awk '
        BEGIN { for (i = 1; i < ARGC; i++) { sub(/:.*/, "", ARGV[i]); given[ARGV[i]] }; ARGC = 1 }
        $1 == "Purg" || $1 == "Remv" { sub(/:.*/, "", $2); if (!($2 in given)) print $2 }' "$@"
}
only() {
    also=$(others "$@") || return 1
    [ -z "$also" ] || {
        echo "E: apt would take along" $also"; no package was removed: see who needs it, and run this again" >>"$log"
        return 1
    }
}
tries=$((wait / 2)) wait=0
until apt check && only "$@" && apt purge "$@"; do
    grep -qE '^E: (Could not get lock|Unable to (lock|acquire))' "$log" && [ "$tries" -gt 0 ] || fail
    tries=$((tries - 1)); sleep 2
    : >"$log"
done
"""
)

_DELETE_ACCOUNTS = r"""
users=$1; groups=$2
for user in $users; do ! grep -q "^$user:" /etc/passwd || userdel "$user" || exit 1; done
for group in $groups; do ! grep -q "^$group:" /etc/group || groupdel "$group" || exit 1; done
"""

# stdin: `mode owner:group path` each; names may have blanks, and paths begin with a slash
_MAKE_DIRECTORIES = r"""
while read -r mode rest; do
    owner=${rest%% /*} path=/${rest#* /}
    if [ ! -e "$path" ] && [ -d "${path%/*}" ]; then
        mkdir -m "$mode" -- "$path" && chown -- "$owner" "$path" || exit 1
    fi
done
"""

_DELETE_DIRECTORIES = r"""
for directory; do
    if [ -d "$directory" ] && ! [ -L "$directory" ] && ! mountpoint -q "$directory"; then
        rm -rf --one-file-system -- "$directory" || exit 1
    fi
done
"""


# $1 accounts, $2 directories, a line each; then packages. Prints those that one of the packages names: an account in
# its scripts, where a part of a path is no account; a directory also in its list.
_NAMED = r"""
accounts=$1 directories=$2
shift 2
cd /var/lib/dpkg/info || exit 1
files() {
    for package; do
        for kind in $kinds; do [ ! -f "$package.$kind" ] || printf '%s\n' "$package.$kind"; done
    done
}
kinds=list
lists=$(files "$@" | xargs -r -d '\n' cat)
kinds='preinst postinst prerm postrm config'
scripts=$(
    files "$@" | xargs -r -d '\n' cat
    printf '%s\n' "$lists" | grep -E '^/usr/lib/(sysusers|tmpfiles)\.d/.' | xargs -r -d '\n' cat 2>/dev/null
)
named() {
    [ -z "$1" ] || ! printf '%s\n' "$2" | grep -qP -- "(?<![\\w.$3-])\\Q$1\\E(?![\\w.$3-])" || printf '%s\n' "$1"
}
printf '%s\n' "$accounts" | while read -r name; do named "$name" "$scripts" /; done
printf '%s\n' "$directories" | while read -r name; do named "$name" "$scripts
$lists" ''; done
"""


def query(packages: Sequence[str]) -> Command:
    """Ask dpkg for these packages, by their names without architecture; `parse_packages` reads the answer."""
    fields = r"${Package}\t${db:Status-Status}\t${Version}\n"
    return command("dpkg-query", "--show", "--showformat", fields, *packages, ok={0, 1}, reads=True)


async def snapshot(node: Node) -> Snapshot:
    """Packages, accounts and state directories of the node as they are now."""
    packages, automatic, users, groups, directories, empty = await node.batch(
        [
            _ALL,
            command("apt-mark", "showauto", reads=True),
            command("cat", "/etc/passwd", reads=True),
            command("cat", "/etc/group", reads=True),
            command(
                "find", *STATE_ROOTS, "-xdev", "-mindepth", "1", "-maxdepth", "3", "-type", "d", ok=None, reads=True
            ),
            command("find", "/etc", "/usr", "-xdev", "-type", "d", "-empty", "-printf", r"%#m %u:%g %p\n", reads=True),
        ]
    )
    return Snapshot(
        packages=sorted(parse_packages(packages.stdout)),
        automatic=parse_names(automatic.stdout),
        users=parse_names(users.stdout),
        groups=parse_names(groups.stdout),
        directories=parse_directories(directories.stdout),
        empty=sorted(empty.stdout.splitlines()),
    )


def make_directories(lines: Sequence[str]) -> Command:
    """Make the empty directories of a `Snapshot` that are missing, each in a directory that exists."""
    return script(_MAKE_DIRECTORIES, stdin="".join(f"{line}\n" for line in lines), label="make empty directories again")


async def brought(node: Node, names: Sequence[str], before: Snapshot, after: Snapshot) -> Snapshot:
    """``after`` with only those of the new things that an installation of ``names`` explains.

    What somebody else has installed meanwhile is not ours: while apt waited for its lock, or since a run was cut off,
    perhaps days ago.
    """
    # apt knows what is installed, and ends with an error where it knows none of the names.
    installed = set(names) & {without_architecture(name) for name in after.packages}
    closure = await _needs(node, sorted(installed)) if installed else set[str]()
    packages = {name for name in after.packages if name in before.packages or without_architecture(name) in closure}
    accounts = (set(after.users) - set(before.users)) | (set(after.groups) - set(before.groups))
    directories = set(after.directories) - set(before.directories)
    by_them = await named(node, packages - set(before.packages), accounts, directories)

    def explained(old: Sequence[str], now: Sequence[str]) -> list[str]:
        return [each for each in now if each in old or each in by_them]

    return after.model_copy(
        update={
            "packages": sorted(packages),
            "users": explained(before.users, after.users),
            "groups": explained(before.groups, after.groups),
            "directories": explained(before.directories, after.directories),
        }
    )


async def named(
    node: Node, packages: Collection[str], accounts: Collection[str], directories: Collection[str]
) -> set[str]:
    """Of ``accounts`` and ``directories`` those that the packages' own files name."""
    asked = script(
        _NAMED, "\n".join(sorted(accounts)), "\n".join(sorted(directories)), *sorted(packages),
        reads=True, label="look what the packages' own lists and scripts name",
    )  # fmt: skip
    return set((await node.run(asked)).stdout.splitlines())


async def known(node: Node) -> set[str]:
    """Packages that dpkg still knows anything of, left-over configuration included."""
    lines = (await node.run(_ALL)).stdout.splitlines()
    return {name for name, _, status in (line.partition("\t") for line in lines) if status != "not-installed"}


def install(packages: Sequence[str]) -> Command:
    """Install the packages without recommended ones, keeping changed configuration files; lists are fetched if old."""
    return script(_INSTALL, LOCK_WAIT, *packages, timeout=INSTALL_LIMIT, label=f"apt-get install {' '.join(packages)}")


def purge(packages: Sequence[str]) -> Command:
    """Remove the packages with their configuration, and no other: it fails where apt would take one along."""
    return script(
        _PURGE, LOCK_WAIT, *packages, timeout=INSTALL_LIMIT, label=f"apt-get purge ({len(packages)} packages)"
    )


def mark_automatic(packages: Sequence[str]) -> Command:
    """Let apt regard the packages as dependencies again."""
    return command("apt-mark", "auto", *packages)


def delete_accounts(users: Sequence[str], groups: Sequence[str]) -> Command:
    """Delete accounts that an installation made; those that are gone already are skipped."""
    return script(_DELETE_ACCOUNTS, " ".join(users), " ".join(groups), label="userdel, groupdel")


def delete_directories(directories: Sequence[str]) -> Command:
    """Delete state directories with what daemons left in them; never across a file system.

    Raises `ValueError` on a path that is not below `STATE_ROOTS`: nothing else is ever deleted with its contents.
    """
    for directory in directories:
        below = any(directory.startswith(f"{root}/") for root in STATE_ROOTS)
        if not below or ".." in directory.split("/") or directory in HOUSEKEEPING:
            raise ValueError(f"{directory} is not a state directory of a package")
    return script(_DELETE_DIRECTORIES, *directories, timeout=300, label=f"rm -r {' '.join(directories)}")


async def needed_by_others(node: Node, packages: Collection[str]) -> Mapping[str, set[str]]:
    """Of ``packages`` those that other installed packages need: package of somebody else → what it needs.

    Empty when all of ``packages`` can go without taking anything else away.
    """
    simulated = await node.run(command("apt-get", "--simulate", "purge", *sorted(packages), reads=True))
    ours = {without_architecture(name) for name in packages}
    others = {without_architecture(name) for name in parse_simulated_removal(simulated.stdout)} - ours
    needed: dict[str, set[str]] = {}
    for other in sorted(others):
        names = await _needs(node, [other])
        needed[other] = {name for name in packages if without_architecture(name) in names}
    return needed


async def _needs(node: Node, names: Sequence[str]) -> set[str]:
    """All installed packages that these need, themselves among them, without architecture."""
    depends = command(
        "apt-cache", "depends", "--recurse", "--installed", "--no-recommends", "--no-suggests",
        "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", *names, reads=True,
    )  # fmt: skip
    return {without_architecture(name) for name in parse_dependencies((await node.run(depends)).stdout)}
