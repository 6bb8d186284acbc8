"""What the tables of a project file say together that cannot be meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from tieout.cell_owners import shared_cells
from tieout.core.local_time import zone_named
from tieout.core.schedule import PeriodCloses
from tieout.core.when import UnreadableError, parse, zone_unknown
from tieout.core.working_days import WEEKDAYS
from tieout.meanings import COLUMN_MEANINGS, NEEDED_COLUMNS
from tieout.project import (
    REQUESTS_A_MINUTE,
    AnaplanConnection,
    Calendar,
    Flow,
    JdeConnection,
    LoadActuals,
    LoadMembers,
    Project,
    Schedule,
    SubmitPlan,
)
from tieout.project_tables import LoadTable, table_problems
from tieout.project_words import TEMPLATE_COMPANY, Strict, seconds

COLUMNS_SHOWN_MAX = 8
QUIET_TIMES = 2  # how much longer than a call nothing must be seen of it (reliability.md §2.5)


def inconsistencies(project: Project) -> list[str]:
    """Each in words, with its place in the file."""
    problems = _tenant_problems(project.connections) + _stage_problems(project)
    for name, connection in project.connections.items():
        if connection.proxy:
            keys = ("url", "api_url", "auth_url", "oauth_url")
            urls = [getattr(connection, key, "") for key in keys]
            if any(url.startswith("http:") for url in urls):
                problems.append(f"connections.{name}.proxy carries https addresses alone")
        for key in ("request_timeout", "poll", "task_timeout", "look_at_periods"):
            if seconds(getattr(connection, key, "1s")) == 0:
                problems.append(f"connections.{name}.{key} must be longer than nothing")
        if isinstance(connection, JdeConnection) and connection.readers < (
            connection.readers_a_run or 1
        ):
            problems.append(f"connections.{name}.readers_a_run is more than its `readers`")
    for name, flow in project.flows.items():
        problems += _ends_problems(project, name, flow)
        if isinstance(flow, SubmitPlan):
            problems += _plan_problems(project, name, flow)
            continue
        if isinstance(flow, LoadTable):
            problems += table_problems(f"flows.{name}", flow)
            continue
        problems += _column_problems(name, flow)
        if isinstance(flow, LoadActuals):
            problems += _actuals_problems(name, flow)
            problems += _period_problems(name, flow)
        elif not flow.read_back.list:
            problems.append(f"flows.{name}.read_back needs `list`")
    problems += shared_cells(project)
    for name, calendar in project.calendars.items():
        problems += _calendar_problems(project, f"calendars.{name}", calendar)
    for name, schedule in project.schedules.items():
        problems += _schedule_problems(project, f"schedules.{name}", schedule)
    return problems + _notice_problems(project)


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


def _calendar_problems(project: Project, place: str, calendar: Calendar) -> list[str]:
    """Where the periods of a calendar come from, and on which days nobody works."""
    problems = []
    if calendar.connection or calendar.company:
        if calendar.file:
            problems.append(f"{place} takes its periods from `file`, else from `connection`")
        if not (calendar.connection and calendar.company):
            problems.append(f"{place} needs `connection` and `company` together")
        elif not isinstance(project.connections.get(calendar.connection), JdeConnection):
            problems.append(f"{place}.connection names no JD Edwards connection")
    if zone_named(calendar.zone) is None:
        problems.append(f"{place}.zone: {zone_unknown(calendar.zone)}")
    if len(set(calendar.weekend)) == len(WEEKDAYS):
        problems.append(f"{place}.weekend leaves no day on which anybody works")
    return problems


def _schedule_problems(project: Project, place: str, schedule: Schedule) -> list[str]:
    """What a schedule runs, when, and by which calendar."""
    problems = _twice(f"{place}.run", schedule.run)
    if not schedule.run:
        problems.append(f"{place}.run names no flow")
    for flow in schedule.run:
        if flow not in project.flows:
            near = difflib.get_close_matches(flow, project.flows, n=1)
            hint = f"; did you mean {near[0]!r}" if near else ""
            problems.append(f"{place}.run names {flow!r}, which is no flow{hint}")
    if schedule.calendar and schedule.calendar not in project.calendars:
        there = ", ".join(sorted(project.calendars)) or "none"
        problems.append(f"{place}.calendar = {schedule.calendar!r} is none of: {there}")
    if problems:
        return problems
    calendar = project.calendar_of(schedule)
    zone = calendar.zone if zone_named(calendar.zone) else "UTC"
    try:
        rule = parse(schedule.when, zone)
    except UnreadableError as error:
        return [f"{place}.when: {error}"]
    closes = isinstance(rule, PeriodCloses)
    if schedule.companies and not closes:
        return [f"{place}.companies is for “when the period closes”"]
    if closes and not project.watched_by(schedule):
        return [
            f"{place} needs a `calendar` with `connection` and `company`, or a flow of actuals: "
            "else nothing says which company's period is meant"
        ]
    return []


def _notice_problems(project: Project) -> list[str]:
    """Where notices go, and of what."""
    problems = []
    places = {f"notices.{n}.to": one.to for n, one in project.notices.items()}
    places |= {f"schedules.{n}.heartbeat": s.heartbeat for n, s in project.schedules.items()}
    for place, address in places.items():
        if address and not address.startswith(("https://", "http://", "secret://")):
            problems.append(
                f"{place} is not an https address, nor secret://NAME: other addresses hold "
                "passwords and are sealed"
            )
    for name, schedule in project.schedules.items():
        besides = {"heartbeat_ca_file": schedule.heartbeat_ca_file,
                   "heartbeat_proxy": schedule.heartbeat_proxy}  # fmt: skip
        for key, value in besides.items():
            if value and not schedule.heartbeat:
                problems.append(f"schedules.{name}.{key} is of a heartbeat, and there is none")
        if schedule.heartbeat_proxy and schedule.heartbeat.startswith("http:"):
            problems.append(f"schedules.{name}.heartbeat_proxy carries https addresses alone")
    for name, one in project.notices.items():
        strange = sorted(set(one.flows) - set(project.flows))
        if strange:
            problems.append(f"notices.{name}.flows names {', '.join(strange)}, which is no flow")
        if not one.on:
            problems.append(f"notices.{name}.on names nothing to tell")
    return problems


def _stage_problems(project: Project) -> list[str]:
    """What would let a flow of one stage, TEST say, reach what belongs to another."""
    problems = []
    for name, flow in project.flows.items():
        ends = [project.connections[end] for end in (flow.from_, flow.to)
                if end in project.connections]  # fmt: skip
        if len({one.stage for one in ends}) > 1:
            told = " and ".join(
                f"connections.{end} is {project.connections[end].stage or 'of no stage'}"
                for end in (flow.from_, flow.to)
            )
            problems.append(f"flows.{name} joins two stages: {told}")
    seen: dict[tuple[str, ...], str] = {}
    for name, one in project.connections.items():
        for what, shared in _held(one):
            other = seen.setdefault((what, *shared), name)
            if project.connections[other].stage != one.stage:
                problems.append(
                    f"connections.{name} and connections.{other} are of two stages and have the "
                    f"same {what}"
                )
    return problems


def _held(one: JdeConnection | AnaplanConnection) -> list[tuple[str, tuple[str, ...]]]:
    """What no two stages may have in common."""
    held: list[tuple[str, tuple[str, ...]]] = [("secret", (one.secret,))]
    if isinstance(one, JdeConnection):
        return [*held, ("JD Edwards environment", (one.url.rstrip("/"), one.environment))]
    held.append(("model", (one.api_url.rstrip("/"), one.workspace, one.model)))
    return [*held, ("model_id", (one.model_id,))] if one.model_id else held


def _tenant_problems(connections: Mapping[str, JdeConnection | AnaplanConnection]) -> list[str]:
    """What connections say of a tenant's requests that cannot be meant."""
    problems: list[str] = []
    first: dict[str, tuple[str, AnaplanConnection]] = {}
    for name, one in connections.items():
        if not isinstance(one, AnaplanConnection):
            continue
        if one.headroom + one.burst >= REQUESTS_A_MINUTE:
            problems.append(
                f"connections.{name}: headroom and burst leave nothing of the "
                f"{REQUESTS_A_MINUTE} requests a minute of a tenant"
            )
        before, other = first.setdefault(one.tenant, (name, one))
        if (one.headroom, one.burst) != (other.headroom, other.burst):
            problems.append(
                f"connections.{name} and connections.{before} name the tenant {one.tenant!r}, so "
                "their headroom and burst must be the same"
            )
    return problems
