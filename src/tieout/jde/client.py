"""Reads from JD Edwards through AIS: pages in key order, totals, and reads that are proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl

from tieout.clock import Clock
from tieout.errors import Refused, Uncertain
from tieout.http import Answer, Http
from tieout.jde import aggregate, wire
from tieout.jde.credentials import Credentials
from tieout.jde.keys import after, first_key, unseen
from tieout.jde.page import PEER, ComplaintError, Page, complaints, decode_page
from tieout.jde.paths import V1
from tieout.jde.proof import (
    PROVED_READS_MAX,
    Measure,
    NotWholeError,
    Proof,
    Tally,
    broken_off,
    complained,
    endless,
    unproved,
)
from tieout.jde.query import Value, Where, equal, every
from tieout.jde.session import (
    CNC,
    GONE_STATUSES,
    OK_STATUS,
    UNTOUCHED,
    Seat,
    Session,
    SignedIn,
    failure,
    said,
)
from tieout.jde.tables import DATE_PATTERNS
from tieout.jde.wire import Table
from tieout.project import JdeConnection
from tieout.strict_json import plain

DATA_SERVICE, NEXT_PAGE = "/dataservice", "/v2/dataservice/next"  # v1 has no next pages
ON_DEMAND_MILLISECONDS = "1000"  # no reading ahead: a page is fetched when asked (§3.6)
RESTARTS_MAX = 3  # of one result set without a single new row in between
DATES_COMPARED_MAX = 2
PERIOD_ENDS = tuple(f"end_{n:02}" for n in range(1, 15))  # the columns of F0008

Pages = Callable[[Table, Where | None, Sequence[str]], Iterator[Page]]


class _Broken(Exception):
    """A result set ended before its time; `words` says why."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Jde:
    """One AIS session and what can be read in it; one per reading thread.

    All methods raise Refused (a person must act) or Unavailable (try again later).
    """

    def __init__(
        self, http: Http, connection: JdeConnection, credentials: Callable[[], Credentials],
        clock: Clock, seat: Seat | None = None,
    ) -> None:  # fmt: skip
        """`seat`: leave to have a session open, where others share the connection."""
        self.session = Session(http, connection, credentials, clock, seat)
        self.page_rows = connection.page_rows

    def sign_in(self) -> SignedIn:
        """Sign in if that has not happened, and say where we are (for the connection test)."""
        return self.session.current()

    def may_read(self) -> bool:
        """Whether it is signed in, or may do so without waiting for others."""
        return self.session.may_open()

    def check_dates(self) -> None:
        """Refused if the server reads our date literals otherwise than we mean them (U4).

        No document states their format, and a date read as another would select other rows without
        a word. Asks for period ends of F0008 by date and compares with what it shows; 2 February
        tells nothing, because it reads the same with day and month exchanged.
        """
        shown = self.read_whole(DATE_PATTERNS, None, columns=PERIOD_ENDS)
        ends = shown.unpivot(variable_name="column", value_name="day").drop_nulls().unique()
        telling = ends.filter(pl.col("day").dt.day() != pl.col("day").dt.month())
        latest = telling.sort("day", "column").tail(DATES_COMPARED_MAX)
        for column, day in latest.iter_rows():
            found = self.count(DATE_PATTERNS, equal(column, day))
            if found != (shown[column] == day).sum():
                raise Refused(
                    f"{PEER} finds {found} period ends on {day}, but F0008 shows others: it reads "
                    "date literals in another format than its user's.",
                    untouched=UNTOUCHED, who=CNC,
                    do="Set the date format of the JDE user to MDE or to the format of the server.",
                )  # fmt: skip

    def close(self) -> None:
        """Sign out if signed in; never raises."""
        self.session.close()

    # --- rows ---------------------------------------------------------------------------------

    def read(
        self, table: Table, where: Where | None, *, columns: Sequence[str] | None = None,
        expected: int | None = None,
    ) -> Iterator[pl.DataFrame]:  # fmt: skip
        """Pages of the rows of `where`, by primary key, in `table.schema` (or `columns`).

        Next pages come by the server's links. A result set that expires, whose session is lost,
        that ends without a link or before all counted rows have come goes on after the last key
        that was yielded, so that no row is yielded twice or left out. At the end the rows are as
        many as were counted (`proof` says when), or Refused or Unavailable is raised.

        `expected` is for a caller that counts before and after and compares: nothing is counted
        here, and other rows than expected are no error.
        """
        return self._settled(table, where, columns, self._linked, expected)

    def read_by_keys(
        self, table: Table, where: Where | None, *, columns: Sequence[str] | None = None,
        expected: int | None = None,
    ) -> Iterator[pl.DataFrame]:  # fmt: skip
        """The same without links: each page is a query of its own, after the last key (v1, U7)."""
        return self._settled(table, where, columns, self._keyed, expected)

    def read_whole(
        self, table: Table, where: Where | None, *, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """All rows of `where` at once, for selections that fit in memory.

        Reads again when rows came or went meanwhile, and by key ranges when rows are missing;
        after three reads Refused or Unavailable.
        """
        names = tuple(columns or table.names)
        pages = self._linked
        for _ in range(PROVED_READS_MAX):
            try:
                return _together(table, names, self._read(table, where, names, pages, None))
            except NotWholeError as error:
                proof = error.proof
            if proof.rows < proof.before.count:
                pages = self._keyed
        raise unproved(table, proof, PROVED_READS_MAX)

    def _settled(
        self, table: Table, where: Where | None, columns: Sequence[str] | None, pages: Pages,
        expected: int | None,
    ) -> Iterator[pl.DataFrame]:  # fmt: skip
        names = tuple(columns or table.names)
        try:
            yield from self._read(table, where, names, pages, expected)
        except NotWholeError as error:
            raise unproved(table, error.proof, 1) from error

    def _read(
        self, table: Table, where: Where | None, names: Sequence[str], pages: Pages,
        expected: int | None,
    ) -> Iterator[pl.DataFrame]:  # fmt: skip
        """Pages by key, going on after the last one until all have come; NotWholeError if not."""
        asked = (*names, *(k for k in table.key if k not in names))
        tally = Tally(lambda: self.count(table, where), expected, self.page_rows)
        previous: pl.DataFrame | None = None
        firsts: set[tuple[Value, ...]] = set()
        restarts = 0
        while True:
            rest = every(where, after(table, previous)) if previous is not None else where
            had = tally.rows
            try:
                for page in pages(table, rest, asked):
                    frame = unseen(table, previous, page.frame)
                    if frame.is_empty():
                        if page.more:
                            raise endless(table)
                        continue
                    first = first_key(table, frame)
                    tally.take(frame.height, more=page.more)
                    if first in firsts or tally.endless:
                        raise endless(table)
                    firsts.add(first)
                    previous, restarts = frame, 0
                    yield frame if frame.columns == list(names) else frame.select(names)
            except _Broken as broken:
                restarts += 1
                if restarts > RESTARTS_MAX:
                    raise broken_off(table, restarts, broken.words) from broken
                continue
            if not tally.short or tally.rows == had:  # nothing stands after the last key
                tally.settle()
                return

    def _linked(self, table: Table, where: Where | None, names: Sequence[str]) -> Iterator[Page]:
        """The pages of one result set, and _Broken if it does not hold all that were announced.

        Version 1 of the services has no links: there each page is a query of its own (§1.1).
        """
        self.session.fresh()
        if self.session.version == V1:
            yield from self._keyed(table, where, names)
            return
        page = self._first_page(table, where, names, linked=True)
        while True:
            yield page
            if page.more and not page.next_query:  # v1, or a fetch limit: go on by key
                raise _Broken("more rows were announced without a link to them")
            if not page.next_query:
                return
            if self.session.near_its_end():
                raise _Broken("the session reached its published end")
            page = self._next_page(table, page.next_query, names)

    def _keyed(self, table: Table, where: Where | None, names: Sequence[str]) -> Iterator[Page]:
        """Pages, each by its own query after the last key."""
        rest = where
        while True:
            page = self._first_page(table, rest, names, linked=False)
            yield page
            if not page.more:
                return
            rest = every(where, after(table, page.frame))

    def _first_page(
        self, table: Table, where: Where | None, names: Sequence[str], *, linked: bool
    ) -> Page:
        controls = [table.control(c) for c in table.physical(names)]
        ask: dict[str, Any] = {
            "targetName": table.name, "targetType": table.target_type, "dataServiceType": "BROWSE",
            "findOnEntry": "TRUE", "outputType": "GRID_DATA", "aliasNaming": True,
            "returnControlIDs": "|".join(controls), "maxPageSize": str(self.page_rows),
            "aggregation": {
                "orderBy": [
                    {"column": table.control(c), "direction": "ASC"}
                    for c in table.physical(table.key)
                ]
            },
        }  # fmt: skip
        if linked:
            ask |= {
                "enableNextPageProcessing": True, "nextPageTimeInterval": ON_DEMAND_MILLISECONDS,
            }  # fmt: skip
        return self._page(self._asked(table, where, ask), table, names)

    def _next_page(self, table: Table, query: str, names: Sequence[str]) -> Page:
        """The page behind a link, at our own base URL: never at the host that the link names.

        Not repeatable: a cursor moves when it is read, so a lost answer is a lost page. The read
        then goes on after the last key instead.
        """
        try:
            answer = self.session.send(NEXT_PAGE, query=query, repeatable=False)
        except Uncertain as lost:
            raise _Broken(lost.evidence or lost.what) from lost
        if answer.status in GONE_STATUSES:
            self.session.forget(answer.status)
        if answer.status != OK_STATUS:
            raise _Broken(said(answer))
        return self._page(answer, table, names)

    def _page(self, answer: Answer, table: Table, names: Sequence[str]) -> Page:
        try:
            return decode_page(answer.body, table, names)
        except ComplaintError as complaint:
            if complaint.expired:
                raise _Broken(str(complaint)) from complaint
            raise complained(table, str(complaint)) from complaint
        except ValueError as error:
            raise Refused(
                f"{PEER} answered {table.name} in a form that is not understood: {plain(error)}.",
                untouched=UNTOUCHED, evidence=answer.excerpt(), who=CNC,
                do="Compare the columns and the data dictionary of the table with earlier days.",
            ) from error  # fmt: skip

    # --- proved reads -------------------------------------------------------------------------

    def read_proved(
        self, table: Table, where: Where | None, *, columns: Sequence[str] | None = None,
        sums: Sequence[str] = (),
    ) -> tuple[pl.DataFrame, Proof]:  # fmt: skip
        """All rows of `where` at once, as many as counted before and after, with equal sums.

        For selections that fit in memory. Reads again when something moved meanwhile, and by key
        ranges when rows are missing; after three reads Refused or Unavailable.
        """
        names = tuple(columns or table.names)
        pages = self._linked
        for _ in range(PROVED_READS_MAX):
            before = self.measure(table, where, sums)
            rows = _together(table, names, self._read(table, where, names, pages, before.count))
            proof = Proof(before, rows.height, self.measure(table, where, sums))
            if proof.holds:
                return rows, proof
            if rows.height < before.count:
                pages = self._keyed  # a fetch limit cuts result sets, not key ranges (J16, U7)
        raise unproved(table, proof, PROVED_READS_MAX)

    # --- counts and sums ----------------------------------------------------------------------

    def count(self, table: Table, where: Where | None) -> int:
        """COUNT(*) of the rows of `where`."""
        return self.measure(table, where).count

    def measure(self, table: Table, where: Where | None, sums: Sequence[str] = ()) -> Measure:
        """COUNT(*) and the sums of `sums`, ungrouped."""
        found = self.totals(table, group_by=(), sums=sums, where=where)
        return Measure(found.item(0, "count"), tuple((s, found.item(0, s)) for s in sums))

    def totals(
        self, table: Table, *, group_by: Sequence[str], sums: Sequence[str] = (),
        maxima: Sequence[str] = (), where: Where | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """AGGREGATION: one row per group with `group_by`, `sums`, `max_<column>` and `count`.

        Sums are scaled by dictionary decimals (jde-ais.md §3.3): compare them only with each other.
        A fetch limit may have cut groups off (J075): `groups` is for what has to be whole.
        """
        ask = {
            "targetName": table.name, "targetType": table.target_type,
            "dataServiceType": "AGGREGATION", "findOnEntry": "TRUE", "aliasNaming": True,
            "aggregation": aggregate.request(table, group_by, sums, maxima),
        }  # fmt: skip
        answer = self._asked(table, where, ask)
        told = answer.json_object(aggregate.VALUES_MAX)
        words = complaints(told)
        if words:
            raise complained(table, words)
        return aggregate.frame(table, told, group_by, sums, maxima)

    def groups(
        self, table: Table, *, group_by: Sequence[str], sums: Sequence[str] = (),
        maxima: Sequence[str] = (), where: Where | None = None,
        known: Callable[[pl.DataFrame], bool] = lambda _: False,
    ) -> pl.DataFrame:  # fmt: skip
        """`totals` that hold every row of `where`, or Refused or Unavailable.

        Groups that a fetch limit cut off are asked for after the last one that came. `known` says
        of an answer that it is as it was when it was counted; it is not counted again.
        """
        asked = partial(self.totals, table, group_by=group_by, sums=sums, maxima=maxima)
        found = asked(where=where)
        if known(found):
            return found
        for number in range(PROVED_READS_MAX):
            found = asked(where=where) if number else found
            before = after_it = self.measure(table, where)
            part = found
            while part["count"].sum() and found["count"].sum() < before.count:
                part = asked(where=every(where, after(table, found, group_by)))
                found = pl.concat([found, part])
                after_it = self.measure(table, where)
            proof = Proof(before, int(found["count"].sum()), after_it)
            if proof.holds:
                return found
        raise unproved(table, proof, PROVED_READS_MAX)

    def _asked(self, table: Table, where: Where | None, ask: dict[str, Any]) -> Answer:
        """One query in a session with life left; a lost session is signed in again once.

        500 counts as a lost session too: the HTML server behind AIS may have been restarted (U23).
        """
        for fresh in (False, True):
            dialect = self.session.fresh().dialect
            body = ask | {"query": wire.query(table, where, dialect)}
            answer = self.session.send(self.session.version + DATA_SERVICE, json=body)
            if answer.status == OK_STATUS:
                return answer
            if answer.status not in (*GONE_STATUSES, 500):
                break
            if not fresh:
                self.session.forget(answer.status)
        if answer.status in (401, 403):
            raise Refused(
                f"{PEER} does not let its user read {table.name}, even after a new sign-in.",
                untouched=UNTOUCHED, evidence=said(answer), who=CNC,
                do=f"Give the role permission to view {table.name} through the data service.",
            )  # fmt: skip
        raise failure(answer, f"the reading of {table.name}")


def _together(table: Table, names: Sequence[str], frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
    schema = {n: table.schema[n] for n in names}
    return pl.concat([pl.DataFrame(schema=schema), *frames])
