"""The processes that execute the runs of a benchmark, and what they and the machine used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

STOP_SECONDS_MAX = 120.0


class Processes:
    """`tieout serve` or workers of one instance, and what they used."""

    def __init__(self, home: Path, url: str, count: int) -> None:
        command = [sys.executable, "-m", "tieout", "--home", str(home)]
        command += ["worker"] if url else ["serve", "--port", "0"]
        told = os.environ | ({"TIEOUT_DATABASE": url} if url else {})
        with (home / "processes.log").open("ab") as log:
            self.all = [
                subprocess.Popen(command, env=told, stdout=log, stderr=log) for _ in range(count)
            ]

    def refuse_dead(self) -> None:
        """RuntimeError when one of them ended."""
        if any(one.poll() is not None for one in self.all):
            raise RuntimeError("a process ended by itself; its words are in processes.log")

    def cpu_seconds(self) -> float:
        """Of all of them, all threads."""
        return sum(cpu_seconds(one.pid) for one in self.all)

    def memory_mb(self) -> float:
        """Of the largest one, now."""
        return max(memory_mb(one.pid) for one in self.all)

    def stop(self) -> None:
        """Ask them to stop, and wait."""
        for one in self.all:
            one.send_signal(signal.SIGTERM)
        for one in self.all:
            one.wait(STOP_SECONDS_MAX)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What a process holds in memory now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def idle_cpu(began: tuple[int, int]) -> float:
    """Share of the machine that nobody used since `began`, which `machine` gave."""
    now = machine()
    return (now[1] - began[1]) / max(1, now[0] - began[0])


def machine() -> tuple[int, int]:
    """Ticks of all cores so far, and those of them in which they were idle."""
    ticks = [int(t) for t in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]
