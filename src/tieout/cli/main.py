"""The command `tieout`: parses, calls one verb, prints; decides nothing."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from tieout.errors import Trouble
from tieout.settings import Environment, environment

if TYPE_CHECKING:
    from tieout.app import Instance

DEMO_HOME = "tieout-demo"
INTERRUPTED = 130
UNEXPECTED = 1


class Context:
    """What every command gets: the home, and whether one JSON object is wanted."""

    def __init__(self, home: str | None, as_json: bool) -> None:
        self.home, self.as_json = home, as_json

    def made(self, *, demo: bool = False) -> Instance:
        """The instance of this home, its directory made if need be."""
        from tieout.app import Instance
        from tieout.store.home import make_home

        found = self._environment(demo)
        make_home(found.home)
        return Instance(found)

    def opened(self) -> Instance:
        """An instance that must exist already; its practice systems are started if it has any."""
        from tieout.app import Instance
        from tieout.store.home import check_home
        from tieout.verbs import practice

        found = self._environment(False)
        check_home(found.home)
        instance = Instance(found)
        instance.store.check()
        if practice.practice_home(instance.home):
            practice.start_practice(instance.home)
        return instance

    def _environment(self, demo: bool) -> Environment:
        found = environment(self.home, DEMO_HOME if demo else ".tieout")
        logging.basicConfig(level=found.log_level, stream=sys.stderr)
        return found

    def show(self, value: Any, human: Callable[[], None]) -> None:
        """One JSON object on stdout with --json, else what `human` prints."""
        if self.as_json:
            click.echo(json.dumps(value, default=str, ensure_ascii=False))
        else:
            human()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", metavar="DIR", help="The instance's directory (TIEOUT_HOME, else ./.tieout).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.version_option(package_name="tieout")
@click.pass_context
def cli(context: click.Context, home: str | None, as_json: bool) -> None:
    """Move ledger numbers between JD Edwards and Anaplan, and prove that both sides agree."""
    context.obj = Context(home, as_json)


def main() -> None:
    """Run the command; trouble becomes one sentence on stderr and its exit code."""
    from tieout.cli import commands  # registers the commands

    assert commands  # noqa: S101 - imported for its effect
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; an unfinished run goes on with the next `tieout run` or `serve`.", err=True)
        code = INTERRUPTED
    except Trouble as trouble:
        if "--json" in sys.argv:
            told = {"ok": False, "error": trouble.sentence(), "exit_code": trouble.exit_code,
                    "evidence": trouble.evidence}  # fmt: skip
            click.echo(json.dumps(told, ensure_ascii=False))
        click.echo(trouble.sentence(), err=True)
        code = trouble.exit_code
    sys.exit(code or 0)
