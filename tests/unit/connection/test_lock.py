import asyncio
import itertools

import pytest

from providers.connection.command import command
from providers.connection.errors import Locked, Unreachable
from providers.connection.lock import ClusterLock, NodeLock
from providers.connection.ssh import SshNode
from tests.unit.connection.sshd import running

# asyncssh's server side leaves coroutines of connections that are cut behind.
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


class Site:
    """Two nodes served by two SSH servers; each run has connections and locks of its own."""

    def __init__(self, servers, folder):
        self.servers = servers
        self.folder = folder
        self.progress = []
        self.opened = []

    def run(self, *, limit=0.0, silence=60.0):
        locks = []
        for name, server in self.servers.items():
            node = SshNode(server.settings(name=name))
            self.opened.append(node)
            locks.append(NodeLock(node, "lab", directory=str(self.folder / name), silence=silence))
        return ClusterLock(locks, self.progress.append, limit=limit)


@pytest.fixture
async def site(tmp_path):
    for name in ("ssh-a", "ssh-b"):
        (tmp_path / name).mkdir()
    async with running(tmp_path / "ssh-a") as first, running(tmp_path / "ssh-b") as second:
        site = Site({"qsp-a": first, "qsp-b": second}, tmp_path)
        yield site
        for node in site.opened:
            await node.close()


async def eventually(condition):
    deadline = asyncio.get_running_loop().time() + 10
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def test_one_writer_who_is_named_to_the_other(site):
    first, second = site.run(), site.run()
    await first.hold()
    await first.hold()
    with pytest.raises(Locked, match=r"qsp-a: another run is changing this cluster: .*@.*, process \d+, since 20"):
        await second.hold()
    await first.release()
    await second.hold()
    await second.release()


async def test_the_other_is_waited_for_and_the_one_who_waits_is_told(site):
    first, second = site.run(), site.run(limit=30)
    await first.hold()
    waiting = asyncio.create_task(second.hold())
    await eventually(lambda: site.progress)
    await first.release()
    await waiting
    assert len(site.progress) == 1
    await second.release()


async def test_who_finds_the_second_node_taken_keeps_nothing_of_the_first(site):
    first, second = site.run(), site.run()
    await first._locks[1].take()
    with pytest.raises(Locked, match="qsp-b"):
        await second.hold()
    assert not any(lock.held for lock in second._locks)
    assert await first._locks[0].take() == ""
    await first.release()


async def test_a_connection_that_breaks_frees_the_lock(site):
    first, second = site.run(), site.run(limit=10)
    await first.hold()
    for server in site.servers.values():
        server.connections[0].abort()
    await second.hold()
    await eventually(lambda: not any(lock.held for lock in first._locks))
    await second.release()


def cut(site):
    """Every connection that is open now."""
    for server in site.servers.values():
        for connection in server.connections:
            connection.abort()


def write(lock, number=0):
    return lock._locks[number].node.run(command("echo", "written"))


async def lose(site, lock):
    """Every connection that is open now, and that is noticed."""
    cut(site)
    await eventually(lambda: not any(each.held for each in lock._locks))


async def test_nothing_is_written_once_another_run_has_the_lock(site):
    first, second = site.run(), site.run(limit=10)
    await first.hold()
    assert (await write(first)).stdout == "written\n"
    cut(site)
    await second.hold()
    assert (await first._locks[0].node.run(command("echo", "read", reads=True))).stdout == "read\n"
    with pytest.raises(Locked, match="qsp-a: another run is changing this cluster"):
        await write(first)
    await second.release()


async def test_a_lock_that_was_lost_is_taken_again_before_anything_is_written(site):
    first, second = site.run(limit=10), site.run()
    await first.hold()
    await lose(site, first)
    assert (await write(first)).stdout == "written\n"
    with pytest.raises(Locked):
        await second.hold()
    await first.release()


async def test_who_was_overtaken_meanwhile_writes_no_more(site, numbered):
    first, second = site.run(limit=10), site.run(limit=10)
    await first.hold()
    await lose(site, first)
    await second.hold()
    await second.release()
    for _ in range(2):
        with pytest.raises(Locked, match=r"qsp-a: the connection .* another run has had the lock since: somebody"):
            await write(first, 1)
    assert not any(lock.held for lock in first._locks)
    await first.release()
    await first.hold()
    await first.release()


async def lose_one(site, lock, number):
    """The connection to one node, and that is noticed."""
    server = list(site.servers.values())[number]
    for connection in server.connections:
        connection.abort()
    await eventually(lambda: not lock._locks[number].held)


@pytest.fixture
def numbered(monkeypatch):
    """Who holds a lock is told apart in one process too."""
    numbers = itertools.count()
    monkeypatch.setattr("providers.connection.lock.who_am_i", lambda: f"somebody, process {next(numbers)}")


async def test_a_node_is_not_written_to_before_its_own_lock_is_taken_again(site):
    first = site.run()
    await first.hold()
    await lose_one(site, first, 1)
    assert (await write(first, 0)).stdout == "written\n"
    assert [lock.held for lock in first._locks] == [True, False], "the other node's lock is not asked for"
    assert (await write(first, 1)).stdout == "written\n"
    assert [lock.held for lock in first._locks] == [True, True]
    await first.release()


async def test_who_reaches_only_the_node_whose_lock_was_lost_is_not_written_over(site):
    first, aside = site.run(), site.run(limit=10)
    await first.hold()
    await lose_one(site, first, 1)
    assert await aside._locks[1].take() == ""
    with pytest.raises(Locked, match="qsp-b: another run is changing this cluster"):
        await write(first, 1)
    assert (await write(first, 0)).stdout == "written\n"
    await aside.release()


async def test_who_has_had_one_nodes_lock_meanwhile_ends_this_run_on_every_node(site, numbered):
    first, aside = site.run(), site.run()
    await first.hold()
    await lose_one(site, first, 1)
    assert await aside._locks[1].take() == ""
    await aside.release()
    for number in (1, 0, 1):
        with pytest.raises(Locked, match=r"qsp-b: the connection .* another run has had the lock since: somebody"):
            await write(first, number)
    await first.release()


async def test_who_only_waits_is_no_successor(site, numbered):
    """The first node's lock is free for the moment, and is given back when the second one's is found taken."""
    first, waiting = site.run(limit=10), site.run()
    await first.hold()
    await lose_one(site, first, 0)
    with pytest.raises(Locked, match="qsp-b"):
        await waiting.hold()
    assert (await write(first)).stdout == "written\n"
    assert [lock.held for lock in first._locks] == [True, True]
    await lose(site, first)
    assert (await write(first)).stdout == "written\n", "what it has given back itself is no successor either"
    await first.release()


async def test_who_has_had_a_lock_between_two_holdings_is_no_successor(site, numbered):
    first, between = site.run(), site.run()
    await first.hold()
    await first.release()
    await between.hold()
    await between.release()
    server = site.servers["qsp-b"]
    await server.stop()
    await eventually(lambda: not first._locks[1].held)
    await first.hold(without_lost=True)
    await server.start()
    assert (await write(first, 1)).stdout == "written\n"
    await first.release()


async def test_a_node_whose_lock_cannot_be_taken_again_is_not_written_to(site, monkeypatch):
    first = site.run()
    await first.hold()
    await lose_one(site, first, 1)

    async def broken():
        raise Unreachable("the connection broke", node="qsp-b")

    monkeypatch.setattr(first._locks[1], "take", broken)
    with pytest.raises(Unreachable, match=r"qsp-b: its lock was lost .* so nothing was written here"):
        await write(first, 1)
    assert (await write(first, 0)).stdout == "written\n"
    await first.release()


async def test_who_never_held_the_lock_is_not_kept_from_writing(site):
    first, second = site.run(), site.run()
    await first.hold()
    assert (await write(second)).stdout == "written\n"
    await first.release()


async def test_a_holder_who_falls_silent_loses_the_lock(site):
    first, second = site.run(silence=1.0), site.run(limit=15)
    await first.hold()
    for lock in first._locks:
        lock._beat.cancel()
    await second.hold()
    await second.release()


async def test_heartbeats_keep_the_lock(site):
    first, second = site.run(silence=0.6), site.run(limit=2)
    await first.hold()
    with pytest.raises(Locked):
        await second.hold()
    await first.release()


async def test_a_node_that_reboots_during_the_run(site):
    lock = site.run()
    await lock.hold()
    server = site.servers["qsp-a"]
    await server.stop()
    await eventually(lambda: not lock._locks[0].held)
    await lock.hold()
    assert [each.held for each in lock._locks] == [False, True]
    await server.start()
    await lock.hold()
    assert [each.held for each in lock._locks] == [True, True]
    await lock.release()


async def test_a_node_that_is_gone_does_not_hide_who_holds_the_other(site):
    first, second = site.run(), site.run()
    await first._locks[1].take()
    await site.servers["qsp-a"].stop()
    with pytest.raises(Locked, match="qsp-b"):
        await second.hold()
    await first.release()
    await site.servers["qsp-a"].start()


async def test_a_node_that_is_gone_from_the_start_is_not_tolerated(site):
    await site.servers["qsp-b"].stop()
    lock = site.run()
    with pytest.raises(Unreachable):
        await lock.hold()
    assert not lock._locks[0].held
    await site.servers["qsp-b"].start()


async def test_what_is_done_about_a_lost_node_is_done_by_one_at_a_time(site):
    await site.servers["qsp-b"].stop()
    first, second = site.run(), site.run(limit=1)
    await first.hold(without_lost=True)
    assert [each.held for each in first._locks] == [True, False]
    with pytest.raises(Locked, match="qsp-a"):
        await second.hold(without_lost=True)
    await first.release()
    await site.servers["qsp-a"].stop()
    with pytest.raises(Unreachable):
        await second.hold(without_lost=True)
    for server in site.servers.values():
        await server.start()
