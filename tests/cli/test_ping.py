"""`tieout ping` prints the rungs and the text to send, and ends with the code of the first ✗."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_home import Home
from pinged import Broken, made


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Broken]:
    found = made(tmp_path / "home")
    yield found
    found.books.close()


def test_the_rungs_are_printed_up_to_the_first_that_does_not_hold(broken: Broken) -> None:
    broken.switch("allowed_host", False)
    done = Home(broken.books.home).run("ping", "erp")
    assert done.code == 4, done
    rungs = [line for line in done.out.splitlines() if line.startswith(tuple("✓!✗–"))]
    signs = {line[2:14].strip(): line[0] for line in rungs}
    assert signs == {
        "name": "✓", "door": "✓", "lock": "!", "who is it": "✓", "let in": "✗", "right place": "–",
        "may read": "–", "may act": "–", "limits": "–",
    }  # fmt: skip
    assert "[allowed-hosts] Add the AIS server" in done.out
    assert "    To: the JDE administrator (CNC)\n" in done.out


def test_both_connections_are_tested_though_one_does_not_hold(broken: Broken) -> None:
    broken.switch("allowed_host", False)
    done = Home(broken.books.home).run("ping", "--json")
    found = done.json
    assert (done.code, found["ok"], found["exit_code"]) == (4, False, 4)
    assert [(c["connection"], c["ok"]) for c in found["connections"]] == [
        ("erp", False), ("planning", True),
    ]  # fmt: skip
