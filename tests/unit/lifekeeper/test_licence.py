"""LifeKeeper's licence: which one was installed, when another one is, and that its text is nowhere but on the node."""

from dataclasses import replace

import pytest

from providers import applied, binding, reconcile, wire
from providers.connection.errors import Refused
from providers.connection.loop import run_sync
from providers.contract import Present
from providers.host import digest
from providers.lifekeeper import node
from tests.unit.lifekeeper.test_providers import cut_off, fresh, members, up

FILE = "/root/lifekeeper.lic"
SCRATCH = "/run/squid-ha-lifekeeper.lic"
SECRET = {"secret": {"secret": "lklic"}}
GOOD, EXPIRED = "FEATURE lklc good\n", "FEATURE lklc expired\n"


@pytest.fixture
def pair(monkeypatch):
    """LifeKeeper starts with the good licence only, and says why it does not."""
    made = fresh()

    def start(name, _values):
        if made.lcds[name].license != GOOD:
            return 1, "", "no valid license is installed"
        made.lcds[name].running = True
        return (0,)

    monkeypatch.setattr(made, "lkcli_start", start)
    put(made, FILE, GOOD)
    return made


def put(pair, path, text):
    for lcd in pair.lcds.values():
        lcd.files[path] = text


def installed(pair):
    """The lines that installed one since the last look."""
    found = [line for _, line in pair.said if "lkkeyins" in line]
    pair.said.clear()
    return found


def product(**given):
    return members(2, **given)[:1]


def with_secret(pair, text):
    """An `up` with the licence in a secret, its digest in the inputs as a run has it."""
    secrets = {} if text is None else {"lklic": text}
    (thing,) = product(license=SECRET)
    wanted = node.sealed(thing.inputs, secrets.get)
    cluster = replace(pair.cluster(thing.name), secret=secrets.get)
    run_sync(reconcile.apply(thing.kind, cluster, wanted))
    return wanted


def deployed(pair, **given):
    """Write down on the nodes that this was applied, as each run does at its end, earlier releases' too."""
    (thing,) = product(**given)
    run_sync(applied.record(pair.cluster(thing.name), thing.inputs))


def of_an_earlier_release(pair, journal, **given):
    """LifeKeeper runs, and on both nodes an earlier release has journalled this."""
    (thing,) = product(**given)
    for name, lcd in pair.lcds.items():
        lcd.running = True
        run_sync(pair.cluster(thing.name).journal(name).put(journal))
    deployed(pair, **given)


def journalled(pair):
    (thing,) = product()
    return [run_sync(pair.cluster(thing.name).journal(name).entries()).get("licensed") for name in pair.lcds]


def entry(text, path=FILE):
    return f"{digest.like(text.encode(), digest.SHA256)} {path}"


def looked_at(pair, **given):
    (thing,) = product(**given)
    found = run_sync(node.observe(pair.cluster(thing.name), thing.inputs))
    assert isinstance(found, Present)
    return [str(each) for each in reconcile.differences(thing.inputs, found.values)]


def test_a_start_that_failed_for_the_licence_has_the_next_up_install_the_new_one(pair):
    put(pair, FILE, EXPIRED)
    with pytest.raises(Refused, match=r"does not start without a licence: .*no valid license") as refused:
        up(pair, product(license={"file": FILE}))
    assert f"into the file {FILE}" in str(refused.value)
    assert len(installed(pair)) == 2
    put(pair, FILE, GOOD)
    up(pair, product(license={"file": FILE}))
    assert [lcd.running for lcd in pair.lcds.values()] == [True, True]


def test_a_licence_that_failed_is_tried_again_though_it_is_the_same(pair):
    """Somebody corrected the clock: the file is as it was."""
    put(pair, FILE, EXPIRED)
    for _ in range(2):
        with pytest.raises(Refused, match="does not start without a licence"):
            up(pair, product(license={"file": FILE}))
        assert installed(pair)


def test_without_a_declared_licence_the_way_out_is_to_declare_it_and_it_is_installed_then(pair):
    with pytest.raises(Refused, match=r"declare `lifekeeper\.license`"):
        up(pair, product())
    up(pair, product(license={"file": FILE}))
    assert len(installed(pair)) == 2


def test_another_file_is_installed_though_lifekeeper_runs_and_that_is_said(pair):
    up(pair, product(license={"file": FILE}))
    assert len(installed(pair)) == 2
    put(pair, "/root/new.lic", "FEATURE lklc new\n")
    up(pair, product(license={"file": "/root/new.lic"}))
    assert len(installed(pair)) == 2
    assert {lcd.license for lcd in pair.lcds.values()} == {"FEATURE lklc new\n"}
    assert sum("LifeKeeper runs on" in line for line in pair.progress) == 2
    up(pair, product(license={"file": "/root/new.lic"}))
    assert installed(pair) == []


def test_another_text_in_the_same_file_is_drift_and_is_installed(pair):
    up(pair, product(license={"file": FILE}))
    installed(pair)
    pair.lcds["proxy-b"].files[FILE] = "FEATURE lklc renewed\n"
    assert looked_at(pair, license={"file": FILE}) == ['nodes.proxy-b.licensed: wanted "yes", found "no"']
    up(pair, product(license={"file": FILE}))
    assert len(installed(pair)) == 1
    assert pair.lcds["proxy-b"].license == "FEATURE lklc renewed\n"
    assert looked_at(pair, license={"file": FILE}) == []


def test_a_file_that_was_taken_away_after_the_installation_is_not_missed(pair):
    up(pair, product(license={"file": FILE}))
    installed(pair)
    put(pair, FILE, "")
    assert looked_at(pair, license={"file": FILE}) == []
    up(pair, product(license={"file": FILE}))
    assert installed(pair) == []


def test_a_file_that_is_not_there_is_refused_before_lifekeeper_is_asked(pair):
    with pytest.raises(Refused, match=r"proxy-a: there is no /root/none\.lic with the licence"):
        up(pair, product(license={"file": "/root/none.lic"}))
    assert installed(pair) == []


def test_another_secret_is_a_change_and_is_installed_and_its_text_is_in_no_journal(pair):
    before = with_secret(pair, GOOD)
    assert {lcd.license for lcd in pair.lcds.values()} == {GOOD}
    after = with_secret(pair, "FEATURE lklc renewed")
    assert {lcd.license for lcd in pair.lcds.values()} == {"FEATURE lklc renewed\n"}
    assert reconcile.differences(after, before)
    assert len(installed(pair)) == 4
    with_secret(pair, "FEATURE lklc renewed")
    assert installed(pair) == []
    kept = str([each.values for each in pair.journals.opened.values()]) + after.model_dump_json()
    assert "FEATURE" not in kept
    assert all("/run/squid-ha-lifekeeper.lic" not in lcd.files for lcd in pair.lcds.values())


def test_a_secret_that_is_not_set_is_refused_only_where_it_has_to_be_installed(pair):
    with pytest.raises(Refused, match=r"`lklic` with the licence is not set\n.*pulumi config set"):
        with_secret(pair, None)
    with_secret(pair, GOOD)
    installed(pair)
    deployed(pair, license=SECRET)
    with_secret(pair, None)
    assert installed(pair) == []
    assert journalled(pair) == [entry(GOOD, SCRATCH)] * 2


def test_another_secret_that_is_not_set_is_not_taken_for_the_one_that_was_installed(pair):
    with_secret(pair, GOOD)
    deployed(pair, license=SECRET)
    with pytest.raises(Refused, match="`other` with the licence is not set"):
        up(pair, product(license={"secret": {"secret": "other"}}))


def test_lifekeeper_that_runs_has_its_licence_and_gets_another_one_only_when_it_is_changed(pair):
    for lcd in pair.lcds.values():
        lcd.running = True
    up(pair, product(license={"file": FILE}))
    assert installed(pair) == []
    assert sum("counts as the licence that it has" in line for line in pair.progress) == 2
    put(pair, FILE, "FEATURE lklc new\n")
    up(pair, product(license={"file": FILE}))
    assert len(installed(pair)) == 2


def test_the_licence_of_lifekeeper_that_runs_counts_though_the_first_run_was_cut_off(pair):
    for lcd in pair.lcds.values():
        lcd.running = True
    declared = product(license={"file": FILE}, check_interval="60s")
    cut_off(pair, declared, "write /etc/default/LifeKeeper")
    up(pair, declared)
    assert installed(pair) == []


# Journals of earlier releases: nothing where LifeKeeper ran, and else the place only


def test_an_earlier_releases_journal_without_a_licence_is_no_drift_and_nothing_is_installed(pair):
    of_an_earlier_release(pair, {"ran": "yes"}, license={"file": FILE})
    assert looked_at(pair, license={"file": FILE}) == []
    up(pair, product(license={"file": FILE}, check_interval="60s"))
    assert installed(pair) == []
    assert sum("counts as the licence that it has" in line for line in pair.progress) == 2
    put(pair, FILE, "FEATURE lklc new\n")
    assert looked_at(pair, license={"file": FILE}, check_interval="60s")
    up(pair, product(license={"file": FILE}, check_interval="60s"))
    assert len(installed(pair)) == 2


def test_an_earlier_releases_journal_without_a_licence_needs_no_file_any_more(pair):
    put(pair, FILE, "")
    of_an_earlier_release(pair, {"ran": "yes"}, license={"file": FILE})
    up(pair, product(license={"file": FILE}, check_interval="60s"))
    assert installed(pair) == []


@pytest.mark.parametrize("before", [{"license": {"file": FILE}}, {}], ids=["another one", "none"])
def test_a_licence_that_is_declared_only_now_is_installed_though_none_is_journalled(pair, before):
    of_an_earlier_release(pair, {"ran": "yes"}, **before)
    put(pair, "/root/new.lic", "FEATURE lklc new\n")
    up(pair, product(license={"file": "/root/new.lic"}))
    assert {lcd.license for lcd in pair.lcds.values()} == {"FEATURE lklc new\n"}


def test_a_licence_whose_start_failed_is_not_counted_as_installed_though_the_site_was_there_before(pair):
    of_an_earlier_release(pair, {"ran": "yes"}, license={"file": FILE})
    for lcd in pair.lcds.values():
        lcd.running = False
    assert 'nodes.proxy-a.licensed: wanted "yes", found "no"' in looked_at(pair, license={"file": FILE})
    up(pair, product(license={"file": FILE}))
    assert len(installed(pair)) == 2


def test_an_earlier_releases_place_is_completed_so_that_another_text_is_installed(pair):
    of_an_earlier_release(pair, {"ran": "no", "licensed": FILE}, license={"file": FILE})
    assert looked_at(pair, license={"file": FILE}) == []
    up(pair, product(license={"file": FILE}, check_interval="60s"))
    assert (installed(pair), journalled(pair)) == ([], [entry(GOOD)] * 2)
    put(pair, FILE, "FEATURE lklc new\n")
    up(pair, product(license={"file": FILE}, check_interval="60s"))
    assert len(installed(pair)) == 2


def test_an_earlier_releases_secret_counts_as_it_is_now_once_and_another_text_is_installed_then(pair):
    of_an_earlier_release(pair, {"ran": "no", "licensed": SCRATCH}, license=SECRET)
    (thing,) = product(license=SECRET)
    now = node.sealed(thing.inputs, {"lklic": GOOD}.get)
    cluster = replace(pair.cluster(thing.name), secret={"lklic": GOOD}.get)
    run_sync(reconcile.apply(thing.kind, cluster, now, previous=thing.inputs))
    assert (installed(pair), journalled(pair)) == ([], [entry(GOOD, SCRATCH)] * 2)
    with_secret(pair, "FEATURE lklc new")
    assert {lcd.license for lcd in pair.lcds.values()} == {"FEATURE lklc new\n"}


def test_a_secret_of_another_name_is_installed_though_only_the_place_is_journalled(pair):
    of_an_earlier_release(pair, {"ran": "no", "licensed": SCRATCH}, license={"secret": {"secret": "old"}})
    with_secret(pair, "FEATURE lklc new")
    assert {lcd.license for lcd in pair.lcds.values()} == {"FEATURE lklc new\n"}


def test_other_media_are_accepted_and_told_not_to_upgrade_anything(pair):
    given = {"license": {"file": FILE}, "media": "/mnt/sps"}
    up(pair, product(**given))
    deployed(pair, **given)
    up(pair, product(**given, check_interval="60s"))
    assert not any("not upgraded" in line for line in pair.progress)
    (before,), (after,) = product(**given), product(**given | {"media": "/mnt/sps2"})
    assert binding.load(after.kind).check(wire.encode(before.inputs), wire.encode(after.inputs)).failures == []
    run_sync(reconcile.apply(after.kind, pair.cluster(after.name), after.inputs, previous=before.inputs))
    assert sum("is not upgraded from /mnt/sps2" in line for line in pair.progress) == 2
    assert not any("/mnt/sps" in line for _, line in pair.said)
