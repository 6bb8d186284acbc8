"""Files of an import: the check of their columns, uploads that resume, downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tieout.anaplan.names import Model
from tieout.anaplan.session import Session, accepted, part
from tieout.anaplan.sign_in import WHO
from tieout.anaplan.wire import SEPARATORS, FileLayout, file_layout, whole
from tieout.errors import Misconfigured, Refused
from tieout.strict_json import plain

COMPLETE_SECONDS_MAX = 3_600.0  # "complete" of many gigabytes was seen to block for 40 minutes
CHUNK_SECONDS_MAX = 600.0
DOWNLOAD_BYTES_MAX = 2**30
GZIP = "application/x-gzip"
UNTOUCHED = "Nothing was changed in Anaplan."

Receipt = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A finished upload: how many chunks, how many of them were sent now, bytes after gzip."""

    chunks: int
    sent: int
    bytes: int


def check_columns(layout: FileLayout, import_name: str, columns: Sequence[str]) -> None:
    """Refuse a file that the import would read differently from how we write it.

    Anaplan does not look at an uploaded header: a renamed column loads "successfully" without its
    values (facts §4), so the stored layout is compared before anything is touched.
    """
    missing = [c for c in layout.headers if c not in columns]
    extra = [c for c in columns if c not in layout.headers]
    problems = []
    if missing:
        problems.append(f"it expects the columns {', '.join(missing)}, which are not configured")
    if extra:
        problems.append(f"it does not know the configured columns {', '.join(extra)}")
    if len(set(layout.headers)) != len(layout.headers):
        problems.append("its file has two columns of the same name")
    if layout.encoding.upper().replace("-", "") != "UTF8":
        problems.append(f"its file is declared as {layout.encoding or 'of unknown encoding'}")
    if layout.separator not in SEPARATORS or layout.quote != '"':
        problems.append(f"its separator is {layout.separator!r}, its text mark {layout.quote!r}")
    if (layout.header_row, layout.first_data_row) != (1, 2):
        problems.append(
            f"its header is in row {layout.header_row}, its data in row {layout.first_data_row}"
        )
    if layout.decimal_separator != ".":
        problems.append(f"its decimal separator is {layout.decimal_separator!r}")
    if problems:
        raise Misconfigured(
            f"The import {import_name!r} does not fit the file we send: "
            f"{plain('; '.join(problems))}.",
            untouched=UNTOUCHED,
            do="Correct `columns` of the flow, or set the import up again with a UTF-8 file, "
            'commas, text in ", header in row 1, data from row 2, a point before decimals.',
            who=WHO, code="import-columns",
        )  # fmt: skip


class Files:
    """The files of one model."""

    def __init__(self, session: Session, model: Callable[[], Model]) -> None:
        self._session, self._model = session, model

    def layout(self, import_id: str) -> FileLayout | None:
        """How an import reads its file; None when its source is not a file."""
        return file_layout(self._session.get(f"{self._model().path}/imports/{part(import_id)}"))

    def upload(
        self, file_id: str, chunks: Iterable[bytes], *, receipt: Receipt,
        have: Mapping[int, str], uploads: int,
    ) -> Uploaded:  # fmt: skip
        """Upload gzip `chunks` as the content of a file; see `Anaplan.upload`.

        The number of chunks is announced as unknown (-1) and the upload completed at the end: an
        import that starts before that fails, so half a file can never be loaded (facts 20), and the
        chunks need not be counted beforehand.
        """
        if not have:
            self._announce(file_id)
        count = sent = size = 0
        flying: dict[int, tuple[str, Future[None]]] = {}
        with ThreadPoolExecutor(max_workers=uploads) as pool:
            try:
                for number, chunk in enumerate(chunks):
                    count, digest = number + 1, hashlib.sha256(chunk).hexdigest()
                    size += len(chunk)
                    if have.get(number) == digest:
                        continue
                    flying[number] = (digest, pool.submit(self._put, file_id, number, chunk))
                    sent += 1
                    if len(flying) >= uploads:
                        _collect(flying, receipt, 1)
            finally:
                _collect(flying, receipt, len(flying))
        if not count:
            raise Refused("There is nothing to upload: the file is empty.", untouched=UNTOUCHED)
        self._complete(file_id, count)
        return Uploaded(count, sent, size)

    def download(self, file_id: str) -> Iterator[bytes]:
        """The content of a file, chunk by chunk; borders may fall inside a row."""
        yield from self.chunks_at(f"{self._model().path}/files/{part(file_id)}/chunks")

    def chunks_at(self, path: str) -> Iterator[bytes]:
        """The chunks listed at `path`; none when there are none (204, 400, 404: facts §3.5)."""
        listed = list(self._session.items(path, "chunks", none_at=(204, 400, 404)))
        size = 0
        for number in _numbers(listed):
            one = f"{path}/{number}"
            headers = {"Accept": "application/octet-stream"}
            answer = self._session.send(
                "GET", one, repeatable=True, headers=headers, timeout_seconds=CHUNK_SECONDS_MAX
            )
            body = accepted(answer, f"GET {one}").body
            size += len(body)
            if size > DOWNLOAD_BYTES_MAX:
                raise Refused(f"Anaplan's file has more than {DOWNLOAD_BYTES_MAX >> 20} MB.")
            yield body

    def _announce(self, file_id: str) -> None:
        path = f"{self._model().path}/files/{part(file_id)}"
        answer = self._session.send("POST", path, repeatable=True, json={"chunkCount": -1})
        _same_file(accepted(answer, f"POST {path}").json_object(), file_id)

    def _put(self, file_id: str, number: int, chunk: bytes) -> None:
        path = f"{self._model().path}/files/{part(file_id)}/chunks/{number}"
        answer = self._session.send(
            "PUT", path, repeatable=True, headers={"Content-Type": GZIP}, body=chunk,
            timeout_seconds=CHUNK_SECONDS_MAX,
        )  # fmt: skip
        if accepted(answer, f"PUT {path}").status != 204:
            raise Refused(
                f"Anaplan answered {answer.status} to chunk {number}, not 204: it is not certain "
                "that it was stored.",
                untouched="Nothing was imported.", evidence=answer.excerpt(),
            )  # fmt: skip

    def _complete(self, file_id: str, count: int) -> None:
        path = f"{self._model().path}/files/{part(file_id)}/complete"
        answer = self._session.send(
            "POST", path, repeatable=True, json={"id": file_id},
            timeout_seconds=COMPLETE_SECONDS_MAX,
        )  # fmt: skip
        told = _same_file(accepted(answer, f"POST {path}").json_object(), file_id)
        if told not in (None, -1, count):
            raise Refused(
                f"Anaplan counts {told} chunks of the file, but {count} were sent.",
                untouched="Nothing was imported.", do="Run again.",
            )  # fmt: skip


def _numbers(listed: Sequence[Mapping[str, object]]) -> list[int]:
    """0, 1, 2 … for the chunks of a list, which need not be sorted; Refused if one is missing."""
    ids = {str(chunk.get("id")) for chunk in listed}
    if ids != {str(number) for number in range(len(listed))}:
        raise Refused(
            f"Anaplan lists {len(listed)} chunks of a file, but not those from 0 to "
            f"{len(listed) - 1}.",
            do="Run again; if it stays so, ask Anaplan's support.",
            evidence=plain(", ".join(sorted(ids))),
        )
    return list(range(len(listed)))


def _collect(flying: dict[int, tuple[str, Future[None]]], receipt: Receipt, how_many: int) -> None:
    """Wait for the oldest `how_many` uploads; note every receipt, then raise the first failure."""
    failure: BaseException | None = None
    for number in list(flying)[:how_many]:
        digest, future = flying.pop(number)
        error = future.exception()
        if error is None:
            receipt(number, digest)
        failure = failure or error
    if failure is not None:
        raise failure


def _same_file(answer: Mapping[str, object], file_id: str) -> int | None:
    """The chunk count of a file's answer; Refused if it is about another file.

    Anaplan makes a new file when it does not know the id, and says so only by the id it returns.
    """
    told = answer.get("file")
    if not isinstance(told, dict) or str(told.get("id")) != file_id:
        other = told.get("id") if isinstance(told, dict) else "no file"
        raise Refused(
            f"Anaplan answered about the file {plain(other)} instead of {file_id}: the import's "
            "file no longer exists, or another one was made.",
            untouched="Nothing was imported.", do="Set the import up again.", who=WHO,
        )  # fmt: skip
    count = told.get("chunkCount")
    return whole(count, "number of chunks") if count is not None else None
