"""Which flows of a project write the same cells: two that mean them otherwise undo each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tieout.core.table_words import source_of
from tieout.project import LoadActuals, Project, SubmitPlan
from tieout.project_tables import LoadTable, table_problems

NO_END = "9999-99"  # of a flow that goes on to the current period
COMPANIES_SHOWN_MAX = 3


def shared_cells(project: Project) -> list[str]:
    """Each pair of flows that cannot be meant together, in words."""
    return [*_plans(project), *_actuals(project), *_tables(project)]


def _plans(project: Project) -> Iterator[str]:
    """One flow owns a ledger of a company; two would undo each other's journals."""
    owners: dict[tuple[str, str, str], str] = {}
    for name, flow in project.flows.items():
        if not isinstance(flow, SubmitPlan):
            continue
        for ledger in sorted(set(flow.ledgers().values())):
            for company in project.companies_of(flow):
                owner = owners.setdefault((flow.to, ledger, company), name)
                if owner != name:
                    yield (
                        f"flows.{owner} and flows.{name} both write ledger {ledger} of company "
                        f"{company}; one flow owns it"
                    )


def _actuals(project: Project) -> Iterator[str]:
    """Flows that load one company's period into one cell, and not the same amount of it.

    Each proves what it loaded, and the other's next run puts its own in the place.
    """
    flows = [(n, f) for n, f in project.flows.items() if isinstance(f, LoadActuals)]
    for (name, one), (beside, other) in combinations(flows, 2):
        companies = [c for c in one.companies if c in other.companies]
        if not (_same_place(one, other) and companies and _at_one_time(one, other)):
            continue
        if differs := _meant_otherwise(one, other, companies):
            yield (
                f"flows.{name} and flows.{beside} load the same cells of company "
                f"{', '.join(companies[:COMPANIES_SHOWN_MAX])} and differ in {', '.join(differs)}; "
                "one flow owns a cell"
            )


def _same_place(one: LoadActuals | LoadTable, other: LoadActuals | LoadTable) -> bool:
    """Whether two flows load by one import, or into what one view, export or list shows."""
    back, beside = one.read_back, other.read_back
    shown = [(back.view, beside.view), (back.export, beside.export), (back.list, beside.list)]
    same = one.import_ == other.import_ or any(a and a == b for a, b in shown)
    return one.to == other.to and same


def _at_one_time(one: LoadActuals, other: LoadActuals) -> bool:
    """Whether two flows load a period in common."""
    ends = [NO_END if f.to_period == "current" else f.to_period for f in (one, other)]
    return max(one.from_period, other.from_period) <= min(ends)


def _meant_otherwise(one: LoadActuals, other: LoadActuals, companies: list[str]) -> list[str]:
    """The keys by which two flows would put another amount into a cell."""
    found = []
    by_ledger = all("ledger" in f.columns.values() for f in (one, other))
    if by_ledger and not set(one.ledgers) & set(other.ledgers):
        return []
    if not by_ledger and set(one.ledgers) != set(other.ledgers):
        found.append("ledgers")
    for key in ("from_", "account_code", "signs", "periods"):
        if getattr(one, key) != getattr(other, key):
            found.append(key.rstrip("_"))
    policies = [
        [f.period_13.get(c) or f.period_13.get("default", "fold") for c in companies]
        for f in (one, other)
    ]  # fmt: skip
    return [*found, "period_13"] if policies[0] != policies[1] else found


def _tables(project: Project) -> Iterator[str]:
    """Flows of tables that fill one module or list, and that no condition keeps apart.

    Each would bring to zero what it does not find in its own rows.
    """
    flows = [
        (n, f) for n, f in project.flows.items()
        if isinstance(f, LoadTable) and not table_problems(n, f)
    ]  # fmt: skip
    for (name, one), (beside, other) in combinations(flows, 2):
        rows = [(f.from_, f.table, f.where, f.columns, f.maps) for f in (one, other)]
        if _same_place(one, other) and rows[0] != rows[1] and not _apart(one, other):
            yield (
                f"flows.{name} and flows.{beside} load the same module or list, and no `where` of "
                "both lists other values of a field that names a member; one flow owns a cell"
            )


def _apart(one: LoadTable, other: LoadTable) -> bool:
    """Whether both list values of a field that alone names a member, and none in common."""
    lists = []
    for flow in (one, other):
        alone = {s.names[0]: h for h in flow.identify
                 if len((s := source_of(flow.columns[h])).names) == 1}  # fmt: skip
        lists.append({alone[w.field]: set(w.is_) for w in flow.where if w.is_ and w.field in alone})
    return any(
        not lists[0][header] & lists[1][header] for header in lists[0].keys() & lists[1].keys()
    )
