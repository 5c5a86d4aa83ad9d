import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.connection.shell import LOOP, Request, Shell, encode

pytestmark = pytest.mark.thorough

_SAY = 'printf "$1"; printf "$2" >&2; exit "$3"'


@asynccontextmanager
async def local():
    """The loop in a shell of this machine."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("sh", "-c", LOOP, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield Shell(process.stdin, process.stdout, process.stderr)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)
        # Background processes of a test may hold its pipes; asyncio closes its own ends only so.
        getattr(process, "_transport").close()  # noqa: B009


def answers(*requests: Request):
    async def run():
        async with local() as shell:
            return await shell.run(*requests)

    return asyncio.run(run())


def octal(data: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in data)


said = st.tuples(st.binary(max_size=60), st.binary(max_size=60), st.integers(0, 123))
readers = st.sampled_from([["cat"], ["true"], ["head", "-c", "3"]])


@settings(max_examples=40, deadline=None)
@given(st.lists(said, max_size=4))
def test_whatever_commands_say_comes_back_apart(words):
    found = answers(*(Request(["sh", "-c", _SAY, "sh", octal(out), octal(err), str(code)]) for out, err, code in words))
    assert [(each.stdout, each.stderr, each.exit_code) for each in found] == words


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([["cat"], ["true"], ["head", "-c", "3"]]), st.binary(max_size=300)), max_size=4)
)
def test_input_is_a_commands_own_whether_it_reads_it_or_not(words):
    found = answers(*(Request(argv, data) for argv, data in words))
    expected = {"cat": lambda data: data, "true": lambda data: b"", "head": lambda data: data[:3]}
    assert [each.stdout for each in found] == [expected[argv[0]](data) for argv, data in words]


def test_requests_of_one_moment_are_one_write():
    writes: list[bytes] = []

    class Counting:
        def write(self, data: bytes) -> None:
            writes.append(data)

        def write_eof(self) -> None:
            raise AssertionError

    class Ended:
        async def read(self, n: int = -1) -> bytes:
            return b""

    with pytest.raises(ConnectionError):
        asyncio.run(Shell(Counting(), Ended(), Ended()).run(*[Request(["true"])] * 24))
    assert len(writes) == 1
    assert writes[0].count(b"true") == 24


def test_large_input_that_nobody_reads_and_large_output_do_not_stop_it():
    found = answers(Request(["true"], b"x" * 3_000_000), Request(["cat"], b"y" * 3_000_000), Request(["echo", "next"]))
    assert [len(each.stdout) for each in found] == [0, 3_000_000, 5]


def test_a_command_takes_no_input_and_later_ones_run_after_a_failure():
    found = answers(Request(["cat"]), Request(["false"]), Request(["no-such-program"]), Request(["echo", "x"]))
    assert [each.exit_code for each in found] == [0, 1, 127, 0]


def test_arguments_are_passed_as_they_are():
    words = ["a b", "$HOME", "'", '"', "\n", "*", "-n", "", "#", "é"]
    assert answers(Request(["printf", "%s|", *words]))[0].stdout.decode() == "".join(f"{word}|" for word in words)


def test_no_command_changes_what_the_next_one_finds():
    found = answers(
        Request(["sh", "-c", "cd /tmp; exit 3"]), Request(["pwd"]), Request(["sh", "-c", 'echo "$mark$text"'])
    )
    assert [each.stdout for each in found] == [b"", b"/\n", b"\n"]


def test_a_process_that_stays_in_the_background_holds_nothing_up():
    found = answers(Request(["sh", "-c", "sleep 1 & echo started"]), Request(["echo", "next"]))
    assert [each.stdout for each in found] == [b"started\n", b"next\n"]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_request_that_arrives_cut_short_is_not_run(data):
    whole = encode("0123abcd", Request(["touch", "/tmp/squid-ha-was-run"]))
    cut = data.draw(st.integers(0, len(whole) - 1))

    async def run():
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("sh", "-xc", LOOP, stdin=pipe, stdout=pipe, stderr=pipe)
        return await process.communicate(whole[:cut])

    out, err = asyncio.run(run())
    assert b"exec touch" not in err, "a part of a request was run"
    assert out == b""


def test_a_shell_that_ends_is_noticed():
    async def run():
        async with local() as shell:
            await shell.run(Request(["sh", "-c", "echo last words >&2; kill -9 $PPID"]))

    with pytest.raises(ConnectionError, match="ended"):
        asyncio.run(run())
