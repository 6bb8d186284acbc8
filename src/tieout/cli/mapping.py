"""`tieout map`: see and set mappings, one by one or as a table that a spreadsheet can edit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tieout.cli import printing
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.verbs.words import money

if TYPE_CHECKING:
    from tieout.app import Instance

CHOICES_SHOWN_MAX = 3
SUGGEST = "suggest"  # no dimension is called so


@cli.command("map")
@click.argument("dimension", required=False, metavar="[DIMENSION|suggest]")
@click.argument("source", required=False)
@click.argument("target", required=False)
@click.option("--why", default="", help="The reason, kept with the mapping.")
@click.option("--withdraw", is_flag=True, help="Let SOURCE map to itself again.")
@click.option("--from", "since", default="", metavar="P", help="From fiscal period 2025-04 on.")
@click.option("--export", "to", metavar="FILE", help="Write the table as CSV; - for stdout.")
@click.option("--import", "table", metavar="FILE", help="Set what a CSV says differently.")
@click.option("--preview", is_flag=True, help="With --import: say what would change.")
@with_json
@needs
def map_(
    context: Context, dimension: str | None, source: str | None, target: str | None, why: str,
    withdraw: bool, since: str, to: str | None, table: str | None, preview: bool,
) -> None:  # fmt: skip
    """Map code SOURCE of account, business-unit or company to TARGET; without arguments: list.

    SOURCE may also be a range (4000..4999), a pattern (41*, 4?10) or * for every other code, and
    TARGET = for the code itself. With DIMENSION and SOURCE alone: every mapping it ever had.
    `tieout map suggest`: members that unmapped codes could be meant for.
    """
    from tieout.verbs import setting_up

    instance = context.opened(viewing=True)
    if dimension == SUGGEST and source is None:
        _suggest(context, instance)
        return
    if to or table:
        if dimension or (to and table):
            raise click.UsageError("Give --export or --import alone.")
        _table(context, instance, to, table, why, preview)
        return
    if dimension is None:
        found = setting_up.mappings(instance)
        context.show({"ok": True, "mappings": found}, lambda: printing.mappings(found))
        return
    if source is None:
        raise click.UsageError("Give DIMENSION SOURCE TARGET, or DIMENSION SOURCE --withdraw.")
    if target is None and not withdraw:
        found = setting_up.mapping_history(instance, dimension, source)
        context.show({"ok": True, "mappings": found}, lambda: printing.history(source, found))
        return
    to_itself = None if withdraw else target
    version = setting_up.set_mapping(instance, dimension, source, to_itself, why, since)
    then = setting_up.sent_by(instance, dimension, source)
    result = {"ok": True, "version": version}
    context.show(result, lambda: printing.mapped(source, target, version, then))


def _suggest(context: Context, instance: Instance) -> None:
    from tieout.verbs import suggesting

    found = suggesting.suggestions(instance)

    def show() -> None:
        if not found:
            click.echo("No code waits for a mapping.")
        for one in found:
            word = one["dimension"].replace("_", "-")
            called = f" ({one['name']})" if one["name"] else ""
            amount = money(one["amount"], one["currency"])
            click.echo(f"{word} {one['code']}{called}: {amount} wait")
            for member in one["members"]:
                click.echo(f"  {member['code']}  {member['name']}: {member['why']}")
            if not one["members"]:
                click.echo("  nothing in the list is like it")
        choices = [f"tieout map {o['dimension'].replace('_', '-')} {shlex.quote(o['code'])} "
                   f"{shlex.quote(o['members'][0]['code'])} --why REASON"
                   for o in found if o["members"]]  # fmt: skip
        printing.following(*choices[:CHOICES_SHOWN_MAX])

    context.show({"ok": True, "suggestions": found}, show)


def _table(
    context: Context, instance: Instance, to: str | None, table: str | None, why: str, preview: bool
) -> None:
    from tieout.verbs import mapping

    if to:
        text = mapping.exported(instance)
        if to == "-":
            click.echo(text, nl=False)
            return
        Path(to).write_text(text, encoding="utf-8")
        rows = text.count("\n") - 1
        context.show(
            {"ok": True, "file": to, "rows": rows},
            lambda: click.echo(f"Wrote {rows} mappings to {to}; keep its columns as text."),
        )
        return
    assert table is not None
    try:
        text = Path(table).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{table} cannot be read as UTF-8 text: {error}.") from None
    result = mapping.imported(instance, text, why, preview=preview)

    def show() -> None:
        for row in result["changed"]:
            since = f" from {row['effective_from']} on" if row["effective_from"] else ""
            name = row["dimension"].replace("_", "-")
            before = row["before"] or "itself"
            click.echo(
                f"{name} {row['source']}: {before} becomes {row['target'] or 'itself'}{since}"
            )
        click.echo(mapping.sentence(result))

    context.show(result, show)
