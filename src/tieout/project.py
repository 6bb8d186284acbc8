"""The project file `tieout.toml` as frozen values: connections and flows."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, field

from tieout.project_tables import LoadTable
from tieout.project_words import (
    DOCUMENT_TYPE,
    FIRST_PERIOD,
    PERIOD_RANGE,
    PERIODS_FROM_CALENDAR,
    RENAMED,
    Age,
    Code,
    CurrentOrPeriod,
    Duration,
    ObjectRange,
    PeriodText,
    ReadBack,
    Strict,
)


class Outgoing(Strict, frozen=True, kw_only=True):
    """Which addresses this instance may call."""

    allow: tuple[str, ...] = ()


class SignIn(Strict, frozen=True, kw_only=True):
    """Another system that vouches for people, by OpenID Connect; empty: passwords only."""

    issuer: str = ""
    client_id: str = ""
    secret: str = ""  # secret://… of a client that has one
    title: str = "your company"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by group
    ca_file: str = ""
    allow_http: bool = False


class Retention(Strict, frozen=True, kw_only=True):
    """How long records stay that nothing needs any more; without a rule they stay for ever."""

    lines: Age | None = None
    compacted: Age | None = None
    uploads: Age | None = None
    workings: Age | None = None
    calls: Age | None = None

    def rules(self) -> dict[str, str]:
        """Kind → age, of the kinds that have a rule."""
        return {name: age for name in self.__struct_fields__ if (age := getattr(self, name))}


ONE_PERSON, TWO_PEOPLE = "one person", "two people"
STAGE = r"^[A-Z][A-Z0-9_-]{0,15}$"
Stage = Annotated[str, Meta(pattern=STAGE, description="a word of capitals: PROD, TEST")]


class Policy(Strict, frozen=True, kw_only=True):
    """What takes more than one person."""

    configuration: Literal["one person", "two people"] = "one person"


AisPart = Literal[
    "defaultconfig", "tokenrequest", "dataservice", "discover", "open-api-catalog", "orchestrator"
]
PathPrefix = Annotated[str, Meta(pattern=r"^(/[^/?#\s]+)*$", description="a path such as /ais")]


class JdeConnection(Strict, frozen=True, kw_only=True, tag_field="system", tag="jde"):
    """How to reach one JD Edwards AIS server."""

    url: str
    stage: Stage | None = None  # the environment it belongs to; both ends of a flow have the same
    environment: str
    role: str = "*ALL"
    secret: str
    device: str = "tieout"
    sign_in: Literal["password", "basic", "jwt"] = "password"
    readers: Annotated[int, Meta(ge=1, le=16)] = 2
    readers_a_run: Annotated[int, Meta(ge=1, le=16)] | None = None  # of them; None: all
    parts: Annotated[int, Meta(ge=1, le=100)] | None = None  # of a large read; None: as it pays
    page_rows: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    cookies: Literal["stateless", "sticky"] = "stateless"
    plan_ledgers: tuple[Code, ...] = ("BA",)  # a plan may write to these and no others
    look_at_periods: Duration = "10m"  # pause between two looks at F0010, for schedules
    request_timeout: Duration = "60s"
    allow_http: bool = False
    ca_file: str = ""
    client_certificate: bool = False  # one of ours is shown; it is sealed with the password
    proxy: str = ""
    prefixes: dict[AisPart, PathPrefix] = field(default_factory=dict)  # behind a gateway


class AnaplanConnection(Strict, frozen=True, kw_only=True, tag_field="system", tag="anaplan"):
    """How to reach one Anaplan model."""

    api_url: str = "https://api.anaplan.com/2/0"
    auth_url: str = "https://auth.anaplan.com"
    oauth_url: str = "https://us1a.app.anaplan.com"
    sign_in: Literal["basic", "certificate", "oauth"] = "basic"
    certificate_format: Literal["auto", "v2", "v1"] = "auto"
    certificate_header: Literal["pem", "body"] = "pem"  # base64 of the whole PEM, or its own alone
    certificate_time: Literal["seconds", "milliseconds"] = "seconds"  # of format v2
    tenant: str = "default"
    headroom: Annotated[int, Meta(ge=0, le=590)] = 60
    burst: Annotated[int, Meta(ge=1, le=590)] = 60
    stage: Stage | None = None
    workspace: str
    model: str
    workspace_id: str = ""  # pins: a model of the same name elsewhere is refused
    model_id: str = ""
    secret: str
    poll: Duration = "5s"
    task_timeout: Duration = "2h"
    start_quiet: Duration = "60s"
    request_timeout: Duration = "120s"
    chunk_bytes: Annotated[int, Meta(ge=1_000, le=50_000_000)] = 10_000_000
    allow_http: bool = False
    ca_file: str = ""
    proxy: str = ""


class Signs(Strict, frozen=True, kw_only=True):
    """Object account ranges that Anaplan shows with the opposite sign."""

    flip: tuple[ObjectRange, ...] = ()


AccountCode = Literal["object", "object.subsidiary", "account", "account_id"]


class LoadMembers(
    Strict, frozen=True, kw_only=True, tag_field="kind", tag="load_members", rename=RENAMED
):
    """Accounts, business units or companies into an Anaplan list."""

    from_: str
    to: str
    import_: str
    columns: dict[str, str]
    read_back: ReadBack
    account_code: AccountCode = "object.subsidiary"
    members: Literal["accounts", "business_units", "companies"]
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)


class LoadActuals(
    Strict, frozen=True, kw_only=True, tag_field="kind", tag="load_actuals", rename=RENAMED
):
    """Posted ledger lines into an Anaplan module, proved cell by cell."""

    from_: str
    to: str
    import_: str
    columns: dict[str, str]
    read_back: ReadBack
    account_code: AccountCode = "object.subsidiary"
    ledgers: tuple[Code, ...] = ("AA",)
    companies: tuple[Code, ...]
    from_period: PeriodText
    to_period: CurrentOrPeriod = "current"
    prior_years: Annotated[int, Meta(ge=0, le=20)] = 1
    locked_through: PeriodText | None = None
    detail_from: PeriodText | None = None
    import_clears: Literal["nothing", "mapped", "all"] = "nothing"
    unmatched: Literal["stop company", "load rest"] = "stop company"
    signs: Signs = field(default_factory=Signs)
    detect: Literal["updated", "gl_date"] = "updated"
    overlap_days: Annotated[int, Meta(ge=0, le=400)] = 3
    sweep_days: Annotated[int, Meta(ge=1, le=366)] = 7
    periods: str = PERIODS_FROM_CALENDAR
    period_13: dict[str, Literal["fold", "separate", "refuse"]] = field(default_factory=dict)


class Universe(Strict, frozen=True, kw_only=True):
    """What a complete plan speaks for: in it, what the plan does not name goes to zero."""

    companies: tuple[Code, ...]
    accounts: ObjectRange | tuple[ObjectRange, ...]
    periods: Annotated[str, Meta(pattern=PERIOD_RANGE)]

    def ranges(self) -> tuple[str, ...]:
        """The ranges of object accounts."""
        return (self.accounts,) if isinstance(self.accounts, str) else self.accounts


Queue = Literal[
    "", "JDE__DEFAULT", "JDE__SINGLE", "JDE__USER_SINGLE", "JDE__ASYNCH", "JDE__USER_ASYNCH"
]  # what JD Edwards calls its job queues of orchestrations


class SubmitPlan(
    Strict, frozen=True, kw_only=True, tag_field="kind", tag="submit_plan", rename=RENAMED
):
    """Approved plan amounts from an Anaplan export into a ledger of JD Edwards, as journals.

    Companies, account codes, signs and periods are those of the flow `actuals`.
    """

    from_: str
    to: str
    export: str
    columns: dict[str, str]
    control_export: str = ""
    control_columns: dict[str, str] = field(default_factory=dict)
    actuals: str = ""  # the flow of actuals; "": the only one between these connections
    companies: tuple[Code, ...] = ()  # (): those of the flow of actuals
    ledger: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # version of the plan → ledger
    document_type: Annotated[str, Meta(pattern=DOCUMENT_TYPE)] = "BN"
    label: Annotated[str, Meta(min_length=1, max_length=21)] = "Anaplan plan"
    orchestration: Code
    reserve: str = ""
    inputs: dict[str, str]
    lines: Code = "Lines"
    line_inputs: dict[str, str]
    queue: Queue = ""  # "": the call waits until the orchestration is done
    dates: Literal["iso", "user"] = "iso"
    lines_max: Annotated[int, Meta(ge=1, le=100_000)] = 500
    targets: str = ""  # a CSV: which account takes a plan cell that several accounts share
    scope: Literal["partial", "complete"] = "partial"
    universe: Universe | None = None
    first_period: Annotated[str, Meta(pattern=FIRST_PERIOD)] = "current + 1"
    rounding: Literal["half-up", "half-even"] = "half-up"
    quiet_period: Duration = "30m"
    looks: Annotated[int, Meta(ge=4, le=100)] = 4
    approval: Literal["required", "none"] = "required"

    def ledgers(self) -> dict[str, str]:
        """Version of the plan → ledger; an export without versions has the version ""."""
        return dict(self.versions) or {"": self.ledger}


Flow = LoadMembers | LoadActuals | LoadTable | SubmitPlan
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Calendar(Strict, frozen=True, kw_only=True):
    """Fiscal periods, and the days on which nobody works; schedules count working days by it.

    The periods are those of a company (F0008), or of a file, or else calendar months.
    """

    connection: str = ""
    company: str = ""
    file: str = ""
    zone: str = "UTC"  # of a `when` that names none
    weekend: tuple[Weekday, ...] = ("saturday", "sunday")
    holidays: dict[date, str] = field(default_factory=dict)


NoticeOf = Literal[
    "needs attention", "failed", "did not run", "waits for approval", "drift", "certificate ends"
]
NOTICES_OF: tuple[NoticeOf, ...] = (
    "needs attention", "failed", "did not run", "waits for approval", "drift",
    "certificate ends",
)  # fmt: skip


class Schedule(Strict, frozen=True, kw_only=True):
    """When flows run by themselves, one after the other."""

    when: str
    run: tuple[str, ...]
    missed: Literal["once", "skip", "ask"] = "once"
    calendar: str = ""  # "": F0008 of the first company of the first of its flows that has any
    companies: tuple[Code, ...] = ()  # whose periods close; (): those of the calendar or the flow
    heartbeat: str = ""  # an address that is told of each begin and end, or secret://NAME
    heartbeat_ca_file: str = ""
    heartbeat_proxy: str = ""


class Notice(Strict, frozen=True, kw_only=True):
    """Where people are told of what they have to look at, and of what."""

    to: str  # an https address that takes JSON, or secret://NAME
    on: tuple[NoticeOf, ...] = NOTICES_OF
    waits: Duration = "8h"  # how long something waits for approval before it is told
    flows: tuple[Code, ...] = ()  # (): of all
    allow_http: bool = False  # mail without TLS is one too
    ca_file: str = ""
    proxy: str = ""


class Project(Strict, frozen=True, kw_only=True):
    """The whole project file."""

    outgoing: Outgoing = field(default_factory=Outgoing)
    retention: Retention = field(default_factory=Retention)
    policy: Policy = field(default_factory=Policy)
    sign_in: SignIn = field(default_factory=SignIn)
    connections: dict[str, JdeConnection | AnaplanConnection] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)

    def jde(self, flow: Flow) -> JdeConnection:
        """The JD Edwards connection `flow` reads from, or writes to."""
        connection = self.connections[self.jde_name(flow)]
        assert isinstance(connection, JdeConnection)  # held by `settings._ends_problems`
        return connection

    def jde_name(self, flow: Flow) -> str:
        """The name of that connection."""
        return flow.to if isinstance(flow, SubmitPlan) else flow.from_

    def anaplan(self, flow: Flow) -> AnaplanConnection:
        """The Anaplan connection `flow` loads into, or exports from."""
        connection = self.connections[self.anaplan_name(flow)]
        assert isinstance(connection, AnaplanConnection)
        return connection

    def anaplan_name(self, flow: Flow) -> str:
        """The name of that connection."""
        return flow.from_ if isinstance(flow, SubmitPlan) else flow.to

    def lists_of(self, connection: str) -> dict[str, str]:
        """account, business_unit, company → the list of an Anaplan model that holds it."""
        return {
            LISTS_OF[flow.members]: flow.read_back.list
            for flow in self.flows.values()
            if isinstance(flow, LoadMembers) and flow.to == connection
        }

    def actuals_of(self, flow: SubmitPlan) -> tuple[str, LoadActuals] | None:
        """The flow of actuals whose companies, codes, signs and periods a plan shares."""
        found = [
            (name, other)
            for name, other in self.flows.items()
            if isinstance(other, LoadActuals)
            and (other.from_, other.to) == (flow.to, flow.from_)
            and flow.actuals in ("", name)
        ]
        return found[0] if len(found) == 1 else None

    def companies_of(self, flow: SubmitPlan) -> tuple[str, ...]:
        """The companies a plan may write to."""
        actuals = self.actuals_of(flow)
        return flow.companies or (actuals[1].companies if actuals else ())

    def calendar_of(self, schedule: Schedule) -> Calendar:
        """The calendar of a schedule: as named, else that of the companies of its flows."""
        if schedule.calendar:
            return self.calendars[schedule.calendar]
        connection, companies = self._ledger_of(schedule)
        return Calendar(connection=connection, company=companies[0] if companies else "")

    def watched_by(self, schedule: Schedule) -> tuple[str, tuple[str, ...]] | None:
        """The JD Edwards connection and the companies whose closing a schedule waits for."""
        calendar = self.calendar_of(schedule)
        connection, companies = self._ledger_of(schedule)
        if schedule.calendar and calendar.connection:
            connection, companies = calendar.connection, (calendar.company,)
        watched = schedule.companies or companies
        return (connection, watched) if connection and watched else None

    def _ledger_of(self, schedule: Schedule) -> tuple[str, tuple[str, ...]]:
        """The connection and companies of the first flow of a schedule that has companies."""
        for flow in (self.flows[name] for name in schedule.run):
            if isinstance(flow, LoadActuals):
                return flow.from_, flow.companies
            if isinstance(flow, SubmitPlan):
                return flow.to, self.companies_of(flow)
        return "", ()


LISTS_OF = {"accounts": "account", "business_units": "business_unit", "companies": "company"}
REQUESTS_A_MINUTE = 600  # that Anaplan allows a tenant (facts/anaplan.md §2.1)
