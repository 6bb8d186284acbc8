"""A demo instance beside its practice systems, run in this thread on a clock of its own."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from expected import Expected
from planning import SharedClock

from tieout.app import STORIES, Instance
from tieout.core.policy import OWNER
from tieout.engine.inline import tell_here
from tieout.engine.story import Failpoint, Interrupted, nothing_fails
from tieout.flows.changes import SEEN
from tieout.settings import Environment
from tieout.sim.clock import PracticeClock
from tieout.sim.serve import Running, start
from tieout.store import parts
from tieout.store.rejects import Reject
from tieout.store.runs import NewRun, Run
from tieout.verbs import demo, setting_up
from tieout.verbs.practice import credentials
from tieout.verbs.running import kind_of

LINES = 4_000
FLIP = (("4000", "4999"),)
CONTROL_SECONDS_MAX = 60
GZIP_WINDOW_BITS = 31

Cell = tuple[str, str, str, str]  # company, account, cost center, month
Cells = dict[Cell, Decimal]
Meanwhile = Mapping[str, Callable[[], Any]]


class Books:
    """One instance and its two practice systems: both sides of a tie-out, and what goes between."""

    def __init__(
        self, home: Path, *, seed: int = 1, lines: int = LINES, trouble: bool = False,
        token: str = "", records: str = "", storage: Mapping[str, str] | None = None,
        database: str = "",
    ) -> None:  # fmt: skip
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home = home
        self.clock = SharedClock(PracticeClock())
        self.systems: Running = start(
            home, seed=seed, lines=lines, trouble=trouble, clock=self.clock.practice
        )
        self.companies = [*demo.COMPANIES, *([demo.TROUBLED_COMPANY] if trouble else [])]
        nowhere = Environment(
            home=home, database=database or f"sqlite:///{home / 'tieout.sqlite'}", records=records,
            clock_url="", kill_at="", log_level="WARNING", token=token, standard=storage or {},
        )  # fmt: skip
        self._moment: Failpoint = nothing_fails
        self.instance = Instance(nowhere, self.clock, self._came_by)
        self.store = self.instance.store
        self._set_up()

    def _set_up(self) -> None:
        """Configure a new instance as the demo does; tell a copied one its new addresses."""
        found = self.systems.addresses
        setting_up.make_instance(self.instance)
        applied = self.instance.store.config()
        if applied is not None:
            old = json.loads((self.home / "template.json").read_text())
            text = applied.text
            for name in ("jde", "anaplan"):
                text = text.replace(old[name], found[name])
            if text != applied.text:
                setting_up.apply_project(self.instance, text)
            flow = self.instance.project().flows["actuals"]
            listed = flow.companies  # type: ignore[union-attr]  # an actuals flow
            self.companies = list(listed)
        else:
            listed = ", ".join(f'"{c}"' for c in self.companies)
            setting_up.apply_project(
                self.instance,
                demo.PROJECT.format(jde=found["jde"], anaplan=found["anaplan"], companies=listed),
            )
            users = credentials(self.home)
            setting_up.connect(self.instance, "erp", users["jde"])
            setting_up.connect(self.instance, "planning", users["anaplan"])
        (self.home / "template.json").write_text(json.dumps(found))

    def close(self) -> None:
        """Let go of the database and stop the practice systems."""
        self.instance.close()
        self.systems.stop()

    def copy(self, home: Path, **options: Any) -> Books:
        """The same state in another home, served anew; this one must be closed."""
        shutil.copytree(self.home, home)
        return Books(home, **options)

    # ------------------------------------------------------------------ runs

    def run(
        self, flow: str = "actuals", *, kind: str = "", by: str = OWNER,
        meanwhile: Meanwhile | None = None, **asked: Any,
    ) -> Run:  # fmt: skip
        """A new run of `flow`, told to its end in this thread.

        `meanwhile`: "read back:before" → what happens elsewhere at that moment of the run.
        """
        return self.carry_on(self._begun(flow, kind, asked, by), meanwhile or {})

    def _begun(self, flow: str, kind: str, asked: Mapping[str, Any], by: str = OWNER) -> Run:
        configured = self.instance.project().flows[flow]
        config = self.store.config()
        new = NewRun(
            flow, kind or kind_of(configured), by, outcome="waiting", asked=asked,
            config_version=config.version if config else None, alone=flow != "plan",
        )  # fmt: skip
        return self.store.new_run(new)

    def carry_on(self, run: Run, meanwhile: Meanwhile) -> Run:
        """Tell an unfinished run to its end."""

        def moment(step: str, point: str) -> None:
            meanwhile.get(f"{step}:{point}", _nothing)()

        return self.told(run, moment)

    def _came_by(self, step: str, point: str) -> None:
        self._moment(step, point)

    def told(self, run: Run, moment: Failpoint) -> Run:
        """Tell a run while `moment` is asked at every moment of it, those within steps too."""
        self._moment = moment
        try:
            return tell_here(
                self.store, run.id, STORIES[run.kind], self.instance.world_for, moment,
                STORIES[parts.KIND],
            )  # fmt: skip
        finally:
            self._moment = nothing_fails

    def run_killed(self, moments: int, flow: str = "actuals") -> Run | None:
        """A run that dies after so many moments of its steps; None when it ended before that."""
        left = [moments]

        def moment(step: str, point: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Interrupted(f"{step}:{point}")

        run = self.store.unfinished_run(flow) or self._begun(flow, "", {})
        try:
            self.told(run, moment)
        except Interrupted as interrupted:
            print(f"run {run.id} died at {interrupted}")
            return run
        return None

    def tie_out(self) -> Run:
        """Both sides compared as they are now."""
        return self.run(kind="tie_out")

    def load_everything(self) -> Run:
        """The members and the actuals, mended as in `tieout demo --once`; the last run."""
        for flow in demo.FLOWS:
            last = self.run(flow)
        if last.outcome != "complete":
            demo.map_unmatched(self.instance, last)
            last = self.run(replay=last.id)
        return last

    def change_flow(self, old: str, new: str) -> None:
        """Apply the project with `old` (which must be there) written as `new`."""
        applied = self.store.config()
        assert applied is not None
        assert old in applied.text, f"the project does not say {old!r}"
        setting_up.apply_project(self.instance, applied.text.replace(old, new))

    def set_actuals(self, line: str) -> None:
        """Apply the project with one more line under [flows.actuals]."""
        head = '[flows.actuals]\nkind = "load_actuals"\n'
        self.change_flow(head, f"{head}{line}\n")

    def findings(self, run: Run, *rules: str) -> list[Reject]:
        """What a run found, of some rules or of all."""
        found = self.store.rejects(run=run.id)
        return [r for r in found if not rules or r.finding.rule in rules]

    def rules(self, run: Run) -> set[str]:
        """The rules of everything a run found, notes left out."""
        return {r.finding.rule for r in self.findings(run) if r.finding.severity != "note"}

    # ------------------------------------------------------------------ practice systems

    def control(self, system: str, verb: str, **body: Any) -> dict[str, Any]:
        """Ask a practice system at its control port."""
        url = f"{self.systems.addresses[f'{system}_control']}/control/{verb}"
        request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=CONTROL_SECONDS_MAX) as answer:
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise LookupError(error.read().decode()) from error
        return told

    def event(self, name: str, **body: Any) -> dict[str, Any]:
        """Something happens at JD Edwards."""
        return self.control("jde", "event", name=name, **body)

    def person(self, do: str, **body: Any) -> dict[str, Any]:
        """Somebody does something inside the Anaplan model."""
        return self.control("anaplan", "people", do=do, **body)

    def type_over(self, cell: Cell, value: Decimal) -> None:
        """Somebody types a value over a cell in Anaplan."""
        company, account, center, time = cell
        self.person(
            "set_cell", module="GL Actuals", company=company, account=account,
            cost_center=center, time=time, value=str(value),
        )  # fmt: skip

    def send_in_small_pieces(self) -> None:
        """So many cells to send, in chunks so small, that the file of the next run has several."""
        secret = 'secret = "secret://planning"'
        self.change_flow(secret, f"{secret}\nchunk_bytes = 1000")
        for period in range(1, 12):
            for company in ("00001", "00060", "00200"):
                self.event("backdated", company=company, period=f"2025-{period:02}")

    def leave_default_file(self, amount: str) -> None:
        """An administrator once left a file for everybody: `amount` in every cell."""
        head = "Company,Account,Cost Center,Time,Amount"
        text = "\n".join([head, *(",".join((*cell, amount)) for cell in self.anaplan())])
        self.person("set_default_file", file="GL Actuals.csv", text=text)

    def fault(self, system: str, kind: str, **fields: Any) -> None:
        """Plan a failure on the data port of a practice system."""
        self.control(system, "faults", add={"kind": kind, **fields})

    def faults_hit(self, system: str) -> int:
        """How many requests met a planned failure."""
        return sum(f["hit"] for f in self.control(system, "faults")["faults"])

    def no_more_faults(self) -> None:
        """Nothing goes wrong from now on."""
        for system in ("jde", "anaplan"):
            self.control(system, "faults", clear=True)

    def requests(self, system: str) -> list[dict[str, Any]]:
        """The requests since this was asked last."""
        entries: list[dict[str, Any]] = self.control(system, "log", clear=True)["log"]
        return entries

    def tasks(self) -> int:
        """How many tasks Anaplan was ever given."""
        return len(self.control("anaplan", "state")["tasks"])

    # ------------------------------------------------------------------ both sides

    def expected(self) -> Cells:
        """What Anaplan must show, by the second path (`expected.py`); zeros left out."""
        return {cell: amount for cell, amount in self.expected_with_zeros().items() if amount}

    def expected_with_zeros(self) -> Cells:
        """What the ledger says of every cell, also of those that net to zero."""
        path = Expected(self.home / "sim" / "jde.sqlite")
        try:
            return path.cells(companies=self.companies, flip=FLIP, mapping=self.mapping())
        finally:
            path.close()

    def mapping(self) -> dict[str, str]:
        """Account and cost center codes that people mapped to other ones."""
        return {
            row["source"]: row["target"]
            for dimension in ("account", "business_unit")
            for row in self.store.mapping(dimension).to_dicts()
        }

    def anaplan(self) -> Cells:
        """What the practice Anaplan holds, asked at its control port."""
        rows = self.control("anaplan", "cells", module="GL Actuals")["cells"]
        return {
            (r["Companies"], r["GL Accounts"], r["Cost Centers"], r["Time"]): Decimal(r["value"])
            for r in rows
        }

    def uploaded(self, file: str = "GL Actuals.csv") -> list[dict[str, str]]:
        """The rows of the file that Anaplan was given last, read from Anaplan's own state."""
        db = sqlite3.connect(f"file:{self.home / 'sim' / 'anaplan.sqlite'}?mode=ro", uri=True)
        try:
            rows = db.execute(
                "select c.body from chunks c join objects o on o.id = c.file "
                "where o.name = ? and c.user <> '' order by c.n",
                (file,),
            ).fetchall()
        finally:
            db.close()
        data = b"".join(bytes(row[0]) for row in rows)
        text = zlib.decompress(data, GZIP_WINDOW_BITS) if data[:2] == b"\x1f\x8b" else data
        return list(csv.DictReader(text.decode("utf-8").splitlines()))

    def uploaded_cells(self) -> Cells:
        """The cells of the file that Anaplan was given last; a cell that stands twice fails."""
        sent: Cells = {}
        for row in self.uploaded():
            cell = (row["Company"], row["Account"], row["Cost Center"], row["Time"])
            assert cell not in sent, f"{cell} stands twice in the file"
            sent[cell] = Decimal(row["Amount"])
        return sent

    def tie_out_gaps(self) -> pl.DataFrame:
        """The rows of the last tie-out table that differ."""
        table = self.store.scan(self.store.current("actuals", "tie_out")).collect()
        assert table.height
        return table.filter((pl.col("difference") != 0) | (pl.col("cells_differing") != 0))

    def open_cells(self) -> set[Cell]:
        """The cells that the next run starts with."""
        return {
            (c.company, c.account, c.business_unit, c.member)
            for c in self.store.open_cells("actuals")
        }

    def position(self) -> Any:
        """Where the actuals stand."""
        stands = self.store.position("actuals", SEEN)
        assert stands is not None, "the actuals have no position"
        return stands


def _nothing() -> None:
    """What happens at most moments."""


Make = Callable[..., Books]


def changed(before: Mapping[Cell, Decimal], after: Mapping[Cell, Decimal]) -> Cells:
    """Cells whose value is another one, with the new value; a cell that is gone has zero."""
    both = before.keys() | after.keys()
    return {
        cell: after.get(cell, Decimal(0))
        for cell in both
        if after.get(cell, Decimal(0)) != before.get(cell, Decimal(0))
    }


def assert_tied(books: Books, run: Run) -> None:
    """Complete, tied in every row, and Anaplan holds what the second path says, to the cent."""
    assert (run.outcome, run.exit_code) == ("complete", 0), told(books, run)
    assert changed(books.expected(), books.anaplan()) == {}
    assert books.tie_out_gaps().is_empty()
    assert books.open_cells() == set()


def assert_quiet(books: Books) -> None:
    """A run now finds nothing new and asks Anaplan nothing."""
    books.requests("anaplan")
    run = books.run()
    assert run.sentence.startswith("Nothing new"), told(books, run)
    assert books.requests("anaplan") == []


def told(books: Books, run: Run) -> str:
    """What a failed assertion shows of a run."""
    lines = [f"{run.outcome} {run.exit_code}: {run.sentence}", str(dict(run.figures))]
    lines += [
        f"  {r.finding.rule} {r.finding.subject}: {r.finding.what} {r.finding.vendor_words}"
        for r in books.findings(run)
        if r.finding.severity != "note"
    ]
    return "\n".join(lines[:20])
