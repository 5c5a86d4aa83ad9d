"""A cluster that does what it is told at once: recorded documents, in which commands change what they would."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial

from providers.connection.command import Command, Result
from providers.connection.fake import FakeNode
from tests.unit.pacemaker.tools import recorded

MODE = 'maintenance-mode="{}"'


@dataclass
class Acting:
    """The recorded tree, active on `qsp-b`."""

    cib: str = field(default_factory=lambda: recorded("cib-tree.xml"))
    mon: str = field(default_factory=lambda: recorded("crm_mon-tree.xml"))
    said: list[str] = field(default_factory=list[str])
    deaf: bool = False
    """Commands have no effect."""
    unit: str = "inactive"
    """The state of the unit that moves the service, on `unit_on`."""
    unit_on: str = "qsp-b"
    mirror: str = ""
    """What DRBD says on either node."""

    def nodes(self) -> list[FakeNode]:
        return [FakeNode(name, partial(self.answer_on, name)) for name in ("qsp-a", "qsp-b")]

    def answer_on(self, node: str, command: Command) -> Result | str:
        if "is-active" in " ".join(command.argv) and node != self.unit_on:
            return "inactive\n"
        return self.answer(command)

    def answer(self, command: Command) -> Result | str:
        line = " ".join(command.argv)
        if command.argv[0] == "cibadmin":
            return self.cib
        if command.argv[0] == "crm_mon":
            return self.mon
        if str(command).startswith("drbdsetup events2"):
            return self.mirror
        if "is-active" in line:
            return f"{self.unit}\n"
        if command.writes:
            self.said.append(str(command))
            if not self.deaf:
                self.change(command)
        return ""

    def change(self, command: Command) -> None:
        words = command.argv
        if words[0] == "crm_attribute":
            self.standby(words[words.index("--node") + 1], on="--update" in words)
        elif words[:2] == ("crm_resource", "--cleanup"):
            self.mon = re.sub("<failures>.*</failures>", "", self.mon, flags=re.DOTALL)
            self.mon = re.sub(' fail-count="[0-9]+"', "", self.mon)
        elif str(command).startswith("crm_verify"):
            assert command.stdin is not None
            self.cib = command.stdin[int(words[4]) :].decode()
            on = 'name="maintenance-mode" value="true"' in self.cib
            self.mon = re.sub(MODE.format("[a-z]+"), MODE.format(str(on).lower()), self.mon)
        elif str(command).startswith("systemctl stop squid-ha-switchover"):
            self.unit = "inactive"
        elif words[0] == "systemd-run":
            assert self.unit == "inactive", "systemd starts no unit that is there"
            self.move(words[words.index("sh", words.index("/bin/sh") + 1) + 2])

    def standby(self, node: str, *, on: bool) -> None:
        self.mon = re.sub(
            f'(<node name="{node}" id="[0-9]" online="[a-z]+") standby="[a-z]+"',
            rf'\1 standby="{str(on).lower()}"',
            self.mon,
        )
        mirror = '<node name="qsp-a" id="1" cached="true"/>'
        if node == "qsp-a":
            self.mon = self.mon.replace(
                f'role="{"Unpromoted" if on else "Stopped"}"', f'role="{"Stopped" if on else "Unpromoted"}"'
            )
            if on:
                self.mon = self.mon.replace(mirror, "")
            else:
                self.mon = re.sub('(role="Unpromoted"[^>]*>)\\s*(?=</resource>)', rf"\1{mirror}", self.mon)

    def move(self, to: str) -> None:
        """The service's two nodes change places."""
        other = {"qsp-a": "qsp-b", "qsp-b": "qsp-a"}[to]
        body = re.search("<resources>.*</resources>", self.mon, re.DOTALL)
        assert body is not None
        swapped = re.sub("qsp-[ab]", lambda found: to if found[0] == other else other, body[0])
        self.mon = self.mon.replace(body[0], swapped)


FAILURE = (
    '<failures><failure op_key="squid_monitor_10000" node="qsp-a" exitstatus="error" exitreason="gone" exitcode="1" '
    'call="6" status="complete" last-rc-change="2026-11-22 14:32:27Z" interval="10000" task="monitor"/></failures>'
)


def with_failure(acting: Acting) -> Acting:
    acting.mon = acting.mon.replace('  <status code="0"', f'{FAILURE}<status code="0"').replace(
        '<resource_history id="squid" orphan="false"', '<resource_history id="squid" orphan="false" fail-count="2"', 1
    )
    return acting
