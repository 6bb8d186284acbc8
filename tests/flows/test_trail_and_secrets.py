"""Every effect outside stands in the trail once; no credential stands anywhere in clear."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import polars as pl
import pytest
from books import Books, Make, assert_tied, told

from tieout.engine.story import Interrupted
from tieout.store.own_sqlite import sqlite3
from tieout.verbs import setting_up
from tieout.verbs.practice import credentials

STARTED = re.compile(r"/(imports|processes)/\d+/tasks$")
COMPLETED = re.compile(r"/files/\d+/complete$")


def effects(books: Books) -> tuple[int, int]:
    """How many files were completed and tasks started at Anaplan since the last look."""
    log = [e for e in books.requests("anaplan") if e["method"] == "POST"]
    return (
        sum(bool(COMPLETED.search(e["path"])) for e in log),
        sum(bool(STARTED.search(e["path"])) for e in log),
    )


OWN_STEPS = ("finished step",)  # told of every step; what remains is what touched the world
OF_THE_RUN = ("started run", "finished run")


def acts(books: Books, run: str) -> list[str]:
    return [entry.act for entry in books.store.audit(run=run) if entry.act not in OWN_STEPS]


def test_every_upload_and_every_start_of_a_run_stands_in_the_trail(books: Books) -> None:
    books.event("late_post")
    effects(books)

    run = books.run()

    assert effects(books) == (1, 1)
    told_acts = acts(books, run.id)
    assert told_acts == [
        "started run", "uploaded", "started import", "import finished", "finished run",
    ]  # fmt: skip
    steps = {step.name for step in books.store.steps(run.id)}
    every = books.store.audit(run=run.id)
    within = [e for e in every if e.act not in OF_THE_RUN]
    assert {entry.step for entry in within} <= steps
    assert all(entry.actor == run.started_by for entry in books.store.audit(run=run.id))
    task = next(e for e in within if e.act == "started import").told["task"]
    assert task in {t["id"] for t in books.control("anaplan", "state")["tasks"]}
    assert books.store.verify_audit().whole


def test_a_quiet_run_and_a_tie_out_tell_of_no_effect(books: Books) -> None:
    for run in (books.run(), books.tie_out()):
        assert acts(books, run.id) == ["started run", "finished run"], told(books, run)


def dies() -> None:
    raise Interrupted("between the effect and its record")


@pytest.mark.parametrize(
    ("step", "act"),
    [
        ("upload the file", "uploaded"),
        ("start the import", "started import"),
        ("keep the dump", "import finished"),
    ],
)
def test_a_step_that_died_before_its_commit_told_nothing_and_tells_it_once_when_carried_on(
    books: Books, step: str, act: str
) -> None:
    books.event("late_post")
    with pytest.raises(Interrupted):
        books.run(meanwhile={f"{step}:inside": dies})
    run = books.store.unfinished_run("actuals")
    assert run is not None
    assert act not in acts(books, run.id)
    assert step not in {s.name for s in books.store.steps(run.id)}

    last = books.carry_on(run, {})

    assert_tied(books, last)
    assert acts(books, run.id).count(act) == 1
    assert books.store.verify_audit().whole


def test_mappings_configuration_and_credentials_leave_an_entry_each(books: Books) -> None:
    before = books.store.verify_audit().entries
    instance = books.instance
    setting_up.set_mapping(instance, "account", "1110", "1120", "the controller asked")
    setting_up.set_mapping(instance, "account", "1110", None, "and took it back")
    books.set_actuals("sweep_days = 6")
    setting_up.connect(instance, "erp", credentials(books.home)["jde"])

    entries = books.store.audit(after=before)

    assert [entry.act for entry in entries] == [
        "set mapping", "withdrew mapping", "applied configuration", "set credential",
    ]  # fmt: skip
    assert entries[0].object == "account 1110"
    assert entries[0].told["why"] == "the controller asked"
    assert "username" in entries[3].told["fields"]
    assert books.store.verify_audit().whole


def test_a_changed_entry_of_the_trail_is_found(books: Books) -> None:
    assert books.store.verify_audit().whole
    books.instance.close()
    db = sqlite3.connect(books.home / "tieout.sqlite")
    triggers = db.execute("select name from sqlite_master where type = 'trigger'").fetchall()
    for (name,) in triggers:
        db.execute(f'drop trigger "{name}"')
    db.execute("update audit set object = 'another' where seq = 5")
    db.commit()
    db.close()

    verdict = books.store.verify_audit()

    assert (verdict.whole, verdict.first_bad) == (False, 5)


# ---------------------------------------------------------------------- secrets


def spellings(secret: str) -> dict[str, bytes]:
    """A secret in clear, as base64 at each of its three alignments, and as part of a URL."""
    found = {"clear": secret, "in a URL": quote(secret, safe=""), "in a form": quote_plus(secret)}
    found["in JSON"] = json.dumps(secret)[1:-1]
    found["backwards"] = secret[::-1]
    found["hexadecimal"] = secret.encode().hex()
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + secret.encode())
        found[f"base64, {shift} bytes behind"] = coded[4 if shift else 0 : -4].decode()
    return {name: text.encode() for name, text in found.items()}


def everything_kept(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the instance as bytes, the packed ones unpacked; the practice systems' not."""
    for path in sorted(home.rglob("*")):
        if not path.is_file() or "sim" in path.relative_to(home).parts:
            continue
        data = path.read_bytes()
        yield str(path), data
        if path.suffix == ".parquet":
            yield f"{path}, unpacked", str(pl.read_parquet(path).to_dicts()).encode()
        if path.suffix == ".gz":
            yield f"{path}, unpacked", gzip.decompress(data)


def tokens_used(books: Books) -> set[str]:
    """The session tokens that the practice JD Edwards saw."""
    bodies = [json.loads(e["body"] or "{}") for e in books.requests("jde") if "logout" in e["path"]]
    return {body["token"] for body in bodies if "token" in body}


def test_no_password_or_token_stands_in_any_table_record_or_log(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    books = make(lines=300)
    books.load_everything()
    books.fault("jde", "status", status=500, body="{}", path="/dataservice$")
    books.fault("anaplan", "status", status=503, body="", times=99, path="/token/authenticate")
    books.event("late_post")
    books.run()
    books.no_more_faults()
    secrets = {
        f"password of {system}": user["password"]
        for system, user in credentials(books.home).items()
    }
    tokens = tokens_used(books)
    assert tokens
    secrets |= {f"token {n}": token for n, token in enumerate(sorted(tokens))}
    books.instance.close()

    kept = [*everything_kept(books.home), ("the log", caplog.text.encode())]

    assert len(kept) > 20
    found = [
        f"{what} stands {how} in {where}"
        for what, secret in secrets.items()
        for how, spelled in spellings(secret).items()
        for where, data in kept
        if spelled in data
    ]
    assert found == []


def test_the_search_for_secrets_finds_one_that_is_there(books: Books) -> None:
    password = credentials(books.home)["jde"]["password"]
    planted = base64.b64encode(f"TIEOUT:{password}".encode())
    (books.home / "planted.log").write_bytes(b"Authorization: Basic " + planted)

    found = [
        name
        for name, data in everything_kept(books.home)
        if any(spelled in data for spelled in spellings(password).values())
    ]

    assert found == [str(books.home / "planted.log")]
