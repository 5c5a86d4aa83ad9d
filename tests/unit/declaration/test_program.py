"""The program with a wrong site: it ends with the mistakes, before it declares a resource or loads what connects."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operations import stacks
from tests.unit.declaration.conftest import SITES, put

pytestmark = pytest.mark.thorough

PROJECT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, json, runpy, sys
import pulumi
from ruamel.yaml import YAML
asyncio.set_event_loop(asyncio.new_event_loop())
declared, composed, warned, compose = [], [], [], YAML.compose
YAML.compose = lambda yaml, text: composed.append(text) or compose(yaml, text)
pulumi.log.warn = warned.append
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        declared.append(args.typ)
        return args.name, args.inputs
    def call(self, args): raise AssertionError(args.token)
pulumi.runtime.set_mocks(Mocks(), project="squid-ha", stack="of-the-tests")
pulumi.runtime.set_all_config({"squid-ha:site": sys.argv[1]})
said = ""
try:
    pulumi.runtime.test(lambda: runpy.run_path(sys.argv[2]) and None)()
except pulumi.RunError as error:
    said = str(error)
print(json.dumps({"said": said, "declared": declared, "connects": "asyncssh" in sys.modules,
                  "composed": composed, "warned": warned}))
"""


def told(raw, folder=PROJECT):
    """What the program says of a site in a folder."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(raw), str(PROJECT / "__main__.py")]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("virtual_ip", "192.0.2.11", "virtual_ip\n"),
        ("nodes[0].name", "$(reboot)", "nodes[0].name\n"),
        ("hooks", [{"name": "x", "when": "after-deploy", "where": "nowhere", "command": "id"}], "hooks[0].where\n"),
        ("ssh.connect_timeout", "15s", ""),
    ],
)
def test_a_wrong_site_ends_the_program_before_it_declares_anything(path, value, found):
    raw = copy.deepcopy(SITES[3])
    put(raw, path, value)
    program = told(raw)
    assert program["connects"] is False
    if found:
        assert found in program["said"]
        assert [kind for kind in program["declared"] if kind != "pulumi:pulumi:Stack"] == []
    else:
        assert (program["said"], "squid-ha:site:SquidSite" in program["declared"]) == ("", True)


def test_the_stack_file_is_read_as_yaml_once(tmp_path):
    text = stacks.render("site.yaml.j2", phase=3, stack="x") + "  squid-ha:sitte: {}\n"
    path = tmp_path / "stacks" / "Pulumi.of-the-tests.yaml"
    path.parent.mkdir()
    path.write_text(text)
    program = told(SITES[3], tmp_path)
    assert (program["said"], program["composed"]) == ("", [text])
    assert any(each.startswith("squid-ha:sitte: ") for each in program["warned"])
