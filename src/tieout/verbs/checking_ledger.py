"""What `tieout doctor --ledger` finds out of a ledger before it is loaded; it only reads.

The questions are those of facts/jde-gl.md §8 that can be answered by reading. Each is bounded by
the companies, ledgers and fiscal years that flows load from the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import polars as pl

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.core.periods import calendars
from tieout.errors import Trouble
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.query import DaysAgo, at_least, equal, every, not_equal, one_of
from tieout.project import JdeConnection, LoadActuals, Project
from tieout.verbs.checking import Check, Looking, good, notice, trouble, wrong
from tieout.verbs.checking_books import (
    ACCOUNTING,
    SECURITY,
    Ledger,
    clock,
    constants,
    decimals,
    rules,
)

YEARS_AROUND = 2  # for which a date pattern should be there, before and after the current one
SLOW_SECONDS = 5.0  # of a query for what was changed since yesterday
BATCHES_COMPARED_MAX = 20
RECENT_DAYS = 60  # of the batches whose stamps are compared
YEARS_SHOWN_MAX = 4  # of companies and ledgers, in one sentence
POSTED_CODES = {"": "unposted", "P": "posted", "M": "models"}
BATCH_STATES = {"": "pending", "A": "approved", "D": "posted", "E": "in error", "U": "in use"}
SETTLED = "D"


def ledgers(looking: Looking, instance: Instance) -> Iterator[Check]:
    """Every probe of every JD Edwards connection that a flow of actuals reads from."""
    project = instance.project()
    names = {flow.from_ for flow in _actuals(project)}
    if not names:
        yield notice(
            "ledger", "No flow loads actuals, so no ledger was asked.",
            "Add a flow of the kind load_actuals to tieout.toml.", "who keeps tieout.toml",
        )  # fmt: skip
    for name in sorted(names):
        with ExitStack() as open_things:
            jde = instance.jde_alone(project, name, open_things)
            try:
                yield from _asked(looking, project, name, jde)
            except Trouble as told:
                yield trouble("ledger", told)


def _asked(looking: Looking, project: Project, name: str, jde: Jde) -> Iterator[Check]:
    if jde.may_read():
        yield from _probed(looking, project, name, jde)
        return
    yield notice(
        "ledger", f"All sessions that {name} allows are in use, so its ledger was not asked.",
        "Ask again when fewer runs read (`tieout doctor` says which do).", "an operator",
    )  # fmt: skip


def _actuals(project: Project) -> list[LoadActuals]:
    return [flow for flow in project.flows.values() if isinstance(flow, LoadActuals)]


def _probed(looking: Looking, project: Project, name: str, jde: Jde) -> Iterator[Check]:
    flows = [flow for flow in _actuals(project) if flow.from_ == name]
    companies = tuple(sorted({company for flow in flows for company in flow.companies}))
    asked = tuple(sorted({ledger for flow in flows for ledger in flow.ledgers}))
    assert isinstance(project.connections[name], JdeConnection), "held by `consistency`"
    known = jde.read_whole(tables.COMPANIES, one_of("company", list(companies)))
    patterns = sorted({*known["date_pattern"].drop_nulls()})
    shown = jde.read_whole(
        tables.DATE_PATTERNS, one_of("date_pattern", patterns) if patterns else None
    )
    overlaps = tuple(flow.overlap_days for flow in flows)
    ledger = Ledger(
        name, jde, looking.clock, companies, asked, known, calendars(shown), min(overlaps)
    )  # fmt: skip
    probes: dict[str, Callable[[Ledger], Iterator[Check]]] = {
        "ledger-companies": _companies, "ledger-calendars": _calendars, "ledger-codes": _codes,
        "ledger-batches": _batches, "ledger-stamps": _stamps, "ledger-history": _history,
        "ledger-balances": _balances, "ledger-speed": _speed, "ledger-clock": clock,
        "ledger-decimals": decimals, "ledger-rules": rules, "ledger-constants": constants,
    }  # fmt: skip
    for code, probe in probes.items():
        try:
            yield from probe(ledger)
        except Trouble as told:
            yield trouble(code, told)
        if code == "ledger-companies" and known.is_empty():
            return


def _companies(ledger: Ledger) -> Iterator[Check]:
    """P12: hidden companies or rows make a tie-out lie."""
    missing = sorted(set(ledger.companies) - {*ledger.known["company"]})
    if missing:
        yield wrong(
            "ledger-companies", f"{ledger.name} shows no company {', '.join(missing)} in F0010.",
            "Correct the company in tieout.toml, or let the JDE user see it.", SECURITY,
        )  # fmt: skip
    if ledger.known.is_empty():
        return
    posted = every(equal("posted", "P"), ledger.of_the_years())
    lines = ledger.jde.groups(tables.ACCOUNT_LEDGER, group_by=("company",), where=posted)
    balances = ledger.jde.groups(
        tables.ACCOUNT_BALANCES, group_by=("company",), where=ledger.of_the_years()
    )
    alone = sorted({*balances["company"]} - {*lines["company"]})
    if alone:
        yield notice(
            "ledger-companies",
            f"{ledger.name} has balances (F0902) but no posted line (F0911) of {', '.join(alone)} "
            f"in {_years(ledger)}: row security may hide the lines, or they were purged.",
            "Compare the number of lines with what a controller sees.", SECURITY,
        )  # fmt: skip
    told = ", ".join(f"{company} {count:,}" for company, count in _counts(lines, "company"))
    yield good(
        "ledger-companies", f"Posted lines of {ledger.name} in {_years(ledger)}: {told or 'none'}."
    )


def _calendars(ledger: Ledger) -> Iterator[Check]:
    """P11: a line of a year without a pattern belongs to no period."""
    none = ledger.known.filter(pl.col("fiscal_year_start").is_null())["company"].sort()
    missing = [f"{company} (no fiscal year in F0010)" for company in none]
    for company, pattern, begins in ledger.stands():
        calendar = ledger.calendars.get(pattern)
        there = set(calendar.years) if calendar else set()
        current = ledger.year_of(pattern, begins)
        wanted = range(current - YEARS_AROUND, current + YEARS_AROUND + 1)
        if lacking := [str(year) for year in wanted if year not in there]:
            missing.append(f"{company} (pattern {pattern}: {', '.join(lacking)})")
    if missing:
        yield notice(
            "ledger-calendars", f"F0008 has no period ends for {'; '.join(missing)}.",
            "Add the fiscal date pattern before these years are opened or loaded.", ACCOUNTING,
        )  # fmt: skip
    else:
        yield good(
            "ledger-calendars",
            f"F0008 has every date pattern for {YEARS_AROUND} years before and after.",
        )


def _codes(ledger: Ledger) -> Iterator[Check]:
    """P4: only lines with the code P are loaded; what other codes mean has to be known."""
    found = ledger.jde.groups(
        tables.ACCOUNT_LEDGER, group_by=("posted",), where=ledger.of_the_years()
    )
    yield _census("ledger-codes", "Posted codes of F0911", found, "posted", POSTED_CODES,
                  "They count as not posted. Ask what they mean.")  # fmt: skip


def _batches(ledger: Ledger) -> Iterator[Check]:
    """P4: the states of batches."""
    recent = at_least("updated", DaysAgo(RECENT_DAYS))
    found = ledger.jde.groups(tables.BATCHES, group_by=("status",), where=recent)
    yield _census("ledger-batches", f"Batches of the last {RECENT_DAYS} days", found, "status",
                  BATCH_STATES, "Look them up in the codes 98/IC.")  # fmt: skip


def _census(
    code: str, what: str, found: pl.DataFrame, column: str, words: dict[str, str], do: str
) -> Check:
    told = ", ".join(
        f"{count:,} {words.get(value, f'with the code {value!r}')}"
        for value, count in _counts(found, column)
    )
    strange = sorted({*found[column]} - {*words})
    if strange:
        return notice(code, f"{what}: {told}.", do, ACCOUNTING)
    return good(code, f"{what}: {told or 'none'}.")


def _stamps(ledger: Ledger) -> Iterator[Check]:
    """P1: whether posting stamps the lines anew, which is how a later posting could be seen."""
    posted_later = every(
        equal("status", SETTLED), at_least("updated", DaysAgo(RECENT_DAYS)),
    )  # fmt: skip
    batches = next(iter(ledger.jde.read(tables.BATCHES, posted_later)), None)  # a page is enough
    if batches is not None:
        batches = batches.filter(pl.col("updated") > pl.col("batch_date"))
    if batches is None or batches.is_empty():
        yield good(
            "ledger-stamps",
            f"No batch of the last {RECENT_DAYS} days was posted after the day it was entered, so "
            "whether posting stamps its lines anew is not known; flows do not rely on it.",
        )
        return
    anew = compared = 0
    for kind, number, posted in (
        batches.sort("updated").tail(BATCHES_COMPARED_MAX)
        .select("batch_type", "batch_number", "updated").iter_rows()
    ):  # fmt: skip
        lines = ledger.jde.totals(
            tables.ACCOUNT_LEDGER, group_by=(), maxima=("updated",),
            where=every(equal("batch_type", kind), equal("batch_number", number)),
        )  # fmt: skip
        last = lines["max_updated"][0]
        compared += last is not None
        anew += last is not None and last >= posted
    words = "stamps its lines anew" if anew == compared else "leaves the stamps of its lines"
    if 0 < anew < compared:
        words = f"stamped the lines of {anew} anew and left the others"
    yield good("ledger-stamps", f"Of {counted(compared, 'batch', 'batches')} posting {words}; "
               "flows see a posting by its batch (F0011) either way.")  # fmt: skip


def _history(ledger: Ledger) -> Iterator[Check]:
    """P6: lines that stand for others that were purged or summarized."""
    for column, value, words in (
        ("document_type", "BF", "brought-forward lines (BF), which stand for purged ones"),
        ("summarized", "Y", "lines that were summarized"),
    ):
        where = every(equal(column, value), ledger.of_the_years())
        found = ledger.jde.groups(
            tables.ACCOUNT_LEDGER, group_by=("company", "posted"), where=where
        )
        if found.is_empty():
            continue
        by_company = found.group_by("company").agg(pl.col("count").sum())
        told = ", ".join(
            f"{company} {count:,}" for company, count in _counts(by_company, "company")
        )
        unposted = int(found.filter(pl.col("posted") != "P")["count"].sum())
        more = f" {unposted:,} of them do not have the code P." if unposted else ""
        yield notice(
            "ledger-history", f"In {_years(ledger)} there are {words}: {told}.{more}",
            "Drill-down shows them as one line; begin with periods that are still in detail "
            "(`detail_from`).", ACCOUNTING,
        )  # fmt: skip
    yield good(
        "ledger-history", f"Lines that stand for others were looked for in {_years(ledger)}."
    )


def _balances(ledger: Ledger) -> Iterator[Check]:
    """P5: lines sum up to balances, by object account: a company always nets to zero.

    Lines that a BF line stands for do not count beside it.
    """
    by = ("company", "ledger", "fiscal_year", "object_account")
    lines = _lines(ledger, by)
    nets = [f"net_{number:02}" for number in range(1, 15)]
    shown = ledger.jde.groups(
        tables.ACCOUNT_BALANCES, group_by=by, sums=nets, where=ledger.of_the_years()
    )
    shown = shown.with_columns(balances=pl.sum_horizontal(nets)).select(*by, "balances")
    both = lines.join(shown, on=by, how="full", coalesce=True)
    apart = both.filter(pl.col("lines").fill_null(0) != pl.col("balances").fill_null(0))
    if apart.is_empty():
        yield good(
            "ledger-balances",
            f"Lines (F0911) and balances (F0902) of {_years(ledger)} agree in each object account "
            f"({counted(both.height, 'sum')}).",
        )
        return
    years = apart.group_by(by[:3]).agg(objects=pl.len()).sort(by[:3])
    told = "; ".join(
        f"{company} {kind} {year} ({counted(objects, 'object account')})"
        for company, kind, year, objects in years.head(YEARS_SHOWN_MAX).rows()
    )
    more = f" and {years.height - YEARS_SHOWN_MAX} more" if years.height > YEARS_SHOWN_MAX else ""
    yield notice(
        "ledger-balances", f"Lines (F0911) and balances (F0902) do not agree in {told}{more}.",
        "Run the integrity reports, or sign the difference as a baseline (`tieout baselines`).",
        ACCOUNTING,
    )  # fmt: skip


def _lines(ledger: Ledger, by: tuple[str, ...]) -> pl.DataFrame:
    """`lines`, the sum of posted lines, by `by`; those that a BF line stands for are taken off.

    Taken off, not left out by the query: a mark that was never set may be null.
    """
    posted = every(equal("posted", "P"), ledger.of_the_years())
    stood_for = every(equal("summarized", "Y"), not_equal("document_type", "BF"), posted)
    of_all, of_those = (
        ledger.jde.groups(tables.ACCOUNT_LEDGER, group_by=by, sums=("amount",), where=where)
        for where in (posted, stood_for)
    )
    both = of_all.join(of_those, on=by, how="left", suffix="_stood_for")
    left = pl.col("amount") - pl.col("amount_stood_for").fill_null(0)
    return both.select(*by, lines=left)


def _speed(ledger: Ledger) -> Iterator[Check]:
    """P10: each run asks what changed lately, for which F0911 needs an index over UPMJ."""
    began = ledger.clock.monotonic()
    ledger.jde.count(tables.ACCOUNT_LEDGER, at_least("updated", DaysAgo(1)))
    took = ledger.clock.monotonic() - began
    told = f"Asking F0911 for what changed since yesterday takes {took:.1f} seconds."
    if took > SLOW_SECONDS:
        yield notice(
            "ledger-speed", told, "Add an index over UPMJ and UPMT to F0911.",
            "the administrator of JD Edwards' database",
        )  # fmt: skip
    else:
        yield good("ledger-speed", told)


def _counts(found: pl.DataFrame, column: str) -> list[tuple[str, int]]:
    return list(found.sort(column).select(column, "count").iter_rows())


def _years(ledger: Ledger) -> str:
    return " and ".join(map(str, ledger.years()))
