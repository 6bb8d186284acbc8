"""The source keeps the rules of the house, and every rule is able to fail."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import fact_register
import pytest
import tidy_rules
from tidy_rules import RULES, Rule
from tidy_source import Source

REPOSITORY = Path(__file__).parent.parent
FOLDERS = ("src", "tests", "bench", "docs")


@cache
def sources() -> list[Source]:
    """Every Python file of the project, parsed once for all rules."""
    paths = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
    return [Source(str(p.relative_to(REPOSITORY)), p.read_text(encoding="utf-8")) for p in paths]


def name_of(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    broken = [f"{source.path}:{found}" for source in sources() for found in rule(source)]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


LONG = "def price():\n" + "    x = 1\n" * 70
TOLD = 'def price():\n    """' + "Why.\n" * 9 + '"""\n' + "    x = 1\n" * 60
NARROW = '"""Prices."""\n'

# rule, the file it is planted in, the text that breaks it
PLANTED = [
    ("short_functions", "src/tieout/web/pages.py", LONG),
    ("short_functions", "bench/load.py", LONG),
    ("short_files", "src/tieout/web/pages.py", "x = 1\n" * 401),
    ("short_lines", "tests/test_x.py", "x = 1  # " + "so many words " * 8),
    ("few_parameters", "src/tieout/jde/client.py", "def f(a, b, c, d, e, f, g, h): ..."),
    ("few_parameters", "src/tieout/jde/client.py", "def f(a, b, c, d, *, e, f, g, h): ..."),
    ("first_sentence", "src/tieout/core/cells.py", "x = 1"),
    ("first_sentence", "src/tieout/core/cells.py", '"""cells"""'),
    ("no_banned_words", "src/tieout/core/utils.py", NARROW),
    ("no_banned_words", "src/tieout/helpers/cells.py", NARROW),
    ("no_banned_words", "src/tieout/core/cells.py", "class CellManager: ..."),
    ("no_banned_words", "src/tieout/core/cells.py", "def sync_cells(): ..."),
    ("no_banned_words", "src/tieout/core/cells.py", "def f(job): ..."),
    ("no_banned_words", "src/tieout/sim/box.py", "answer_handler = 1"),
    ("nothing_postponed", "tests/test_x.py", "x = 1  # TO" + "DO: more"),
    ("nothing_postponed", "bench/load.py", "# FIX" + "ME"),
    ("reasons_given", "src/tieout/web/pages.py", "x = 1  # no" + "qa"),
    ("reasons_given", "src/tieout/web/pages.py", "x = 1  # no" + "qa: S310"),
    ("reasons_given", "src/tieout/web/pages.py", "x = 1  # type" + ": ignore"),
    ("reasons_given", "src/tieout/web/pages.py", "x = 1  # type" + ": ignore[misc]"),
    ("limits_have_units", "src/tieout/http.py", "TIMEOUT = 60"),
    ("limits_have_units", "src/tieout/http.py", "BODY_MAX: int = 8 * 1024"),
    ("limits_have_units", "src/tieout/http.py", "_WAIT_MAX = Decimal('0.5')"),
    ("limits_have_units", "src/tieout/http.py", "PROCESS_MAX = 3"),
    ("imports_at_the_top", "src/tieout/store/runs.py", "def f():\n    import json"),
    ("imports_at_the_top", "src/tieout/cli/main.py", "def f():\n    import json"),
    ("imports_at_the_top", "src/tieout/verbs/run.py", "def f():\n    from dbos import DBOS"),
    ("libraries_in_their_place", "src/tieout/jde/client.py", "import httpx2"),
    ("libraries_in_their_place", "src/tieout/verbs/run.py", "from sqlalchemy import text"),
    ("libraries_in_their_place", "src/tieout/verbs/run.py", "from dbos._error import X"),
    ("libraries_in_their_place", "src/tieout/http.py", "import requests"),
    ("practice_systems_apart", "src/tieout/sim/box.py", "from tieout.errors import Refused"),
    ("practice_systems_apart", "src/tieout/sim/box.py", "import tieout"),
    ("practice_systems_apart", "src/tieout/jde/client.py", "from tieout.sim import box"),
    ("wire_words_at_the_wire", "src/tieout/flows/a.py", "x = row['F0911_AA']"),
    ("wire_words_at_the_wire", "src/tieout/verbs/a.py", "x = task['taskState']"),
    ("threads_are_heard", "src/tieout/anaplan/client.py", "pool.map(put, chunks)"),
    ("threads_are_heard", "src/tieout/anaplan/client.py", "pool.submit(put, chunk)"),
    ("libraries_in_their_place", "src/tieout/verbs/run.py", "import sqlite3"),
    ("environment_in_settings", "src/tieout/http.py", "import os\nx = os.environ['A']"),
    ("environment_in_settings", "src/tieout/http.py", "from os import environ"),
    ("environment_in_settings", "src/tieout/sim/box.py", "import os\nx = os.getenv('A')"),
    ("errors_end_at_the_edges", "src/tieout/http.py", "try: x\nexcept Exception: y"),
    ("errors_end_at_the_edges", "src/tieout/http.py", "try: x\nexcept (KeyError, Exception): y"),
    ("errors_end_at_the_edges", "src/tieout/cli/main.py", "try: x\nexcept: y"),
    ("errors_end_at_the_edges", "src/tieout/http.py", "try: x\nexcept Exception: raise Y()"),
    ("one_way_to_wait", "src/tieout/http.py", "async def f(): ..."),
    ("one_way_to_wait", "src/tieout/http.py", "import asyncio"),
    ("core_is_exact", "src/tieout/core/cells.py", "x = float('1')"),
    ("core_is_exact", "src/tieout/core/cells.py", "x = 0.5"),
    ("core_is_exact", "src/tieout/core/cells.py", "x = round(y, 2)"),
    ("core_is_exact", "src/tieout/core/cells.py", "x: Any = 1"),
    ("core_is_exact", "src/tieout/core/cells.py", "x = pl.Float64"),
    ("core_is_pure", "src/tieout/core/cells.py", "import time"),
    ("core_is_pure", "src/tieout/core/cells.py", "from tieout.store import records"),
    ("core_is_pure", "src/tieout/core/cells.py", "x = datetime.now()"),
    ("nothing_unused", "src/tieout/core/cells.py", "def _left_over(): ..."),
    ("tests_are_real", "tests/test_x.py", "from unittest.mock import Mock"),
    ("tests_are_real", "tests/test_x.py", "monkeypatch.setattr(a, 'b', c)"),
    ("tests_are_real", "tests/test_x.py", "time.sleep(5)"),
    ("tests_are_real", "tests/test_x.py", "time.sleep(pause)"),
    ("tests_are_real", "tests/test_x.py", "def test_load(): ..."),
]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_planted_violation_is_found(rule: str, path: str, text: str) -> None:
    assert list(getattr(tidy_rules, rule)(Source(path, text))), "the rule cannot fail"


def test_every_rule_has_a_planted_violation() -> None:
    assert {name_of(rule) for rule in RULES} == {rule for rule, _, _ in PLANTED}


# What looks alike and is allowed: a rule that fires here would teach people to suppress it.
ALLOWED = [
    ("short_functions", "src/tieout/web/pages.py", "def f():\n" + "    x = 1\n" * 69),
    ("short_functions", "src/tieout/a.py", TOLD),
    ("few_parameters", "src/tieout/http.py", "def f(self, a, b, c, d, e, f, g, *, h=1, i=2): ..."),
    ("few_parameters", "src/tieout/cli/a.py", "@cli.command()\ndef f(a, b, c, d, e, f, g, h): ..."),
    ("no_banned_words", "src/tieout/jde/wire.py", "data_service = object_account = 1"),
    ("no_banned_words", "src/tieout/store/db.py", "os.fsync(x)\nmanagerial = resync = 1"),
    ("reasons_given", "src/tieout/http.py", "x = 1  # no" + "qa: S310 - https only"),
    ("reasons_given", "src/tieout/http.py", "x = 1  # type" + ": ignore[misc]  # no stubs"),
    ("limits_have_units", "src/tieout/http.py", "NAMES_SHOWN_MAX = 60\nMAXIMA = ('a',)\nMAX = f"),
    ("imports_at_the_top", "src/tieout/cli/main.py", "def f():\n    from tieout.verbs import run"),
    ("libraries_in_their_place", "src/tieout/http.py", "import httpx2"),
    ("libraries_in_their_place", "src/tieout/store/migrations/env.py", "import alembic.context"),
    ("practice_systems_apart", "src/tieout/sim/box.py", "from tieout.sim.clock import a"),
    ("practice_systems_apart", "src/tieout/cli/sim.py", "from tieout.sim import box"),
    ("wire_words_at_the_wire", "src/tieout/flows/a.py", "x = 'F0911'"),
    ("wire_words_at_the_wire", "src/tieout/jde/wire.py", "x = row['F0911_AA']"),
    ("threads_are_heard", "src/tieout/jde/client.py", "for page in pool.map(get, keys): ..."),
    ("environment_in_settings", "src/tieout/settings.py", "import os\nx = os.environ['A']"),
    ("errors_end_at_the_edges", "src/tieout/cli/main.py", "try: x\nexcept Exception: y"),
    ("errors_end_at_the_edges", "src/tieout/http.py", "try: x\nexcept Exception:\n  y\n  raise"),
    ("errors_end_at_the_edges", "src/tieout/a.py", "try: x\nexcept Exception as e: raise a from e"),
    ("core_is_exact", "src/tieout/jde/wire.py", "x = 0.5"),
    ("core_is_pure", "src/tieout/core/cells.py", "import polars as pl\nfrom tieout.core import a"),
    ("nothing_unused", "src/tieout/core/cells.py", "def _f(): ...\nx = _f()"),
    ("nothing_unused", "src/tieout/engine/a.py", "@DBOS.workflow()\ndef _f(): ..."),
    ("tests_are_real", "tests/test_x.py", "monkeypatch.setenv('A', 'b')\ntime.sleep(0.05)"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "text"), ALLOWED)
def test_what_only_looks_alike_is_allowed(rule: str, path: str, text: str) -> None:
    assert not list(getattr(tidy_rules, rule)(Source(path, text)))


# ---------------------------------------------------------------------------- vendor facts


def texts(folder: str) -> dict[str, str]:
    return {s.path: s.text for s in sources() if s.path.startswith(folder)}


def test_every_practice_behaviour_is_a_numbered_and_tested_vendor_fact() -> None:
    pages = sorted((REPOSITORY / "docs").glob("vendor-facts*.md"))
    register = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    broken = list(
        fact_register.broken_facts(register, texts("src/tieout/sim/"), texts("tests/contract/"))
    )
    assert not broken, "\n".join(broken)


FACT = "| J001 | a token | guide | documented |\n"


@pytest.mark.parametrize(
    ("register", "practice", "contracts"),
    [
        ("", "J001", "J001"),  # not in the register
        (FACT, "J001", ""),  # in no contract test
        ("| J001 | a token | guide | |\n", "", ""),  # nobody says how it is known
        ("| A002 | order | - | assumed |\n", "", ""),  # assumed, and no switch
        ("| A002 | order | - | assumed, switch `order` |\n", "", ""),  # a switch nobody has
        (FACT + FACT, "J001", "J001"),  # twice
    ],
)
def test_a_planted_gap_in_the_register_is_found(
    register: str, practice: str, contracts: str
) -> None:
    assert list(fact_register.broken_facts(register, {"sim": practice}, {"contract": contracts}))


def test_a_complete_register_is_accepted() -> None:
    register = FACT + "| A002 | order | - | assumed, switch `order` |\n"
    practice = {"sim": "J001 A002 order = 1"}
    assert not list(fact_register.broken_facts(register, practice, {"contract": "J001 A002"}))
