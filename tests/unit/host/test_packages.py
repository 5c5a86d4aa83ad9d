"""The order in which packages are installed and taken back, on nodes that are functions."""

import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, Refused
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Absent, Present
from providers.host import apt, packages
from tests.unit.local import LocalNode


@dataclass
class Machine:
    """A Debian node as far as this kind can see: packages, accounts, units; ``fail`` makes a command fail once."""

    installed: set[str] = field(default_factory=lambda: {"base", "timesyncd"})
    brings: dict[str, set[str]] = field(default_factory=lambda: {"squid": {"squid", "libsquid"}, "chrony": {"chrony"}})
    units: dict[str, tuple[str, str]] = field(default_factory=dict)
    needed_by: dict[str, str] = field(default_factory=dict)
    masked: set[str] = field(default_factory=set)
    fail: str = ""
    meanwhile: set[str] = field(default_factory=set)
    """What somebody else installs while apt waits for its lock."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """Package → accounts and directories that its files name; an installation makes them."""
    made: set[str] = field(default_factory=set)

    def __call__(self, command: Command) -> Result | str:  # noqa: C901, PLR0911, PLR0912 - one case per command
        if self.fail and self.fail in str(command):
            self.fail = ""
            return Result(command, 1, "", "E: broken pipe")
        words = str(command).split()
        args = list(command.argv)
        match words[:2]:
            case ["dpkg-query", "--show"]:
                return "".join(f"{name}\tinstalled\t1.0\n" for name in args[4:] if name in self.installed)
            case ["dpkg-query"]:
                return "".join(f"{name}\tinstalled\n" for name in sorted(self.installed))
            case ["apt-get", "install"]:
                self.installed |= self.meanwhile
                for name in words[2:]:
                    assert "squid.service" in self.masked or name != "squid" or "squid.service" in self.units
                    self.installed |= self.brings.get(name, {name})
                    self.made |= set().union(*(self.names.get(each, set()) for each in self.installed))
                    self.installed -= {"timesyncd"} if name == "chrony" else set()
            case ["apt-get", "purge"]:
                self.installed -= set(args[5:])
            case ["apt-get", "--simulate"]:
                going = set(args[3:])
                going |= {other for package, other in self.needed_by.items() if package in going}
                return "".join(f"Purg {name} [1.0]\n" for name in sorted(going & self.installed))
            case ["apt-cache", "depends"]:
                asked = args[9:]
                if not set(asked) & self.installed:  # a node whose package lists have never been fetched
                    return Result(command, 100, "", "E: No packages found")
                needs = {package for package, other in self.needed_by.items() if other in asked}
                return "".join(f"{each}\n" for each in needs.union(*(self.brings.get(name, set()) for name in asked)))
            case ["cat", "/etc/passwd"]:
                return "".join(f"{name}:x:1\n" for name in sorted(self.made) if "/" not in name)
            case ["find", "/var/lib"]:
                return "".join(f"{name}\n" for name in sorted(self.made) if "/" in name)
            case ["look", "what"]:
                named = set().union(*(self.names.get(each, set()) for each in args[6:]))
                return "".join(f"{name}\n" for name in sorted(named & {*args[4].split(), *args[5].split()}))
            case ["userdel,", "groupdel"]:
                self.made -= {*args[4].split(), *args[5].split()}
            case ["rm", "-r"]:
                self.made -= set(args[4:])
            case ["apt-mark", "showauto"]:
                return "timesyncd\n"
            case ["systemctl", "show"]:
                return "\n".join(self._unit(name) for name in args[4:])
            case ["systemctl", "mask"]:
                self.masked |= set(args[4:])
            case ["systemctl", "unmask"]:
                self.masked -= set(args[4:])
            case _:
                pass
        return ""

    def _unit(self, name: str) -> str:
        file, active = self.units.get(name, ("", "inactive"))
        load = "masked" if name in self.masked else "loaded"
        return f"LoadState={load}\nUnitFileState={file}\nActiveState={active}\nSubState=x\nNeedDaemonReload=no\n"


WANTED = packages.Wanted(nodes={"a": {"squid": "installed", "chrony": "installed"}}, quiet_units=["squid.service"])


def at_work(machine: Machine):
    journals = FakeJournals()
    node = FakeNode("a", machine)
    return fake_cluster(node, journals=journals, thing="packages"), node, journals


async def converge(cluster, wanted=WANTED):
    await packages.converge(cluster, wanted, await packages.observe(cluster, wanted))


async def test_absent_only_if_nothing_is_there():
    cluster, _, _ = at_work(Machine(installed={"base"}))
    assert await packages.observe(cluster, WANTED) == Absent()
    cluster, _, _ = at_work(Machine(installed={"base", "chrony"}))
    observed = await packages.observe(cluster, WANTED)
    assert isinstance(observed, Present)
    assert observed.values.nodes == {"a": {"squid": None, "chrony": "installed"}}
    assert observed.facts == {"versions": {"a": {"chrony": "1.0"}}}


async def test_installed_once_and_then_left_alone():
    machine = Machine()
    cluster, node, journals = at_work(machine)
    await converge(cluster)
    assert machine.masked == set()
    assert set(journals.opened["a", "packages"].values) == {packages.MADE}
    node.commands.clear()
    await converge(cluster)
    assert node.written == []


async def test_what_others_install_while_this_waits_for_apt_is_not_ours():
    machine = Machine(meanwhile={"postgresql"})
    cluster, _, _ = at_work(machine)
    await converge(cluster)
    machine.meanwhile.clear()
    await packages.remove(cluster, WANTED)
    assert machine.installed == {"base", "timesyncd", "postgresql"}


async def test_what_was_found_is_not_made():
    machine = Machine(installed={"base", "squid", "chrony"})
    cluster, node, _ = at_work(machine)
    await converge(cluster)
    await packages.remove(cluster, WANTED)
    assert machine.installed == {"base", "squid", "chrony"}
    assert node.written == []


@pytest.mark.parametrize("cut", ["systemctl mask", "apt-get install", "systemctl unmask"])
async def test_cut_off_anywhere_and_run_again_ends_in_the_same_state(cut):
    machine = Machine(fail=cut)
    cluster, _, journals = at_work(machine)
    with pytest.raises(CommandFailed):
        await converge(cluster)
    assert packages.PENDING in journals.opened["a", "packages"].values
    await converge(cluster)
    assert machine.installed == {"base", "squid", "libsquid", "chrony"}
    assert machine.masked == set()
    made = packages.Made.model_validate_json(journals.opened["a", "packages"].values[packages.MADE])
    assert (made.packages, made.displaced) == (["chrony", "libsquid", "squid"], ["timesyncd"])


@pytest.mark.parametrize("cut", ["", "apt-get purge", "apt-get install timesyncd", "apt-mark auto"])
async def test_removal_ends_where_it_began_also_when_cut_off(cut):
    machine = Machine()
    cluster, node, journals = at_work(machine)
    await converge(cluster)
    machine.installed.add("added-by-hand")
    machine.fail = cut
    if cut:
        with pytest.raises(CommandFailed):
            await packages.remove(cluster, WANTED)
    await packages.remove(cluster, WANTED)
    assert machine.installed == {"base", "timesyncd", "added-by-hand"}
    assert journals.opened["a", "packages"].values == {}
    assert any(str(command) == "apt-mark auto timesyncd" for command in node.commands)


@pytest.mark.parametrize("how", [converge, lambda cluster: packages.remove(cluster, WANTED)], ids=["up", "destroy"])
async def test_what_somebody_installed_since_a_run_was_cut_off_is_not_ours(how):
    machine = Machine(fail="systemctl unmask")
    cluster, _, _ = at_work(machine)
    with pytest.raises(CommandFailed):
        await converge(cluster)
    machine.installed |= {"postgresql", "libpq"}
    await how(cluster)
    await packages.remove(cluster, WANTED)
    assert machine.installed == {"base", "timesyncd", "postgresql", "libpq"}


@pytest.mark.parametrize("cut", ["systemctl mask", "apt-get install", "systemctl unmask"])
async def test_an_installation_cut_off_for_good_is_taken_back_too(cut):
    machine = Machine(fail=cut)
    cluster, _, _ = at_work(machine)
    with pytest.raises(CommandFailed):
        await converge(cluster)
    await packages.remove(cluster, WANTED)
    assert machine.installed == {"base", "timesyncd"}
    assert machine.masked == set()


async def test_units_that_run_or_are_enabled_are_never_masked():
    machine = Machine(units={"squid.service": ("disabled", "active")})
    cluster, node, _ = at_work(machine)
    await converge(cluster)
    assert not any(str(command).startswith(("systemctl mask", "systemctl disable")) for command in node.written)


@pytest.mark.parametrize("cut", ["", "apt-get purge", "apt-get install timesyncd", "userdel", "rm -r"])
async def test_what_others_need_stays(cut: str):
    """With the accounts and the data that it names; wherever a run is cut off, the next comes to the same."""
    names = {
        "libsquid": {"proxy", "/var/lib/libsquid"},
        "squid": {"proxy", "squid", "/var/lib/libsquid", "/var/spool/squid"},
    }
    machine = Machine(needed_by={"libsquid": "sarg"}, names=names)
    cluster, _, journals = at_work(machine)
    await converge(cluster)
    assert machine.made == {"proxy", "squid", "/var/lib/libsquid", "/var/spool/squid"}
    machine.installed.add("sarg")
    machine.fail = cut
    if cut:
        with pytest.raises(CommandFailed):
            await packages.remove(cluster, WANTED)
    told: list[str] = []
    await packages.remove(replace(cluster, progress=told.append), WANTED)
    assert machine.installed == {"base", "timesyncd", "sarg", "libsquid"}
    assert machine.made == {"proxy", "/var/lib/libsquid"}
    assert "a: /var/lib/libsquid, proxy stay too, because libsquid name them" in told
    assert journals.opened["a", "packages"].values == {}


# Its words go to a file; once somebody else holds the lock, where there is a file that says so.
APT = r"""
echo "$*" >>"$PLACE/said"
case $* in
    *' check')
        ! rm "$PLACE/held" 2>/dev/null || { echo 'E: Could not get lock /x. It is held by 7 (apt)' >&2; exit 100; } ;;
    '--simulate purge '*) cat "$PLACE/goes" ;;
esac
"""


@pytest.fixture
def purging(tmp_path: Path):
    """Runs the script that removes libsquid:amd64 and squid, with stand-ins; its exit code, words and apt's."""
    for name, body in (("apt-get", APT.replace("$PLACE", str(tmp_path))), ("dpkg", ""), ("sleep", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}")
        (tmp_path / name).chmod(0o755)

    async def purge(goes: list[str]) -> tuple[int, str, list[str]]:
        (tmp_path / "goes").write_text("Reading state...\n" + "".join(f"Purg {name} [1.0]\n" for name in goes))
        asked = apt.purge(["libsquid:amd64", "squid"])
        argv = tuple(word.replace("/run/", f"{tmp_path}/") for word in asked.argv)
        result = await LocalNode(path=str(tmp_path)).run(replace(asked, argv=argv, ok=None))
        return result.exit_code, result.stderr, (tmp_path / "said").read_text().splitlines()

    return purge


async def test_what_apt_would_take_along_by_now_keeps_all_from_going(purging):
    """Between the look of before and the removal another apt may have been at work."""
    code, told, said = await purging(["libsquid", "sarg", "squid"])
    assert (code, [each for each in said if " purge libsquid" in each and "--simulate" not in each]) == (1, [])
    assert "E: apt would take along sarg; no package was removed" in told


async def test_what_goes_is_looked_at_when_the_lock_can_be_had(purging, tmp_path: Path):
    (tmp_path / "held").touch()
    code, _, said = await purging(["libsquid", "squid"])
    assert code == 0
    assert [each.split(" ")[-3 if "purge" in each else -1] for each in said] == ["check", "check", "purge", "purge"]
    assert "Lock::Timeout=0" in said[-1], "while it waited, somebody could install once more"


async def test_a_removal_that_fails_is_not_tried_again(purging, tmp_path: Path):
    (tmp_path / "apt-get").write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/said\necho 'E: Sub-process failed' >&2\nexit 100\n"
    )
    code, told, said = await purging(["squid"])
    assert (code, told, len(said)) == (1, "E: Sub-process failed\n", 1)


async def test_what_would_go_for_no_reason_we_can_see_is_refused():
    machine = Machine(needed_by={"libsquid": "sarg"})
    cluster, node, _ = at_work(machine)
    await converge(cluster)
    machine.installed.add("sarg")
    answer = node.answer
    node.answer = lambda command: "" if str(command).startswith("apt-cache") else answer(command)
    with pytest.raises(Refused, match="would also remove sarg"):
        await packages.remove(cluster, WANTED)
    assert "squid" in machine.installed


async def test_an_empty_directory_goes_back_to_a_group_with_blanks_in_its_name(tmp_path):
    (tmp_path / "chown").write_text(f'#!/bin/sh\nprintf "%s|" "$@" >>{tmp_path}/said\n')
    (tmp_path / "chown").chmod(0o755)
    made = [tmp_path / each for each in ("plain", "with blanks")]
    lines = [f"0750 root:root {made[0]}", f"0700 root:domain users {made[1]}"]
    await LocalNode(path=str(tmp_path)).run(apt.make_directories(lines))
    assert (tmp_path / "said").read_text() == f"--|root:root|{made[0]}|--|root:domain users|{made[1]}|"
    assert [stat.S_IMODE(each.stat().st_mode) for each in made] == [0o750, 0o700]
