"""Holding, looking and purging as a person types it, and a purge that is killed."""

from __future__ import annotations

import json
import re
import signal

from demo_home import Done, Home

RULES = '\n[retention]\nworkings = "30 days"\ncalls = "30 days"\nuploads = "30 days"\n'
DAYS_SECONDS = 40 * 86_400


class Later:
    """A home whose first loads are forty days old, with rules of thirty."""

    def __init__(self, home: Home) -> None:
        self.home = home
        file = home.path / "tieout.toml"
        file.write_text(file.read_text() + RULES)
        assert self.run("init", "--apply").code == 0
        home.control("jde", "clock", advance=DAYS_SECONDS)
        assert self.run("run", "actuals").code == 0

    def run(self, *words: str, **env: str) -> Done:
        clock = self.home.practice()["jde_control"]
        return self.home.run(*words, env={"TIEOUT_CLOCK": clock} | env)

    def digest(self) -> str:
        found = re.search(r"retention purge --digest (\w+)", self.run("retention", "preview").out)
        assert found is not None
        return found[1]

    def files(self) -> set[str]:
        return {str(path) for path in (self.home.path / "records").rglob("*.*")}


def test_a_person_looks_holds_releases_and_purges(home: Home) -> None:
    later = Later(home)
    overview = later.run("retention").out
    assert "30 days" in overview
    assert "for ever" in overview
    assert later.run("retention", "purge", "--digest", "0" * 12).code == 4
    held = later.run("retention", "hold", "case-7", "--all", "--why", "A suit")
    assert "Hold case-7 on everything: in force" in held.out
    assert "The hold case-7 keeps" in later.run("retention", "preview").out
    assert later.run("retention", "release", "case-7", "--why", "Settled").code == 0

    done = later.run("retention", "purge", "--digest", later.digest())

    assert done.code == 0, done
    assert re.search(r"uploads \(30 days\): \d+ files, [\d,]+ rows, [\d.]+ [KM]?B", done.out)
    shown = later.run("show", "actuals-1")
    assert "Purged on" in shown.out
    rebuilt = later.run("show", "actuals-1", "--reproduce")
    assert (rebuilt.code, rebuilt.err.count("\n")) == (4, 1)
    assert rebuilt.err.startswith("Purged on")
    assert later.run("retention", "hold", "x", "--why", "y").code == 2


def test_a_purge_that_is_killed_leaves_nothing_in_doubt(home: Home) -> None:
    later = Later(home)
    before, digest = later.files(), later.digest()

    killed = later.run("retention", "purge", "--digest", digest, TIEOUT_KILL_AT="purge:committed")

    assert killed.code == -signal.SIGKILL
    assert later.files() == before
    assert later.run("audit", "verify").code == 0
    assert later.run("retention", "purge", "--digest", digest).code == 3  # there is nothing left
    assert later.files() < before
    assert later.run("audit", "verify").code == 0


def test_who_is_no_administrator_neither_holds_nor_purges(home: Home) -> None:
    people = json.loads((home.path / "people.json").read_text())
    for name in ("pat", "audra"):
        for words in (("hold", "x", "--all", "--why", "y"), ("release", "x", "--why", "y"),
                      ("purge", "--digest", "0" * 12)):  # fmt: skip
            refused = home.run("retention", *words, env={"TIEOUT_TOKEN": people[name]["token"]})
            assert refused.code == 4, refused
            assert "takes the role admin" in refused.err
