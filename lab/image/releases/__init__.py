"""Trees of other releases of Debian, for containers only: no kernel, no disk, no virtual machine.

    from lab.image import ensure
    from lab.image.releases import DEBIAN_13
    built = DEBIAN_13.ensure(ensure(print), print)
    control.call("spawn", name="packages-13", namespace="origin", argv=built.serve(addresses.ORIGIN))
    control.call("add", name="qsp-a", number=1, tree=str(built.tree))

Logins and host keys are those of the image that the lab runs on, so that one lab can hold hosts of several releases.
They lie in the same cache (``release/<name>-<key>/``), and nothing here makes the machines' image anew.
"""

from lab.image.releases.build import Built, Release
from lab.image.releases.debian_13 import DEBIAN_13

__all__ = ["DEBIAN_13", "Built", "Release"]
