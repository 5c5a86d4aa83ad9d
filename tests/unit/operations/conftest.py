from __future__ import annotations

from pathlib import Path

import pytest

from declaration.site import Site
from operations.project import project_root
from tests.support.sites import lab_site


@pytest.fixture
def site() -> Site:
    """The lab's site."""
    return lab_site()


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project without a stack, which is where commands run."""
    templates = project_root() / "stacks" / "templates"
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "templates").symlink_to(templates)
    (tmp_path / "Pulumi.yaml").write_text("name: squid-ha\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path
