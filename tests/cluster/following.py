"""`squid-ha logs -f`, by the command, while clients ask and the service moves."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from lab import load
from lab.paths import PROJECT
from tests.cluster import lab_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN, EACH = "followed", 20


def follow_over(move: Callable[[], None], folder: Path) -> None:
    """Fails where an answered request is shown not at all, or any twice; before, during and after ``move``."""
    shown, said = folder / "shown", folder / "said"
    # A record to begin with: once it is shown, all that come after it have to be.
    answered(load.start("before", rate=4.0), 1)
    load.end()
    command = [str(PROJECT / ".venv/bin/squid-ha"), "logs", "lab", "-f", "-n", "1"]
    with shown.open("w") as out, said.open("w") as err:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=err, start_new_session=True)
    try:
        lab_site.until(lambda: shown.read_text() or None, "the log is followed", limit=120)
        asked = load.start(RUN, rate=4.0)
        answered(asked, EACH)
        move()
        answered(asked, len(answered(asked)) + EACH)
        ids = [each.id for each in load.stop(asked) if each.answered]
        lab_site.until(lambda: ids[-1] in records(shown) or None, f"the record of {ids[-1]} is shown", limit=120)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, said.read_text()
    finally:
        process.kill()
        load.end()
    found = records(shown)
    assert [each for each in ids if not found[each]] == [], said.read_text()
    assert [name for name, times in found.items() if times > 1] == [], said.read_text()


def answered(file: Path, least: int = 0) -> list[load.Record]:
    """The answered requests so far, once there are so many."""

    def enough() -> list[load.Record] | None:
        found = [each for each in load.read(file) if each.answered]
        return found if len(found) >= least else None

    return lab_site.until(enough, f"{least} requests are answered", limit=300)


def records(shown: Path) -> Counter[str]:
    """How often each request of the run is in what was shown."""
    return Counter(re.findall(rf"/r/({RUN}-[0-9]+) ", shown.read_text()))
