"""What a command says was done, who did it, and what to type next: the next command works."""

from __future__ import annotations

import os
import re
import shlex
import signal

from demo_home import Done, Home, until

from tieout.verbs import practice

WHY = "planned together with unit 1"


def next_words(done: Done) -> list[str]:
    """The command behind `Next:`, without the program and the home."""
    (line,) = (x for x in done.out.splitlines() if x.startswith("Next: "))
    program, option, _, *words = shlex.split(line.removeprefix("Next: "))
    assert (program, option) == ("tieout", "--home")
    return words


def test_mappings_are_listed_with_who_set_them_when_and_why(home: Home) -> None:
    assert home.run("map", "account", "8740.MEALS", "8740", "--why", WHY).code == 0
    listed = home.run("map")
    told = " ".join(listed.out.split())
    assert "account 8740.MEALS maps to 8740" in told
    assert WHY in told
    assert "business-unit J77 maps to 1" in told
    assert "the demo's person: this unit is planned together with the other" in told
    assert re.search(r"set by ana, \d\d \w{3} \d{4} \d\d:\d\d:\d\d UTC", told)
    (own,) = (m for m in home.run("map", "--json").json["mappings"] if m["dimension"] == "account")
    assert (own["source"], own["target"], own["set_by"], own["why"]) == (
        "8740.MEALS", "8740", "ana", WHY,
    )  # fmt: skip


def test_one_code_is_listed_with_every_mapping_it_ever_had(home: Home) -> None:
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "split again").code == 0
    told = " ".join(home.run("map", "business-unit", "J77").out.split())
    assert told.index("maps to 1") < told.index("maps to itself")
    assert "split again" in told
    assert home.run("map", "business-unit", "none").out == "none was never mapped.\n"


def test_after_a_mapping_the_next_command_sends_what_waited_for_it(home: Home) -> None:
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    words = next_words(home.run("map", "business-unit", "J77", "1", "--why", WHY))
    assert words == ["replay", "actuals-3"]
    done = home.run(*words)
    assert done.code == 0
    assert "nothing is left to send" in done.err  # Anaplan shows it as it was mapped before
    assert home.run("tie-out", "--last").code == 0


def test_a_replay_shows_what_it_would_send_and_sends_it_after_a_yes(home: Home) -> None:
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    assert home.run("map", "business-unit", "J77", "10", "--why", WHY).code == 0
    shown = home.run("replay", "actuals-3")
    assert shown.code == 7
    assert "Would be sent: what actuals-3 could not load, 6 cells." in shown.out
    assert "with --yes sends it" in shown.err
    done = home.run("replay", "actuals-3", "--yes", "--json")
    assert (done.code, done.json["rows_sent"]) == (0, 6)


def test_where_nothing_waited_the_next_command_after_a_mapping_is_a_run(home: Home) -> None:
    done = home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test")
    assert next_words(done) == ["run", "actuals"]
    assert home.run("run", "actuals").code == 5, "the mapping moved its cells"


def test_a_run_that_nobody_waits_for_says_once_that_it_waits(home: Home) -> None:
    with home.served():
        done = home.run("run", "actuals", "--no-wait")
        assert done.code == 0
        assert done.out.lower().count("waiting") == 1, done.out
        assert next_words(done) == ["show", "actuals-3"]
        until(lambda: home.run("show", "actuals-3", "--json").json["outcome"] == "complete")


def test_practice_systems_started_behind_a_command_are_told_with_how_to_stop_them(
    home: Home,
) -> None:
    first = home.run("run", "actuals")
    assert first.code == 0
    (line,) = first.err.splitlines()
    found = re.search(r"`kill (\d+)` stops them", line)
    assert found, line
    assert "practice systems" in line
    assert home.run("run", "actuals").err == "", "they were there already"
    os.kill(int(found[1]), signal.SIGTERM)
    until(lambda: practice.addresses(home.path) is None)
    told = home.run("run", "actuals", "--json")
    assert told.json["ok"] is True


def test_amounts_of_rejects_are_said_to_be_without_signs(home: Home) -> None:
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    listed = home.run("rejects").out
    assert "Amounts are sums of cells without their signs." in listed.splitlines()[0]
    assert " 0.00 " not in listed
