"""A finding: one thing wrong with data, with its rule, subject, amount and remedy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Severity(StrEnum):
    """What a finding does to the run that has it."""

    NOTE = "note"  # shown; the run may be Complete
    REJECT = "reject"  # rows were not loaded
    DIFFERENCE = "difference"  # the sides do not agree, or cannot be proved to
    ASK = "ask"  # may be meant: nothing is sent before a named person has said yes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with data; `amount` adds its cells without their signs, in `currency`.

    With their signs the cells of a balanced member would add up to nothing. One cell alone keeps
    its sign, and so does what does not net to zero.
    """

    rule: str
    severity: Severity
    subject: str
    what: str
    remedy: str = ""
    company: str = ""
    dimension: str = ""  # account, business_unit, company, period: whose member is concerned
    member: str = ""
    amount: Decimal | None = None
    currency: str = ""
    cells: int = 0
    vendor_words: str = ""
    line: int | None = None  # of the file that was sent, its header included


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 cell, 4,842 cells."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


# Every rule that can produce a finding, with what it means; docs/reference/findings.md lists them.
RULES = {
    "unmatched-member": "the Anaplan list has no such member and no mapping names another",
    "company-stopped": "cells wait because other cells of their company have an unmatched member",
    "unknown-account": "posted lines or balances name an account id that F0901 does not show",
    "not-proved": "the lines of F0911 and the balance of F0902 differ",
    "no-longer-shown": "F0902 showed this account before and shows it no longer",
    "not-zero": "the accounts of a company do not net to zero in a ledger that must balance",
    "company-without-rows": "a configured company returns no balances",
    "batch-without-lines": "a posted batch of which this JD Edwards user sees no line",
    "decimals": "an amount has more decimals than its currency",
    "period-missing": "F0008 has no such year, a posted line no such period, or no member matches",
    "period-differs": "posted lines are dated in a period of the flow and carry one outside of it",
    "period-refused": "an adjusting period has amounts and the policy of the company refuses them",
    "period-folded": "an adjusting period is shown in another period by the company's policy",
    "locked-period": "a balance changed in a period that is locked",
    "not-asked-for": "a replay or backfill left what moved beside it to the next run",
    "binding-missing": "what the flow names in Anaplan or JD Edwards is not there",
    "binding-renamed": "what the flow names in Anaplan or JD Edwards has another name now",
    "binding-unfit": "columns, inputs or format of what the flow names are not those of the flow",
    "binding-changed": "what the flow names was changed since it was last used, and still fits",
    "import-rejected": "Anaplan rejected rows",
    "import-ignored": "Anaplan ignored rows",
    "import-warned": "Anaplan loaded rows with warnings",
    "import-count": "Anaplan counted other rows than were sent",
    "anaplan-differs": "Anaplan shows another amount than the ledger",
    "not-of-the-ledger": "Anaplan shows an amount where the ledger has none",
    "anaplan-wiped": "cells that were proved before are empty in Anaplan now",
    "not-of-the-table": "Anaplan shows a number that no row of the loaded table stands behind",
    "row-left": "cells or items of Anaplan that no row of the table stands behind any more",
    "table-empty": "a table of which rows were loaded shows none any more",
    "table-narrowed": "cells that a flow leaves out since it was changed, still with numbers",
    "table-no-member": "rows of a table that do not name every member of their cell",
    "table-currencies": "a cell would add up amounts of several currencies",
    "table-conflict": "rows of one item say different things of a text or date",
    "name-conflict": "accounts with one code have different names or parents",
    "code-too-long": "a code is longer than Anaplan's 60 characters",
    "name-differs": "Anaplan shows members under other names than JD Edwards",
    "parent-differs": "Anaplan shows a member under another parent than was sent",
    "property-differs": "Anaplan shows members with another property than was sent",
    "property-not-compared": "columns of a load that no property of the list can be compared with",
    "member-missing": "a member that was sent is not in the Anaplan list",
    "member-gone": "a member that was loaded is no longer in JD Edwards",
    "ledger-moved": "balances of JD Edwards kept moving while a run read and loaded them",
    "not-accounted": "rows are missing between two steps of a run, or more than came are there",
    "unposted": "unposted lines, counted and never loaded",
    "certification-reopened": "amounts of a certified period changed after people had signed it",
    "plan-unreadable": "the exported plan holds an amount or approval that cannot be read",
    "plan-member": "the plan names no lowest member of the Anaplan list, or two of them",
    "plan-company": "the plan names a company that the flow does not write to",
    "plan-period": "the plan names a period that F0008 and the table of periods do not have",
    "plan-version": "the plan names a version for which no ledger is configured",
    "plan-amount": "a plan amount is missing or has more digits than the ledger holds",
    "plan-currency": "the plan is in another currency than the base currency of the company",
    "plan-duplicate": "a plan cell has several rows",
    "plan-moved": "plan amounts stand in the ledger where they are no longer meant to be",
    "plan-same-account": "several plan cells mean one account and period",
    "plan-approver": "plan amounts are approved and nobody is named who approved them",
    "plan-unapproved": "plan amounts are not approved and are not sent",
    "plan-account": "no account, or several, stand behind a plan cell",
    "plan-account-company": "the account or its business unit belongs to another company",
    "plan-account-closed": "the account takes no journal of this kind (F0901.PEC)",
    "plan-account-currency": "the account is kept in another currency than its company",
    "plan-unit-closed": "the business unit takes no journals (F0006.PECC)",
    "plan-budget-locked": "the original budget of the account or business unit is locked",
    "plan-subledger": "the account needs a subledger, or forbids one",
    "plan-sign": "the plan of an account has the opposite sign of its actuals",
    "plan-rounded": "rounding changed the total of the plan",
    "period-closed": "the period lies before the company's current period",
    "period-ahead": "the period lies beyond the next one; JD Edwards warns and takes it",
    "before-switchover": "the period lies before the first one that the plan may write",
    "ledger-refused": "the plan may not write to this ledger",
    "others-in-flight": "somebody else's lines wait in the plan's ledger",
    "in-flight-without-ledger": "lines wait to be entered and name no ledger",
    "journal-absent": "an earlier journal was sent and is proved absent; it might still come",
    "journal-posted": "an earlier journal is posted and the balances did not move by it",
    "in-flight-unplaced": "lines wait in the plan's ledger and name no account or period",
    "content-without-journals": "the ledger holds amounts that no posted journal explains",
    "plan-zeroed": "the ledger holds amounts that the complete plan does not name",
    "plan-not-zeroed": "the plan cannot be read completely, so nothing is brought to zero",
    "plan-out-of-balance": "the journal of a ledger that must balance does not balance",
    "journal-too-long": "a journal that must balance has more lines than one document may have",
    "journal-key": "two journals would carry the same reference",
    "journal-unprocessed": "rows of ours wait in the batch file and no journal waits for them",
    "journal-deleted": "an earlier journal of the plan was deleted in JD Edwards",
    "journal-voided": "an earlier journal of the plan was voided in JD Edwards",
    "journal-drifted": "an earlier journal of the plan was changed in JD Edwards",
    "plan-layout": "the exports are laid out otherwise than at the last approval",
    "control-differs": "the plan and its control export do not agree",
}
