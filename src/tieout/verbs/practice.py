"""Start the practice systems of a demo home when they do not answer, and stop them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tieout.errors import Unavailable
from tieout.settings import for_other_programs

PRACTICE_DIRECTORY = "sim"
# What lies in that directory for who connects to the practice systems.
GIVEN = {
    "erp.json": "user and password for JD Edwards, as `tieout connect --stdin` reads them",
    "planning.json": "the same for Anaplan",
    "ca.pem": "the authority that signed the certificates of both",
    "anaplan.pem": "a certificate that Anaplan has registered", "anaplan.key": "its private key",
    "jde.pem": "a certificate for who calls JD Edwards", "jde.key": "its private key",
}  # fmt: skip
ANSWER_SECONDS_MAX = 1.0
CONTROL_SECONDS_MAX = 60


def practice_home(home: Path) -> bool:
    """Whether a home has practice systems beside it."""
    return (home / PRACTICE_DIRECTORY / "addresses.json").exists()


def addresses(home: Path) -> dict[str, str] | None:
    """Where the practice systems of a home answer right now; None when they do not."""
    file = home / PRACTICE_DIRECTORY / "addresses.json"
    if not file.exists():
        return None
    found: dict[str, str] = json.loads(file.read_text())
    parts = urlsplit(found["jde_control"])
    try:
        with socket.create_connection(
            (parts.hostname or "", parts.port or 0), timeout=ANSWER_SECONDS_MAX
        ):
            return found
    except OSError:
        return None


def start_practice(home: Path, *arguments: str) -> dict[str, str]:
    """Start `tieout sim` for a home in a process of its own, unless it answers; its addresses."""
    known = addresses(home)
    if known:
        return known
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tieout", "--home", str(home), "sim", *arguments]
    with (home / "sim.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, arguments are ours
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            start_new_session=True, env=for_other_programs(),
        )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    if not line.strip():
        raise Unavailable(
            "The practice systems did not start.",
            do=f"Read {home / 'sim.log'}, then run the command again.",
        )
    (home / PRACTICE_DIRECTORY / "pid").write_text(str(process.pid))
    found: dict[str, str] = json.loads(line)
    return found


def wake_practice(home: Path) -> str:
    """Start them unless they answer; what to tell of it, nothing when they were there."""
    if addresses(home):
        return ""
    start_practice(home)
    pid = (home / PRACTICE_DIRECTORY / "pid").read_text()
    return (
        "Started the practice systems of this demo in the background, where they stay; "
        f"`kill {pid}` stops them."
    )


def stop_practice(home: Path) -> None:
    """Stop the practice systems of a home, if we started them and they still run."""
    file = home / PRACTICE_DIRECTORY / "pid"
    if not file.exists() or addresses(home) is None:
        return
    try:
        os.kill(int(file.read_text()), signal.SIGTERM)
    except ProcessLookupError:
        return
    finally:
        file.unlink()


def control(home: Path, system: str, verb: str, **body: object) -> dict[str, Any]:
    """What a person does inside a practice system, asked at its control port."""
    url = f"{start_practice(home)[f'{system}_control']}/control/{verb}"
    # S310 warns of file: URLs; this one is written by the practice systems themselves.
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, method="POST")  # noqa: S310 - above
    limit = CONTROL_SECONDS_MAX
    with urllib.request.urlopen(request, timeout=limit) as answer:  # noqa: S310 - above
        found: dict[str, Any] = json.load(answer)
    return found


def credentials(home: Path) -> dict[str, dict[str, str]]:
    """The service users of the practice systems."""
    found: dict[str, dict[str, str]] = json.loads(
        (home / PRACTICE_DIRECTORY / "credentials.json").read_text()
    )
    return found
