"""The resource file on the nodes, with a secret that only they know.

Read with the secret masked on the node itself; written from a text that has `resource_file.SECRET` in its place, with
the secret on standard input. The first secret is made on a node; it passes through this process once, on its way to
the other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.connection.answers import not_understood
from providers.connection.cluster import Cluster, Node
from providers.connection.command import Command, Result, script
from providers.connection.errors import Refused
from providers.host.settings import FileState

CONFIGURATION = "configuration"
BACKUP = ".before-squid-ha"

# $1 path. The first secret that is no comment, as it stands between quotes or without any.
_FIRST = r"""
tell() {
    sed -n '
        s/^[^#]*shared-secret[[:space:]]*"\(\([^"\\]\|\\.\)*\)"[[:space:]]*;.*/\1/p
        t end
        s/^[^#]*shared-secret[[:space:]]\{1,\}\([^[:space:]";#]*\)[[:space:]]*;.*/\1/p
        t end
        b
        :end
        q' "$1"
}
"""
# $1 path
_TELL = _FIRST + 'tell "$1"\n'
# $1 path. A line of this program's own form is shown as it was rendered. Of any other with the word, comments too,
# nothing is shown from the word on; nor of the next one, where the value stands there.
_READ = (
    _FIRST
    + r"""
[ -f "$1" ] || exit 0
stat -c '%04a %U:%G' "$1"
secret=$(tell "$1")
case $secret in ''|@secret@) echo none ;; *) printf %s "$secret" | sha256sum | cut -d' ' -f1 ;; esac
sed '
    /shared-secret/!b
    s/^\([[:space:]]*shared-secret \)"\([^"\\]\|\\.\)*";$/\1"@secret@";/
    t
    :more
    /^[^#]*shared-secret\([[:space:]]\|#[^\n]*\)*$/ {
        $!{
            N
            b more
        }
    }
    s/shared-secret.*/shared-secret @secret@/' "$1"
"""
)
# $1 path, $2 lines, $3 mode, $4 owner; stdin: the secret (empty: make one), then the text. Lines are counted because
# input that ends early, when the connection breaks, looks like input that is complete. Only builtins see the secret.
_WRITE = r"""
set -eu
umask 077
IFS= read -r secret
[ -n "$secret" ] || secret=$(od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n')
while IFS= read -r line; do
  case $line in
    *@secret@*) printf '%s\n' "${line%%@secret@*}$secret${line#*@secret@}" ;;
    *) printf '%s\n' "$line" ;;
  esac
done >"$1.new"
[ "$(wc -l <"$1.new")" -eq "$2" ] || { rm -f "$1.new"; echo 'input ended early' >&2; exit 1; }
chmod "$3" "$1.new"
chown -- "$4" "$1.new"
drbdadm --config-file="$1.new" sh-nop >/dev/null || { rc=$?; rm -f "$1.new"; exit "$rc"; }
sync "$1.new"
mv -fT "$1.new" "$1"
sync "$(dirname "$1")"
"""
# $1 path, $2 suffix
_SAVE = r"""
set -eu
cp -p "$1" "$1$2.new"
mv -fT "$1$2.new" "$1$2"
sync "$1$2" "$(dirname "$1")"
"""
# $1 path, $2 suffix, $3 whether a file was saved. One that was is back already where a run was cut off after this.
_RESTORE = r"""
rm -f "$1.new" "$1$2.new"
case $3 in
    saved) [ ! -f "$1$2" ] || mv -fT "$1$2" "$1" ;;
    *) rm -f "$1" ;;
esac
"""


@dataclass(frozen=True)
class Configuration:
    """The resource file of one node; ``secret`` is a digest of the shared secret, '' if there is none."""

    file: FileState
    secret: str = ""


def read(path: str) -> Command:
    """Reads the file with its secret masked; says nothing where there is no file."""
    return script(_READ, path, reads=True, label=f"read {path} without its secret")


def parse(output: str) -> Configuration:
    """`Configuration` from the output of `read`. Raises `Unknown` for another: a file may go while it is read."""
    if not output:
        return Configuration(FileState())
    try:
        header, digest, content = output.split("\n", 2)
        mode, owner = header.split(" ", 1)
        return Configuration(FileState(content=content, mode=mode, owner=owner), "" if digest == "none" else digest)
    except ValueError:
        raise not_understood("how the mirror's resource file is") from None


def compared(found: Mapping[str, Configuration]) -> dict[str, str]:
    """Node → ``shared`` if all nodes have one secret, else ``missing`` or ``differs``."""
    digests = {configuration.secret for configuration in found.values() if configuration.secret}
    return {
        name: "missing" if not configuration.secret else "shared" if len(digests) == 1 else "differs"
        for name, configuration in found.items()
    }


async def claim(cluster: Cluster, node: Node, path: str, found: Configuration) -> None:
    """Keep aside a resource file that was there before this site's, once. Raises `Refused` without ``takeover``."""
    if found.file.content is None:
        await cluster.journal(node).record({CONFIGURATION: "absent"})
        return
    if not cluster.takeover:
        raise Refused(
            f"{path} is there already and this site did not write it",
            node=node.name,
            remedy="declare `takeover: true` to replace it; the old file is kept beside it and brought back by destroy",
        )
    await node.run(script(_SAVE, path, BACKUP, label=f"keep {path} as {path}{BACKUP}"))
    await cluster.journal(node).record({CONFIGURATION: "saved"})


async def spread(
    cluster: Cluster, path: str, wanted: Mapping[str, FileState], found: Mapping[str, Configuration]
) -> list[str]:
    """Write the file where text, mode, owner or secret are not as wanted; the nodes where it was written.

    A secret that a node has already is kept; without any, the first node makes one.
    """
    source = next((name for name in wanted if found[name].secret), None)
    secret = found[source].secret if source else ""
    stale = [name for name, state in wanted.items() if not _fits(found[name], state, secret)]
    if not stale:
        return []
    first = source or stale[0]
    if first in stale:
        own = await _tell(cluster.node(first), path) if source else ""
        await _write(cluster.node(first), path, wanted[first], own)
    others = [name for name in stale if name != first]
    if others:
        shared = await _tell(cluster.node(first), path)
        await cluster.each(lambda node: _write(node, path, wanted[node.name], shared), others)
    return stale


def _fits(found: Configuration, wanted: FileState, secret: str) -> bool:
    live = (found.file.content, found.file.mode, found.file.owner)
    return bool(secret) and found.secret == secret and live == (wanted.content, wanted.mode, wanted.owner)


async def _tell(node: Node, path: str) -> str:
    label = f"read the shared secret in {path}"
    return (await node.run(script(_TELL, path, reads=True, label=label))).stdout.removesuffix("\n")


async def _write(node: Node, path: str, wanted: FileState, secret: str) -> Result:
    content = wanted.content or ""
    args = (path, str(content.count("\n")), wanted.mode or "0600", wanted.owner or "root:root")
    return await node.run(script(_WRITE, *args, stdin=f"{secret}\n{content}", label=f"write {path}"))


async def restore(cluster: Cluster, node: Node, path: str, found: str) -> None:
    """Bring back the file that was there before this site's, or take ours away; ``found`` is what `claim` noted."""
    await node.run(script(_RESTORE, path, BACKUP, found, label=f"take back {path}"))
    await cluster.journal(node).drop([CONFIGURATION])
