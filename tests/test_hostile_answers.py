"""Claims about hostile peers: whatever they answer ends in one clear sentence, within limits."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hostile import TARGETS, hostile_peer

from tieout.clock import SystemClock
from tieout.errors import Refused
from tieout.http import Http
from tieout.outgoing import Allowed

PROGRAM = Path(__file__).parent / "support" / "hostile_program.py"
ALL, SAMPLE = 1_700, 60  # answers; some are odd, and understood as they are
SENTENCES_MIN = 1_500  # in which they end
PEAK_MEGABYTES_MAX = 300
ANSWER_SECONDS_MAX = 20  # all tries of one question, on a busy machine


def asked(first: int, count: int) -> dict[str, Any]:
    """How the answers of this seed ended, in a process of their own."""
    seed = os.environ["TIEOUT_SEED"]
    with hostile_peer(int(seed)) as url:
        done = subprocess.run(
            [sys.executable, str(PROGRAM), url, seed, str(first), str(count)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_hostile_answer_ends_in_one_sentence_within_300_mb_and_the_deadline(
    record_property: Callable[[str, object], None],
) -> None:
    campaign = os.environ.get("TIEOUT_CAMPAIGN", "").split(",")
    count = ALL if {"hostile", "all"} & set(campaign) else SAMPLE
    told = asked(0, count)
    assert told["failures"] == []
    assert told["trouble"] + told["understood"] == count
    assert told["trouble"] >= (SENTENCES_MIN if count == ALL else SAMPLE / 2)
    assert told["peak_mb"] <= PEAK_MEGABYTES_MAX
    assert told["longest"] <= ANSWER_SECONDS_MAX
    record_property("hostile answers that ended in one clear sentence", told["trouble"])
    record_property("answers of a hostile peer that were understood as they were",
                    told["understood"])  # fmt: skip
    record_property("MB while hostile answers were read, at most", round(told["peak_mb"]))
    record_property("seconds for a question to a hostile peer, at most", round(told["longest"]))


def test_the_same_questions_are_understood_when_the_peer_is_honest() -> None:
    """Else a question that is never understood would pass as a hostile answer that was refused."""
    told = asked(-len(TARGETS), len(TARGETS))
    assert (told["failures"], told["understood"]) == ([], len(TARGETS))


def test_a_status_that_http_does_not_have_is_refused_though_its_body_could_be_read() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        place = f"http://127.0.0.1:{door.getsockname()[1]}"

        def answer() -> None:
            caller, _ = door.accept()
            with caller:
                caller.recv(65_536)
                caller.sendall(b'HTTP/1.1 999 ?\r\nContent-Length: 11\r\n\r\n{"ok":true}')

        threading.Thread(target=answer, daemon=True).start()
        http = Http(place, system="The peer", clock=SystemClock(), allowed=Allowed([place]),
                    allow_http=True, tries=1)  # fmt: skip
        with closing(http), pytest.raises(Refused, match="status 999, which HTTP does not have"):
            http.send("GET", "/x", repeatable=True)
