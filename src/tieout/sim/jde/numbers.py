"""Next numbers: batch and document numbers are handed out once, whoever asks for them (J122)."""

from __future__ import annotations

import json

from tieout.sim.jde.ledger import Ledger

KEPT = "next numbers"  # practice_state: kind → the last number handed out
_HIGHEST = {
    "batch": "SELECT max(n) FROM (SELECT max(ICU) AS n FROM F0011 UNION ALL "
             "SELECT max(ICU) FROM F0911)",
    "document": "SELECT max(DOC) FROM F0911",
    "control batch": "SELECT 90000",
}  # fmt: skip
_TAKEN = {
    "batch": "SELECT 1 FROM F0011 WHERE ICU = ? UNION ALL SELECT 1 FROM F0911 WHERE ICUT = 'G' "
             "AND ICU = ? LIMIT 1",
    "document": "SELECT 1 FROM F0911 WHERE DCT IN (SELECT trim(KY) FROM F0005 WHERE SY = '00' "
                "AND RT = 'DT' UNION SELECT 'JE') AND DOC = ? AND DOC = ? LIMIT 1",
    "control batch": "SELECT 1 WHERE ? <> ?",
}  # fmt: skip


def draw(ledger: Ledger, kind: str) -> int:
    """The next number of `kind` (batch, document, control batch); numbers in use are passed over.

    The first one follows the highest in use when the practice system began to count.
    """
    with ledger.transaction():
        kept = _kept(ledger)
        number = kept.get(kind)
        if number is None:
            number = int(ledger.query(_HIGHEST[kind])[0][0] or 0)
        number += 1
        while ledger.query(_TAKEN[kind], (number, number)):
            number += 1
        ledger.remember(KEPT, json.dumps(kept | {kind: number}))
        return number


def handed_out(ledger: Ledger, kind: str, number: int) -> bool:
    """Whether next numbers have come as far as this number (J107)."""
    return number <= _kept(ledger).get(kind, 0)


def _kept(ledger: Ledger) -> dict[str, int]:
    found: dict[str, int] = json.loads(ledger.recall(KEPT) or "{}")
    return found
