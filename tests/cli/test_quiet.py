"""Runs that find nothing new are quiet, and a defect is a sentence and a log."""

from __future__ import annotations

from demo_home import Done, Home

JDE_REQUESTS_MAX = 8


def sentence_of(done: Done) -> str:
    """What a failed command told: the same text nowhere twice, and no traceback."""
    told = f"{done.out}\n{done.err}"
    assert "Traceback" not in told
    return " ".join(told.split())


def test_a_second_run_with_nothing_new_asks_little_and_anaplan_nothing(home: Home) -> None:
    told = home.run("run", "actuals")  # the demo's plan was posted after the actuals were loaded
    assert told.code == 0
    assert home.changes() == []
    home.forget_requests()
    done = home.run("run", "actuals")
    assert done.code == 0
    assert "Nothing new for actuals" in done.out
    asked = home.requests("jde")
    assert 0 < len(asked) <= JDE_REQUESTS_MAX, asked
    assert home.requests("anaplan") == []


def test_a_defect_is_one_sentence_and_its_details_are_in_the_log_of_the_home(home: Home) -> None:
    addresses = home.path / "sim" / "addresses.json"
    good = addresses.read_text()
    addresses.write_text("{")
    done = home.run("run", "actuals")
    assert done.code == 1
    assert "Something unexpected happened (JSONDecodeError" in sentence_of(done)
    assert len(done.err.strip().splitlines()) == 1
    log = home.path / "tieout.log"
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    told = home.run("run", "actuals", "--json")
    assert (told.code, told.err, told.json["exit_code"]) == (1, "", 1)
    addresses.write_text(good)
