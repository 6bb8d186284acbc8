"""The end of every run is signed, kept in the database and brought to the anchor."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from tieout.errors import KeyTrouble, Misconfigured
from tieout.store import anchors, checkpoints, seals, trail_export, verify_trail
from tieout.store.columns import parsed
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import Step
from tieout.store.store import Store
from tieout.store.verify_trail import Report, signed_by_arithmetic, verify

DONE = Ending("complete", "Tied.", 0, {})
ALONE = Path(verify_trail.__file__)


def ended_run(store: Store) -> str:
    def keep(step: Step) -> dict[str, object]:
        step.keep_bytes("dump", b"rejected", ".csv", replace=True, sums={"amount": "-1.50"})
        return {}

    run = store.new_run(NewRun("actuals", "load_actuals", "Anna")).id
    store.run_step(run, "keep", keep)
    store.finish_run(run, DONE)
    return run


def kept(store: Store) -> list[str]:
    with store.database.read() as connection:
        return checkpoints.lines(connection)


def exported(store: Store) -> list[str]:
    return list(trail_export.lines(store.database, store.clock.now()))


def checked(store: Store) -> Report:
    key = seals.read(store.home / seals.TRAIL_KEY_FILE).seal_key
    anchor = anchors.read(store.anchor)
    return verify(exported(store), anchor, store.records.digest, key)


def test_every_run_that_ends_is_signed_once_and_stands_at_the_anchor(store: Store) -> None:
    runs = [ended_run(store) for _ in range(3)]
    store.finish_run(runs[-1], DONE)
    told = [parsed(line) for line in kept(store)]
    assert [(c["n"], c["run"]) for c in told] == list(enumerate(runs, 1))
    ends = {e.run: e for e in store.audit() if e.act == "finished run"}
    assert [(c["seq"], c["head"]) for c in told] == [(ends[r].seq, ends[r].hash) for r in runs]
    first, *others = store.anchor.read_text().splitlines()
    assert parsed(first)["public_key"] == told[0]["public_key"]
    assert others == kept(store)
    assert store.anchor.stat().st_mode & 0o777 == 0o600
    report = checked(store)
    assert (report.problems, report.notices) == ([], [])
    assert (report.checkpoints, report.files) == (3, 3)


def test_a_run_ends_without_its_anchor_and_the_next_brings_what_is_missing(store: Store) -> None:
    store.anchor = store.home / "away" / "checkpoints.jsonl"
    run = ended_run(store)
    assert store.run(run).outcome == "complete"
    last = store.audit()[-1]
    assert (last.act, last.run) == ("could not write anchor", run)
    assert "No such file" in last.told["why"]
    with pytest.raises(Misconfigured, match="cannot be written"):
        checkpoints.bring(store.database, store.anchor)
    store.anchor.parent.mkdir()
    ended_run(store)
    assert store.anchor.read_text().splitlines()[1:] == kept(store)
    assert checked(store).problems == []


def test_a_line_torn_by_a_power_cut_does_not_spoil_the_next(store: Store) -> None:
    ended_run(store)
    ended_run(store)
    whole = store.anchor.read_text()
    store.anchor.write_text(whole[:-30])
    ended_run(store)
    report = checked(store)
    assert report.problems == []
    assert report.notices == ["Lines of the anchor that cannot be read: 1."]


def test_the_anchor_of_another_trail_is_left_as_it_is(store: Store, tmp_path: Path) -> None:
    ended_run(store)
    before = store.anchor.read_bytes()
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other", store.clock, anchor=store.anchor)
    other.migrate()
    ended_run(other)
    assert "of another trail" in other.audit()[-1].told["why"]
    assert store.anchor.read_bytes() == before
    assert checked(other).first_bad == 1
    other.close()


def test_nothing_is_done_without_the_key_of_the_trail(store: Store) -> None:
    store.apply_config("a", "Anna")
    key = store.home / seals.TRAIL_KEY_FILE
    away = key.rename(store.home / "away")
    with pytest.raises(KeyTrouble, match="seals the trail cannot be read"):
        store.apply_config("b", "Anna")
    store.migrate()
    assert not key.exists(), "nor is another one made behind anybody's back"
    seals.make(key)
    with pytest.raises(KeyTrouble, match="is sealed with the key"):
        store.apply_config("b", "Anna")
    config = store.config()
    assert config is not None
    assert config.text == "a"
    shutil.move(away, key)
    assert store.apply_config("b", "Anna").version == 2
    assert store.verify_audit().whole


def test_a_lost_key_of_the_trail_is_replaced_when_asked_and_the_trail_tells(store: Store) -> None:
    store.safe.make_key("Eve")
    ended_run(store)
    (store.home / seals.TRAIL_KEY_FILE).unlink()
    credentials_key = (store.home / "key").read_bytes()
    store.safe.make_key("Eve", anew=True)
    assert (store.home / "key").read_bytes() == credentials_key
    last = store.audit()[-1]
    public = seals.read(store.home / seals.TRAIL_KEY_FILE).public
    assert (last.act, last.object, last.told) == ("made key", "trail-key", {"public_key": public})
    ended_run(store)
    report = checked(store)
    assert report.problems == []
    assert f"Entries 1 to {last.seq - 1} were sealed with a key" in " ".join(report.notices)
    assert len(report.public_keys) == 2
    assert report.public_keys[1] == public
    with pytest.raises(KeyTrouble, match="There is a key"):
        store.safe.make_key("Eve", anew=True)


def test_a_changed_file_or_row_is_found_on_either_database(store: Store) -> None:
    ended_run(store)
    ended_run(store)
    with store.begin() as connection:
        connection.execute(text("UPDATE app_manifest SET superseded_by = NULL"))
    [problem] = checked(store).problems
    assert problem.endswith("told: superseded_by.")


def test_an_export_that_was_cut_short_is_not_taken_for_whole(store: Store) -> None:
    ended_run(store)
    lines = exported(store)
    assert verify(lines).problems == []
    for length in range(len(lines)):
        assert verify(lines[:length]).problems, length
    for left_out in range(len(lines)):
        assert verify([*lines[:left_out], *lines[left_out + 1 :]]).problems, left_out


def alone(store: Store, tmp_path: Path, *words: str) -> tuple[int, str]:
    """What the verifier says without any package, copied to where nothing of ours is."""
    program = shutil.copy(ALONE, tmp_path / "verify.py")
    export = tmp_path / "export.jsonl"
    command = [sys.executable, "-I", "-S", str(program), str(export), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_the_verifier_works_alone_on_an_export(store: Store, tmp_path: Path) -> None:
    ended_run(store)
    export = tmp_path / "export.jsonl"
    export.write_text("\n".join(exported(store)) + "\n")
    given = ["--anchor", str(store.anchor), "--records", str(store.records.root)]
    key = ["--key", str(store.home / seals.TRAIL_KEY_FILE)]
    code, told = alone(store, tmp_path, *given, *key)
    assert code == 0, told
    assert "3 entries, 1 checkpoints, 1 files" in told
    export.write_text(export.read_text().replace('"finished step"', '"finished stop"'))
    code, told = alone(store, tmp_path, *given)
    assert code == 6
    assert "Entry 2 was edited." in told
    store.anchor.write_text(store.anchor.read_text().replace('"n":1', '"n":2'))
    assert "does not bear out its signature" in alone(store, tmp_path, *given)[1]


def test_the_verifier_imports_nothing_of_ours() -> None:
    tree = ast.parse(ALONE.read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names}
    assert tops - set(sys.stdlib_module_names) == set()


def test_the_arithmetic_finds_what_the_library_finds(dice: Random) -> None:
    for _ in range(4):
        key = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), dice.randbytes(dice.randrange(99))
        signature = key.sign(message)
        assert signed_by_arithmetic(public, signature, message)
        place, bit = dice.randrange(64), 1 << dice.randrange(8)
        bad = bytes(b ^ bit * (n == place) for n, b in enumerate(signature))
        order = verify_trail.ORDER + int.from_bytes(signature[32:], "little")
        forged = signature[:32] + order.to_bytes(33, "little")[:32]
        for wrong in (bad, forged, signature[:63], b"", signature + b"\0"):
            assert not signed_by_arithmetic(public, wrong, message)
            assert not seals.signed(public, wrong, message)
        assert not signed_by_arithmetic(public, signature, message + b"\0")
        assert not signed_by_arithmetic(b"\xff" * 32, signature, message)
