"""A step's effects are committed once, all together, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tieout.clock import SystemClock
from tieout.errors import Busy, Refused
from tieout.store.positions import OpenCell
from tieout.store.runs import Ending, NewRun
from tieout.store.steps import RESULT_BYTES_MAX, Step
from tieout.store.store import Store

Files = Callable[[], list[str]]
AMOUNT = pl.Decimal(38, 4)
LARGEST = Decimal("9" * 34 + ".9999")


@dataclass(frozen=True)
class OneCall:
    system: str = "jde"
    method: str = "POST"
    path: str = "/jderest/v2/dataservice"
    status: int = 200
    milliseconds: int = 12
    bytes_in: int = 3_400
    bytes_out: int = 210
    tries: int = 1


def lines(*amounts: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"account_id": ["00012345"] * len(amounts), "amount": [Decimal(a) for a in amounts]},
        schema={"account_id": pl.String, "amount": AMOUNT},
    )


@pytest.mark.objects
def test_what_a_step_kept_is_read_back_to_the_last_decimal(store: Store, run: str) -> None:
    kept = lines("0.0001", "-1250.7500", str(LARGEST), str(-LARGEST))
    store.run_step(run, "read ledger", lambda step: {"rows": step.keep("lines", kept).rows})
    manifests = store.current(store.run(run).flow, "lines")
    found = store.scan(manifests).collect()
    assert found.schema == {"account_id": pl.String, "amount": AMOUNT}
    assert found["amount"].to_list() == kept["amount"].to_list()
    assert [m.rows for m in manifests] == [4]


@pytest.mark.objects
def test_a_step_done_before_returns_its_first_result_and_writes_nothing(
    store: Store, run: str, files: Files
) -> None:
    def read_ledger(step: Step) -> dict[str, object]:
        step.keep("lines", lines("1.0000"))
        step.tell("read lines", "company 00001", total=Decimal("1.00"))
        step.call(OneCall())
        return {"total": Decimal("1.00"), "rows": 1}

    first = store.run_step(run, "read ledger", read_ledger)
    kept = files()
    again = store.run_step(run, "read ledger", read_ledger)
    assert first == again == {"total": "1.00", "rows": 1}
    assert files() == kept
    assert len(store.kept(run)) == len(store.calls(run)) == len(store.steps(run)) == 1


@pytest.mark.objects
def test_of_two_processes_in_the_same_step_one_commits_and_both_learn_its_result(
    store: Store, run: str
) -> None:
    together = threading.Barrier(2)

    def twice(who: str) -> dict[str, object]:
        def function(step: Step) -> dict[str, object]:
            together.wait()
            step.keep("lines", lines("1.0000"))
            step.tell("read lines", "company 00001")
            return {"who": who}

        return store.run_step(run, "read ledger", function)

    with ThreadPoolExecutor(2) as threads:
        one, two = threads.map(twice, ["A", "B"])
    assert one == two == store.steps(run)[0].result
    assert len(store.kept(run)) == len(store.steps(run)) == 1
    told = [entry.act for entry in store.audit(run=run)]
    assert told == ["started run", "read lines", "finished step"]


def test_the_try_of_a_step_that_came_second_keeps_the_evidence_of_its_calls(
    store: Store, run: str
) -> None:
    def first(step: Step) -> dict[str, object]:
        step.call(OneCall(status=200))
        return {"who": "first"}

    def second(step: Step) -> dict[str, object]:
        step.call(OneCall(status=201))
        store.run_step(run, "start import", first)
        return {"who": "second"}

    assert store.run_step(run, "start import", second) == {"who": "first"}
    assert [(call.n, call.status) for call in store.calls(run)] == [(1, 200), (2, 201)]


def test_a_call_made_after_the_last_step_is_written_when_the_run_ends(
    store: Store, run: str
) -> None:
    steps: list[Step] = []

    def function(step: Step) -> dict[str, object]:
        steps.append(step)
        step.call(OneCall(path="/read"))
        return {}

    store.run_step(run, "read ledger", function)
    steps[0].call(OneCall(path="/tokenrequest/logout"))
    for _ in range(2):
        store.finish_run(run, Ending("complete", "Ties.", 0, {}))
    calls = [(call.step, call.n, call.path) for call in store.calls(run)]
    assert calls == [("read ledger", 1, "/read"), ("read ledger", 2, "/tokenrequest/logout")]
    assert store.audit(run=run)[-1].told == {"outcome": "complete", "calls": 2}


@pytest.mark.objects
def test_a_step_that_fails_leaves_only_the_evidence_of_its_calls(
    store: Store, run: str, files: Files
) -> None:
    def fails(step: Step) -> dict[str, object]:
        step.keep("lines", lines("1.0000"))
        step.tell("read lines", "company 00001")
        step.move_position("updated", None, "2025-12-31")
        step.call(OneCall(status=503))
        raise Refused("The ledger does not answer.")

    for _ in range(2):
        with pytest.raises(Refused, match="ledger does not answer"):
            store.run_step(run, "read ledger", fails)
    flow = store.run(run).flow
    assert store.steps(run) == []
    assert store.current(flow, "lines") == []
    assert store.position(flow, "updated") is None
    assert files() == []
    assert [(call.n, call.status) for call in store.calls(run)] == [(1, 503), (2, 503)]


def test_an_effect_that_fails_at_commit_undoes_the_whole_step(store: Store, run: str) -> None:
    flow = store.run(run).flow
    store.run_step(run, "first", lambda s: s.move_position("updated", None, "2025-01-31") or {})

    def late(step: Step) -> dict[str, object]:
        step.keep("lines", lines("1.0000"))
        step.tell("read lines", "company 00001")
        step.call(OneCall(method="PUT"))
        step.move_position("updated", "2024-12-31", "2025-02-28")
        return {}

    for _ in range(2):
        with pytest.raises(Busy, match="moved by another run"):
            store.run_step(run, "second", late)
    assert store.position(flow, "updated") == "2025-01-31"
    assert store.current(flow, "lines") == []
    assert "read lines" not in [entry.act for entry in store.audit(run=run)]
    calls = [(call.step, call.n, call.method) for call in store.calls(run)]
    assert calls == [("second", 1, "PUT"), ("second", 2, "PUT")], "what it asked the peers stays"
    assert [step.name for step in store.steps(run)] == ["first"]


@pytest.mark.objects
def test_replacing_retires_the_earlier_files_of_that_key_only(store: Store, run: str) -> None:
    flow = store.run(run).flow

    def keep(company: str, *amounts: str, replace: bool = False) -> str:
        def step_function(step: Step) -> dict[str, object]:
            for amount in amounts:
                frame = lines(amount)
                step.keep("lines", frame, company=company, fiscal_year=2025, replace=replace)
            return {}

        name = f"keep {company} {amounts} {replace}"
        store.run_step(run, name, step_function)
        return name

    keep("00001", "1.0000")
    keep("00060", "2.0000")
    keep("00001", "3.0000", "4.0000", replace=True)
    found = store.scan(store.current(flow, "lines")).collect()["amount"].to_list()
    assert found == [Decimal("2.0000"), Decimal("3.0000"), Decimal("4.0000")]
    only = store.scan(store.current(flow, "lines", company="00001", fiscal_year=2025)).collect()
    assert only["amount"].sum() == Decimal("7.0000")
    assert len(store.kept(run)) == 4, "retired files stay as history"


def test_nothing_kept_reads_as_an_empty_frame_of_the_asked_schema(store: Store, flow: str) -> None:
    schema = pl.Schema({"account_id": pl.String(), "amount": AMOUNT})
    assert store.scan(store.current(flow, "lines"), schema).collect().schema == schema


def test_a_home_may_have_any_name(tmp_path: Path) -> None:
    home = tmp_path / "Büro [a-z]* #1? 100% 'x'"
    home.mkdir(mode=0o700)
    store = Store(home, SystemClock())
    store.migrate()
    run = store.new_run(NewRun("a/../b c", "load_actuals", "Anna")).id
    store.run_step(run, "../read ?", lambda s: {"id": s.keep("../lines*", lines("1.0000")).id})
    manifests = store.current("a/../b c", "../lines*")
    assert store.scan(manifests).collect().equals(lines("1.0000"))
    assert sorted(path.name for path in home.iterdir()) == ["records", "tieout.sqlite", "trail-key"]
    assert manifests[0].path.startswith("a_b_c/_lines_/")
    store.close()


def test_bytes_come_back_as_they_were_and_a_changed_file_is_refused(store: Store, run: str) -> None:
    data = b"\x1f\x8b\x00not really gzip\r\n"
    store.run_step(run, "chunk", lambda s: {"id": s.keep_bytes("chunk", data, ".csv.gz").id})
    [manifest] = store.kept(run, kind="chunk")
    assert store.read_bytes(manifest) == data
    path = store.records.root / manifest.path
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(data[:-1] + b"!")
    with pytest.raises(Refused, match="content is not what was written"):
        store.read_bytes(manifest)
    path.write_bytes(data[:-1])
    with pytest.raises(Refused, match="bytes instead of"):
        store.read_bytes(manifest)
    path.unlink()
    with pytest.raises(Refused, match="it is missing"):
        store.read_bytes(manifest)


def test_rows_that_were_changed_on_the_disk_are_not_added_up(store: Store, run: str) -> None:
    """Whether they were changed before this process read them or after."""
    store.run_step(run, "read", lambda s: {"id": s.keep("lines", lines("1.0000", "2.0000")).id})
    manifests = store.kept(run)
    path = store.records.root / manifests[0].path
    before = path.read_bytes()
    middle = len(before) // 3
    changed = before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :]
    for reader in (store, Store(store.home, SystemClock(), _url(store))):
        assert reader.scan(manifests).collect().height == 2
        path.write_bytes(changed)
        for _ in range(2):
            with pytest.raises(Refused, match="content is not what was written"):
                reader.scan(manifests)
        path.write_bytes(before)
    path.write_bytes(changed)
    with pytest.raises(Refused, match="content is not what was written"):
        Store(store.home, SystemClock(), _url(store)).scan(manifests)


def _url(store: Store) -> str | None:
    return None if store.database.is_sqlite else store.database.url.render_as_string(False)


def test_a_result_too_large_to_list_is_refused_before_anything_is_written(
    store: Store, run: str
) -> None:
    with pytest.raises(ValueError, match="keep the rows as a record"):
        store.run_step(run, "too much", lambda step: {"rows": "x" * RESULT_BYTES_MAX})
    with pytest.raises(TypeError, match="float"):
        store.run_step(run, "inexact", lambda step: {"total": 0.1})
    assert store.steps(run) == []


def test_an_open_cell_remembers_the_run_it_was_first_held_in(store: Store, run: str) -> None:
    flow = store.run(run).flow
    amount = Decimal("-12.340")
    held = OpenCell("00001", "5005", "30", "Oct 25", "", "", 2025, 10, "died post", amount)
    other = OpenCell("00001", "5005", "30", "Nov 25", "", "", 2025, 11, "moved", Decimal(1))
    store.run_step(run, "hold", lambda s: s.replace_open_cells([held]) or {})
    store.run_step(run, "hold more", lambda s: s.replace_open_cells([held, other]) or {})
    cells = store.open_cells(flow)
    assert [(c.member, str(c.amount)) for c in cells] == [("Nov 25", "1"), ("Oct 25", "-12.340")]
    assert {cell.since_run for cell in cells} == {run}
    store.run_step(run, "free", lambda s: s.replace_open_cells([]) or {})
    assert store.open_cells(flow) == []
