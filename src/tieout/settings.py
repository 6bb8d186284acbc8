"""Reading the project file and what in it cannot be meant; the only reader of the environment."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tieout.consistency import inconsistencies
from tieout.core.retention import AGE, AGE_WORDS
from tieout.core.table_words import ALIAS, TYPE
from tieout.errors import Misconfigured
from tieout.project import (
    STAGE,
    AnaplanConnection,
    Calendar,
    JdeConnection,
    LoadActuals,
    LoadMembers,
    Notice,
    Outgoing,
    Policy,
    Project,
    Retention,
    Schedule,
    SignIn,
    Signs,
    SubmitPlan,
    Universe,
)
from tieout.project_tables import TARGET, Filter, LoadTable
from tieout.project_words import (
    CURRENT_OR_PERIOD,
    DOCUMENT_TYPE,
    DURATION,
    FIRST_PERIOD,
    OBJECT_RANGE,
    PERIOD,
    PERIOD_RANGE,
    ReadBack,
    Strict,
)


def read_project(text: str, source: str = "tieout.toml") -> Project:
    """Parse a project file; Misconfigured tells every mistake with its place and a suggestion."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(
            f"{source} is not valid TOML: {error}.", do="Correct that place in the file."
        ) from error
    problems: list[str] = []
    tables: dict[str, Any]
    tables = {name: _tables(name, document.get(name, {}), problems) for name in _TABLES}
    for name, kind in _ALONE:
        tables[name] = _table(name, document.get(name, {}), kind, problems)
    problems += [_unknown(name, Project) for name in document if name not in _keys(Project)]
    if problems:
        raise Misconfigured(
            f"{source}: {'; '.join(problems)}.", untouched="Nothing was run.",
            do="Correct the file; docs/reference/configuration.md lists all keys.",
        )  # fmt: skip
    project = Project(**tables)
    problems += inconsistencies(project)
    if problems:
        raise Misconfigured(f"{source}: {'; '.join(problems)}.", untouched="Nothing was run.")
    return project


# Which structs a table of the file may be; the key that chooses between them is their tag.
_TABLES: dict[str, tuple[type[Strict], ...]] = {
    "connections": (JdeConnection, AnaplanConnection),
    "flows": (LoadMembers, LoadActuals, LoadTable, SubmitPlan),
    "calendars": (Calendar,),
    "schedules": (Schedule,),
    "notices": (Notice,),
}
_ALONE: tuple[tuple[str, type[Strict]], ...]
_ALONE = (
    ("outgoing", Outgoing), ("retention", Retention), ("policy", Policy), ("sign_in", SignIn),
)  # fmt: skip
_INNER_TABLES: dict[str, type[Strict]]
_INNER_TABLES = {
    "read_back": ReadBack, "signs": Signs, "universe": Universe, "where": Filter,
}  # fmt: skip
_OF_KEY = re.compile(r"encoded date - at `key` in `\$([^`]*)`")
_WORDS = {
    AGE: AGE_WORDS,
    DURATION: "a duration such as 30s, 5m or 2h",
    PERIOD: "a fiscal year and period such as 2025-03",
    CURRENT_OR_PERIOD: "current, or a fiscal year and period such as 2025-03",
    FIRST_PERIOD: "current, current + 1, or a fiscal year and period such as 2025-03",
    PERIOD_RANGE: "a range of periods such as 2026-01..2026-12",
    DOCUMENT_TYPE: "a document type of your own, such as BN, that begins with no letter of PRTIOJS",
    OBJECT_RANGE: "an object account, or a range such as 4000-4999",
    ALIAS: "the alias of a column without the prefix of its table, such as AAP",
    TARGET: "a table or business view of JD Edwards, such as F0411 or V0411A",
    TYPE: "what a field can hold: text, code, code 12, date, whole, number 2, amount, amount of "
    "company, amount of ledger or amount of CRCD",
    STAGE: "a word of capitals such as PROD or TEST",
}


# What msgspec calls the kinds of TOML, as the file's author would.
_KINDS = {
    "object": "a table such as { key = value }", "array": "a list such as [1, 2]",
    "str": 'text in quotes such as "00001"', "int": "a whole number", "float": "a number",
    "bool": "true or false",
}  # fmt: skip


def _tables(name: str, found: object, problems: list[str]) -> dict[str, Any]:
    """The tables such as `[flows.NAME]`, each converted on its own.

    So that a message names the very table; msgspec says `$.flows[...]` of a whole file.
    """
    if not isinstance(found, dict):
        problems.append(f"{name} is not a table of tables such as [{name}.name]")
        return {}
    converted: dict[str, Any] = {}
    for key, table in found.items():
        place = f"{name}.{key}"
        if len(_TABLES[name]) == 1:
            converted[key] = _table(place, table, _TABLES[name][0], problems)
            continue
        kinds = {struct.__struct_config__.tag: struct for struct in _TABLES[name]}
        field_name = str(_TABLES[name][0].__struct_config__.tag_field)
        tag = table.get(field_name) if isinstance(table, dict) else None
        kind = kinds.get(tag) if isinstance(tag, str) else None
        if kind is None:
            given = "is missing" if tag is None else f"= {tag!r} is not known"
            names = ", ".join(str(name) for name in kinds)
            problems.append(f"{place}.{field_name} {given}; it is one of {names}")
            continue
        converted[key] = _table(place, table, kind, problems)
    return converted


def _table(place: str, table: object, kind: type[Strict], problems: list[str]) -> Any:
    """One table as its struct, or a problem in words and nothing."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        exact = path.rstrip("`").partition("[...]")[0]  # msgspec does not name keys of a dict
        problems.append(_in_words(place + exact, message, kind))
        return None


def _in_words(place: str, message: str, kind: type[Strict]) -> str:
    """What msgspec says about a place, as a sentence about the file."""
    if of_key := _OF_KEY.search(message):
        return f"{place}{of_key[1]} names a day that is no date such as 2026-12-25"
    key = re.search(r"`([^`]+)`", message)
    if key is not None and "unknown field" in message:
        inner = _INNER_TABLES.get(place.rpartition(".")[2].partition("[")[0], kind)
        return _unknown(key[1], inner, f"{place}.")
    if key is not None and "missing required field" in message:
        return f"{place}.{key[1]} is missing"
    for pattern, words in _WORDS.items():
        if repr(pattern) in message:
            return f"{place} is not {words}"
    kinds = re.fullmatch(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`", message)
    if kinds is not None and {*kinds.groups()} <= _KINDS.keys():
        return f"{place} is {_KINDS[kinds[2]]}; it must be {_KINDS[kinds[1]]}"
    return f"{place}: {message[:1].lower()}{message[1:]}"


def _keys(kind: type[Strict]) -> list[str]:
    """The keys of a table, the one that chooses its kind included."""
    tag_field = kind.__struct_config__.tag_field
    return [*kind.__struct_encode_fields__, *([tag_field] if tag_field else [])]


def _unknown(key: str, kind: type[Strict], place: str = "") -> str:
    """An unknown key, with the nearest key of its own table."""
    near = difflib.get_close_matches(key, _keys(kind), n=1)
    hint = f" (did you mean `{near[0]}`?)" if near else f"; known are {', '.join(_keys(kind))}"
    return f"{place}{key} is unknown{hint}"


KEY_VARIABLES = ("TIEOUT_KEY", "TIEOUT_KEY_FILE", "TIEOUT_KEY_COMMAND")


@dataclass(frozen=True, slots=True)
class KeySources:
    """What the environment says of the key: a text, a file or a command, and systemd's directory.

    `variables` are what a command is to be run with.
    """

    chosen: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    credentials: str = ""
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says; read once, by `environment`."""

    home: Path
    database: str
    records: str
    clock_url: str
    kill_at: str
    log_level: str
    token: str = dataclasses.field(default="", repr=False)
    anchor: str = ""
    standard: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)  # not ours
    key: KeySources = dataclasses.field(default_factory=KeySources)


SECRET_VARIABLES = ("TIEOUT_KEY", "TIEOUT_TOKEN")


def for_other_programs() -> dict[str, str]:
    """The environment that processes we start get: everything but what is secret of ours."""
    return {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}


def environment(home: str | None = None, default_home: str = ".tieout") -> Environment:
    """Read TIEOUT_HOME, _DATABASE, _RECORDS, _CLOCK, _KILL_AT, _LOG, _TOKEN, _ANCHOR, _KEY….

    Of others: what object storage and proxies need, and CREDENTIALS_DIRECTORY of systemd.
    """
    values: Mapping[str, str] = os.environ
    chosen = Path(home or values.get("TIEOUT_HOME") or default_home).absolute()
    return Environment(
        home=chosen,
        database=values.get("TIEOUT_DATABASE") or f"sqlite:///{chosen / 'tieout.sqlite'}",
        records=values.get("TIEOUT_RECORDS") or str(chosen / "records"),
        clock_url=values.get("TIEOUT_CLOCK", ""),
        kill_at=values.get("TIEOUT_KILL_AT", ""),
        log_level=values.get("TIEOUT_LOG", "WARNING"),
        token=values.get("TIEOUT_TOKEN", ""),
        anchor=values.get("TIEOUT_ANCHOR", ""),
        standard={n: v for n, v in values.items() if re.match(r"AWS_|\w+_proxy$", n, re.I)},
        key=KeySources(
            {name: values[name] for name in KEY_VARIABLES if values.get(name)},
            values.get("CREDENTIALS_DIRECTORY", ""),
            for_other_programs(),
        ),
    )
