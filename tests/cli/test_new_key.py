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


def test_the_key_is_changed_and_a_wrong_one_ends_a_command_with_its_name(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.run("init").code == 0
    before = home.run("keys", "show", "--json").json["keys"]
    done = home.run("keys", "rotate")
    assert done.code == 0, done
    assert "seals from now on" in done.out
    assert f"key.retired-{before[0]['fingerprint']}" in done.out
    now = {k["fingerprint"]: k for k in home.run("keys", "show", "--json").json["keys"]}
    assert now[before[0]["fingerprint"]]["state"] == "retired"

    wrong = {"TIEOUT_KEY_COMMAND": f"cat {home.path / 'wrong'}"}
    (home.path / "wrong").write_text("A" * 43 + "=")
    refused = home.run("keys", "show", env=wrong)
    assert refused.code == 9
    [current] = [name for name, key in now.items() if key["state"] == "current"]
    assert f"sealed with the key {current}; the key in what `cat …` prints is" in refused.err
    assert (home.path / "key").read_text().strip() not in refused.err + done.out
