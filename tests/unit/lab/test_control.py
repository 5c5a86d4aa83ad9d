"""Requests and answers over the control socket, and whether a lab runs at all."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab import control, supervisor, tree
from lab.accelerator import EMULATION, choose
from lab.addresses import NODES, address, mac, node_number
from lab.errors import LabError
from lab.host import Network
from lab.image import nodes
from lab.network import cable_name


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SQUID_HA_LAB_RUN", str(tmp_path))
    return tmp_path


async def dispatch(request: Mapping[str, Any]) -> Any:
    if request["do"] == "refuse":
        raise LabError("the lab has no host 'x'")
    if request["do"] == "break":
        raise ZeroDivisionError
    return dict(request)


def test_a_lab_that_another_user_has_started_is_named(run_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_words: object) -> None:
        raise PermissionError(13, "Permission denied")

    control.control_socket().touch()
    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(LabError, match=f"the lab in {run_directory} was started by .*; as that user"):
        control.is_up()


async def is_listening() -> None:
    async with asyncio.timeout(10):
        while True:
            if control.control_socket().exists():
                return
            await asyncio.sleep(0.001)


async def asked(directory: Path, do: str, **arguments: Any) -> Any:
    ended = asyncio.Event()
    serving = asyncio.create_task(supervisor.listen(directory, dispatch, (os.getuid(), os.getgid()), ended))
    await is_listening()
    try:
        return await asyncio.to_thread(control.call, do, **arguments)
    finally:
        ended.set()
        await serving


async def test_an_answer_comes_back_as_it_was_given(run_directory: Path) -> None:
    told = await asked(run_directory, "run", argv=["a", "ü"], big="x" * 200_000)
    assert told == {"do": "run", "argv": ["a", "ü"], "big": "x" * 200_000}


async def test_a_refusal_is_the_supervisors_sentence(run_directory: Path) -> None:
    with pytest.raises(LabError, match=r"^the lab has no host 'x'$"):
        await asked(run_directory, "refuse")


async def test_a_fault_of_the_supervisor_is_told_and_survived(
    run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LabError, match="ZeroDivisionError"):
        await asked(run_directory, "break")
    assert "ZeroDivisionError" in capsys.readouterr().err


async def test_the_socket_is_private(run_directory: Path) -> None:
    ended = asyncio.Event()
    serving = asyncio.create_task(supervisor.listen(run_directory, dispatch, (os.getuid(), os.getgid()), ended))
    await is_listening()
    assert control.control_socket().stat().st_mode & 0o777 == 0o600
    ended.set()
    await serving
    assert not control.control_socket().exists()


def test_without_a_lab_it_says_how_to_start_one(run_directory: Path) -> None:
    assert not control.is_up()
    assert tree.ended()
    assert tree.outermost() is None
    with pytest.raises(control.LabIsDown, match="make lab-up"):
        control.call("status")


def test_a_lock_that_is_held_is_a_lab_that_lives(run_directory: Path) -> None:
    with (run_directory / "lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not tree.ended()
        assert tree.outermost() == 4711
    assert tree.ended()


def test_a_path_too_long_for_a_socket_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUID_HA_LAB_RUN", str(tmp_path / ("x" * 120)))
    with pytest.raises(LabError, match="SQUID_HA_LAB_RUN"):
        tree.start(None)  # type: ignore[arg-type]  # refused before the image is looked at


def test_addresses_are_those_the_image_knows() -> None:
    for node in nodes.NODES:
        number = node_number(node.name)
        assert address(Network.PUBLIC, number) == node.public
        assert address(Network.REPLICATION, number) == node.replication
        assert mac(Network.PUBLIC, number) == node.public_mac
        assert mac(Network.REPLICATION, number) == node.replication_mac
    assert NODES == ("qsp-a", "qsp-b")


def test_a_host_name_too_long_for_an_interface_is_refused() -> None:
    assert cable_name("elevenchars", Network.PUBLIC) == "elevenchars-pub"
    with pytest.raises(LabError, match="11 characters"):
        cable_name("twelve-chars", Network.PUBLIC)


@pytest.mark.parametrize(("wanted", "accelerator"), [("kvm", "kvm"), ("tcg", EMULATION)])
async def test_the_accelerator_can_be_decided(
    wanted: str, accelerator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUID_HA_ACCEL", wanted)
    assert await choose(tmp_path, tmp_path) == accelerator
    monkeypatch.setenv("SQUID_HA_ACCEL", "xen")
    with pytest.raises(LabError, match="kvm or tcg"):
        await choose(tmp_path, tmp_path)
