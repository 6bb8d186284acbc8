"""Chart of accounts and cost centers of the demo company, and the accounts by their use."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from tieout.sim.company import names

FIRST_ACCOUNT_ID = 12_001
NAME_CHARACTERS_MAX = 30
# Share of a category's natural accounts that a company uses.
SHARES = {"00001": 0.8, "00060": 0.52, "00070": 0.38, "00090": 0.36, "00200": 0.52, "00900": 0.15}
# Kind of business unit → categories it posts to, with the number of accounts of each.
USES = {
    "balance": {"CSH": 9, "REC": 99, "ICO": 9, "INV": 99, "FXA": 99, "LIA": 99, "EQU": 9},
    "sales": {"REV": 16, "COG": 12, "PAY": 7, "OPX": 9, "TRV": 3},
    "plant": {"COG": 12, "PAY": 12, "MFG": 14, "OPX": 5, "TRV": 2},
    "staff": {"PAY": 9, "OPX": 16, "TRV": 3},
    "allocation": {"OPX": 4},
    "legacy": {"COG": 5, "PAY": 4, "MFG": 4},
    "closed": {"MFG": 4, "PAY": 2},
    "job": {},
}
# Kind of business unit → accounts it has in any case, because journals name them.
MUST = {
    "balance": "1110 1210 1291 1310 1330 1340 1520 1620 1630 2110 2115 2120 2125 2150 3100 3400",
    "sales": "4010 5005 6010 8740", "plant": "5005 6020 6560 8740", "staff": "6010 7330 7360 8740",
    "allocation": "7360 7370", "legacy": "000456 000789", "closed": "6450", "job": "6450",
}  # fmt: skip
# The unit of each company that books financing and currency.
TREASURY = {
    "00001": "50",
    "00060": "68",
    "00070": "74",
    "00090": "94",
    "00200": "207",
    "00900": "901",
}
TREASURY_ACCOUNTS = ("8010", "8050", "8060", "8510", "8540", "8550")
LEGACY = ("000456", "000789")
INTERCOMPANY = "1291"
# Object of unit 30 → posting edit code (jde-gl §2.11).
EDITS = {"8741": "S", "9000": "B", "9100": "U", "9200": "I", "9300": "N", "9400": ""}
POSTED = set(names.CATEGORIES) - {"HDR", "STA"}


@dataclass(frozen=True, slots=True)
class Company:
    """A company with the unit that holds its balance sheet; `decimals` scale its stored amounts."""

    code: str
    name: str
    currency: str
    decimals: int
    pattern: str
    year: int
    period: int
    unit: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A business unit; `kind` says what it posts, `style` is F0006.STYL."""

    code: str
    name: str
    company: str
    kind: str
    style: str


@dataclass(slots=True)
class Account:
    """One account; recoding changes unit, object and subsidiary, never the id."""

    id: str
    company: str
    unit: str
    object: str
    subsidiary: str
    name: str
    category: str
    edit: str = ""
    currency: str = ""
    recoded: tuple[str, str, str] | None = None
    level: str = "6"

    @property
    def code(self) -> str:
        """BU.OBJ.SUB as people write it."""
        return ".".join(part for part in (self.unit, self.object, self.subsidiary) if part)


@dataclass(slots=True)
class Chart:
    """All companies, units and accounts; `of` finds an account by its text, `pick` by category."""

    companies: dict[str, Company] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    texts: dict[str, Account] = field(default_factory=dict)
    by_use: dict[tuple[str, str], list[Account]] = field(default_factory=lambda: defaultdict(list))

    def add(self, unit: str, object_account: str, subsidiary: str = "", edit: str = "") -> Account:
        """A new account with the next short id; name and category follow the object."""
        category, name = NATURAL[object_account]
        if subsidiary:
            name = (
                f"{name[: NAME_CHARACTERS_MAX - len(subsidiary) - 1].rstrip()} {subsidiary.lower()}"
            )
        number = f"{FIRST_ACCOUNT_ID + len(self.accounts):08}"
        company = self.units[unit].company
        account = Account(number, company, unit, object_account, subsidiary, name, category)
        account.edit = edit
        self.accounts.append(account)
        self.texts[account.code] = account
        return account

    def of(self, code: str) -> Account:
        """The account written BU.OBJ.SUB; raises KeyError."""
        return self.texts[code]

    def balance(self, company: str, object_account: str) -> Account:
        """The first account of a balance sheet object in the company's balance unit."""
        unit = self.companies[company].unit
        for account in self.by_use[unit, NATURAL[object_account][0]]:
            if account.object == object_account:
                return account
        raise KeyError(f"{unit}.{object_account}")

    def units_of(self, company: str, *kinds: str) -> list[Unit]:
        """The business units of a company that are of one of `kinds`."""
        return [u for u in self.units.values() if u.company == company and u.kind in kinds]


def _natural() -> dict[str, tuple[str, str]]:
    """Object → category and name."""
    known: dict[str, tuple[str, str]] = {}
    for category, first, step, words in names.OBJECTS:
        width = 6 if first < 1000 else 4
        for index, name in enumerate(words.split("|")):
            known[f"{first + index * step:0{width}}"] = (category, name)
    return known


NATURAL = _natural()


def subsidiaries(object_account: str) -> tuple[str, ...]:
    """The subsidiaries of an object; "" is the bare object."""
    words = names.SUBSIDIARIES.get(object_account, "-").split()
    return tuple("" if word == "-" else word for word in words)


def build_chart(*, trouble: bool = False) -> Chart:
    """The chart, the same for every seed, so that account ids can be named in tests."""
    chart = Chart()
    companies = [*names.COMPANIES, *([names.TROUBLE_COMPANY] if trouble else [])]
    units = [*names.UNITS, *(names.TROUBLE_UNITS if trouble else ())]
    chart.companies = {row[0]: Company(*row) for row in companies}
    for company, code, name, kind in units:
        chart.units[code] = Unit(code, name, company, kind, names.STYLES[kind])
    chosen = {code: _choose(code) for code in chart.companies}
    for unit in chart.units.values():
        _add_accounts(chart, unit, chosen[unit.company])
    _add_special(chart)
    return chart


def _choose(company: str) -> set[str]:
    """The natural accounts a company uses."""
    dice = random.Random(f"chart {company}")
    share = SHARES[company]
    return {
        o for o, (category, _) in NATURAL.items() if category in POSTED and dice.random() < share
    }


def _add_accounts(chart: Chart, unit: Unit, chosen: set[str]) -> None:
    """The accounts of one unit: what its kind must have, and a stable choice of the rest."""
    dice = random.Random(f"unit {unit.code}")
    must = MUST[unit.kind].split()
    wanted = {(o, s) for o in must for s in subsidiaries(o)[:1]}
    by_category: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for object_account in sorted(chosen | set(must)):
        category = NATURAL[object_account][0]
        by_category[category] += [(object_account, s) for s in subsidiaries(object_account)]
    for category, count in USES[unit.kind].items():
        rest = [k for k in by_category[category] if k not in wanted and k[0] not in LEGACY]
        wanted |= set(dice.sample(rest, min(len(rest), count)))
    for object_account, subsidiary in sorted(wanted):
        edit = "M" if object_account == INTERCOMPANY else ""
        chart.add(unit.code, object_account, subsidiary, edit=edit)


def _add_special(chart: Chart) -> None:
    """Headings, treasury accounts, and the posting edit codes of jde-gl Appendix A."""
    for company in chart.companies.values():
        for object_account, (category, _) in NATURAL.items():
            if category == "HDR":
                chart.add(company.unit, object_account, edit="N").level = "3"
        for object_account in TREASURY_ACCOUNTS:
            unit = TREASURY[company.code]
            if f"{unit}.{object_account}" not in chart.texts:
                chart.add(unit, object_account)
    chart.of("30.8740").edit = "L"
    for object_account, edit in EDITS.items():
        if f"30.{object_account}" not in chart.texts:
            chart.add("30", object_account)
        chart.of(f"30.{object_account}").edit = edit
    chart.by_use = defaultdict(list)
    for account in chart.accounts:
        if account.edit in ("", "M"):
            chart.by_use[account.unit, account.category].append(account)
