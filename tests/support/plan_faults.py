"""What can go wrong while a plan is sent, at every point of it, and how people put it right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from small_plan import UNITS, SmallPlan, asks, only_trouble

from tieout.core.posting import State
from tieout.store.batches import Batch
from tieout.store.journals import Journal

CALL = r"/v3/orchestrator/TIEOUT_PlanJournal$"
RESERVE = r"/v3/orchestrator/TIEOUT_ReserveBatch$"
LOOK = "/dataservice"
GONE = ("deleted", "voided")  # they ask until they are prepared again
MINUTE, HOUR = 60, 3600
ROUNDS_MAX = 12  # of people and product taking turns until nothing is left to do

Arm = Callable[[SmallPlan], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong when a journal is sent.

    `clear`: JD Edwards shows what became of the journal within the quiet period, so that nobody is
    asked; `numbered` the same, but only where its numbers were reserved.
    """

    name: str
    arm: Arm
    clear: bool = True
    numbered: bool = True


def on_call(kind: str, **fields: Any) -> Arm:
    """A planned failure of the next call that sends a journal."""
    return lambda p: p.books.fault("jde", kind, method="POST", path=CALL, **fields)


def next_run(**plan: Any) -> Arm:
    """The next run of the orchestration is disturbed within."""
    return lambda p: _orchestrations(p, next=plan)


def _orchestrations(p: SmallPlan, **body: Any) -> None:
    p.books.control("jde", "orchestrations", **body)


def switched(**switches: Any) -> Arm:
    """The practice JD Edwards behaves otherwise from now on."""

    def arm(p: SmallPlan) -> None:
        for name, value in switches.items():
            p.books.control("jde", "switch", name=name, value=value)

    return arm


def account_is_blocked(p: SmallPlan) -> None:
    """Somebody blocks an account of every company between our look and our call."""
    for unit in UNITS.values():
        p.ledger.update("F0901", {"PEC": "N"}, {"MCU": unit, "OBJ": "5005"})


def account_is_free(p: SmallPlan) -> None:
    """They are open again."""
    for unit in UNITS.values():
        p.ledger.update("F0901", {"PEC": ""}, {"MCU": unit, "OBJ": "5005"})


def behind_another(p: SmallPlan) -> None:
    """The author chose a queue that runs one call at a time; another waits in it, and AIS's
    gateway gives up at once."""
    switched(orchestration_queue="JDE_SINGLE", gateway_seconds=0)(p)
    p.books.fault("jde", "queued", method="POST", path=CALL, seconds=5 * MINUTE, times=1)


def both(*arms: Arm) -> Arm:
    """One after the other."""

    def arm(p: SmallPlan) -> None:
        for each in arms:
            each(p)

    return arm


KEY_IS_THERE = "F0911Z1 has a record with the key"  # processed rows that nobody has purged
TWICE = "sent twice by a proxy"  # only a key of JD Edwards' tables refuses the second
FAULTS = (
    Fault("cut before the commit", on_call("cut_before"), numbered=False),
    Fault("cut after the commit", on_call("cut_after")),
    Fault("answer cut in two", on_call("truncate")),
    Fault("commit later than our time-out", on_call("queued", seconds=10 * MINUTE)),
    Fault("commit after the quiet period", on_call("queued", seconds=3 * HOUR), numbered=False),
    Fault("500 after the commit", on_call("status_after", status=500)),
    Fault("500 without a commit", on_call("status", status=500), numbered=False),
    Fault("503 after the commit", on_call("status_after", status=503)),
    Fault("429", on_call("status", status=429), numbered=False),
    Fault("200 with errors, rows left behind", account_is_blocked, clear=False),
    Fault("500 with errors, rows left behind",
          both(switched(upload_errors="status"), account_is_blocked), clear=False),
    Fault("errors in the work center alone, rows left behind",
          both(switched(upload_errors="work_center"), account_is_blocked), clear=False),
    Fault("400, an input refused", on_call("status", status=400, body='{"message":"no"}'),
          numbered=False),
    Fault("202, done soon", on_call("accepted", seconds=30)),
    Fault("202, done an hour later", on_call("accepted", seconds=HOUR), clear=False),
    Fault("202, and nothing ever", on_call("accepted", seconds=0), clear=False),
    Fault("part of the rows, and 500", next_run(lines=1), clear=False),
    Fault("part of the lines, and 200", next_run(lines=1, on_error="continue"), clear=False),
    Fault("all rows, R09110Z not reached", next_run(process=False), clear=False),
    Fault(TWICE, on_call("twice")),
    Fault("a queue that answers 202", switched(orchestration_queue="JDE_ASYNC")),
    Fault("waits behind another in a queue", behind_another),
    Fault("restart between look and send", on_call("delay", seconds=0, meanwhile={"restart": {}}),
          numbered=False),
    Fault("queued, then dropped by a restart",
          both(switched(restart_queue="drops"), on_call("queued", seconds=HOUR)), numbered=False),
)  # fmt: skip

# Failures of any request, at the points where JD Edwards is only asked.
WIRE: Mapping[str, Mapping[str, Any]] = {
    "cut before": {"kind": "cut_before"},
    "cut after": {"kind": "cut_after"},
    "cut for long": {"kind": "cut_before", "times": 9},
    "500": {"kind": "status", "status": 500},
    "500 after": {"kind": "status_after", "status": 500},
    "503 for long": {"kind": "status", "status": 503, "times": 9},
    "202": {"kind": "accepted", "seconds": 30},
    "no JSON": {"kind": "status", "status": 200, "body": "<html>"},
    "half an answer": {"kind": "truncate"},
    "restart": {"kind": "delay", "meanwhile": {"restart": {}}},
}
# Point of submit → the moment from which the next request of that path fails.
POINTS = {
    "reserve": ("reserve numbers 1:before", RESERVE),
    "look before": ("send journal 1:before", LOOK),
    "look after": ("look:before", LOOK),
    "follow": ("look 1:before", LOOK),
}


def heal(p: SmallPlan) -> None:
    """Nothing goes wrong any more; what waits in queues runs."""
    p.books.no_more_faults()
    _orchestrations(p, next={})
    _orchestrations(p, release=True)
    p.books.control("jde", "switch", reset=True)
    account_is_free(p)


# Nothing but what people do moves a journal out of these.
AT_REST = ("created", "ready", "verified", "deleted", "voided")


def settle(p: SmallPlan, batch: Batch | None = None) -> None:
    """The product goes on by itself until nothing moves any more."""
    before: list[Any] = []
    for _ in range(ROUNDS_MAX):
        p.checks()
        now = [(j.name, j.state, asks(j)) for j in p.journals(batch)]
        if now == before or all(asked or state in AT_REST for _, state, asked in now):
            return
        before = now
    raise AssertionError(f"it does not settle: {before}")


def people_answer(p: SmallPlan, journal: Journal) -> str:
    """What people do about one journal that asks them; what it was."""
    state = State(journal.state)
    if state in (State.ABSENT, State.REFUSED):
        if KEY_IS_THERE in str(journal.evidence.get("answer")):
            # What was entered from it was deleted, and our database restored: nobody knows it.
            p.ledger.delete("F0911Z1", {"EDSP": "1"})
        # While the run that sends another one waits, they are told so and come again.
        return only_trouble(p.releases, journal) or "released"
    if state is State.PARTIAL:
        return _deleted(p, journal)
    if state is State.UNCERTAIN:  # it stands unprocessed in F0911Z1
        _orchestrations(p, process=True)
        return "processed"
    if state is State.CREATED:  # its post found an error, which is corrected
        return f"{p.everything_posted()} posted"
    return f"nothing about {state}"


def _deleted(p: SmallPlan, journal: Journal) -> str:
    """They delete what there is of it, or void what is posted; then it is prepared again."""
    p.ledger.delete("F0911Z1", {"R1": journal.token, "EDSP": "0"})
    lines = p.lines(journal)
    if any(line["POST"] for line in lines):
        p.people_do("void", journal)
        return "voided"
    if lines:
        p.people_do("delete", journal)
    return "deleted"


def prepared_again(p: SmallPlan) -> bool:
    """Anna lets what was deleted or voided be prepared again, and Ben approves it."""
    gone = [j.name for j in p.journals() if j.state in GONE
            and "again" not in j.evidence]  # fmt: skip
    if not gone:
        return False
    run = p.prepares(again=gone)
    assert run.exit_code in (0, 7), run.sentence
    for batch in p.waiting():
        p.approve(batch, [ask["rule"] for ask in batch.summary["asks"]])
        p.follows(batch)
    return True


def everything_answered(p: SmallPlan, note: Callable[[], None] = lambda: None) -> None:
    """People and product take turns until every journal is verified or was taken back.

    `note` is called whenever people are about to look who waits for them.
    """
    for _ in range(ROUNDS_MAX):
        settle(p)
        note()
        asking = [j for j in p.asking() if j.state not in GONE]
        if not asking and not prepared_again(p):
            break
        for journal in asking:
            print(journal.name, journal.state, people_answer(p, journal))
    p.everything_posted()
    settle(p)
