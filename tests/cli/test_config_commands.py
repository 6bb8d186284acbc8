"""The configuration as a person types it: asked for once, planned, applied, and piped round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_home import Home


@pytest.fixture
def new(tmp_path: Path) -> Home:
    """A home that `tieout init` made from answers, applied."""
    home = Home(tmp_path / "new")
    answers = ["--jde-url", "https://ais.corp.example:9302/jderest", "--companies", "1,60"]
    assert home.run("init", *answers, "--stage", "PROD").code == 0
    assert home.run("config", "apply", "--why", "the first").code == 0
    return home


def kept(home: Home) -> tuple[list[object], bytes]:
    rows = home.rows("select version, text, sha256 from app_config")
    trail = home.rows("select hash from audit")
    return [*rows, *trail], (home.path / "tieout.toml").read_bytes()


def test_wrong_answers_and_questions_nobody_answers_leave_nothing_behind(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    done = home.run("init", "--anaplan-region", "atlantis", "--from-period", "2025")
    assert (done.code, home.path.exists()) == (3, False)
    assert "Nothing was written" in done.err
    file = Home(tmp_path / "file")
    file.path.write_text("somebody's")
    done = file.run("init")
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert "cannot be the directory of an instance" in done.err


def test_an_export_piped_into_apply_is_the_same_bytes_and_changes_nothing(
    new: Home, record_property: Callable[[str, object], None]
) -> None:
    before = kept(new)
    tieout = f"{sys.executable} -m tieout --home {new.path}"
    pipe = f"{tieout} config export | tee {new.path}.toml | {tieout} config apply -"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe], capture_output=True, text=True, check=False,
        env=os.environ, cwd=new.path.parent,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "Nothing changes" in done.stdout
    assert Path(f"{new.path}.toml").read_bytes() == before[1]
    assert kept(new) == before
    record_property("configurations exported and applied again without a byte changed", 1)


def test_a_person_plans_applies_looks_back_and_goes_back(new: Home) -> None:
    file = new.path / "tieout.toml"
    first = file.read_text()
    file.write_text(first.replace('["00001", "00060"]', '["00001"]'))
    planned = new.run("config", "plan")
    assert (planned.code, "flows.actuals.companies becomes" in planned.out) == (0, True)
    assert "reads everything anew" in " ".join(planned.out.split())
    assert new.run("config", "apply").code == 3  # no reason
    assert new.run("config", "apply", "--why", "only one").code == 0
    assert "only one" in new.run("config", "history").out
    earlier = new.run("config", "export", "--version", "1").out
    back = new.run("config", "apply", "-", "--why", "back", "--json", stdin=earlier)
    assert (back.json["version"], back.json["applied"]) == (3, True)
    assert file.read_text() == first
    assert "Version 3 holds" in new.run("config").out


def test_the_schema_is_json_and_an_unknown_key_is_told_with_the_nearest(new: Home) -> None:
    schema = json.loads(new.run("config", "schema").out)
    assert "notices" in schema["$defs"]["Project"]["properties"]
    file = new.path / "tieout.toml"
    file.write_text(file.read_text().replace("prior_years", "prior_yeers"))
    done = new.run("config", "plan")
    assert done.code == 3
    assert "did you mean `prior_years`?" in done.err


def test_answers_are_not_written_over_a_file_that_is_there(new: Home) -> None:
    before = kept(new)
    done = new.run("init", "--model", "Another")
    assert (done.code, "already" in done.err) == (3, True)
    assert kept(new) == before
