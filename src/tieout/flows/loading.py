"""One load into Anaplan: check the import, upload its file, start it once, wait, keep the dump."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from tieout.anaplan import wire
from tieout.anaplan.client import Action
from tieout.anaplan.outcome import TaskResult
from tieout.core.findings import Finding, Severity, counted
from tieout.core.tally import Tally
from tieout.errors import Refused
from tieout.flows.cells import currency_of_cells, members_in_anaplan
from tieout.flows.leasing import hold_model, let_model_go, start_import_once
from tieout.flows.scope import scope_for
from tieout.flows.world import L, Result, Run, Steps, World
from tieout.project import Flow, LoadActuals
from tieout.project_tables import LoadTable
from tieout.store.records import Manifest
from tieout.store.steps import Step
from tieout.store.tasks import Chunk, TaskKey
from tieout.strict_json import plain

ROWS_PER_FRAME = 20_000  # of the file being written; bounds memory, not the file
FIRST_DATA_LINE = 2  # Anaplan counts the header as line 1 of the file
SUBJECT_COLUMNS = ("account", "business_unit", "period", "ledger", "currency", "code")
_REJECTED, _WARNED = "import-rejected", "import-warned"
RECEIPTS_KEPT = timedelta(hours=24)
WORDS = {"cancelled": "cancelled", "failed": "refused"}
REJECTS_SHOWN_MAX = 1_000  # findings written per cause; the dump keeps every row

Row = Mapping[str, Any]
Rows = Callable[[World[Any], str], Iterator[pl.DataFrame]]
Counts = Callable[[World[Any]], Callable[[pl.DataFrame], Tally]]


def by_number(world: World[Any]) -> Callable[[pl.DataFrame], Tally]:
    """Counts rows that have no amount."""
    return lambda rows: Tally(rows.height)


def load(
    run: Run, world: World[L], step: Steps[L], rows: Rows, counts: Counts = by_number
) -> Result:
    """Send all `rows(world, run)` through the flow's import; counts, and the task's result."""
    action = step("check the import", check_import)
    written = step("write the file", write_file, run.id, action, rows, counts)
    step("upload the file", upload_file, run.id, action)
    task = step("start the import", start_import, run.id, action)
    result = step("wait for the import", wait_for_import, run.id, action, task["task"])
    kept = step("keep the dump", keep_dump, run.id, action, task["task"], result, written["rows"])
    return {"rows": written["rows"], "task": task["task"], **kept}


def check_import(step: Step, world: World[L]) -> Result:
    """Resolve the import or process by name and compare its layout with what will be sent.

    What proves the load is looked for too: a load that cannot be read back must not begin. Nor
    does one by a configuration that another one has replaced while the run waited.
    """
    if changed := world.outdated():
        raise Refused(
            f"{changed[:1].upper()}{changed[1:]} after this run was begun, which would load as it "
            "was configured then.",
            untouched="Nothing was sent to Anaplan.", do="Run the flow again.",
        )  # fmt: skip
    action = world.anaplan.action(world.flow.import_)
    layout = world.anaplan.layout(action, list(world.flow.columns))
    back = world.flow.read_back
    for kind, name in (("lists", back.list), ("views", back.view), ("exports", back.export)):
        if name:
            world.anaplan.find(kind, name)
    return {
        "kind": action.kind, "id": action.id, "name": action.name, "file": action.file_id,
        "import": action.import_id, "import_name": action.import_name,
        "headers": list(layout.headers), "separator": layout.separator,
    }  # fmt: skip


def write_file(
    step: Step, world: World[L], run: str, action: dict[str, Any], rows: Rows, counts: Counts
) -> Result:
    """Keep the rows and the chunks of the file, exactly as they will be uploaded."""
    columns = file_columns(world.flow, action["headers"])
    tally_of, tally, kept = counts(world), Tally(), list[Manifest]()
    key = _key(world.flow, columns)
    hashes: list[pl.Series] = []
    count = told = chunks = 0

    def slices() -> Iterator[pl.DataFrame]:
        nonlocal count, tally
        for frame in rows(world, run):
            tally += tally_of(frame)
            step.keep("sent", frame.with_row_index("line", offset=FIRST_DATA_LINE + count))
            hashes.append(frame[key].hash_rows())
            count += frame.height
            yield from frame.iter_slices(ROWS_PER_FRAME)

    for chunk in wire.chunks(
        slices(), columns, chunk_bytes=world.chunk_bytes, separator=action["separator"]
    ):
        kept.append(step.keep_bytes("file", chunk, ".csv.gz", rows=count - told))
        told, chunks = count, chunks + 1
    # Hashes that all differ tell in little memory that no row is there twice.
    if pl.concat(hashes).n_unique() < count:
        keys = pl.concat([frame.select(key) for frame in rows(world, run)])
        if keys.is_duplicated().any():
            raise ValueError("the file would hold a cell twice, and Anaplan would add them up")
    return {"rows": count, "chunks": chunks, "tally": {"rows": tally.told()}, "file": _file(kept)}


def file_columns(flow: Flow, headers: Sequence[str]) -> dict[str, str]:
    """Header → the column of the rows to send that it holds, in the order of the file."""
    of_table = isinstance(flow, LoadTable)
    return {header: header if of_table else flow.columns[header] for header in headers}


def _key(flow: Flow, columns: Mapping[str, str]) -> list[str]:
    """The columns of the rows to send that say which cell or item a row is about."""
    if isinstance(flow, LoadTable):
        return list(flow.identify)
    return [c for c in dict.fromkeys(columns.values()) if c not in ("amount", "description")]


def counted_each(flow: Flow) -> int:
    """How often Anaplan counts a row: once for each line item that the import fills."""
    if not isinstance(flow, LoadTable) or flow.read_back.list:
        return 1
    return len(flow.columns) - len(flow.identify)


def _file(chunks: Sequence[Manifest]) -> Result:
    """All the chunks of a file in two numbers: their bytes, and a digest of their digests."""
    digests = "".join(chunk.sha256 for chunk in chunks)
    return {
        "bytes": sum(chunk.bytes for chunk in chunks),
        "digest": hashlib.sha256(digests.encode()).hexdigest(),
    }


def upload_file(step: Step, world: World[L], run: str, action: dict[str, Any]) -> Result:
    """Upload the kept chunks; a repeated step goes on behind the last receipt.

    A task of the import that is not over, such as that of a run that gave up waiting, is let end
    first, or it would read the file while it is replaced.
    """
    hold_model(step, world)
    world.anaplan.let_end(_action(action), lambda _state: world.patience())
    file_id = action["file"]
    manifests = world.store.kept(run, kind="file")
    have = _receipts(world, run, file_id)

    def receipt(number: int, digest: str) -> None:
        chunk = Chunk(number, digest, manifests[number].bytes)
        world.store.receive_chunk(run, file_id, chunk)
        world.give_way()

    uploaded = world.anaplan.upload(
        file_id, lambda: map(world.store.read_bytes, manifests), receipt=receipt, have=have
    )
    step.tell("uploaded", f"file {file_id}", chunks=len(manifests))
    return {
        "chunks": len(manifests), "uploaded": msgspec.to_builtins(uploaded),
        "file": _file(manifests),
    }  # fmt: skip


def _receipts(world: World[L], run: str, file_id: str) -> dict[int, str]:
    """The digests of the chunks that Anaplan has; none of them when one is a day old.

    Anaplan drops a file that nobody touched for 48 hours, and then imports the default file without
    a word: then it is announced and sent anew.
    """
    chunks = world.store.chunks(run, file_id)
    oldest = min((c.received_at for c in chunks.values() if c.received_at), default=None)
    if oldest is None or world.clock.now() - oldest > RECEIPTS_KEPT:
        return {}
    return {number: chunk.sha256 for number, chunk in chunks.items()}


def start_import(step: Step, world: World[L], run: str, action: dict[str, Any]) -> Result:
    """Start the import, or adopt the task of an earlier try of this step that died; never both.

    The file of a run that lay for a day is uploaded again before anything else.
    """
    lease = hold_model(step, world)
    key = TaskKey(run, step.name, action["kind"], action["id"])
    noted = world.store.task(key)
    anew: Result = {}
    if (noted is None or noted.task_id is None) and not _receipts(world, run, action["file"]):
        anew = {"file": upload_file(step, world, run, action)["file"]}
    task = start_import_once(step, world, lease, key, action["name"])
    step.tell("started import", f"{action['name']} ({action['id']})", task=task)
    return {"task": task, **anew}


def _action(told: dict[str, Any]) -> Action:
    """What "check the import" found."""
    return Action(
        told["kind"], told["id"], told["name"], told["import"], told["import_name"], told["file"]
    )


def wait_for_import(
    step: Step, world: World[L], run: str, action: dict[str, Any], task: str
) -> Result:
    """Poll to a terminal state; the outcome is computed from the counts, not from `successful`."""
    result = world.anaplan.wait(
        action["kind"], action["id"], task, name=action["name"],
        progress=lambda state: world.give_way(),
    )  # fmt: skip
    told: Result = msgspec.to_builtins(result)
    return told


def keep_dump(
    step: Step, world: World[L], run: str, action: dict[str, Any], task: str,
    told: dict[str, Any], rows: int,
) -> Result:  # fmt: skip
    """Save the dump, which Anaplan keeps for 48 hours at most, and write findings of the result."""
    result = msgspec.convert(told, TaskResult)
    findings: list[Finding] = []
    rejected = pl.DataFrame(schema={"line": pl.Int64, "status": pl.String, "errors": pl.String})
    for part in result.objects:
        if not part.dump_available:
            continue
        data = world.anaplan.dump(action["kind"], action["id"], task, part.object_id)
        if data is None:
            findings.append(_lost_dump(part.name or action["name"], result))
            continue
        step.keep_bytes("dump", data, ".csv")
        rejected = pl.concat([rejected, wire.dump_rows(data).select(rejected.columns)])
    told_of = rejected.height + len(findings)
    findings.extend(_rejected(world, run, rejected))
    findings.extend(_counted(action, result, rows * counted_each(world.flow), told_of))
    step.reject(findings)
    let_model_go(step, world)  # not earlier: the next run of the import replaces the dump
    step.tell("import finished", action["name"], task=task, outcome=result.outcome,
              words=list(result.words)[:5])  # fmt: skip
    return {"outcome": result.outcome, "rejected": rejected.height, "counts": _said(result)}


def _said(result: TaskResult) -> dict[str, int | None]:
    """What Anaplan says became of the rows; nothing of a task that did not come to its end."""
    counts = result.counts
    if result.outcome in ("failed", "cancelled"):
        return dict.fromkeys(("accepted", "rejected", "ignored"))
    accepted = None if counts.loaded is None else counts.loaded + (counts.warned or 0)
    rejected = None if counts.failed is None else counts.failed + (counts.invalid or 0)
    return {"accepted": accepted, "rejected": rejected, "ignored": counts.ignored}


def _rejected(world: World[L], run: str, rejected: pl.DataFrame) -> list[Finding]:
    """Dump rows tied to the rows that were sent: line 2 of the file is the first row."""
    if rejected.is_empty():
        return []
    joined = rejected.join(world.of_this_run(run, "sent"), on="line", how="left")
    joined = joined.with_columns(warned=pl.col("status") == "W")
    currency_of = _currencies(world)
    flow: Flow = world.flow
    names = flow.identify if isinstance(flow, LoadTable) else SUBJECT_COLUMNS
    findings = []
    for row in joined.head(REJECTS_SHOWN_MAX).iter_rows(named=True):
        subject = " × ".join(str(row[c]) for c in names if row.get(c))
        line, amount = row["line"], row.get("amount")
        findings.append(
            Finding(
                _WARNED if row["warned"] else _REJECTED, Severity.REJECT,
                subject or f"line {line}",
                f"Anaplan {'loaded with a warning' if row['warned'] else 'rejected'} line {line} "
                "of the file.",
                "Correct the member or the model, then replay.", str(row.get("company") or ""),
                amount=amount if isinstance(amount, Decimal) else None,
                currency=currency_of(row), cells=1, vendor_words=plain(row["errors"]), line=line,
            )
        )  # fmt: skip
    return findings + _rejected_beside(joined.slice(REJECTS_SHOWN_MAX), currency_of)


def _rejected_beside(rest: pl.DataFrame, currency_of: Callable[[Row], str]) -> list[Finding]:
    """One finding for all further rows of a company, with their sum: none is left out unseen."""
    by = [c for c in ("warned", "company", "ledger", "currency") if c in rest.columns]
    sums = [pl.col("amount").abs().sum()] if "amount" in rest.columns else []
    return [
        Finding(
            _WARNED if row["warned"] else _REJECTED, Severity.REJECT,
            " × ".join(["further rows", *(str(row[c]) for c in by[1:] if row[c])]),
            f"Anaplan {'loaded with a warning' if row['warned'] else 'rejected'} "
            f"{counted(row['cells'], 'further row')}.",
            "The run keeps Anaplan's whole list (`tieout show RUN`). Correct the members or the "
            "model, then replay.", str(row.get("company") or ""), amount=row.get("amount"),
            currency=currency_of(row), cells=row["cells"],
        )
        for row in rest.group_by(by).agg(*sums, cells=pl.len()).sort(by).iter_rows(named=True)
    ]  # fmt: skip


def _currencies(world: World[Any]) -> Callable[[Row], str]:
    """The currency of a row that was sent, "" for members."""
    if not isinstance(world.flow, LoadActuals):
        return lambda row: ""
    scope = scope_for(world)
    of_company = currency_of_cells(scope, members_in_anaplan(world, scope))
    return lambda row: str(
        row.get("currency") or of_company(row.get("ledger") or "", row.get("company") or "")
    )


def _lost_dump(name: str, result: TaskResult) -> Finding:
    failed = result.counts.failed
    return Finding(
        _REJECTED, Severity.REJECT, name,
        f"Anaplan rejected {'some' if failed is None else failed} rows, and its list of them is no "
        "longer there (another run of the import replaced it).",
        "Run the flow again.", vendor_words="; ".join(result.words),
    )  # fmt: skip


def _counted(action: dict[str, Any], result: TaskResult, rows: int, told_of: int) -> list[Finding]:
    """Findings about counts: ignored rows, a failed task, rows Anaplan did not see."""
    words = "; ".join(result.words)
    findings = []
    counts = result.counts
    if result.outcome in ("failed", "cancelled"):
        findings.append(
            Finding(
                _REJECTED, Severity.REJECT, action["name"],
                f"Anaplan {WORDS[result.outcome]} the import.",
                "Read Anaplan's words, correct the cause, and run the flow again.", cells=rows,
                vendor_words=words,
            )
        )  # fmt: skip
    elif counts.failed and not told_of:
        findings.append(_lost_dump(action["name"], result))
    if counts.ignored:
        findings.append(
            Finding(
                "import-ignored", Severity.REJECT, action["name"],
                f"Anaplan ignored {counts.ignored} rows: their cells are calculated or sums of "
                "others.",
                "Point the import at cells that can be written.", cells=counts.ignored,
                vendor_words=words,
            )
        )  # fmt: skip
    if counts.total is not None and counts.total != rows and result.outcome == "ok":
        findings.append(
            Finding(
                "import-count", Severity.REJECT, action["name"],
                f"Anaplan counted {counts.total} rows, {rows} were sent.",
                "Check that nobody else uploads this file; run the flow again.",
                cells=abs(counts.total - rows), vendor_words=words,
            )
        )  # fmt: skip
    return findings
