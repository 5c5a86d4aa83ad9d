"""How a node is asked about the files of a log: short commands that only read, and nothing that stays."""

from __future__ import annotations

import base64

from operations.logs.cursor import CHUNK, File
from operations.mounted import NOT_MOUNTED, ONLY_MOUNTED
from providers.connection.answers import not_understood
from providers.connection.command import Command, script

CHANGED = 44
"""Exit code of `reading` where the file has got another name."""

OWN = r"""
own() { [ "$(stat -c %d:%i -- "$1")" = "$(stat -L -c %d:%i /proc/self/fd/0)" ]; }
"""
"""Whether standard input is the file that the folder itself has under this name: whoever has taken over Squid may have
put a link to root's files in the place of a log."""

# $1 mount point or nothing, $2 log, $3 bytes at the beginning, $4 inode and $5 digest of the file that one is in.
# Prints inode, size (-1: compressed), digest and name. Where the live file is that file, only that: the others do not
# matter, and asking for all of them each second would be work.
_LIST = r"""
told() {
    { own "$1" || return 1
      inode=$(stat -L -c %i /proc/self/fd/0); size=$(stat -L -c %s /proc/self/fd/0)
      case $1 in
          *.gz) size=-1; sum=$(gzip -dc 2>/dev/null | head -c "$2" | sha256sum) ;;
          *) sum=$(head -c "$2" | sha256sum) ;;
      esac
      echo "$inode $size ${sum%% *} ${1##*/}"; } <"$1"
}
if [ -L "$2" ]; then
    echo "$2 is a symbolic link, and is not followed: name the file itself under \`log\`" >&2
    exit 1
fi
if [ -f "$2" ]; then
    live=$(told "$2" "$3" 2>/dev/null) && echo "$live"
    case $live in "$4 "*" $5 "*) exit 0 ;; esac
fi
for file in "$2"[-._]*; do
    [ -f "$file" ] && told "$file" "$3" 2>/dev/null
done
true
"""
# $1 file, $2 its inode, $3 first byte (from 1), $4 how many
_READ = r"""
{ own "$1" && [ "$(stat -L -c %i /proc/self/fd/0)" = "$2" ] || exit 44
  case $1 in *.gz) gzip -dc 2>/dev/null | tail -c "+$3" ;; *) tail -c "+$3" ;; esac | head -c "$4" | base64 -w 0
} <"$1" 2>/dev/null || exit 44
"""
_MOUNTED = 'mountpoint -q -- "$1" && echo yes || echo no'


def listing(log: str, mount_point: str, head: int, inode: int, digest: str) -> Command:
    """The files of the log. Exit code `NOT_MOUNTED` where the mirror is not there."""
    label = f"list the files of {log}"
    words = (mount_point, log, str(head), str(inode), digest)
    return script(ONLY_MOUNTED + OWN + _LIST, *words, ok={0, NOT_MOUNTED}, timeout=30, reads=True, label=label)


def parse_listing(output: str) -> list[File]:
    """What `listing` printed. Raises `Unknown` where that is cut off, or is something else."""
    rows = [line.split(" ", 3) for line in output.splitlines()]
    try:
        return [File(int(inode), int(size), digest, name) for inode, size, digest, name in rows]
    except ValueError:
        raise not_understood("the list of log files") from None


def reading(path: str, inode: int, offset: int, count: int = CHUNK) -> Command:
    """Bytes of a file that still has this inode; nothing where it has got another name meanwhile."""
    label = f"read {path}"
    words = (path, str(inode), str(offset + 1), str(count))
    return script(OWN + _READ, *words, ok={0, CHANGED}, timeout=60, reads=True, label=label)


def parse_reading(output: str) -> bytes:
    """What `reading` printed. Raises `Unknown` where that is cut off, or is something else."""
    try:
        return base64.b64decode(output, validate=True)
    except ValueError:
        raise not_understood("what was sent of a log") from None


def mounted(mount_point: str) -> Command:
    """``yes`` or ``no``: whether the mirror is mounted."""
    return script(_MOUNTED, mount_point, timeout=15, reads=True, label=f"mountpoint {mount_point}")
