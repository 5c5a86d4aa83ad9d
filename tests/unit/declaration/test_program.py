"""The program with a wrong site: it ends with the mistakes, before it declares a resource or loads what connects."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.declaration.conftest import SITES, put

pytestmark = pytest.mark.thorough

PROJECT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, json, runpy, sys
import pulumi
asyncio.set_event_loop(asyncio.new_event_loop())
declared = []
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        declared.append(args.typ)
        return args.name, args.inputs
    def call(self, args): raise AssertionError(args.token)
pulumi.runtime.set_mocks(Mocks(), project="squid-ha", stack="of-the-tests")
pulumi.runtime.set_all_config({"squid-ha:site": sys.argv[1]})
said = ""
try:
    pulumi.runtime.test(lambda: runpy.run_path("__main__.py") and None)()
except pulumi.RunError as error:
    said = str(error)
print(json.dumps({"said": said, "declared": declared, "connects": "asyncssh" in sys.modules}))
"""


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
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(raw)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["connects"] is False
    if found:
        assert found in told["said"]
        assert [kind for kind in told["declared"] if kind != "pulumi:pulumi:Stack"] == []
    else:
        assert (told["said"], "squid-ha:site:SquidSite" in told["declared"]) == ("", True)
