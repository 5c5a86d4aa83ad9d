"""Which processes the stand-in for LifeKeeper ends before it unmounts a filesystem."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.lifekeeper.node.filesystem import holders


def test_who_holds_a_file_or_a_folder_below_the_mount_point_is_found(tmp_path: Path) -> None:
    held, other = tmp_path / "mirror", tmp_path / "mirrors"
    for folder in (held, other):
        folder.mkdir()
        (folder / "log").write_text("x")
    with (
        subprocess.Popen(["sleep", "60"], cwd=held) as inside,
        (held / "log").open() as log,
        subprocess.Popen(["sleep", "60"], stdin=log) as reading,
        (other / "log").open() as elsewhere,
        subprocess.Popen(["sleep", "60"], stdin=elsewhere) as outside,
    ):
        try:
            found = set(holders(held))
            assert {inside.pid, reading.pid} <= found
            assert outside.pid not in found
        finally:
            for each in (inside, reading, outside):
                each.kill()
