"""What the post program R09801 does: balances (F0902) out of posted ledger lines (F0911)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tieout.sim.jde.ledger import Ledger

Row = dict[str, int | str]
Key = tuple[str, int, int, str, str, str, str]

BUCKETS = 14
UNITS_LEDGER = {"AA": "AU", "BA": "BU"}  # F0025.ULT (jde-gl §2.8)
SUMMARY_EDIT = "S"  # the balance holds no subledger (§2.11)
PROGRAM = "R09801"


@dataclass(slots=True)
class Balance:
    """One F0902 row while it is summed: net and debit postings, and what it says of its account."""

    account: tuple[str, str, str, str]
    governing: str
    net: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    debit: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    forward: int = 0
    before: int = 0
    stamp: tuple[int, int] = (0, 0)

    def add(self, period: int, amount: int) -> None:
        """Post one amount into a period."""
        self.net[period - 1] += amount
        if amount > 0:
            self.debit[period - 1] += amount

    def row(self, key: Key) -> Row:
        """The F0902 row."""
        aid, century, year, ledger, subledger, subledger_type, currency = key
        company, unit, object_account, subsidiary = self.account
        row: Row = {
            "AID": aid, "CTRY": century, "FY": year, "LT": ledger, "SBL": subledger,
            "SBLT": subledger_type, "CRCD": currency, "CRCX": self.governing, "CO": company,
            "MCU": unit, "OBJ": object_account, "SUB": subsidiary, "APYC": self.forward,
            "APYN": self.before, "USER": "JDEPOST", "PID": PROGRAM, "JOBN": "RIDGEBAT1",
            "UPMJ": self.stamp[0], "UPMT": self.stamp[1],
        }  # fmt: skip
        for number in range(BUCKETS):
            row[f"AN{number + 1:02}"] = self.net[number]
        for number in range(BUCKETS):
            row[f"AND{number + 1:02}"] = self.debit[number]
        return row


def movements(row: Mapping[str, int | str], edit: str) -> list[tuple[Key, int]]:
    """The balance keys one posted line moves, and by how much; units go to the units ledger.

    AA balances carry no currency (this site does not post by currency), CA ones their own.
    """
    summary = edit == SUMMARY_EDIT
    subledger = "" if summary else str(row["SBL"])
    kind = "" if summary else str(row["SBLT"])
    ledger = str(row["LT"])
    currency = str(row["CRCD"]) if ledger == "CA" else ""
    at = (str(row["AID"]), int(row["CTRY"]), int(row["FY"]))
    moved = [((*at, ledger, subledger, kind, currency), int(row["AA"]))]
    if row.get("U") and ledger in UNITS_LEDGER:
        moved.append(((*at, UNITS_LEDGER[ledger], subledger, kind, ""), int(row["U"])))
    return moved


def account_of(row: Mapping[str, int | str]) -> tuple[str, str, str, str]:
    """Company, unit, object and subsidiary as the ledger line has them."""
    return str(row["CO"]), str(row["MCU"]).strip(), str(row["OBJ"]), str(row["SUB"])


def governing(row: Mapping[str, int | str], ledger: str) -> str:
    """CRCX: the currency whose decimals scale the balance; units have none (§2.6)."""
    if ledger in UNITS_LEDGER.values():
        return ""
    return str(row["CRCD"] if ledger == "CA" else row["BCRC"])


def sum_balances(
    rows: Iterable[Row], edits: Mapping[str, str], posted_on: Callable[[Row], int]
) -> dict[Key, Balance]:
    """F0902 from all posted rows; a BF summary stands for details that are counted already."""
    found: dict[Key, Balance] = {}
    for row in rows:
        if row["POST"] != "P" or row["DCT"] == "BF":
            continue
        for key, amount in movements(row, edits.get(str(row["AID"]), "")):
            balance = found.get(key)
            if balance is None:
                balance = found[key] = Balance(account_of(row), governing(row, key[3]))
            balance.add(int(row["PN"]), amount)
            balance.stamp = max(balance.stamp, (posted_on(row), 213_000))
    return found


def post_rows(ledger: Ledger, rows: Iterable[Mapping[str, int | str]], stamp: tuple[int, int],
              sign: int = 1) -> None:  # fmt: skip
    """Move F0902 by rows of F0911 on the living ledger; `sign` -1 takes them out again."""
    for row in rows:
        master = ledger.rows("F0901", {"AID": row["AID"]})
        edit = str(master[0]["PEC"]) if master else ""
        for key, amount in movements(row, edit):
            move(ledger, key, row, amount, stamp, sign)


def move(ledger: Ledger, key: Key, row: Mapping[str, int | str], amount: int,
         stamp: tuple[int, int], sign: int = 1) -> None:  # fmt: skip
    """Change one bucket of one balance, making the balance if there is none."""
    names = ("AID", "CTRY", "FY", "LT", "SBL", "SBLT", "CRCD")
    where: Row = dict(zip(names, key, strict=True))
    where["FQ"] = ""
    known = ledger.rows("F0902", where)
    if not known:
        made = Balance(account_of(row), governing(row, key[3]), stamp=stamp)
        ledger.insert("F0902", [made.row(key)])
        known = ledger.rows("F0902", where)
    net, debit = f"AN{int(row['PN']):02}", f"AND{int(row['PN']):02}"
    change: Row = {
        net: known[0][net] + sign * amount,
        debit: known[0][debit] + sign * max(amount, 0),
        "UPMJ": stamp[0], "UPMT": stamp[1],
    }  # fmt: skip
    ledger.update("F0902", change, where)
