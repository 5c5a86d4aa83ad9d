"""How fast this machine's time stamp counter runs, told to emulated guests, which would measure it wrongly.

Under emulation a guest's counter is this machine's. Linux calibrates it in its first moments against emulated timers,
and on a busy machine has come out at 927 MHz for 2596: the guest's clock then runs 2.8 times as fast for as long as it
lives, snapshots included. Given with ``tsc_early_khz=``, a calibration is taken only within 1 % of it.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from lab.paths import cache_directory

# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ_COUNTER = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_TOLERANCE = 0.005
_ROUNDS = 9
_ROUND_SECONDS = 0.02


def frequency_khz() -> int | None:
    """The counter's frequency, the same each time on one machine; None on processors other than x86-64.

    What is measured differs a little each time, and snapshots are keyed by it: so the first result is kept as long as
    it fits.
    """
    if platform.machine() != "x86_64":
        return None
    remembered = cache_directory("tsc") / _machine()
    now = measure_khz()
    before = int(remembered.read_text()) if remembered.exists() else 0
    if abs(now - before) <= now * _TOLERANCE:
        return before
    remembered.write_text(f"{now}\n")
    return now


def _machine() -> str:
    cpu = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    model = "".join(line for line in cpu.splitlines() if line.startswith("model name"))
    return hashlib.sha256(f"{platform.node()} {model}".encode()).hexdigest()[:16]


def measure_khz() -> int:
    """Count for a moment, several times; the median, because the process may lose the processor in between."""
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(_READ_COUNTER)
        buffer = ctypes.c_char.from_buffer(page)
        read_counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(buffer))
        rates = [_round(read_counter) for _ in range(_ROUNDS)]
        del read_counter, buffer
    return round(statistics.median(rates))


def _round(read_counter: Callable[[], int]) -> float:
    start, first = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW), read_counter()
    time.sleep(_ROUND_SECONDS)
    end, last = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW), read_counter()
    return (last - first) * 1e6 / (end - start)
