"""Whoever edits the trail, the manifest or the files behind our back is found out, and where."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

import polars as pl
import pytest
from trail_tampering import DEEDS, Deed, chained, cut_off, damage, opened, put_back, rows, trail

from tieout.clock import SystemClock
from tieout.store import anchors, audit, seals, trail_export
from tieout.store.audit import Telling
from tieout.store.columns import canonical, parsed
from tieout.store.database import Database
from tieout.store.disk import Directory
from tieout.store.own_sqlite import sqlite3
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import Step
from tieout.store.store import Store
from tieout.store.verify_trail import Anchor, Report, read_anchor, verify

CAMPAIGN = "tamper" in os.environ.get("TIEOUT_CAMPAIGN", "").split(",")
EDITS_EACH = -(-(2_000 if CAMPAIGN else 60) // (len(DEEDS) + 2))  # 2: of files, older copies
RUNS = 6
AT = datetime(2026, 1, 5, tzinfo=UTC)


class Scene:
    """An instance after some runs, the last thing in its trail a checkpoint; and older copies."""

    def __init__(self, home: Path) -> None:
        self.home, self.copies = home, home.parent / "copies"
        self.copies.mkdir()
        store = Store(home, SystemClock())
        store.migrate()
        for n in range(RUNS):
            store.apply_config(f"# {n}\n", "Anna")
            run = store.new_run(NewRun("actuals", "load_actuals", "Anna")).id
            store.run_step(run, "read", partial(_kept, n=n))
            store.finish_run(run, Ending("complete", "Tied.", 0, {}))
            store.close()
            shutil.copyfile(home / "tieout.sqlite", self.copies / f"{n}.sqlite")
        self.key = seals.read(home / seals.TRAIL_KEY_FILE)
        self.anchor = anchors.read(store.anchor)
        self.database = home.parent / "tampered.sqlite"
        self.begin_anew()

    def begin_anew(self) -> None:
        """The database as it was."""
        shutil.copyfile(self.copies / f"{RUNS - 1}.sqlite", self.database)

    def tampered(self) -> sqlite3.Connection:
        """The same, opened by somebody who has lifted the triggers."""
        self.begin_anew()
        return opened(self.database)

    def found(self, *, anchored: bool = True, key: bool = True) -> Report:
        """What a check says."""
        database = Database.at(self.database)
        lines = list(trail_export.lines(database, AT))
        database.close()
        seal_key = self.key.seal_key if key else None
        anchor = self.anchor if anchored else None
        records = Directory(self.home / "records")
        return verify(lines, anchor, records.digest, seal_key, seals.signed)


def _kept(step: Step, n: int) -> dict[str, object]:
    frame = pl.DataFrame({"account": ["1110", "1120"], "amount": [n, 2]})
    step.keep("lines", frame, company="00001", replace=True, sums={"amount": str(n + 2)})
    step.keep("history", frame, company="00001")
    step.tell("uploaded", "file", rows=n)
    return {"rows": 2}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    home = tmp_path_factory.mktemp("tampering") / "home"
    home.mkdir()
    return Scene(home)


def test_an_untouched_instance_is_whole(scene: Scene) -> None:
    scene.begin_anew()
    for anchored in (True, False):
        for key in (True, False):
            report = scene.found(anchored=anchored, key=key)
            assert report.problems == []
            assert (report.files, report.checkpoints) == (2 * RUNS, RUNS)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_every_edit_of_trail_and_manifest_is_found_and_the_first_bad_entry_named(
    scene: Scene, dice: Random, deed: Deed
) -> None:
    for _ in range(EDITS_EACH):
        db = scene.tampered()
        before = (trail(db), rows(db, "app_manifest", "seq"))
        named = deed(db, dice)
        assert (trail(db), rows(db, "app_manifest", "seq")) != before, "something was changed"
        db.commit()
        db.close()

        report = scene.found()

        assert report.problems
        assert report.first_bad == named
        without_key = scene.found(key=False)
        assert without_key.problems
        assert (without_key.first_bad > 0) == (named > 0)
        assert without_key.first_bad <= named, "at the latest where it is; at a checkpoint before"


def test_every_edit_of_a_kept_file_is_found_and_the_file_named(scene: Scene, dice: Random) -> None:
    scene.begin_anew()
    files = sorted((scene.home / "records").rglob("*.parquet"))
    for _ in range(EDITS_EACH):
        path, another = dice.sample(files, 2)
        kept = path.read_bytes()
        if kept == another.read_bytes():
            another = scene.database
        damage(path, another, dice)
        try:
            [problem] = scene.found(key=False).problems
            assert path.name in problem
        finally:
            path.write_bytes(kept)
    assert scene.found().problems == []


def test_an_older_copy_of_the_database_is_found_by_its_anchor_alone(
    scene: Scene, dice: Random
) -> None:
    for _ in range(EDITS_EACH):
        shutil.copyfile(scene.copies / f"{dice.randrange(RUNS - 1)}.sqlite", scene.database)
        report = scene.found()
        assert report.first_bad == report.entries + 1
        assert "an older copy of the database" in report.problems[-1]
        assert scene.found(anchored=False).problems == []


def test_an_end_that_was_cut_off_neatly_is_found_by_the_anchor_alone(scene: Scene) -> None:
    db = scene.tampered()
    [*_, before, _last] = [parsed(line) for line in scene.anchor.checkpoints]
    db.execute("DELETE FROM audit WHERE seq > ?", (before["seq"],))
    db.execute("DELETE FROM app_checkpoint WHERE n > ?", (before["n"],))
    db.execute("UPDATE app_manifest SET superseded_by = NULL WHERE superseded_by LIKE ?", ("%",))
    copy = sqlite3.connect(scene.copies / f"{RUNS - 2}.sqlite")
    db.execute("DELETE FROM app_manifest")
    kept = copy.execute("SELECT * FROM app_manifest").fetchall()
    db.executemany(f"INSERT INTO app_manifest VALUES ({','.join('?' * len(kept[0]))})", kept)
    db.commit()
    assert scene.found(anchored=False).problems == []
    assert scene.found().first_bad == before["seq"] + 1


def test_who_has_the_key_may_write_it_all_anew_but_not_the_anchor(scene: Scene) -> None:
    db = scene.tampered()
    entries = trail(db)
    entries[3]["object"] = "another"
    put_back(db, chained(entries, 3, scene.key))
    for row in rows(db, "app_checkpoint", "n"):
        told = parsed(str(row["line"]))
        told |= {"trail": entries[0]["hash"], "head": entries[told["seq"] - 1]["hash"]}
        del told["signature"]
        line = canonical(told | {"signature": scene.key.sign(canonical(told))})
        db.execute("UPDATE app_checkpoint SET line = ? WHERE n = ?", (line, row["n"]))
    db.commit()
    assert scene.found(anchored=False).problems == []
    report = scene.found()
    first = parsed(scene.anchor.checkpoints[0])
    assert 1 <= report.first_bad <= 4 <= first["seq"]


def test_what_is_newer_than_the_last_checkpoint_can_be_cut_off_unseen(scene: Scene) -> None:
    scene.begin_anew()
    database = Database.at(scene.database, scene.home / seals.TRAIL_KEY_FILE)
    with database.begin() as connection:
        audit.append(connection, AT, Telling("Anna", "did", "this", {}))
    database.close()
    assert "The last 1 entries are newer than the last checkpoint." in scene.found().notices
    db = opened(scene.database)
    db.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
    db.commit()
    assert scene.found().problems == []


def test_an_entry_invented_after_the_last_checkpoint_is_found_with_the_key_alone(
    scene: Scene,
) -> None:
    db = scene.tampered()
    entries = trail(db)
    entries.append({**entries[0], "actor": "Mallory"})
    put_back(db, chained(entries, len(entries) - 1))
    db.commit()
    assert scene.found().first_bad == len(entries)
    assert scene.found(key=False).problems == []


def test_a_run_whose_checkpoint_was_taken_away_is_found_without_an_anchor(scene: Scene) -> None:
    db = scene.tampered()
    db.execute("DELETE FROM app_checkpoint WHERE n = (SELECT max(n) FROM app_checkpoint)")
    db.commit()
    [problem] = scene.found(anchored=False).problems
    assert "checkpoint of entry" in problem


def test_a_checkpoint_signed_with_a_key_of_ones_own_is_found_by_the_anchor(
    scene: Scene, tmp_path: Path
) -> None:
    mallory = seals.make(tmp_path / "key")
    db = scene.tampered()
    entries = trail(db)
    for entry in entries:
        entry["sealed_by"] = mallory.fingerprint
    put_back(db, chained(entries, 0, mallory))
    for row in rows(db, "app_checkpoint", "n"):
        told = parsed(str(row["line"])) | {"public_key": mallory.public}
        told |= {"trail": entries[0]["hash"], "head": entries[told["seq"] - 1]["hash"]}
        del told["signature"]
        line = canonical(told | {"signature": mallory.sign(canonical(told))})
        db.execute("UPDATE app_checkpoint SET line = ? WHERE n = ?", (line, row["n"]))
    db.commit()
    assert scene.found(anchored=False, key=False).problems == [], "nothing says whose key it is"
    assert scene.found(anchored=False).first_bad == 1, "the key of the trail has sealed nothing"
    assert "signed by a key not in the anchor" in scene.found(key=False).problems[0]


def test_a_torn_line_of_the_anchor_is_told_and_the_others_count(scene: Scene) -> None:
    scene.begin_anew()
    whole = scene.anchor
    torn = read_anchor([*whole.checkpoints, whole.checkpoints[0][:50]])
    scene.anchor = torn
    try:
        report = scene.found()
    finally:
        scene.anchor = whole
    assert isinstance(torn, Anchor)
    assert report.problems == []
    assert "Lines of the anchor that cannot be read: 1." in report.notices


def test_the_tamperer_cuts_off_what_tells_of_the_end(scene: Scene, dice: Random) -> None:
    db = scene.tampered()
    named = cut_off(db, dice)
    assert len(trail(db)) == named - 1
    assert all(parsed(str(r["line"]))["seq"] < named for r in rows(db, "app_checkpoint", "n"))
