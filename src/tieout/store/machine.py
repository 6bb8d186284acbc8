"""Names this process for all that share a database, and tells whether one of this machine lives."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

DIGEST_DIGITS = 8
_THIS_PROCESS = secrets.token_hex(4)  # another one may have the same number after a restart


def this_machine() -> str:
    """Where a process id of ours means something: the boot and the pid namespace.

    On a system without /proc it is the host's name: a process that was started after a restart
    and has the number of a dead one then keeps that one alive until its time is up.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def new_name() -> str:
    """`host:pid:machine-process-…`, which nobody had before."""
    who = f"{_digest()}-{_THIS_PROCESS}-{secrets.token_hex(6)}"
    return f"{socket.gethostname()}:{os.getpid()}:{who}"


def is_dead(name: str, *, of_this_machine: bool = False) -> bool:
    """Whether a process is known to be gone; of another machine's nothing is known here.

    `of_this_machine`: all are, also those whose name does not say so.
    """
    _, _, rest = name.partition(":")
    pid, _, who = rest.partition(":")
    machine, _, process = who.partition("-")
    if not pid.isdecimal() or not (of_this_machine or (machine and machine == _digest())):
        return False
    if int(pid) == os.getpid():
        return bool(process) and process.split("-")[0] != _THIS_PROCESS
    return not lives(int(pid))


def lives(pid: int) -> bool:
    """Whether a process of this machine has this number."""
    with suppress(PermissionError):  # another user's
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _digest() -> str:
    return hashlib.sha256(this_machine().encode()).hexdigest()[:DIGEST_DIGITS]
