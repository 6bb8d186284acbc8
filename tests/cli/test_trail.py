"""The trail from the command line: whole, or the first bad entry and exit code 6."""

from __future__ import annotations

import json
from pathlib import Path

from demo_home import Home
from trail_tampering import opened


def test_an_edited_entry_ends_the_check_with_its_number_and_code_6(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.run("init").code == 0
    signed = home.run("audit", "checkpoint")
    assert json.loads(signed.out)["n"] == 1
    assert "checkpoints.jsonl" in signed.err
    whole = home.run("audit", "verify")
    assert whole.code == 0, whole
    assert whole.out.endswith("The trail is whole.\n")
    assert "public part is" in whole.out
    kinds = [next(iter(json.loads(line))) for line in home.run("audit", "export").out.splitlines()]
    assert [kind for kind in kinds if kind != "entry"] == ["export", "checkpoint", "end"]

    db = opened(home.path / "tieout.sqlite")
    db.execute("UPDATE audit SET actor = 'Mallory' WHERE seq = 2")
    db.commit()
    db.close()

    checked = home.run("audit", "verify", "--json")
    assert checked.code == 6
    assert (checked.json["ok"], checked.json["first_bad"]) == (False, 2)
    (home.path / "checkpoints.jsonl").unlink()
    missing = home.run("audit", "verify")
    assert missing.code == 3
    assert "cannot be read" in missing.err


def test_a_lost_key_of_the_trail_stops_what_would_be_told_and_init_can_go_on(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    assert home.run("init").code == 0
    (home.path / "trail-key").unlink()
    stopped = home.run("users", "add", "eve", "--role", "admin")
    assert stopped.code == 9
    assert "init --new-key" in stopped.err
    assert home.run("init", "--new-key").code == 0
    assert home.run("users", "add", "eve", "--role", "admin").code == 0
