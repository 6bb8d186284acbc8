"""The upper rungs of a connection test of JD Edwards: from "is it AIS" to its limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from tieout.errors import Busy, Misconfigured, Refused, Trouble, Unavailable
from tieout.http import Answer
from tieout.jde.client import Jde
from tieout.jde.orchestrator import Orchestrator
from tieout.jde.page import PEER
from tieout.jde.paths import V1
from tieout.jde.query import Where, equal
from tieout.jde.session import CNC, GONE_STATUSES, OK_STATUS, UNTOUCHED, said
from tieout.jde.tables import ACCOUNT_BALANCES, ACCOUNT_LEDGER, ACCOUNTS, COMPANIES
from tieout.jde.wire import Table
from tieout.ladder import Told, coded
from tieout.project import JdeConnection
from tieout.strict_json import plain

CONFIG, VALIDATE = "/v2/defaultconfig", "/v2/tokenrequest/validate"
READ = (COMPANIES, ACCOUNTS, ACCOUNT_BALANCES, ACCOUNT_LEDGER)
COMPANIES_TRIED_MAX = 20
CLOCKS_APART_MAX = timedelta(seconds=120)
TIEOUT = "the administrator of Tieout"
SECURITY = "the JDE security administrator"
OLD_TOOLS = f"{PEER} is older than Tools 9.2.1.2: it has no version 2 of the AIS services"
WRONG_PORT = (
    "The address ends in /jderest and names the port of the AIS server, not that of the web client."
)


@dataclass(frozen=True, slots=True)
class Writing:
    """The orchestrations of one flow that writes journals, as its configuration names them."""

    flow: str
    orchestration: str
    inputs: Mapping[str, str]
    lines: str
    line_inputs: Mapping[str, str]
    reserve: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flows over a connection need there."""

    companies: Sequence[str] = ()
    writing: Sequence[Writing] = field(default_factory=tuple)


class JdeLadder:
    """The rungs of one connection, each to be climbed once and in order.

    `opened` gives the client; `where` says which machine connects to which.
    """

    def __init__(
        self, connection: JdeConnection, wanted: Wanted, opened: Callable[[], Jde],
        now: Callable[[], datetime], where: Callable[[], str],
    ) -> None:  # fmt: skip
        self._connection, self._wanted, self._opened = connection, wanted, opened
        self._now, self._where = now, where
        self._jde: Jde | None = None
        self._config: dict[str, Any] = {}
        self._apart = timedelta(0)
        self._elsewhere: Trouble | None = None

    @property
    def _client(self) -> Jde:
        if self._jde is None:
            self._jde = self._opened()
        return self._jde

    def who_is_it(self) -> Iterator[Told]:
        """An AIS server of the second version of the services, by what it publishes."""
        answer = self._client.session.unsigned(CONFIG)
        self._apart = _apart(answer, self._now())
        older = self._client.session.unsigned(CONFIG[3:]) if answer.status == 404 else None
        if older is not None and _is_ais(older):
            if self._wanted.writing:
                raise Refused(
                    f"{OLD_TOOLS}, and flows that write journals need it.",
                    untouched=UNTOUCHED, who=CNC, code="old-tools",
                    do="Update the tools release of the AIS server.",
                )  # fmt: skip
            answer = older
        if not _is_ais(answer):
            raise _no_ais(answer)
        self._config = answer.json_object()
        yield Told(f"An AIS server, {plain(self._config.get('aisVersion') or '').strip()}.")
        if older is not None:
            yield Told(
                f"{OLD_TOOLS}: every page is a query of its own.", "old-tools-read",
                "Update the tools release of the AIS server, for speed.", CNC,
            )  # fmt: skip

    def let_in(self) -> Iterator[Told]:
        """Signed in, at one attempt, and the session is still known at the next call."""
        if not self._client.may_read():
            raise Busy(
                f"All {self._connection.readers} sessions that this connection allows are in use.",
                untouched="Nothing was tried.", do="Test again when fewer runs read.",
                who=TIEOUT, code="no-seat",
            )  # fmt: skip
        try:
            with coded("sign-in-failed"):
                session = self._client.sign_in()
        except Refused as refusal:
            if refusal.code == "allowed-hosts":
                refusal.what = f"{refusal.what} {self._where()}"
            if refusal.code not in ("environment", "role"):
                raise
            self._elsewhere = refusal
            yield Told("The sign-in failed, but not for the user or its password.")
            return
        self._check_session(session.token)
        yield Told(f"Signed in as {session.user}.")
        if session.password_ends:
            yield Told(
                f"The password of {session.user} is about to end.", "password-ends",
                "Set a new password, then give it with `tieout connect`.",
                "whoever holds the JDE service user",
            )  # fmt: skip

    def _check_session(self, token: str) -> None:
        if self._client.session.version == V1:
            return  # it has nothing to ask; reading a row shows the same
        told = {"token": token, "deviceName": self._connection.device}
        answer = self._client.session.send(VALIDATE, json=told)
        if answer.status in GONE_STATUSES:
            raise Refused(
                f"{PEER} gave a session and did not know it at the next call ({answer.status}).",
                untouched=UNTOUCHED, evidence=said(answer), who=CNC, code="session-lost",
                do='Behind a load balancer with several AIS servers, set cookies = "sticky" for '
                "the connection, or let them share sessions.",
            )  # fmt: skip

    def right_place(self) -> Iterator[Told]:
        """The environment and the role of the connection."""
        if self._elsewhere is not None:
            raise self._elsewhere
        session = self._client.sign_in()
        yield Told(f"Environment {session.environment}, role {session.role}.")

    def may_read(self) -> Iterator[Told]:
        """One row of every table that carries numbers, and one of every company of the flows."""
        self._client.page_rows = 1
        for table in READ:
            if not self._shows(table):
                raise _no_rows(table)
        yield Told(f"Shows rows of {', '.join(t.name for t in READ)}.")
        for company in self._wanted.companies[:COMPANIES_TRIED_MAX]:
            if not self._shows(COMPANIES, equal("company", company)):
                raise Misconfigured(
                    f"{PEER} shows no company {company} in F0010 to its user.",
                    untouched=UNTOUCHED, who=TIEOUT, code="missing-company",
                    do="Correct `companies` of the flow, or let the user see this company.",
                )  # fmt: skip
            if not self._shows(ACCOUNT_LEDGER, equal("company", company)):
                yield Told(
                    f"F0911 shows no row of company {company}.", "company-without-rows",
                    "Let row security and business unit security of the user be looked at, if "
                    "this company has entries.", SECURITY,
                )  # fmt: skip

    def _shows(self, table: Table, where: Where | None = None) -> bool:
        """Whether at least one row is shown."""
        try:
            pages = self._client.read_by_keys(table, where, columns=table.key[:1], expected=0)
            with closing(pages):  # type: ignore[type-var]  # a generator
                return next(pages, None) is not None
        except Unavailable as trouble:
            trouble.code = "read-failed"
            raise
        except Refused as trouble:
            trouble.code = "read-refused"
            raise

    def may_act(self) -> Iterator[Told]:
        """The orchestrations of the flows that write, with the inputs that they are given."""
        if not self._wanted.writing:
            yield Told("No flow writes here.")
        orchestrator = Orchestrator(self._client.session)
        for flow in self._wanted.writing:
            with coded("orchestrations-not-shown"):
                orchestrator.checked(flow.orchestration, flow.inputs, flow.lines, flow.line_inputs)
                if flow.reserve:
                    orchestrator.named(flow.reserve)
            told = [flow.orchestration, *([flow.reserve] if flow.reserve else [])]
            yield Told(f"{flow.flow} finds {' and '.join(told)} with their inputs.")

    def limits(self) -> Iterator[Told]:
        """Warnings only: the largest page, the lives of a session, the clocks."""
        yield from self._page()
        minutes = [plain(self._config.get(n) or "?") for n in ("sessionTimeout", "timeToLive")]
        yield Told(
            f"A session ends after {minutes[0]} idle minutes, and after {minutes[1]} minutes in "
            "any case."
        )
        if abs(self._apart) > CLOCKS_APART_MAX:
            yield Told(
                f"Its clock is {abs(self._apart).total_seconds():.0f} seconds from ours.",
                "clocks-apart", "Let both clocks follow the same time server.", CNC,
            )  # fmt: skip

    def _page(self) -> Iterator[Told]:
        wanted = self._connection.page_rows
        self._client.page_rows = wanted
        try:
            there = self._client.count(ACCOUNTS, None)
            pages = self._client.read_by_keys(ACCOUNTS, None, columns=ACCOUNTS.key, expected=there)
            with closing(pages):  # type: ignore[type-var]  # a generator
                first = next(pages, None)
        except Trouble as trouble:
            yield Told(trouble.what, "page-failed", trouble.do, trouble.who)
            return
        came = 0 if first is None else first.height
        if came < min(wanted, there):
            yield Told(
                f"It gives {came:,} rows at once, not the {wanted:,} of page_rows.", "page-cut",
                f"Set page_rows = {came}, or let the fetch limit be raised.", CNC,
            )  # fmt: skip
        else:
            yield Told(f"It gives the {min(wanted, there):,} rows at once that are asked for.")


def _is_ais(answer: Answer) -> bool:
    try:
        return answer.status == OK_STATUS and "aisVersion" in answer.json_object()
    except Refused:
        return False


def _no_ais(answer: Answer) -> Trouble:
    """What answers instead of AIS."""
    page = answer.body.lstrip()[:1] == b"<"
    if answer.status >= 500:
        return Unavailable(
            f"Something answers for {PEER}, but it fails ({answer.status}).", untouched=UNTOUCHED,
            evidence=answer.excerpt(), who=CNC, code="failing",
            do="Look whether the AIS server is running and into its log.",
        )  # fmt: skip
    what, code = "but it is not an AIS server", "not-ais"
    if answer.status in (401, 403):
        what, code = f"but it lets nobody ask who it is ({answer.status})", "gateway-refuses"
    elif answer.status == 404:
        what, code = "but there is no AIS server at this path (404)", "no-such-path"
    elif page:
        what, code = "but it is not an AIS server: an HTML page came", "html-page"
    return Refused(
        f"Something answers, {what}.", untouched=UNTOUCHED, evidence=answer.excerpt(), who=CNC,
        do=WRONG_PORT, code=code,
    )  # fmt: skip


def _no_rows(table: Table) -> Refused:
    return Refused(
        f"The user signs in, but sees 0 rows of {table.name}.", untouched=UNTOUCHED, who=SECURITY,
        do="Row security or business unit security may hide them: let the user see every row that "
        "the flows need.", code="no-rows",
    )  # fmt: skip


def _apart(answer: Answer, now: datetime) -> timedelta:
    try:
        return now - parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        return timedelta(0)
