"""`tieout schedule`: what runs by itself and when, what did not run, and what people decide."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import following, paragraph
from tieout.core.findings import counted

Row = Mapping[str, Any]


@cli.group(invoke_without_command=True)
@with_json
@click.pass_context
def schedule(command: click.Context) -> None:
    """Show every schedule: its next five times, its last ones, and what did not run.

    Exit code 6 when something did not run that should have, 7 when a time waits for an answer.
    """
    if command.invoked_subcommand is None:
        from tieout.verbs import schedule_overview

        context: Context = command.obj
        found = schedule_overview.overview(context.opened())
        context.show(found, lambda: _overview(found))
        sys.exit(found["exit_code"])


why = click.option("--why", required=True, help="The reason, kept in the trail.")


@schedule.command("skip")
@click.argument("name")
@why
@with_json
@needs
def skip_next(context: Context, name: str, why: str) -> None:
    """Leave out the next time of the schedule NAME, once."""
    from tieout.verbs import scheduling

    done = scheduling.skip(context.opened(), name, why)
    context.show(done, lambda: _overview(done))


@schedule.command("pause")
@click.argument("name")
@click.option(
    "--until", required=True, metavar="WHEN",
    help="A day, 2026-12-01, or a minute, “2026-12-01 06:00”, in the schedule's zone.",
)  # fmt: skip
@why
@with_json
@needs
def pause_schedule(context: Context, name: str, until: str, why: str) -> None:
    """Leave out every time of the schedule NAME until a day or minute."""
    from tieout.verbs import scheduling

    done = scheduling.pause(context.opened(), name, until, why)
    context.show(done, lambda: _overview(done))


@schedule.command("resume")
@click.argument("name")
@click.option("--why", default="", help="A remark, kept in the trail.")
@with_json
@needs
def resume_schedule(context: Context, name: str, why: str) -> None:
    """End a pause, and a skip that has not come yet."""
    from tieout.verbs import scheduling

    done = scheduling.resume(context.opened(), name, why)
    context.show(done, lambda: _overview(done))


@schedule.command("run")
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for the end of its last flow.")
@why
@with_json
@needs
def run_now(context: Context, name: str, wait: bool, why: str) -> None:
    """Run the flows of the schedule NAME now, one after the other; its times stay as they are."""
    from tieout.verbs import scheduling

    instance = context.opened(practice=True)
    begun = scheduling.run(instance, name, why)
    _carry_out(context, instance, name, begun["due"], wait)


@schedule.command("answer")
@click.argument("name")
@click.argument("decision", type=click.Choice(["run", "skip"]))
@click.option("--wait/--no-wait", default=True, help="Wait for the end of its last flow.")
@why
@with_json
@needs
def answer_missed(context: Context, name: str, decision: str, wait: bool, why: str) -> None:
    """Say whether a time of the schedule NAME that was missed runs now, or is skipped."""
    from tieout.verbs import scheduling

    instance = context.opened(practice=decision == "run")
    done = scheduling.answer(instance, name, runs=decision == "run", why=why)
    _carry_out(context, instance, name, done["due"], wait)


def _carry_out(context: Context, instance: Any, name: str, due: Any, wait: bool) -> None:
    """Show what was begun when it has ended, and end with the exit code of its last run."""
    from tieout.cli import progress
    from tieout.verbs import scheduling

    with progress.shown(instance):
        fire = scheduling.carry_out(instance, name, due, wait=wait)
    told = scheduling.told_of(instance, fire)
    context.show(told, lambda: _fired(told))
    sys.exit(told["exit_code"])


def _overview(found: Row) -> None:
    if not found["schedules"]:
        click.echo("No schedule is configured: see [schedules.NAME] in tieout.toml.")
    for number, one in enumerate(found["schedules"]):
        if number:
            click.echo()
        _schedule(one)
    if any(one["asks"] for one in found["schedules"]):
        name = next(one["schedule"] for one in found["schedules"] if one["asks"])
        following(f"tieout schedule answer {name} run --why …")


def _schedule(one: Row) -> None:
    click.echo(f"{one['schedule']}: {one['rule']}")
    paragraph(f"runs {', then '.join(one['run'])}; a missed time: {one['missed']}", indent="  ")
    if one["calendar"]:
        paragraph(f"periods by {one['calendar']}", indent="  ")
    if one["watched"]:
        paragraph(f"looks at company {', '.join(one['watched'])} in F0010", indent="  ")
    if one["paused_until"]:
        paragraph(f"paused by {one['paused_by']}: {one['paused_why']}", indent="  ")
    if one["skips_next"]:
        paragraph(f"next time skipped by {one['skipped_by']}: {one['skipped_why']}", indent="  ")
    for time in one["next"]:
        state = "  skipped" if time["skipped"] else "  paused" if time["paused"] else ""
        click.echo(f"  next  {time['spelled']}{state}")
    for fire in one["last"]:
        times = f" ({counted(fire['times'], 'time')})" if fire["times"] > 1 else ""
        runs = ", ".join(f"{run['run']} {run['outcome']}" for run in fire["runs"])
        click.echo(f"  last  {fire['spelled']}  {fire['state']}{times}{runs and f': {runs}'}")
        if fire["sentence"]:
            paragraph(fire["sentence"], indent="        ")
    for sentence in one["amiss"]:
        paragraph(f"! did not run: {sentence}", indent="  ")


def _fired(told: Row) -> None:
    for run in told["runs"]:
        click.echo(f"{run['run']}: {run['sentence'] or run['outcome']}")
    sentence = f" {told['sentence']}" if told["sentence"] else ""
    click.echo(f"{told['schedule']}: {told['state']}.{sentence}")
