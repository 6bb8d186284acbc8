"""What the command line hands out: a tie-out as a file, and the evidence pack of a period."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import ZipFile

from demo_home import Home

PERIOD = "2025-03"


def test_a_tie_out_is_written_to_a_file_beside_what_is_printed(
    shared: Home, tmp_path: Path
) -> None:
    to = tmp_path / "march.html"
    done = shared.run("tie-out", "--last", "--period", PERIOD, "--export", str(to))
    assert done.code == 0, done
    digest = hashlib.sha256(to.read_bytes()).hexdigest()
    assert f"Wrote {to}, SHA-256 {digest}." in done.out
    told = shared.run("tie-out", "--last", "--export", str(to), "--json").json["export"]
    assert (told["file"], told["bytes"]) == (str(to), to.stat().st_size)


def test_a_file_of_no_form_is_refused_before_anything_is_compared(
    shared: Home, tmp_path: Path
) -> None:
    done = shared.run("tie-out", "--export", str(tmp_path / "march.pdf"))
    assert (done.code, done.out) == (3, "")
    assert "Let it end with .csv, .xlsx, .html." in done.err
    assert list(tmp_path.iterdir()) == []
    alone = shared.run("tie-out", "--last", "--cells")
    assert alone.code == 2
    assert "--export" in alone.err


def test_an_evidence_pack_is_written_with_its_hash_and_never_a_second_time(
    shared: Home, tmp_path: Path
) -> None:
    to = tmp_path / "march.zip"
    done = shared.run("evidence", "--period", PERIOD, "--to", str(to), "--json")
    assert done.code == 0, done
    assert done.json["sha256"] == hashlib.sha256(to.read_bytes()).hexdigest()
    with ZipFile(to) as pack:
        assert len(pack.namelist()) == done.json["files"]
        assert pack.testzip() is None
    again = shared.run("evidence", "--period", PERIOD, "--to", str(to))
    assert again.code == 3
    assert "not written over" in again.err
    here = shared.run("evidence", "--period", PERIOD, "--flow", "actuals")
    assert here.code == 0, here
    assert f"evidence-actuals-{PERIOD}.zip: " in here.out
    assert (shared.path.parent / f"evidence-actuals-{PERIOD}.zip").is_file()
