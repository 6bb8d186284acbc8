"""The key of the trail: it seals every entry and signs every checkpoint, outside the database.

One secret in HOME/trail-key; the key of the seals (HMAC-SHA-256) and that of the signatures
(Ed25519) are derived from it by HKDF. It is not the key of the credentials: that one is replaced
when it may have been seen, and the trail must stay provable all the same (docs/decisions/0014).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tieout.errors import KeyTrouble
from tieout.store import vault

TRAIL_KEY_FILE = "trail-key"
FINGERPRINT_DIGITS = 16
SEALS, SIGNATURES = b"tieout trail seals 1", b"tieout trail signatures 1"
IF_LOST = (
    "If it is lost, `tieout init --new-key` begins a new one, and the trail tells it: the auditors "
    "must be told as well."
)


@dataclass(frozen=True)
class TrailKey:
    """The secret of one trail, and what is derived from it; only `public` may be shown."""

    secret: vault.Key

    def seal(self, text: str) -> str:
        """The keyed hash of an entry's spelling, as hexadecimal digits."""
        return hmac.new(self.seal_key, text.encode(), hashlib.sha256).hexdigest()

    def sign(self, text: str) -> str:
        """The signature of a checkpoint's spelling, as hexadecimal digits."""
        return self._signing.sign(text.encode()).hex()

    @cached_property
    def seal_key(self) -> bytes:
        """What an auditor must be given to check the seals, and could forge them with."""
        return self._derived(SEALS)

    @cached_property
    def public(self) -> str:
        """What anybody may have to check the signatures, as hexadecimal digits."""
        return self._signing.public_key().public_bytes_raw().hex()

    @cached_property
    def fingerprint(self) -> str:
        """The short name of this key, which every entry that it sealed bears."""
        return hashlib.sha256(bytes.fromhex(self.public)).hexdigest()[:FINGERPRINT_DIGITS]

    @cached_property
    def _signing(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._derived(SIGNATURES))

    def _derived(self, what_for: bytes) -> bytes:
        return HKDFExpand(SHA256(), 32, what_for).derive(self.secret.secret)


def make(path: Path) -> TrailKey:
    """Draw the key of a trail into `path` (0600); KeyTrouble when a file is there already."""
    return TrailKey(vault.make_key(path))


def read(path: Path) -> TrailKey:
    """The key in `path`; KeyTrouble when it is missing, readable by others, or not a key."""
    return _of(vault.read_key(path, "seals the trail", IF_LOST))


@lru_cache(maxsize=4)  # to derive what belongs to a key takes longer than to read it
def _of(secret: vault.Key) -> TrailKey:
    return TrailKey(secret)


def signed(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether `signature` is that of the Ed25519 key `public` under `text`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def another(path: Path, sealed_by: str, found: str) -> KeyTrouble:
    """The refusal to go on with a trail under a key that did not seal its last entry."""
    return KeyTrouble(
        f"The trail is sealed with the key {sealed_by}; the key in {path} is {found}.",
        untouched="Nothing was written to the database.",
        do=f"Put the key {sealed_by} there; every home on one database has the same. {IF_LOST}",
        who="who keeps the key of this instance",
    )
