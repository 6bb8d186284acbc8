"""One bucket of object storage, or a prefix of one, and what it says in one sentence each.

The library (obstore) reads the standard names of the environment for credentials itself; what
`tieout.settings` read of them goes before that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore, from_url

from tieout.errors import Misconfigured, Refused, Trouble, Unavailable

SCHEMES = ("s3", "az", "gs")
# What we hand on. Of credentials the library reads more by itself: those of a role, of a container.
OPTIONS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)  # fmt: skip
CHUNK_BYTES = 8 * 1024 * 1024  # a larger file goes up in parts of this size
PARTS_AT_ONCE_MAX = 4
LISTED_OBJECTS_MAX = 1000
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
    # How long what the storage acknowledged is there for certain: much less than a day, the age at
    # which orphans are swept.
    acknowledged_seconds: float = 6 * 3600


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing says of an object; `written` in seconds since 1970, by the storage's clock."""

    name: str
    written: float


class Bucket:
    """Objects by their names below the prefix; FileNotFoundError for one that is not there.

    Asks nothing of the storage before it has to.
    """

    def __init__(
        self, url: str, options: Mapping[str, str], patience: Patience | None = None,
        *, variable: str = "TIEOUT_RECORDS",
    ) -> None:  # fmt: skip
        """`options` by their names in the environment, of which `variable` names the URL.

        Misconfigured when the URL or the options cannot be meant.
        """
        self.url, self._variable = url, variable
        _require_meant(url, options, variable)
        self._endpoint = _endpoint(url, options)
        self._store = _opened(url, options, patience or Patience())

    def put(self, name: str, content: Path | bytes) -> None:
        """Put the whole object, in the place of one that has this name."""
        with self._asking("write", there_must_be=True):
            obstore.put(
                self._store, name, content, chunk_size=CHUNK_BYTES,
                max_concurrency=PARTS_AT_ONCE_MAX,
            )  # fmt: skip

    def size(self, name: str) -> int:
        """How many bytes it has."""
        with self._asking("look for"):
            return obstore.head(self._store, name)["size"]

    def chunks(self, name: str) -> Iterator[memoryview]:
        """Its content, piece by piece."""
        with self._asking("read"):
            for chunk in obstore.get(self._store, name).stream(CHUNK_BYTES):
                yield memoryview(chunk)

    def delete(self, names: Sequence[str]) -> None:
        """Delete those that are there."""
        for start in range(0, len(names), LISTED_OBJECTS_MAX):
            with self._asking("delete"), suppress(FileNotFoundError):
                obstore.delete(self._store, names[start : start + LISTED_OBJECTS_MAX])

    def listed(self, after: str | None = None) -> Iterator[Listed]:
        """All objects, in the order of their names; those behind the name `after` alone."""
        with self._asking("list", there_must_be=True):
            for page in obstore.list(self._store, offset=after, chunk_size=LISTED_OBJECTS_MAX):
                for one in page:
                    yield Listed(one["path"], one["last_modified"].timestamp())

    @contextmanager
    def _asking(self, verb: str, *, there_must_be: bool = False) -> Iterator[None]:
        """Say in words what the storage said; an object that is not there: FileNotFoundError.

        Where none has to be there (`there_must_be`), what is missing is the bucket.
        """
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchUpload" in str(error):  # said of parts that were given up: something failed
                raise self._trouble(verb, "the upload broke off", BaseError) from None
            if there_must_be or "NoSuchBucket" in str(error):
                raise self._no_bucket() from error
            if verb == "look for":  # the answer has no body that could say what is missing
                next(self.listed(), None)
            raise FileNotFoundError("the object is not there") from None
        except BaseError as error:
            raise self._trouble(verb, str(error), type(error)) from None

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
            do=f"Make it, or let {self._variable} name the right one.", who=WHO,
        )  # fmt: skip

    def _where(self) -> str:
        return f"{self.url} at {self._endpoint}" if self._endpoint else self.url


def _endpoint(url: str, options: Mapping[str, str]) -> str:
    """The address that is asked, when it is not the vendor's own."""
    if not url.startswith("s3:"):
        return ""
    return options.get("AWS_ENDPOINT_URL_S3") or options.get("AWS_ENDPOINT_URL") or ""


def _require_meant(url: str, options: Mapping[str, str], variable: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc or parts.query or "@" in parts.netloc:
        raise Misconfigured(
            f"{variable} names no place: {parts.scheme}://{parts.hostname or ''}.",
            untouched="Nothing was read or changed.",
            do=f"Let {variable} be a path, or s3://bucket/prefix, az://container/prefix or "
            "gs://bucket/prefix.",
        )
    if _endpoint(url, options).startswith("http:") and not _allows_http(options):
        raise Misconfigured(
            f"{_endpoint(url, options)} would be spoken to unencrypted.",
            untouched="Nothing was read or changed.",
            do="Use an https address, or set AWS_ALLOW_HTTP=true if that is meant.",
        )


def _allows_http(options: Mapping[str, str]) -> bool:
    return options.get("AWS_ALLOW_HTTP", "").lower() == "true"


def _opened(url: str, options: Mapping[str, str], patience: Patience) -> ObjectStore:
    handed = OPTIONS if url.startswith("s3:") else ()
    config: Any = {name.lower(): options[name] for name in handed if options.get(name)}
    client: Any = {
        "allow_http": _allows_http(options),
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
    try:
        made: ObjectStore = from_url(url, config=config, client_options=client, retry_config=retry)
    except BaseError as error:
        why = str(error).partition("\n")[0].partition("error: ")[2]
        raise Misconfigured(
            f"{url} cannot be opened: {why or 'its options are not right'}.",
            untouched="Nothing was read or changed.",
            do="docs/how-to/keep-records-in-object-storage.md tells which variables it needs.",
            who="who runs this machine",
        ) from error
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
