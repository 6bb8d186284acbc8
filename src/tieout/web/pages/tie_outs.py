"""Tie-out: both sides of a period, from the company down to the cell, and its certification."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from tieout.core.findings import counted
from tieout.core.listing import Column, Listed, Wanted, page_of
from tieout.core.policy import Thing
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.verbs import certifying, explaining, listing, running, seeing
from tieout.verbs.cockpit import named
from tieout.verbs.words import amount, moment, money
from tieout.web.charts import Mark, Picture, waterfall
from tieout.web.pages.records import cell_address
from tieout.web.table import List
from tieout.web.view import View

STATES = (("agrees", "Agrees"), ("differs", "Differs"))
SUMS = ("gross_f0911", "gross_f0902", "gross_anaplan", "difference")
COLUMNS = (
    Column("period", "Period", link="address", sort=True, find="equals"),
    Column("company", "Company", kind="code", find="equals", sort=True),
    Column("state", "State", kind="status", find="choice", choices=STATES),
    Column("difference", "Difference", kind="amount", sort=True),
    Column("currency", "Currency", kind="code", find="equals"),
    Column("gross_f0911", "F0911", kind="amount"),
    Column("gross_f0902", "F0902", kind="amount"),
    Column("gross_anaplan", "Anaplan", kind="amount"),
    Column("cells", "Cells", kind="count", sort=True),
    Column("cells_differing", "Differing", kind="count", sort=True),
    Column("certified", "Certification", kind="status"),
    Column("ledger", "Ledger", kind="code", find="equals"),
    Column("flow", "Flow", find="equals", sort=True),
)
CELLS = (
    Column("account", "Account", link="address", sort=True, find="equals"),
    Column("business_unit", "Cost center", kind="code", sort=True, find="equals"),
    Column("ledger_company", "Company", kind="code"),
    Column("member", "Period", kind="code"),
    Column("ledger", "Ledger", kind="code"),
    Column("currency", "Currency", kind="code"),
    Column("f0911", "F0911", kind="amount"),
    Column("f0902", "F0902", kind="amount"),
    Column("anaplan", "Anaplan", kind="amount"),
    Column("size", "Apart", kind="amount", sort=True),
    Column("held", "Held", kind="words"),
)
DIFFERS = Column(
    "differs",
    "Cells",
    kind="filter",
    find="choice",
    choices=(("yes", "Differing"), ("no", "Equal")),
)


def tie_outs(view: View) -> Response:
    """Every company and period that was compared, the newest first."""
    rows = _compared(view)
    told = List(
        "tie-outs", "Companies and periods, amounts without their signs", "comparisons", COLUMNS,
        Wanted("period", descending=True), lambda wanted: page_of(rows, COLUMNS, wanted, "key"),
        empty="No comparison agrees with this filter." if rows
        else "Nothing was compared yet. A tie-out appears after the first load.",
    )  # fmt: skip
    if file := told.file(view):
        return file
    verdict, tone = _standing(rows)
    return view.page(
        "tie_outs.html", section="tie-out", title="Tie-out", shown=told.shown(view),
        verdict=verdict, tone=tone,
        flows=running.actuals_flows(view.instance), command=("tieout tie-out --last",),
    )  # fmt: skip


def _standing(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """How all that was compared last stands, in a sentence, and its tone."""
    if not rows:
        return "Nothing was compared yet.", "wait"
    periods, certified = len({r["period"] for r in rows}), _in_state(rows, "certified")
    differing = [r for r in rows if r["cells_differing"]]
    if differing:
        newest = max(differing, key=lambda r: (r["period"], r["difference"]))
        return (
            f"{len(differing):,} of {counted(len(rows), 'comparison')} differ, in "
            f"{counted(len({r['period'] for r in differing}), 'period')}; the newest is "
            f"{newest['period']} of {newest['company']}, by "
            f"{money(newest['difference'], newest['currency'])}."
        ), "attention"
    told = f"F0911 = F0902 = Anaplan in {counted(periods, 'period')}"
    if reopened := _in_state(rows, "reopened"):
        return f"{told}; {counted(reopened, 'certification')} reopened.", "attention"
    return f"{told}; {certified:,} of {counted(len(rows), 'comparison')} certified.", "good"


def _in_state(rows: list[dict[str, Any]], state: str) -> int:
    return sum(r["certified"] == state for r in rows)


def _compared(view: View) -> list[dict[str, Any]]:
    """Every company and period that was compared, with how it is certified."""
    signed = {
        (c["flow"], c["company"], c["fiscal_year"], c["period"]): c["state"]
        for c in certifying.listed(view.instance)
    }
    rows = []
    for flow in running.actuals_flows(view.instance):
        for row in seeing.tie_out_table(view.instance, flow):
            period = named(row["fiscal_year"], row["period"])
            place = (flow, row["company"], row["fiscal_year"], row["period"])
            query = urlencode({"period": period, "company": row["company"]})
            rows.append(row | {
                "flow": flow, "period": period, "address": f"/tie-outs/{flow}?{query}",
                "state": "differs" if row["cells_differing"] else "agrees",
                "certified": signed.get(place, "not certified"),
                "key": f"{period} {flow} {row['company']} {row['ledger']} {row['currency']}",
            })  # fmt: skip
    return rows


def loaded(view: View) -> Thing:
    """The flow that the path names."""
    seeing.known(view.instance, view.path("flow"))
    return Thing(view.path("flow"))


def tie_out(view: View) -> Response:
    """One flow: a period of it by company, and its cells, the largest differences first."""
    flow = view.path("flow")
    table = seeing.tie_out_table(view.instance, flow)
    periods = sorted({named(r["fiscal_year"], r["period"]) for r in table}, reverse=True)
    period = view.query.get("period", "") or (periods[0] if periods else "")
    company = view.query.get("company", "")
    rows = [r for r in table if named(r["fiscal_year"], r["period"]) == period]
    if (period and not rows) or (company and company not in {r["company"] for r in rows}):
        raise Misconfigured(f"No cell of {company or flow} was compared in {period}.")
    cells = None
    if table:
        cells = List(
            f"{flow}-{period}" + (f"-{company}" if company else ""),
            f"Cells of {company or 'all companies'} in {period}, in the sign of the ledger",
            "cells", (*CELLS, DIFFERS), Wanted("size", descending=True),
            partial(_cells, view, flow, (company, period)),
        )  # fmt: skip
        if file := cells.file(view, [("Flow", flow), ("Period", period)]):
            return file
    last = seeing.last_comparison(view.instance, flow)
    shown = [r for r in rows if company in ("", r["company"])]
    good = not any(r["cells_differing"] for r in shown)
    return view.page(
        "tie_out.html", section="tie-out", title=f"{flow} {period}", flow=flow, period=period,
        periods=periods, company=company, rows=rows, last=last, shown=cells and cells.shown(view),
        falls=[_waterfall(r) for r in shown if r["cells_differing"]],
        verdict=_verdict(shown, flow, period), good=good, places=_places(view, flow, period, rows),
        classes=[] if good else _classes(view, flow, period, company),
        command=(f"tieout tie-out --last --flow {flow} --period {period}",),
        evidence=_evidence(view, last, shown, period),
    )  # fmt: skip


def _cells(view: View, flow: str, place: tuple[str, str], wanted: Wanted) -> Listed:
    found = listing.compared(view.instance, flow, place, wanted)
    for row in found.rows:
        assert isinstance(row, dict)
        row["address"] = cell_address(row)
        row["currency_of_cell"], row["currency"] = row["currency"], row["shown_in"]
    return found


def _evidence(
    view: View, last: Any, rows: list[dict[str, Any]], period: str
) -> tuple[tuple[str, object], ...]:
    if last is None:
        return ()
    cells = sum(r["cells"] for r in rows)
    version = view.instance.store.run(last[0]).config_version
    return (
        ("Compared by", last[0]), ("Compared at", moment(last[1])), ("Period", period),
        ("Companies", ", ".join(sorted({r["company"] for r in rows}))), ("Cells", f"{cells:,}"),
        ("Configuration", f"version {version}"),
    )  # fmt: skip


def _verdict(rows: list[dict[str, Any]], flow: str, period: str) -> str:
    if not rows:
        return f"Both sides of {flow} have not been compared yet."
    cells, differing = sum(r["cells"] for r in rows), sum(r["cells_differing"] for r in rows)
    companies = {r["company"] for r in rows}
    of = f"{period} of {next(iter(companies))}" if len(companies) == 1 else period
    if not differing:
        return f"{of}: F0911 = F0902 = Anaplan in all {cells:,} cells."
    gaps: dict[str, Decimal] = {}
    for row in rows:
        if row["difference"]:
            gaps[row["currency"]] = gaps.get(row["currency"], Decimal(0)) + row["difference"]
    told = ", ".join(f"{amount(s, c)} {c}".strip() for c, s in sorted(gaps.items()))
    return f"{of}: {differing:,} of {cells:,} cells differ, by {told} in all."


def _waterfall(row: dict[str, Any]) -> Picture:
    """How the sums of the ledger become those of Anaplan."""
    currency = row["currency"]

    def mark(label: str, value: Decimal, tone: str) -> Mark:
        return Mark(label, amount(value, currency), value, tone)

    f0911, f0902, anaplan = (row[n] for n in ("gross_f0911", "gross_f0902", "gross_anaplan"))
    marks = [
        mark("F0911, the lines", f0911, "run"),
        mark("lines without balance", f0902 - f0911, "wait"),
        mark("not in Anaplan", anaplan - f0902, "bad"),
        mark("Anaplan", anaplan, "run"),
    ]
    about = f"{row['company']} {row['ledger']} {currency}: sums of amounts without their signs."
    return waterfall(f"From F0911 to Anaplan, {row['company']}", about, marks)


def _classes(view: View, flow: str, period: str, company: str) -> list[dict[str, Any]]:
    """Why cells differ, as far as there is a reason; nothing where all is equal."""
    found = explaining.explain(view.instance, flow, period)["classes"]
    return [c for c in found if company in ("", c["ledger_company"])]


def _places(view: View, flow: str, period: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each company of the period with its certification and what may be done about it."""
    held = {
        c["company"]: c for c in certifying.listed(view.instance, flow)
        if named(c["fiscal_year"], c["period"]) == period
    }  # fmt: skip
    told, differing = [], {r["company"] for r in rows if r["cells_differing"]}
    for company in sorted({r["company"] for r in rows} | set(held)):
        one = held.get(company)
        state = one["state"] if one else ""
        thing = Thing(company, state, one["prepared_by"] if one else "")
        told.append({
            "company": company, "held": one, "state": state, "differs": company in differing,
            "may_prepare": state in ("", "reopened") and bool(view.may("prepare certification")),
            "certify": view.may("certify", thing) if state == "prepared" else None,
        })  # fmt: skip
    return told


def signed(view: View) -> Thing:
    """The certification that the form names, with its state and who prepared it."""
    flow, company, period = loaded(view).name, view.field("company"), view.field("period")
    for held in certifying.listed(view.instance, flow):
        if (held["company"], named(held["fiscal_year"], held["period"])) == (company, period):
            return Thing(held["certification"], held["state"], held["prepared_by"])
    return Thing(f"{flow} {company} {period}")


def prepare(view: View) -> Response:
    """Say that a company's period ties; another person certifies it."""
    place = (view.path("flow"), view.field("company"), view.field("period"))
    return _done(view, partial(certifying.prepare, view.instance, *place))


def certify(view: View) -> Response:
    """Certify what another person prepared, bound to the digest that was shown."""
    place = (view.path("flow"), view.field("company"), view.field("period"))
    signing = (view.field("digest"), view.field("why"))
    return _done(view, partial(certifying.certify, view.instance, *place, *signing))


def _done(view: View, act: Callable[[], object]) -> Response:
    back = f"/tie-outs/{view.path('flow')}?{urlencode({'period': view.field('period')})}"
    try:
        act()
    except NotAllowed:
        raise
    except Refused as error:
        return view.page(
            "refused.html", section="tie-out", title="Not done", error=error, status=422, back=back
        )
    return RedirectResponse(back, 303)
