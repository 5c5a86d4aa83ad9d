"""Wrong alerts, each refused at its setting; and right ones."""

import pytest

from declaration.alerts import EVENTS, told
from declaration.load import read
from declaration.rules.alerts import possible
from tests.unit.declaration.conftest import SITES, put, refused

ALERTS = {
    "mail": {"to": ["ops@example.org"], "sender": "squid-ha@example.org", "relay": {"host": "mail.example.org"}},
    "webhook": {"url": "https://chat.example.org/hooks/x"},
}

# what is set, to what, where it is refused, what the sentence says
WRONG = [
    ("mail", "ops@example.org", "alerts.mail", "a section"),
    ("mail.to", [], "alerts.mail.to", "at least 1"),
    ("mail.to", ["ops"], "alerts.mail.to[0]", "such as `ops@example.org`"),
    ("mail.to", ["ops@example.org", "ops@example.org"], "alerts.mail.to[1]", "each address once"),
    ("mail.to", ["-f@example.org"], "alerts.mail.to[0]", "such as `ops@example.org`"),
    ("mail.relay.user", "alerts", "alerts.mail.relay.password", "the password of `user`"),
    ("mail.relay.password", {"secret": "x"}, "alerts.mail.relay.user", "whose `password`"),
    ("mail.relay.password", {"secret": "x"}, "alerts.mail.relay.tls", "never goes over the network in the clear"),
    ("webhook.url", "ftp://chat.example.org/", "alerts.webhook.url", "such as `https://chat.example.org"),
    ("webhook.url", "https://chat.example.org:65536/", "alerts.webhook.url", "such as `https://chat.example.org"),
    ("webhook.url", "https://me:secret@chat.example.org/", "alerts.webhook.url", "without a login"),
    ("webhook.secret_url", {"secret": "x"}, "alerts.webhook.secret_url", "not both"),
    ("webhook", {}, "alerts.webhook.url", "an address, or a secret"),
    ("webhook", {"url": "http://chat.example.org/", "token": {"secret": "x"}}, "alerts.webhook.url", "with https"),
    ("events", ["switchover"], "alerts.events[0]", "`failover`"),
    ("events", ["failover", "failover"], "alerts.events[1]", "each event once"),
    ("mirror_full", 0, "alerts.mirror_full", "at least 1"),
    ("mirror_full", 100, "alerts.mirror_full", "at most 99"),
    ("pause", "500ms", "alerts.pause", "whole seconds, between 1s and 1h"),
    ("check_every", "1s", "alerts.check_every", "between 10s and 1h"),
    ("remind", "10m", "alerts.remind", "between 1h and 30d"),
]


@pytest.mark.parametrize(("setting", "value", "where", "sentence"), WRONG)
def test_a_wrong_alert_is_refused_where_it_is(site, setting, value, where, sentence):
    site["alerts"] = {name: dict(part) for name, part in ALERTS.items()}
    site["alerts"]["mail"]["relay"] = {"host": "mail.example.org"}
    put(site, f"alerts.{setting}", value)
    assert any(m.path == where and sentence in m.expected for m in refused(site)), refused(site)


def test_nobody_to_tell_is_refused(site):
    site["alerts"] = {}
    assert [(m.path, m.found) for m in refused(site)] == [("alerts", "nobody to tell")]


@pytest.mark.parametrize(
    ("phase", "event", "why"),
    [(1, "failover", "needs two nodes"), (2, "mirror_full", "needs a mirror"), (2, "split_brain", "needs a mirror")],
)
def test_an_event_that_the_site_cannot_have_is_refused(phase, event, why):
    raw = {**SITES[phase], "alerts": {**ALERTS, "events": [event]}}
    assert any(m.path == "alerts.events[0]" and why in m.expected for m in refused(raw))


def test_a_clock_that_is_not_looked_after_is_not_told_of():
    raw = {name: part for name, part in SITES[2].items() if name != "time"} | {
        "alerts": {**ALERTS, "events": ["clock"]}
    }
    assert any("`clock` needs the section `time`" in m.expected for m in refused(raw))


@pytest.mark.parametrize(("phase", "count"), [(1, 1), (2, 4), (3, len(EVENTS))])
def test_without_a_choice_everything_that_can_happen_is_told(phase, count):
    site = read({**SITES[phase], "alerts": ALERTS}, "x")
    assert site.alerts is not None
    assert len(told(site.alerts, possible(site))) == count
