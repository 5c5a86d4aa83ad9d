"""Alerts as things: what is on the nodes with them, and that nothing is without."""

import copy
import subprocess
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blueprint import names
from blueprint.render import alerts as render
from blueprint.site import things
from declaration.load import read
from operations.alerts import Try, parse
from operations.alerts import render as shown
from providers import reconcile, wire
from tests.unit.declaration.conftest import SITES

OWNER = "squid-ha/lyon"
SECRETS = {"mail-password": "geheim", "alert-token": "auch geheim"}
ALERTS = {
    "mail": {
        "to": ["ops@example.org"],
        "sender": "squid-ha@example.org",
        "relay": {
            "host": "2001:db8::25",
            "port": 587,
            "tls": "starttls",
            "user": "alerts",
            "password": {"secret": "mail-password"},
        },
    },
    "webhook": {"url": "https://chat.example.org/hooks/x", "token": {"secret": "alert-token"}},
}


def made(phase: int, alerts: object = ALERTS, **other: object) -> dict[str, Any]:
    raw = {**copy.deepcopy(SITES[phase]), **({"alerts": alerts} if alerts else {}), **other}
    return {thing.name: thing for thing in things(read(raw, "x"), OWNER)}


def resource_file(phase_3) -> str:
    settings = phase_3["mirror"].inputs.nodes["proxy-a"].settings
    return settings.files["/etc/drbd.d/squid-ha.res"].content


def test_without_alerts_nothing_of_them_is_there():
    found = made(3, None)
    assert not {names.ALERTS, names.CLUSTER_ALERTS} & set(found)
    assert "curl" not in found["packages"].inputs.nodes["proxy-a"]
    assert "split-brain" not in resource_file(found)


def test_curl_is_there_only_for_what_needs_it():
    own = {"mail": {"to": ["ops@example.org"], "sender": "a@example.org"}}
    assert "curl" not in made(3, own)["packages"].inputs.nodes["proxy-a"]
    assert made(3)["packages"].inputs.nodes["proxy-a"]["curl"] == "installed"


def test_no_secret_is_in_the_inputs():
    thing = made(3)[names.ALERTS]
    sealed = reconcile.sealed(thing.kind, thing.inputs, SECRETS.get)
    text = str(wire.encode(sealed))
    assert "geheim" not in text
    files = sealed.nodes["proxy-b"].files
    assert {path: file.mode for path, file in files.items() if path.startswith("/etc/squid-ha/")} == dict.fromkeys(
        ("/etc/squid-ha/alerts.conf", "/etc/squid-ha/alerts.password", "/etc/squid-ha/alerts.token"), "0600"
    )


def test_a_relay_with_an_ipv6_address_is_one_that_curl_takes():
    text = made(3)[names.ALERTS].inputs.nodes["proxy-a"].files["/etc/squid-ha/alerts.conf"].content
    assert "mail_url='smtp://[2001:db8::25]:587'" in text


def test_the_mirror_comes_after_the_program_that_its_handler_runs():
    found = made(3)
    assert names.ALERTS in found["mirror"].after
    assert 'split-brain "/usr/lib/squid-ha/alert raise split_brain ' in resource_file(found)


def test_a_single_node_looks_at_its_clock_alone():
    found = made(1)
    assert names.CLUSTER_ALERTS not in found
    settings = found[names.ALERTS].inputs.nodes["proxy-a"]
    assert "events=clock" in settings.files["/etc/squid-ha/alerts.conf"].content
    assert "/usr/lib/squid-ha/pacemaker-alert" not in settings.files


def test_pacemaker_is_told_of_an_agent_only_for_its_own_events():
    assert names.CLUSTER_ALERTS in made(2)
    assert names.CLUSTER_ALERTS not in made(3, {**ALERTS, "events": ["mirror_full", "clock"]})


TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40)


@given(texts=st.tuples(TEXTS, TEXTS, TEXTS))
def test_any_text_reaches_the_program_as_it_is(texts):
    first, second, third = texts
    wanted = render.Configuration(
        site="x", stack=first, channels=(), events=(), pause=1, remind=2, mail_url=second, webhook_url=third
    )
    script = f'{render.configuration(wanted)}\nprintf \'%s\\0\' "$stack" "$mail_url" "$webhook_url"'
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:3] == [first, second, third]


def test_the_program_knows_every_setting_that_it_is_given():
    script = made(3)[names.ALERTS].inputs.nodes["proxy-a"].files["/usr/lib/squid-ha/alert"].content
    assert [each.name for each in fields(render.Configuration) if f"{each.name}=" not in script] == []


def test_what_a_node_says_of_a_test_is_read():
    found = parse("qsp-a", "mail delivered\nwebhook failed curl: (7) no route\nnoise\n")
    assert found == [
        Try(node="qsp-a", channel="mail", delivered=True),
        Try(node="qsp-a", channel="webhook", delivered=False, said="curl: (7) no route"),
    ]
    assert shown(found) == "qsp-a: mail: delivered\nqsp-a: webhook: not delivered: curl: (7) no route"
