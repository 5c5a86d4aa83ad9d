"""What operators do, on the real pair: aside and back, the log over a move, a node alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from operations.engines import engine_of
from operations.logs.follow import Follower, Source, follow
from operations.logs.place import mirror_log
from tests.cluster import lab_site
from tests.cluster.following import follow_over

if TYPE_CHECKING:
    from pathlib import Path

    from operations.site import Hosts
    from tests.cluster.conftest import Machines

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


def test_the_log_is_followed_across_a_move_record_by_record(deployed_pair: Machines) -> None:
    hosts, active = lab_site.ready()
    standby = lab_site.other(hosts, active)
    path = mirror_log(hosts.site)
    assert path is not None
    assert hosts.site.mirror is not None
    shown: list[bytes] = []
    cluster = hosts.cluster()
    follower = Follower(Source(cluster, path, hosts.site.mirror.mount_point), print)

    async def walk() -> None:
        await follower.last(0)
        task = asyncio.create_task(follow(follower, lambda lines, _node: shown.extend(lines)))
        runtime = engine_of(hosts.site).runtime
        for number, target in enumerate((standby, active)):
            await write(hosts, lab_site.other(hosts, target), path, number)
            await runtime.switchover(cluster, target)
        await write(hosts, active, path, 2)
        async with asyncio.timeout(300):
            while not any(b"number-2-99" in line for line in shown):  # noqa: ASYNC110 - another task fills it
                await asyncio.sleep(1)
        task.cancel()

    hosts.run(walk())
    mine = [line for line in shown if line.startswith(b"number-")]
    assert mine == [b"number-%d-%d" % (number, each) for number in range(3) for each in range(100)]


def test_the_command_shows_each_answered_request_once_over_a_switchover(
    deployed_pair: Machines, tmp_path: Path
) -> None:
    assert deployed_pair
    lab_site.ready()
    follow_over(switchover, tmp_path)


def switchover() -> None:
    """The planned move, by the command."""
    done = lab_site.squid_ha("switchover", "lab")
    assert done.returncode == 0, done.stderr


async def write(hosts: Hosts, node: str, path: str, number: int) -> None:
    """A hundred lines of our own among Squid's."""
    from providers.connection.command import script  # noqa: PLC0415 only here

    text = 'for each in $(seq 0 99); do echo "number-$2-$each"; done >>"$1"'
    await hosts.cluster().node(node).run(script(text, path, str(number)))


def test_a_node_aside_and_back_leaves_the_mirror_up_to_date(deployed_pair: Machines) -> None:
    hosts, active = lab_site.ready()
    done = lab_site.squid_ha("node", "aside", "lab", active)
    assert done.returncode == 0, done.stderr
    assert lab_site.active(hosts) == lab_site.other(hosts, active)
    assert lab_site.squid_ha("switchover", "lab").returncode == 5
    done = lab_site.squid_ha("node", "back", "lab", active)
    assert done.returncode == 0, done.stderr
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the mirror has caught up")
    assert status.tree.active == lab_site.other(hosts, active)


def test_one_node_starts_alone_after_both_lost_their_power(deployed_pair: Machines) -> None:
    hosts, active = lab_site.ready()
    for name in (lab_site.other(hosts, active), active):
        asyncio.run(deployed_pair.power_off(name))
    asyncio.run(deployed_pair.power_on(active))
    hosts = lab_site.until(lambda: _answers(active), f"{active} has booted")
    assert lab_site.squid_ha("start", "--alone", "lab", active).returncode == 5, "nobody was asked"
    done = lab_site.squid_ha("start", "--alone", "lab", active, "--peer-is-off")
    assert done.returncode == 0, done.stderr
    assert lab_site.active(hosts) == active
    asyncio.run(deployed_pair.power_on(lab_site.other(hosts, active)))
    status = lab_site.until(lambda: lab_site.healthy(hosts), "the other node has joined", limit=1500)
    assert status.tree.active == active


def _answers(node: str) -> Hosts | None:
    from providers.connection.command import command  # noqa: PLC0415 only here
    from providers.connection.errors import HostError  # noqa: PLC0415 only here

    hosts = lab_site.reach()
    try:
        hosts.run(hosts.cluster().node(node).run(command("true", reads=True)))
    except HostError:
        return None
    return hosts
