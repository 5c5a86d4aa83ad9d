"""The lab's stack file, wherever the project lies."""

from __future__ import annotations

import pytest

from declaration.load import read
from operations.stacks import render
from providers.connection.access import ConnectionSettings


@pytest.mark.parametrize("lab", ["/project/.lab", "/my own/proxy pair/.lab"])
def test_a_blank_in_the_projects_path_parts_no_word(lab: str) -> None:
    ssh = read(render("lab.yaml.j2", lab=lab), "lab").ssh
    settings = ConnectionSettings("qsp-a", "192.0.2.11", proxy_command=ssh.proxy_command or "")
    assert settings.proxy_argv() == ["socat", "-", f"UNIX-CONNECT:{lab}/run/qsp-a.ssh"]
    assert ssh.identity == f"{lab}/run/id_ed25519"
    assert ssh.known_hosts == f"{lab}/run/known_hosts"
