"""The command `tieout`: parses, calls one verb, prints; decides nothing."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieout.errors import NotAllowed, Trouble
from tieout.redaction import guard_logs, redacted
from tieout.settings import Environment, environment

if TYPE_CHECKING:
    from tieout.app import Instance

DEMO_HOME = "tieout-demo"
LOG_FILE = "tieout.log"
LOG_BYTES_MAX = 5_000_000
LOG_FILES_KEPT = 3
UNEXPECTED, USAGE, MISCONFIGURED, INTERRUPTED = 1, 2, 3, 130
ERROR_CHARACTERS_MAX = 200
# The modules that hold commands.
COMMANDS = (
    "backing_up", "baselining", "certifying", "commands", "configuring", "discovering",
    "doctoring", "evidence", "keys", "mapping", "notifying", "people", "pinging", "planning",
    "rejecting", "replaying", "retaining", "scheduling", "starting", "tracing", "trail",
)  # fmt: skip


class Context:
    """What every command gets: the home, and whether one JSON object is wanted."""

    def __init__(self) -> None:
        self.home: str | None = None
        self.as_json = False
        self.log: Path | None = None
        self.instance: Instance | None = None  # the one that was opened
        self.shown = False
        self.goes_on = "tieout run"  # the command that carries on what is interrupted

    def made(self, *, demo: bool = False) -> Instance:
        """The instance of this home, its directory made if need be."""
        from tieout.app import Instance
        from tieout.store.home import make_home

        found = self.environment(demo=demo)
        make_home(found.home)
        self._keep_log(found)
        return Instance(found)

    def opened(self, *, practice: bool = False, viewing: bool = False) -> Instance:
        """An instance that must exist already; with `practice`, its practice systems answer too.

        `viewing`: who acts must be somebody who may look.
        """
        from tieout.app import Instance
        from tieout.store.home import check_home
        from tieout.verbs import acting, people
        from tieout.verbs.practice import practice_home, wake_practice

        found = self.environment()
        check_home(found.home)
        self._keep_log(found)
        instance = self.instance = Instance(found)
        instance.store.check()
        people.note_use(instance)
        if viewing:
            acting.require(instance, "view")
        if practice and practice_home(instance.home):
            told = wake_practice(instance.home)
            if told and not self.as_json:
                click.echo(told, err=True)
        return instance

    def environment(self, *, demo: bool = False) -> Environment:
        """The environment, with the home that --home or TIEOUT_HOME names."""
        return environment(self.home, DEMO_HOME if demo else ".tieout")

    def show(self, value: dict[str, Any], human: Callable[[], None]) -> None:
        """One JSON object on stdout with --json, else what `human` prints."""
        if self.as_json:
            from tieout.cli.printing import as_json

            click.echo(json.dumps(value, default=as_json, ensure_ascii=False))
            self.shown = True
        else:
            human()

    def _keep_log(self, found: Environment) -> None:
        """What the log has to say goes to HOME/tieout.log; the terminal gets the sentences."""
        self.log = found.home / LOG_FILE
        kept = _Log(self.log, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT, delay=True)
        kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=found.log_level.upper(), handlers=[kept])


class _Log(logging.handlers.RotatingFileHandler):
    """A log that cannot be written (a full disk, say) is not worth a failed command."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Nothing: the sentence on the terminal says what matters."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home", metavar="DIR", help="The instance's directory (TIEOUT_HOME, else ./.tieout)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.version_option(package_name="tieout")
@click.pass_obj
def cli(context: Context, home: str | None, as_json: bool) -> None:
    """Move ledger numbers between JD Edwards and Anaplan, and prove that both sides agree."""
    context.home = home
    context.as_json = context.as_json or as_json


def _interrupted(context: Context, stopped: BaseException) -> str:
    """What became of it: a question that nobody answered, or a command that was stopped."""
    if isinstance(stopped, click.Abort) and stopped.__cause__ is None:
        return "Nobody answered, so nothing was done. The options of --help answer for scripts."
    return f"Interrupted. An unfinished run goes on with the next `{context.goes_on}`."


def program() -> click.Group:
    """The group with all its commands, which register themselves when they are imported."""
    for name in COMMANDS:
        import_module(f"tieout.cli.{name}")
    return cli


def main() -> None:
    """Run the command; trouble becomes one sentence on stderr and its exit code."""
    context = Context()
    guard_logs()
    try:
        code = program().main(standalone_mode=False, obj=context) or 0
    except click.ClickException as error:
        code = _usage(context, error)
    except (click.Abort, KeyboardInterrupt) as stopped:
        code = INTERRUPTED
        _say(context, _interrupted(context, stopped), code)
    except Trouble as trouble:
        code = trouble.exit_code
        _keep_denied(context, trouble)
        _say(context, trouble.sentence(), code, trouble.evidence)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        code = UNEXPECTED
    except OSError as error:
        if not error.filename or not error.errno:
            code = UNEXPECTED
            _unexpected(context, error)
        else:  # a file or directory that this machine does not give us
            code = MISCONFIGURED
            logging.getLogger(__name__).error("the system refused a file", exc_info=error)
            why = os.strerror(error.errno)
            _say(context, f"{error.filename} cannot be used: {why}. Nothing more was done.", code)
    except Exception as error:  # noqa: BLE001 - the edge: a sentence and a log, no traceback
        code = UNEXPECTED
        _unexpected(context, error)
    sys.exit(code)


def _keep_denied(context: Context, trouble: Trouble) -> None:
    """The trail tells who was not allowed what; where it cannot be written, the sentence stands."""
    if context.instance is None or not isinstance(trouble, NotAllowed):
        return
    from tieout.verbs import acting

    with suppress(Trouble):
        acting.tell_denied(context.instance, trouble)


def _usage(context: Context, error: click.ClickException) -> int:
    if not (context.as_json or "--json" in sys.argv):
        error.show()
        return error.exit_code
    _say(context, error.format_message(), error.exit_code)
    return error.exit_code


def _unexpected(context: Context, error: Exception) -> None:
    """One sentence; the traceback goes to the log, or to stderr where there is none."""
    what = redacted(f"{type(error).__name__}: {error}").splitlines()[0][:ERROR_CHARACTERS_MAX]
    where = "what follows has the details"
    if context.log is not None:
        logging.getLogger(__name__).error("unexpected error", exc_info=error)
        where = f"{context.log} has the details"
    _say(
        context,
        f"Something unexpected happened ({what}). This is a defect of Tieout: {where}.",
        UNEXPECTED,
    )
    if context.log is None:
        click.echo(redacted("".join(traceback.format_exception(error))), err=True)


def _say(context: Context, sentence: str, exit_code: int, evidence: str = "") -> None:
    """The sentence once: in the one object with --json, else on stderr."""
    if not (context.as_json or "--json" in sys.argv):
        click.echo(sentence, err=True)
    elif not context.shown:
        told = {"ok": False, "error": sentence, "exit_code": exit_code, "evidence": evidence}
        click.echo(json.dumps(told, ensure_ascii=False))
