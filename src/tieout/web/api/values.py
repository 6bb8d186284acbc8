"""What the API is asked and answers, as values: the description of it is made from these.

Amounts are decimal strings, moments are ISO 8601 with their zone.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tieout.core.listing import CURSOR_CHARACTERS_MAX, ROWS_MAX, ROWS_OF_A_PAGE

WORDS_CHARACTERS_MAX = 2_000
NAME_CHARACTERS_MAX = 200

Words = Annotated[str, Meta(max_length=WORDS_CHARACTERS_MAX)]
Why = Annotated[str, Meta(min_length=1, max_length=WORDS_CHARACTERS_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Asked(Struct, forbid_unknown_fields=True):
    """What is asked for; a field that is not known is refused."""


class NoQuery(Asked):
    """Nothing stands behind the question mark."""


class Page(Asked):
    """Which page of a list: where the page before said that the next begins."""

    cursor: Annotated[str, Meta(max_length=CURSOR_CHARACTERS_MAX)] = ""
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = ROWS_OF_A_PAGE[1]


class OfFlow(Page):
    """A page of what belongs to one flow, or to all."""

    flow: Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)] = ""


class Approvals(Page):
    """A page of batches: those that wait, or all."""

    every: bool = False


class RunFlow(Asked):
    """A run that is asked for."""

    flow: Name
    full: bool = False
    unlock: Words = ""


class Reason(Asked):
    """Why."""

    why: Why


class Decide(Asked):
    """A decision over exactly the lines of a digest."""

    digest: Digest
    reason: Words = ""
    yes: Annotated[list[Name], Meta(max_length=50)] = []


class Decline(Asked):
    """The same, which needs a reason."""

    digest: Digest
    reason: Why


class Run(Struct):
    """One run of a flow."""

    run: str
    flow: str
    kind: str
    outcome: str
    ok: bool
    exit_code: int | None
    sentence: str
    started_by: str
    started_at: datetime
    finished_at: datetime | None
    rows_read: int
    rows_sent: int
    rejects: int


class Flow(Struct):
    """A flow with the run that tells how it stands."""

    flow: str
    kind: str
    last: Run | None


class Finding(Struct):
    """One thing that is wrong with data."""

    id: int
    run: str
    flow: str
    state: str
    rule: str
    severity: str
    subject: str
    what: str
    remedy: str
    company: str
    member: str
    amount: Decimal | None
    currency: str
    cells: int
    first_seen: datetime
    owner: str | None = None


class Batch(Struct):
    """Journals that a person decides over."""

    batch: str
    flow: str
    prepared_in: str
    state: str
    digest: str
    lines: int
    amount: Decimal
    prepared_by: str
    prepared_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class Decided(Batch):
    """A batch after a decision, with the run that sends it."""

    run: str | None = None


class Journal(Struct):
    """One journal, as it was last seen in JD Edwards."""

    journal: str
    batch: str
    company: str
    ledger: str
    fiscal_year: int
    period: int
    currency: str
    lines: int
    debit: Decimal
    credit: Decimal
    state: str
    batch_number: str | int | None = None
    document_number: str | int | None = None


class Compared(Struct):
    """One company, ledger, currency and period on all three sides."""

    company: str
    ledger: str
    currency: str
    fiscal_year: int
    period: int
    cells: int
    cells_differing: int
    gross_f0911: Decimal
    gross_f0902: Decimal
    gross_anaplan: Decimal
    f0911: Decimal
    f0902: Decimal
    anaplan: Decimal
    difference: Decimal


class TieOut(Struct):
    """The last comparison of a flow."""

    ok: bool
    exit_code: int
    tie_out: list[Compared]
    run: str = ""
    sentence: str = ""


class Me(Struct):
    """Who asks, and what they may."""

    name: str
    roles: list[str]
    scopes: list[str]
    acts: list[str]


class User(Struct):
    """A person of this instance."""

    name: str
    roles: list[str]
    added_at: datetime
    added_by: str
    closed_at: datetime | None
    last_sign_in: datetime | None


class Entry(Struct):
    """One entry of the trail."""

    seq: int
    at: str
    actor: str
    act: str
    object: str
    detail: dict[str, Any]
    hash: str


class Problem(Struct):
    """What stands in the way, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    untouched: str = ""
    do: str = ""
    who: str = ""
    code: str = ""


def list_of(item: type[Struct]) -> type[Struct]:
    """A page of items, and where the next one begins; empty: this is the last."""
    items: Any = list.__class_getitem__(item)
    fields: list[tuple[str, Any]] = [("items", items), ("next", str)]
    return msgspec.defstruct(f"{item.__name__}Page", fields)


RunPage, FlowPage, FindingPage = list_of(Run), list_of(Flow), list_of(Finding)
BatchPage, JournalPage, UserPage = list_of(Batch), list_of(Journal), list_of(User)
EntryPage = list_of(Entry)
