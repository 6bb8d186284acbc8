"""How a process that executes runs ends when a step of it does not come to its end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tieout.errors import Unavailable

ENDS = """
from tieout.errors import Unavailable
from tieout.verbs import working

class Stuck:
    def close(self, seconds):
        return False

try:
    {why}
finally:
    working._close(Stuck(), "tieout worker", print, working.sys.exception())
"""


@pytest.mark.parametrize(
    ("why", "code", "words"),
    [
        ("pass", 0, "begun again by the next `tieout worker`"),
        ("raise Unavailable('It lost its hold.')", Unavailable.exit_code, "It lost its hold."),
        ("raise ValueError", 1, "ValueError"),
    ],
)
def test_a_worker_that_ends_for_an_error_says_so_to_whoever_restarts_it(
    why: str, code: int, words: str
) -> None:
    program = ENDS.format(why=why)
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    assert ended.returncode == code
    assert words in ended.stdout
