"""Lines of fstab(5) that mount a disk by whatever name, or something else where it belongs."""

import subprocess

import pytest

from providers.storage import fstab


def found(tmp_path, text, device="/dev/null", mount_point="/mnt/mirror"):
    path = tmp_path / "fstab"
    if text:
        path.write_text(text)
    said = subprocess.run(fstab.read(device, mount_point, str(path)).argv, capture_output=True, text=True, check=True)
    return fstab.parse(said.stdout)


def test_lines_of_the_disk_by_any_of_its_paths_and_of_the_mount_point_are_found_once(tmp_path):
    link = tmp_path / "by-id"
    link.symlink_to("/dev/null")
    text = (
        f"/dev/sda1 / ext4 defaults 0 1\n{link} /mnt/mirror/ ext3 rw,nofail 0 2\n/dev/null /mnt/b\\040c ext3 noauto\n"
    )
    lines = found(tmp_path, text, device=str(link))
    assert [(each.source, each.target) for each in lines] == [
        (str(link), "/mnt/mirror/"),
        ("/dev/null", r"/mnt/b\x20c"),
    ]
    other = found(tmp_path, "UUID=1234-ABCD /mnt/mirror ext3 defaults\n")
    assert [(each.source, each.target) for each in other] == [("UUID=1234-ABCD", "/mnt/mirror")]


@pytest.mark.parametrize("text", ["", "# nothing\n", "/dev/sda1 / ext4 defaults 0 1\n"])
def test_without_such_a_line_nothing_is_found(tmp_path, text):
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("options", "at_boot"),
    [
        ("defaults", True),
        ("rw,nofail", True),
        ("noauto", False),
        ("rw,noauto,user", False),
        ("noauto,x-systemd.automount", True),
    ],
)
def test_what_is_mounted_by_itself(tmp_path, options, at_boot):
    (line,) = found(tmp_path, f"/dev/null /mnt/mirror ext3 {options} 0 0\n")
    assert line.at_boot is at_boot


def test_a_line_without_options_is_mounted_at_boot():
    (line,) = fstab.parse("/dev/null /mnt/mirror \n")
    assert line.at_boot


def test_without_findmnt_nobody_can_tell(tmp_path):
    (tmp_path / "fstab").write_text("/dev/null /mnt/mirror ext3\n")
    (tmp_path / "sh").symlink_to("/bin/sh")
    asked = fstab.read("/dev/null", "/mnt/mirror", str(tmp_path / "fstab"))
    done = subprocess.run(asked.argv, env={"PATH": str(tmp_path)}, capture_output=True, check=False)
    assert done.returncode == 127
