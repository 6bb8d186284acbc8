"""The commands of `tieout`, one short function each; heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieout.cli import printing, printing_plan, printing_rebuilt, progress, tables
from tieout.cli.main import Context, cli

if TYPE_CHECKING:
    pass

needs = click.pass_obj
PROMPTS = {
    "username": "User", "password": "Password", "jwt": "JSON Web Token",
    "certificate": "File of the certificate (PEM)", "private_key": "File of its private key (PEM)",
}  # fmt: skip
DIFFERS = 6  # exit code, docs/reference/exit-codes.md


def _beside(home: Path) -> str:
    """A home as one would type it from here."""
    here = Path.cwd()
    return str(home.relative_to(here) if home.is_relative_to(here) else home)


def with_json(function: Any) -> Any:
    """`--json` may also stand behind the command."""

    def note(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.obj.as_json = True

    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        expose_value=False,
        callback=note,
        help="One JSON object.",
    )(function)


@cli.command()
@click.option("--once", is_flag=True, help="Play the people's part, tie out, and end.")
@click.option("--lines", default=60_000, show_default=True, help="Posted ledger lines to make.")
@click.option("--seed", default=1, show_default=True, help="Another number, another company.")
@click.option("--trouble", is_flag=True, help="Add a company whose books forbid Complete.")
@click.option("--port", default=7070, show_default=True, help="Port of the page (without --once).")
@with_json
@needs
def demo(context: Context, once: bool, lines: int, seed: int, trouble: bool, port: int) -> None:
    """Load a practice company into practice Anaplan, tie it out, and send its budget back."""
    from tieout.verbs import demo as verbs
    from tieout.verbs import demo_plan, practice, seeing

    context.home = context.home or _beside(context.environment(demo=True).home)
    instance = context.made(demo=True)
    printing.note(f"Making a practice company in {instance.home} (seed {seed}).")
    found = verbs.make_demo(instance, lines=lines, seed=seed, trouble=trouble)
    printing.note(f"Practice JD Edwards at {found['jde']}, practice Anaplan at {found['anaplan']}.")
    told = f"the password {found['password']}, told this once"
    again = "their password; `tieout users password NAME` sets another"
    printing.note(
        f"Sign in as {', '.join(f'{n} ({r[0]})' for n, r in demo_plan.ROLES.items())} with "
        f"{told if 'password' in found else again}."
    )
    try:
        with demo_plan.desk(instance, demo_plan.ANA) as ana, progress.shown(ana):
            result = verbs.load_demo(ana, mend=once, say=printing.note)
        totals = seeing.totals(result["tie_out"])
        approver = demo_plan.token_of(instance, demo_plan.PAT)
        context.show(result, lambda: printing_plan.demo(result, totals, approver))
        if not once:
            serve_until_stopped(instance, port)
    finally:
        instance.close()
        practice.stop_practice(instance.home)  # `run` and `serve` start them again
    sys.exit(0 if result["ok"] or not once else DIFFERS)


@cli.command()
@click.option("--home", "own_home", metavar="DIR", help="Home of the practice systems.")
@click.option("--port", default=0, help="First of four ports; 0: any.")
@click.option("--lines", default=60_000, show_default=True, help="Posted ledger lines to make.")
@click.option("--seed", default=1, show_default=True, help="Another number, another company.")
@click.option("--trouble", is_flag=True, help="Add a company whose books forbid Complete.")
@click.option("--tls", is_flag=True, help="Serve https by an authority of its own.")
@click.option("--client-certificate", is_flag=True, help="JD Edwards asks callers for one.")
@click.option("--background", is_flag=True, help="Return when they answer; they stay.")
@click.option("--stop", is_flag=True, help="End those that stay in the background.")
@needs
def sim(
    context: Context, /, own_home: str | None, background: bool, stop: bool, **options: Any
) -> None:
    """Serve practice JD Edwards and practice Anaplan until stopped.

    With --tls there is a certificate for the sign-in to practice Anaplan too.
    """
    home = Path(own_home or context.home or "tieout-demo").absolute()
    if stop:
        from tieout.verbs import practice

        practice.stop_practice(home)
        click.echo("The practice systems are stopped.")
    elif background:
        from tieout.cli import starting

        starting.practice_in_background(home, options)
    else:
        from tieout.sim import serve

        serve.main(home, **options)


@cli.command()
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object from stdin.")
@click.option("--certificate", metavar="FILE", help="The certificate to sign in with (PEM).")
@click.option("--private-key", metavar="FILE", help="The key that was made for it (PEM).")
@click.option("--client-id", metavar="ID", help="The OAuth client that a person consents to.")
@with_json
@needs
def connect(
    context: Context, /, name: str, from_stdin: bool, certificate: str | None,
    private_key: str | None, client_id: str | None,
) -> None:  # fmt: skip
    """Seal the credentials of connection NAME; nothing prints them again.

    By OAuth it shows a code and an address, and waits until somebody has confirmed it there.
    """
    from tieout.verbs import setting_up

    instance = context.opened()
    wanted = setting_up.connection(instance, name)  # a wrong name is told before a password
    if wanted.sign_in == "oauth" and not from_stdin:
        from tieout.cli import consenting

        consenting.consent(context, instance, name, client_id)
        return
    files = {"certificate": certificate, "private_key": private_key}
    fields = setting_up.credentials_in(files)
    if from_stdin:
        fields |= setting_up.credentials_read(sys.stdin)
    else:
        fields |= {
            field: _asked_for(field)
            for field in setting_up.needed_fields(wanted)
            if field not in fields
        }
    secret = setting_up.connect(instance, name, fields)
    result = {"ok": True, "connection": name, "secret": secret}
    context.show(
        result, lambda: click.echo(f"Sealed the credentials of {name} as secret://{secret}.")
    )


def _asked_for(field: str) -> str:
    """What a person types; of a certificate and its key, where they are."""
    from tieout.verbs import setting_up

    words = PROMPTS[field]
    if field in setting_up.IN_FILES:
        return setting_up.credentials_in({field: click.prompt(words, err=True)})[field]
    return str(click.prompt(words, hide_input=field != setting_up.PUBLIC_FIELD, err=True))


@cli.command()
@click.argument("flow")
@click.option("--wait/--no-wait", default=True, help="Wait for the end of the run.")
@click.option("--full", is_flag=True, help="Read everything anew, not only what moved.")
@click.option("--unlock", metavar="REASON", help="Load locked periods too; the reason is kept.")
@with_json
@needs
def run(context: Context, flow: str, wait: bool, full: bool, unlock: str | None) -> None:
    """Run FLOW once, or carry on its unfinished run."""
    from tieout.verbs import running

    instance = context.opened(practice=True)
    asked = {**({"full": True} if full else {}), **({"unlock": unlock} if unlock else {})}
    with progress.shown(instance):
        done = running.run_flow(instance, flow, asked=asked, wait=wait)
    end(context, instance, done)


def end(context: Context, instance: Any, done: Any) -> None:
    """Show the run that was asked for, and what had to be carried on; end with its exit code."""
    result = told_of(instance, done)
    context.show(result, lambda: printing.run(result))
    sys.exit(done.run.exit_code or 0)


def told_of(instance: Any, done: Any) -> dict[str, Any]:
    """The run that was asked for, as it is shown, with what had to be carried on."""
    from tieout.verbs import seeing

    run = done.run
    result = seeing.show(instance, run.id) if run.finished else seeing.run_as_json(run)
    return result | _carried(done)


def _carried(done: Any) -> dict[str, Any]:
    """Tell what was carried on first; it may have sent what an interrupted run had begun."""
    from tieout.verbs import seeing

    if done.carried_on:
        printing.note(f"Carried on {done.run.id}, which was unfinished.")
    if done.first is None:
        return {}
    printing.note(f"Carried on {done.first.id} first, which was unfinished: {done.first.sentence}")
    return {"carried_on_first": seeing.run_as_json(done.first)}


@cli.command()
@click.argument("run_id", metavar="RUN")
@click.option("--why", required=True, help="The reason, which is kept.")
@with_json
@needs
def cancel(context: Context, run_id: str, why: str) -> None:
    """End RUN before its end: soon while it waits for its turn, else before its next step.

    A run whose import was asked for goes on to its end; only that proves what the model holds.
    """
    from tieout.verbs import cancelling

    result = cancelling.cancel(context.opened(), run_id, why)
    ends = "ends before its next step" if result["will_end"] else "goes on to its end: it loads"
    told = result["sentence"] or f"{run_id} {ends}."
    context.show(result, lambda: click.echo(told))


@cli.command()
@click.argument("flow")
@with_json
@needs
def preview(context: Context, flow: str) -> None:
    """Read and prove, and say what a run of FLOW would send; nothing is sent."""
    from tieout.verbs import running

    instance = context.opened(practice=True)
    with progress.shown(instance):
        done = running.preview(instance, flow)
    end(context, instance, done)


@cli.command()
@click.option("--flow", help="Only runs of this flow.")
@with_json
@needs
def runs(context: Context, flow: str | None) -> None:
    """List the latest runs."""
    from tieout.verbs import seeing

    found = seeing.runs(context.opened(viewing=True), flow)
    context.show({"ok": True, "runs": found}, lambda: printing.runs(found))


@cli.command()
@click.argument("run_id", metavar="RUN")
@click.option("--reproduce", is_flag=True, help="Rebuild the file it uploaded, and compare.")
@with_json
@needs
def show(context: Context, run_id: str, reproduce: bool) -> None:
    """Show one run: where its rows went, its steps, calls, findings and files.

    With --reproduce: rebuild the file that the run uploaded from the records it used, and compare
    it byte by byte with what was uploaded; neither system is asked.
    """
    from tieout.verbs import seeing

    instance = context.opened(viewing=True)
    if reproduce:
        found = seeing.reproduce(instance, run_id)
        context.show(found, lambda: printing_rebuilt.reproduced(found))
        sys.exit(found["exit_code"])
    result = seeing.show(instance, run_id)
    context.show(result, lambda: printing.run(result, whole=True))


@cli.command("tie-out")
@click.option("--flow", help="The flow, if there are several.")
@click.option("--period", metavar="P", help="Only this fiscal year and period, 2025-03.")
@click.option(
    "--last", is_flag=True, help="Show the last comparison instead of reading both sides."
)
@click.option(
    "--export", "to", type=click.Path(path_type=Path), metavar="FILE",
    help="Write it to FILE too: .csv, .xlsx, or .html to print.",
)  # fmt: skip
@click.option("--cells", is_flag=True, help="With --export: all cells, not only those apart.")
@with_json
@needs
def tie_out(
    context: Context, flow: str | None, period: str | None, last: bool, to: Path | None, cells: bool
) -> None:
    """Compare F0911, F0902 and Anaplan cell by cell, and say what explains each difference.

    Of a flow that loads a table: the table and Anaplan, number by number.
    """
    from tieout.verbs import explaining, exporting, running, seeing
    from tieout.verbs import tables as of_tables

    instance = context.opened(practice=not last, viewing=True)
    name = running.flow_to_tie_out(instance, flow)
    if to:
        exporting.form_of(to)
    elif cells:
        raise click.UsageError("--cells says what --export FILE writes.")
    if of_tables.is_table(instance, name):
        tables.refuse_periods(name, period)
        tables.tied_out(context, instance, name, last, to, cells, _carried)
        return
    if period:
        seeing.period_of(period)
    done = None
    if not last:
        with progress.shown(instance):
            done = running.tie_out_now(instance, name)
    result = seeing.tied(instance, name, period, done.run if done else None)
    if done:
        result |= _carried(done)
    result |= explaining.explain(instance, name, period)
    table, code = result["tie_out"], result["exit_code"]
    told = result.get("sentence", "") if code or not table else ""
    if to:
        asked = exporting.Asked(name, period, cells)
        result["export"] = exporting.export(instance, asked, to)

    def show() -> None:
        printing.tie_out(table, seeing.totals(table), told)
        printing.explained(result)
        if to:
            click.echo(f"Wrote {to}, SHA-256 {result['export']['sha256']}.")

    context.show(result, show)
    sys.exit(code)


@cli.command()
@click.option("--port", default=7070, show_default=True, help="Port of the pages; 0: any.")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others than this machine's need TLS or a trusted proxy.",
)
@click.option("--name", "names", multiple=True, help="Name that people ask it under; several.")
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM file of the certificate.")
@click.option("--private-key", type=click.Path(path_type=Path), help="PEM file of its key.")
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="A proxy that speaks TLS with people and passes on what they ask; several.",
)
@needs
def serve(context: Context, /, **door: Any) -> None:
    """Execute runs and serve the pages until stopped."""
    serve_until_stopped(context.opened(practice=True), **door)


@cli.command()
@needs
def worker(context: Context) -> None:
    """Execute runs beside other workers on PostgreSQL (TIEOUT_DATABASE) until stopped."""
    from tieout.verbs import working

    working.work(context.opened(practice=True), printing.note)


def serve_until_stopped(instance: Any, port: int, **door: Any) -> None:
    """The executor and the pages, in this process."""
    from tieout.web.app import serve_instance
    from tieout.web.door import Door

    serve_instance(instance, Door(port, **door), printing.note)
