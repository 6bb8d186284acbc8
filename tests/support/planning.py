"""A served Anaplan with a clock that both sides share, and a client of the product on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.anaplan import wire
from tieout.anaplan.client import Action, Anaplan, Connection
from tieout.anaplan.outcome import TaskResult
from tieout.anaplan.sign_in import Basic, SignIn
from tieout.core.frames import AMOUNT
from tieout.http import Call, Http
from tieout.outgoing import Allowed
from tieout.sim.box import Box, System, serve
from tieout.sim.clock import PracticeClock

USER, PASSWORD = "tieout@example.com", "correct horse"
ACTUALS = {"Company": "company", "Account": "account", "Cost Center": "business_unit",
           "Time": "period", "Amount": "amount"}  # fmt: skip


class SharedClock:
    """The practice clock as the product sees it: sleeping moves it, and takes no real time."""

    def __init__(self, practice: PracticeClock) -> None:
        self.practice, self.slept = practice, list[float]()
        self.passing: Callable[[float], object] | None = None  # what happens elsewhere meanwhile

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.practice.now(), UTC)

    def monotonic(self) -> float:
        return self.practice.now()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.practice.advance(seconds)
        if self.passing is not None:
            self.passing(seconds)


class Planning:
    """One served Anaplan and a client connected to it."""

    def __init__(self, system: System, practice: PracticeClock) -> None:
        self.system, self.clock, self.calls = system, SharedClock(practice), list[Call]()
        self.box = Box(system, practice)
        self.url, self._stop = serve(self.box, 0, control=False)
        self.password, self.asked = PASSWORD, 0
        self.how: Callable[[Http, Any], SignIn] | None = None  # signs in, instead of the password
        self._listeners: list[Callable[[Call], None]] = [self.calls.append]
        self._clients: list[Anaplan] = []
        self.client = self.connect()

    def connect(self, clock: Any = None, **options: Any) -> Anaplan:
        clock = clock or self.clock
        options = {"workspace": "Finance", "model": "FP&A 2026", "poll_seconds": 5.0} | options
        open_ = {
            "clock": clock,
            "allow_http": True,
            "allowed": Allowed([self.url]),
            "told": self._told,
        }
        open_["timeout_seconds"] = options.pop("timeout_seconds", 20)
        api = Http(self.url + "/2/0", system="Anaplan", **open_)
        auth = Http(self.url, system="Anaplan's sign-in", **open_)
        self.door = api
        how = self.how(auth, clock) if self.how else Basic(auth, self.credentials)
        client = Anaplan(api, auth, Connection(**options), how, clock)
        self._clients.append(client)
        return client

    def hears(self, listener: Callable[[Call], None]) -> None:
        """Tell `listener` of every exchange too."""
        self._listeners.append(listener)

    def _told(self, call: Call) -> None:
        for listener in self._listeners:
            listener(call)

    def credentials(self) -> dict[str, str]:
        self.asked += 1
        return {"username": USER, "password": self.password}

    def stop(self) -> None:
        self.box.faults.control({"clear": True})
        for client in self._clients:
            client.close()
        self._stop()

    def fault(self, kind: str, **fields: Any) -> None:
        self.box.faults.control({"add": {"kind": kind, **fields}})

    def until(self, seen: Callable[[], bool]) -> bool:
        """Look until `seen`, at most ten real seconds; whether it was."""
        give_up = time.monotonic() + 10
        while not seen():
            if time.monotonic() > give_up:
                return False
            threading.Event().wait(0.02)
        return True

    def count(self, method: str, ending: str) -> int:
        """How many requests of that method arrived whose path ends so."""
        log = self.box.control("log", {})["log"]
        return sum(e["method"] == method and e["path"].endswith(ending) for e in log)

    # ---------------------------------------------------------------- the demo model

    def fill_lists(self) -> None:
        """Two companies, three accounts, two cost centers; names differ from codes."""
        for action, codes in {
            "Load Companies": ["00001", "00060"],
            "Load GL Accounts": ["5005", "8740", "8740.TRAVEL"],
            "Load Cost Centers": ["30", "40"],
        }.items():
            found = self.client.action(action)
            headers = self.client.file_layout(found).headers
            frame = pl.DataFrame({h: [""] * len(codes) for h in headers})
            frame = frame.with_columns(
                pl.Series("Code", codes), pl.Series("Name", [f"Name of {c}" for c in codes])
            )
            assert self.load(found, frame, {h: h for h in headers}).outcome == "ok"

    def load(self, action: Action, frame: pl.DataFrame, columns: dict[str, str]) -> TaskResult:
        known = self.client.task_ids(action.kind, action.id)
        self.client.upload(
            action.file_id,
            lambda: wire.chunks([frame], columns, chunk_bytes=1_000_000),
            receipt=lambda number, digest: None,
        )
        task = self.client.start(action.kind, action.id, known)
        return self.client.wait(action.kind, action.id, task, name=action.name)

    def cells(self) -> pl.DataFrame:
        view = self.client.find("views", "GL Actuals")
        return pl.concat(self.client.read_view(view.id))


def actuals(*rows: tuple[str, str, str, str, str]) -> pl.DataFrame:
    """Rows of company, account, business unit, period, amount as a frame to load."""
    columns = {n: [r[i] for r in rows] for i, n in enumerate(ACTUALS.values())}
    amount = pl.Series("amount", [Decimal(r[4]) for r in rows], dtype=AMOUNT)
    return pl.DataFrame(columns).with_columns(amount)
