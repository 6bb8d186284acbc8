"""Seals credentials with AES-256-GCM under the key of the instance, kept out of the database.

Each secret has a data key of its own, wrapped by the instance's key; each field is sealed under the
data key with the secret's name and the field's name as associated data, so that a sealed text moved
to another name, a field moved to another field, a changed byte or a field left out does not open.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tieout.errors import KeyTrouble
from tieout.store.columns import canonical
from tieout.store.database import saying_what_failed
from tieout.store.disk import flush_directory, write_private

KEY_FILE = "key"
KEY_BYTES = 32
KEYS_MAX = 4  # of one place: the one that seals, the one before or after it, and what was left
OTHERS = 0o077  # of a file that its owner alone may read (0600 or 0400)
OPENS = "opens the stored credentials"
NONCE_BYTES = 12
FINGERPRINT_DIGITS = 16
FORMAT = "tieout secret 1"
MOVE = "move this file away, then "


@dataclass(frozen=True, slots=True)
class Key:
    """The key of an instance; its fingerprint may be shown, its bytes never."""

    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling what they are."""
        digest = hashlib.sha256(b"tieout key fingerprint\0" + self.secret).hexdigest()
        return digest[:FINGERPRINT_DIGITS]


def draw_key() -> Key:
    """A new key, which nobody knows yet."""
    return Key(secrets.token_bytes(KEY_BYTES))


def spelled(key: Key) -> bytes:
    """A key as its file holds it: a line of base64."""
    return base64.b64encode(key.secret) + b"\n"


def make_key(path: Path) -> Key:
    """Draw a key and write it to `path` (0600); KeyTrouble when a file is there already.

    The file is there whole or not at all, and a power cut does not take it away again.
    """
    key = draw_key()
    part = path.with_name(f"{path.name}-{secrets.token_hex(8)}.part")
    with saying_what_failed():
        try:
            write_private(part, spelled(key))
            os.link(part, path)  # a rename would overwrite
        except FileExistsError:
            raise KeyTrouble(
                f"There is a key in {path} already.",
                untouched="It was left as it is, for it opens what it sealed.",
                do="If it is the wrong one, move it away first.",
            ) from None
        finally:
            part.unlink(missing_ok=True)
        flush_directory(path.parent)
    return key


def replace_keys(path: Path, keys: Sequence[Key]) -> None:
    """Let the file hold `keys`, one a line, oldest first: whole, at once, and on the disk."""
    part = path.with_name(f"{path.name}-{secrets.token_hex(8)}.part")
    with saying_what_failed():
        try:
            write_private(part, b"".join(map(spelled, keys)))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        flush_directory(path.parent)


def keys_in(text: bytes) -> tuple[Key, ...]:
    """The keys of a text, oldest first: 32 bytes each as base64; ValueError for all else."""
    words = text.split()
    found = tuple(Key(base64.b64decode(word, validate=True)) for word in words)
    if not 0 < len(found) <= KEYS_MAX or any(len(key.secret) != KEY_BYTES for key in found):
        raise ValueError(f"it holds {len(found)} keys, or something else")
    return found


def read_key(path: Path, does: str = OPENS, lost: str = "") -> Key:
    """The one key in `path`; KeyTrouble when it is missing, readable by others, or not a key.

    `does` says what it is for, `lost` what to do without it.
    """
    found = read_keys(path, does, lost)
    if len(found) > 1:
        raise no_key(str(path), "it holds several keys", does, lost or if_lost(MOVE))
    return found[0]


def read_keys(
    path: Path, does: str = OPENS, lost: str = "", seen_by: int = OTHERS
) -> tuple[Key, ...]:
    """The keys in `path`, oldest first; KeyTrouble as `read_key`.

    `seen_by`: the bits of the mode of a file that others can read.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise no_key(str(path), "there is no such file", does, lost or if_lost()) from error
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise no_key(str(path), why, does, lost or if_lost(MOVE)) from error
    if mode & seen_by:
        raise KeyTrouble(
            f"Other users of this machine can read the key in {path} (mode {mode & 0o777:o}).",
            untouched="Nothing was opened with it.",
            do=f"chmod 600 {path}; if others may have read it, change the passwords it protects.",
            who="who runs this machine",
        )
    try:
        return keys_in(text)
    except ValueError as error:
        raise no_key(str(path), "it is not a key", does, lost or if_lost(MOVE)) from error


def no_key(where: str, why: str, does: str = OPENS, lost: str = "") -> KeyTrouble:
    """The refusal of a place that holds no key."""
    return KeyTrouble(
        f"The key that {does} cannot be read from {where}: {why}.",
        untouched="Nothing was written to the database; what it sealed was left as it is.",
        do=f"Put the key of this instance back. {lost or if_lost()}",
        who="who keeps the key of this instance",
    )


def if_lost(first: str = "") -> str:
    """The way out for who cannot put a key back."""
    return (
        f"If it is lost, {first}`tieout init --new-key` makes another; then set each credential "
        "anew with `tieout connect NAME`."
    )


def seal(key: Key, name: str, fields: Mapping[str, str]) -> str:
    """The sealed text of a secret's fields, to be stored under `name` and nowhere else."""
    data_key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
    names = sorted(fields)
    sealed = {
        "format": FORMAT,
        "key": key.fingerprint,
        "data_key": _encrypt(key.secret, data_key, _for_data_key(name, names)),
        "fields": {
            part: _encrypt(data_key, fields[part].encode(), _for_field(name, part))
            for part in names
        },
    }
    return canonical(sealed)


def fingerprint_of(sealed: str) -> str:
    """The fingerprint of the key a text says it was sealed with; empty when it says none."""
    try:
        parts = json.loads(sealed)
    except ValueError:
        return ""
    return str(parts.get("key", "")) if isinstance(parts, dict) else ""


def unseal(key: Key, name: str, sealed: str) -> dict[str, str]:
    """The fields of a secret; KeyTrouble for another key or a text that was changed."""
    if (sealed_with := fingerprint_of(sealed)) != key.fingerprint:
        raise wrong_key(name, sealed_with, key.fingerprint)
    try:
        parts: dict[str, Any] = json.loads(sealed)
        if canonical(parts) != sealed or parts["format"] != FORMAT:
            raise _changed(name)
        fields: dict[str, Any] = parts["fields"]
        aad = _for_data_key(name, sorted(fields))
        data_key = _decrypt(key.secret, parts["data_key"], aad)
        return {
            part: _decrypt(data_key, fields[part], _for_field(name, part)).decode()
            for part in fields
        }
    except (InvalidTag, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _changed(name) from error


def rewrapped(old: Key, new: Key, name: str, sealed: str) -> str:
    """The same secret under another key: its data key is wrapped anew, its fields stay sealed.

    KeyTrouble when it does not open with `old`.
    """
    unseal(old, name, sealed)
    parts: dict[str, Any] = json.loads(sealed)
    aad = _for_data_key(name, sorted(parts["fields"]))
    data_key = _decrypt(old.secret, parts["data_key"], aad)
    again = {"key": new.fingerprint, "data_key": _encrypt(new.secret, data_key, aad)}
    return canonical(parts | again)


def wrong_key(name: str, sealed_with: str, found: str) -> KeyTrouble:
    """The refusal of a key that did not seal this secret."""
    return KeyTrouble(
        f"The credential {name} was sealed with the key {sealed_with or 'of no known name'}; "
        f"the key here is {found}.",
        untouched="The sealed credential was left as it is.",
        do=f"Put the key {sealed_with} back, or set the credential anew with `tieout connect NAME`."
        if sealed_with
        else "Set the credential anew with `tieout connect NAME`.",
        who="who keeps the key of this instance",
        code="key",
    )


def _changed(name: str) -> KeyTrouble:
    return KeyTrouble(
        f"The credential {name} does not open: it was changed after it was sealed, "
        "or belongs to another name.",
        untouched="The sealed credential was left as it is.",
        do="Restore the database, or set the credential anew with `tieout connect NAME`.",
        who="who runs this installation",
    )


def _for_data_key(name: str, fields: list[str]) -> bytes:
    return canonical([FORMAT, "data key", name, fields]).encode()


def _for_field(name: str, part: str) -> bytes:
    return canonical([FORMAT, "field", name, part]).encode()


def _encrypt(key: bytes, data: bytes, aad: bytes) -> str:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, data, aad)).decode()


def _decrypt(key: bytes, text: str, aad: bytes) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one spelling of these bytes")  # unused bits were changed
    return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], aad)
