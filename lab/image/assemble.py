"""The steps from nothing to a bootable root: each takes the folder of the build and adds to it."""

import gzip
import shutil
from pathlib import Path

from lab.image import recipe
from lab.image.commands import run, run_inside
from lab.image.nodes import NODES, Identity

ROOT_FILES = Path(__file__).parent / "root"
_MACHINE_ID = "5c1d0a1ab0de4f0d8e1f0c0ffee00000"


def unpack(folder: Path, sources: list[str]) -> None:
    """Install Debian's base system and the recipe's packages into `folder`/tree."""
    listed = folder / "mirror.list"
    listed.write_text("".join(f"{line}\n" for line in sources))
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.LEFT_OUT]
    quick = [f"--dpkgopt={line}" for line in (ROOT_FILES / "etc/dpkg/dpkg.cfg.d/90lab").read_text().splitlines()]
    run(
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--architectures=amd64",
        *left_out,
        *quick,
        '--aptopt=Acquire::Languages "none"',
        f"--include={','.join(recipe.INSTALLED)}",
        recipe.SUITE,
        folder / "tree",
        listed,
        # The kernel package would make an initrd for this machine; `boot_files` makes a smaller one.
        env={"INITRD": "No"},
        log=folder / "log",
    )
    (folder / "tree/etc/dpkg/dpkg.cfg.d/99mmdebstrap").unlink()
    (folder / "tree/etc/apt/apt.conf.d/99mmdebstrap").unlink()
    (folder / "tree/etc/apt/sources.list.d/0000mirror.list").unlink()
    listed.unlink()
    shutil.rmtree(folder / "tree/var/lib/apt/lists", ignore_errors=True)
    (folder / "tree/var/lib/apt/lists/partial").mkdir(parents=True)


def make_keys(folder: Path) -> None:
    """One key pair to log in with, and a host key for each node."""
    for name in ("id_ed25519", *(f"host_{node.name}" for node in NODES)):
        comment = "ops@squid-ha-lab" if name == "id_ed25519" else f"root@{name.removeprefix('host_')}"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", folder / name)


def configure(folder: Path) -> None:
    """Turn the bare root into a host of the lab: user, keys, networks, package source."""
    tree, log = folder / "tree", folder / "log"
    shutil.copytree(ROOT_FILES, tree, dirs_exist_ok=True)
    (tree / "etc/sudoers.d/ops").chmod(0o440)
    for node in NODES:
        _write_identity(tree / "usr/lib/lab/hosts" / node.name, node, folder / f"host_{node.name}")
        for name, text in node.networks.items():
            (tree / "etc/systemd/network" / name).write_text(text)
    for stale in (*tree.glob("etc/ssh/ssh_host_*"), tree / "etc/hostname", tree / "etc/resolv.conf"):
        stale.unlink(missing_ok=True)
    # Without a name server and without a file the resolver would ask 127.0.0.1; it is refused at once.
    (tree / "etc/resolv.conf").write_text("# The lab has no name server.\n")
    (tree / "etc/machine-id").write_text(f"{_MACHINE_ID}\n")
    update = tree / "etc/initramfs-tools/update-initramfs.conf"
    update.write_text(update.read_text().replace("update_initramfs=yes", "update_initramfs=no"))
    run_inside(tree, "useradd", "--create-home", "--shell=/bin/bash", "ops", log=log)
    run_inside(tree, "install", "-d", "-m0700", "-oops", "-gops", "/home/ops/.ssh", log=log)
    authorized = tree / "home/ops/.ssh/authorized_keys"
    shutil.copy(folder / "id_ed25519.pub", authorized)
    run_inside(tree, "chown", "ops:ops", "/home/ops/.ssh/authorized_keys", log=log)
    run_inside(tree, "systemctl", "enable", "systemd-networkd.service", "lab-identity.service", log=log)
    run_inside(tree, "systemctl", "mask", *recipe.MASKED, log=log)
    (tree / "etc/systemd/system-generators").mkdir()
    for name in recipe.GENERATORS_LEFT_OUT:
        (tree / f"etc/systemd/system-generators/systemd-{name}-generator").symlink_to("/dev/null")


def _write_identity(target: Path, node: Identity, key: Path) -> None:
    (target / "etc/ssh").mkdir(parents=True)
    (target / "etc/hostname").write_text(f"{node.name}\n")
    (target / "etc/hosts").write_text(node.hosts_file)
    shutil.copy(key, target / "etc/ssh/ssh_host_ed25519_key")
    shutil.copy(key.with_suffix(".pub"), target / "etc/ssh/ssh_host_ed25519_key.pub")


def boot_files(folder: Path) -> None:
    """Copy the kernel out of the root and make an initrd with what an emulated machine needs for its disk."""
    tree = folder / "tree"
    kernel = next((tree / "boot").glob("vmlinuz-*"))
    shutil.copy(kernel, folder / "kernel")
    settings = tree / "boot/initrd.d"
    shutil.copytree(tree / "etc/initramfs-tools", settings)
    (settings / "modules").write_text("".join(f"{module}\n" for module in recipe.INITRD_MODULES))
    (settings / "conf.d/lab").write_text("MODULES=list\nCOMPRESS=gzip\nRESUME=none\nFSTYPE=ext4\n")
    version = kernel.name.removeprefix("vmlinuz-")
    run_inside(tree, "mkinitramfs", "-d", "/boot/initrd.d", "-o", "/boot/initrd", version, log=folder / "log")
    # Unpacked: an emulated processor takes longer to decompress it than to read it.
    with gzip.open(tree / "boot/initrd") as packed, (folder / "initrd").open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    shutil.rmtree(settings)
    (tree / "boot/initrd").unlink()


def make_disk(folder: Path) -> None:
    """Write the root as an ext4 file system into a qcow2 to put overlays on."""
    raw = folder / "disk.raw"
    run("truncate", f"--size={recipe.DISK_SIZE}", raw)
    run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", folder / "tree", raw, log=folder / "log")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, folder / "disk.qcow2", log=folder / "log")
    raw.unlink()
