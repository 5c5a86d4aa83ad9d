"""What only the engine `lifekeeper` knows: SIOS LifeKeeper for Linux with DataKeeper and Quick Service Protection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from declaration.addresses import InterfaceName
from declaration.paths import NodeFolder, PlainFile
from declaration.quantities import Duration
from declaration.types import (
    HostName,
    Many,
    Port,
    Secret,
    Settings,
    Some,
    Told,
    Written,
    matching,
    refuse_control,
    written,
    wrong,
)

Tag = Annotated[
    str,
    written(
        "a tag of letters, digits and `. _ - /`, such as `qsp-squid`",
        matching(r"[A-Za-z0-9/][A-Za-z0-9._/-]{0,255}"),
    ),
]
FileTag = Annotated[
    str,
    written(
        "a tag of letters, digits and `. _ -`, such as `app`, because scripts lie under its name",
        matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}"),
    ),
]
Priority = Annotated[int, Field(ge=1, le=999)]
PathPriority = Annotated[int, Field(ge=1, le=99)]
Number = Annotated[int, Field(ge=1, le=1_000_000_000)]

SquidKit = Literal["qsp", "generic"]

CUSTOMARY_PRIORITIES = (1, 10)
"""What the wizards propose for the first and the second node; the lower one is preferred."""


class License(Settings):
    """Where the licence comes from: exactly one of these.

    SIOS gives each server a licence of its own, for LifeKeeper and for each kit that is packaged apart.
    """

    file: PlainFile | None = None
    """The licence's file on each node: the same path, where each node may have its own content."""

    secret: Secret | None = None
    """The licence's text, a secret by name: one text for both nodes, for licences that are bound to no host, or one
    text that holds all of them."""


class CommunicationPath(Settings):
    """One way on which the nodes hear each other; it is made in both directions."""

    network: Literal["public", "replication"]
    """The network whose addresses of the two nodes it connects."""

    priority: PathPriority | None = None
    """Lower is preferred; without it, the place in the list."""


class Tags(Settings):
    """Names of the resources; without them the customary ones. A tag cannot be changed in place."""

    address: Tag | None = None
    """The virtual IP; customary: `ip-` and the address."""

    squid: Tag | None = None
    """Squid; customary: `qsp-squid`, or `app-squid` with `squid_kit: generic`."""

    filesystem: Tag | None = None
    """The mirror's filesystem; customary: the mount point."""

    mirror: Tag | None = None
    """The mirror; customary: `datarep-` and the last part of the mount point."""


class Replication(Settings):
    """What DataKeeper's wizard asks about the mirror, beyond what `mirror` says."""

    mode: Literal["synchronous", "asynchronous"] = "synchronous"
    """`synchronous`: a write is done when both nodes have it. `asynchronous`: when the active one has it."""

    hierarchy: Literal["new", "existing"] = "new"
    """`new`: the filesystem is made, on a blank disk only. `existing`: the one that is mounted is taken over."""

    bitmap: PlainFile | None = None
    """Where changes are kept in mind while the other node is gone; customary: `/opt/LifeKeeper/bitmap_` and the mount
    point with `_` for `/`."""

    speed_limit: Number | None = None
    """The most that a resynchronisation takes, from the next one on (500000 after an installation). SIOS names no unit;
    Linux's md, which does it, counts in KB/s."""

    speed_limit_min: Number | None = None
    """What a resynchronisation may take beside other work, in the same unit (20000 after an installation)."""


class Address(Settings):
    """How LifeKeeper watches the virtual IP; what is left out stays as it is on the nodes."""

    broadcast_ping: bool | None = None
    """Whether somebody in the public network must answer a broadcast; few do in clouds and between virtual machines."""

    link_check: bool | None = None
    """Whether the interface's link is looked at; some virtual network cards have none."""

    ping_tries: Number | None = None
    """How many pings a check makes before the address counts as failed (3 after an installation)."""

    ping_time: Duration | None = None
    """Whole seconds that a check waits for the answer to one ping (1s after an installation)."""

    check_timeout: Duration | None = None
    """Whole seconds after which a check that has not ended counts as failed (12s after an installation)."""

    backup_interface: InterfaceName | None = None
    """Interface to which LifeKeeper moves the address when its own fails. No command for it is documented: it is set in
    LifeKeeper's own interface and compared here; without this setting there is to be none."""


class FailoverConfirmation(Settings):
    """What becomes of a failover that LifeKeeper asks a person about, where nobody answers by `lk_confirmso`.

    Whether it asks is a flag on each node (Confirm Failover in LifeKeeper's own interface), which no setting here sets.
    What is left out stays as it is on the nodes.
    """

    unanswered: Literal["proceed", "block"] | None = None
    """The failover takes place (`proceed`, so after an installation), or the service stays down (`block`)."""

    wait: Duration | None = None
    """Whole seconds to wait for the answer (600s after an installation); `0s`: nobody is waited for."""


class Heartbeat(Settings):
    """How a node's silence is noticed. A change needs LifeKeeper stopped on both nodes; the service runs on."""

    interval: Duration = Duration("5s")
    """Whole seconds between two heartbeats."""

    misses: Annotated[int, Field(ge=2, le=100)] = 3
    """How many may be missing in a row before a path counts as dead."""


class QuorumHost(Settings):
    """Somebody outside of the pair who can be reached by TCP."""

    host: HostName
    """Host name."""

    port: Port
    """TCP port on which it accepts connections."""


class Quorum(Settings):
    """What keeps a node that is cut off from everybody from going on: LifeKeeper's quorum mode `tcp_remote`.

    It prevents no split brain where only the paths between the nodes are cut: both still reach the hosts, both have
    quorum, and both may run the service. It guards only where LifeKeeper's own package `steeleye-lkQWK` is installed on
    both nodes. `up` does not install it; `squid-ha doctor` looks for it.
    """

    hosts: Some[QuorumHost]
    """A node has quorum while it reaches more than half of these. Best is an odd number: of two, the loss of either one
    is a loss of quorum."""

    on_loss: Literal["fastkill", "fastboot", "osu"] = "fastkill"
    """What a node that has lost quorum does: power off at once, boot at once, or take its services out."""

    timeout: Duration = Duration("20s")
    """Whole seconds to wait for an answer."""


_SCRIPT = "the whole text of a script, its first line `#!/...`, without control characters"
_LONGEST_SCRIPT = 65_536


def _script(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("#!/") or len(value) > _LONGEST_SCRIPT:
        raise wrong(_SCRIPT)
    refuse_control(value.replace("\n", "").replace("\t", ""))
    return value if value.endswith("\n") else f"{value}\n"


Script = Annotated[str, Written(_script, told=Told(_SCRIPT, "^#!/"))]
"""A script's text."""


class Scripts(Settings):
    """What the Generic Application kit runs. Each is the whole text of a script, its first line `#!/...`."""

    restore: Script
    """Starts it."""

    remove: Script
    """Stops it."""

    quick_check: Script | None = None
    """Looks whether it works: exit code 0 if it does."""

    recover: Script | None = None
    """Repairs it here; without it, a failure moves the service."""


class Generic(Scripts):
    """A resource of the Generic Application kit: scripts that this site brings along."""

    tag: FileTag
    """The resource's name."""

    below: Literal["squid", "address"] = "squid"
    """The member of the service that needs it and is started after it."""


class LifeKeeper(Settings):
    """SIOS LifeKeeper for Linux, its DataKeeper and its Quick Service Protection."""

    media: NodeFolder | None = None
    """Folder on each node with the installation's `setup`, such as the mounted image. Without it LifeKeeper must be
    installed."""

    license: License | None = None
    """The licence. Without it LifeKeeper must be licensed."""

    paths: Many[CommunicationPath] = ()
    """Communication paths; without any, one over each declared network, the replication network first."""

    priorities: Annotated[Many[Priority], Field(min_length=2, max_length=2)] = CUSTOMARY_PRIORITIES
    """Of the first and the second node, for every resource; lower is preferred, and they must differ."""

    switchback: Literal["intelligent", "automatic"] = "intelligent"
    """When a failed node returns: the service stays (`intelligent`), or moves to the preferred node (`automatic`, not
    with a mirror)."""

    tags: Tags = Tags()
    """Names of the resources."""

    replication: Replication = Replication()
    """What DataKeeper is told about the mirror."""

    address: Address = Address()
    """How the virtual IP is watched."""

    check_interval: Duration | None = None
    """Whole seconds between two looks at each resource; without it, it stays as it is (120s after an installation)."""

    heartbeat: Heartbeat | None = None
    """How a node's silence is noticed; without it, it stays as it is (5s, 3 times, after an installation)."""

    failover_confirmation: FailoverConfirmation = FailoverConfirmation()
    """What becomes of a failover that waits for a person."""

    quorum: Quorum | None = None
    """What keeps a node that is cut off from going on; without it, it stays as it is."""

    squid_kit: SquidKit = "qsp"
    """Which kit looks after Squid. `qsp`: Quick Service Protection, which asks whether Squid's unit is up. `generic`:
    the Generic Application kit with scripts that this program brings: for a LifeKeeper without the former, and to
    notice a Squid that hangs, because they ask it for an answer and end it by force where it does not stop."""

    squid_scripts: Scripts | None = None
    """With `squid_kit: generic`, other scripts for Squid, in place of those that this program brings."""

    prefer: Literal["documented", "lkcli"] = "documented"
    """Which commands are used where there is a choice: those whose spelling is documented, or those of `lkcli`, some of
    which are assumed. Assumed ones are compared with the product's own help before anything is written."""

    generic: Many[Generic] = ()
    """Further resources by scripts, for what Quick Service Protection cannot do. Squid itself: `squid_kit`."""
