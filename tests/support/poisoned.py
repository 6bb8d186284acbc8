"""A demo home in which every text that came from people or other systems was made a hostile one.

It is written behind the product's back, so that nothing is left out because some door would have
refused it: what a page shows must be text wherever it came from.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from addresses import addresses
from demo_home import Home, copied
from hostile_words import words
from web_office import Browser

import tieout.store
from tieout.app import PROJECT_FILE, Instance
from tieout.core.policy import ROLES
from tieout.settings import Environment
from tieout.store import sessions
from tieout.store.columns import Json, Words
from tieout.store.own_sqlite import sqlite3
from tieout.store.schema import metadata
from tieout.store.sessions import NewSession
from tieout.verbs import running
from tieout.web.site import make_site
from tieout.web.view import Site

CAMPAIGN = bool({"xss", "all"} & set(os.environ.get("TIEOUT_CAMPAIGN", "").split(",")))
OTHER_ROWS = "[?&](form|after|before|rows|sort)="  # the same list, in another order or place
AT_ONCE = 20  # texts in one value; so many fewer passes are needed
PASSES = len(words()) // AT_ONCE
READER = "zoe"  # may see everything
# Texts of ours by which something is looked up or chosen; nobody else writes them.
OURS = {
    "app_binding": {"model", "id"}, "app_catalogue": {"change", "id"}, "app_command": {"key"},
    "app_token": {"scopes"}, "app_session": {"scopes", "handed_by"}, "app_user": {"roles"},
    "app_look": {"companies", "patterns"}, "app_position": {"value"}, "app_task": {"known"},
    "app_lease": {"known"}, "app_hold": {"name", "flow"}, "app_fire": {"flows"},
    "app_config": {"text"}, "app_identity": {"subject"}, "app_catalogued": {"place"},
    "app_asked_elsewhere": {"told"}, "app_reject": {"dimension", "currency"},
    "app_tried": {"who"}, "app_manifest": {"sums"}, "app_purged": {"totals"},
    "app_password": {"set_by", "handed_by"}, "app_run": {"asked"},
}  # fmt: skip
# Columns of the plain kind that hold texts of others all the same.
ALSO = {
    "app_open_cell": {"company", "account", "business_unit", "member"},
    "app_journal": {"batch_number", "document_number", "company"}, "app_proposal": {"text"},
    "app_certification": {"company"}, "app_baseline": {"company"}, "audit": {"object"},
}  # fmt: skip
LEAVES = {"audit": {"detail"}}
KEPT_KEYS = {"currency", "ledger", "layout", "rule", "period", "fiscal_year", "source", "kind"}
NO_WORDS = re.compile(r"-?\d[\d.,:TZ-]*|[0-9a-f]{12,}|")
COLUMNS = ("explanation", "remark", "description", "name", "approver", "subject", "what", "remedy")
# A row of each of the tables that a demo leaves empty; X becomes hostile.
ROWS: dict[str, dict[str, Any]] = {
    "app_cancel": {"run": "actuals-1", "asked_by": "X", "why": "X", "asked_at": "2026-01-05"},
    "app_hold": {"name": "audit-25", "flow": "", "company": "X", "why": "X", "placed_by": "X",
                 "placed_at": "2026-01-05", "released_by": "", "released_why": ""},
    "app_notice": {"notice": "desk", "about": "run actuals-1", "event": "failed",
                   "told": '{"a":"X"}', "state": "failed", "made_at": "2026-01-05",
                   "next_at": "2026-01-05", "tries": 3, "trouble": "X"},
    "app_proposal": {"id": "config-2", "state": "prepared", "base": 1, "text": "X", "sha256": "0",
                     "why": "X", "proposed_by": "X", "proposed_at": "2026-01-05"},
    "app_look": {"connection": "erp", "companies": "{}", "patterns": "{}", "trouble": "X"},
    "app_baseline": {"id": "baseline-1", "flow": "actuals", "company": "X", "state": "prepared",
                     "digest": "0", "balances": 1, "gross": "1.00", "why": "X",
                     "prepared_by": "X", "prepared_at": "2026-01-05"},
    "app_certification": {"flow": "actuals", "company": "X", "fiscal_year": 2025, "period": 11,
                          "state": "prepared", "digest": "0", "cells": 1, "run": "actuals-1",
                          "prepared_by": "X", "prepared_at": "2026-01-05", "reason": "X"},
    "app_purge": {"n": 1, "purged_at": "2026-01-05", "purged_by": "X", "digest": "0", "why": "X"},
}  # fmt: skip
# Rows beside those of a demo, for names by which others are looked up: of a user, and of a flow
# that no configuration has any more. Only in these rows are they hostile.
NAMED: dict[str, dict[str, Any]] = {
    "app_user": {"name": "X", "roles": '["viewer"]', "added_at": "2026-01-05", "added_by": "X"},
    "app_token": {"id": "0badcafe", "sha256": "0", "user": "X", "scopes": '["view"]',
                  "what_for": "X", "made_at": "2026-01-05", "made_by": "X", "handed_by": "X X",
                  "expires_at": "2026-01-05"},
    "app_run": {"id": "hostile-1", "flow": "X", "kind": "load_members", "number": 1,
                "started_by": "X", "trigger": "command", "started_at": "2026-01-05",
                "finished_at": "2026-01-05", "outcome": "failed", "sentence": "X",
                "exit_code": 4, "asked": "{}", "figures": "{}"},
    "app_reject": {"id": 900_001, "run": "hostile-1", "flow": "X", "state": "open",
                   "rule": "import-rejected", "severity": "reject", "subject": "X", "what": "X",
                   "remedy": "X", "company": "X", "dimension": "", "member": "X", "currency": "",
                   "cells": 1, "vendor_words": "X", "first_seen": "2026-01-05", "why": "X",
                   "pile": 900_001},
    "app_pile": {"id": 900_001, "flow": "X", "run": "hostile-1", "rule": "import-rejected",
                 "company": "X", "state": "open", "owner": "X", "currency": "", "rows": 1,
                 "cells": 1, "amounts": 0, "amount": "0"},
}  # fmt: skip
NAMES = {
    "app_user": {"name"}, "app_token": {"user"}, "app_run": {"flow"}, "app_reject": {"flow"},
    "app_pile": {"flow", "company", "owner"},
}  # fmt: skip
STANDS_AT = "2026-01-05T06:00:00.000000Z"


def _tables() -> dict[str, tuple[set[str], set[str]]]:
    """Every table: its columns of words, and those of JSON."""
    for module in pkgutil.iter_modules(tieout.store.__path__):
        importlib.import_module(f"tieout.store.{module.name}")
    found = {}
    for table in metadata.tables.values():
        ours, also = OURS.get(table.name, set()), ALSO.get(table.name, set())
        told = {c.name for c in table.columns if isinstance(c.type, Words)} - ours | also
        leaves = {c.name for c in table.columns if isinstance(c.type, Json)} - ours
        found[table.name] = (told, leaves | LEAVES.get(table.name, set()))
    return found


@dataclass
class Poisoned:
    """A home whose texts are those of one pass of `PASSES`; each field gets all of them in all."""

    home: Home
    texts: list[str] = field(default_factory=words)
    _kept: list[tuple[str, str, int, str, bool]] = field(default_factory=list)
    _rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    _files: list[tuple[str, Path, pl.DataFrame]] = field(default_factory=list)
    fields: int = 0

    def __post_init__(self) -> None:
        """Remember what stood there."""
        with sqlite3.connect(self.home.path / "tieout.sqlite") as database:
            for trigger in ("audit_no_update", "audit_no_delete", "audit_follows"):
                database.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            for table, row in (*ROWS.items(), *NAMED.items()):
                told = {k: v if v != "2026-01-05" else STANDS_AT for k, v in row.items()}
                columns, places = ", ".join(f'"{k}"' for k in told), ", ".join("?" * len(told))
                database.execute(
                    f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})",
                    list(told.values()),
                )
            for table, (told, leaves) in _tables().items():
                for column in sorted(told | leaves):
                    self._remember(database, table, column, column in leaves)
                for column in sorted(NAMES.get(table, set()) - told):
                    self._remember(database, table, column, False, only="X")
            found = database.execute(
                "SELECT id, path FROM app_manifest WHERE path LIKE '%.parquet' AND flow <> 'plan'"
            ).fetchall()
        for id_, path in found:
            file = self.home.path / "records" / path
            if set(pl.read_parquet_schema(file)) & set(COLUMNS):
                self._files.append((id_, file, pl.read_parquet(file)))
        self.fields = len({(t, c) for t, c, *_ in self._kept}) + len(COLUMNS)

    def _remember(self, database: Any, table: str, column: str, leaf: bool, only: str = "") -> None:
        sign = "=" if only else "<>"
        rows = database.execute(
            f'SELECT rowid, "{column}" FROM {table} WHERE "{column}" {sign} ?', [only]
        )
        for number, text in rows.fetchall():
            self._kept.append((table, column, number, text, leaf))
            self._rows[table, column] += 1

    def spoil(self, turn: int) -> None:
        """Write the texts of one pass everywhere."""
        with sqlite3.connect(self.home.path / "tieout.sqlite") as database:
            for table, column, number, text, leaf in self._kept:
                told = self.text(turn, number, self._rows[table, column])
                made = leaves(text, told) if leaf else told
                database.execute(
                    f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE rowid = ?', [made, number]
                )
            text = self._project(turn)
            database.execute(
                "UPDATE app_config SET text = ?, sha256 = ?",
                [text, hashlib.sha256(text.encode()).hexdigest()],
            )
            for id_, file, frame in self._files:
                frame.with_columns(
                    pl.Series(name, [self.text(turn, n, len(frame)) for n in range(len(frame))])
                    for name in COLUMNS if name in frame.columns
                ).write_parquet(file)  # fmt: skip
                data = file.read_bytes()
                told = [hashlib.sha256(data).hexdigest(), len(data), id_]
                database.execute("UPDATE app_manifest SET sha256=?, bytes=? WHERE id=?", told)

    def text(self, turn: int, row: int, rows: int = 1) -> str:
        """What a field of a row holds in a pass: its twenty texts, or one where rows are many.

        A list shows so many rows that all twenty are among them.
        """
        first = turn % PASSES * AT_ONCE
        if rows > AT_ONCE:
            return self.texts[first + row % AT_ONCE]
        return " ".join(self.texts[first : first + AT_ONCE])

    def _project(self, turn: int) -> str:
        """The project file with hostile names of whatever is named in Anaplan or JD Edwards."""
        file = self.home.path / PROJECT_FILE
        clean = file.with_suffix(".clean")
        if not clean.exists():
            clean.write_bytes(file.read_bytes())
        places = iter(range(1_000))

        def named(match: re.Match[str]) -> str:
            # TOML's basic strings are JSON's, but for letters beyond the basic plane.
            return match[1] + json.dumps(self.text(turn, next(places)), ensure_ascii=False)

        text = re.sub(
            r"((?:^|[{ ])(?:import|export|control_export|list|view|orchestration|reserve) = )"
            r'"[^"]*"', named, clean.read_text(), flags=re.MULTILINE,
        )  # fmt: skip
        file.write_text(text)
        return text

    @contextmanager
    def seen(self) -> Iterator[Browser]:
        """The browser of somebody who may see everything, before the pages as they are now."""
        instance = Instance(self._environment(self.home.token("alex")))
        try:
            yield _signed_in(instance)
        finally:
            instance.close()

    def _environment(self, token: str) -> Environment:
        path = self.home.path
        return Environment(
            home=path, database=f"sqlite:///{path / 'tieout.sqlite'}", records="", clock_url="",
            kill_at="", log_level="WARNING", token=token,
        )  # fmt: skip


def leaves(text: str, told: str) -> str:
    """JSON whose words are hostile ones."""

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: spoilt(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoilt(v, key) for v in value]
        if isinstance(value, str) and key not in KEPT_KEYS and not NO_WORDS.fullmatch(value):
            return told
        return value

    return json.dumps(spoilt(json.loads(text)), separators=(",", ":"), sort_keys=True)


def _signed_in(instance: Instance) -> Browser:
    site = Site(instance, running.engine_for(instance))
    with instance.store.begin() as connection:
        new = NewSession(READER, "password", address="127.0.0.1", browser="a test")
        begun = sessions.begin(connection, new, instance.clock.now())
    return Browser(make_site(site), {"tieout_session": begun.text})


def shape(address: str) -> str:
    """Pages of the same shape differ only in what they are of."""
    path, _, query = address.partition("?")
    names = sorted({pair.partition("=")[0] for pair in query.split("&")})
    return re.sub(r"\d+", "#", path) + "?" + ",".join(names)


def links(page: str) -> Sequence[str]:
    """Where a page leads, at this server."""
    return [unescape(found) for found in re.findall(r'href="(/(?!static/)[^"#]*)', page)]


def visited(browser: Browser) -> Iterator[tuple[str, str]]:
    """Every page, and one of each shape that they lead to: address and text."""
    waiting, seen = addresses(), {shape(address) for address in addresses()}
    while waiting:
        address = waiting.pop(0)
        answer = browser.ask(address, headers={"accept": "text/html"})
        assert answer.status < 500, (address, answer.text)
        if answer.header("content-type").startswith("text/html"):
            yield address, answer.text
            for found in links(answer.text):
                if shape(found) not in seen and not re.search(OTHER_ROWS, found):
                    seen.add(shape(found))
                    waiting.append(found)


def turns(dice: Random, number: int) -> list[int]:
    """The passes: all in a campaign, else so many drawn."""
    return list(range(PASSES)) if CAMPAIGN else dice.sample(range(PASSES), number)


@pytest.fixture(scope="session")
def poisoned(made: tuple[Home, object], tmp_path_factory: pytest.TempPathFactory) -> Poisoned:
    """A home with something in every table, whose texts a test spoils."""
    home = copied(made[0], tmp_path_factory.mktemp("poisoned") / "home")
    roles = [word for role in ROLES for word in ("--role", role)]
    assert home.run("users", "add", READER, *roles).code == 0
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    assert home.run("discover").code == 0
    home.stop()
    return Poisoned(home)
