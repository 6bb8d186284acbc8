"""Orchestrations: found by name, called to hand out numbers, and called once to write a journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import polars as pl

from tieout.errors import Misconfigured, Refused, Trouble, Uncertain
from tieout.http import Answer
from tieout.jde import orchestrations, submission
from tieout.jde.message import ISO, Sent, message
from tieout.jde.orchestrations import Orchestration
from tieout.jde.page import PEER
from tieout.jde.session import CNC, GONE_STATUSES, OK_STATUS, Session, failure, said
from tieout.jde.submission import NotSent, Reserved, Submitted

DISCOVER, CATALOG, CALL = "/discover", "/v3/open-api-catalog3", "/v3/orchestrator"
NOT_THERE_STATUSES = (400, 404, 500)  # for a name that is not there (U10)
DOCUMENTS_INPUT = "Documents"  # of the orchestration that hands out numbers: how many documents
DOCUMENTS_MAX = 999

Dates = Literal["iso", "user"]


class Orchestrator:
    """The orchestrations of one session; what was found out about one is kept for its life."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, Orchestration] = {}

    # --- discovery ----------------------------------------------------------------------------

    def shown(self) -> tuple[Orchestration, ...]:
        """All orchestrations that AIS shows to our user, as `/discover` tells them."""
        answer = self._session.ask("GET", DISCOVER)
        if answer.status != OK_STATUS:
            raise _not_shown(answer)
        found = orchestrations.discovered(answer.json_object())
        return tuple(sorted(found, key=lambda o: o.name))

    def everything(self) -> tuple[Orchestration, ...]:
        """All orchestrations with their inputs: of the open catalog, else of discovery, by name.

        What only one of the two shows is there too. Trouble of discovery where neither answers.
        """
        answer = self._session.ask("GET", CATALOG)
        document = _document(answer)
        cataloged = {name: orchestrations.cataloged(document, name)
                     for name in orchestrations.cataloged_names(document)}  # fmt: skip
        try:
            shown = {o.name: o for o in self.shown()}
        except Trouble:
            if not cataloged:
                raise
            shown = {}
        return tuple(
            orchestrations.merged(shown.get(name), name, cataloged.get(name, ()))
            or Orchestration(name, ())
            for name in sorted({*shown, *cataloged})
        )

    def named(self, name: str) -> Orchestration:
        """One orchestration with its inputs; Misconfigured, with the names there are, if missing.

        Discovery knows the message format, the catalog the columns of arrays: both are asked.
        """
        if name not in self._known:
            more = self._cataloged(name)
            found = orchestrations.merged(self._discovered(name), name, more)
            if found is None:
                shown = {o.name: o for o in self.shown()}
                if name not in shown:
                    raise orchestrations.unknown(name, shown)
                found = orchestrations.merged(shown[name], name, more) or shown[name]
            self._known[name] = found
        return self._known[name]

    def checked(
        self, name: str, inputs: Iterable[str], array: str = "", columns: Iterable[str] = ()
    ) -> Orchestration:
        """The orchestration, if it has these inputs, this array and these columns of it."""
        found = self.named(name)
        orchestrations.check(found, inputs, array, columns)
        return found

    def _discovered(self, name: str) -> Orchestration | None:
        answer = self._session.ask("GET", f"{DISCOVER}/{quote(name, safe='')}")
        if answer.status in NOT_THERE_STATUSES:
            return None
        if answer.status != OK_STATUS:
            raise _not_shown(answer)
        found = orchestrations.discovered(answer.json_object())
        return next((o for o in found if o.name == name), None)

    def _cataloged(self, name: str) -> tuple[orchestrations.Input, ...]:
        """What the catalog of version 3 tells; nothing where a release has none (§1.4)."""
        answer = self._session.ask("GET", f"{CATALOG}/{quote(name, safe='')}")
        return orchestrations.cataloged(_document(answer), name)

    # --- numbers ------------------------------------------------------------------------------

    def reserve(self, name: str, documents: int = 1) -> Reserved:
        """A batch number and `documents` document numbers; repeatable: a wasted one is harmless."""
        if not 1 <= documents <= DOCUMENTS_MAX:
            raise ValueError(f"{documents} documents cannot be reserved at once")
        orchestration = self.named(name)
        asked: dict[str, Sent] = {}
        if documents > 1 or orchestration.input(DOCUMENTS_INPUT):
            asked = {DOCUMENTS_INPUT: documents}
            orchestrations.check(orchestration, asked)
        body = message(orchestration, asked, "", (), ISO)
        answer = self._session.ask("POST", f"{CALL}/{quote(name, safe='')}", json=body)
        if answer.status != OK_STATUS:
            raise _no_numbers(name, answer, f"{answer.status}: {said(answer)}")
        told = answer.json_object()
        batches = submission.numbers(told, submission.BATCH_NAMES)
        found = submission.numbers(told, submission.DOCUMENT_NAMES)
        if submission.errors(told) or len(batches) != 1 or len(found) < documents:
            words = submission.errors(told)
            raise _no_numbers(
                name, answer, words or f"{len(batches)} batch and {len(found)} document numbers"
            )
        return Reserved(batches[0], found[:documents])

    # --- journals -----------------------------------------------------------------------------

    def submit_journal(
        self, name: str, inputs: Mapping[str, Sent], array: str, lines: pl.DataFrame, *,
        queue: str = "", dates: Dates = "iso",
    ) -> Submitted:  # fmt: skip
        """Send one journal, once; the answer is evidence only: look for it in the ledger.

        `lines` has the columns of `array`, in order. Raises NotSent when it certainly was not sent,
        and nothing else: neither a lost answer nor any status says what the ledger holds. It is
        not sent again here, also not after 444.
        """
        try:
            body = self._message(name, inputs, array, lines, dates=dates)
            if queue:
                body["jde__jobQueue"] = _queue(queue)
            self._session.fresh()
        except ValueError as error:
            raise NotSent(f"The journal was not sent: {error}.") from error
        except Trouble as cause:
            raise _not_sent(cause) from cause
        later = queue in submission.LATER_QUEUES
        try:
            answer = self._session.send(
                f"{CALL}/{quote(name, safe='')}", json=body, repeatable=False, once=True
            )
        except Uncertain as lost:
            return Submitted(0, lost.evidence or lost.what, asynchronous=later)
        except Trouble as cause:
            raise _not_sent(cause) from cause
        if answer.status in GONE_STATUSES:
            self._session.forget(answer.status)
        return submission.submitted(answer, queue)

    def _message(
        self, name: str, inputs: Mapping[str, Sent], array: str, lines: pl.DataFrame, *,
        dates: Dates,
    ) -> dict[str, Any]:  # fmt: skip
        if lines.is_empty():
            raise ValueError("it has no lines")
        found = self.checked(name, inputs, array, lines.columns)
        dialect = self._session.current().dialect if dates == "user" else ISO
        return message(found, inputs, array, lines.iter_rows(named=True), dialect)


def _document(answer: Answer) -> Any:
    """The open catalog; None where a release without it answers otherwise, perhaps with a page."""
    try:
        return answer.json() if answer.status == OK_STATUS else None
    except Refused:
        return None


def _queue(name: str) -> str:
    if name not in submission.QUEUES:
        raise Misconfigured(
            f"{name!r} is not a job queue of orchestrations. "
            f"There are: {', '.join(submission.QUEUES)}.",
            untouched=orchestrations.UNSENT, do="Correct the queue of the flow.",
        )  # fmt: skip
    return name


def _not_sent(cause: Trouble) -> NotSent:
    return NotSent(
        f"The journal was not sent: {cause.what}", untouched="Nothing was written to JD Edwards.",
        do=cause.do, who=cause.who, evidence=cause.evidence,
    )  # fmt: skip


def _not_shown(answer: Answer) -> Trouble:
    if answer.status in GONE_STATUSES:
        return Refused(
            f"{PEER} does not let its user discover orchestrations.",
            untouched=orchestrations.UNSENT, who=CNC, evidence=said(answer),
            do="Give the role permission to use the discovery of orchestrations.",
        )  # fmt: skip
    return failure(answer, "the discovery of orchestrations")


def _no_numbers(name: str, answer: Answer, words: str) -> Refused:
    return Refused(
        f"The orchestration {name} handed out no numbers ({words}).",
        untouched="No journal was sent; a number that was drawn stays unused.",
        do="Call it in Orchestrator Studio: it answers at once with one BatchNumber and as many "
        "DocumentNumbers as were asked for.",
        who=orchestrations.AUTHOR, evidence=answer.excerpt(),
    )  # fmt: skip
