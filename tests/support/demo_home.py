"""A small demo home for tests of real processes: made once, copied for each test."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tieout.store.own_sqlite import sqlite3
from tieout.verbs import practice
from tieout.verbs.demo_plan import PEOPLE_FILE

LINES = 4000
COMMAND_SECONDS_MAX = 240
LOG_CHARACTERS = 20_000
# What Alex does in a demo; Ana, who is signed in on its directory, does the rest.
OF_ALEX = frozenset((
    "audit", "backup", "config", "connect", "evidence", "init", "keys", "notices",
    "retention", "users",
))  # fmt: skip
# Below the range from which the kernel takes ports for outgoing connections, so that the ports
# are free again when the next test serves the same company.
PORTS = range(20_000, 32_000, 4)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output; anything else there fails."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


@dataclass
class Home:
    """An instance's directory and the commands and practice systems around it."""

    path: Path
    password: str = ""  # of the demo's people at the page

    def start(self, *words: str, home: bool = True, **more: Any) -> subprocess.Popen[str]:
        """Start `tieout …` on this home."""
        command = [sys.executable, "-m", "tieout"]
        command += ["--home", str(self.path)] if home else []
        variables = {"COLUMNS": "100", "TZ": "UTC"}
        if words and words[0] in OF_ALEX and home and (self.path / PEOPLE_FILE).exists():
            variables["TIEOUT_TOKEN"] = self.token("alex")
        variables |= more.pop("env", {})
        return subprocess.Popen(
            [*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=os.environ | variables,
            cwd=self.path.parent, **more,
        )  # fmt: skip

    def run(self, *words: str, stdin: str = "", **more: Any) -> Done:
        """Run `tieout …` on this home to its end."""
        process = self.start(*words, **more)
        out, err = process.communicate(stdin, timeout=COMMAND_SECONDS_MAX)
        return Done(process.returncode, out, err)

    def token(self, name: str) -> str:
        """The token of one of the demo's people."""
        told = json.loads((self.path / PEOPLE_FILE).read_text())
        return str(told[name]["token"])

    def run_on_full_disk(self, file_bytes_max: int, *words: str) -> Done:
        """The same while no file may grow beyond a size, as on a full disk."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))

        return self.run(*words, preexec_fn=limit)

    # The practice systems

    def practice(self) -> dict[str, str]:
        """The addresses of the practice systems, which answer now."""
        return practice.start_practice(self.path)

    def control(self, system: str, verb: str, **body: Any) -> dict[str, Any]:
        """One verb of a practice system's control port."""
        url = f"{self.practice()[f'{system}_control']}/control/{verb}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        return found

    def forget_requests(self) -> None:
        """Empty both logs."""
        for system in ("jde", "anaplan"):
            self.control(system, "log", clear=True)

    def requests(self, system: str, words: str = "") -> list[str]:
        """Method and path of what a practice system was asked since, as it saw it."""
        log = self.control(system, "log")["log"]
        return [f"{e['method']} {e['path']}" for e in log if words in e["path"]]

    def changes(self) -> list[str]:
        """What was asked of Anaplan that uploads or starts something."""
        asked = self.requests("anaplan", "/2/0/")
        return [r for r in asked if not r.startswith(("GET", "HEAD")) and "readRequests" not in r]

    # What the instance keeps

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the instance's database; what a dead process left half done is rolled back."""
        with sqlite3.connect(self.path / "tieout.sqlite") as database:
            return database.execute(query).fetchall()

    def positions(self) -> list[tuple[Any, ...]]:
        """Where every flow stands."""
        return self.rows("select flow, name, value from app_position order by flow, name")

    def project(self, old: str, new: str) -> None:
        """Edit the project file."""
        file = self.path / "tieout.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    # Serving

    @contextmanager
    def served(self, *words: str, **more: Any) -> Iterator[Served]:
        """`tieout serve` on a free port, stopped at the end."""
        process = self.start("serve", *(words or ("--port", "0")), **more)
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            if "practice systems" in line:
                line = process.stderr.readline()
            assert "http://127.0.0.1:" in line, line + process.stderr.read()
            yield Served(process, line.split()[2].rstrip("/"), line, self.password)
        except BaseException:
            self.print_what_went_on()
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=COMMAND_SECONDS_MAX)

    def print_what_went_on(self) -> None:
        """For whoever has to find out why a test failed: the log, the runs, the engine's view."""
        log = self.path / "tieout.log"
        print(log.read_text()[-LOG_CHARACTERS:] if log.exists() else "nothing in the log")
        for table, columns, order in (
            ("app_run", "id, outcome, sentence, started_at", "started_at"),
            ("workflow_status", "workflow_uuid, status, recovery_attempts", "created_at"),
            ("app_seat", "connection, executor, run", "number"),
        ):
            with suppress(sqlite3.Error):  # an instance on PostgreSQL has none of them here
                query = f"select {columns} from {table} order by {order} desc limit 5"
                print(*self.rows(query), sep="\n")
        print(*self.requests("jde")[-5:], *self.requests("anaplan")[-5:], sep="\n")

    def stop(self) -> None:
        """Stop the practice systems of this home and wait until they have let go of their ports."""
        known = practice.addresses(self.path)
        practice.stop_practice(self.path)
        if known:
            until(lambda: practice.addresses(self.path) is None)


@dataclass(frozen=True, slots=True)
class Served:
    """A `tieout serve` that answers."""

    process: subprocess.Popen[str]
    url: str
    told: str

    password: str = ""

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None,
        form: Mapping[str, str | Sequence[str]] | None = None,
    ) -> tuple[int, dict[str, str], str]:  # fmt: skip
        """Status, headers (lower case) and text of one request; a redirection is not followed."""
        data = urllib.parse.urlencode(form, doseq=True).encode() if form is not None else None
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        try:
            answer = _OPENER.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            told["set-cookie"] = "\n".join(answer.headers.get_all("set-cookie") or [])
            return answer.status, told, answer.read().decode()

    def signed_in(self, name: str, password: str = "") -> Person:
        """One of the demo's people, signed in at a browser."""
        form = {"name": name, "password": password or self.password}
        status, headers, page = self.ask("/login", "POST", {"Origin": self.url}, form)
        assert status == 303, page
        return Person(self, cookies_of(headers))

    def stopped(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        self.process.communicate(timeout=COMMAND_SECONDS_MAX)
        return self.process.returncode


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a browser: what it keeps, and the pages they see."""

    served: Served
    cookies: dict[str, str]

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None,
        form: Mapping[str, str | Sequence[str]] | None = None,
    ) -> tuple[int, dict[str, str], str]:  # fmt: skip
        """The same with their cookies; what is sent comes from a page of ours."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method not in ("GET", "HEAD"):
            sent |= {"Sec-Fetch-Site": "same-origin"}
        return self.served.ask(path, method, sent | (headers or {}), form)

    def page(self, path: str) -> str:
        """The text of a page that must be there."""
        status, _, page = self.ask(path)
        assert status == 200, (status, page)
        return page


def cookies_of(headers: dict[str, str]) -> dict[str, str]:
    """The cookies an answer sets, by name."""
    return dict(re.findall(r"^([^=]+)=([^;]*)", headers["set-cookie"], re.MULTILINE))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect())


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Look until something is so; fails after a while."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def free_ports() -> int:
    """The first of four free ports."""
    start = os.getpid() * 31 % len(PORTS)
    for port in [*PORTS[start:], *PORTS[:start]]:
        if all(_free(port + n) for n in range(4)):
            return port
    raise AssertionError("no four free ports")


def _free(port: int) -> bool:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def make(path: Path) -> tuple[Home, Done]:
    """A demo home that ties, its practice systems stopped; with what `demo --once --json` said."""
    home = Home(path)
    practice.start_practice(path, "--lines", str(LINES), "--port", str(free_ports()))
    done = home.run("demo", "--once", "--json", "--lines", str(LINES))
    assert done.code == 0, done
    told = re.search(r"with the password (\S+),", done.err)
    assert told, done.err
    home.password = told[1]
    until(lambda: practice.addresses(path) is None)
    return home, done


def copied(home: Home, path: Path) -> Home:
    """A home like `home`, for one test; the practice systems of `home` must be stopped."""
    assert practice.addresses(home.path) is None, "two copies would share one practice company"
    shutil.copytree(home.path, path)
    return Home(path, home.password)


_made: list[tuple[Home, Done]] = []  # once for all folders of tests that name the fixture


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Done]:
    """A demo home that ties, and what the command that made it said."""
    if not _made:
        _made.append(make(tmp_path_factory.mktemp("made") / "home"))
    return _made[0]


@pytest.fixture(scope="module")
def shared(made: tuple[Home, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A demo home that ties, for a module whose tests change nothing that others look at."""
    found = copied(made[0], tmp_path_factory.mktemp("shared") / "home")
    yield found
    found.stop()


@pytest.fixture
def home(made: tuple[Home, Done], tmp_path: Path) -> Iterator[Home]:
    """A demo home that ties, for one test."""
    found = copied(made[0], tmp_path / "home")
    yield found
    found.stop()
