"""Object storage as the place of the records: one object a file, read through copies of this disk.

An object is put whole under its final name or not at all; what no manifest row names is swept.
Whoever reads needs all bytes of a file anyway, to hash them: so each is fetched once and kept as a
copy on the disk of this machine, from which it is scanned like any file. Copies are worth nothing:
they may be removed at any time, and one that is damaged is fetched anew.

The library (obstore) reads the standard names of the environment for credentials itself; what
`tieout.settings` read of them goes before that.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore, from_url

from tieout.errors import Misconfigured, Refused, Trouble, Unavailable
from tieout.store.database import saying_what_failed
from tieout.store.disk import PART, filled, make_directory, swept

SCHEMES = ("s3", "az", "gs")
# What we hand on. Of credentials the library reads more by itself: those of a role, of a container.
OPTIONS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)  # fmt: skip
CHUNK_BYTES = 16 * 1024 * 1024  # a larger file goes up in parts of this size
PARTS_AT_ONCE_MAX = 4
LISTED_AT_ONCE_MAX = 1000
COPIES_BYTES_MAX = 8 * 1024**3
COPY_UNUSED_SECONDS_MIN = 3600  # a younger one may be of a scan that is going on
SWEPT = ".swept"  # its time is that of the last sweep by this machine
METADATA_ADDRESS = "169.254.169.254"  # asked for the credentials of a role when there are no others
UNTOUCHED = "Nothing was changed by this step."
WHO = "who runs the object storage"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take, and how often it is tried again."""

    connect_seconds: float = 5
    silent_seconds: float = 20  # without a byte
    request_seconds: float = 180
    retries_max: int = 4
    retrying_seconds: float = 60  # after which no further try begins


class Objects:
    """A bucket, or a prefix of one, as the place of the records (`store.files.Place`)."""

    def __init__(
        self, url: str, copies: Path, options: Mapping[str, str], patience: Patience | None = None
    ) -> None:
        """`options` by their names in the environment; `copies` may be a directory yet to be made.

        Asks nothing of the storage. Misconfigured when the URL or the options cannot be meant.
        """
        self.url, self.root = url, copies
        self._endpoint = _endpoint(url, options)
        self._store = _opened(url, options, patience or Patience())
        self._fetched_bytes = 0

    def write(self, path: str, fill: Callable[[BinaryIO], None]) -> tuple[int, str]:
        """Put what `fill` writes under its final name; it is safe when the storage says so."""
        with saying_what_failed(), self._part(path) as part:
            written = filled(part, fill)
            with self._asking("write", there_must_be=True):
                # A name of ours is drawn: what a repeated request overwrites is its own first try.
                obstore.put(
                    self._store, path, part, chunk_size=CHUNK_BYTES,
                    max_concurrency=PARTS_AT_ONCE_MAX,
                )  # fmt: skip
            part.rename(self.root / path)
        return written

    def size(self, path: str) -> int:
        """How many bytes the object has."""
        with self._asking("look for"):
            return obstore.head(self._store, path)["size"]

    def digest(self, path: str) -> str:
        """The SHA-256 of the object."""
        digest = hashlib.sha256()
        for chunk in self._chunks(path):
            digest.update(chunk)
        return digest.hexdigest()

    def local(self, path: str, *, anew: bool = False) -> Path:
        """The copy on this disk; the object is fetched when there is none."""
        copy = self.root / path
        if not anew and copy.exists():
            copy.touch()
            return copy
        with saying_what_failed(), self._part(path) as part:
            with part.open("xb") as file:
                for chunk in self._chunks(path):
                    self._fetched_bytes += file.write(chunk)
            part.rename(copy)
        if self._fetched_bytes > COPIES_BYTES_MAX // 8:
            self._fetched_bytes = 0
            self.make_room()
        return copy

    def remove(self, paths: Sequence[str]) -> None:
        """Delete the objects, and their copies on this disk."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)
        for start in range(0, len(paths), LISTED_AT_ONCE_MAX):
            with self._asking("delete"), suppress(FileNotFoundError):
                obstore.delete(self._store, paths[start : start + LISTED_AT_ONCE_MAX])

    def sweep(self, visible: Callable[[], set[str]], newest: float) -> list[str]:
        """Delete old objects, and copies of what is not kept any more.

        The storage is listed only when something can have become old since this machine last did.
        """
        mark, orphans = self.root / SWEPT, list[str]()
        if not mark.exists() or mark.stat().st_mtime <= newest:
            old = [path for path, written in self._listed() if written <= newest]
            kept = visible()
            orphans = sorted(path for path in old if path not in kept)
            self.remove(orphans)
            with saying_what_failed():
                make_directory(self.root)
                mark.touch()
        for name in swept(self.root, visible, newest):
            if name != SWEPT:
                (self.root / name).unlink(missing_ok=True)
        return orphans

    def _listed(self) -> list[tuple[str, float]]:
        with self._asking("list", there_must_be=True):
            pages = obstore.list(self._store, chunk_size=LISTED_AT_ONCE_MAX)
            return [(one["path"], one["last_modified"].timestamp()) for p in pages for one in p]

    def _chunks(self, path: str) -> Iterator[memoryview]:
        with self._asking("read"):
            for chunk in obstore.get(self._store, path).stream(CHUNK_BYTES):
                yield memoryview(chunk)

    @contextmanager
    def _part(self, path: str) -> Iterator[Path]:
        """Where to put what is not complete yet."""
        copy = self.root / path
        make_directory(copy.parent)
        part = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}{PART}")
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def make_room(self, bytes_max: int = COPIES_BYTES_MAX) -> None:
        """Remove copies, those used last excepted, until so few bytes of them are left."""
        copies = [(p, p.stat()) for p in self.root.rglob("*") if p.is_file()]
        left = sum(found.st_size for _, found in copies)
        oldest_first = sorted(copies, key=lambda copy: copy[1].st_mtime)
        for path, found in oldest_first:
            if left <= bytes_max or found.st_mtime > time.time() - COPY_UNUSED_SECONDS_MIN:
                return
            path.unlink(missing_ok=True)
            left -= found.st_size

    @contextmanager
    def _asking(self, verb: str, *, there_must_be: bool = False) -> Iterator[None]:
        """Say in words what the storage said; an object that is not there: FileNotFoundError.

        Where none has to be there (`there_must_be`), what is missing is the bucket.
        """
        try:
            yield
        except FileNotFoundError as error:
            if there_must_be or "NoSuchBucket" in str(error):
                raise self._no_bucket() from error
            if verb == "look for":  # the answer has no body that could say what is missing
                self._listed_some()
            raise FileNotFoundError("the object is not there") from None
        except BaseError as error:
            raise self._trouble(verb, str(error), type(error)) from None

    def _listed_some(self) -> None:
        with self._asking("list", there_must_be=True):
            next(iter(obstore.list(self._store, chunk_size=1)), None)

    def _trouble(self, verb: str, words: str, kind: type[BaseError]) -> Trouble:
        """What the library said, as one sentence without the secrets that may stand in it."""
        told = words.partition("\n\nDebug source")[0]
        status = re.search(r"status code: (\d{3})", told)
        code, message = (re.search(f"<{tag}>([^<]*)</{tag}>", told) for tag in ("Code", "Message"))
        said = " ".join(found[1] for found in (status, code, message) if found)
        number = 301 if "BareRedirect" in words else int(status[1]) if status else 0
        if code and code[1] == "NoSuchBucket":
            return self._no_bucket()
        if METADATA_ADDRESS in told:
            return self._no_credentials()
        if kind in (PermissionDeniedError, UnauthenticatedError) or number in (401, 403):
            return self._refused(f"refuses to {verb}", f" ({code[1]})" if code else "", said)
        if "certificate" in words.lower() or "UnknownIssuer" in words:
            return self._untrusted()
        if 300 <= number < 500 and number not in (408, 429):
            return self._refused(f"does not understand how to {verb}", "", said)
        return Unavailable(
            f"The object storage does not answer, or answers that it cannot: {self._where()}.",
            untouched=UNTOUCHED,
            do="Run the flow again when it answers: it goes on where it stopped.",
            who=WHO, evidence=said or _kind_of(words),
        )  # fmt: skip

    def _refused(self, what: str, why: str, said: str) -> Refused:
        return Refused(
            f"The object storage {what} files in {self._where()}{why}.",
            untouched=UNTOUCHED,
            do="See that AWS_ENDPOINT_URL and AWS_REGION are those of the bucket, that the "
            "credentials are right, and that they may list it and get, put and delete its objects.",
            who=WHO, evidence=said,
        )  # fmt: skip

    def _untrusted(self) -> Misconfigured:
        return Misconfigured(
            f"The certificate of {self._where()} is not one that this machine trusts.",
            untouched=UNTOUCHED,
            do="Let AWS_CA_BUNDLE name the file of the authority that signed it.", who=WHO,
        )  # fmt: skip

    def _no_credentials(self) -> Misconfigured:
        return Misconfigured(
            f"Nothing says with which credentials to open {self.url}.",
            untouched=UNTOUCHED,
            do="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role.",
            who="who runs this machine",
        )

    def _no_bucket(self) -> Misconfigured:
        return Misconfigured(
            f"There is no bucket {urlsplit(self.url).netloc} at {self._endpoint or 'the storage'}.",
            untouched=UNTOUCHED,
            do="Make it, or let TIEOUT_RECORDS name the one that has the records.", who=WHO,
        )  # fmt: skip

    def _where(self) -> str:
        return f"{self.url} at {self._endpoint}" if self._endpoint else self.url


def _endpoint(url: str, options: Mapping[str, str]) -> str:
    """The address that is asked, when it is not the vendor's own."""
    if not url.startswith("s3:"):
        return ""
    return options.get("AWS_ENDPOINT_URL_S3") or options.get("AWS_ENDPOINT_URL") or ""


def _opened(url: str, options: Mapping[str, str], patience: Patience) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc or parts.query or "@" in parts.netloc:
        raise Misconfigured(
            f"{parts.scheme}://{parts.hostname or ''} names no place for records.",
            untouched="Nothing was read or changed.",
            do="Let TIEOUT_RECORDS be a directory, or s3://bucket/prefix, az://container/prefix or "
            "gs://bucket/prefix.",
        )
    plain = options.get("AWS_ALLOW_HTTP", "").lower() == "true"
    if _endpoint(url, options).startswith("http:") and not plain:
        raise Misconfigured(
            f"{_endpoint(url, options)} would get the records unencrypted.",
            untouched="Nothing was read or changed.",
            do="Use an https address, or set AWS_ALLOW_HTTP=true if that is meant.",
        )
    handed = OPTIONS if parts.scheme == "s3" else ()
    config: Any = {name.lower(): options[name] for name in handed if options.get(name)}
    client: Any = {
        "allow_http": plain,
        "connect_timeout": timedelta(seconds=patience.connect_seconds),
        "read_timeout": timedelta(seconds=patience.silent_seconds),
        "timeout": timedelta(seconds=patience.request_seconds),
    }
    if ca_file := options.get("AWS_CA_BUNDLE"):
        client["root_certificate"] = _certificates(Path(ca_file))
    retry: Any = {
        "max_retries": patience.retries_max,
        "retry_timeout": timedelta(seconds=patience.retrying_seconds),
    }
    made: ObjectStore = from_url(url, config=config, client_options=client, retry_config=retry)
    return made


def _certificates(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"The certificates in {path} cannot be read: {error.strerror}.",
            untouched="Nothing was read or changed.",
            do="Let AWS_CA_BUNDLE name a file of certificates (PEM) that this process may read.",
            who="who runs this machine",
        ) from error


def _kind_of(words: str) -> str:
    """What kind of failure the library names: the words around it hold addresses and no more."""
    found = re.search(r"kind: (Connect|Timeout|Interrupted|Decode|Request|Unknown)", words)
    return found[1] if found else "no answer"
