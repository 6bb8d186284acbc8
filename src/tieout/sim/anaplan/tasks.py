"""Tasks: one queue per model, first in first out, on the practice clock."""

from __future__ import annotations

import json
import random
from typing import Any

from tieout.sim.anaplan.runs import run_action
from tieout.sim.anaplan.state import State, Thing, model_id
from tieout.sim.anaplan.wire import Exchange, Refusal, enveloped, paged
from tieout.sim.box import Response, json_response

KINDS = {"imports": "import", "exports": "export", "processes": "process", "actions": "action"}
TERMINAL = ("COMPLETE", "CANCELLED")
STEPS_BEFORE, STEPS_RUNNING = 1, 2  # A039: how long a task waits and runs, in steps


def pump(state: State, now: float) -> None:
    """Bring every model's queue to `now`: start, finish and run what is due (A039).

    A task's work is done at the instant it completes, so what it reads is what the files
    hold then (A036), and a cancelled task has nothing to roll back (A041).
    """
    sql = (
        "select seq, id, model, kind, parent, user, created, started, state from tasks "
        "where state not in ('COMPLETE', 'CANCELLED') order by seq"
    )
    busy: set[str] = set()
    for row in state.rows(sql):
        if row[2] not in busy and not _advance(state, now, row):
            busy.add(row[2])


def _advance(state: State, now: float, row: Any) -> bool:
    """Move the first open task of a model on; whether it is over."""
    seq, id_, model, kind, parent, user, created, started, phase = row
    step = float(state.switch("task_step_seconds"))
    if phase == "CANCELLING":
        if now < started + step:
            return False
        state.do(
            "update tasks set state = 'CANCELLED', finished = ? where seq = ?", started + step, seq
        )
        return True
    if started is None:
        # A practice clock that starts anew after a restart may lie before what was finished.
        sql = "select max(finished) from tasks where model = ? and finished <= ?"
        last = state.row(sql, model, now)[0] or 0.0
        started = max(created + STEPS_BEFORE * step, last)
        if now < started:
            return False
        state.do("update tasks set state = 'IN_PROGRESS', started = ? where seq = ?", started, seq)
    finished = started + STEPS_RUNNING * step
    if now < finished:
        return False
    result = run_action(state, finished, (model, user, id_), KINDS[kind], parent)
    state.do(
        "update tasks set state = 'COMPLETE', finished = ?, result = ? where seq = ?",
        finished, json.dumps(result), seq,
    )  # fmt: skip
    return True


def open_tasks(state: State, model: str) -> int:
    """How many tasks of a model are not terminal."""
    sql = "select count(*) from tasks where model = ? and state not in ('COMPLETE', 'CANCELLED')"
    return int(state.row(sql, model)[0])


def start(exchange: Exchange) -> Response:
    """`POST …/tasks`: every call makes a new task (A038); `localeName` is needed (A037)."""
    body = exchange.body()
    if not isinstance(body, dict) or not body.get("localeName"):
        raise Refusal(400, "localeName is required")
    names = list(body)
    late = "mappingParameters" in names and names.index("mappingParameters") < names.index(
        "localeName"
    )
    if late and exchange.state.switch("locale_first"):
        raise Refusal(400, "localeName must come before mappingParameters")  # A037
    kind = exchange.ids["kind"]
    action = exchange.thing("action", KINDS[kind])
    now, state = exchange.clock.now(), exchange.state
    id_ = enqueue(state, now, (exchange.model, exchange.user), action, body)
    if state.switch("single_task_answer") == "bare":
        return json_response(200, {"taskId": id_})  # A038
    return enveloped("task", task={"taskId": id_})


def enqueue(state: State, now: float, who: tuple[str, str], action: Thing, body: Any) -> str:
    """Put a task of `action` at the end of the queue of `who` (model, user); its id."""
    model, user = who
    id_, kind = model_id(), next(k for k, word in KINDS.items() if word == action.kind)
    state.do(
        "insert into tasks (id, model, kind, parent, user, body, created, state) "
        "values (?, ?, ?, ?, ?, ?, ?, 'NOT_STARTED')",
        id_, model, kind, action.id, user, json.dumps(body, default=str), now,
    )  # fmt: skip
    most = state.meta("open_tasks_max", {})
    most[model] = max(most.get(model, 0), open_tasks(state, model))
    state.keep_meta("open_tasks_max", most)
    return id_


def list_tasks(exchange: Exchange) -> Response:
    """`GET …/tasks`: oldest first, with paging; 200 without tasks for an unknown parent (A042)."""
    down = exchange.query("sort").lstrip("+ ") == "-creationTime"
    sql = (
        "select id, state, created from tasks where model = ? and kind = ? and parent = ? "
        "and coalesce(finished, ?) >= ? order by seq"
    )
    ids, kept = exchange.ids, _kept_since(exchange)
    rows = exchange.state.rows(sql, exchange.model, ids["kind"], ids["action"], kept, kept)
    tasks = [{"taskId": r[0], "taskState": r[1], "creationTime": round(r[2] * 1000)} for r in rows]
    return paged(exchange, "task", "tasks", tasks[::-1] if down else tasks)


def _kept_since(exchange: Exchange) -> float:
    """Tasks that ended before this moment are forgotten (A094)."""
    return exchange.clock.now() - 3600 * float(exchange.state.switch("task_hours"))


def task_row(exchange: Exchange) -> Any:
    """(seq, id, state, created, started, result, user) of the task in the path, or 404 (A042)."""
    ids, kept = exchange.ids, _kept_since(exchange)
    row = exchange.state.row(
        "select seq, id, state, created, started, result, user from tasks "
        "where model = ? and kind = ? and parent = ? and id = ? and coalesce(finished, ?) >= ?",
        exchange.model, ids["kind"], ids["action"], ids["task"], kept, kept,
    )  # fmt: skip
    if row is None:
        raise Refusal(404)
    return row


def get_task(exchange: Exchange) -> Response:
    """`GET …/tasks/{id}`: state, progress, step; the result only when it is over (A040)."""
    return enveloped("task", task=_task_json(exchange, task_row(exchange)))


def _task_json(exchange: Exchange, row: Any) -> dict[str, Any]:
    _, id_, phase, created, started, result, _ = row
    progress = {"NOT_STARTED": 0.0, "COMPLETE": 1.0}.get(phase)
    if progress is None:
        length = STEPS_RUNNING * float(exchange.state.switch("task_step_seconds"))
        done = (exchange.clock.now() - started) / length if length else 1.0
        progress = round(min(0.99, max(0.0, done)), 2)
    step = {
        "NOT_STARTED": "Preparing ...", "COMPLETE": "Complete.", "CANCELLED": "Cancelled.",
        "CANCELLING": "Cancelling ...",
    }.get(phase, "Processing ...")  # fmt: skip
    task = {
        "type": "taskInformation", "taskId": id_, "taskState": phase, "progress": progress,
        "currentStep": step, "creationTime": round(created * 1000),
    }  # fmt: skip
    if phase == "COMPLETE":
        task["result"] = _result_json(json.loads(result), random.Random(id_))
    return task


def _result_json(result: dict[str, Any], order: random.Random) -> dict[str, Any]:
    """The vendor's layout: `values` is one flat list of keys and values, in any order (A043)."""
    shown = {k: v for k, v in result.items() if k not in ("details", "nested")}
    details = []
    for detail in result.get("details", []):
        pairs = list(detail["values"].items())
        order.shuffle(pairs)
        flat = [str(part) for pair in pairs for part in pair]
        details.append(
            {
                "type": detail["type"], "occurrences": 0,
                "localMessageText": detail["text"], "values": flat,
            }
        )  # fmt: skip
    if details:
        shown["details"] = details
    if "nested" in result:
        shown["nestedResults"] = [_result_json(n, order) for n in result["nested"]]
    return shown


def cancel(exchange: Exchange) -> Response:
    """`DELETE …/tasks/{id}`: CANCELLING, then CANCELLED, no effect; too late, nothing (A041)."""
    row = task_row(exchange)
    if row[2] not in TERMINAL:
        exchange.state.do(
            "update tasks set state = 'CANCELLING', started = ? where seq = ?",
            exchange.clock.now(), row[0],
        )  # fmt: skip
    if exchange.state.switch("cancel_answer") == "empty":
        return Response(204)
    return enveloped("task", task=_task_json(exchange, task_row(exchange)))
