"""A cluster that exists only in a file: Pacemaker's own scheduler says what it would do, and does it there.

`SimulatedCluster` answers the commands that members and options are made with; every transition that a change causes
is written down, so that a test can say what must never have happened. It can be cut off at any command that writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from lxml import etree

from providers.connection.cluster import Cluster
from providers.connection.command import Command, Result
from providers.connection.fake import FakeJournal, FakeJournals, FakeNode, fake_cluster
from tests.unit.pacemaker.tools import Tools, recorded

NODES = ("qsp-a", "qsp-b")
PROBE = "5d8f9c0e-0000-0000-0000-000000000000"
"""Who asked for a probe; a number of the cluster's own."""
_ACTION = re.compile(r"\* Resource action: (\S+)\s+(\S+) on (\S+)")
_FENCING = re.compile(r"\* Fencing (\S+)")


class CutError(Exception):
    """The connection broke."""


@dataclass
class Cut:
    """Break off at the ``position``-th writing command (from 0), before or after it takes effect."""

    position: int
    after: bool


@dataclass
class SimulatedCluster:
    """``actions`` are (resource, operation, node) in the order in which the scheduler carried them out."""

    tools: Tools
    file: Path
    actions: list[tuple[str, str, str]] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    journals: FakeJournals = field(default_factory=FakeJournals)
    applied: dict[str, object] = field(default_factory=dict)
    cut: Cut | None = None
    written: int = 0
    outside: dict[str, str] = field(default_factory=dict)
    """Resource → node where it runs already when the cluster first looks, started by somebody else."""
    reaching: str = "squid-ha-reachable"
    """What the agent of `reachability` sets on a node where it runs."""
    thorough: bool = False
    """Verify, diff and patch by the real tools, as the pushing script does, instead of putting the result in place."""
    seen: ClassVar[dict[str, str]] = {}
    settled: ClassVar[dict[str, tuple[str, str]]] = {}
    """Answers of crm_mon and crm_simulate by what they were asked about: many orders lead through the same states."""

    @classmethod
    def fresh(cls, tools: Tools, file: Path) -> SimulatedCluster:
        """Two nodes and nothing else."""
        document = etree.fromstring(recorded("cib-fresh.xml").encode())
        for number, score in (("1", "100"), ("2", "10")):
            # What the mirror's agent says about where it would rather be promoted: on the other node than the rest.
            attributes = document.find(f".//transient_attributes[@id='{number}']/instance_attributes")
            assert attributes is not None
            pair = {"id": f"status-{number}-master-mirror", "name": "master-mirror", "value": score}
            etree.SubElement(attributes, "nvpair", pair)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(etree.tostring(document))
        return cls(tools, file)

    def copy(self, file: Path) -> SimulatedCluster:
        """The same cluster once more, with a future of its own."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.file.read_bytes())
        journals = FakeJournals({key: FakeJournal(dict(each.values)) for key, each in self.journals.opened.items()})
        return SimulatedCluster(
            self.tools, file, journals=journals, applied=dict(self.applied), outside=dict(self.outside)
        )

    def cluster(self, thing: str) -> Cluster:
        nodes = [FakeNode(name, self.answer) for name in NODES]
        return fake_cluster(*nodes, thing=thing, journals=self.journals)

    def answer(self, command: Command) -> Result | str:
        if command.writes:
            return self._write(command)
        if command.argv[0] == "cibadmin":
            return self.file.read_text()
        if command.argv[0] == "crm_mon":
            text = self.file.read_text()
            if text not in self.seen:
                self.seen[text] = self.tools.run(*command.argv, env={"CIB_file": str(self.file)})
            return self.seen[text]
        assert command.argv[:2] == ("crm_resource", "--wait"), command
        return ""

    def _write(self, command: Command) -> str:
        mine = self.cut is not None and self.written == self.cut.position
        self.written += 1
        if mine and self.cut and not self.cut.after:
            raise CutError
        if "cibadmin --patch" in command.label:
            self._load(command)
        else:
            assert command.argv[:2] == ("crm_resource", "--cleanup"), command
        if mine:
            raise CutError
        return ""

    def _load(self, command: Command) -> None:
        assert command.stdin is not None
        size = int(command.argv[4])
        old, new = command.stdin[:size], command.stdin[size:]
        assert len(new) == int(command.argv[6])
        if self.thorough:
            self._patch(old, new, verify=command.argv[5] == "verify")
        else:
            document = etree.fromstring(self.file.read_bytes())
            there, wanted = document.find("configuration"), etree.fromstring(new).find("configuration")
            assert there is not None
            assert wanted is not None
            document.replace(there, wanted)
            self.file.write_bytes(etree.tostring(document))
        self.settle()

    def _patch(self, old: bytes, new: bytes, *, verify: bool) -> None:
        before, after, patch = (self.file.with_suffix(end) for end in (".old", ".new", ".patch"))
        before.write_bytes(old)
        after.write_bytes(new)
        if verify:
            told = self.tools.run("crm_verify", "-V", "--xml-file", str(after), ok=(0, 78), errors=True)
            assert "Errors found" not in told, told
        compare = ("crm_diff", "--original", str(before), "--new", str(after), "--no-version")
        patch.write_text(self.tools.run(*compare, ok=(1,)))
        self.tools.run("cibadmin", "--patch", "--xml-file", str(patch), env={"CIB_file": str(self.file)})

    def settle(self) -> None:
        self._look()
        text = self.file.read_text()
        if text not in self.settled:
            simulate = ("crm_simulate", "--simulate", "--xml-file", str(self.file), "--save-output", str(self.file))
            self.settled[text] = (self.tools.run(*simulate), self.file.read_text())
        told, after = self.settled[text]
        self.file.write_text(after)
        actions = [(name.partition(":")[0], what, node) for name, what, node in _ACTION.findall(told)]
        self.actions += actions
        self.fenced += _FENCING.findall(told)
        reached = [node for name, what, node in actions if (name, what) == ("reachability", "start")]
        if reached:
            self.set_attribute(self.reaching, dict.fromkeys(reached, "1"))

    def _look(self) -> None:
        """The first look at a new resource (a probe) finds it running where somebody else has started it."""
        document = etree.fromstring(self.file.read_bytes())
        for name, node in list(self.outside.items()):
            primitive = document.find(f"configuration/resources/primitive[@id='{name}']")
            if primitive is None:
                continue
            history = document.find(f"status/node_state[@uname='{node}']/lrm/lrm_resources")
            assert history is not None
            digest = self._digest(name)
            resource = etree.SubElement(history, "lrm_resource", id=name)
            for key in ("class", "provider", "type"):
                resource.set(key, primitive.get(key, ""))
            attributes = {
                "operation_key": f"{name}_monitor_0", "operation": "monitor", "interval": "0", "call-id": "99",
                "transition-key": f"9:0:7:{PROBE}", "transition-magic": f"0:0;9:0:7:{PROBE}", "on_node": node,
                "rc-code": "0", "op-status": "0", "op-digest": digest, "crm_feature_set": "3.16.1",
            }  # fmt: skip
            operation = etree.SubElement(resource, "lrm_rsc_op", id=f"{name}_last_0")
            for key, value in attributes.items():
                operation.set(key, value)
            del self.outside[name]
            self.file.write_bytes(etree.tostring(document))

    def _digest(self, name: str) -> str:
        """How the cluster writes down which parameters an operation was run with; the same for every operation."""
        scratch = self.file.with_suffix(".digest")
        self.tools.run("crm_simulate", "--simulate", "--xml-file", str(self.file), "--save-output", str(scratch))
        operation = etree.parse(scratch).find(f".//lrm_rsc_op[@id='{name}_last_0']")
        assert operation is not None
        return str(operation.get("op-digest", ""))

    def set_attribute(self, name: str, values: Mapping[str, str | None]) -> None:
        """What an agent says of a node, node → value; None takes it away. The cluster then does what follows."""
        document = etree.fromstring(self.file.read_bytes())
        for node, value in values.items():
            number = str(1 + NODES.index(node))
            pairs = document.find(f".//transient_attributes[@id='{number}']/instance_attributes")
            assert pairs is not None
            for pair in pairs.findall(f"nvpair[@name='{name}']"):
                pairs.remove(pair)
            if value is not None:
                etree.SubElement(pairs, "nvpair", id=f"status-{number}-{name}", name=name, value=value)
        self.file.write_bytes(etree.tostring(document))
        self.settle()

    def stops(self) -> list[tuple[str, str, str]]:
        """Whatever was taken from somebody who used it."""
        return [action for action in self.actions if action[1] in {"stop", "demote", "migrate_to"}]
