"""A lost key is replaced only when somebody asks for it, and never while there is one."""

from __future__ import annotations

from pathlib import Path

from demo_home import Home


def test_a_key_that_is_there_is_not_replaced_even_when_asked(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.run("init").code == 0
    before = (home.path / "key").read_bytes()
    assert home.run("init", "--new-key").code == 9
    assert (home.path / "key").read_bytes() == before


def test_a_lost_key_is_made_anew_when_asked(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.run("init").code == 0
    before = (home.path / "key").read_bytes()
    (home.path / "key").unlink()
    assert home.run("init", "--new-key").code == 0
    assert (home.path / "key").read_bytes() != before
