"""Set an instance up: its directory and key, its configuration, credentials and mappings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tieout import certificates
from tieout.anaplan import consent
from tieout.app import PROJECT_FILE, Instance
from tieout.core.mapping import fault
from tieout.doors import PROXY_LOGIN, secret_name
from tieout.errors import Misconfigured, Refused
from tieout.project import AnaplanConnection, JdeConnection, LoadActuals
from tieout.project_text import differences, read_file, write_file
from tieout.settings import read_project
from tieout.store import desk
from tieout.store.home import make_home
from tieout.store.mappings import Mapping as Row
from tieout.store.mappings import SetMapping
from tieout.verbs import acting
from tieout.verbs.configuring import takes_two_people

PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-4])")  # a fiscal year and period
DIMENSIONS = ("account", "business_unit", "company")
UNMATCHED = "unmatched-member"  # the rule of what waits for a mapping
CERTIFIED = (certificates.CERTIFICATE, certificates.PRIVATE_KEY)
CREDENTIALS_CHARACTERS_MAX = 2**20  # of what --stdin reads
IN_FILES = CERTIFIED  # nobody types them
BY_FILES = " Or name the files: --certificate FILE --private-key FILE, beside --stdin or alone."
PUBLIC_FIELD = "username"  # of credentials; whoever types the others should not see them


@dataclass(frozen=True, slots=True)
class Applied:
    """The configuration that holds now, and what it says differently from the one before."""

    version: int
    changes: list[str]


def make_instance(instance: Instance, *, new_key: bool = False) -> None:
    """Create the directory (0700), the database and the key (0600) where they are missing.

    KeyTrouble when the key is missing that sealed credentials, unless `new_key` asks for another;
    KeyTrouble too when `new_key` is asked while there is one.
    """
    make_home(instance.home)
    instance.store.migrate()
    file = instance.store.safe.keys.file
    if new_key or (file is not None and not file.exists()):
        by = acting.require(instance, "set credentials")
        instance.store.safe.make_key(by.name, anew=new_key)
    else:
        instance.store.safe.check()


def apply_project(instance: Instance, text: str | None = None) -> Applied:
    """Check a project file and make it the configuration; Misconfigured tells every mistake.

    Without `text` it is HOME/tieout.toml; with it, that file is written.
    """
    by = acting.require(instance, "configure")
    path = instance.home / PROJECT_FILE
    if text is None:
        if not path.exists():
            raise Misconfigured(
                f"There is no {path}.", do="Write it; `tieout init` makes an example."
            )
        text = read_file(path)
    if takes_two_people(instance, read_project(text, str(path))):
        raise Refused(
            "This change of the configuration takes two people.", untouched="Nothing was applied.",
            do="`tieout config apply --why …` proposes it to another person.",
        )  # fmt: skip
    write_file(path, text)
    before = instance.store.config()
    applied = instance.store.apply_config(text, by.name)
    changed = before is not None and before.version != applied.version
    told = differences(before.text, text) if before is not None and changed else []
    return Applied(applied.version, [f"{change}." for change in told])


def connection(instance: Instance, name: str) -> JdeConnection | AnaplanConnection:
    """A configured connection; Misconfigured lists those there are."""
    acting.require(instance, "set credentials")  # before a password is asked for
    instance.store.safe.check()
    found = instance.project().connections
    if name not in found:
        raise Misconfigured(
            f"There is no connection {name!r}.",
            untouched="Nothing was kept.",
            do=f"Name one of: {', '.join(sorted(found)) or 'none is configured'}.",
        )
    return found[name]


def needed_fields(connection: JdeConnection | AnaplanConnection) -> tuple[str, ...]:
    """The fields of the credentials that a connection signs in with."""
    if isinstance(connection, JdeConnection) and connection.client_certificate:
        return (*_signing_in(connection), *CERTIFIED)
    return _signing_in(connection)


def _signing_in(connection: JdeConnection | AnaplanConnection) -> tuple[str, ...]:
    if connection.sign_in == "certificate":
        return CERTIFIED
    if connection.sign_in == "oauth":
        return consent.CLIENT_ID, consent.REFRESH_TOKEN
    return ("jwt",) if connection.sign_in == "jwt" else (PUBLIC_FIELD, "password")


def optional_fields(connection: JdeConnection | AnaplanConnection) -> tuple[str, ...]:
    """The fields that its credentials may have besides."""
    certified = certificates.CERTIFICATE in needed_fields(connection)
    return (
        *((certificates.PASSPHRASE,) if certified else ()),
        *(PROXY_LOGIN if connection.proxy else ()),
    )


def credentials_read(file: TextIO) -> dict[str, str]:
    """What `connect --stdin` is given; Misconfigured for more than credentials ever are."""
    return credentials_from(file.read(CREDENTIALS_CHARACTERS_MAX + 1))


def credentials_from(text: str) -> dict[str, str]:
    """The one JSON object of texts that `connect --stdin` reads; its content is never told."""
    fields = None
    if len(text) <= CREDENTIALS_CHARACTERS_MAX:
        with suppress(ValueError, RecursionError):
            fields = json.loads(text, object_pairs_hook=_once)
    if isinstance(fields, dict) and all(isinstance(v, str) for v in fields.values()):
        return fields
    raise Misconfigured(
        "What came on standard input is not one JSON object of texts, each field once.",
        untouched="Nothing was kept.",
        do='Give {"username": "…", "password": "…"}.',
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of an object; ValueError when one is given twice: which one is meant?"""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is given twice")
    return fields


def credentials_in(files: Mapping[str, str | None]) -> dict[str, str]:
    """Field → what stands in its file, of those that are named; Misconfigured where none is."""
    found = {}
    for field, name in files.items():
        if name is None:
            continue
        try:
            found[field] = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise Misconfigured(
                f"The file {name} cannot be read: {why}.", untouched="Nothing was kept.",
                do="Name a file in PEM.",
            ) from error  # fmt: skip
    return found


def connect(instance: Instance, name: str, fields: Mapping[str, str]) -> str:
    """Seal the credentials of a connection; returns the name of its secret.

    A certificate must hold now, and its key must fit; else nothing is kept.
    """
    by = acting.require(instance, "set credentials")
    found = connection(instance, name)
    secret = secret_name(found.secret)
    needed = needed_fields(found)
    example = json.dumps(dict.fromkeys(needed, "…"), ensure_ascii=False)
    missing = [f for f in needed if not fields.get(f)]
    strange = sorted(set(fields) - {*needed, *optional_fields(found)})
    if missing or strange:
        told = [f"lack {' and '.join(missing)}"] if missing else []
        told += [f"have {', '.join(strange)}, which nothing reads"] if strange else []
        raise Misconfigured(
            f"The credentials of {name} {' and '.join(told)}.",
            untouched="Nothing was kept.",
            do=f"Give one JSON object: {example}."
            + (BY_FILES if set(missing) & set(IN_FILES) else ""),
        )
    if certificates.CERTIFICATE in needed:
        certificates.pair_of(fields).holding(instance.clock.now())
    instance.store.safe.put(secret, dict(fields), by.name)
    return secret


def set_mapping(
    instance: Instance, dimension: str, source: str, target: str | None, why: str, since: str = ""
) -> int:
    """Map a JD Edwards code (range, pattern, `*`) to an Anaplan member; the table's version.

    A `target` of None withdraws the row; `=` lets what it takes stand for itself.
    `since`: the fiscal period from which it holds, such as 2025-04; empty: always.
    """
    by = acting.require(instance, "map")
    if since and not PERIOD.fullmatch(since):
        raise Misconfigured(
            f"{since!r} is no fiscal period.", untouched="Nothing was mapped.",
            do="Write fiscal year and period: 2025-04.",
        )  # fmt: skip
    if wrong := fault(source):
        raise Misconfigured(f"{wrong[0].upper()}{wrong[1:]}.", untouched="Nothing was mapped.")
    row = Row(_dimension(dimension), source, target, since, why)
    return instance.store.set_mappings([row], by.name)


def _dimension(word: str) -> str:
    key = word.replace("-", "_")
    if key in DIMENSIONS:
        return key
    raise Misconfigured(
        f"{word!r} is no dimension.",
        untouched="Nothing was mapped.",
        do=f"Name one of: {', '.join(d.replace('_', '-') for d in DIMENSIONS)}.",
    )


def mappings(instance: Instance) -> list[dict[str, Any]]:
    """Every mapping that holds now, with who set it, when and why."""
    return [_told(s) for d in DIMENSIONS for s in instance.store.mappings_that_hold(d)]


def mapping_history(instance: Instance, dimension: str, source: str) -> list[dict[str, Any]]:
    """Every mapping one code ever had, oldest first; a target of None is its withdrawal."""
    return [_told(s) for s in instance.store.mapping_history(_dimension(dimension), source)]


def _told(one: SetMapping) -> dict[str, Any]:
    m = one.mapping
    return {
        "dimension": m.dimension, "source": m.source, "target": m.target,
        "effective_from": m.effective_from, "version": one.version, "set_by": one.set_by,
        "set_at": one.set_at, "why": m.why,
    }  # fmt: skip


def sent_by(instance: Instance, dimension: str, source: str) -> list[str]:
    """The commands that send what a mapping changed: the replay of a run that waits, else runs."""
    with instance.store.database.read() as connection:
        waiting = desk.run_about(connection, UNMATCHED, _dimension(dimension), source)
    if waiting:
        return [f"tieout replay {waiting}"]
    flows = instance.applied().flows if instance.store.config() else {}
    names = [name for name, flow in flows.items() if isinstance(flow, LoadActuals)]
    return [f"tieout run {name}" for name in names] or ["tieout run FLOW"]
