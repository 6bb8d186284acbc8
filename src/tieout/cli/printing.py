"""Results as a person reads them: sentences and narrow tables on stdout, notes on stderr."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import click

from tieout.core.findings import counted
from tieout.verbs.words import NOTED, OUTCOMES, age, amount, exact, lasted, moment, money

WIDTH_USUAL_COLUMNS = 100  # where no terminal says how wide it is
WIDTH_COLUMNS_MAX = 120
WIDE_COLUMNS_MIN = 100
GAP = "  "
NOTE_SUBJECTS_MAX = 3  # `--json` has them all
SIDES = ("F0911", "F0902", "Anaplan")
WAITS, OUTCOME_UNKNOWN = 7, 10  # exit codes, docs/reference/exit-codes.md
STANDING = ("open", "assigned")  # states in which somebody has to do something about a finding
PLANNED = ("prepare_plan", "submit_plan", "follow_journals")  # kinds of runs that tie out nothing
EFFECTS = {
    "reject": "not loaded", "difference": "does not agree", "ask": "to be confirmed",
    "note": "to know",
}  # fmt: skip

Row = Sequence[str]


def note(text: str) -> None:
    """A remark on stderr."""
    click.echo(text, err=True)


def as_json(value: object) -> object:
    """What JSON has no form for: amounts as decimal strings, moments in ISO 8601."""
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def width() -> int:
    """How many columns there are to print in."""
    found = shutil.get_terminal_size((WIDTH_USUAL_COLUMNS, 24)).columns
    return min(found, WIDTH_COLUMNS_MAX)


def paragraph(text: str, indent: str = "    ") -> None:
    """A sentence, wrapped and indented."""
    if text:
        click.echo(
            textwrap.fill(
                text, max(width(), 40), initial_indent=indent, subsequent_indent=indent,
                break_long_words=False, break_on_hyphens=False,
            )
        )  # fmt: skip


def table(columns: Sequence[str], rows: Sequence[Row], right: Sequence[str] = ()) -> None:
    """Aligned columns under a rule; a row whose first cell is `total` is set off by another."""
    sizes = [max(len(c[n]) for c in (columns, *rows)) for n in range(len(columns))]
    aligned = [">" if name in right else "<" for name in columns]

    def line(cells: Row) -> str:
        parts = (f"{c:{a}{s}}" for c, a, s in zip(cells, aligned, sizes, strict=True))
        return GAP.join(parts).rstrip()

    rule = GAP.join("-" * size for size in sizes)
    click.echo(line(columns))
    click.echo(rule)
    for row in rows:
        if row[0] == "total":
            click.echo(rule)
        click.echo(line(row))


def following(*commands: str) -> None:
    """What to do next, as it can be typed: the same --home as in the command under way."""
    context = click.get_current_context(silent=True)
    home = getattr(context.obj, "home", None) if context else None
    program = f"tieout --home {shlex.quote(home)}" if home else "tieout"
    for n, command in enumerate(dict.fromkeys(commands)):
        typed = command.replace("tieout ", f"{program} ")
        click.echo(f"{'Next:' if n == 0 else '  or:'} {typed}")


# ---------------------------------------------------------------------------- setting up


def made(result: Mapping[str, Any], wrote: bool) -> None:
    """What `init` made or applied."""
    file = f"{result['home']}/tieout.toml"
    if result["version"] is None:
        click.echo(f"The instance is in {result['home']}; keep its file `key` safe.")
        click.echo(f"{'Wrote' if wrote else 'There is'} {file}: complete it.")
        following("tieout config plan", "tieout config apply --why …")
        return
    for change in result["changes"]:
        paragraph(change)
    click.echo(f"Applied {file} as version {result['version']}.")
    following("tieout connect NAME", "tieout preview FLOW")


def mapped(source: str, target: str | None, version: int, then: Sequence[str]) -> None:
    """What a mapping changed, and the commands that send it."""
    to = "itself" if target in (None, "=") else target
    click.echo(f"{source} maps to {to} from now on (mapping version {version}).")
    following(*then)


# ---------------------------------------------------------------------------- runs


def runs(found: Sequence[Mapping[str, Any]]) -> None:
    """The list of runs, each with what it said below."""
    if not found:
        click.echo("No run yet.")
        following("tieout preview FLOW", "tieout run FLOW")
        return
    size = max(len(r["run"]) for r in found)
    for r in found:
        head = (f"{r['run']:<{size}}", f"{OUTCOMES[r['outcome']]:<15}", moment(r["started_at"]))
        click.echo(GAP.join((*head, lasted(r["seconds"]))).rstrip())
        paragraph(r["sentence"])
    following(f"tieout show {found[0]['run']}")


def run(found: Mapping[str, Any], whole: bool = False) -> None:
    """One run: its sentence first, then what is open, then what to do next."""
    outcome = OUTCOMES[found["outcome"]]
    paragraph(found["sentence"], indent="")
    told = [f"{found['run']}: {outcome.lower()}"]
    if found["seconds"] is not None:
        told[0] += f" after {lasted(found['seconds'])}"
    calls = sorted((found.get("calls") or {}).items())
    told += [f"{counted(n, 'request')} to {system}" for system, n in calls]
    paragraph("; ".join(told) + ".", indent="")
    if whole:
        _whole(found)
    every = found.get("findings") or []
    open_ones = [f for f in every if whole or not f["settled_run"] or f["state"] == NOTED]
    if open_ones:
        click.echo()
        findings(open_ones)
    _after(found, open_ones, whole)


def _whole(found: Mapping[str, Any]) -> None:
    """Who started it and when, where its rows went, its steps, its files."""
    click.echo(f"Started by {found['started_by']}, {moment(found['started_at'])}.")
    if found.get("accounted"):
        _accounted(found["accounted"])
    if found["steps"]:
        click.echo("\nSteps")
        rows = [
            (
                s["name"], f"{s['started_at'].astimezone():%H:%M:%S}",
                lasted((s["finished_at"] - s["started_at"]).total_seconds()),
            )
            for s in found["steps"]
        ]  # fmt: skip
        table(("step", "started", "took"), rows, ("took",))
    if found.get("parts"):
        click.echo("\nParts")
        each = [(p["run"], OUTCOMES[p["outcome"]], f"{p['rows_read']:,}", p["reads"])
                for p in found["parts"]]  # fmt: skip
        table(("run", "outcome", "lines", "reads"), each, ("lines",))
    if found["files"]:
        click.echo("\nKept (`--json` has every file with its hash)")
        columns = ("what", "files", "rows", "bytes")
        table(columns, _by_kind(found["files"]), columns[1:])
    for told in found["purged"]:
        paragraph(told, indent="")
    for held in found["models"]:
        paragraph(f"It holds the model {held['model']}, with {held['asked_for'] or 'no task yet'}.")


def _accounted(told: Mapping[str, Any]) -> None:
    """What came into every step and where it went, and whether all of it agrees."""
    click.echo("\nWhere the rows went")
    for p in told["passages"]:
        went = [(w["rows"], w["as"]) for w in p["went"] if w["rows"]]
        missing = p["missing"]["rows"]
        odd = [(missing, "missing")] if missing > 0 else [(-missing, "more than came")]
        parts = [f"{rows:,} {what}" for rows, what in [*went, *(odd if missing else [])]]
        if not p["agrees"] and not missing:
            parts.append("the amounts do not agree")
        paragraph(f"{p['verb']} {p['came']['rows']:,} {p['what']}: {', '.join(parts) or 'none'}")
    if told["looked_at"]:
        paragraph(f"looked at {counted(told['looked_at'], 'line')} to find what moved")
    if told["closed"]:
        closed = counted(told["closed"], told.get("closed_of", "line"))
        paragraph(f"closed {closed} that JD Edwards returns no longer")
    names = ", ".join(told["sums_of"])
    agree = "agree" if told["agree"] else "do NOT agree"
    of = f", amounts by ledger and currency ({names})" if names else ""
    paragraph(f"Counts{of} {agree} from step to step (`--json` has the sums).")


def _by_kind(files: Sequence[Mapping[str, Any]]) -> list[Row]:
    kinds: dict[str, list[int]] = {}
    for f in files:
        sums = kinds.setdefault(f["kind"], [0, 0, 0])
        for n, value in enumerate((1, f["rows"], f["bytes"])):
            sums[n] += value
    return [(kind, *(f"{value:,}" for value in sums)) for kind, sums in kinds.items()]


def _after(found: Mapping[str, Any], open_ones: Sequence[Mapping[str, Any]], whole: bool) -> None:
    open_ones = [f for f in open_ones if f["state"] in STANDING and f["severity"] != "note"]
    command, planned = mend(open_ones), found["kind"] in PLANNED
    if found["outcome"] == "needs_attention" and command:
        following(command)
    elif found["exit_code"] == WAITS and "batch" in found["figures"]:
        following(f"tieout approvals {found['figures']['batch']}")
    elif found["outcome"] == "needs_attention" and open_ones:
        compare = [] if planned else [f"tieout tie-out --flow {found['flow']}"]
        following(f"tieout rejects --run {found['run']}", *compare)
    elif found["exit_code"] == OUTCOME_UNKNOWN:
        following("tieout journals check" if planned else f"tieout run {found['flow']}")
    elif found["outcome"] in ("waiting", "running") or (found["outcome"] == "failed" and not whole):
        following(f"tieout show {found['run']}")


# ---------------------------------------------------------------------------- findings


def mend(open_ones: Sequence[Mapping[str, Any]]) -> str:
    """The commands that mend the first unmatched member among findings; empty without one."""
    for f in open_ones:
        if f["rule"] == "unmatched-member" and f["dimension"]:
            dimension = f["dimension"].replace("_", "-")
            return (
                f"tieout map {dimension} {f['member']} TARGET --why REASON, "
                f"then tieout replay {f['run']}"
            )
    return ""


def became(f: Mapping[str, Any]) -> str:
    """Who looks after a finding and for how long it has been open, or what became of it."""
    if f["settled_run"]:
        return f"{f['state']} since then"
    if f["state"] == "waived":
        return f"waived by {f['decided_by']}: {f['why']}"
    aged = f" for {age(f['age_seconds'])}" if f.get("age_seconds") is not None else ""
    return f"assigned to {f['owner']}, open{aged}" if f["owner"] else aged and f"open{aged}"


def findings(found: Sequence[Mapping[str, Any]], *, of_amounts: bool = True) -> None:
    """Each finding: a line with its amount, then what it is and what to do; notes by rule.

    `of_amounts`: say first what its amounts are.
    """
    notes: dict[str, list[Mapping[str, Any]]] = {}
    if of_amounts and any(f["amount"] is not None and f["severity"] != "note" for f in found):
        click.echo("Amounts are sums of cells without their signs.")
    for f in found:
        if f["severity"] == "note":
            notes.setdefault(f["rule"], []).append(f)
            continue
        told = [f"[{f['id']}] {f['subject']}: {EFFECTS[f['severity']]}"]
        if f["cells"]:
            told.append(counted(f["cells"], "cell"))
        if f["amount"] is not None:
            told.append(money(f["amount"], f["currency"]))
        told.append(became(f))
        paragraph(f"{', '.join(filter(None, told))} ({f['rule']} of {f['run']})", indent="")
        words = (f["what"], f["remedy"], f["vendor_words"] and f"Anaplan: {f['vendor_words']}")
        paragraph(" ".join(filter(None, words)))
    for rule, those in notes.items():
        cells = counted(sum(f["cells"] for f in those), "cell")
        subjects = [f["subject"] for f in those[:NOTE_SUBJECTS_MAX]]
        more = len(those) - len(subjects)
        listed = "; ".join([*subjects, *([f"{more} more"] if more else [])])
        paragraph(
            f"To know ({rule}): {counted(len(those), 'finding')}, {cells}: {listed}", indent=""
        )
        paragraph(f"{those[0]['what']} {those[0]['remedy']}".strip())


def mappings(found: Sequence[Mapping[str, Any]]) -> None:
    """The mapping table: each with who set it, when and why below."""
    if not found:
        click.echo("Nothing is mapped: every code maps to itself.")
    for m in found:
        since = f" from {m['effective_from']} on" if m["effective_from"] else ""
        name = m["dimension"].replace("_", "-")
        click.echo(f"{name} {m['source']} maps to {m['target'] or 'itself'}{since}")
        told = f"Version {m['version']}, set by {m['set_by']}, {moment(m['set_at'])}"
        paragraph(f"{told}: {m['why'] or 'no reason given'}")


def history(source: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Every mapping of one code, oldest first."""
    if not found:
        click.echo(f"{source} was never mapped.")
        return
    mappings(found)


# ---------------------------------------------------------------------------- tie-out


def tie_out(
    rows: Sequence[Mapping[str, Any]], totals: Sequence[Mapping[str, Any]], sentence: str
) -> None:
    """Every period of every company, ledger and currency with its total; then the sentence."""
    if not rows:
        click.echo("Nothing to tie out yet: no run has read both sides.")
        following("tieout run FLOW")
        return
    paragraph(
        "Tie-out: F0911 = F0902 = Anaplan, cell by cell. Amounts are sums of cells without their "
        "signs; the difference is the sum of the differences of all cells.",
        indent="",
    )
    for total in totals:
        key = (total["company"], total["ledger"], total["currency"])
        own = [r for r in rows if (r["company"], r["ledger"], r["currency"]) == key]
        click.echo(f"\nCompany {key[0]}, ledger {key[1]}, amounts in {key[2]}")
        lines = [_tied(f"{r['fiscal_year']}-{r['period']:02d}", r) for r in own]
        _tie_out_table([*lines, _tied("total", total)])
    click.echo()
    differing = sum(r["cells_differing"] for r in rows)
    cells = counted(sum(r["cells"] for r in rows), "cell")
    paragraph(
        sentence or (f"{differing:,} of {cells} differ." if differing else f"All {cells} tie."),
        indent="",
    )


def _tied(period: str, row: Mapping[str, Any]) -> Row:
    amounts = ("gross_f0911", "gross_f0902", "gross_anaplan", "difference")
    shown = (amount(row[name], row["currency"]) for name in amounts)
    return (period, f"{row['cells']:,}", f"{row['cells_differing']:,}", *shown)


def _tie_out_table(lines: Iterable[Row]) -> None:
    columns: tuple[str, ...] = ("period", "cells", "differ", *SIDES, "difference")
    if width() < WIDE_COLUMNS_MIN:  # the three amounts and the difference are what must be seen
        columns = (*columns[:1], *columns[3:])
        lines = [(*line[:1], *line[3:]) for line in lines]
    table(columns, list(lines), columns[1:])


def explained(result: Mapping[str, Any]) -> None:
    """How many cells tie, and for each class of difference its cells and amounts by place."""
    classes, counts = result["classes"], result["outcomes"]
    if not classes:
        return
    told = [f"{counts[outcome]:,} {outcome}" for outcome in ("tied", "explained", "unexplained")]
    click.echo(f"\nCells: {', '.join(told)}. Differences by class, without their signs:")
    columns = ("class", "company", "period", "cells", "F0911-F0902", "F0911-Anaplan", "")
    rows = [
        (
            c["class"], c["ledger_company"], f"{c['fiscal_year']}-{c['period']:02d}",
            f"{c['cells']:,}", amount(c["ledger_gap"], c["currency"]),
            amount(c["anaplan_gap"], c["currency"]), c["currency"],
        )
        for c in classes
    ]  # fmt: skip
    table(columns, rows, columns[3:6])
    for name in dict.fromkeys(c["class"] for c in classes):
        paragraph(next(f"{name}: {c['evidence']}." for c in classes if c["class"] == name))


def demo(result: Mapping[str, Any], totals: Sequence[Mapping[str, Any]]) -> None:
    """The first half of the demo's end: the tie-out and the loads."""
    tie_out(result["tie_out"], totals, "")
    click.echo("\nLoads")
    rows = [
        (
            f["run"], OUTCOMES[f["outcome"]], f"{f['rows_read']:,}", f"{f['rows_sent']:,}",
            f"{f['rejects']:,}", lasted(f["seconds"]),
        )
        for f in result["flows"]
        if f["kind"] not in PLANNED
    ]  # fmt: skip
    columns = ("run", "outcome", "rows read", "rows sent", "rejects", "took")
    table(columns, rows, columns[2:])
    click.echo()
