"""The text of a project file: read with its very bytes, and compared key by key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tieout.errors import Misconfigured

DIFFERENCES_SHOWN_MAX = 8  # in one sentence; `tieout config plan` tells all
LAYOUT_ALONE = "only comments or layout differ"


@dataclass(frozen=True, slots=True)
class Change:
    """One key that two project files say differently, its values as JSON; None: not there."""

    key: str
    before: str | None
    after: str | None

    def in_words(self) -> str:
        """The change as what will become of the configuration."""
        if self.after is None:
            return f"{self.key} goes (was {self.before})"
        if self.before is None:
            return f"{self.key} = {self.after} comes"
        return f"{self.key} becomes {self.after} (was {self.before})"


def read_file(path: Path) -> str:
    """The text of a file with the line ends it has, so that it is kept byte for byte."""
    try:
        return decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}.") from error


def decoded(content: bytes, source: str) -> str:
    """The text in these bytes; Misconfigured when they are not UTF-8, as TOML must be."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Misconfigured(
            f"{source} is not UTF-8 text (byte {error.start + 1}).", untouched="Nothing was done.",
            do="Save it as UTF-8.",
        ) from error  # fmt: skip


def with_texts(text: str, table: str, keys: Mapping[str, str], after: str) -> str:
    """`text` with keys of a table set to texts, and nothing else changed.

    Where they stand, commented out or not, else below the key `after`. Misconfigured when the
    file is written in a way that this cannot follow.
    """
    lines = text.splitlines(keepends=True)
    head = re.compile(rf"\[{re.escape(table)}\]\s*(#|$)")
    begin = next((n for n, line in enumerate(lines) if head.match(line.strip())), len(lines))
    rest = range(begin + 1, len(lines))
    end = next((n for n in rest if lines[n].lstrip().startswith("[")), len(lines))
    inside = lines[begin:end]
    said = {key: json.dumps(value, ensure_ascii=False) for key, value in keys.items()}
    for key, value in reversed(said.items()):
        line = f"{key} = {value}\n"
        place = _line_of(inside, rf"(# *)?{re.escape(key)} *=")
        if place is not None:
            inside[place] = line
        elif (below := _line_of(inside, rf"{re.escape(after)} *=")) is not None:
            inside.insert(below + 1, line)
    made = "".join([*lines[:begin], *inside, *lines[end:]])
    wanted = {f"{table}.{key}": value for key, value in said.items()}
    if {c.key: c.after for c in changes(text, made)}.items() <= wanted.items():
        now = dict(_keys(tomllib.loads(made.removeprefix("\ufeff"))))
        if wanted.items() <= now.items():
            return made
    told = ", ".join(f"{key} = {value}" for key, value in said.items())
    raise Misconfigured(
        f"The place of {' and '.join(keys)} in [{table}] was not found.",
        untouched="The file stays as it is.", do=f"Write them yourself: {told}.",
    )  # fmt: skip


def _line_of(lines: Sequence[str], pattern: str) -> int | None:
    """Which line begins so; None when none does."""
    found = re.compile(pattern)
    return next((n for n, line in enumerate(lines) if found.match(line.lstrip())), None)


def write_file(path: Path, text: str) -> None:
    """Write the text with the line ends it has."""
    path.write_bytes(text.encode("utf-8"))


def changes(before: str, after: str) -> list[Change]:
    """What `after` says differently, key by key, in the order of the files.

    Raises tomllib.TOMLDecodeError for what is no TOML.
    """
    old, new = (dict(_keys(tomllib.loads(text.removeprefix("\ufeff")))) for text in (before, after))
    every = dict.fromkeys([*old, *new])
    found = (Change(key, old.get(key), new.get(key)) for key in every)
    return [change for change in found if change.before != change.after]


def differences(applied: str, written: str) -> list[str]:
    """What a project file says differently from the applied one, in a few words."""
    try:
        found = changes(applied, written)
    except tomllib.TOMLDecodeError as error:
        return [f"it is not valid TOML ({error})"]
    told = [_as_it_stands(change) for change in found]
    left_out = len(told) - DIFFERENCES_SHOWN_MAX
    if left_out > 0:
        told = [*told[:DIFFERENCES_SHOWN_MAX], f"and {left_out} more"]
    return told or [LAYOUT_ALONE]


def _as_it_stands(change: Change) -> str:
    if change.after is None:
        return f"{change.key} is gone (was {change.before})"
    if change.before is None:
        return f"{change.key} = {change.after} is new"
    return f"{change.key} is {change.after}, applied is {change.before}"


def _keys(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every key with its value as text, tables told key by key: `flows.actuals.import`."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _keys(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", json.dumps(value, ensure_ascii=False, default=str)
