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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with data; amounts are in ledger sign and in `currency`."""

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
    "period-missing": "F0008 has no such fiscal year, or no member of Anaplan's calendar matches",
    "period-refused": "an adjusting period has amounts and the policy of the company refuses them",
    "period-folded": "an adjusting period is shown in another period by the company's policy",
    "locked-period": "a balance changed in a period that is locked",
    "import-rejected": "Anaplan rejected rows",
    "import-ignored": "Anaplan ignored rows",
    "import-warned": "Anaplan loaded rows with warnings",
    "import-count": "Anaplan counted other rows than were sent",
    "anaplan-differs": "Anaplan shows another amount than the ledger",
    "not-of-the-ledger": "Anaplan shows an amount where the ledger has none",
    "anaplan-wiped": "cells that were proved before are empty in Anaplan now",
    "name-conflict": "accounts with one code have different names or parents",
    "code-too-long": "a code is longer than Anaplan's 60 characters",
    "name-differs": "Anaplan shows members under other names than JD Edwards",
    "parent-differs": "Anaplan shows a member under another parent than was sent",
    "member-missing": "a member that was sent is not in the Anaplan list",
    "member-gone": "a member that was loaded is no longer in JD Edwards",
    "unposted": "unposted lines, counted and never loaded",
}
