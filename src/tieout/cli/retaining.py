"""`tieout retention`: what is kept, legal holds, and what a purge would remove or has removed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import following, paragraph, table
from tieout.core.findings import counted
from tieout.core.retention import IN_USE
from tieout.verbs.words import moment

DIGITS_MIN = 8  # of a digest that a person types
DIGEST_DIGITS = 12
FILES_SHOWN_MAX = 20
Row = Mapping[str, Any]


@cli.group(invoke_without_command=True)
@with_json
@click.pass_context
def retention(command: click.Context) -> None:
    """Tell what is kept, how old and how large it is, and which holds there are."""
    if command.invoked_subcommand is None:
        from tieout.verbs import retaining

        context: Context = command.obj
        found = retaining.overview(context.opened())
        context.show(found, lambda: _overview(found))


@retention.command("preview")
@with_json
@needs
def preview_purge(context: Context) -> None:
    """Tell exactly what a purge would remove now, and what a hold keeps from it."""
    from tieout.verbs import retaining

    found = retaining.preview(context.opened())
    context.show(found, lambda: _preview(found))


@retention.command("purge")
@click.option("--digest", required=True, metavar="D", help="That of the preview you have seen.")
@click.option("--why", default="", help="A remark, kept with the purge.")
@with_json
@needs
def purge_records(context: Context, digest: str, why: str) -> None:
    """Remove what the preview showed; totals and hashes remain. Refused if anything changed."""
    from tieout.verbs import retaining

    if len(digest) < DIGITS_MIN:
        raise click.UsageError(f"Give at least {DIGITS_MIN} digits of the digest.")
    instance = context.opened()
    now = retaining.preview(instance)["digest"]
    done = retaining.purge(instance, now if now.startswith(digest) else digest, why)
    context.show(done, lambda: _purged(done))


@retention.command("compact")
@click.option("--flow", help="The actuals flow, if there are several.")
@with_json
@needs
def compact_mirror(context: Context, flow: str | None) -> None:
    """Copy many small files of the mirror into few; every version of every line stays."""
    from tieout.verbs import retaining

    done = retaining.compact(context.opened(), flow)
    context.show(done, lambda: click.echo(f"{done['run']}: {done['sentence']}"))
    sys.exit(done["exit_code"] or 0)


@retention.command("hold")
@click.argument("name")
@click.option("--flow", default="", help="Hold what is of this flow.")
@click.option("--company", default="", help="Hold what is of this company of JD Edwards.")
@click.option("--all", "everything", is_flag=True, help="Hold everything.")
@click.option("--why", required=True, help="The reason, kept with the hold.")
@with_json
@needs
def hold_records(
    context: Context, name: str, flow: str, company: str, everything: bool, why: str
) -> None:
    """Keep records from every purge until the hold NAME is released."""
    from tieout.verbs import retaining

    if everything == bool(flow or company):
        raise click.UsageError("Give --flow, --company or both, or else --all.")
    done = retaining.hold(context.opened(), name, flow=flow, company=company, why=why)
    context.show(done, lambda: _holds([done]))


@retention.command("release")
@click.argument("name")
@click.option("--why", required=True, help="The reason, kept with the hold.")
@with_json
@needs
def release_records(context: Context, name: str, why: str) -> None:
    """Release the hold NAME: from now on the rules apply again."""
    from tieout.verbs import retaining

    done = retaining.release(context.opened(), name, why)
    context.show(done, lambda: _holds([done]))


def _overview(found: Row) -> None:
    rows = [
        (k["kind"], k["what"], *_amounts(k), _day(k["oldest"]), k["rule"] or _else(k["kind"]))
        for k in found["kinds"]
    ]
    columns = ("kind", "what it is", "files", "rows", "size", "oldest", "stays")
    table(columns, rows, ("files", "rows", "size"))
    if found["holds"]:
        click.echo()
        _holds(found["holds"])
    if found["purged"]:
        click.echo()
        _sentences(found["purged"])
    if not any(k["rule"] for k in found["kinds"]):
        paragraph("Nothing has a rule, so everything stays: see [retention] in tieout.toml.", "")
    else:
        following("tieout retention preview")


def _preview(found: Row) -> None:
    if not found["rules"]:
        click.echo("No rule lets anything be purged: see [retention] in tieout.toml.")
        return
    columns = ("kind", "stays", "files", "rows", "size", "oldest", "newest")
    rows = [
        (k["kind"], k["rule"], *_amounts(k), _day(k["oldest"]), _day(k["newest"]))
        for k in found["kinds"]
    ]
    click.echo("A purge would remove now:")
    table(columns, rows, ("files", "rows", "size"))
    for item in found["items"][:FILES_SHOWN_MAX]:
        told = item["path"] or f"calls of {item['run']}"
        paragraph(f"{told} ({counted(item['rows'], 'row')}, {_size(item['bytes'])})", indent="  ")
    if (more := len(found["items"]) - FILES_SHOWN_MAX) > 0:
        click.echo(f"  … and {more} more (`--json` has them).")
    for held in found["held"]:
        files, rows_held, size = _amounts(held)
        click.echo(f"The hold {held['hold']} keeps {files} files, {rows_held} rows, {size}.")
    if found["items"]:
        following(f"tieout retention purge --digest {found['digest'][:DIGEST_DIGITS]}")


def _purged(done: Row) -> None:
    click.echo(f"Purge {done['purge']} by {done['by']}, {moment(done['at'])}:")
    for kind in done["kinds"]:
        if kind["rows"] or kind["files"]:
            files, rows, size = _amounts(kind)
            click.echo(f"  {kind['kind']} ({kind['rule']}): {files} files, {rows} rows, {size}")
    click.echo("Totals and hashes remain; the trail tells each file.")


def _holds(found: Sequence[Row]) -> None:
    for hold in found:
        scope = [f"{word} {hold[word]}" for word in ("flow", "company") if hold[word]]
        ended = hold["released_at"]
        state = "released" if ended else "in force"
        told = f"Hold {hold['name']} on {' and '.join(scope) or 'everything'}: {state}"
        click.echo(told)
        paragraph(f"{hold['placed_by']}, {moment(hold['placed_at'])}: {hold['why']}")
        if ended:
            paragraph(f"{hold['released_by']}, {moment(ended)}: {hold['released_why']}")


def _sentences(purged: Sequence[Row]) -> None:
    """One line per purge and kind."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for one in purged:
        groups.setdefault((one["purge"], one["sentence"]), []).append(one)
    for (number, sentence), rows in groups.items():
        count = sum(row["rows"] for row in rows)
        paragraph(f"Purge {number}, {counted(count, 'row')}: {sentence}", indent="")


def _else(kind: str) -> str:
    """How long a kind without a rule stays."""
    return "while it is" if kind == IN_USE else "for ever"


def _amounts(told: Row) -> tuple[str, str, str]:
    return f"{told['files']:,}", f"{told['rows']:,}", _size(told["bytes"])


def _size(size: int) -> str:
    """Bytes in the largest unit that leaves a whole number before the point."""
    units = (("GB", 10**9), ("MB", 10**6), ("KB", 10**3))
    for unit, number in units:
        if size >= number:
            tenths = size * 10 // number
            return f"{tenths // 10:,}.{tenths % 10} {unit}"
    return f"{size} B"


def _day(at: Any) -> str:
    return f"{at.astimezone():%d %b %Y}" if at else ""
