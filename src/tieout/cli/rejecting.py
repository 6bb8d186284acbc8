"""`tieout rejects`: what was not loaded or does not agree, whose it is, and what is decided."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tieout.cli import printing
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import following, paragraph, table
from tieout.core.findings import counted
from tieout.verbs.words import age, money

ROWS_SHOWN_MAX = 100  # `--csv` and `--json` have all
ROWS_AT_ONCE_MAX = 10_000  # in one decision
SPAN = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
Found = Mapping[str, Any]


@cli.group(invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")
@click.option("--flow", help="Only of this flow.")
@click.option("--run", "run_id", help="Only of this run.")
@click.option("--all", "every", is_flag=True, help="Waived and settled ones too.")
@click.option(
    "--by", type=click.Choice(("cause", "owner", "state")), default="cause", show_default=True,
    help="What to group by.",
)  # fmt: skip
@click.option("--csv", "file", metavar="FILE", help="Write all rows as CSV instead; - for stdout.")
@with_json
@click.pass_context
def rejects(
    click_context: click.Context, flow: str | None, run_id: str | None, every: bool, by: str,
    file: str | None,
) -> None:  # fmt: skip
    """List what was not loaded, or does not agree, and why: by cause, then row by row.

    Without a command it lists; options are for the list alone.
    """
    if click_context.invoked_subcommand:
        if flow or run_id or every or file or by != "cause":
            raise click.UsageError("These options are for the list; a command takes its own.")
        return
    from tieout.verbs import rejecting

    context: Context = click_context.obj
    instance = context.opened(viewing=True)
    found = rejecting.desk(instance, run=run_id, flow=flow, standing=not (every or run_id))
    if file:
        _write(context, file, rejecting.as_csv(found), len(found))
        return
    groups = rejecting.groups(found, by)
    waived = rejecting.waived(instance, flow)

    def show() -> None:
        _listed(found, groups, by)
        if waived and not (every or run_id):
            click.echo(f"{counted(waived, 'reject')} waived: `tieout rejects --all`.")

    context.show({"ok": True, "rejects": found, "groups": groups, "waived": waived}, show)


@rejects.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", required=True, metavar="NAME", help="A user; without users: owner.")
@click.option("--note", default="", help="A remark, kept with it.")
@with_json
@needs
def assign(context: Context, ids: tuple[str, ...], to: str, note: str) -> None:
    """Let NAME look after rejects, by their numbers (12 14-20). All of them, or none."""
    from tieout.verbs import rejecting

    done = rejecting.assign(context.opened(), _numbers(ids), to, note)
    context.show(done, lambda: _decided(done["rejects"], f"Assigned to {to}"))


@rejects.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--why", required=True, help="The reason, kept with it.")
@with_json
@needs
def waive(context: Context, ids: tuple[str, ...], why: str) -> None:
    """Let rejects be, for a reason; one with an amount takes an approver.

    It holds for exactly this amount. What a run proves, its outcome and what may be certified stay
    as they are.
    """
    from tieout.verbs import rejecting

    done = rejecting.waive(context.opened(), _numbers(ids), why)
    context.show(done, lambda: _decided(done["rejects"], "Waived"))


@rejects.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--why", required=True, help="The reason, kept with it.")
@with_json
@needs
def reopen(context: Context, ids: tuple[str, ...], why: str) -> None:
    """Open rejects again that were waived or assigned; they are nobody's then."""
    from tieout.verbs import rejecting

    done = rejecting.reopen(context.opened(), _numbers(ids), why)
    context.show(done, lambda: _decided(done["rejects"], "Open again"))


def _numbers(words: Iterable[str]) -> list[int]:
    """The numbers that were typed, with every one of a span like 14-20."""
    found: dict[int, None] = {}
    for word in words:
        span = SPAN.fullmatch(word)
        if span is None:
            raise click.UsageError(f"{word!r} is no number of a reject, nor a span like 14-20.")
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first or last - first + len(found) >= ROWS_AT_ONCE_MAX:
            raise click.UsageError(f"{word} are none, or more than {ROWS_AT_ONCE_MAX:,} at once.")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)


def _write(context: Context, file: str, text: str, rows: int) -> None:
    if file == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error}.") from None
    told = f"Wrote {counted(rows, 'row')} to {file}; open it with its codes as text."
    context.show({"ok": True, "file": file, "rows": rows}, lambda: click.echo(told))


# ---------------------------------------------------------------------------- printing


def _listed(found: Sequence[Found], groups: Sequence[Found], by: str) -> None:
    if not found:
        click.echo("Nothing is open.")
        return
    if any(group["amounts"] for group in groups):
        click.echo("Amounts are sums of cells without their signs.")
    if groups:
        _grouped(groups, by)
        click.echo()
    printing.findings(found[:ROWS_SHOWN_MAX], of_amounts=False)
    if len(found) > ROWS_SHOWN_MAX:
        more = counted(len(found) - ROWS_SHOWN_MAX, "row")
        click.echo(f"… and {more} more (`--csv FILE` writes all of them).")
    grave = [f for f in found if f["severity"] != "note" and f["state"] in printing.STANDING]
    standing = [f for f in grave if not f["settled_run"]]
    if standing:
        following(printing.mend(standing) or f"tieout show {standing[-1]['run']}")


def _grouped(groups: Sequence[Found], by: str) -> None:
    """A line per group; for causes what each means, and the numbers of its rejects, below."""
    columns = (by, "flow", "rows", "amount", "open for", "owner", "state")
    rows = [
        (
            g["group"], g["flow"], f"{g['rows']:,}",
            ", ".join(money(value, currency) for currency, value in sorted(g["amounts"].items())),
            "" if g["age_seconds"] is None else age(g["age_seconds"]), _each(g["owners"]),
            _each(g["states"]),
        )
        for g in groups
    ]  # fmt: skip
    kept = [n for n, name in enumerate(columns) if by == "cause" or name not in ("flow", by)]
    kept = [0, *(n for n in kept if n)]
    shown = tuple(columns[n] for n in kept)
    lines = [tuple(row[n] for n in kept) for row in rows]
    sizes = [max(len(line[n]) for line in (shown, *lines)) for n in range(len(shown))]
    if sum(sizes) + len(printing.GAP) * (len(sizes) - 1) <= printing.width():
        table(shown, lines, ("rows", "amount"))
    else:  # a narrow terminal, or many currencies
        for line in lines:
            told = [f"{name} {cell}" for name, cell in zip(shown, line, strict=True) if cell]
            paragraph(", ".join(told), indent="")
    for g in groups:
        meaning = f": {g['meaning']}" if g["meaning"] else ""
        paragraph(f"{g['group']} (numbers {_spans(g['ids'])}){meaning}.")


def _each(counts: Mapping[str, int]) -> str:
    """One word, or several with how often each stands."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))


def _spans(ids: Iterable[int]) -> str:
    """Numbers as the commands take them: 12 14-20."""
    spans: list[list[int]] = []
    for number in sorted(ids):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)


def _decided(done: Sequence[Found], what: str) -> None:
    click.echo(f"{what}: {counted(len(done), 'reject')}.")
    for f in done[:ROWS_SHOWN_MAX]:
        sum_ = f", {money(f['amount'], f['currency'])}" if f["amount"] is not None else ""
        paragraph(f"[{f['id']}] {f['subject']}{sum_} ({f['rule']} of {f['run']})")
