"""The sealed sign-in of an instance's directory: the token that `tieout login` keeps there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tieout.errors import KeyTrouble
from tieout.store import vault
from tieout.store.database import saying_what_failed
from tieout.store.disk import flush_directory, write_private
from tieout.store.keys import KeyPlace

SIGN_IN_FILE = "sign-in"
_NAME = "the sign-in of this directory"  # sealed under it: no connection's secret can be put here


def keep(home: Path, keys: KeyPlace, token: str) -> None:
    """Seal `token` in the directory, in place of the one before."""
    sealed = vault.seal(keys.newest(), _NAME, {"token": token})
    part = home / f"{SIGN_IN_FILE}-{secrets.token_hex(8)}.part"
    with saying_what_failed():
        try:
            write_private(part, sealed.encode())
            part.replace(home / SIGN_IN_FILE)
        finally:
            part.unlink(missing_ok=True)
        flush_directory(home)


def reseal(home: Path, keys: KeyPlace) -> None:
    """Seal the kept token with the newest key, so that the one before can leave."""
    if kept := token(home, keys):
        keep(home, keys, kept)


def token(home: Path, keys: KeyPlace) -> str:
    """The token of the sealed sign-in, empty without one; KeyTrouble when it does not open."""
    failed_on: str | None = None
    while (sealed := _sealed(home)) is not None:  # ends when nobody changes the key meanwhile
        try:
            return keys.opened(_NAME, sealed)["token"]
        except KeyTrouble as trouble:  # perhaps it was changed since that was read
            if sealed == failed_on:
                raise _unreadable(home, trouble.what) from trouble
        failed_on = sealed
    return ""


def _sealed(home: Path) -> str | None:
    try:
        return (home / SIGN_IN_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        words = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it is no text"
        raise _unreadable(home, words) from error


def forget(home: Path) -> bool:
    """Take the sealed sign-in away; whether there was one."""
    there = (home / SIGN_IN_FILE).exists()
    (home / SIGN_IN_FILE).unlink(missing_ok=True)
    return there


def _unreadable(home: Path, why: str) -> KeyTrouble:
    return KeyTrouble(
        f"The sign-in kept in {home / SIGN_IN_FILE} does not open: {why}",
        untouched="Nothing was done.",
        do="`tieout login` signs in anew; `tieout login --forget` takes it away.",
    )
