"""The proxy's users as a secret of the stack, by the real Pulumi: digests everywhere but on the node."""

from pathlib import Path

import pytest

from tests.support.phases import on_containers
from tests.support.stack import Stack
from tests.support.things import Site, site

pytestmark = pytest.mark.spare

USERS = "/etc/squid/squid-ha.users"
FIRST = "anna:$apr1$first-8d1c$RNLsTixqckTL7HJUmaL731"
SECOND = "anna:$apr1$second-8d1c$RNLsTixqckTL7HJUmaL731"


@pytest.fixture(scope="module")
def hosts(pair) -> Site:
    return site(pair)


@pytest.fixture(scope="module")
def stack(hosts, pair, tmp_path_factory) -> Stack:
    declared = on_containers(1, pair.directory)
    declared["squid"]["auth"] = {"basic": {"password_file": {"secret": "proxy-users"}}}
    return Stack("test-secrets", tmp_path_factory.mktemp("stack"), declared)


def state(stack: Stack) -> str:
    files = (path for path in Path(stack.directory, "state").rglob("*") if path.is_file())
    return "".join(path.read_text(errors="replace") for path in files)


def test_a_secret_that_is_not_set_is_named_at_the_preview(stack):
    run = stack.preview(check=False)
    assert run.code != 0
    assert "pulumi config set -s STACK --secret proxy-users" in run.output


def test_a_changed_secret_is_seen_at_the_preview_and_stands_in_clear_on_the_node_alone(stack, hosts):
    stack.pulumi("config", "set", "--secret", "proxy-users", stdin=FIRST, check=True)
    said = [stack.up().output, stack.preview("--expect-no-changes").output]
    assert hosts.sh("qsp-a", f"cat {USERS}; stat -c '%a %U:%G' {USERS}") == f"{FIRST}\n640 root:proxy\n"

    stack.pulumi("config", "set", "--secret", "proxy-users", stdin=SECOND, check=True)
    preview = stack.preview()
    assert "squid-ha.users" in preview.output
    assert "scrypt:" in preview.output
    said += [preview.output, stack.up("--diff").output]
    assert hosts.sh("qsp-a", f"cat {USERS}") == f"{SECOND}\n"

    hosts.sh("qsp-a", f"echo eve:x >>{USERS}")
    drift = stack.drift()
    assert "squid-ha.users" in drift.output
    said += [drift.output, stack.up("--refresh").output]
    assert hosts.sh("qsp-a", f"cat {USERS}") == f"{SECOND}\n"

    assert not any(marker in text for text in (*said, state(stack)) for marker in ("first-8d1c", "second-8d1c"))
    stack.destroy()
    assert hosts.sh("qsp-a", f"ls {USERS} 2>/dev/null || echo gone").strip() == "gone"
