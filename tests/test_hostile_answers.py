"""Claims about hostile peers: whatever they answer ends in one clear sentence, within limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hostile import TARGETS, hostile_peer

PROGRAM = Path(__file__).parent / "support" / "hostile_program.py"
ALL, SAMPLE = 1_500, 60  # answers
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


def test_every_hostile_answer_ends_in_one_sentence_within_300_mb_and_the_deadline() -> None:
    campaign = os.environ.get("TIEOUT_CAMPAIGN", "").split(",")
    count = ALL if {"hostile", "all"} & set(campaign) else SAMPLE
    told = asked(0, count)
    assert told["failures"] == []
    assert told["trouble"] + told["understood"] == count
    assert told["trouble"] > count / 2
    assert told["peak_mb"] <= PEAK_MEGABYTES_MAX
    assert told["longest"] <= ANSWER_SECONDS_MAX


def test_the_same_questions_are_understood_when_the_peer_is_honest() -> None:
    """Else a question that is never understood would pass as a hostile answer that was refused."""
    told = asked(-len(TARGETS), len(TARGETS))
    assert (told["failures"], told["understood"]) == ([], len(TARGETS))
