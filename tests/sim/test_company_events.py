"""What happens at JD Edwards between two runs changes the ledger as JDE would, and says where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from expected import Expected, Key, differing

from tieout.sim.clock import PracticeClock
from tieout.sim.company.calendar import julian
from tieout.sim.company.events import EVENTS, Events
from tieout.sim.company.living import Living, plain, stored
from tieout.sim.company.make import make_company
from tieout.sim.company.people import People
from tieout.sim.company.scene import Scene
from tieout.sim.jde.ledger import Ledger

COMPANIES = ("00001", "00060", "00070", "00090", "00200")
POSTING = (
    "late_post", "backdated", "net_to_zero", "add_account", "move_period", "void_reenter",
    "edit_amount",
)  # fmt: skip
QUIET = ("unposted", "delete_unposted", "edit_text", "change_period", "in_use")
TEXTS = "SELECT AID, MCU, OBJ, SUB FROM F0911 UNION SELECT AID, MCU, OBJ, SUB FROM F0902"
UNTIED = ("died_post", "convert", "offset")


class Practice:
    """A small demo company with its events and the second path."""

    def __init__(self, folder: Path) -> None:
        file = folder / "jde.sqlite"
        self.ledger, self.clock = Ledger(file), PracticeClock()
        make_company(self.ledger, seed=5, lines=3_000)
        living = Living(self.ledger, self.clock)
        self.people = People(living)
        self.events = Events(Scene(living, self.people))
        self.expected = Expected(file)

    def happen(self, name: str, **body: Any) -> dict[str, Any]:
        """Let an event happen; the second path reads the accounts anew."""
        answer = self.events({"name": name, **body})
        self.expected.close()
        self.expected = Expected(self.expected.file)
        return answer

    def state(self) -> tuple[dict[Key, Decimal], dict[Key, Decimal]]:
        """Lines and balances by key."""
        return self.expected.lines(), self.expected.balances()

    def today(self) -> int:
        """The Julian date of a change made now."""
        return julian(self.clock.today().date())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("events"))
    yield practice
    practice.expected.close()
    practice.ledger.close()


def sums(answer: dict[str, Any]) -> dict[tuple[str, str, str], Decimal]:
    """What an answer says it touched in ledger AA: company, code, period → amount."""
    found: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for cell in answer["touched"]:
        if cell["ledger"] == "AA":
            found[cell["company"], cell["code"], cell["period"]] += Decimal(cell["amount"])
    return {key: amount for key, amount in found.items() if amount}


def moved(gaps: dict[Key, Decimal]) -> dict[tuple[str, str, str], Decimal]:
    return {
        (k.company, f"{k.business_unit}.{k.account}", f"{k.fiscal_year}-{k.period:02}"): amount
        for k, amount in gaps.items()
    }


@pytest.mark.parametrize("company", COMPANIES)
@pytest.mark.parametrize("name", POSTING)
def test_lines_and_balances_move_by_exactly_what_the_event_says(
    made: Practice, name: str, company: str
) -> None:
    more = {"code": f"{company.lstrip('0')}1.7995.NEW"} if name == "add_account" else {}
    if name == "add_account" and not made.ledger.rows("F0006", {"MCU": more["code"].split(".")[0]}):
        more = {"code": "30.7995.NEW"}
    lines, balances = made.state()
    answer = made.happen(name, company=company, **more)
    after, balances_after = made.state()
    assert moved(differing(after, lines)) == sums(answer) != {}
    assert moved(differing(balances_after, balances)) == sums(answer)


@pytest.mark.parametrize("name", QUIET)
def test_what_is_not_posted_moves_no_posted_amount(made: Practice, name: str) -> None:
    before = made.state()
    answer = made.happen(name)
    assert answer["event"] == name
    assert made.state() == before


@pytest.mark.parametrize("name", UNTIED)
def test_some_events_part_the_lines_from_the_balances(made: Practice, name: str) -> None:
    lines, balances = made.state()
    answer = made.happen(name)
    after, balances_after = made.state()
    said = sums(answer)
    assert moved(differing(after, lines)) == (said if name == "died_post" else {})
    assert moved(differing(balances_after, balances)) == (said if name == "convert" else {})


def test_a_late_post_leaves_the_stamp_of_its_lines_alone(made: Practice) -> None:
    answer = made.happen("late_post", company="00060")
    batch = {"ICUT": answer["batch_type"], "ICU": answer["batch_number"]}
    stamps = {row["UPMJ"] for row in made.ledger.rows("F0911", batch)}
    assert max(stamps) < 126_000
    header = made.ledger.rows("F0011", batch)[0]
    assert (header["IST"], header["UPMJ"]) == ("D", made.today())


def test_a_moved_journal_leaves_its_old_key_behind_without_a_stamp(made: Practice) -> None:
    before = {(r["DCT"], r["DOC"], r["DGJ"]): r["UPMJ"] for r in made.ledger.rows("F0911")}
    answer = made.happen("move_period", period="2025-09")
    number = int(answer["document"].split()[1])
    rows = made.ledger.rows("F0911", {"DOC": number})
    assert {(row["FY"], row["PN"]) for row in rows} == {(25, 9)}
    assert not [row for row in rows if (row["DCT"], row["DOC"], row["DGJ"]) in before]
    assert {row["UPMJ"] for row in rows} <= set(before.values())


def test_a_recode_changes_the_account_master_alone(made: Practice) -> None:
    lines, balances = (sum(map(abs, part.values())) for part in made.state())
    texts = made.ledger.query(TEXTS)
    answer = made.happen("recode", company="00200")
    row = made.ledger.rows("F0901", {"AID": answer["account"]})[0]
    assert row["MCU"].strip() != answer["code_before"].split(".")[0]
    assert row["UPMJ"] == made.today()
    assert made.ledger.query(TEXTS) == texts
    assert [sum(map(abs, part.values())) for part in made.state()] == [lines, balances]


def test_a_purge_takes_the_lines_and_leaves_the_balances(tmp_path: Path) -> None:
    practice = Practice(tmp_path)
    _, balances = practice.state()
    answer = practice.happen("purge", company="00070", year=2024)
    assert answer["lines"] > 50
    assert practice.ledger.rows("F0911", {"CO": "00070", "FY": 24}) == []
    assert practice.expected.balances() == balances


def test_a_wrong_period_is_a_line_that_its_date_contradicts(tmp_path: Path) -> None:
    practice = Practice(tmp_path)
    assert practice.expected.wrong_periods() == []
    answer = practice.happen("wrong_period", company="00090")
    assert {row[0] for row in practice.expected.wrong_periods()} == {"00090"}
    assert answer["period"] == "2025-01"


def test_any_sequence_of_honest_events_leaves_a_ledger_that_ties(
    tmp_path: Path, dice: Random
) -> None:
    practice = Practice(tmp_path)
    for _ in range(25):
        name, company = dice.choice(POSTING + QUIET), dice.choice(COMPANIES)
        with suppress(LookupError):  # no unposted batch left
            practice.happen(name, company=company)
    lines, balances = practice.state()
    kept = {k: a for k, a in balances.items() if (k.company, k.fiscal_year) != ("00060", 2023)}
    assert differing(lines, kept) == {}
    nets: dict[tuple[str, int, int], Decimal] = defaultdict(Decimal)
    for key, amount in lines.items():
        nets[key.company, key.fiscal_year, key.period] += amount
    assert set(nets.values()) == {0}


def test_people_approve_then_post_then_void_a_batch(tmp_path: Path) -> None:
    practice = Practice(tmp_path)
    lines, _ = practice.state()
    entered = practice.happen("unposted", amount="250.00")
    batch = {"batch_type": entered["batch_type"], "batch_number": entered["batch_number"]}
    where = {"ICUT": batch["batch_type"], "ICU": batch["batch_number"]}
    practice.ledger.update("F0011", {"IST": ""}, where)
    with pytest.raises(ValueError, match="not approved"):
        practice.people({"do": "post", **batch})
    assert practice.people({"do": "approve", **batch})["status"] == "A"
    posted = practice.people({"do": "post", **batch})
    assert posted["status"] == "D"
    assert moved(differing(practice.expected.lines(), lines)) == sums(posted)
    assert practice.people({"do": "void", **batch})["status"] == "A"
    practice.people({"do": "post", **batch})
    lines_after, balances_after = practice.state()
    assert differing(lines_after, lines) == {}
    assert not [k for k in differing(lines_after, balances_after) if k.fiscal_year != 2023]
    with pytest.raises(LookupError, match="no batch G 1"):
        practice.people({"do": "post", "batch_type": "G", "batch_number": 1})


def test_posting_a_reversing_entry_makes_its_mirror_in_the_next_period(tmp_path: Path) -> None:
    practice = Practice(tmp_path)
    entered = practice.happen("unposted", company="00200", period="2025-11")
    where = {"ICUT": "G", "ICU": entered["batch_number"]}
    practice.ledger.update("F0911", {"RE": "R"}, where)
    practice.people({"do": "post", "batch_type": "G", "batch_number": entered["batch_number"]})
    mirrors = practice.ledger.rows("F0911", {**where, "POST": ""})
    assert {(row["FY"], row["PN"], row["DGJ"]) for row in mirrors} == {(25, 12, 125_327)}
    assert sum(row["AA"] for row in mirrors) == 0


def test_amounts_are_text_in_the_decimals_of_the_currency() -> None:
    assert [plain(-5, 2), plain(5, 0), plain(-1234567, 3)] == ["-0.05", "5", "-1234.567"]
    assert [stored("-0.05", 2), stored("7", 0), stored("1234.5", 3)] == [-5, 7, 1_234_500]
    with pytest.raises(ValueError, match="2 decimals"):
        stored("1.234", 2)


def test_an_unknown_event_company_or_account_is_named(made: Practice) -> None:
    with pytest.raises(ValueError, match="late_post"):
        made.events({"name": "earthquake"})
    with pytest.raises(LookupError, match="00007"):
        made.events({"name": "backdated", "company": "00007"})
    with pytest.raises(LookupError, match="no account"):
        made.events({"name": "backdated", "account": "1.2"})
    assert len(EVENTS) == 22


def test_the_notes_name_where_the_odd_cases_are(made: Practice) -> None:
    notes = made.events({"name": "notes"})["notes"]
    assert {"late", "recoded", "summary", "unmapped unit", "unposted 00070"} <= set(notes)
