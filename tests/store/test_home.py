"""The directory of an instance is private, or it is not used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tieout.errors import Misconfigured
from tieout.store.home import check_home, file_system, make_home, refuse_network_disk


@pytest.fixture(autouse=True)
def _umask_as_before() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_home_and_what_is_made_in_it_are_private(tmp_path: Path) -> None:
    home = tmp_path / "far" / "away"
    make_home(home)
    (home / "file").write_text("x")
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "file").stat().st_mode & 0o777 == 0o600
    make_home(home)


def test_an_empty_directory_becomes_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    make_home(home)
    check_home(home)


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o750, 0o755, 0o707])
def test_a_home_others_can_look_into_is_refused(tmp_path: Path, mode: int) -> None:
    home = tmp_path / "home"
    make_home(home)
    (home / "file").write_text("x")
    home.chmod(mode)
    for refusing in (make_home, check_home):
        with pytest.raises(Misconfigured, match="can look into") as refused:
            refusing(home)
        assert f"mode {mode:o}" in refused.value.what


def test_a_home_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="There is no instance in"):
        check_home(tmp_path / "nowhere")


def test_a_place_that_can_be_no_directory_is_told_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("somebody's")
    for place in (file, file / "home"):
        for asked in (make_home, check_home):
            with pytest.raises(Misconfigured, match="cannot be the directory of an instance"):
                asked(place)
    assert file.read_text() == "somebody's"


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/finance /srv/finance nfs4 rw 0 0
tmpfs /srv/finance/local tmpfs rw 0 0
//nas/share /mnt/with\\040space cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/tieout", "ext4"),
        ("/srv/finance/home", "nfs4"),
        ("/srv/finance/local/home", "tmpfs"),
        ("/srv/financial", "ext4"),
        ("/mnt/with space/home", "cifs"),
    ],
)
def test_the_disk_a_home_is_on_is_told_by_its_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


NETWORK_DISKS = (
    "nfs", "nfs4", "cifs", "smb2", "smb3", "ceph", "fuse.ceph", "glusterfs", "fuse.glusterfs",
    "lustre", "fuse.sshfs",
)  # fmt: skip


@pytest.mark.parametrize("kind", NETWORK_DISKS)
def test_the_embedded_database_is_not_put_on_a_network_disk(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/finance {tmp_path} {kind} rw 0 0\n")
    with pytest.raises(Misconfigured, match=f"on a network disk .{kind}."):
        refuse_network_disk(tmp_path / "home", mounts)
    mounts.write_text("/dev/vda / ext4 rw 0 0\n")
    refuse_network_disk(tmp_path / "home", mounts)
