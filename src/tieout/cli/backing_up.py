"""`tieout backup`: a copy that can be put in the place of the instance."""

from __future__ import annotations

from pathlib import Path

import click

from tieout.cli.commands import with_json
from tieout.cli.main import Context, cli


@cli.command()
@click.argument("to", type=click.Path(path_type=Path))
@with_json
@click.pass_obj
def backup(context: Context, to: Path) -> None:
    """Copy the database and the records into the directory TO.

    Runs go on meanwhile. Into a directory with an earlier backup only what is new is copied.
    """
    from tieout.verbs import backing_up

    done = backing_up.back_up(context.opened(), to)
    context.show(done, lambda: _told(done))


def _told(done: dict[str, object]) -> None:
    before = f"; {done['there_before']:,} were there before" if done["there_before"] else ""
    click.echo(
        f"{done['to']} holds the database as of now and every file it names: {done['files']:,} "
        f"copied ({done['bytes']:,} bytes){before}."
    )
    click.echo("The keys are not in it: keep `key` and `trail-key` apart from it.")
