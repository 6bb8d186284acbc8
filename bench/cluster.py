"""A PostgreSQL server of our own in a folder, so that it can be stopped without hurting others."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

BINARIES = "/usr/lib/postgresql"
WAIT_SECONDS = 30
OWNER = "postgres"  # PostgreSQL refuses to run as root


def programs() -> Path | None:
    """Where the programs of a PostgreSQL server are; None when it is not installed."""
    found = sorted(Path(BINARIES).glob("*/bin/initdb"))
    place = shutil.which("initdb") or (str(found[-1]) if found else "")
    return Path(place).parent if place else None


class Cluster:
    """Started on a free loopback port; `folder` must be one that OWNER can reach."""

    def __init__(self, folder: Path) -> None:
        """Made in `folder`, or the one that was made there before: what it holds is still there.

        Raises FileNotFoundError without the server's programs.
        """
        self._data, self.port = folder / "data", _free_port()
        found = programs()
        if found is None:
            raise FileNotFoundError("initdb: the programs of a PostgreSQL server are not installed")
        self._programs = found
        if not folder.exists():
            self._make(folder)
        with (self._data / "postgresql.conf").open("a") as settings:  # what comes last holds
            settings.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n")
            settings.write(f"unix_socket_directories = '{folder}'\nmax_connections = 300\n")
            # Another process's time would not be told of who asked.
            settings.write("max_parallel_workers_per_gather = 0\n")
        self.start()

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-E", "UTF8", "-U", OWNER, "-N")

    @property
    def url(self) -> str:
        """Of its first database."""
        return f"postgresql+psycopg://{OWNER}@127.0.0.1:{self.port}/{OWNER}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = str(self._data.parent / "log")
        self._run(
            "pg_ctl", "-D", str(self._data), "-w", "-t", str(WAIT_SECONDS), "-l", log, "start"
        )

    def stop(self, how: str = "immediate") -> None:
        """Stop it: "immediate" as a power cut of the server would, "fast" as people do."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", how, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", OWNER, "--", *command]
        # The server inherits what it would write to: a pipe would stay open as long as it runs.
        with (self._data.parent / "told").open("w+") as told:
            done = subprocess.run(
                command, stdout=told, stderr=told, cwd=self._data.parent, check=False
            )
            told.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program}: {told.read()}")


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
