"""Company 00900, made on `--trouble`: the cases that forbid Complete (jde-gl §3.4, "no")."""

from __future__ import annotations

from datetime import date

from tieout.sim.company.closing import Balances
from tieout.sim.company.journals import Row
from tieout.sim.company.post import Balance
from tieout.sim.company.trouble import Cases, usd

COMPANY = "00900"
DIED, NO_BALANCE, WRONG_PERIOD = usd(4_750, 80), usd(615, 5), usd(2_020, 20)
CONVERTED = usd(18_000)


def write_journals(cases: Cases) -> None:
    """A post that died, an account without balance, a wrong period, a batch in use."""
    notes = cases.notes
    notes["died post"] = cases.entry("902.6020", DIED, date(2025, 10, 16), "Post died")
    cases.book.batches[-1].status = "U"
    notes["no balance"] = cases.entry("902.6430", NO_BALANCE, date(2025, 9, 11), "New account")
    notes["wrong period"] = cases.entry("902.5005", WRONG_PERIOD, date(2025, 2, 12),
                                        "Interface", period=(2025, 4))  # fmt: skip
    notes["in use"] = cases.entry(
        "902.6560", usd(999), date(2025, 12, 9), "Being posted", posted=""
    )
    cases.book.batches[-1].status = "U"
    notes["converted"] = cases.account("901.6010").id


def disturb(cases: Cases, rows: list[Row], balances: Balances) -> None:
    """What the balances of 00900 look like after the mishaps."""
    batches = {batch.number: batch for batch in cases.book.batches}
    for row in rows:
        if row["CO"] == COMPANY and row["POST"] == "P" and batches[int(row["ICU"])].status == "U":
            key = (str(row["AID"]), 20, int(row["FY"]), "AA", "", "", "")
            index, amount = int(row["PN"]) - 1, int(row["AA"])
            balances[key].net[index] -= amount
            balances[key].debit[index] -= max(amount, 0)
    account = cases.account("902.6430").id
    for key in [key for key in balances if key[0] == account]:
        del balances[key]
    converted = cases.account("901.6010").id
    texts = {a.id: (a.company, a.unit, a.object, a.subsidiary) for a in cases.chart.accounts}
    for aid, sign in ((converted, 1), (cases.chart.balance(COMPANY, "2150").id, -1)):
        key = (aid, 20, 25, "AA", "", "", "")
        balance = balances.setdefault(key, Balance(texts[aid], "USD"))
        balance.net[2] += sign * CONVERTED
        balance.debit[2] += max(sign * CONVERTED, 0)
