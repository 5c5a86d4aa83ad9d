"""What goes into the image and into the package source: data, no steps."""

SUITE = "bookworm"

INSTALLED = (
    "linux-image-amd64",
    "ca-certificates",
    "cron",
    "dbus",
    "e2fsprogs",
    "iproute2",
    "iputils-ping",
    "kmod",
    "logrotate",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "util-linux-extra",
)
"""What an untouched small server has. Nothing that the product is to install itself.

python3 because Debian's standard system has it, and it takes an emulated machine half a minute to compile.
util-linux-extra has hwclock, which sets a restored machine's clock.
"""

OFFERED = (
    (
        "squid",
        "corosync",
        "pacemaker",
        "pacemaker-cli-utils",
        "resource-agents",
        "cluster-glue",
        "sbd",
        "drbd-utils",
        "chrony",
        "logrotate",
        "mdadm",
        "nbd-client",
        "nbd-server",
        "nftables",
        "pcs",
        "curl",
        "libxml2-utils",
        "psmisc",
        "xfsprogs",
        "socat",
    ),
    ("ntpsec",),
    ("systemd-timesyncd",),
)
"""What the package source offers, with all dependencies: each group installs as a whole on an untouched host.

The groups exclude each other, because only one time service can be installed. The last one is in the image
already; it is offered for hosts that get it back after another time service was removed.
"""

LEFT_OUT = (
    "/lib/modules/*/kernel/sound/*",
    "/lib/modules/*/kernel/drivers/bluetooth/*",
    "/lib/modules/*/kernel/drivers/gpu/*",
    "/lib/modules/*/kernel/drivers/iio/*",
    "/lib/modules/*/kernel/drivers/infiniband/*",
    "/lib/modules/*/kernel/drivers/isdn/*",
    "/lib/modules/*/kernel/drivers/media/*",
    "/lib/modules/*/kernel/drivers/net/ethernet/*",
    "/lib/modules/*/kernel/drivers/net/wireless/*",
    "/lib/modules/*/kernel/drivers/staging/*",
)
"""Drivers of hardware that an emulated machine never has: 250 of the kernel's 380 MB."""

MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
)
"""Housekeeping that only slows down a host that lives for minutes."""

GENERATORS_LEFT_OUT = (
    "cryptsetup",
    "debug",
    "gpt-auto",
    "hibernate-resume",
    "integritysetup",
    "rc-local",
    "run",
    "system-update",
    "veritysetup",
)
"""systemd's generators that find nothing on these hosts. All of them run at each `daemon-reload`, and every
package with a unit does several: in an emulated guest one takes 3.2 s of processor time with these and 2.0 s without.
"""

INITRD_MODULES = ("virtio_pci", "virtio_blk", "ext4")
"""What the kernel needs to reach /dev/vda."""

DISK_SIZE = "4G"
