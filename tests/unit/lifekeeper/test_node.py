"""LifeKeeper itself on the nodes: its settings, its start at boot, and all of it as before when the site goes."""

import asyncio

import pytest

from providers.connection.errors import Refused, Unreachable
from providers.connection.fake import FakeNode, fake_cluster
from providers.lifekeeper import grammar, node, views
from tests.unit.lifekeeper.test_mirror_data import removed_with_data_kept, until_mirror
from tests.unit.lifekeeper.test_providers import cut_off, down, fresh, members, up

BEFORE = "LCMHBEATTIME=7\nLKCHECKINTERVAL=90\n"
OTHER = ["comm", "ip", "IP-192.0.2.99", "", "ISP", "intelligent"]


def lines(pair):
    """What was said to the nodes, the journals apart."""
    return [(node, line.removeprefix("/opt/LifeKeeper/bin/")) for node, line in pair.said if "journal" not in line]


def with_others():
    """A pair on which LifeKeeper protects somebody else's address, and has settings of its own."""
    pair = fresh()
    for lcd in pair.lcds.values():
        lcd.defaults, lcd.enabled = BEFORE, False
        lcd.instances["ip-other"], lcd.priorities["ip-other"] = list(OTHER), 1
    up(pair, members(2, heartbeat={"interval": "2s"}, check_interval="60s"))
    pair.said.clear()
    return pair


def test_a_change_of_the_heartbeat_stops_both_and_leaves_the_service_running():
    pair = fresh()
    up(pair, members(2))
    pair.said.clear()
    up(pair, members(2, heartbeat={"interval": "2s"}))
    said = lines(pair)
    assert said[:2] == [("proxy-a", "lkstop -f"), ("proxy-b", "lkstop -f")]
    assert {line for _, line in said[2:]} == {"write /etc/default/LifeKeeper", "lkcli start"}


def test_it_is_stopped_and_no_longer_started_at_boot_where_it_was_not_before():
    pair = fresh()
    pair.lcds["proxy-b"].enabled = False
    up(pair, members(2))
    assert [(lcd.enabled, lcd.running) for lcd in pair.lcds.values()] == [(True, True), (True, True)]
    down(pair, members(2))
    assert [(lcd.enabled, lcd.running) for lcd in pair.lcds.values()] == [(True, False), (False, False)]


def test_the_heartbeat_goes_back_while_lifekeeper_is_down_on_both_and_what_is_not_ours_runs_on():
    pair = with_others()
    down(pair, members(2, heartbeat={"interval": "2s"}, check_interval="60s"))
    said = lines(pair)
    stops = [at for at, (_, line) in enumerate(said) if line == "lkstop -f"]
    writes = [at for at, (_, line) in enumerate(said) if line == "write /etc/default/LifeKeeper"]
    assert len(stops) == len(writes) == 2
    assert max(stops) < min(writes)
    assert sum(line == "killall lkcheck" for _, line in said) == 2
    for lcd in pair.lcds.values():
        assert (lcd.defaults, lcd.running, lcd.enabled) == (BEFORE, True, True)
        assert lcd.instances == {"ip-other": OTHER}


@pytest.mark.parametrize("where", ["lkstop -f", "write /etc/default/LifeKeeper", "lkcli start"])
def test_a_removal_cut_off_while_lifekeeper_is_down_starts_it_again_the_next_time(where):
    pair = with_others()
    declared = members(2, heartbeat={"interval": "2s"}, check_interval="60s")
    cut_off(pair, declared, where, down)
    down(pair, declared)
    assert [(lcd.defaults, lcd.running) for lcd in pair.lcds.values()] == [(BEFORE, True)] * 2
    assert not any(each.values for each in pair.journals.opened.values())


def test_a_choice_that_nobody_has_seen_is_looked_up_in_the_help_like_an_option():
    """`--hierarchy existing`: a product that knows only other words must not be asked for it."""
    pair, listed = removed_with_data_kept(), members()
    name = "lkcli resource create dk"
    pair.helps[name] = grammar.help_text(name).replace("existing", "keep")
    with pytest.raises(Refused, match=r"expected --hierarchy existing, found .*new.keep.none"):
        up(pair, until_mirror(listed))
    assert not any("create dk" in line for _, line in pair.said)
    pair.helps.clear()
    up(pair, until_mirror(listed))
    assert any("--hierarchy existing" in line for _, line in pair.said)


@pytest.mark.parametrize("code", [0, 1, 127])
def test_a_subcommand_that_the_product_does_not_have_is_refused_before_anything_is_written(code):
    pair, listed = fresh(), members(2)
    name = "lkcli resource create qsp"
    options = "".join(f"  {each.spelled}\n" for each in grammar.load().command(name).options)
    pair.helps[name], pair.help_codes[name] = f"Usage: lkcli <command> [options]\n{options}", code
    with pytest.raises(Refused, match=r"does not take `lkcli resource create qsp`") as refused:
        up(pair, listed)
    found = "Usage: lkcli <command> [options]"
    assert (f"found exit code {code}: {found}" if code else f"found {found}") in str(refused.value)
    assert not [line for _, line in pair.said if "/opt/LifeKeeper" in line]


def test_a_masked_unit_is_somebodys_decision_and_refused_with_the_way_out():
    pair = fresh()
    pair.lcds["proxy-b"].masked = True
    with pytest.raises(Refused, match=r"proxy-b: lifekeeper\.service is masked") as refused:
        up(pair, members(2))
    assert "systemctl unmask" in str(refused.value)
    assert not pair.lcds["proxy-b"].running


async def test_a_node_that_cannot_be_read_is_not_left_while_it_is_still_asked(monkeypatch):
    ended = []

    async def slow(cluster, names):
        await asyncio.sleep(0.05)
        ended.extend(names)

    def broken(command):
        raise Unreachable("the connection broke", node="qsp-a")

    monkeypatch.setattr(views, "read", slow)
    with pytest.raises(Unreachable):
        await node.observe(fake_cluster(FakeNode("qsp-a", broken)), node.Wanted(nodes={"qsp-a": node.NodeLifeKeeper()}))
    assert ended == ["qsp-a"]


def test_what_is_refused_on_both_nodes_is_said_of_both_at_once():
    pair = fresh()
    listed = members(2)
    tag = next(each.inputs.tag for each in listed if each.kind == "lifekeeper.ip")
    for lcd in pair.lcds.values():
        lcd.instances[tag], lcd.priorities[tag] = ["gen", "app", tag, "", "OSU", "intelligent"], 1
    with pytest.raises(Refused, match=r"(?s)proxy-a: the resource .* is gen/app.*proxy-b: the resource .* is gen/app"):
        up(pair, listed)
    for lcd in pair.lcds.values():
        lcd.installed = False
    with pytest.raises(Refused, match=r"(?s)proxy-a: LifeKeeper is not installed.*proxy-b: LifeKeeper is not"):
        up(pair, listed)
