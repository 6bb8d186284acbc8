"""The words of this product beside those of JD Edwards and Anaplan."""

from __future__ import annotations

from typing import NamedTuple


class Word(NamedTuple):
    """A word, what it means, and what each side calls it."""

    word: str
    meaning: str
    erp: str = ""
    planning: str = ""


GLOSSARY = (
    Word(
        "account", "business unit, object and subsidiary together", "ANI (BU.OBJ.SUB)", "list item"
    ),
    Word("account id", "the short number of an account", "AID"),
    Word("actuals", "posted ledger lines, folded into cells and loaded", "AA", "Actual"),
    Word("balance", "one account, year and ledger with its periods", "F0902"),
    Word(
        "batch",
        "a set of journals that is approved as one; also a set of documents there",
        "ICU, ICUT",
    ),
    Word("bucket", "company, account, ledger, year and period: what is proved before mapping"),
    Word("business unit", "where cost or revenue arises", "MCU", "cost center"),
    Word("cell", "one amount at one key of a module", "", "cell"),
    Word("certified", "two people signed that a company's period ties"),
    Word("company", "the legal or reporting entity, five characters", "CO", "company"),
    Word("complete", "a run whose tie-out shows no difference; nothing less"),
    Word("digest", "the hash of exact amounts; what is approved or certified is bound to it"),
    Word("document", "number, type and company of an entry", "DOC, DCT, KCO"),
    Word("evidence pack", "one file with everything an auditor asks about a period"),
    Word("finding", "one thing wrong with data: rule, subject, amount and what to do"),
    Word("flow", "what is configured: from where, to where, how"),
    Word("G/L date", "the date that decides the period", "DGJ"),
    Word("import", "what puts a file into a list or module", "", "import"),
    Word("journal", "a header with lines that will reach the ledger", "F0911Z1, F0911"),
    Word("ledger", "actual, budget and others", "LT (UDC 09/LT)", "version"),
    Word("ledger line", "one row of the account ledger", "F0911"),
    Word("mapping", "the rules from codes of the ledger to codes of the plan", "", "list code"),
    Word("member", "an item of a list", "", "list item"),
    Word("object, subsidiary", "the natural account and its detail", "OBJ, SUB"),
    Word("open cell", "a cell that is not proved; it keeps its old value", "", ""),
    Word("period", "1 to 14 of a fiscal year", "PN", "time period"),
    Word("position", "how far a flow has read and proved; it moves only after proof"),
    Word("post", "what JD Edwards does to a batch; we never use it for sending", "R09801"),
    Word("proved", "the lines of a bucket equal its balance"),
    Word("read back", "what the module shows after the import", "", "view or export"),
    Word(
        "reject",
        "one row that was not taken, with the words of the other system",
        "",
        "failure dump",
    ),
    Word("run, step", "one execution of a flow; one durable line of it"),
    Word("subledger", "detail below the account", "SBL, SBLT"),
    Word("task", "one execution of an import, export or process", "", "task"),
    Word("tie-out", "lines = balances = Anaplan, cell by cell"),
    Word("waived", "a finding that a person accepted, with a reason"),
)
