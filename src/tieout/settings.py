"""The project file `tieout.toml` as frozen values, and the only reader of the environment."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from tieout.errors import Misconfigured

DURATION_UNITS_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
_PERIOD = r"^[0-9]{4}-(0[1-9]|1[0-4])$"

Duration = Annotated[str, Meta(pattern=_DURATION, description="a number and ms, s, m, h or d")]
PeriodText = Annotated[str, Meta(pattern=_PERIOD, description="fiscal year and period, 2025-03")]
CurrentOrPeriod = Annotated[str, Meta(pattern=rf"^current$|{_PERIOD}")]
Code = Annotated[str, Meta(min_length=1)]


def seconds(text: str) -> float:
    """A duration such as "90s" or "2h" in seconds."""
    match = re.fullmatch(r"([0-9.]+)(ms|s|m|h|d)", text)
    if match is None:
        raise Misconfigured(f"{text!r} is not a duration such as 30s, 5m or 2h.")
    return float(match[1]) * DURATION_UNITS_SECONDS[match[2]]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the project file: unknown keys are refused."""


class Outgoing(Strict, frozen=True, kw_only=True):
    """Which addresses this instance may call."""

    allow: tuple[str, ...] = ()


class JdeConnection(Strict, frozen=True, kw_only=True, tag_field="system", tag="jde"):
    """How to reach one JD Edwards AIS server."""

    url: str
    environment: str
    role: str = "*ALL"
    secret: str
    device: str = "tieout"
    readers: Annotated[int, Meta(ge=1, le=16)] = 2
    page_rows: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    request_timeout: Duration = "60s"
    allow_http: bool = False
    ca_file: str = ""


class AnaplanConnection(Strict, frozen=True, kw_only=True, tag_field="system", tag="anaplan"):
    """How to reach one Anaplan model."""

    api_url: str = "https://api.anaplan.com/2/0"
    auth_url: str = "https://auth.anaplan.com"
    sign_in: Literal["basic", "certificate", "oauth"] = "basic"
    tenant: str = "default"
    workspace: str
    model: str
    secret: str
    poll: Duration = "5s"
    task_timeout: Duration = "2h"
    start_quiet: Duration = "60s"
    request_timeout: Duration = "120s"
    chunk_bytes: Annotated[int, Meta(ge=1_000, le=50_000_000)] = 10_000_000
    allow_http: bool = False
    ca_file: str = ""


class ReadBack(Strict, frozen=True, kw_only=True):
    """What is read from Anaplan after a load, to prove it."""

    list: str = ""
    view: str = ""
    export: str = ""
    dimensions: dict[str, str] = field(default_factory=dict)


class Signs(Strict, frozen=True, kw_only=True):
    """Object account ranges that Anaplan shows with the opposite sign."""

    flip: tuple[Annotated[str, Meta(pattern=r"^[^-]+(-[^-]+)?$")], ...] = ()


AccountCode = Literal["object", "object.subsidiary", "account", "account_id"]


class LoadMembers(
    Strict,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="load_members",
    rename={"from_": "from", "import_": "import"},
):
    """Accounts, business units or companies into an Anaplan list."""

    members: Literal["accounts", "business_units", "companies"]
    from_: str
    to: str
    import_: str
    columns: dict[str, str]
    read_back: ReadBack
    account_code: AccountCode = "object.subsidiary"
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)


class LoadActuals(
    Strict,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="load_actuals",
    rename={"from_": "from", "import_": "import"},
):
    """Posted ledger lines into an Anaplan module, proved cell by cell."""

    from_: str
    to: str
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
    import_: str
    account_code: AccountCode = "object.subsidiary"
    read_back: ReadBack
    periods: str = "F0008"
    period_13: dict[str, Literal["fold", "separate", "refuse"]] = field(default_factory=dict)
    columns: dict[str, str]


class Project(Strict, frozen=True, kw_only=True):
    """The whole project file."""

    outgoing: Outgoing = field(default_factory=Outgoing)
    connections: dict[str, JdeConnection | AnaplanConnection] = field(default_factory=dict)
    flows: dict[str, LoadMembers | LoadActuals] = field(default_factory=dict)

    def jde(self, flow: LoadMembers | LoadActuals) -> JdeConnection:
        """The JD Edwards connection `flow` reads from."""
        connection = self.connections[flow.from_]
        assert isinstance(connection, JdeConnection)  # held by `_consistent`
        return connection

    def anaplan(self, flow: LoadMembers | LoadActuals) -> AnaplanConnection:
        """The Anaplan connection `flow` loads into."""
        connection = self.connections[flow.to]
        assert isinstance(connection, AnaplanConnection)
        return connection


COLUMN_MEANINGS = {
    "load_actuals": (
        "company", "account", "business_unit", "period", "amount", "ledger", "currency",
    ),
    "accounts": (
        "code", "description", "active", "level", *(f"category_{n:02d}" for n in range(1, 24)),
    ),
    "business_units": (
        "code", "description", "company", "type", "active",
        *(f"category_{n:02d}" for n in range(1, 31)),
    ),
    "companies": ("code", "description", "currency", "active"),
}  # fmt: skip
NEEDED_COLUMNS = {
    "load_actuals": {"company", "account", "business_unit", "period", "amount"},
    "accounts": {"code"},
    "business_units": {"code"},
    "companies": {"code"},
}


def read_project(text: str, source: str = "tieout.toml") -> Project:
    """Parse a project file; every mistake is told with its place and, where possible, a suggestion.

    Raises Misconfigured.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(
            f"{source} is not valid TOML: {error}.", do="Correct that place in the file."
        ) from error
    try:
        project = msgspec.convert(document, Project)
    except msgspec.ValidationError as error:
        raise Misconfigured(
            f"{source}: {error}{_suggestion(str(error))}.",
            untouched="Nothing was run.",
            do="Correct that key; docs/reference/configuration.md lists all keys.",
        ) from error  # fmt: skip
    problems = list(_inconsistencies(project))
    if problems:
        raise Misconfigured(f"{source}: " + "; ".join(problems) + ".", untouched="Nothing was run.")
    return project


def _suggestion(message: str) -> str:
    """The nearest known key for an unknown one."""
    match = re.search(r"unknown field `([^`]+)`", message)
    if match is None:
        return ""
    kinds = (
        Outgoing,
        JdeConnection,
        AnaplanConnection,
        ReadBack,
        Signs,
        LoadMembers,
        LoadActuals,
        Project,
    )
    known = sorted({name for kind in kinds for name in kind.__struct_encode_fields__})
    near = difflib.get_close_matches(match[1], known, n=1)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _inconsistencies(project: Project) -> Sequence[str]:
    problems: list[str] = []
    for name, flow in project.flows.items():
        ends = (("from", flow.from_, JdeConnection), ("to", flow.to, AnaplanConnection))
        for key, connection, kind in ends:
            if not isinstance(project.connections.get(connection), kind):
                system = "JD Edwards" if kind is JdeConnection else "Anaplan"
                problems.append(
                    f"flows.{name}.{key} = {connection!r} names no {system} connection "
                    f"(there are: {', '.join(sorted(project.connections)) or 'none'})"
                )
        meaning = "load_actuals" if isinstance(flow, LoadActuals) else flow.members
        known, needed = COLUMN_MEANINGS[meaning], NEEDED_COLUMNS[meaning]
        for column, source in flow.columns.items():
            if source not in known:
                near = difflib.get_close_matches(source, known, n=1)
                hint = f"; did you mean {near[0]!r}" if near else ""
                problems.append(
                    f"flows.{name}.columns: {column!r} = {source!r} is none of "
                    f"{', '.join(known[:8])}…{hint}"
                )
        for missing in sorted(needed - set(flow.columns.values())):
            problems.append(f"flows.{name}.columns has no column for {missing!r}")
        if isinstance(flow, LoadActuals):
            problems.extend(_actuals_problems(name, flow))
        elif not flow.read_back.list:
            problems.append(f"flows.{name}.read_back needs `list`")
    return problems


def _actuals_problems(name: str, flow: LoadActuals) -> Sequence[str]:
    problems = []
    columns = set(flow.columns.values())
    if len(flow.ledgers) > 1 and "ledger" not in columns:
        problems.append(f"flows.{name} loads several ledgers and needs a column for 'ledger'")
    if "CA" in flow.ledgers and "currency" not in columns:
        problems.append(f"flows.{name} loads ledger CA and needs a column for 'currency'")
    if not (flow.read_back.view or flow.read_back.export):
        problems.append(
            f"flows.{name}.read_back needs `view` or `export`: a load is proved by reading back"
        )
    unknown = set(flow.period_13) - {"default", *flow.companies}
    if unknown:
        problems.append(
            f"flows.{name}.period_13 names {', '.join(sorted(unknown))}, not in `companies`"
        )
    return problems


class Environment(Struct, frozen=True):
    """What the environment says; read once, by `environment`."""

    home: Path
    database: str
    records: str
    clock_url: str
    kill_at: str
    log_level: str


def environment(home: str | None = None, default_home: str = ".tieout") -> Environment:
    """Read the environment: TIEOUT_HOME, _DATABASE, _RECORDS, _CLOCK, _KILL_AT, _LOG."""
    values: Mapping[str, str] = os.environ
    chosen = Path(home or values.get("TIEOUT_HOME") or default_home).absolute()
    return Environment(
        home=chosen,
        database=values.get("TIEOUT_DATABASE") or f"sqlite:///{chosen / 'tieout.sqlite'}",
        records=values.get("TIEOUT_RECORDS") or str(chosen / "records"),
        clock_url=values.get("TIEOUT_CLOCK", ""),
        kill_at=values.get("TIEOUT_KILL_AT", ""),
        log_level=values.get("TIEOUT_LOG", "WARNING"),
    )
