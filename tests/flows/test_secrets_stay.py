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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from books import Books
from canaries import Canaries, spellings

from tieout.sim.authority import make_authority
from tieout.store import sign_in
from tieout.store.runs import Ending, NewRun, Run
from tieout.verbs import (
    backing_up,
    doctoring,
    exporting,
    keeping_keys,
    notifying,
    pinging,
    seeing,
    setting_up,
)
from tieout.verbs.checking import Looking
from tieout.verbs.evidence import making
from tieout.verbs.practice import credentials

LIBRARIES = ("httpx2", "httpcore2", "sqlalchemy", "dbos", "asyncio", "alembic", "tieout")
SIM = ("sim", "credentials.json", "template.json")  # of the practice systems, not ours
CLIENT = "client-canary-2c81f0aa"
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


def seal_more(books: Books) -> dict[str, str]:
    """Secrets of every other kind, sealed; a line each that stands for them."""
    mine = make_authority().client("tieout")
    key = mine.private_key.splitlines()
    more = {
        "refresh token of a consent": "refresh-canary-8f1c77d2", "id of a client": CLIENT,
        "passphrase of a key": "passphrase-canary-51e0", "line of a private key": key[5],
        "password of a proxy": "proxy-canary-77aa0311", "path of a webhook": "hook-canary-0b9d4471",
    }  # fmt: skip
    safe = books.store.safe
    safe.put("consent", {"client_id": CLIENT, "refresh_token": more["refresh token of a consent"],
                         "access_token": "access-canary-19d3ab"}, "owner")  # fmt: skip
    safe.put("certificate", {"certificate": mine.certificate, "private_key": mine.private_key,
                             "passphrase": more["passphrase of a key"]}, "owner")  # fmt: skip
    login = {"proxy_username": "somebody", "proxy_password": more["password of a proxy"]}
    safe.put("proxied", login, "owner")
    nowhere = "http://127.0.0.1:9"
    books.change_flow("allow = [", f'allow = ["{nowhere}", ')
    applied = books.store.config()
    assert applied is not None
    team = '\n[notices.team]\nto = "secret://hook"\nallow_http = true\n'
    setting_up.apply_project(books.instance, applied.text + team)
    url = f"{nowhere}/{more['path of a webhook']}"
    notifying.connect(books.instance, "team", {"url": url})
    notifying.tell(books.instance)  # from now on
    return more | {"access token of a consent": "access-canary-19d3ab"}


def handed_out(books: Books, folder: Path, run: Run) -> list[str]:
    """Everything that leaves an instance, into `folder`; what the verbs told of it."""
    (folder / "out").mkdir()
    told = []
    making.make(books.instance, "2025-03", None, folder / "out" / "evidence.zip")
    asked = exporting.Asked("actuals", "2025-03")
    exporting.export(books.instance, asked, folder / "out" / "tie-out.xlsx")
    looking = Looking(books.instance.environment, peers=True)
    told.append(json.dumps(doctoring.examine(looking, folder / "bundle.zip"), default=str))
    told.append(json.dumps(keeping_keys.rotate(books.instance), default=str))
    backed_up = backing_up.back_up(books.instance, folder / "out" / "backup")
    told.append(json.dumps(backed_up, default=str))
    told.append(json.dumps(seeing.run_as_json(run), default=str))
    return told


MUST_BE_SEARCHED = (
    "tieout.sqlite", "tieout.sqlite-wal", "backup/", ".parquet, its columns", "debug.log",
    "evidence.zip, ", "tie-out.xlsx, ", "bundle.zip, ", "gzip at", "/proc/…/cmdline",
    "/proc/…/environ", "what the command printed",
)  # fmt: skip


def assert_searched(canaries: Canaries) -> None:
    """No kind of place was forgotten."""
    searched = "\n".join(canaries.searched)
    assert [place for place in MUST_BE_SEARCHED if place not in searched] == []


def test_no_secret_is_found_anywhere_after_runs_failures_exports_and_a_rotation(
    books: Books, tmp_path: Path, record_property: Callable[[str, object], None]
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
        secrets |= seal_more(books)
        for flow in ("accounts", "actuals"):
            told_run = books.told(books._begun(flow, "", {"full": True}), at_every_moment)
            assert told_run.outcome == "complete", told_run.sentence
        books.fault("jde", "status", path="/tokenrequest", status=500, times=1, body=json.dumps(
            {"message": f"login with {held['jde']['password']} failed"}))  # fmt: skip
        told = [json.dumps(pinging.ping(books.instance), default=str)]
        failed = books.store.new_run(NewRun("actuals", "load_actuals", "owner"))
        books.store.finish_run(failed.id, Ending("failed", "it failed", 4, {}))
        notifying.tell(books.instance)
        told.append(json.dumps(notifying.overview(books.instance), default=str))
        assert "was not reached" in told[-1], told
        books.no_more_faults()
        run = books.told(books._begun("actuals", "", {}), at_every_moment)
        told += handed_out(books, tmp_path, run)
        logging.getLogger("some.library").warning("GET %s", PAGE.format(max(sessions)))
        logging.getLogger("some.library").info("of before: %s", PAGE.format("044unknownToken9x"))
    secrets["token of a person"] = "tieout_canary_of_a_person_31c8"
    sign_in.keep(books.home, books.store.safe.keys, secrets["token of a person"])
    secrets |= {f"session {n} of JD Edwards": token for n, token in enumerate(sorted(sessions))}
    secrets |= {f"token {n} of Anaplan": token for n, token in enumerate(sorted(tokens))}
    assert len(secrets) >= 14, (sorted(secrets), books.requests("anaplan"))

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
    assert_searched(canaries)
    record_property("secrets searched for", len(secrets))
    record_property("spellings of them", len(canaries.ways))
    record_property("places searched for secrets", len(canaries.searched))
    record_property("secrets found", len(found))

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


PLACES = {
    "in a header": lambda: base64.b64encode(f"TIEOUT:{PLANTED}!".encode()),
    "in gzip": lambda: b"before" + gzip.compress(f"token={PLANTED}".encode()) + b"behind",
    "in Parquet": parquet,
    "in gzip in an archive": zipped,
    **{repr(spelt): spelt.__bytes__ for spelt in sorted(spellings(PLANTED))},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_secret_is_found(tmp_path: Path, place: str) -> None:
    planted = PLACES[place]()
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
