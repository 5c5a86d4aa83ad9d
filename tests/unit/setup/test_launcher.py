"""The launcher's defaults, and that what the user has set wins over each."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from setup import launcher, places, stack


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".state").mkdir(parents=True)
    (folder / ".state" / "passphrase").write_text("secret")
    (folder / "Pulumi.yaml").write_text("name: squid-ha\nruntime: python\n")
    return folder


def environment(project: Path, user: dict[str, str] | None = None, *arguments: str) -> dict[str, str]:
    return launcher.environment(user or {}, project.parent / "home", project, project / "real", arguments)


def log_in(folder: Path, content: dict[str, object] | None = None) -> None:
    folder.mkdir(parents=True)
    (folder / "credentials.json").write_text(json.dumps(content or {"current": "s3://bucket"}))


def test_nothing_has_to_be_exported(project: Path) -> None:
    assert environment(project, {"PATH": "/usr/bin:/bin"}, "preview") == {
        "PULUMI_RUN_PROGRAM": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        "PULUMI_CONFIG_PASSPHRASE_FILE": f"{project}/.state/passphrase",
        "PULUMI_BACKEND_URL": f"file://{project}/.state",
        "PATH": f"{project}/.venv/bin:{project}/real:/usr/bin:/bin",
    }


@pytest.mark.parametrize("name", [*launcher.ALWAYS, "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"])
def test_what_the_user_set_wins(project: Path, name: str) -> None:
    assert environment(project, {name: "mine"})[name] == "mine"


def test_a_passphrase_in_a_variable_wins_even_if_empty(project: Path) -> None:
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(project, {"PULUMI_CONFIG_PASSPHRASE": ""})


def test_a_passphrase_file_that_is_missing_is_not_named(project: Path) -> None:
    (project / ".state" / "passphrase").unlink()
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(project)


def test_a_login_of_the_users_own_wins(project: Path) -> None:
    log_in(project.parent / "home" / ".pulumi")
    assert "PULUMI_BACKEND_URL" not in environment(project)


def test_credentials_that_are_encrypted_are_somebodys_own(project: Path) -> None:
    log_in(project.parent / "home" / ".pulumi", {"$pulumiSecureStore": 1, "backend": "keyring", "data": "x"})
    assert "PULUMI_BACKEND_URL" not in environment(project)


@pytest.mark.parametrize("variable", ["PULUMI_ACCESS_TOKEN", "PULUMI_API"])
def test_a_variable_for_pulumi_cloud_wins(project: Path, variable: str) -> None:
    assert "PULUMI_BACKEND_URL" not in environment(project, {variable: "mine"})


@pytest.mark.parametrize("variable", ["PULUMI_HOME", "PULUMI_CREDENTIALS_PATH"])
def test_a_login_kept_elsewhere_wins(project: Path, tmp_path: Path, variable: str) -> None:
    log_in(tmp_path / "elsewhere")
    assert "PULUMI_BACKEND_URL" not in environment(project, {variable: str(tmp_path / "elsewhere")})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"current": ""}', '{"current": null}'])
def test_credentials_that_say_nothing_change_nothing(project: Path, content: str) -> None:
    folder = project.parent / "home" / ".pulumi"
    folder.mkdir(parents=True)
    (folder / "credentials.json").write_text(content)
    assert environment(project)["PULUMI_BACKEND_URL"] == f"file://{project}/.state"


def test_a_backend_in_the_project_file_wins(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("name: squid-ha\nbackend:\n  url: s3://bucket\n")
    assert "PULUMI_BACKEND_URL" not in environment(project)


def test_a_backend_that_is_only_spoken_of_does_not_count(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("# backend: s3\nname: x\nconfig:\n  backend: {type: string}\n")
    assert "PULUMI_BACKEND_URL" in environment(project)


@pytest.mark.parametrize("command", ["login", "logout"])
def test_logging_in_is_the_users_own_choice(project: Path, command: str) -> None:
    assert "PULUMI_BACKEND_URL" not in environment(project, {}, command)


def test_our_folders_stand_once_and_first_on_path(project: Path) -> None:
    ours = f"{project}/.venv/bin"
    path = environment(project, {"PATH": f"/usr/bin:{ours}:/bin:{ours}"})["PATH"]
    assert path.split(":") == [ours, f"{project}/real", "/usr/bin", "/bin"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a space in its path, the launcher installed, and a Pulumi that prints what it was given."""
    project = tmp_path / "my project"
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".tools" / "pulumi").mkdir(parents=True)
    (project / "setup").mkdir()
    source = Path(launcher.__file__)
    (project / "setup" / "launcher.py").write_bytes(source.read_bytes())
    (project / ".venv" / "bin" / "python").symlink_to(places.VENV / "bin" / "python")
    real = project / ".tools" / "pulumi" / "pulumi"
    real.write_text('#!/bin/sh\nprintf "%s|" "$@" "$PULUMI_BACKEND_URL"\nexit 7\n')
    real.chmod(0o755)
    monkeypatch.setattr(places, "VENV", project / ".venv")
    stack.write_launcher()
    return project


def call(binary: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    command = [binary, "preview", "a b", "-s", "lab"]
    env["PULUMI_HOME"] = str(cwd)
    return subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("linked", [False, True])
def test_it_works_by_path_from_anywhere(installed: Path, tmp_path: Path, linked: bool) -> None:
    binary = installed / ".venv" / "bin" / "pulumi"
    if linked:
        (tmp_path / "link").symlink_to(binary)
        binary = tmp_path / "link"

    done = call(binary, tmp_path)

    assert done.stdout == f"preview|a b|-s|lab|file://{installed}/.state|", "arguments unharmed"
    assert done.returncode == 7, "Pulumi's exit code is the launcher's"
    assert (installed / ".state").is_dir(), "Pulumi does not make it"


def test_without_a_pulumi_it_says_what_to_do(installed: Path, tmp_path: Path) -> None:
    (installed / ".tools" / "pulumi" / "pulumi").unlink()

    done = call(installed / ".venv" / "bin" / "pulumi", tmp_path)

    assert (done.returncode, done.stderr) == (
        1,
        f"Pulumi is not set up in {installed}: run `make setup` there.\n",
    )
