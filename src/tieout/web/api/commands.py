"""What each operation of the API does: a call of one verb, its result as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tieout.core.listing import Wanted, page_of, read_cursor
from tieout.core.policy import ACTS, Thing, may
from tieout.errors import Misconfigured
from tieout.store import audit, batches
from tieout.verbs import (
    acting,
    approving,
    cancelling,
    listing,
    people,
    rejecting,
    running,
    seeing,
)
from tieout.web.api import values
from tieout.web.api.operation import Call


def value_of(told: Mapping[str, Any], kind: Any) -> Any:
    """What a verb told, as the API tells it."""
    return msgspec.convert(told, kind, from_attributes=True)


def page_of_call(
    call: Call, rows: Sequence[Mapping[str, Any]], sort: str, key: str, item: Any,
    *, descending: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The page that is asked for, of a list that is short enough to be held in memory."""
    query: values.Page = call.query
    start = read_cursor(query.cursor) if query.cursor else None
    wanted = Wanted(sort, descending, start=start, rows=query.limit)
    found = page_of(rows, (), wanted, key)
    return {"items": [value_of(row, item) for row in found.rows], "next": found.after}


def me(call: Call) -> Any:
    """Who asks."""
    actor = call.actor
    acts: list[str] = [act for act in ACTS if may(actor, act)]
    return values.Me(actor.name, sorted(actor.roles), sorted(actor.scopes), acts)


def runs(call: Call) -> Any:
    """Runs, newest first."""
    query: values.OfFlow = call.query
    start = read_cursor(query.cursor) if query.cursor else None
    by = {"flow": query.flow} if query.flow else {}
    found = listing.runs(call.instance, Wanted("started_at", True, by, start, rows=query.limit))
    return {"items": [value_of(row, values.Run) for row in found.rows], "next": found.after}


def run_named(call: Call) -> Thing:
    """The run that the path names."""
    run = call.instance.store.run(call.part("run"))
    return Thing(f"Run {run.id}", run.outcome)


def run(call: Call) -> Any:
    """One run."""
    return value_of(seeing.run_as_json(call.instance.store.run(call.part("run"))), values.Run)


def start(call: Call) -> Any:
    """A run that an executor begins; it is not waited for."""
    body: values.RunFlow = call.body
    asked: dict[str, Any] = {"full": True} if body.full else {}
    asked |= {"unlock": body.unlock} if body.unlock else {}
    return value_of(
        seeing.run_as_json(running.begin(call.instance, body.flow, asked=asked)), values.Run
    )


def cancel(call: Call) -> Any:
    """A run is asked to end before its next step."""
    return value_of(cancelling.cancel(call.instance, call.part("run"), call.body.why), values.Run)


def flows(call: Call) -> Any:
    """The configured flows."""
    found = []
    for name, flow in call.instance.project().flows.items():
        last = seeing.last_run(call.instance, name)
        told = seeing.run_as_json(last) if last else None
        found.append({"flow": name, "kind": flow.__struct_config__.tag, "last": told})
    return page_of_call(call, found, "flow", "flow", values.Flow)


def rejects(call: Call) -> Any:
    """Findings that somebody has still to do something about."""
    query: values.OfFlow = call.query
    start = read_cursor(query.cursor) if query.cursor else None
    by = {"flow": query.flow} if query.flow else {}
    wanted = Wanted("id", False, by, start, rows=query.limit)
    found = rejecting.page(call.instance, wanted, waiting=True)
    return {"items": [value_of(row, values.Finding) for row in found.rows], "next": found.after}


def flow_named(call: Call) -> Thing:
    """The flow that the path names."""
    name = call.part("flow")
    running.actuals_flow(call.instance, name)
    return Thing(f"Flow {name}")


def tie_out(call: Call) -> Any:
    """The last comparison of a flow that loads actuals."""
    return value_of(seeing.tied(call.instance, call.part("flow")), values.TieOut)


def approvals(call: Call) -> Any:
    """Batches that wait for a decision, or all."""
    query: values.Approvals = call.query
    found = approving.approvals(call.instance, every=query.every)
    return page_of_call(call, found, "prepared_at", "batch", values.Batch, descending=True)


def batch_named(call: Call) -> Thing:
    """The batch that the path names, with its state and who prepared it."""
    with call.instance.store.database.read() as connection:
        found = batches.find(connection, call.part("batch"))
    return Thing(f"Batch {found.id}", found.state, found.prepared_by)


def batch_seen(call: Call) -> Thing:
    """The same for who only looks."""
    return Thing(batch_named(call).name)


def approval(call: Call) -> Any:
    """One batch."""
    return value_of(approving.approval(call.instance, call.part("batch")), values.Batch)


def approve(call: Call) -> Any:
    """Exactly these lines are approved, and the run that sends them begins: both or neither."""
    body: values.Decide = call.body
    done = approving.approve(
        call.instance, call.part("batch"), body.digest, body.reason, yes=body.yes
    )
    return value_of(done, values.Decided)


def decline(call: Call) -> Any:
    """A batch is declined; who prepared it reads why."""
    body: values.Decline = call.body
    done = approving.refuse(call.instance, call.part("batch"), body.digest, body.reason)
    return value_of(done, values.Decided)


def void(call: Call) -> Any:
    """A batch of which nothing was sent becomes void."""
    done = approving.withdraw(call.instance, call.part("batch"), call.body.why)
    return value_of(done, values.Batch)


def journals(call: Call) -> Any:
    """Journals as they were last seen in JD Edwards."""
    found = approving.all_journals(call.instance)
    return page_of_call(call, found, "journal", "journal", values.Journal)


def users(call: Call) -> Any:
    """Who may what."""
    return page_of_call(call, people.users(call.instance), "name", "name", values.User)


def trail(call: Call) -> Any:
    """The trail in its order; the cursor is the number of the last entry seen."""
    acting.require(call.instance, "read trail")
    query: values.Page = call.query
    if query.cursor and not (query.cursor.isdecimal() and len(query.cursor) < 19):
        raise Misconfigured("The cursor is not one of ours.", untouched="Nothing was read.")
    after = int(query.cursor or 0)
    with call.instance.store.database.read() as connection:
        found = audit.entries(connection, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    items = [values.Entry(e.seq, e.at, e.actor, e.act, e.object, e.told, e.hash) for e in shown]
    return {"items": items, "next": str(shown[-1].seq) if len(found) > len(shown) else ""}
