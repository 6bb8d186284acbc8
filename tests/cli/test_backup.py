"""Claims about `tieout backup`: of one moment, complete, and good to go on from."""

from __future__ import annotations

import fcntl
import shutil
import signal
from pathlib import Path

from demo_home import Home


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in (root / "records").rglob("*.*") if p.is_file()}


def test_a_backup_put_in_the_place_of_an_instance_goes_on_where_it_was_made(
    home: Home, tmp_path: Path
) -> None:
    to = tmp_path / "backup"
    done = home.run("backup", str(to))
    assert done.code == 0, done.err
    assert "The keys are not in it" in done.out
    before = home.run("tie-out", "--last").out
    assert home.run("run", "accounts", "--full").code == 0

    again = home.run("backup", str(to), "--json")
    assert again.json["there_before"] > again.json["files"] > 0, "only what is new is copied"
    assert files(to) == files(home.path)
    assert {path.name for path in to.iterdir()} == {"tieout.sqlite", "records"}

    for name in ("tieout.sqlite", "tieout.sqlite-wal", "tieout.sqlite-shm"):
        (home.path / name).unlink(missing_ok=True)
    shutil.rmtree(home.path / "records")
    shutil.copy(to / "tieout.sqlite", home.path / "tieout.sqlite")
    shutil.copytree(to / "records", home.path / "records")

    assert home.run("audit", "verify").code == 0
    assert home.run("tie-out", "--last").out == before
    assert home.run("run", "actuals").code == 0


def test_a_backup_that_was_killed_leaves_the_earlier_one_whole_and_is_made_again(
    home: Home, tmp_path: Path
) -> None:
    to = tmp_path / "backup"
    assert home.run("backup", str(to)).code == 0
    earlier, named = (to / "tieout.sqlite").read_bytes(), files(to)
    assert home.run("run", "accounts", "--full").code == 0
    for moment in ("backup:database", "backup:files"):
        killed = home.run("backup", str(to), env={"TIEOUT_KILL_AT": moment})
        assert killed.code == -signal.SIGKILL
        assert (to / "tieout.sqlite").read_bytes() == earlier, "it would name files that lack here"
        assert named <= files(to)
    stale = to / "tieout.sqlite-wal"  # as a process leaves it that was killed while it read
    stale.write_bytes(b"not of this database")
    assert home.run("backup", str(to)).code == 0
    assert files(to) == files(home.path)
    assert {path.name for path in to.iterdir()} == {"tieout.sqlite", "records"}


def test_a_kept_file_that_is_not_the_one_that_was_written_is_named(
    home: Home, tmp_path: Path
) -> None:
    damaged = max((home.path / "records").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-9] + b"x" + whole[-8:])
    done = home.run("backup", str(tmp_path / "backup"))
    assert done.code not in (0, 1)
    assert damaged.name in done.err
    assert "is not the one that was written" in done.err


def test_a_place_within_the_instance_is_refused(home: Home) -> None:
    done = home.run("backup", str(home.path / "backup"))
    assert done.code == 3
    assert "within the instance" in done.err


def test_a_second_backup_at_the_same_time_is_refused_and_takes_nothing_from_the_first(
    home: Home, tmp_path: Path
) -> None:
    with (home.path / "backup.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = home.run("backup", str(tmp_path / "backup"))
    assert done.code == 8
    assert "Another backup" in done.err
    assert not (tmp_path / "backup").exists()
