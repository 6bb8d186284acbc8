"""The workers of an instance on a database of its own, and what is done to both at random."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.cluster import Cluster

WORKERS = 3
PAUSE_SECONDS = (5, 40)  # between two acts of chaos
ASLEEP_SECONDS = (3, 20)
DOWN_SECONDS = (0, 8)
STOP_SECONDS_MAX = 300


@dataclass
class Fleet:
    """The workers of one instance, and what was done to them."""

    home: Path
    url: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """One more worker; what it has to say goes to HOME/workers.log."""
        with (self.home / "workers.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tieout", "--home", str(self.home), "worker"],
                    env=os.environ | {"TIEOUT_DATABASE": self.url}, stdout=log, stderr=log,
                )
            )  # fmt: skip

    def keep_up(self) -> None:
        """Start again what died, as an operating system does with a service."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS:
            self.start()

    def refuse_dead(self) -> None:
        """RuntimeError when one of them ended by itself."""
        if any(worker.poll() is not None for worker in self.workers):
            raise RuntimeError("a worker ended by itself; its words are in workers.log")

    def stop(self) -> None:
        """Ask all to stop, and see that they do."""
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for worker in self.workers:
            worker.wait(STOP_SECONDS_MAX)


class Chaos:
    """What happens to the workers and the database, one act after the other."""

    def __init__(self, fleet: Fleet, cluster: Cluster, dice: Random) -> None:
        self._fleet, self._cluster, self._dice = fleet, cluster, dice
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._next = time.monotonic() + dice.uniform(*PAUSE_SECONDS) / 2

    def go_on(self) -> None:
        """Do what is due by now."""
        now = time.monotonic()
        for at, act in list(self._later):
            if at <= now:
                self._later.remove((at, act))
                act()
        if now >= self._next:
            self._next = now + self._dice.uniform(*PAUSE_SECONDS)
            self._dice.choice([self._kill, self._kill, self._pause, self._pause, self._cut])()
        self._fleet.keep_up()

    def end(self) -> None:
        """Wake and start everything that is still down."""
        for _, act in self._later:
            act()
        self._later.clear()
        self._fleet.keep_up()

    def _kill(self) -> None:
        self._fleet.done["killed"] += 1
        self._dice.choice(self._fleet.workers).kill()

    def _pause(self) -> None:
        self._fleet.done["paused"] += 1
        worker = self._dice.choice(self._fleet.workers)
        worker.send_signal(signal.SIGSTOP)
        wakes = time.monotonic() + self._dice.uniform(*ASLEEP_SECONDS)
        self._later.append((wakes, lambda: worker.send_signal(signal.SIGCONT)))

    def _cut(self) -> None:
        if any(act == self._cluster.start for _, act in self._later):
            return
        self._fleet.done["database cut"] += 1
        self._cluster.stop()
        again = time.monotonic() + self._dice.uniform(*DOWN_SECONDS)
        self._later.append((again, self._cluster.start))
