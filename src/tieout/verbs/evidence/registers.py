"""The registers of an evidence pack: runs, findings, journals, changes, access, certifications."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.project_text import differences
from tieout.store import batches, journals, people, registers
from tieout.store.batches import Batch
from tieout.store.journals import Journal
from tieout.store.runs import Run
from tieout.verbs import approving, baselining, batch_lines, certifying, seeing
from tieout.verbs.sheets.sheet import Row, Sheet, Table, Value

SINCE = (
    "Every run of these flows that began on or after the first day of the period ({first}, UTC), "
    "and, whenever they began, those that prepared or sent a batch of the period, compared it last "
    "or compared what was certified."
)
FINDING_COLUMNS = (
    "id",
    "run",
    "flow",
    "state",
    "rule",
    "severity",
    "subject",
)  # when there is none


@dataclass(frozen=True, slots=True)
class Picked:
    """What a pack is about: its period, its flows, and the day on which the period begins."""

    period: str
    flows: tuple[str, ...]
    first: date

    @property
    def place(self) -> tuple[int, int]:
        """Fiscal year and period."""
        return seeing.period_of(self.period)

    @property
    def since(self) -> datetime:
        """The moment on which the period begins."""
        return datetime.combine(self.first, time.min, UTC)


@dataclass(frozen=True, slots=True)
class _Named:
    """Runs that are told of whenever they began, and batches whose runs are."""

    runs: Mapping[str, Run]
    batches: Collection[str]


def every(instance: Instance, picked: Picked) -> dict[str, Sheet]:
    """The registers by the name of their file, in the order of the index."""
    entered = _batches_of(instance, picked)
    certified = _certified(instance, picked)
    named = _named(instance, picked, entered, certified)
    return {
        "runs": _runs(instance, picked, named),
        "findings": _findings(instance, picked, named),
        "journals": _journals(instance, entered),
        "certifications": _certifications(certified),
        "baselines": _baselines(instance, picked),
        "mappings": _mappings(instance),
        "configurations": _configurations(instance),
        "access": _access(instance),
    }


def _sheet(title: str, verdict: str, *tables: Table) -> Sheet:
    return Sheet(title, verdict, True, [], tables)


def value(found: object) -> Value:
    """Anything that is kept as a cell of a table; what has parts as JSON."""
    if found is None or isinstance(found, str | int | bool | Decimal | datetime | date):
        return found
    return json.dumps(found, ensure_ascii=False, sort_keys=True, default=str)


def table(
    name: str, about: str, rows: Sequence[Mapping[str, Any]], usual: Sequence[str] = ()
) -> Table:
    """A table of equal mappings; `usual`: its columns when there is no row."""
    columns = tuple(rows[0]) if rows else tuple(usual)
    return Table(name, about, columns, lambda: _cells(rows, columns))


def _cells(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[Row]:
    for row in rows:
        yield [value(row[name]) for name in columns]


# ---------------------------------------------------------------------------- runs, findings

_RUN = (
    "run", "flow", "kind", "outcome", "exit_code", "started_by", "trigger", "started_at",
    "finished_at", "config_version", "rows_read", "rows_sent", "rejects", "asked", "sentence",
)  # fmt: skip


def _named(
    instance: Instance, picked: Picked, entered: Sequence[tuple[Batch, list[Journal]]],
    certified: Sequence[Mapping[str, Any]],
) -> _Named:  # fmt: skip
    compared = [seeing.last_comparison(instance, flow) for flow in picked.flows]
    ids = {found[0] for found in compared if found} | {batch.run for batch, _ in entered}
    ids |= {c[name] for c in certified for name in ("run", "reopened_by") if c[name]}
    return _Named({run: instance.store.run(run) for run in ids}, {batch.id for batch, _ in entered})


def _picked_runs(instance: Instance, picked: Picked, named: _Named) -> Iterator[Run]:
    """Flow by flow in the order of their numbers, read page by page."""
    for flow in sorted({*picked.flows, *(run.flow for run in named.runs.values())}):
        began = [run.started_at for run in named.runs.values() if run.flow == flow]
        since = min([picked.since, *began])
        for run in registers.runs_since(instance.store.database, flow, since):
            mine = run.id in named.runs or run.asked.get("batch") in named.batches
            if mine or (flow in picked.flows and run.started_at >= picked.since):
                yield run


def _runs(instance: Instance, picked: Picked, named: _Named) -> Sheet:
    def rows() -> Iterator[Row]:
        for run in _picked_runs(instance, picked, named):
            told = seeing.run_as_json(run) | {
                "trigger": run.trigger, "config_version": run.config_version, "asked": run.asked,
            }  # fmt: skip
            yield [value(dict(v) if isinstance(v, Mapping) else v) for v in (
                told[name] for name in _RUN
            )]  # fmt: skip

    about = SINCE.format(first=picked.first.isoformat())
    return _sheet("Runs", about, Table("Runs", "Oldest first, flow by flow.", _RUN, rows))


def _findings(instance: Instance, picked: Picked, named: _Named) -> Sheet:
    """What the runs of the register found, settled or not."""
    runs = [run.id for run in _picked_runs(instance, picked, named)]
    found = [f for run in runs for f in seeing.rejects(instance, run=run)]
    found.sort(key=lambda f: (seeing.GRAVITY[f["severity"]], f["id"]))
    states = Counter(finding["state"] for finding in found)
    told = ", ".join(f"{n:,} {state}" for state, n in sorted(states.items())) or "none"
    about = "What was wrong with data, and what became of it. Amounts are sums without signs."
    return _sheet(
        "Rejects and other findings", f"Findings of the runs of the register: {told}.",
        table("Findings", about, found, FINDING_COLUMNS),
    )  # fmt: skip


# ---------------------------------------------------------------------------- journals

_BATCH = (
    "batch", "flow", "state", "digest", "lines", "amount", "prepared_in", "prepared_by",
    "prepared_at", "decided_by", "decided_at", "reason", "journals_of_the_period",
)  # fmt: skip
_JOURNAL = (
    "journal", "company", "ledger", "currency", "period", "state", "batch_number",
    "document_number", "lines", "debit", "credit", "sent_at", "looked_at", "transaction", "token",
    "given_up", "evidence",
)  # fmt: skip
_LINE = (
    "batch", "journal", "line", "company", "ledger", "currency", "gl_date", "account_id",
    "subledger", "subledger_type", "account", "business_unit", "member", "amount", "remark",
)  # fmt: skip


def _batches_of(instance: Instance, picked: Picked) -> list[tuple[Batch, list[Journal]]]:
    """Batches with journals of the period, and these journals."""
    with instance.store.database.read() as connection:
        found = [(b, journals.listed(connection, batch=b.id)) for b in batches.listed(connection)]
    here = [(b, [j for j in js if (j.fiscal_year, j.period) == picked.place]) for b, js in found]
    return [(batch, mine) for batch, mine in here if mine]


def _journals(instance: Instance, entered: Sequence[tuple[Batch, list[Journal]]]) -> Sheet:
    told = [
        approving.batch_as_json(batch) | {"journals_of_the_period": len(mine)}
        for batch, mine in entered
    ]
    of_period = [
        approving.journal_as_json(journal)
        | {"period": f"{journal.fiscal_year}-{journal.period:02d}"}
        for _, mine in entered for journal in mine
    ]  # fmt: skip

    def lines() -> Iterator[Row]:
        for batch, mine in entered:
            numbers = {journal.number for journal in mine}
            for line in batch_lines.lines(instance, batch.id):
                if line["journal"] in numbers:
                    yield [value((line | {"batch": batch.id})[name]) for name in _LINE]

    tables = (
        Table("Batches", "What people decide over: the digest is of all lines of a batch, who "
              "prepared it never decides.", _BATCH, lambda: _cells(told, _BATCH)),
        Table("Journals", "Those of the period, with their numbers in JD Edwards.", _JOURNAL,
              lambda: _cells(of_period, _JOURNAL)),
        Table("Lines", "Exactly as they were approved, in the sign of the ledger: their records "
              "make the digest of their batch.", _LINE, lines),
    )  # fmt: skip
    posted = sum(journal["state"] in ("posted", "verified") for journal in of_period)
    number, within = counted(len(of_period), "journal"), counted(len(told), "batch", "batches")
    verdict = f"{number} in {within}; {posted:,} posted."
    return _sheet("Plan journals and their approvals", verdict, *tables)


# ---------------------------------------------------------------------------- the others


def _certified(instance: Instance, picked: Picked) -> list[dict[str, Any]]:
    found = certifying.listed(instance)
    return [
        c for c in found
        if c["flow"] in picked.flows and (c["fiscal_year"], c["period"]) == picked.place
    ]  # fmt: skip


def _certifications(found: Sequence[Mapping[str, Any]]) -> Sheet:
    rows = [
        {
            **c,
            "period": f"{c['fiscal_year']}-{c['period']:02d}",
            "fiscal_year": str(c["fiscal_year"]),
        }
        for c in found
    ]
    held = sum(c["state"] == "certified" for c in found)
    about = "The digest is that of the company in the table Hashes of the tie-out."
    usual = ("certification", "state", "digest", "prepared_by", "certified_by")
    return _sheet(
        "Certifications", f"{held:,} of {counted(len(found), 'certification')} in force.",
        table("Certifications", about, rows, usual),
    )  # fmt: skip


def _baselines(instance: Instance, picked: Picked) -> Sheet:
    found = [b for b in baselining.listed(instance) if b["flow"] in picked.flows]
    balances = [
        {"baseline": b["baseline"], **row, "fiscal_year": str(row["fiscal_year"])}
        for b in found for row in baselining.shown(instance, b["baseline"])["rows"]
        if (row["fiscal_year"], row["period"]) == picked.place
    ]  # fmt: skip
    signed = sum(b["state"] == "signed" for b in found)
    return _sheet(
        "Baselines of converted balances", f"{signed:,} of {len(found):,} are signed.",
        table("Baselines", "What two people say came without journals.", found,
              ("baseline", "company", "state", "digest", "prepared_by", "decided_by")),
        table("Balances", "Those of the period.", balances, ("baseline", "account_id", "amount")),
    )  # fmt: skip


def _mappings(instance: Instance) -> Sheet:
    with instance.store.database.read() as connection:
        found = registers.mapping_changes(connection)
    about = "Nothing is edited: a version adds rows, and a row without a target withdraws."
    usual = ("version", "dimension", "source", "target", "effective_from", "set_at", "set_by")
    return _sheet(
        "Changes of the mapping table",
        f"{counted(len(found), 'mapping')} set since the beginning.",
        table("Mappings", about, found, usual),
    )  # fmt: skip


def _configurations(instance: Instance) -> Sheet:
    with instance.store.database.read() as connection:
        found = registers.configurations(connection)
    rows = []
    before = ""
    for config in found:
        changes = differences(before, config.text) if before else ["the first"]
        before = config.text
        rows.append({
            "version": config.version, "applied_at": config.applied_at,
            "applied_by": config.applied_by, "proposed_by": config.proposed_by or "",
            "why": config.why or "", "sha256": config.sha256,
            "changes": "; ".join(changes),
        })  # fmt: skip
    about = "The whole text of each is in the folder configuration; it has no secrets."
    return _sheet(
        "Changes of the configuration", f"{counted(len(found), 'version')} since the beginning.",
        table("Configurations", about, rows),
    )  # fmt: skip


def _access(instance: Instance) -> Sheet:
    at = instance.clock.now()
    with instance.store.database.read() as connection:
        users, tokens = people.users(connection), people.tokens(connection)
    known = [
        {"user": u.name, "roles": ", ".join(u.roles), "added_at": u.added_at,
         "added_by": u.added_by} for u in users
    ]  # fmt: skip
    held = [
        {"token": t.id, "user": t.user, "scopes": ", ".join(t.scopes), "what_for": t.what_for,
         "made_at": t.made_at, "made_by": t.made_by, "handed_by": t.handed_by,
         "expires_at": t.expires_at, "revoked_at": t.revoked_at, "revoked_by": t.revoked_by,
         "acts_now": t.lives(at)}
        for t in tokens
    ]  # fmt: skip
    alive = counted(sum(token.lives(at) for token in tokens), "token")
    verdict = f"{counted(len(known), 'user')}; {alive} in force."
    if not known:
        verdict = "No users: whoever can open the directory of the instance acts as its owner."
    return _sheet(
        "Who has access", verdict,
        table("Users", "With the roles they have now.", known, ("user", "roles")),
        table("Tokens", "Named by their ids; neither a token nor its hash is told.", held,
              ("token", "user", "scopes")),
    )  # fmt: skip
