"""The documents say what the program does: verbs, keys, defaults, codes, commands and links."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cli_reference
import click
import msgspec
import pytest

from tieout import errors, settings
from tieout.web.routes import ADDRESSES

REPOSITORY = Path(__file__).parent.parent
SKIPPED_FOLDERS = {".venv", ".venv-uv", ".git", "tieout-demo", "node_modules", "build", "dist"}


@cache
def pages() -> dict[str, str]:
    """Every Markdown page of the project by its path."""
    found = {}
    for path in sorted(REPOSITORY.rglob("*.md")):
        relative = path.relative_to(REPOSITORY)
        if not SKIPPED_FOLDERS & set(relative.parts):
            found[str(relative)] = path.read_text(encoding="utf-8")
    return found


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [str(block) for block in found]


def verbs() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


# ---------------------------------------------------------------------------- verbs


def test_the_first_screen_of_the_readme_has_the_two_commands() -> None:
    first_screen = pages()["README.md"].splitlines()[:12]
    assert any(line.startswith("make demo") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)


def test_every_make_verb_in_the_documents_exists() -> None:
    used = {
        (path, verb)
        for path, text in pages().items()
        for code in [*blocks(text, "sh"), *re.findall(r"`([^`\n]+)`", text)]
        for verb in re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", code)
    }
    assert {pair for pair in used if pair[1] not in verbs()} == set()


def test_every_make_verb_is_told_to_who_changes_the_project() -> None:
    told = pages()["README.md"] + pages()["CONTRIBUTING.md"]
    inner = {"help", "clean"}
    assert {verb for verb in verbs() - inner if f"make {verb}" not in told} == set()


# ---------------------------------------------------------------------------- links


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def broken_links(path: str, text: str, known: dict[str, str]) -> list[str]:
    """Relative links of a page that lead nowhere."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (REPOSITORY / path).parent.joinpath(name).resolve() if name else REPOSITORY / path
        if not target.exists():
            broken.append(f"{path}: {link}")
        elif anchor and anchor not in anchors(known[str(target.relative_to(REPOSITORY))]):
            broken.append(f"{path}: {link} (no such heading)")
    return broken


def test_every_link_between_documents_leads_somewhere() -> None:
    assert [b for path, text in pages().items() for b in broken_links(path, text, pages())] == []


@pytest.mark.parametrize("link", ["nowhere.md", "CHANGELOG.md#no-such-heading", "#no-such-heading"])
def test_a_planted_broken_link_is_found(link: str) -> None:
    assert broken_links("README.md", f"[text]({link})", pages())


@pytest.mark.parametrize("folder", ["docs", "docs/how-to", "docs/reference", "docs/decisions"])
def test_every_page_of_a_folder_is_in_its_table_of_contents(folder: str) -> None:
    names = {Path(path).name for path in pages() if str(Path(path).parent) == folder}
    contents = pages()[f"{folder}/README.md"]
    assert {n for n in names - {"README.md"} if f"({n})" not in contents} == set()


# ---------------------------------------------------------------------------- configuration


CONFIGURATION = "docs/reference/configuration.md"


def tables(struct: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """All tables of the project file: the structs below `struct` that have keys of their own."""
    found = [s for sub in struct.__subclasses__() for s in [sub, *tables(sub)]]
    return [s for s in found if s is not settings.Project]


def heading(struct: type[msgspec.Struct]) -> str:
    """The heading under which configuration.md tells of a table."""
    tag, field = struct.__struct_config__.tag, struct.__struct_config__.tag_field
    if tag is None:
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", struct.__name__).lower()
        if f"{name}s" in settings.Project.__struct_fields__:
            return f"`[{name}s.NAME]`"
        return f"`[{name}]`" if name in settings.Project.__struct_fields__ else f"`{name}`"
    place = "connections" if field == "system" else "flows"
    return f'`[{place}.NAME]` with `{field} = "{tag}"`'


def keys_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Key → default, as configuration.md writes it."""
    told = {}
    for field in msgspec.structs.fields(struct):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if default is msgspec.NODEFAULT:
            told[field.encode_name] = "needed"
        elif default is None:
            told[field.encode_name] = "none"
        elif isinstance(default, msgspec.Struct):
            told[field.encode_name] = "`{}`"
        else:
            told[field.encode_name] = f"`{json.dumps(default)}`"
    return told


def rows_under(title: str) -> dict[str, str]:
    """Key → default from the table under a heading of configuration.md."""
    _, found, rest = pages()[CONFIGURATION].partition(f"# {title}\n")
    assert found, f"{CONFIGURATION} has no heading {title}"
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.+?) \|", section, re.MULTILINE))


@pytest.mark.parametrize("struct", tables(settings.Strict), ids=lambda s: s.__name__)
def test_every_key_of_the_project_file_is_documented_with_its_default(
    struct: type[msgspec.Struct], record_property: Callable[[str, object], None]
) -> None:
    assert keys_of(struct) == rows_under(heading(struct))
    record_property("keys of the project file on the reference page", len(keys_of(struct)))


def test_the_example_of_the_project_file_is_accepted() -> None:
    for example in blocks(pages()[CONFIGURATION], "toml"):
        settings.read_project(example)


def test_every_variable_of_the_environment_is_documented() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'"(TIEOUT_[A-Z_]+)"', source))
    assert read
    assert read == set(rows_under("The environment"))


# ---------------------------------------------------------------------------- codes and output


def test_every_exit_code_of_an_error_is_documented() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    told = re.findall(r"^\| (\d+) \|", pages()["docs/reference/exit-codes.md"], re.MULTILINE)
    assert {kind.exit_code for kind in kinds} <= set(map(int, told))


def test_every_toml_and_json_block_can_be_parsed() -> None:
    for text in pages().values():
        for block in blocks(text, "json"):
            json.loads(block)
        for block in blocks(text, "toml"):
            tomllib.loads(block)


# ---------------------------------------------------------------------------- commands


def test_the_reference_of_the_commands_is_what_the_program_says() -> None:
    assert cli_reference.page() == cli_reference.PAGE.read_text(encoding="utf-8"), "run: make docs"


def shown_commands() -> list[tuple[str, str]]:
    """Every `tieout …` line of a sh block, and every `tieout …` in the text, with its page."""
    found = []
    for path, text in pages().items():
        lines = [line.strip() for block in blocks(text, "sh") for line in block.splitlines()]
        prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
        for line in lines + re.findall(r"`(tieout [^`\n]+)`", prose):
            match = re.match(r'(?:\S*/)?tieout ((?:"[^"]*"|[^|<>#;&"])+)', line)
            if match and "[" not in line and "…" not in line:
                # A sentence may name a command without its arguments.
                named_only = line not in lines and " " not in match[1].strip()
                found.append((path, match[1].strip() + (" --help" if named_only else "")))
    return found


def test_every_command_shown_in_the_documents_is_accepted_by_the_program() -> None:
    group = cli_reference.root()
    if group is None:
        pytest.skip("the product has no command line yet")
    refused = []
    for path, line in shown_commands():
        try:
            cli_reference.parses(group, shlex.split(line))
        except click.UsageError as error:
            refused.append(f"{path}: tieout {line}: {error.format_message()}")
    assert refused == []


@click.group()
@click.option("--home")
def planted(home: str) -> None:
    """A program to try the checks on."""


@planted.command()
@click.argument("flow")
@click.option("--period", help="One period.")
def run(flow: str, period: str) -> None:
    """Run a flow."""


@pytest.mark.parametrize("line", ["walk", "run", "run actuals --perod 1", "run a b"])
def test_a_planted_wrong_command_is_refused(line: str) -> None:
    with pytest.raises(click.UsageError):
        cli_reference.parses(planted, line.split())


def test_a_command_is_told_with_its_usage_and_options() -> None:
    cli_reference.parses(planted, ["--home", "x", "run", "actuals", "--period", "2025-01"])
    [(name, command)] = cli_reference.commands(planted)
    told = cli_reference.section(name, command)
    for part in ("## tieout run", "Run a flow.", "tieout run [OPTIONS] FLOW", "One period."):
        assert part in told


# ---------------------------------------------------------------------------- changelog, decisions


def test_the_changelog_keeps_its_form() -> None:
    text = pages()["CHANGELOG.md"]
    releases = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert releases[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", r) for r in releases[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds


def test_decisions_are_numbered_in_order_and_complete() -> None:
    records = sorted(p for p in pages() if re.match(r"docs/decisions/\d{4}-", p))
    assert [int(Path(p).name[:4]) for p in records] == list(range(1, len(records) + 1))
    for path in records:
        headings = re.findall(r"^## (.+)$", pages()[path], re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "What would change our mind"]
        assert re.search(
            r"^Status: (accepted|replaced by \d{4}), \d{4}-\d\d-\d\d$", pages()[path], re.MULTILINE
        )


# ---------------------------------------------------------------------------- pages


def test_the_guide_to_the_pages_names_addresses_and_buttons_that_there_are() -> None:
    text = pages()["docs/how-to/use-the-pages.md"]
    known = {address.path for address in ADDRESSES}
    named = set(re.findall(r"`(/[^`]*)`", text))
    assert named - known == set()
    assert len(named) >= 8
    web = REPOSITORY / "src" / "tieout" / "web"
    source = "".join(p.read_text() for p in web.rglob("*") if p.suffix in (".html", ".py"))
    buttons = {" ".join(words.split()) for words in re.findall(r"\*\*(.+?)\*\*", text)}
    assert {words for words in buttons if words not in source} == set()
