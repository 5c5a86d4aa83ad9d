"""Files that others may read at any moment: there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from operations.trouble import StackTrouble


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by renaming; it gets the mode that any new file would get. Raises `StackTrouble`."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise StackTrouble(f"{path} cannot be written: {error.strerror}.") from error
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o666 & ~_umask())
        fresh.replace(path)
    except OSError as error:
        raise StackTrouble(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        fresh.unlink(missing_ok=True)


def try_each(writes: Iterable[Callable[[], object]]) -> None:
    """Every one, whatever becomes of the others; then raises `StackTrouble` with all that could not be written."""
    troubles: list[str] = []
    for write in writes:
        try:
            write()
        except OSError as error:
            troubles.append(f"{error.filename or 'a file'} cannot be written: {error.strerror or error}.")
        except StackTrouble as trouble:
            troubles.append(str(trouble))
    if troubles:
        raise StackTrouble("\n".join(troubles))


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
