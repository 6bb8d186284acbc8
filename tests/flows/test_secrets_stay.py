"""No password, token or key leaves the vault: not in a file, a log, an export or a process."""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
import pytest
from books import Books
from canaries import Canaries, spellings

from tieout.errors import Trouble
from tieout.store import sign_in
from tieout.verbs import doctoring, exporting, keeping_keys, pinging, seeing
from tieout.verbs.checking import Looking
from tieout.verbs.evidence import making
from tieout.verbs.practice import credentials

LIBRARIES = ("httpx2", "httpcore2", "sqlalchemy", "dbos", "asyncio", "alembic", "tieout")
SIM = ("sim", "credentials.json", "template.json")  # of the practice systems, not ours
PAGE = "https://ais.example.com/jderest/v2/dataservice/next?token={}&more=1"


@contextmanager
def everything_logged(path: Path) -> Iterator[None]:
    """Every library at DEBUG, whatever it was set to."""
    root, written = logging.getLogger(), logging.FileHandler(path)
    written.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    names = [n for n in logging.Logger.manager.loggerDict if n.startswith(LIBRARIES)]
    loggers = [root, *map(logging.getLogger, names)]
    before = [logger.level for logger in loggers]
    root.addHandler(written)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        root.removeHandler(written)
        written.close()


def anaplan_tokens(books: Books) -> list[str]:
    return [row[0] for row in books.systems.anaplan.state.rows("select value from tokens")]


def test_no_secret_is_found_anywhere_after_runs_failures_exports_and_a_rotation(
    books: Books, tmp_path: Path
) -> None:
    held = credentials(books.home)
    secrets = {f"password of {system}": user["password"] for system, user in held.items()}
    sessions, tokens = set[str](), set[str]()

    def at_every_moment(step: str, point: str) -> None:
        sessions.update(session.token for session in books.systems.jde.sessions.living())
        tokens.update(anaplan_tokens(books))

    log = tmp_path / "debug.log"
    with everything_logged(log):
        secrets["key"] = (books.home / "key").read_text().strip()
        for flow in ("accounts", "actuals"):
            told_run = books.told(books._begun(flow, "", {"full": True}), at_every_moment)
            assert told_run.outcome == "complete", told_run.sentence
        books.fault("jde", "status", path="/tokenrequest", status=500, times=1, body=json.dumps(
            {"message": f"login with {held['jde']['password']} failed"}))  # fmt: skip
        told = [json.dumps(pinging.ping(books.instance), default=str)]
        books.no_more_faults()
        run = books.told(books._begun("actuals", "", {}), at_every_moment)
        with suppress(Trouble):
            making.make(books.instance, "2025-03", None, tmp_path / "out" / "evidence.zip")
        asked = exporting.Asked("actuals", "2025-03")
        with suppress(Trouble):
            exporting.export(books.instance, asked, tmp_path / "out" / "tie-out.xlsx")
        looking = Looking(books.instance.environment, peers=True)
        told.append(json.dumps(doctoring.examine(looking, tmp_path / "bundle.zip"), default=str))
        told.append(json.dumps(keeping_keys.rotate(books.instance), default=str))
        told.append(json.dumps(seeing.run_as_json(run), default=str))
        logging.getLogger("some.library").warning("GET %s", PAGE.format(max(sessions)))
        logging.getLogger("some.library").info("of before: %s", PAGE.format("044unknownToken9x"))
    secrets["token of a person"] = "tieout_canary_of_a_person_31c8"
    sign_in.keep(books.home, books.store.safe.keys, secrets["token of a person"])
    secrets |= {f"session {n} of JD Edwards": token for n, token in enumerate(sorted(sessions))}
    secrets |= {f"token {n} of Anaplan": token for n, token in enumerate(sorted(tokens))}
    assert len(secrets) >= 8, (sorted(secrets), books.requests("anaplan"))

    canaries = Canaries(secrets)
    keys = tuple(path.name for path in books.home.glob("key*"))
    found = [*canaries.in_files(books.home, SIM + keys), *canaries.in_files(tmp_path, ("home",))]
    found += canaries.in_bytes("\n".join(told).encode(), "what the verbs told")
    with subprocess.Popen(
        [sys.executable, "-m", "tieout", "--home", str(books.home), "ping", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while process.poll() is None:
            found += canaries.in_process(process.pid)
            time.sleep(0.05)
        found += canaries.in_bytes(process.stdout.read(), "what the command printed")
    assert found == []

    text = log.read_text()
    assert "httpcore2.http11: send_request_headers" in text, "the log is as talkative as it can be"
    assert "INSERT INTO" in text
    assert "044unknownToken9x" not in text, "a token that this process never saw"
    assert "more=1" in text


PLANTED = "canary-9f2b-ümlaut/with+signs"


def parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"remark": ["rent", f"{PLANTED} x"]}).write_parquet(file, compression="zstd")
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.csv.gz", gzip.compress(f"a,{PLANTED}".encode()))
    return file.getvalue()


@pytest.mark.parametrize(
    "planted",
    [
        *sorted(spellings(PLANTED)),
        base64.b64encode(f"TIEOUT:{PLANTED}!".encode()),
        b"before" + gzip.compress(f"token={PLANTED}".encode()) + b"behind",
        parquet(),
        zipped(),
    ],
    ids=repr,
)
def test_a_planted_secret_is_found(tmp_path: Path, planted: bytes) -> None:
    (tmp_path / "file").write_bytes(b"\0\1" + planted if planted[:1].isalnum() else planted)
    if planted[:4] in (b"PAR1", b"PK\x03\x04"):
        (tmp_path / "file").write_bytes(planted)
    assert list(Canaries({"it": PLANTED}).in_files(tmp_path))


def test_a_planted_secret_is_found_in_the_command_line_of_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print(flush=True); input()", PLANTED]
    environment = {"PASSWORD": PLANTED}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # it runs
        found = list(Canaries({"it": PLANTED}).in_process(process.pid))
        process.stdin.write(b"\n")
    assert found == ["it in /proc/…/cmdline", "it in /proc/…/environ"]
