"""What is declared of Squid's configuration on all nodes."""

from __future__ import annotations

from pydantic import Field

from providers.contract import State
from providers.host.secret_files import SecretFile
from providers.host.settings import NodeSettings


class Wanted(State):
    """``nodes``: node → files of the configuration. ``unit`` is the service; ``port`` where it must listen afterwards.

    ``probe_url`` is what the running Squid is asked for after a reload; any HTTP answer shows that it serves.
    ``mounts`` are what must be mounted where Squid runs before it may read the files, because it logs there.
    ``kernel``: node → settings of the kernel. ``secrets``: path → what of the files is a secret; their contents are
    digests. ``readable``: path → user who must be able to read it, for files that are put there by others. For what the
    configuration includes: ``reserved``, port → whose it is, ``may_be_open``, whether anybody may be let in, and
    ``included``, node → `providers.squid.accepted.AS_ACCEPTED`, or in words what became of the files since.
    """

    nodes: dict[str, NodeSettings]
    unit: str
    port: str
    probe_url: str
    mounts: list[str] = Field(default_factory=list[str])
    kernel: dict[str, dict[str, str | None]] = Field(default_factory=dict[str, dict[str, str | None]])
    secrets: dict[str, SecretFile] = Field(default_factory=dict[str, SecretFile])
    readable: dict[str, str] = Field(default_factory=dict[str, str])
    reserved: dict[str, str] = Field(default_factory=dict[str, str])
    may_be_open: bool = False
    included: dict[str, str] = Field(default_factory=dict[str, str])
