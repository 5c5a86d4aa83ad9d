"""LifeKeeper itself: installed or to be installed, licensed, spoken to as is assumed here, and what it needs beside it.

Only for sites that have LifeKeeper among their things. How to see whether a licence is installed nobody has published,
so that only a LifeKeeper which runs is known to have one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from blueprint.engines.lifekeeper.product import lines_of
from blueprint.site import things
from blueprint.thing import Thing
from declaration.nodes import Node
from declaration.site import Site
from operations.doctor.model import Asked, Finding
from operations.stacks import StackTrouble
from providers.connection.command import Command, Result, command, script
from providers.connection.errors import Unknown
from providers.lifekeeper import grammar, mirror_data, speaking, views
from providers.lifekeeper.grammar.models import SystemLine
from providers.lifekeeper.node import Wanted, unit
from providers.lifekeeper.paths import MISNAMED
from providers.lifekeeper.speaking import Line
from providers.lifekeeper.views import View

NAME = "lifekeeper"
FEATURE = "FEATURE lklc"
"""How lines of a licence for LifeKeeper begin."""
_MODULES = ("raid1", "nbd")
"""Of the kernel: a mirror by DataKeeper is a RAID of the disk and of the other node's, which comes over the network."""
_MEDDLING = ("avahi-daemon.service", "NetworkManager.service")
"""They configure networks by themselves, with which LifeKeeper's addresses may conflict (SIOS's known issues)."""

# $1 the setup program
_SETUP = r"""
[ -d "${1%/*}" ] || { echo 'no folder'; exit 0; }
[ -f "$1" ] || { echo 'no setup'; exit 0; }
[ -x "$1" ] || { echo 'not to be run'; exit 0; }
echo there
"""
# $1 file, $2 how a line of a licence begins. The text itself stays on the node.
_LICENCE = r"""
[ -e "$1" ] || { echo absent; exit 0; }
[ -f "$1" ] || { echo 'no file'; exit 0; }
[ -s "$1" ] || { echo empty; exit 0; }
grep -q -e "^$2" -- "$1"
case $? in 0) echo licence ;; 1) echo other ;; *) echo unreadable ;; esac
"""
# Programs. Prints those that are not there.
_PROGRAMS = r"""
for program; do command -v "$program" >/dev/null || echo "$program"; done
"""
# Modules. Prints those that the kernel has neither built in nor to be loaded.
_KERNEL = r"""
command -v modprobe >/dev/null || exit 0
for module; do modprobe --dry-run --quiet "$module" || echo "$module"; done
"""


def commands(site: Site, node: Node) -> Sequence[Command]:
    """LifeKeeper's own lists and help, its unit; media, licence, programs and modules where they count."""
    return list(_questions(things(site, "doctor/doctor"), node).values())


def judge(asked: Asked) -> Iterator[Finding]:
    """Where it is installed its media count no longer, and where it runs its licence does not."""
    wanted = _wanted(asked.things, asked.node)
    if wanted is None:
        return
    said = dict(zip(_questions(asked.things, asked.node), asked.results, strict=True))
    view, trouble = _view(asked, said)
    yield _installed(asked, wanted, said, view)
    if trouble:
        yield asked.problem(NAME, trouble.message, trouble.remedy)
    if told := view.misnamed(asked.node.name):
        yield asked.problem(NAME, f"LifeKeeper knows this node as {told}, not as {asked.node.name}", MISNAMED)
    yield from _licence(asked, wanted, said, view)
    yield from _assumed(asked, wanted, said, view)
    yield from _removals(asked, said, view)
    yield from _boot(asked, said)
    yield from _beside(asked, said)


def _wanted(listed: Sequence[Thing], node: Node) -> Wanted | None:
    """The product as this site wants it on the node; None where the site has none of it there."""
    found = next((thing.inputs for thing in listed if isinstance(thing.inputs, Wanted)), None)
    return found if found is not None and node.name in found.nodes else None


def _questions(listed: Sequence[Thing], node: Node) -> dict[str, Command]:
    """What is asked, by the name under which the answer is looked up."""
    wanted = _wanted(listed, node)
    if wanted is None:
        return {}
    asked = {f"list {place}": each for place, each in enumerate(views.queries())}
    asked["version"] = views.asks("lkcli", version=True)
    asked["unit"] = command("systemctl", "is-enabled", unit(), ok=None, reads=True)
    asked["boots"] = command("systemctl", "get-default", ok=None, reads=True)
    asked["started"] = command("systemctl", "list-dependencies", "--plain", "default.target", ok=None, reads=True)
    asked["meddling"] = command("systemctl", "is-active", *_MEDDLING, ok=None, reads=True)
    if wanted.media:
        asked["media"] = script(_SETUP, _setup(wanted.media), reads=True, label=f"look for the setup in {wanted.media}")
    if wanted.license_file:
        label = f"look at {wanted.license_file}"
        asked["licence"] = script(_LICENCE, wanted.license_file, FEATURE, reads=True, label=label)
    asked |= {f"help {name}": speaking.asks_help(name) for name in (*wanted.assumed, *_deletion())}
    if programs := _programs(listed, node):
        asked["programs"] = script(_PROGRAMS, *programs, reads=True, label=f"look for {' '.join(programs)}")
    if any(isinstance(thing.inputs, mirror_data.Wanted) for thing in listed):
        asked["modules"] = script(_KERNEL, *_MODULES, reads=True, label=f"look for {' '.join(_MODULES)}")
    return asked


def _setup(media: str) -> str:
    return grammar.build("setup", media=media)[0]


def _programs(listed: Sequence[Thing], node: Node) -> list[str]:
    """Of the operating system, by which LifeKeeper is told something."""
    lines = [line for thing in listed for line in lines_of(thing) if line.node == node.name]
    return sorted({line.argv[0] for line in lines if isinstance(line.known, SystemLine)})


# The product


def _view(asked: Asked, said: Mapping[str, Result]) -> tuple[View, Unknown | None]:
    """What its own lists tell, and why they tell nothing though it runs."""
    try:
        return views.parse(asked.node.name, [said[f"list {place}"] for place in range(len(views.queries()))]), None
    except Unknown as error:
        return View(installed=True, running=True), error


def _installed(asked: Asked, wanted: Wanted, said: Mapping[str, Result], view: View) -> Finding:
    if not view.installed:
        return _to_install(asked, wanted.media, said)
    version, name = _version(said["version"]), unit()
    if not view.running and said["unit"].stdout.strip() == "masked":
        return asked.problem(
            NAME,
            f"LifeKeeper is installed ({version}), and {name} is masked, so that nothing starts it",
            f"`systemctl unmask {name}` there, or declare the node `away: true` while it has to stay so",
        )
    return asked.ok(NAME, f"LifeKeeper is installed ({version}), and {'runs' if view.running else 'does not run yet'}")


def _version(result: Result) -> str:
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    return lines[0] if result.exit_code == 0 and lines else f"`{result.command}` does not tell which version"


def _to_install(asked: Asked, media: str | None, said: Mapping[str, Result]) -> Finding:
    if media is None:
        return asked.problem(
            NAME,
            "LifeKeeper is not installed, and no media are declared",
            "install and license it by its own setup, or name the folder of its media on the node: `lifekeeper.media`",
        )
    match said["media"].stdout.strip():
        case "there":
            return asked.ok(NAME, f"LifeKeeper is not installed yet, and its setup is there: {_setup(media)}")
        case "no setup":
            why, remedy = f"{media} has no `setup`", "name the folder that `setup` lies in: `lifekeeper.media`"
        case "not to be run":
            why = f"{_setup(media)} cannot be run"
            remedy = "make it executable, or mount the media without `noexec`"
        case "no folder":
            why = f"there is no folder {media}"
            remedy = "mount the product's image there or copy it, or correct `lifekeeper.media`"
        case _:
            why, remedy = f"nobody could tell whether its setup is in {media}", "run this again"
    return asked.problem(NAME, f"LifeKeeper is not installed, and {why}", remedy)


# Its licence


def _licence(asked: Asked, wanted: Wanted, said: Mapping[str, Result], view: View) -> Iterator[Finding]:
    if view.running:
        yield asked.ok(NAME, "LifeKeeper has a licence, because it runs")
    elif wanted.license_file:
        yield _file(asked, wanted.license_file, said["licence"])
    elif wanted.license_secret:
        yield _secret(asked, wanted.license_secret)
    elif view.installed:
        yield asked.note(
            NAME,
            "no licence is declared, and whether LifeKeeper has one shows only when it starts",
            "start it there: `lkcli start`; or declare `lifekeeper.license`",
        )
    elif wanted.media:
        yield asked.problem(
            NAME,
            "no licence is declared, and LifeKeeper is yet to be installed",
            "name the licence that you got, a file on each node or a secret: `lifekeeper.license`",
        )


def _file(asked: Asked, path: str, look: Result) -> Finding:
    found, correct = look.stdout.strip(), "or correct `lifekeeper.license.file`"
    if found == "licence":
        return asked.ok(NAME, f"the licence is there: {path}")
    if found == "other":
        return _no_licence_of_it(asked, path)
    # Once it is installed the file may be taken away.
    tell = asked.note if found == "absent" and asked.ours else asked.problem
    why = " ".join(look.stderr.split())
    sentence = {
        "absent": f"there is no {path} with the licence",
        "no file": f"{path} shall be the licence, and is no file",
        "empty": f"{path} shall be the licence, and is empty",
    }.get(found, f"{path} with the licence cannot be read{f': {why}' if why else ''}")
    return tell(NAME, sentence, f"put the licence there, {correct}")


def _secret(asked: Asked, name: str) -> Finding:
    try:
        text = asked.secret(name)
    except StackTrouble as trouble:
        return asked.problem(
            NAME,
            f"the secret `{name}` with the licence cannot be read: {trouble}",
            "`up` reads it by Pulumi too: see that it is set up here, and has the stack's passphrase (docs/state.md)",
        )
    if text and text.strip():
        place = f"the secret `{name}`"
        return asked.ok(NAME, f"the licence is set: {place}") if _is_licence(text) else _no_licence_of_it(asked, place)
    tell = asked.note if asked.ours else asked.problem
    return tell(
        NAME,
        f"the secret `{name}` with the licence is not set",
        f"pulumi config set -s {asked.stack} --secret {name}",
    )


def _is_licence(text: str) -> bool:
    return any(line.startswith(FEATURE) for line in text.splitlines())


def _no_licence_of_it(asked: Asked, place: str) -> Finding:
    return asked.note(
        NAME,
        f"no line of {place} begins with `{FEATURE}`, as a licence for LifeKeeper has one",
        "see that it is the text which came with the licence, whole and for this product",
    )


# How it is spoken to


def _assumed(asked: Asked, wanted: Wanted, said: Mapping[str, Result], view: View) -> Iterator[Finding]:
    """The very comparison that `up` makes before it sets anything; it needs LifeKeeper installed, not running."""
    if not wanted.assumed:
        return
    names = ", ".join(f"`{name}`" for name in wanted.assumed)
    if not view.installed:
        yield asked.note(
            NAME,
            f"assumed are {names}, and only an installed LifeKeeper has the help to compare them with",
            "to know before `up`, which compares them too: install it by its own setup, then run this again",
        )
        return
    differing = {name: told for name, used in wanted.assumed.items() if (told := _difference(said, name, used))}
    for name, told in differing.items():
        yield asked.problem(NAME, told, speaking.remedy(said[f"help {name}"].command))
    if not differing:
        yield asked.ok(NAME, f"LifeKeeper's own help confirms what is assumed: {names}")


def _removals(asked: Asked, said: Mapping[str, Result], view: View) -> Iterator[Finding]:
    """Compared by `up` only where it takes something back, so nothing stands in its way before that."""
    for name, used in _deletion().items() if view.installed else ():
        if told := _difference(said, name, used):
            refused = "so that taking a resource back, and `pulumi destroy`, would be refused"
            yield asked.note(NAME, f"{told}, {refused}", speaking.remedy(said[f"help {name}"].command))


def _deletion() -> dict[str, list[str]]:
    """What removals assume, as `speaking.assumed_of` has it; ``assumed`` of the product has what sets a site up."""
    return speaking.assumed_of([Line("", "lkcli resource delete", "", {"tag": "TAG"})])


def _difference(said: Mapping[str, Result], name: str, used: Sequence[str]) -> str:
    """In which way the help is not as assumed, '' where it is."""
    answer = said[f"help {name}"]
    found = grammar.differences(name, f"{answer.stdout}\n{answer.stderr}", used, answer.exit_code)
    lines = "; ".join(f"expected {each.expected}, found {each.found or 'nothing'}" for each in found)
    return f"this LifeKeeper does not take `{name}` as it is assumed here: {lines}" if found else ""


# What it needs beside it


def _boot(asked: Asked, said: Mapping[str, Result]) -> Iterator[Finding]:
    """LifeKeeper's unit hangs in targets of its own, so plain `multi-user.target` may not bring it in."""
    target, started = said["boots"].stdout.strip(), said["started"]
    told = started.exit_code == 0 and started.stdout.strip() and target
    if told and said["unit"].stdout.strip() == "enabled" and unit() not in started.stdout.split():
        yield asked.note(
            NAME,
            f"the node boots to {target}, which does not bring in {unit()}: LifeKeeper is not started at boot",
            f"`systemctl set-default` a target that does: those in `ls -d /etc/systemd/system/*/{unit()}`",
        )


def _beside(asked: Asked, said: Mapping[str, Result]) -> Iterator[Finding]:
    """Notes, because `up` sets LifeKeeper up without the programs, and its own setup may bring the modules."""
    programs, modules = (said[name].stdout.split() if name in said else [] for name in ("programs", "modules"))
    if programs:
        yield asked.note(
            NAME,
            f"there is no {', '.join(programs)}, by which LifeKeeper is told that a setting has changed",
            "install it (`killall` is in psmisc); without it the setting counts from LifeKeeper's next start",
        )
    if modules:
        yield asked.note(
            NAME,
            f"the kernel has no module {', '.join(modules)}, which a mirror by DataKeeper is made with",
            "see that LifeKeeper's setup brings it, or install the kernel's package that has it",
        )
    states = said["meddling"].stdout.split()
    if running := [name for name, state in zip(_MEDDLING, states, strict=False) if state == "active"]:
        yield asked.note(
            NAME,
            f"{' and '.join(running)}: configures networks by itself, which may conflict with LifeKeeper's addresses",
            "should communication paths or the address give trouble, stop it, or have it leave their interfaces alone",
        )
    if not programs and not modules and {"programs", "modules"} & said.keys():
        yield asked.ok(NAME, "what LifeKeeper needs beside it is there")
