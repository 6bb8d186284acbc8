"""Our client of the orchestrations in front of a practice JD Edwards with the demo company."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import polars as pl
from jde_practice import PASSWORD, USER
from journal_practice import LABOR, PLAN, RENT, Desk

from tieout.clock import PracticeSystemsClock
from tieout.http import Call, Http
from tieout.jde.client import Jde
from tieout.jde.credentials import Credentials
from tieout.jde.journals import FoundJournal, JournalKey, find_journal
from tieout.jde.orchestrator import Orchestrator
from tieout.jde.submission import Submitted
from tieout.outgoing import Allowed
from tieout.settings import JdeConnection

TOKEN = "K7Q2M9XA"
TIMEOUT_SECONDS = 5.0
LOOK_REQUESTS_MAX = 3
AMOUNTS = (("100.25", RENT), ("-40", LABOR))


class Office:
    """One session with JD Edwards, the practice system behind it, and what was asked of it."""

    def __init__(
        self, desk: Desk, url: str = "", seconds: float = TIMEOUT_SECONDS, **options: Any
    ) -> None:
        self.desk, self.calls = desk, list[Call]()
        clock = PracticeSystemsClock(desk.ais.control_url)
        url = url or desk.ais.url + "/jderest"
        self.http = Http(url, system="JD Edwards", clock=clock, allow_http=True,
                         allowed=Allowed(["http://127.0.0.1:*"]),
                         timeout_seconds=seconds, told=self.calls.append)  # fmt: skip
        connection = JdeConnection(url=url, environment="JPD920", secret="s", allow_http=True,
                                   **options)  # fmt: skip
        self.jde = Jde(self.http, connection, lambda: Credentials(USER, PASSWORD), clock)
        self.orchestrator = Orchestrator(self.jde.session)

    def lines(self, *lines: tuple[str, str]) -> pl.DataFrame:
        """Journal lines as (amount, account) under the names of the orchestration."""
        rows = [(self.desk.account(a) if "." in a else a, Decimal(n)) for n, a in lines or AMOUNTS]
        schema = {"AccountId": pl.String, "Amount": pl.Decimal(38, 4)}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(Remark=pl.lit("plan"))

    def submit(
        self, numbers: dict[str, Any] | None = None, frame: pl.DataFrame | None = None,
        **options: Any,
    ) -> Submitted:  # fmt: skip
        """One journal of January 2026 in ledger BA with our token."""
        inputs = {"Company": "00001", "LedgerType": "BA", "GLDate": options.pop("gl_date", None),
                  "Reference2": TOKEN, "ControlBatch": TOKEN, "DocumentType": "BN"}  # fmt: skip
        sent = self.lines() if frame is None else frame
        name = options.pop("name", PLAN)
        return self.orchestrator.submit_journal(
            name, inputs | (numbers or {}), "Lines", sent, **options
        )

    def find(
        self, batch_number: int = 0, document: int = 0, **options: Any
    ) -> FoundJournal:  # fmt: skip
        """One look for our journal, which must not cost more than three requests."""
        before = self.looked()
        key = JournalKey(TOKEN, "BN", batch_number, document, TOKEN, TOKEN)
        found = find_journal(self.jde, key, **options)
        assert self.looked() - before <= LOOK_REQUESTS_MAX
        return found

    def looked(self) -> int:
        """How many requests of tables were answered; a session that is gone answers none."""
        return sum("/dataservice" in c.path and c.status == 200 for c in self.calls)

    def posts(self, name: str = PLAN) -> int:
        """How many calls of an orchestration the practice system has seen."""
        log = self.desk.ais.control("log")["log"]
        return sum(entry["path"].endswith(f"/orchestrator/{name}") for entry in log)


@contextmanager
def office(desk: Desk, **options: Any) -> Iterator[Office]:
    """An office that closes its connections."""
    made = Office(desk, **options)
    try:
        yield made
    finally:
        made.jde.close()
        made.http.close()
