"""The stand-in's mirror on real kernels: md over nbd, on the blank disks of the pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.lifekeeper_lines import DEVICE, MOUNT, PATHS, A, B, install, ok, run, until

if TYPE_CHECKING:
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


async def test_the_data_goes_with_the_service_and_survives_a_lost_node(bare: Machines) -> None:
    await install(bare)

    create = f"lkcli resource create dk --tag datarep --mode synchronous --device {DEVICE} --fstype ext3"
    await ok(bare, A, f"{create} --mount_point {MOUNT} --fstag {MOUNT} --hierarchy new", 900)
    await bare.sudo(A, f"echo before > {MOUNT}/first; sync")
    refused = await run(bare, A, f"ins_setas -t {MOUNT} -s AUTOMATIC")
    assert refused.code == 5
    extend = f"lkcli resource extend dk --tag datarep --dest {B} --mode synchronous --laddr {PATHS[1][0]}"
    await ok(
        bare, A, f"{extend} --raddr {PATHS[1][1]} --fstag {MOUNT} --switchback intelligent --target_priority 10", 900
    )
    await until(lambda: synchronised(bare, A), 1800)
    await bare.sudo(A, f"echo after > {MOUNT}/second; sync")

    # A switchover takes every byte along.
    await ok(bare, B, f"perform_action -t {MOUNT} -a restore", 300)
    assert await bare.sudo(B, f"cat {MOUNT}/first {MOUNT}/second") == "before\nafter\n"
    assert (await bare.run(A, f"mountpoint -q {MOUNT}")).code != 0
    await until(lambda: synchronised(bare, B), 300)

    # The source is lost: the other one has the data, and goes on alone.
    await bare.sudo(B, f"echo last > {MOUNT}/third; sync")
    await bare.power_off(B)
    await until(lambda: mounted(bare, A), 300)
    assert await bare.sudo(A, f"cat {MOUNT}/third") == "last\n"
    await bare.sudo(A, f"echo alone > {MOUNT}/fourth; sync")

    # It comes back as the target, and only what has changed follows.
    await bare.power_on(B)
    await until(lambda: synchronised(bare, A), 600)
    await ok(bare, B, f"perform_action -t {MOUNT} -a restore", 300)
    assert await bare.sudo(B, f"cat {MOUNT}/fourth") == "alone\n"

    # What the target has taken is on its disk, also where its power goes at once.
    await until(lambda: synchronised(bare, B), 600)
    await bare.sudo(B, f"echo held > {MOUNT}/fifth; sync")
    await bare.power_off(A)
    await bare.sudo(B, f"echo without > {MOUNT}/sixth; sync")
    await until(lambda: alone(bare, B), 300)
    await bare.power_on(A)
    await until(lambda: synchronised(bare, B), 600)
    await ok(bare, A, f"perform_action -t {MOUNT} -a restore", 300)
    assert await bare.sudo(A, f"cat {MOUNT}/fifth {MOUNT}/sixth") == "held\nwithout\n"
    await until(lambda: synchronised(bare, A), 600)
    await ok(bare, B, f"perform_action -t {MOUNT} -a restore", 300)

    # A deletion leaves the filesystem where it is.
    await ok(bare, B, f"perform_action -t {MOUNT} -a remove", 300)
    await ok(bare, B, f"lkcli resource delete --tag {MOUNT}", 300)
    await bare.sudo(B, f"mount -t ext3 {DEVICE} {MOUNT}")
    assert await bare.sudo(B, f"cat {MOUNT}/fourth") == "alone\n"


async def synchronised(pair: Machines, name: str) -> bool:
    return "[2/2]" in (await pair.run(name, "cat /proc/mdstat")).out


async def alone(pair: Machines, name: str) -> bool:
    return "[2/1]" in (await pair.run(name, "cat /proc/mdstat")).out


async def mounted(pair: Machines, name: str) -> bool:
    return (await pair.run(name, f"mountpoint -q {MOUNT}")).code == 0
