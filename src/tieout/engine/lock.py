"""One executor per instance: a lock on HOME/engine.lock, held by the process that executes runs."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from tieout.errors import Busy

LOCK_FILE = "engine.lock"
PID_BYTES_MAX = 32
LOOK_PAUSES_SECONDS = (0.0, 0.01, 0.04)


class InstanceLock:
    """An exclusive `flock`; the kernel drops it when its holder dies, however it dies."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK_FILE
        self._descriptor: int | None = None

    def take(self) -> None:
        """Hold the lock and note our process id in it. Raises Busy, naming who holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            holder = _pid(descriptor)
            os.close(descriptor)
            raise Busy(
                f"The process {holder} executes the runs of this instance.",
                untouched="Nothing was started here.",
                do="Follow the run from here, or start it again once that process ended.",
                evidence=f"pid {holder}",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; the file stays, since removing it would let two processes hold two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def executor_of(home: Path) -> int | None:
    """The process that executes the runs of the instance in `home` right now, or None."""
    try:
        descriptor = os.open(home / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that two processes that look at once do not take each other for the executor.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    finally:
        os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool:
    """Take the lock; somebody who only looks holds it for an instant, which is waited out."""
    for pause_seconds in LOOK_PAUSES_SECONDS:
        time.sleep(pause_seconds)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _pid(descriptor: int) -> int:
    """The process id in the file; 0 in the instant before its holder has written it."""
    text = os.pread(descriptor, PID_BYTES_MAX, 0)
    return int(text) if text.isdigit() else 0
