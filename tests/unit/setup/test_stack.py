"""What Pulumi needs once: made once, and then left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setup import places, stack


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, path in {"PROJECT": "", "VENV": ".venv", "STATE": ".state"}.items():
        monkeypatch.setattr(places, name, tmp_path / path)
    (tmp_path / "stacks" / "templates").mkdir(parents=True)
    (tmp_path / "stacks" / "templates" / "lab.yaml.j2").touch()
    return tmp_path


def test_the_passphrase_is_private_and_made_once(project: Path) -> None:
    assert stack.write_passphrase()
    first = (project / ".state" / "passphrase").read_text()
    assert (project / ".state" / "passphrase").stat().st_mode & 0o777 == 0o600
    assert len(first) >= 32
    assert not stack.write_passphrase()
    assert (project / ".state" / "passphrase").read_text() == first


def test_a_new_template_or_a_stack_that_pulumi_lost_is_seen(project: Path) -> None:
    file = project / "stacks" / "Pulumi.lab.yaml"
    known = project / ".state" / ".pulumi" / "stacks" / "squid-ha" / "lab.json"
    assert not stack.lab_is_ready(own_backend=False)
    file.touch()
    assert not stack.lab_is_ready(own_backend=False)
    assert stack.lab_is_ready(own_backend=True)
    known.parent.mkdir(parents=True)
    known.touch()
    assert stack.lab_is_ready(own_backend=False)
    os.utime(file, (1, 1))
    assert not stack.lab_is_ready(own_backend=False)
