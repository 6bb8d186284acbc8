"""A day at an instance with schedules: a clock set by hand, and flows that end on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tieout.core.periods import FiscalCalendar
from tieout.engine.scheduler import Scheduler
from tieout.flows.period_look import Seen
from tieout.project import Flow, LoadMembers, Project, SubmitPlan
from tieout.store import schedules
from tieout.store.looks import Current
from tieout.store.runs import Ending, NewRun, Run
from tieout.store.schedules import Fire, Kept
from tieout.store.store import Store

FLOWS = """
[outgoing]
allow = ["https://ais.example.com", "https://*.anaplan.com"]
[connections.erp]
system = "jde"
url = "https://ais.example.com/jderest"
environment = "JPD920"
secret = "secret://erp"
[connections.planning]
system = "anaplan"
workspace = "Finance"
model = "FP&A"
secret = "secret://planning"
[flows.accounts]
kind = "load_members"
members = "accounts"
from = "erp"
to = "planning"
import = "Load GL Accounts"
read_back = { list = "GL Accounts" }
columns = { "Code" = "code" }
[flows.cost_centers]
kind = "load_members"
members = "business_units"
from = "erp"
to = "planning"
import = "Load Cost Centers"
read_back = { list = "Cost Centers" }
columns = { "Code" = "code" }
[flows.actuals]
kind = "load_actuals"
from = "erp"
to = "planning"
companies = ["00001", "00060"]
from_period = "2026-01"
import = "Load GL Actuals"
read_back = { view = "GL Actuals" }
[flows.actuals.columns]
"Company" = "company"
"Account" = "account"
"Cost Center" = "business_unit"
"Time" = "period"
"Amount" = "amount"
"""


class HandClock:
    """Shows what it is set to."""

    def __init__(self, at: str) -> None:
        self.at = datetime.fromisoformat(at)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def kind_of(flow: Flow) -> tuple[str, bool]:
    if isinstance(flow, SubmitPlan):
        return "prepare_plan", False
    return ("load_members" if isinstance(flow, LoadMembers) else "load_actuals"), True


class Ledger:
    """JD Edwards as a look at periods sees it; it counts how often it is asked."""

    def __init__(self) -> None:
        self.companies: dict[str, Current] = {}
        self.patterns: dict[str, FiscalCalendar] = {}
        self.trouble: Exception | None = None
        self.asked: list[list[str]] = []

    def __call__(
        self, project: Project, connection: str, companies: Sequence[str],
        known: Mapping[str, Current],
    ) -> Seen:  # fmt: skip
        self.asked.append(list(companies))
        if self.trouble is not None:
            raise self.trouble
        found = {c: self.companies[c] for c in companies}
        return Seen(found, None if known else dict(self.patterns))


class Day:
    """What a test does with an instance of schedules."""

    def __init__(self, home: Path, url: str | None = None, at: str = "2026-11-26T12:00Z") -> None:
        self.clock = HandClock(at)
        self.store = Store(home, self.clock, url)
        self.ledger = Ledger()
        self.scheduler = self.another()

    def another(self, ahead_seconds: float = 0) -> Scheduler:
        """What another process has, its clock being `ahead_seconds` ahead."""
        ahead = timedelta(seconds=ahead_seconds)
        return Scheduler(
            self.store, now=lambda connection: self.clock.at + ahead, kind_of=kind_of,
            look_at=self.ledger,
        )  # fmt: skip

    def applies(self, text: str) -> None:
        self.store.apply_config(FLOWS + text, "Anna")

    def at(self, text: str) -> None:
        """It is then, and somebody looks at the schedules."""
        self.clock.at = datetime.fromisoformat(text)
        self.scheduler.tick()

    def kept(self, name: str = "close") -> Kept:
        with self.store.database.read() as connection:
            found = schedules.find(connection, name)
        assert found is not None
        return found

    def fires(self, name: str = "close") -> list[Fire]:
        """What became of its due times, oldest first."""
        with self.store.database.read() as connection:
            return schedules.fires(connection, name, limit=10_000)[::-1]

    def told(self, name: str = "close") -> list[tuple[str, str]]:
        return [(f"{f.due.astimezone(UTC):%m-%d %H:%M}", f.state) for f in self.fires(name)]

    def begun(self) -> list[str]:
        """The runs that were begun, in their order."""
        found = sorted(self.store.runs(limit=10_000), key=lambda run: (run.started_at, run.id))
        return [run.id for run in found]

    def ends(self, run: str, outcome: str = "complete", sentence: str = "All is in.") -> Run:
        code = 0 if outcome == "complete" else 5
        return self.store.finish_run(run, Ending(outcome, sentence, code, {}))

    def somebody_runs(self, flow: str) -> str:
        return self.store.new_run(NewRun(flow, "load_members", "Anna", outcome="waiting")).id
