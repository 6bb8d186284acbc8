"""The frame around the tests: what a machine lacks is counted, and never silently left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

HERE = Path(__file__).parent
TEST = """
import pytest
@pytest.mark.needs("postgres")
def test_that_needs_a_server(): pass
"""


def run_without_a_server(folder: Path, require: str) -> subprocess.CompletedProcess[str]:
    """One test that needs PostgreSQL, on a machine where none answers."""
    (folder / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (folder / "test_it.py").write_text(TEST)
    nobody = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    ours = {"TIEOUT_REQUIRE": require, "TIEOUT_TEST_DATABASE": nobody,
            "PYTHONPATH": f"{HERE / 'support'}{os.pathsep}{HERE.parent}"}  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "."]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **ours}, capture_output=True, text=True, check=False
    )


def test_without_postgres_the_tests_pass_and_say_what_was_left_out(tmp_path: Path) -> None:
    done = run_without_a_server(tmp_path, require="")
    assert done.returncode == 0, done.stdout
    assert "left out: 1 postgres" in done.stdout


def test_a_required_postgres_that_is_missing_fails_the_tests(tmp_path: Path) -> None:
    done = run_without_a_server(tmp_path, require="chromium, postgres")
    assert done.returncode == 1, done.stdout
    assert "TIEOUT_REQUIRE names postgres" in done.stdout


@pytest.mark.needs("postgres")
def test_a_test_gets_a_postgres_database_of_its_own(postgres_url: str) -> None:
    plain = make_url(postgres_url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False)) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)
