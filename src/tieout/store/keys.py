"""Where the key of an instance is kept: a file, the environment, systemd, or what a command prints.

Each place may hold several keys, one a line, oldest first: while a key is changed, the one before
and the one after it. Which of them seals is said by the database (`known_keys`).
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tieout.errors import Misconfigured
from tieout.redaction import hide
from tieout.settings import KEY_VARIABLES, KeySources
from tieout.store import vault
from tieout.store.vault import Key
from tieout.strict_json import plain

CREDENTIAL = "tieout-key"  # what systemd is told to load: LoadCredentialEncrypted=tieout-key:…
COMMAND_SECONDS_MAX = 30.0
COMMAND_BYTES_MAX = 4_096
# systemd lets the user of a service read its credentials by an access list, whose mask stands
# where the mode has the group; so only what everybody may read is refused.
EVERYBODY = 0o007
_printed: dict[str, tuple[Key, ...]] = {}  # command → what it printed to this process


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """One place of keys; they are read when they are needed, and a command once a process."""

    kind: Literal["file", "credential", "environment", "command"]
    what: str = field(repr=False)  # the path, the text or the command line
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # of the command

    @property
    def file(self) -> Path | None:
        """The file in which Tieout may make and change keys; None for places that others keep."""
        return Path(self.what) if self.kind == "file" else None

    @property
    def name(self) -> str:
        """What people call it; never a key."""
        if self.kind == "command":
            return f"what `{shlex.split(self.what)[0]} …` prints"
        return "the environment (TIEOUT_KEY)" if self.kind == "environment" else self.what

    def held(self, *, anew: bool = False) -> tuple[Key, ...]:
        """All keys, oldest first; KeyTrouble when there is none, or others may read it."""
        if self.kind == "file":
            return vault.read_keys(Path(self.what))
        if self.kind == "credential":
            return vault.read_keys(Path(self.what), seen_by=EVERYBODY)
        if self.kind == "environment":
            return self._parsed(self.what.encode())
        if anew or self.what not in _printed:
            _printed[self.what] = self._parsed(self._run())
        return _printed[self.what]

    def newest(self) -> Key:
        """The last of them."""
        return self.held()[-1]

    def find(self, fingerprint: str) -> Key | None:
        """The key of that name; a command is asked again before the answer is no."""
        for anew in (False, True):
            for key in self.held(anew=anew):
                if key.fingerprint == fingerprint:
                    return key
        return None

    def opened(self, name: str, sealed: str) -> dict[str, str]:
        """The fields sealed under `name`; KeyTrouble names the key it takes and those there are."""
        fingerprint = vault.fingerprint_of(sealed)
        key = self.find(fingerprint)
        if key is None:
            raise vault.wrong_key(name, fingerprint, self.fingerprints())
        return vault.unseal(key, name, sealed)

    def fingerprints(self) -> str:
        """The names of the keys that are here."""
        return ", ".join(key.fingerprint for key in self.held())

    def _parsed(self, text: bytes) -> tuple[Key, ...]:
        try:
            hide(*text.decode("ascii", "replace").split())
            return vault.keys_in(text)
        except ValueError as error:
            raise vault.no_key(self.name, "it is not a key") from error

    def _run(self) -> bytes:
        """What the command prints; it gets no shell, no input, and no key of ours."""
        try:
            done = subprocess.run(  # noqa: S603 - who runs this machine wrote it, no shell reads it
                shlex.split(self.what), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=COMMAND_SECONDS_MAX, env=dict(self.variables), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            why = f"it took longer than {COMMAND_SECONDS_MAX:.0f} seconds"
            raise vault.no_key(self.name, why) from error
        except OSError as error:
            raise vault.no_key(self.name, os.strerror(error.errno or 0)) from error
        if done.returncode:
            said = plain(done.stderr.decode("utf-8", "replace"))
            raise vault.no_key(self.name, f"it ended with exit code {done.returncode} ({said})")
        return done.stdout[:COMMAND_BYTES_MAX]


def place_for(home: Path, sources: KeySources) -> KeyPlace:
    """The one place of the key of an instance; Misconfigured when several are named."""
    named = [v for v in KEY_VARIABLES if sources.chosen.get(v)]
    if len(named) > 1:
        raise Misconfigured(
            f"{' and '.join(named)} name several places of one key.", untouched="Nothing was done.",
            do="Set one of them.", who="who runs this machine",
        )  # fmt: skip
    text, file, command = (sources.chosen.get(variable, "") for variable in KEY_VARIABLES)
    if text:
        return KeyPlace("environment", text)
    if command:
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        if not words:
            raise Misconfigured("TIEOUT_KEY_COMMAND is no command line.", do="Correct its quotes.")
        return KeyPlace("command", command, sources.variables)
    credential = Path(sources.credentials) / CREDENTIAL
    if not file and sources.credentials and credential.exists():
        return KeyPlace("credential", str(credential))
    return KeyPlace("file", file or str(home / vault.KEY_FILE))


def in_home(home: Path) -> KeyPlace:
    """The place of an instance that names no other: the file that `tieout init` makes."""
    return KeyPlace("file", str(home / vault.KEY_FILE))
