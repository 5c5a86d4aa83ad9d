"""Files that squid.conf includes, from one run to the next: edits, nodes that differ, and the running Squid."""

import base64
import fnmatch
from dataclasses import dataclass, field

import pytest

from providers import applied, reconcile
from providers.connection.command import Command, Result
from providers.connection.errors import CommandFailed, NotVerified, Refused, Unreachable
from providers.connection.fake import FakeJournals, FakeNode, fake_cluster
from providers.contract import Present
from providers.host.settings import FileState, NodeSettings
from providers.squid import accepted, config, includes, loading

CONF = "/etc/squid/squid.conf"
SITE, MORE, KEEP = (f"/etc/squid/conf.d/{name}.conf" for name in ("site", "more", "keep"))
INCLUDING = "http_port 3128\ninclude /etc/squid/conf.d/*.conf\nhttp_access deny all\n"
PLAIN = "http_port 3128\nhttp_access deny all\n"
OPENING = "http_access allow all\n"
GUESTS = "acl guests src 192.0.2.200/29\nhttp_access allow guests\n"
KIND = "squid.config"
CACHE = "cache_dir aufs /c 100 16 256\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class Machine:
    """A node with files and a Squid; ``acts`` are what systemd was asked for, ``parsed`` what Squid was."""

    active: bool
    files: dict[str, str] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)
    parsed: int = 0
    rejects: bool = False
    complaint: str = "FATAL: bad"
    closed: str = ""
    looked: list[str] = field(default_factory=list)

    def __call__(self, command: Command) -> Result | str:  # noqa: PLR0911 - one case per command
        text = str(command)
        if text.startswith("squid -k parse"):
            self.parsed += 1
            return Result(command, 1, "", f"2026/01/01 10:00:00| {self.complaint}\n") if self.rejects else ""
        if text == f"read {CONF}":
            content = base64.b64encode(self.files[CONF].encode()).decode()
            return f"file 644 0:0 root:root\n{content}\n"
        if text == f"write {CONF}":
            self.files[CONF] = (command.stdin or b"").decode()
        if text.startswith("read /"):
            return self.matching(command.argv[4:])
        if text.startswith("systemctl show"):
            state = "active" if self.active else "inactive"
            return f"LoadState=loaded\nUnitFileState=disabled\nActiveState={state}\nSubState=x\nNeedDaemonReload=no\n"
        if text.startswith(("systemctl reload", "systemctl restart")):
            self.acts.append(text.split()[1])
        if text.startswith("look who listens"):
            return str(len(self.acts))
        if text.startswith("look whether Squid listens"):
            self.looked.append(text)
            return self.closed
        return "HTTP/1.1 403 Forbidden" if text.startswith("ask Squid") else ""

    def matching(self, patterns: tuple[str, ...] | list[str]) -> str:
        made: list[str] = []
        for each in patterns:
            names = [name for name in sorted(self.files) if fnmatch.fnmatchcase(name, each)]
            made += [part for name in names for part in (encoded(name), encoded(self.files[name]))]
            made += [] if names else [encoded(each), "!nothing"]
        return "".join(f"{part}\n" for part in made)


class Pair:
    """Nodes ``a`` (active) and ``b`` with the same files."""

    def __init__(self, **files: str) -> None:
        by_name = {"site": SITE, "more": MORE, "keep": KEEP}
        given = {by_name[name]: text for name, text in files.items()}
        self.machines = {name: Machine(name == "a", {CONF: PLAIN, **given}) for name in ("a", "b")}
        self.journals = FakeJournals()
        self.nodes = [FakeNode(name, machine) for name, machine in self.machines.items()]
        self.cluster = fake_cluster(*self.nodes, journals=self.journals, thing="squid")

    async def up(self, declared: config.Wanted, previous: config.Wanted | None = None) -> None:
        await reconcile.apply(KIND, self.cluster, declared, previous=previous)

    async def drift(self, declared: config.Wanted) -> dict[str, object]:
        observed = await config.observe(self.cluster, declared)
        assert isinstance(observed, Present)
        return {each.path: each.found for each in reconcile.differences(declared, observed.values)}

    def edit(self, text: str | None, path: str = SITE, on: str = "ab") -> None:
        for name in on:
            self.machines[name].files.pop(path, None)
            if text is not None:
                self.machines[name].files[path] = text

    @property
    def acts(self) -> list[str]:
        assert self.machines["b"].acts == []
        return self.machines["a"].acts

    @property
    def journalled(self) -> list[dict[str, str]]:
        return [self.journals.opened[name, "squid"].values for name in ("a", "b")]


def wanted(content: str = INCLUDING, *, may_be_open: bool = False) -> config.Wanted:
    file = FileState(content=content, mode="0644", owner="root:root", check=["squid", "-k", "parse", "-f", "{}"])
    return config.Wanted(
        nodes=dict.fromkeys(("a", "b"), NodeSettings(files={CONF: file})),
        unit="squid.service",
        port="3128",
        probe_url="http://probe.invalid/",
        may_be_open=may_be_open,
        included=dict.fromkeys(("a", "b"), accepted.AS_ACCEPTED) if "include" in content else {},
    )


async def deployed(**files: str) -> Pair:
    pair = Pair(**(files or {"site": GUESTS}))
    await pair.up(wanted())
    pair.acts.clear()
    return pair


async def test_included_files_that_stay_as_they_are_are_no_drift():
    pair = await deployed()
    assert await pair.drift(wanted()) == {}
    for node in pair.nodes:
        node.commands.clear()
    await pair.up(wanted(), wanted())
    assert pair.acts == []
    assert not any(node.written for node in pair.nodes)


async def test_an_edited_include_is_drift_and_the_next_run_has_squid_read_it():
    pair = await deployed()
    pair.edit(GUESTS.replace("200", "208"))
    assert await pair.drift(wanted()) == {
        f"included.{name}": f"changed since they were accepted: {SITE}" for name in ("a", "b")
    }
    await pair.up(wanted())
    assert pair.acts == ["reload"]
    assert await pair.drift(wanted()) == {}
    assert not any(name.startswith("pending") for each in pair.journalled for name in each)


async def test_a_comment_in_an_include_is_no_drift():
    pair = await deployed()
    pair.edit(f"# by hand\n\n{GUESTS}", on="b")
    assert await pair.drift(wanted()) == {}


async def test_drift_says_that_an_include_was_edited_on_the_host():
    pair = await deployed()
    last = applied.digests(wanted())
    pair.edit("", on="b")
    observed = await config.observe(pair.cluster, wanted())
    assert isinstance(observed, Present)
    (difference,) = reconcile.differences(wanted(), observed.values)
    assert difference.path == "included.b"
    assert applied.origin(difference, last) == "host"


@pytest.mark.parametrize(
    ("text", "path", "word"),
    [(None, SITE, f"{SITE} (missing)"), ("forwarded_for off\n", MORE, f"{MORE} (new)"), ("via off\n", SITE, SITE)],
)
async def test_an_include_that_is_edited_on_one_node_is_drift_there_until_the_next_run(text, path, word):
    pair = await deployed(site=GUESTS, keep="visible_hostname x\n")
    pair.edit(text, path, on="b")
    assert await pair.drift(wanted()) == {"included.b": f"changed since they were accepted: {word}"}
    await pair.up(wanted())
    assert await pair.drift(wanted()) == {}


async def test_files_of_a_nodes_own_are_neither_refused_nor_drift():
    pair = Pair()
    for name in "ab":
        pair.edit(f"unique_hostname {name}.example\nhttp_port 192.0.2.{ord(name)}:3200\n", on=name)
    await pair.up(wanted())
    assert pair.acts == ["reload"]
    assert await pair.drift(wanted()) == {}
    assert accepted.other_rules(await both(pair)) == ""


async def test_files_that_say_something_else_of_access_on_each_node_are_told_in_words():
    pair = Pair(more="via off\n")
    pair.edit(GUESTS, on="b")
    assert accepted.other_rules(await both(pair)) == (
        f"b: what is included says something else of access than on a: {SITE}"
    )


async def both(pair: Pair) -> dict[str, includes.Included]:
    return {node.name: await includes.read(node, ["/etc/squid/conf.d/*.conf"]) for node in pair.nodes}


async def test_a_pattern_without_a_file_on_a_node_is_told_and_refused():
    pair = await deployed()
    pair.edit(None, on="b")
    found = {"included.b": "refused: squid.conf: include names no file that is there, at which Squid ends"}
    assert await pair.drift(wanted()) == found
    with pytest.raises(Refused, match=r"^b: squid\.conf: `include /etc/squid/conf\.d/\*\.conf` names no file"):
        await pair.up(wanted())
    assert pair.acts == []


async def test_a_password_in_an_include_is_neither_in_the_state_nor_in_what_is_said():
    pair = await deployed()
    ldap = "auth_param basic program /usr/lib/squid/basic_ldap_auth -w hidden\nacl u proxy_auth REQUIRED\n"
    pair.edit(f"{ldap}http_access allow u\n")
    observed = await config.observe(pair.cluster, wanted())
    assert isinstance(observed, Present)
    assert set(observed.values.included.values()) == {
        f"refused: {SITE} line 3: http_access may let anybody use the proxy"
    }
    with pytest.raises(Refused) as refused:
        await pair.up(wanted())
    assert "hidden" not in str(refused.value)
    pair.edit("auth_param basic programme -w hidden\n")
    pair.machines["b"].rejects = True
    pair.machines["b"].complaint = f"FATAL: Bungled {SITE} line 1: auth_param basic programme -w hidden"
    with pytest.raises(CommandFailed, match=r"Bungled .*site\.conf line 1: auth_param …\n") as rejected:
        await pair.up(wanted())
    assert "hidden" not in str(rejected.value)


async def test_an_include_that_opens_the_proxy_is_told_and_refused():
    pair = await deployed()
    pair.edit(OPENING)
    told = await pair.drift(wanted())
    assert set(told) == {"included.a", "included.b"}
    assert str(told["included.a"]).startswith(f"refused: {SITE} line 1: http_access may let anybody use the proxy")
    with pytest.raises(Refused, match="may let anybody use the proxy"):
        await pair.up(wanted())
    assert pair.acts == []
    assert await pair.drift(wanted(may_be_open=True)) != {}, "fits every request"


async def test_files_that_a_file_includes_are_watched_too():
    pair = Pair(site="include /etc/more/*\n")
    pair.edit("via off\n", "/etc/more/x")
    await pair.up(wanted())
    pair.edit("via on\n", "/etc/more/x")
    assert await pair.drift(wanted()) == {
        f"included.{name}": "changed since they were accepted: /etc/more/x" for name in ("a", "b")
    }


async def test_what_cannot_be_followed_is_told_by_drift():
    pair = await deployed()
    pair.edit("include conf.d/x\n")
    assert "cannot be followed" in str((await pair.drift(wanted()))["included.a"])


async def test_what_squid_does_not_accept_of_an_edited_include_is_refused_before_anything():
    pair = await deployed()
    parsed = pair.machines["b"].parsed
    pair.edit("vya off\n")
    pair.machines["b"].rejects = True
    with pytest.raises(CommandFailed, match=r"^b: `squid -k parse") as rejected:
        await pair.up(wanted())
    assert f"({CONF} with what it includes: {SITE})" in str(rejected.value)
    assert f"correct {SITE} on b" in rejected.value.remedy
    assert pair.machines["b"].parsed == parsed + 1
    assert pair.acts == []


async def of_an_earlier_release(**files: str) -> tuple[Pair, config.Wanted]:
    pair = await deployed(**files)
    for each in pair.journalled:
        del each[accepted.ENTRY]
    return pair, wanted().model_copy(update={"included": {}})


async def test_a_site_of_an_earlier_release_has_squid_read_its_includes_once_without_a_start():
    pair, earlier = await of_an_earlier_release(site=f"{GUESTS}{CACHE}")
    assert await pair.drift(earlier) == {}
    assert await pair.drift(wanted()) == {"included.a": None, "included.b": None}
    await pair.up(wanted(), earlier)
    assert pair.acts == ["reload"]
    assert all(accepted.ENTRY in each for each in pair.journalled)
    assert await pair.drift(wanted()) == {}
    await pair.up(wanted(), wanted())
    assert pair.acts == ["reload"]


CLOSED = "0100007F:0F9F 0000000000000000FFFF00000100007F:0F9F\n"


@pytest.mark.parametrize("content", [INCLUDING, f"via on\n{INCLUDING}"])
async def test_nothing_goes_back_for_what_a_site_of_an_earlier_release_included(content):
    pair, earlier = await of_an_earlier_release()
    pair.edit("http_port 127.0.0.1:3999\n")
    pair.machines["a"].closed = CLOSED
    with pytest.raises(NotVerified, match=r"not listen on 127\.0\.0\.1:3999; .* nothing was taken back"):
        await pair.up(wanted(content), earlier)
    assert pair.acts == ["reload"]
    assert [machine.files[CONF] for machine in pair.machines.values()] == [content] * 2
    pair.machines["a"].closed = ""
    await pair.up(wanted(content), earlier)
    assert pair.acts == ["reload", "reload"]


async def test_what_squid_would_not_take_of_an_earlier_releases_includes_is_not_read():
    pair, earlier = await of_an_earlier_release()
    pair.machines["a"].rejects = True
    with pytest.raises(CommandFailed, match="with what it includes"):
        await pair.up(wanted(), earlier)
    assert pair.acts == []


async def test_a_port_of_an_include_is_not_asked_of_a_squid_that_has_nothing_to_read():
    pair = await deployed(site="http_port 127.0.0.1:3999\n")
    pair.machines["a"].looked.clear()
    port = wanted().model_copy(update={"probe_url": "http://other.invalid/"})
    await pair.up(port, wanted())
    assert pair.acts == []
    assert not any("3999" in each for each in pair.machines["a"].looked)


async def test_before_the_first_run_there_is_nothing_to_tell_but_what_would_be_refused():
    pair = Pair(site=GUESTS)
    assert [path for path in await pair.drift(wanted()) if "included" in path] == []
    pair.edit(OPENING, on="b")
    assert [path for path in await pair.drift(wanted()) if "included" in path] == ["included.b"]


async def test_a_declared_include_that_is_not_deployed_yet_is_not_taken_for_an_edit_on_the_host():
    pair = await deployed()
    pair.edit("via off\n", "/etc/more/x")
    further = wanted(INCLUDING.replace("include ", "include /etc/more/x\ninclude "))
    assert not any("included" in path for path in await pair.drift(further))
    await pair.up(further, wanted())
    assert pair.acts == ["reload"]
    assert await pair.drift(further) == {}


async def test_without_includes_any_more_nothing_is_recorded_nor_read():
    pair = await deployed()
    await pair.up(wanted(PLAIN), wanted())
    assert not any(accepted.ENTRY in each for each in pair.journalled)
    pair.edit(OPENING)
    for node in pair.nodes:
        node.commands.clear()
    assert await pair.drift(wanted(PLAIN)) == {}
    assert not any("conf.d" in str(command) for node in pair.nodes for command in node.commands)


async def test_removal_forgets_what_was_accepted():
    pair = await deployed()
    await config.remove(pair.cluster, wanted())
    assert not any(accepted.ENTRY in each for each in pair.journalled)
    assert pair.acts == ["reload"]


async def test_removal_starts_squid_anew_where_an_include_had_a_cache_on_disk():
    pair = await deployed(site=CACHE)
    await config.remove(pair.cluster, wanted())
    assert pair.acts == ["restart"]


@pytest.mark.parametrize(
    ("before", "after", "act"),
    [
        ("", CACHE, "restart"),
        (CACHE, "", "restart"),
        (CACHE, f"via off\n{CACHE}", "reload"),
    ],
)
async def test_a_cache_on_disk_in_an_include_starts_squid_anew_and_nothing_else_does(before, after, act):
    pair = await deployed(site=before)
    pair.edit(after)
    await pair.up(wanted())
    assert pair.acts == [act]


async def test_an_include_with_a_cache_on_disk_that_is_declared_starts_squid_anew():
    pair = Pair(site=CACHE)
    await pair.up(wanted())
    assert pair.acts == ["restart"]


async def test_a_run_cut_off_before_an_edited_include_was_read_is_finished_by_the_next():
    pair = await deployed()
    pair.edit("via off\n")
    await pair.journals.opened["a", "squid"].put({config.PENDING: SITE})
    await pair.up(wanted())
    assert pair.acts == ["reload"]


async def test_an_include_that_the_active_squid_has_started_with_is_accepted_there_though_the_standby_was_lost():
    pair = await deployed()
    pair.edit(CACHE)
    standby = pair.machines["b"]

    def lost(command: Command) -> Result | str:
        if pair.acts:
            raise Unreachable("no answer", node="b")
        return standby(command)

    pair.nodes[1].answer = lost
    with pytest.raises(loading.NotSeen):
        await pair.up(wanted())
    pair.nodes[1].answer = standby
    assert pair.acts == ["restart"]
    await pair.up(wanted())
    assert pair.acts == ["restart"]
    assert await pair.drift(wanted()) == {}


async def test_a_port_of_an_include_that_does_not_open_is_told_and_not_accepted():
    pair = await deployed(site=GUESTS, more="via off\n")
    pair.edit("http_port 127.0.0.1:3999\n")
    pair.edit(None, MORE)
    pair.machines["a"].closed = CLOSED
    with pytest.raises(
        NotVerified, match=r"not listen on 127\.0\.0\.1:3999; what was edited in .* \([^ ]*site\.conf\); "
    ):
        await pair.up(wanted())
    assert "127.0.0.1:3999" in pair.machines["a"].looked[-1]
    assert "included.a" in await pair.drift(wanted())
