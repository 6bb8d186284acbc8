"""The reference of the command line, written from the Click commands themselves.

`python tests/support/cli_reference.py`, called by `make docs`, writes docs/reference/cli.md;
`tests/test_docs.py` compares that page with what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click

from tieout.cli.main import program

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
MARK = "<!-- generated: do not edit below this line; run `make docs` -->\n"


def root() -> click.Group:
    """The program's group of commands."""
    return program()


def parses(group: click.Group, words: list[str]) -> None:
    """Raise click.UsageError when the program would not accept these words; nothing is run."""
    context = click.Context(group, info_name="tieout", obj=SimpleNamespace())
    _, rest, _ = group.make_parser(context).parse_args(list(words))
    if not rest and (group.invoke_without_command or "--help" in words):
        return
    name, command, arguments = group.resolve_command(context, rest)
    if isinstance(command, click.Group) and arguments:
        parses(command, arguments)
    elif command is not None and "--help" not in arguments:
        command.make_context(name, arguments, parent=context)


def commands(group: click.Group, name: str = "tieout") -> Iterator[tuple[str, click.Command]]:
    """Every visible command with its full name, in the order of `--help`."""
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if command is None or command.hidden:
            continue
        yield f"{name} {word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


def _signature(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return (
        names
        if option.is_flag
        else f"{names} {option.make_metavar(click.Context(click.Command('')))}"
    )


def _meaning(option: click.Option) -> str:
    default = f" Default: `{option.default}`." if option.show_default else ""
    return ((option.help or "") + default).strip().replace("|", "/")


def section(name: str, command: click.Command) -> str:
    """The part of the page about one command: help, usage, options."""
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    told = (command.help or "").replace("\b\n", "").strip()
    text = [f"## {name}", "", told, "", "```text", usage, "```"]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        text += ["", "| option | meaning |", "| --- | --- |"]
        text += [f"| `{_signature(o)}` | {_meaning(o)} |" for o in options]
    return "\n".join(text)


def generated() -> str:
    """What stands below the mark."""
    return "\n" + "\n\n".join(section(*found) for found in commands(root())) + "\n"


def page() -> str:
    """The whole page as it should be."""
    before, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return before + mark + generated()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")
