"""A lab for the length of a test run or a measurement, beside any other that runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lab import containers, tree
from lab.image import Image

_VARIABLE = "SQUID_HA_LAB_RUN"


@contextmanager
def temporary_lab(image: Image) -> Generator[Path]:
    """A running lab, its machines switched off; its run directory. It is gone afterwards. Raises LabError.

    For root; one at a time in a process, because `lab.paths.run_directory` is that of this lab meanwhile.
    """
    # Directly below /tmp, because the name of a unix socket has at most 107 characters.
    directory = Path(tempfile.mkdtemp(prefix="squid-ha-", dir="/tmp"))
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(directory)
    try:
        tree.start(image)
        yield directory
    finally:
        tree.stop()
        containers.clean_up(directory)
        shutil.rmtree(directory)
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
