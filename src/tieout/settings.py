"""Reading the project file and what in it cannot be meant; the only reader of the environment."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tieout.core.retention import AGE, AGE_WORDS
from tieout.errors import Misconfigured
from tieout.project import (
    COLUMN_MEANINGS,
    CURRENT_OR_PERIOD,
    DOCUMENT_TYPE,
    DURATION,
    FIRST_PERIOD,
    NEEDED_COLUMNS,
    OBJECT_RANGE,
    PERIOD,
    PERIOD_RANGE,
    TEMPLATE_COMPANY,
    AnaplanConnection,
    Flow,
    JdeConnection,
    LoadActuals,
    LoadMembers,
    Outgoing,
    Project,
    ReadBack,
    Retention,
    Signs,
    Strict,
    SubmitPlan,
    Universe,
    seconds,
    tenant_problems,
)

COLUMNS_SHOWN_MAX = 8
QUIET_TIMES = 2  # how much longer than a call nothing must be seen of it (reliability.md §2.5)


def read_project(text: str, source: str = "tieout.toml") -> Project:
    """Parse a project file; Misconfigured tells every mistake with its place and a suggestion."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(
            f"{source} is not valid TOML: {error}.", do="Correct that place in the file."
        ) from error
    problems: list[str] = []
    tables: dict[str, Any]
    tables = {name: _tables(name, document.get(name, {}), problems) for name in _TABLES}
    for name, kind in (("outgoing", Outgoing), ("retention", Retention)):
        tables[name] = _table(name, document.get(name, {}), kind, problems)
    problems += [_unknown(name, Project) for name in document if name not in _keys(Project)]
    if problems:
        raise Misconfigured(
            f"{source}: {'; '.join(problems)}.", untouched="Nothing was run.",
            do="Correct the file; docs/reference/configuration.md lists all keys.",
        )  # fmt: skip
    project = Project(**tables)
    problems += _inconsistencies(project)
    if problems:
        raise Misconfigured(f"{source}: {'; '.join(problems)}.", untouched="Nothing was run.")
    return project


# Which structs a table of the file may be; the key that chooses between them is their tag.
_TABLES: dict[str, tuple[type[Strict], ...]] = {
    "connections": (JdeConnection, AnaplanConnection),
    "flows": (LoadMembers, LoadActuals, SubmitPlan),
}
_INNER_TABLES: dict[str, type[Strict]]
_INNER_TABLES = {"read_back": ReadBack, "signs": Signs, "universe": Universe}
_WORDS = {
    AGE: AGE_WORDS,
    DURATION: "a duration such as 30s, 5m or 2h",
    PERIOD: "a fiscal year and period such as 2025-03",
    CURRENT_OR_PERIOD: "current, or a fiscal year and period such as 2025-03",
    FIRST_PERIOD: "current, current + 1, or a fiscal year and period such as 2025-03",
    PERIOD_RANGE: "a range of periods such as 2026-01..2026-12",
    DOCUMENT_TYPE: "a document type of your own, such as BN, that begins with no letter of PRTIOJS",
    OBJECT_RANGE: "an object account, or a range such as 4000-4999",
}


def _tables(name: str, found: object, problems: list[str]) -> dict[str, Any]:
    """The tables of `[connections.NAME]` or `[flows.NAME]`, each converted on its own.

    So that a message names the very table; msgspec says `$.flows[...]` of a whole file.
    """
    if not isinstance(found, dict):
        problems.append(f"{name} is not a table of tables such as [{name}.name]")
        return {}
    converted: dict[str, Any] = {}
    for key, table in found.items():
        place = f"{name}.{key}"
        kinds = {struct.__struct_config__.tag: struct for struct in _TABLES[name]}
        field_name = str(_TABLES[name][0].__struct_config__.tag_field)
        tag = table.get(field_name) if isinstance(table, dict) else None
        kind = kinds.get(tag) if isinstance(tag, str) else None
        if kind is None:
            given = "is missing" if tag is None else f"= {tag!r} is not known"
            names = ", ".join(str(name) for name in kinds)
            problems.append(f"{place}.{field_name} {given}; it is one of {names}")
            continue
        converted[key] = _table(place, table, kind, problems)
    return converted


def _table(place: str, table: object, kind: type[Strict], problems: list[str]) -> Any:
    """One table as its struct, or a problem in words and nothing."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        exact = path.rstrip("`").partition("[...]")[0]  # msgspec does not name keys of a dict
        problems.append(_in_words(place + exact, message, kind))
        return None


def _in_words(place: str, message: str, kind: type[Strict]) -> str:
    """What msgspec says about a place, as a sentence about the file."""
    key = re.search(r"`([^`]+)`", message)
    if key is not None and "unknown field" in message:
        inner = _INNER_TABLES.get(place.rpartition(".")[2], kind)
        return _unknown(key[1], inner, f"{place}.")
    if key is not None and "missing required field" in message:
        return f"{place}.{key[1]} is missing"
    for pattern, words in _WORDS.items():
        if repr(pattern) in message:
            return f"{place} is not {words}"
    return f"{place}: {message[:1].lower()}{message[1:]}"


def _keys(kind: type[Strict]) -> list[str]:
    """The keys of a table, the one that chooses its kind included."""
    tag_field = kind.__struct_config__.tag_field
    return [*kind.__struct_encode_fields__, *([tag_field] if tag_field else [])]


def _unknown(key: str, kind: type[Strict], place: str = "") -> str:
    """An unknown key, with the nearest key of its own table."""
    near = difflib.get_close_matches(key, _keys(kind), n=1)
    hint = f" (did you mean `{near[0]}`?)" if near else f"; known are {', '.join(_keys(kind))}"
    return f"{place}{key} is unknown{hint}"


def _inconsistencies(project: Project) -> list[str]:
    """What the tables say together that cannot be meant."""
    problems = tenant_problems(project.connections)
    for name, connection in project.connections.items():
        for key in ("request_timeout", "poll", "task_timeout"):
            if seconds(getattr(connection, key, "1s")) == 0:
                problems.append(f"connections.{name}.{key} must be longer than nothing")
    for name, flow in project.flows.items():
        problems += _ends_problems(project, name, flow)
        if isinstance(flow, SubmitPlan):
            problems += _plan_problems(project, name, flow)
            continue
        problems += _column_problems(name, flow)
        if isinstance(flow, LoadActuals):
            problems += _actuals_problems(name, flow)
            problems += _period_problems(name, flow)
        elif not flow.read_back.list:
            problems.append(f"flows.{name}.read_back needs `list`")
    problems += _overlap_problems(project)
    return problems


def _ends_problems(project: Project, name: str, flow: Flow) -> list[str]:
    """`from` and `to` name connections of the right system."""
    problems = []
    kinds: tuple[type[Strict], ...] = (JdeConnection, AnaplanConnection)
    first, last = reversed(kinds) if isinstance(flow, SubmitPlan) else kinds
    ends = (("from", flow.from_, first), ("to", flow.to, last))
    for key, connection, kind in ends:
        if not isinstance(project.connections.get(connection), kind):
            what = "JD Edwards connection" if kind is JdeConnection else "Anaplan connection"
            there = f"(there are: {', '.join(sorted(project.connections)) or 'none'})"
            problems.append(f"flows.{name}.{key} = {connection!r} names no {what} {there}")
    return problems


def _column_problems(name: str, flow: LoadMembers | LoadActuals) -> list[str]:
    """Every column has a meaning that the flow knows, and no needed one is missing."""
    meaning = "load_actuals" if isinstance(flow, LoadActuals) else flow.members
    return _meaning_problems(f"flows.{name}.columns", flow.columns, meaning)


def _meaning_problems(
    place: str, columns: Mapping[str, str], meaning: str, what: str = "column"
) -> list[str]:
    problems = []
    known, needed = COLUMN_MEANINGS[meaning], NEEDED_COLUMNS[meaning]
    for column, source in columns.items():
        if source not in known:
            near = difflib.get_close_matches(source, known, n=1)
            hint = f"; did you mean {near[0]!r}" if near else ""
            some = ", ".join(known[:COLUMNS_SHOWN_MAX])
            some += "…" if len(known) > COLUMNS_SHOWN_MAX else ""
            problems.append(f"{place}: {column!r} = {source!r} is none of {some}{hint}")
    for missing in sorted(needed - set(columns.values())):
        problems.append(f"{place} has no {what} for {missing!r}")
    return problems


def _plan_problems(project: Project, name: str, flow: SubmitPlan) -> list[str]:
    """What a flow that submits a plan says that cannot be meant."""
    place = f"flows.{name}"
    problems = _meaning_problems(f"{place}.columns", flow.columns, "submit_plan")
    problems += _meaning_problems(f"{place}.inputs", flow.inputs, "inputs", "input")
    problems += _meaning_problems(f"{place}.line_inputs", flow.line_inputs, "line_inputs")
    if flow.control_export:
        problems += _meaning_problems(f"{place}.control_columns", flow.control_columns, "control")
    elif flow.control_columns:
        problems.append(f"{place}.control_columns is for a `control_export`")
    for key, columns in (("columns", flow.columns), ("control_columns", flow.control_columns),
                         ("line_inputs", flow.line_inputs)):  # fmt: skip
        meanings = [meaning for meaning in columns.values() if meaning != "ignored"]
        for meaning in sorted({m for m in meanings if meanings.count(m) > 1}):
            problems.append(f"{place}.{key} names two columns for {meaning!r}")
    problems += _company_problems(project, place, flow) + _ledger_problems(project, place, flow)
    versioned = "version" in flow.columns.values()
    if versioned != bool(flow.versions) or bool(flow.ledger) == bool(flow.versions):
        problems.append(
            f"{place} needs `ledger` for an export without a column for 'version', else "
            "`versions`, which names the ledger of each version"
        )
    if not versioned and "version" in flow.control_columns.values():
        problems.append(f"{place}.control_columns names versions, and `columns` does not")
    if flow.reserve and not {"batch_number", "document_number"} <= set(flow.inputs.values()):
        problems.append(
            f"{place}.reserve hands out numbers that no input takes: `inputs` needs "
            "'batch_number' and 'document_number'"
        )
    connection = project.connections.get(flow.to)
    if isinstance(connection, JdeConnection) and (
        seconds(flow.quiet_period) < QUIET_TIMES * seconds(connection.request_timeout)
    ):
        problems.append(
            f"{place}.quiet_period = {flow.quiet_period!r} is less than {QUIET_TIMES} times the "
            f"request_timeout of connections.{flow.to}: JD Edwards may still be at work by then"
        )
    if isinstance(connection, JdeConnection) and flow.lines_max > connection.page_rows:
        problems.append(
            f"{place}.lines_max = {flow.lines_max} is more than the {connection.page_rows} rows "
            f"of one page (connections.{flow.to}.page_rows), by which a journal is looked up"
        )
    return problems + _universe_problems(project, place, flow)


def _company_problems(project: Project, place: str, flow: SubmitPlan) -> list[str]:
    """The companies of a plan are some of those whose actuals are loaded."""
    actuals = project.actuals_of(flow)
    if actuals is None:
        return [
            f"{place}.actuals must name the one flow that loads actuals between {flow.to} and "
            f"{flow.from_}: the plan shares its companies, account codes, signs and periods"
        ]
    strange = sorted(set(flow.companies) - set(actuals[1].companies))
    problems = _twice(f"{place}.companies", flow.companies)
    if strange:
        problems.append(f"{place}.companies names {', '.join(strange)}, not in flows.{actuals[0]}")
    return problems


def _ledger_problems(project: Project, place: str, flow: SubmitPlan) -> list[str]:
    """A plan writes only to ledgers that its connection has set free for plans."""
    connection = project.connections.get(flow.to)
    if not isinstance(connection, JdeConnection):
        return []
    return [
        f"{place} writes to ledger {ledger}, which is not in connections.{flow.to}.plan_ledgers "
        f"({', '.join(connection.plan_ledgers) or 'none'})"
        for ledger in sorted({*flow.ledgers().values()} - {"", *connection.plan_ledgers})
    ]


def _universe_problems(project: Project, place: str, flow: SubmitPlan) -> list[str]:
    """A complete plan says what it speaks for, and something confirms that it arrived whole."""
    if flow.scope == "partial":
        return [f'{place}.universe is for scope = "complete"'] if flow.universe else []
    if flow.universe is None or not flow.control_export:
        return [f'{place}: scope = "complete" needs `universe` and `control_export`']
    problems = []
    strange = sorted(set(flow.universe.companies) - set(project.companies_of(flow)))
    if strange:
        problems.append(f"{place}.universe names {', '.join(strange)}, no company of the flow")
    ranges = flow.universe.ranges()
    for key, named in (("companies", flow.universe.companies), ("accounts", ranges)):
        if not named:
            problems.append(f"{place}.universe.{key} names none")
    problems += _range_problems(f"{place}.universe.accounts", ranges)
    first, last = flow.universe.periods.split("..")
    if last < first:
        problems.append(f"{place}.universe.periods ends before it begins")
    return problems


def _range_problems(place: str, ranges: Sequence[str]) -> list[str]:
    found = [(text, *text.partition("-")[::2]) for text in ranges]
    backwards = [text for text, first, last in found if last and first[: len(last)] > last]
    return [f"{place}: {text} ends before it begins" for text in backwards]


def _twice(place: str, codes: Sequence[str]) -> list[str]:
    repeated = sorted({code for code in codes if codes.count(code) > 1})
    return [f"{place} names {code} twice" for code in repeated]


def _overlap_problems(project: Project) -> list[str]:
    """One flow owns a ledger of a company; two would undo each other's journals."""
    problems = []
    owners: dict[tuple[str, str, str], str] = {}
    for name, flow in project.flows.items():
        if not isinstance(flow, SubmitPlan):
            continue
        for ledger in sorted(set(flow.ledgers().values())):
            for company in project.companies_of(flow):
                owner = owners.setdefault((flow.to, ledger, company), name)
                if owner != name:
                    problems.append(
                        f"flows.{owner} and flows.{name} both write ledger {ledger} of company "
                        f"{company}; one flow owns it"
                    )
    return problems


def _actuals_problems(name: str, flow: LoadActuals) -> list[str]:
    """Ledgers, companies, signs and the read-back of a flow of actuals."""
    problems = []
    columns = set(flow.columns.values())
    if len(flow.ledgers) > 1 and "ledger" not in columns:
        problems.append(f"flows.{name} loads several ledgers and needs a column for 'ledger'")
    if "CA" in flow.ledgers and "currency" not in columns:
        problems.append(f"flows.{name} loads ledger CA and needs a column for 'currency'")
    if not (flow.read_back.view or flow.read_back.export):
        problems.append(f"flows.{name}.read_back needs `view` or `export` to prove a load")
    for key, codes in (("companies", flow.companies), ("ledgers", flow.ledgers)):
        if not codes:
            problems.append(f"flows.{name}.{key} names none")
        problems += _twice(f"flows.{name}.{key}", codes)
    if TEMPLATE_COMPANY in flow.companies:
        problems.append(f"flows.{name}.companies names {TEMPLATE_COMPANY}, the template of F0010")
    return problems + _range_problems(f"flows.{name}.signs.flip", flow.signs.flip)


def _period_problems(name: str, flow: LoadActuals) -> list[str]:
    """The periods of a flow of actuals."""
    problems = []
    if flow.to_period != "current" and flow.to_period < flow.from_period:
        problems.append(f"flows.{name}.to_period is before from_period")
    unknown = ", ".join(sorted(set(flow.period_13) - {"default", *flow.companies}))
    if unknown:
        problems.append(f"flows.{name}.period_13 names {unknown}, not in `companies`")
    return problems


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says; read once, by `environment`."""

    home: Path
    database: str
    records: str
    clock_url: str
    kill_at: str
    log_level: str
    token: str = dataclasses.field(default="", repr=False)
    anchor: str = ""
    standard: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)  # not ours


def environment(home: str | None = None, default_home: str = ".tieout") -> Environment:
    """Read TIEOUT_HOME, _DATABASE, _RECORDS, _CLOCK, _KILL_AT, _LOG, _TOKEN, _ANCHOR, others'."""
    values: Mapping[str, str] = os.environ
    chosen = Path(home or values.get("TIEOUT_HOME") or default_home).absolute()
    return Environment(
        home=chosen,
        database=values.get("TIEOUT_DATABASE") or f"sqlite:///{chosen / 'tieout.sqlite'}",
        records=values.get("TIEOUT_RECORDS") or str(chosen / "records"),
        clock_url=values.get("TIEOUT_CLOCK", ""),
        kill_at=values.get("TIEOUT_KILL_AT", ""),
        log_level=values.get("TIEOUT_LOG", "WARNING"),
        token=values.get("TIEOUT_TOKEN", ""),
        anchor=values.get("TIEOUT_ANCHOR", ""),
        standard={n: v for n, v in values.items() if re.match(r"AWS_|\w+_proxy$", n, re.I)},
    )
