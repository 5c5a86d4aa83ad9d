"""Wrong hooks, each refused at its setting; and right ones."""

import pytest

from declaration.hooks import Hook
from declaration.load import read
from declaration.types import Secret
from tests.unit.declaration.conftest import put, refused

HOOK = {"name": "tell", "when": "after-deploy", "where": "proxy-a", "command": "true"}

# what is set in the first hook, to what, what the sentence says
SETTINGS = [
    ("name", "Tell", "small letters"),
    ("name", "tell me", "small letters"),
    ("name", "-tell", "small letters"),
    ("name", "a" * 41, "small letters"),
    ("name", 1, "in quotes"),
    ("when", "after deploy", "perhaps `after-deploy`"),
    ("when", True, "`after-deploy` or `before-destroy`"),
    ("where", "proxy-c", "proxy-a, proxy-b"),
    ("where", "standby", "`active`, `local`"),
    ("where", "all", "`active`, `local`"),
    ("where", "a;id", "`active`, `local`"),
    ("where", None, "nothing is written"),
    ("where", ["proxy-a"], "`active`, `local`"),
    ("command", "", "text on a single line"),
    ("command", "true\nid", "without line breaks"),
    ("command", ["true"], "text on a single line"),
    ("command", 1, "in quotes"),
    ("sudo", "yes", "`true` or `false`"),
    ("sudo", 1, "`true` or `false`"),
    ("triggers", "v1", "a list"),
    ("triggers[0]", 1.10, "in quotes"),
    ("triggers[0]", "a\x00", "without line breaks"),
    ("environment", ["A=b"], "a section of variables"),
    ("environment", "A=b", "a section of variables"),
    ("environment", {"A-B": "x"}, "such as `GREETING`"),
    ("environment", {"A=B": "x"}, "such as `GREETING`"),
    ("environment", {"A;id": "x"}, "such as `GREETING`"),
    ("environment", {"1": "x"}, "such as `GREETING`"),
    ("environment", {"": "x"}, "such as `GREETING`"),
    ("environment", {1: "x"}, "such as `GREETING`"),
    ("environment.A", 1, "in quotes"),
    ("environment.A", None, "nothing is written"),
    ("environment.A", True, "in quotes"),
    ("environment.A", "a\nb", "without line breaks"),
    ("environment.A", {"secret": "a b"}, "pulumi config set --secret"),
    ("environment.A", {"secret": 1}, "pulumi config set --secret"),
    ("environment.A", {"secret": "a", "x": 1}, "pulumi config set --secret"),
    ("environment.A", {"secure": "AAAB"}, "{secret: NAME}"),
    ("environment.A", ["x"], "text in quotes, or"),
    ("timeout", "10", "with its unit"),
    ("timeout", "0s", "at least `1s`"),
    ("timeout", "1500ms", "whole seconds"),
    ("on", "proxy-a", "no such setting"),
    ("comand", "true", "perhaps `command`"),
    ("env", {}, "no such setting"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), SETTINGS)
def test_a_wrong_hook_is_refused(site, path: str, value: object, sentence: str):
    site["hooks"] = [{**HOOK, "triggers": ["v1"], "environment": {"A": "b"}}]
    put(site, f"hooks[0].{path}", value)
    mistakes = refused(site)
    assert any(m.path.startswith(f"hooks[0].{path}") and sentence in m.expected for m in mistakes), [
        m.render() for m in mistakes
    ]


# hooks, other settings, the path at fault, what the sentence says
TOGETHER = [
    ([HOOK, {**HOOK, "where": "local"}], {}, "hooks[1].name", "differs from that of hooks[0]"),
    ([{**HOOK, "when": "before-destroy", "triggers": ["v1"]}], {}, "hooks[0].triggers", "runs only once"),
    ([{**HOOK, "triggers": ["a", "a"]}], {}, "hooks[0].triggers[1]", "each entry once"),
    ([{**HOOK, "where": "local", "sudo": True}], {}, "hooks[0].sudo", "local command"),
    ([HOOK], {"ssh.proxy_command": "socat - x"}, "hooks[0].where", "`ssh.proxy_jump` instead"),
    ([{**HOOK, "where": "active"}], {"ssh.proxy_command": "socat - x"}, "hooks[0].where", "(`ssh ...`)"),
    ([{"name": "tell"}], {}, "hooks[0].when", "required"),
    ([{"name": "tell"}], {}, "hooks[0].where", "required"),
    ([{"name": "tell"}], {}, "hooks[0].command", "required"),
    (["true"], {}, "hooks[0]", "a section with `name`, `when`"),
    ({"tell": HOOK}, {}, "hooks", "a list"),
    ("true", {}, "hooks", "a list"),
]


@pytest.mark.parametrize(("hooks", "others", "path", "sentence"), TOGETHER)
def test_hooks_that_do_not_fit_are_refused(site, hooks, others, path, sentence):
    site["hooks"] = hooks
    for setting, value in others.items():
        put(site, setting, value)
    mistakes = refused(site)
    assert any(m.path == path and sentence in m.expected for m in mistakes), [m.render() for m in mistakes]


def test_a_single_node_has_no_active_one(site):
    for part in ("virtual_ip", "mirror", "rotation", "pacemaker"):
        del site[part]
    del site["nodes"][1]
    site["hooks"] = [{**HOOK, "where": "active"}]
    (mistake,) = refused(site)
    assert (mistake.path, "`proxy-a` or `local`" in mistake.expected) == ("hooks[0].where", True)


def test_a_secret_is_named_not_held(site):
    site["hooks"] = [{**HOOK, "environment": {"A": "b", "TOKEN": {"secret": "hook-token"}}}]
    (hook,) = read(site, "x").hooks
    assert hook.environment == {"A": "b", "TOKEN": Secret(secret="hook-token")}
    assert hook.secrets() == {"TOKEN": "hook-token"}
    assert Hook.model_validate(hook.model_dump(mode="json")) == hook


def test_local_hooks_go_with_any_way_to_the_nodes(site):
    site["ssh"]["proxy_command"] = "socat - x"
    site["hooks"] = [{**HOOK, "where": "local"}]
    assert len(read(site, "x").hooks) == 1
