"""The commands of `tieout`, one short function each; heavy imports wait until a command runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tieout.cli import printing
from tieout.cli.main import Context, cli
from tieout.errors import Misconfigured

needs = click.pass_obj


def with_json(function: Any) -> Any:
    """`--json` may also stand behind the command."""

    def note(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.obj.as_json = True

    return click.option(
        "--json", "as_json", is_flag=True, expose_value=False, callback=note, help="One JSON object."
    )(function)


@cli.command()
@click.option("--once", is_flag=True, help="Play the people's part, tie out, and end.")
@click.option("--lines", default=60_000, show_default=True, help="Posted ledger lines to make.")
@click.option("--seed", default=1, show_default=True)
@click.option("--trouble", is_flag=True, help="Add a company whose books forbid Complete.")
@click.option("--port", default=7070, show_default=True, help="Port of the page (without --once).")
@with_json
@needs
def demo(context: Context, once: bool, lines: int, seed: int, trouble: bool, port: int) -> None:
    """Load a practice company from practice JD Edwards into practice Anaplan, and tie it out."""
    from tieout.verbs import demo as verbs
    from tieout.verbs import practice

    instance = context.made(demo=True)
    found = verbs.make_demo(instance, lines=lines, seed=seed, trouble=trouble)
    printing.note(f"Practice JD Edwards at {found['jde']}, practice Anaplan at {found['anaplan']}.")
    try:
        result = verbs.load_demo(instance, mend=once, say=printing.note)
        context.show(result, lambda: printing.demo(result))
        if not once:
            serve_until_stopped(instance, port)
    finally:
        instance.close()
        if once:
            practice.stop_practice(instance.home)
    sys.exit(0 if result["ok"] or not once else 6)


@cli.command()
@click.option("--home", "own_home", metavar="DIR", help="Home of the practice systems.")
@click.option("--port", default=0, help="First of four ports; 0: any.")
@click.option("--lines", default=60_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--trouble", is_flag=True)
@needs
def sim(
    context: Context, own_home: str | None, port: int, lines: int, seed: int, trouble: bool
) -> None:
    """Serve practice JD Edwards and practice Anaplan until stopped."""
    from tieout.sim import serve

    home = Path(own_home or context.home or "tieout-demo").absolute()
    serve.main(home, port, seed=seed, lines=lines, trouble=trouble)


@cli.command()
@click.option("--apply", is_flag=True, help="Apply HOME/tieout.toml as it is now.")
@needs
def init(context: Context, apply: bool) -> None:
    """Make an instance: directory, database, key, and a project file to complete."""
    from tieout.verbs import setting_up

    instance = context.made()
    setting_up.make_instance(instance)
    path = instance.home / "tieout.toml"
    if not path.exists():
        path.write_text(setting_up.example_project(), encoding="utf-8")
        printing.note(f"Wrote {path}: complete it, then run `tieout init --apply`.")
    if apply:
        version = setting_up.apply_project(instance)
        printing.note(f"Applied {path} as version {version}.")


@cli.command()
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object from stdin.")
@needs
def connect(context: Context, name: str, from_stdin: bool) -> None:
    """Seal the credentials of connection NAME; nothing prints them again."""
    from tieout.verbs import setting_up

    if from_stdin:
        try:
            fields = json.load(sys.stdin)
        except ValueError as error:
            raise Misconfigured(f"What came on stdin is no JSON object: {error}.") from error
    else:
        fields = {
            "username": click.prompt("User", err=True),
            "password": click.prompt("Password", hide_input=True, err=True),
        }
    secret = setting_up.connect(context.opened(), name, fields)
    printing.note(f"Sealed the credentials of {name} as {secret}.")


@cli.command()
@click.argument("flow")
@click.option("--wait/--no-wait", default=True, help="Wait for the end of the run.")
@click.option("--full", is_flag=True, help="Read everything anew, not only what moved.")
@click.option("--unlock", metavar="REASON", help="Load locked periods too; the reason is kept.")
@with_json
@needs
def run(context: Context, flow: str, wait: bool, full: bool, unlock: str | None) -> None:
    """Run FLOW once, or carry on its unfinished run."""
    from tieout.verbs import running, seeing

    instance = context.opened()
    asked = {**({"full": True} if full else {}), **({"unlock": unlock} if unlock else {})}
    done, carried_on = running.run_flow(instance, flow, asked=asked, wait=wait)
    if carried_on:
        printing.note(f"Carried on {done.id}, which was unfinished.")
    result = seeing.show(instance, done.id) if wait else seeing.run_as_json(done)
    context.show(result, lambda: printing.run(result))
    sys.exit(done.exit_code or 0)


@cli.command()
@click.argument("flow")
@with_json
@needs
def preview(context: Context, flow: str) -> None:
    """Read and prove, and say what a run of FLOW would send; nothing is sent."""
    from tieout.verbs import running, seeing

    instance = context.opened()
    done = running.preview(instance, flow)
    result = seeing.show(instance, done.id)
    context.show(result, lambda: printing.run(result))
    sys.exit(done.exit_code or 0)


@cli.command()
@click.option("--flow", help="Only runs of this flow.")
@with_json
@needs
def runs(context: Context, flow: str | None) -> None:
    """List the latest runs."""
    from tieout.verbs import seeing

    found = seeing.runs(context.opened(), flow)
    context.show({"runs": found}, lambda: printing.runs(found))


@cli.command()
@click.argument("run_id", metavar="RUN")
@with_json
@needs
def show(context: Context, run_id: str) -> None:
    """Show one run: its steps, calls, findings and files."""
    from tieout.verbs import seeing

    result = seeing.show(context.opened(), run_id)
    context.show(result, lambda: printing.run(result, whole=True))


@cli.command()
@click.option("--flow", help="Only of this flow.")
@click.option("--run", "run_id", help="Only of this run.")
@click.option("--all", "every", is_flag=True, help="Settled ones too.")
@with_json
@needs
def rejects(context: Context, flow: str | None, run_id: str | None, every: bool) -> None:
    """List what was not loaded, and why."""
    from tieout.verbs import seeing

    state = None if every or run_id else "open"
    found = seeing.rejects(context.opened(), run=run_id, flow=flow, state=state)
    context.show({"rejects": found}, lambda: printing.rejects(found))


@cli.command("map")
@click.argument("dimension", required=False)
@click.argument("source", required=False)
@click.argument("target", required=False)
@click.option("--why", default="", help="The reason, kept with the mapping.")
@click.option("--withdraw", is_flag=True, help="Let SOURCE map to itself again.")
@with_json
@needs
def map_(
    context: Context, dimension: str | None, source: str | None, target: str | None, why: str,
    withdraw: bool,
) -> None:  # fmt: skip
    """Map code SOURCE of account, business-unit or company to TARGET; without arguments: list."""
    from tieout.verbs import setting_up

    instance = context.opened()
    if dimension is None:
        found = setting_up.mappings(instance)
        context.show({"mappings": found}, lambda: printing.mappings(found))
        return
    if source is None or (target is None and not withdraw):
        raise click.UsageError("Give DIMENSION SOURCE TARGET, or DIMENSION SOURCE --withdraw.")
    version = setting_up.set_mapping(instance, dimension, source, None if withdraw else target, why)
    context.show({"version": version}, lambda: printing.note(f"Mapping version {version}."))


@cli.command()
@click.argument("run_id", metavar="RUN")
@with_json
@needs
def replay(context: Context, run_id: str) -> None:
    """Send again what RUN could not load, with today's mapping and members."""
    from tieout.verbs import running, seeing

    instance = context.opened()
    done = running.replay(instance, run_id)
    result = seeing.show(instance, done.id)
    context.show(result, lambda: printing.run(result))
    sys.exit(done.exit_code or 0)


@cli.command("tie-out")
@click.option("--flow", help="The actuals flow, if there are several.")
@click.option("--period", metavar="P", help="Only this fiscal year and period, 2025-03.")
@click.option("--last", is_flag=True, help="Show the last comparison instead of reading both sides.")
@with_json
@needs
def tie_out(context: Context, flow: str | None, period: str | None, last: bool) -> None:
    """Compare F0911, F0902 and Anaplan cell by cell, as they are now."""
    from tieout.verbs import running, seeing

    instance = context.opened()
    name = flow or running.only_actuals(instance)
    done = None if last else running.tie_out_now(instance, name)
    table = seeing.tie_out_table(instance, name, period)
    result: dict[str, Any] = {"ok": all(not r["cells_differing"] for r in table), "tie_out": table}
    if done is not None:
        result |= {"run": done.id, "sentence": done.sentence, "outcome": done.outcome}
    context.show(result, lambda: printing.tie_out(table, done.sentence if done else ""))
    code = 0 if result["ok"] else 6
    sys.exit(done.exit_code or code if done is not None else code)


@cli.command()
@click.option("--port", default=7070, show_default=True)
@needs
def serve(context: Context, port: int) -> None:
    """Execute runs and serve the status page until stopped."""
    serve_until_stopped(context.opened(), port)


def serve_until_stopped(instance: Any, port: int) -> None:
    """The executor and the page, in this process."""
    from tieout.web.app import serve_instance

    serve_instance(instance, port, printing.note)
