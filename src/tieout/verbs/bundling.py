"""The support file of `tieout doctor --bundle`: what helps to find a fault, without any secret.

What could be one is blotted out three times: what is known to be secret on this machine, in every
spelling; what looks like a secret (`strict_json.plain`); and every number with decimals, which may
be an amount of the ledger.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tieout.app import Instance
from tieout.errors import Misconfigured, Trouble
from tieout.redaction import BLOT, SECRET_CHARACTERS_MIN, spellings
from tieout.settings import Environment
from tieout.store.disk import write_private
from tieout.store.people import TOKEN_PREFIX
from tieout.strict_json import plain
from tieout.verbs.words import moment

LOG_FILE, LOG_BYTES_MAX, LOG_LINES_MAX = "tieout.log", 200_000, 300
RUNS_MAX = 20
_AMOUNT = re.compile(r"(?<![\w.])-?\d[\d,']*\.\d+(?![\w.]*\.\d)")
_TOKEN = re.compile(TOKEN_PREFIX + r"[\w-]{8,}")  # of a user; also of one who does not act here
_SECRET_NAME = re.compile("KEY|SECRET|TOKEN|PASS|CREDENTIAL", re.IGNORECASE)


def write(
    path: Path, found: Mapping[str, Any], environment: Environment, instance: Instance | None
) -> str:
    """Write the ZIP (0600) where no file is yet; its path. Misconfigured when that is not so."""
    redact = _Redact(_known(environment, instance))
    parts = {
        "doctor.json": _json(found, redact),
        "versions.json": json.dumps(_versions(), indent=1) + "\n",
        "environment.json": _json(_environment(environment), redact),
        "tieout.log": "\n".join(map(redact.line, _log(environment.home))) + "\n",
        "runs.txt": "\n".join(map(redact.line, _runs(instance))) + "\n",
        "configuration.json": _json(_configuration(instance), redact),
    }
    try:
        write_private(path, b"")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, text in parts.items():
                file.writestr(name, text)
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written: {error.strerror}.", do="Name a new file with --bundle."
        ) from error
    return str(path)


class _Redact:
    """Blots out what is known, what looks like a secret, and amounts."""

    def __init__(self, known: Iterable[str]) -> None:
        spelled = {way for secret in known for way in spellings(secret)}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def line(self, text: str) -> str:
        """One line, which may be cut."""
        known = _TOKEN.sub(BLOT, self._known.sub(BLOT, text))
        return _AMOUNT.sub(BLOT, plain(known))

    def value(self, value: Any) -> Any:
        """The texts in a JSON value."""
        if isinstance(value, str):
            return self.line(value)
        if isinstance(value, Mapping):
            return {self.line(str(name)): self.value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        return value


def _known(environment: Environment, instance: Instance | None) -> set[str]:
    """Everything on this machine that is a secret, as far as it can be opened."""
    urls = (environment.database, environment.records, environment.anchor)
    known = {
        environment.token,
        *environment.key.chosen.get("TIEOUT_KEY", "").split(),
        *(urlsplit(url).password or "" for url in urls),
    }
    known |= {v for n, v in environment.standard.items() if _SECRET_NAME.search(n)}
    known |= {urlsplit(v).password or "" for v in environment.standard.values() if "://" in v}
    for name in ("key", "trail-key", "sign-in"):
        file = environment.home / name
        if file.is_file():
            known.update(file.read_text(encoding="utf-8", errors="replace").split())
    known |= _opened(instance) if instance else set()
    return {secret for secret in known if len(secret) >= SECRET_CHARACTERS_MIN}


def _opened(instance: Instance) -> set[str]:
    """What the vault holds; what cannot be opened here was not used here either."""
    known: set[str] = set()
    with suppress(Trouble):
        for note in instance.store.safe.listed():
            with suppress(Trouble):
                known |= set(instance.store.safe.opened(note.name).values())
    return known


def _json(value: object, redact: _Redact) -> str:
    plain_value = json.loads(json.dumps(value, default=str))
    return json.dumps(redact.value(plain_value), indent=1, ensure_ascii=False) + "\n"


def _versions() -> dict[str, Any]:
    packages = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {
        "python": platform.python_version(), "platform": platform.platform(),
        "packages": dict(sorted(packages.items())),
    }  # fmt: skip


def _environment(environment: Environment) -> dict[str, Any]:
    """Which variables are set; the values of those alone that cannot be secret."""
    return {
        "home": str(environment.home), "database": urlsplit(environment.database).scheme,
        "records": environment.records, "log": environment.log_level,
        "anchor": bool(environment.anchor), "token": bool(environment.token),
        "standard": sorted(environment.standard),
    }  # fmt: skip


def _log(home: Path) -> list[str]:
    """The last lines of the log."""
    path = home / LOG_FILE
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES_MAX))
        return file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES_MAX:]


def _runs(instance: Instance | None) -> Iterator[str]:
    """When, which, how it ended: of the last runs."""
    try:
        for run in instance.store.runs(limit=RUNS_MAX) if instance else ():
            yield f"{moment(run.started_at)} {run.id} {run.outcome}: {run.sentence}"
    except Trouble as told:
        yield told.sentence()


def _configuration(instance: Instance | None) -> object:
    """The applied configuration without its comments; it names secrets and holds none."""
    try:
        return msgspec.to_builtins(instance.applied()) if instance else {}
    except Trouble as told:
        return {"problem": told.sentence()}
