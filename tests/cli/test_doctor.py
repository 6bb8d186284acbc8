"""`tieout doctor` prints a line for each check and ends with the exit code of the first trouble."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo_home import Home


@pytest.fixture(scope="module")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An instance that was just made, and nothing more."""
    home = Home(tmp_path_factory.mktemp("doctor") / "home")
    assert home.run("init").code == 0
    return home


def test_each_line_begins_with_how_it_stands_and_a_code(new_home: Home) -> None:
    bundle = new_home.path.parent / "support.zip"
    done = new_home.run("doctor", "--port", "0", "--bundle", str(bundle))

    assert done.code == 0, done
    checks = [line.split()[:2] for line in done.out.splitlines() if line[0] in "✓!✗"]
    assert ["✓", "database"] in checks
    assert ["!", "configuration"] in checks
    assert done.out.splitlines()[-1].endswith("notices.")
    assert f"Wrote {bundle}." in done.err
    assert bundle.exists()


def test_a_trouble_is_its_exit_code_and_one_object_with_json(new_home: Home) -> None:
    key: Path = new_home.path / "key"
    aside = key.rename(new_home.path / "key-aside")

    done = new_home.run("doctor", "--json")

    aside.rename(key)
    found = done.json
    assert (done.code, found["exit_code"], found["ok"]) == (9, 9, False)
    [told] = [check for check in found["checks"] if check["state"] == "trouble"]
    assert told["code"] == "vault-key"
    assert "there is no such file" in told["what"]


def test_without_an_instance_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    done = Home(tmp_path / "nowhere").run("doctor")

    assert done.code == 3
    assert "✗ home" in done.out
    assert "✓ time-zones" in done.out
    assert not (tmp_path / "nowhere").exists()
