"""Options of a mount: which are ours, and how they are set and taken back without unmounting."""

from hypothesis import given
from hypothesis import strategies as st

from providers.storage import mount_options, volume

# What the kernel showed after each remount of an ext3 on a loop device (Linux 6).
SHOWN = {
    "rw,relatime": "",
    "rw,relatime,commit=1": "commit=1",
    "rw,relatime,sync,commit=1": "commit=1,sync",
    "rw,relatime,sync": "sync",
    "rw,relatime,nodioread_nolock,nodelalloc,commit=1,data=journal": "commit=1",
    "rw,dirsync,relatime": "",
}


def test_only_what_follows_a_remount_is_looked_at():
    assert {options: mount_options.shown(options) for options in SHOWN} == SHOWN


def test_what_is_not_wanted_is_taken_back():
    assert mount_options.whole("ext3", "") == "async,commit=5"
    assert mount_options.whole("ext4", "commit=1") == "async,commit=1"
    assert mount_options.whole("ext3", "sync") == "sync,commit=5"
    assert mount_options.whole("xfs", "sync") == "sync"
    assert mount_options.whole("xfs", "") == "async"


@given(st.sampled_from(["ext3", "ext4"]), st.sampled_from(["", "sync", "commit=1", "commit=1,sync", "commit=30"]))
def test_what_is_set_is_what_is_shown(kind: str, options: str):
    kernel = mount_options.whole(kind, options).replace(",commit=5", "").replace("async", "rw")
    assert mount_options.shown(f"rw,relatime,{kernel}") == options


def test_the_command_names_the_mount_point():
    command = mount_options.remount("ext3", "/mnt/mirror", "sync")
    assert command.argv == ("mount", "--options-source", "disable", "--options", "remount,sync,commit=5", "/mnt/mirror")
    assert command.writes


def test_options_are_read_from_the_table_of_mounts():
    row = '{"filesystems":[{"target":"/mnt/mirror","source":"/dev/drbd0","fstype":"ext3","options":"rw,sync"}]}'
    (mount,) = volume.parse_mounts(row)
    assert mount_options.shown(mount.options) == "sync"
