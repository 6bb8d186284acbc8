"""Users, tokens and sign-in from the command line, as real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from demo_home import Done, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An instance without practice systems and without users."""
    found = Home(tmp_path / "home")
    assert found.run("init").code == 0
    return found


def as_(home: Home, token: str, *words: str) -> Done:
    return home.run(*words, env={"TIEOUT_TOKEN": token})


def test_the_first_user_gets_a_token_and_signs_in_and_adds_the_others(home: Home) -> None:
    assert "There are no users" in home.run("users", "list").out
    added = home.run("users", "add", "eve", "--role", "admin")
    token = added.out.strip()
    assert token.startswith("tieout_"), "the token alone is on standard output"
    assert "Added eve (admin)" in added.err
    assert home.run("users", "list").code == 4, "the owner acts no more"
    signed_in = home.run("login", "--stdin", stdin=added.out)
    assert "act as eve (admin)" in signed_in.out, signed_in
    assert home.run("users", "add", "ben", "--role", "approver", "--json").json["ok"]
    listed = home.run("users", "list", "--json").json
    assert [u["name"] for u in listed["users"]] == ["ben", "eve"]
    assert token not in json.dumps(listed)
    assert "ben" in home.run("users", "list").out
    assert home.run("login", "--forget").out == "The kept sign-in is gone.\n"
    assert home.run("login", "--forget").out == "Nobody was signed in here.\n"
    assert home.run("users", "list").code == 4


def test_every_command_asks_who_acts_as_soon_as_there_are_users(home: Home) -> None:
    home.run("users", "add", "eve", "--role", "admin")
    commands = (
        ("runs",), ("show", "x-1"), ("rejects",), ("map",), ("map", "account", "1", "2"),
        ("run", "x"), ("preview", "x"), ("replay", "x-1"),
        ("backfill", "actuals", "--from", "2025-01", "--to", "2025-02", "--why", "x"),
        ("tie-out",), ("tie-out", "--last"), ("rejects", "assign", "1", "--to", "eve"),
        ("rejects", "waive", "1", "--why", "x"), ("rejects", "reopen", "1", "--why", "x"),
        ("connect", "erp", "--stdin"), ("init", "--apply"), ("users", "list"),
        ("users", "add", "max", "--role", "admin"), ("tokens", "create"), ("tokens", "revoke", "x"),
    )  # fmt: skip
    for words in commands:
        done = as_(home, "", *words, "--json")
        assert done.code == 4, (words, done)
        assert "Nobody is signed in" in done.json["error"], words


def test_a_token_made_for_one_thing_does_that_and_nothing_else(home: Home) -> None:
    eve = home.run("users", "add", "eve", "--role", "admin", "--role", "operator").out.strip()
    made = as_(home, eve, "tokens", "create", "--scope", "view", "--for", "a screen", "--json").json
    assert as_(home, made["secret"], "runs").code == 0
    refused = as_(home, made["secret"], "users", "add", "max", "--role", "admin")
    assert (refused.code, "made for less than" in refused.err) == (4, True), refused
    assert "acts for nobody" in as_(home, eve, "tokens", "revoke", made["token"]["id"]).out
    assert as_(home, made["secret"], "runs").code == 4


def test_what_is_set_from_the_command_line_stands_under_the_name_of_who_acts(home: Home) -> None:
    anna = home.run("users", "add", "anna", "--role", "admin", "--role", "operator").out.strip()
    assert as_(home, anna, "map", "account", "8740", "8750").code == 0
    assert home.rows("select set_by from app_mapping") == [("anna",)]
    assert home.rows("select actor, act from audit order by seq desc limit 1") == [
        ("anna", "set mapping")
    ]
    for path in home.path.iterdir():
        assert anna.encode() not in path.read_bytes(), path
