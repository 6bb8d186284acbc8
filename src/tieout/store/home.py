"""The directory an instance lives in: private to its owner, on a disk of this machine."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from tieout.errors import Misconfigured
from tieout.store.database import saying_what_failed

PRIVATE_MODE = 0o700
PRIVATE_UMASK = 0o077
MOUNTS = Path("/proc/self/mounts")
# Locks of network file systems do not hold what SQLite needs (https://sqlite.org/wal.html).
NETWORK_FILE_SYSTEMS = {
    "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs",
    "fuse.mountpoint-s3", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre",
    "nfs", "nfs4", "orangefs", "smb2", "smb3", "smbfs",
}  # fmt: skip


def make_home(home: Path) -> None:
    """Make the directory (0700), or make an empty one private; from now on all files are (0077)."""
    os.umask(PRIVATE_UMASK)
    try:
        with saying_what_failed():
            home.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
            if not any(home.iterdir()):
                home.chmod(PRIVATE_MODE)
    except OSError as error:
        raise _unusable(home, error) from error
    check_home(home)


def check_home(home: Path) -> None:
    """Refuse a home that is not there or that other users of this machine can look into."""
    os.umask(PRIVATE_UMASK)
    try:
        found = home.stat()
    except FileNotFoundError:
        raise Misconfigured(
            f"There is no instance in {home}.",
            do="`tieout init` makes one there, or name another with --home.",
        ) from None
    except OSError as error:
        raise _unusable(home, error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(home, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    mode = stat.S_IMODE(found.st_mode)
    if mode & PRIVATE_UMASK:
        raise Misconfigured(
            f"Other users of this machine can look into {home} (mode {mode:o}).",
            untouched="Nothing was read or changed.",
            do=f"chmod 700 {home}",
            who="who runs this machine",
        )


def _unusable(home: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"{home} cannot be the directory of an instance: {os.strerror(error.errno or 0)}.",
        untouched="Nothing was written.", do="Name another directory with --home.",
    )  # fmt: skip


def refuse_network_disk(home: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a home on a network file system for the embedded database."""
    kind = file_system(home, mounts.read_text() if mounts.exists() else "")
    if kind in NETWORK_FILE_SYSTEMS:
        raise Misconfigured(
            f"{home} is on a network disk ({kind}), where the embedded database is not safe.",
            untouched="Nothing was read or changed.",
            do="Use a local disk, or PostgreSQL (TIEOUT_DATABASE).",
            who="who runs this machine",
        )


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system `path` is on, by a table like /proc/mounts; empty when unknown."""
    found, kind = -1, ""
    resolved = path.resolve()
    for line in mounts.splitlines():
        _device, point, named, *_ = [*line.split(), "", "", ""]
        mount = Path(point.replace("\\040", " "))
        if resolved.is_relative_to(mount) and len(mount.parts) >= found:
            found, kind = len(mount.parts), named
    return kind
