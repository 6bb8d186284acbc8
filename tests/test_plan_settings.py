"""What a flow that submits a plan says is checked before anything is run, each by its sentence."""

from __future__ import annotations

import pytest

from tieout.errors import Misconfigured
from tieout.project import SubmitPlan
from tieout.settings import read_project
from tieout.verbs import demo, starting

PROJECT = """
[connections.erp]
system = "jde"
url = "https://ais.example.com:9300/jderest"
environment = "JPD920"
secret = "secret://erp"
plan_ledgers = ["BA", "B2"]

[connections.planning]
system = "anaplan"
workspace = "Finance"
model = "FP&A 2026"
secret = "secret://planning"

[flows.actuals]
kind = "load_actuals"
from = "erp"
to = "planning"
companies = ["00001", "00060"]
from_period = "2024-01"
import = "Load GL Actuals"
read_back = { view = "GL Actuals" }

[flows.actuals.columns]
"Company" = "company"
"Account" = "account"
"Cost Center" = "business_unit"
"Time" = "period"
"Amount" = "amount"

[flows.plan]
kind = "submit_plan"
from = "planning"
to = "erp"
export = "Approved Plan"
control_export = "Approved Plan Control"
ledger = "BA"
document_type = "BN"
orchestration = "TIEOUT_PlanJournal"
reserve = "TIEOUT_ReserveBatch"
first_period = "current"

[flows.plan.columns]
"Companies" = "company"
"Accounts" = "account"
"Cost Centers" = "business_unit"
"Time" = "period"
"Total" = "amount"
"Note" = "ignored"
"Link" = "ignored"

[flows.plan.control_columns]
"Companies" = "company"
"Time" = "period"
"Rows" = "rows"
"Total" = "amount"

[flows.plan.inputs]
"BatchNumber" = "batch_number"
"DocumentNumber" = "document_number"
"Company" = "company"
"LedgerType" = "ledger"
"GLDate" = "gl_date"
"Reference1" = "token"
"Reference2" = "token"
"Explanation" = "explanation"

[flows.plan.line_inputs]
"AccountId" = "account_id"
"Amount" = "amount"
"Remark" = "remark"
"""
UNIVERSE = (
    'universe = { companies = ["00001"], accounts = "5000-6999", periods = "2026-01..2026-12" }'
)
COMPLETE = f'scope = "complete"\n{UNIVERSE}\nfirst_period = "current"'
VERSIONS = 'versions = { "Budget" = "BA", "Forecast" = "B2" }'


def changed(*changes: tuple[str, str]) -> str:
    """The project with some places of it changed."""
    text = PROJECT
    for old, new in changes:
        assert old in text, f"{old} is not in the project"
        text = text.replace(old, new, 1)
    return text


def plan(*changes: tuple[str, str]) -> SubmitPlan:
    """The flow that submits a plan, read from the project with these changes."""
    flow = read_project(changed(*changes)).flows["plan"]
    assert isinstance(flow, SubmitPlan)
    return flow


def told(*changes: tuple[str, str]) -> str:
    """What is said about the project with these changes."""
    with pytest.raises(Misconfigured) as caught:
        read_project(changed(*changes), "tieout.toml")
    assert caught.value.exit_code == 3
    assert "Nothing was run." in caught.value.sentence()
    return caught.value.sentence()


# ------------------------------------------------------------------------ what is accepted


def test_a_plan_is_read_with_its_defaults_and_ends_at_the_other_system() -> None:
    project, flow = read_project(PROJECT), plan()
    assert project.jde(flow).environment == "JPD920"
    assert (project.anaplan(flow).workspace, project.anaplan_name(flow)) == ("Finance", "planning")
    assert (flow.scope, flow.rounding, flow.approval, flow.looks) == (
        "partial", "half-up", "required", 4,
    )  # fmt: skip
    assert (flow.quiet_period, flow.lines_max, flow.queue) == ("30m", 500, "")
    assert flow.ledgers() == {"": "BA"}
    assert project.companies_of(flow) == ("00001", "00060"), "those of the actuals"
    found = project.actuals_of(flow)
    assert found is not None
    assert found[0] == "actuals"


def test_a_plan_with_versions_names_the_ledger_of_each() -> None:
    flow = plan(('ledger = "BA"', VERSIONS), ('"Note" = "ignored"', '"Versions" = "version"'))
    assert flow.ledgers() == {"Budget": "BA", "Forecast": "B2"}


def test_a_complete_plan_names_what_it_speaks_for() -> None:
    flow = plan(('first_period = "current"', COMPLETE))
    assert flow.universe is not None
    assert flow.universe.ranges() == ("5000-6999",)
    two = COMPLETE.replace('"5000-6999"', '["5000", "6000-6999"]')
    flow = plan(('first_period = "current"', two))
    assert flow.universe is not None
    assert flow.universe.ranges() == ("5000", "6000-6999")


@pytest.mark.parametrize("first", ["current", "current + 1", "current+12", "2026-01", "2026-14"])
def test_a_plan_begins_at_the_current_period_later_or_at_one_that_is_named(first: str) -> None:
    assert plan(('first_period = "current"', f'first_period = "{first}"')).first_period == first


@pytest.mark.parametrize("type_", ["BN", "B1", "AX", "ZZ", "QA", "UA"])
def test_a_document_type_of_ones_own_is_accepted(type_: str) -> None:
    assert plan(('"BN"', f'"{type_}"')).document_type == type_


def test_one_plan_of_several_flows_of_actuals_names_its_own() -> None:
    text = PROJECT + actuals_again("more", '["00070"]')
    both = read_project(text.replace('export = "Approved Plan"\n',
                                     'export = "Approved Plan"\nactuals = "more"\n'))  # fmt: skip
    flow = both.flows["plan"]
    assert isinstance(flow, SubmitPlan)
    assert both.companies_of(flow) == ("00070",)


def test_two_plans_share_a_ledger_when_their_companies_differ() -> None:
    first = PROJECT.replace('ledger = "BA"\n', 'ledger = "BA"\ncompanies = ["00001"]\n')
    project = read_project(first + plan_again("other", 'companies = ["00060"]'))
    assert [project.companies_of(f) for f in project.flows.values() if isinstance(f, SubmitPlan)
            ] == [("00001",), ("00060",)]  # fmt: skip


def actuals_again(name: str, companies: str) -> str:
    """Another flow of actuals between the same connections."""
    table = PROJECT[PROJECT.index("[flows.actuals]") : PROJECT.index("[flows.plan]")]
    table = table.replace("flows.actuals", f"flows.{name}")
    return "\n" + table.replace('["00001", "00060"]', companies)


def plan_again(name: str, more: str = "") -> str:
    """Another flow that submits a plan between the same connections."""
    table = PROJECT[PROJECT.index("[flows.plan]") :].replace("flows.plan", f"flows.{name}")
    return "\n" + table.replace('ledger = "BA"\n', f'ledger = "BA"\n{more}\n')


def test_the_plan_in_the_example_of_a_new_home_is_accepted_without_its_marks() -> None:
    example = starting.filled({})
    begin = example.index("# [flows.plan]")
    marked = example[begin:].splitlines()
    assert all(line.startswith("# ") for line in marked)
    text = example[:begin] + "\n".join(line.removeprefix("# ") for line in marked)
    flow = read_project(text).flows["plan"]
    assert isinstance(flow, SubmitPlan)
    assert flow.ledgers() == {"": "BA"}
    assert "plan" not in read_project(example).flows


def test_the_plan_of_the_demo_is_accepted_beside_the_demo() -> None:
    text = demo.PROJECT.format(jde="http://127.0.0.1:1/jderest", anaplan="http://127.0.0.1:2",
                               companies='"00001"')  # fmt: skip
    assert isinstance(read_project(text + demo.PLAN).flows["plan"], SubmitPlan)


# ------------------------------------------------------------------------ single values

VALUES = [
    ('"current"', '"currant"', "flows.plan.first_period is not current, current + 1, or a fiscal"),
    ('"current"', '"current - 1"', "flows.plan.first_period is not current, current + 1, or a"),
    ('"current"', '"2026-15"', "flows.plan.first_period is not current, current + 1, or a fiscal"),
    ('"current"', '"current"\nquiet_period = "half an hour"',
     "flows.plan.quiet_period is not a duration such as 30s"),
    ('"current"', '"current"\nlooks = 3', "flows.plan.looks: expected `int` >= 4"),
    ('"current"', '"current"\nlines_max = 0', "flows.plan.lines_max: expected `int` >= 1"),
    ('"current"', '"current"\nscope = "whole"', "flows.plan.scope: invalid enum value 'whole'"),
    ('"current"', '"current"\nrounding = "up"', "flows.plan.rounding: invalid enum value 'up'"),
    ('"current"', '"current"\napproval = "maybe"', "flows.plan.approval: invalid enum value"),
    ('"current"', '"current"\ndates = "us"', "flows.plan.dates: invalid enum value 'us'"),
    ('"current"', '"current"\nqueue = "MINE"', "flows.plan.queue: invalid enum value 'MINE'"),
    ('"current"', '"current"\nlabel = "A label of twenty-two!"', "flows.plan.label: expected"),
    ('"current"', '"current"\nlabel = ""', "flows.plan.label: expected"),
    ('"BN"', '"PN"', "flows.plan.document_type is not a document type of your own, such as BN"),
    ('"BN"', '"JE"', "begins with no letter of PRTIOJS"),
    ('"BN"', '"bn"', "flows.plan.document_type is not a document type of your own"),
    ('"BN"', '"BNX"', "flows.plan.document_type is not a document type of your own"),
    ('orchestration = "TIEOUT_PlanJournal"\n', "", "flows.plan.orchestration is missing"),
    ('export = "Approved Plan"\n', "", "flows.plan.export is missing"),
    ('"current"', '"current"\nledgers = ["BA"]',
     "flows.plan.ledgers is unknown (did you mean `ledger`?)"),
    ('["BA", "B2"]', '["BA", ""]', "connections.erp.plan_ledgers[1]"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), VALUES)
def test_a_wrong_value_is_told_with_its_exact_place(old: str, new: str, sentence: str) -> None:
    assert sentence in told((old, new))


UNIVERSES = [
    ("2026-01..2026-12", "2026-01", "flows.plan.universe.periods is not a range of periods such"),
    ("2026-01..2026-12", "2026-01..2026-15", "flows.plan.universe.periods is not a range of"),
    ("2026-01..2026-12", "2026-12..2026-01", "flows.plan.universe.periods ends before it begins"),
    ("5000-6999", "5000 to 6999", "flows.plan.universe.accounts"),
    ("5000-6999", "6999-5000", "flows.plan.universe.accounts: 6999-5000 ends before it begins"),
    ('"5000-6999"', "[]", "flows.plan.universe.accounts names none"),
    ('["00001"]', "[]", "flows.plan.universe.companies names none"),
    ('["00001"]', '["00001", "00070"]', "flows.plan.universe names 00070, no company of the flow"),
    ("accounts =", "account =", "flows.plan.universe.account is unknown (did you mean `accounts`?"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), UNIVERSES)
def test_a_universe_that_cannot_be_meant_is_told(old: str, new: str, sentence: str) -> None:
    assert old in COMPLETE
    assert sentence in told(('first_period = "current"', COMPLETE.replace(old, new)))


# ------------------------------------------------------------------------ what cannot be meant

CANNOT_BE_MEANT = [
    # the two ends
    ('[flows.plan]\nkind = "submit_plan"\nfrom = "planning"',
     '[flows.plan]\nkind = "submit_plan"\nfrom = "erp"',
     "flows.plan.from = 'erp' names no Anaplan connection (there are: erp, planning)"),
    ('from = "planning"\nto = "erp"', 'from = "planning"\nto = "planning"',
     "flows.plan.to = 'planning' names no JD Edwards connection"),
    ('from = "planning"\nto = "erp"', 'from = "planning"\nto = "epr"',
     "flows.plan.to = 'epr' names no JD Edwards connection (there are: erp, planning)"),
    # columns and inputs
    ('"Total" = "amount"', '"Total" = "amuont"',
     "flows.plan.columns: 'Total' = 'amuont' is none of company, account"),
    ('"Total" = "amount"', '"Total" = "amuont"', "did you mean 'amount'"),
    ('"Total" = "amount"\n"Note"', '"Note"', "flows.plan.columns has no column for 'amount'"),
    ('"Cost Centers" = "business_unit"\n', "", "plan.columns has no column for 'business_unit'"),
    ('"Note" = "ignored"', '"Note" = "amount"', "plan.columns names two columns for 'amount'"),
    ('"Rows" = "rows"\n', "", "flows.plan.control_columns has no column for 'rows'"),
    ('"Rows" = "rows"\n', '"Rows" = "rows"\n"More" = "rows"\n',
     "flows.plan.control_columns names two columns for 'rows'"),
    ('"Rows" = "rows"', '"Rows" = "account"', "control_columns: 'Rows' = 'account' is none of"),
    ('"Rows" = "rows"\n', '"Rows" = "rows"\n"Version" = "version"\n',
     "flows.plan.control_columns names versions, and `columns` does not"),
    ('control_export = "Approved Plan Control"\n', "",
     "flows.plan.control_columns is for a `control_export`"),
    ('"Reference1" = "token"\n"Reference2" = "token"\n', "",
     "flows.plan.inputs has no input for 'token'"),
    ('"Explanation" = "explanation"\n', "", "plan.inputs has no input for 'explanation'"),
    ('"LedgerType" = "ledger"\n', "", "flows.plan.inputs has no input for 'ledger'"),
    ('"LedgerType" = "ledger"', '"LedgerType" = "ledgers"', "did you mean 'ledger'"),
    ('"AccountId" = "account_id"\n', "", "plan.line_inputs has no column for 'account_id'"),
    ('"Remark" = "remark"', '"Remark" = "amount"', "line_inputs names two columns for 'amount'"),
    ('"Remark" = "remark"', '"Remark" = "remarks"', "'Remark' = 'remarks' is none of account_id"),
    # numbers
    ('"DocumentNumber" = "document_number"\n', "",
     "flows.plan.reserve hands out numbers that no input takes"),
    ('"BatchNumber" = "batch_number"\n', "", "`inputs` needs 'batch_number' and 'document_number'"),
    # ledgers
    ('ledger = "BA"\n', "", "flows.plan needs `ledger` for an export without a column for"),
    ('ledger = "BA"', f'ledger = "BA"\n{VERSIONS}', "flows.plan needs `ledger` for an export"),
    ('ledger = "BA"', VERSIONS, "flows.plan needs `ledger` for an export without a column"),
    ('"Note" = "ignored"', '"Versions" = "version"', "which names the ledger of each version"),
    ('ledger = "BA"', 'ledger = "AA"',
     "flows.plan writes to ledger AA, which is not in connections.erp.plan_ledgers (BA, B2)"),
    ('plan_ledgers = ["BA", "B2"]', "plan_ledgers = []",
     "writes to ledger BA, which is not in connections.erp.plan_ledgers (none)"),
    ('plan_ledgers = ["BA", "B2"]', 'plan_ledgers = ["B2"]', "writes to ledger BA, which is not"),
    # companies and actuals
    ('ledger = "BA"', 'ledger = "BA"\nactuals = "actual"',
     "flows.plan.actuals must name the one flow that loads actuals between erp and planning"),
    ('ledger = "BA"', 'ledger = "BA"\ncompanies = ["00001", "00070"]',
     "flows.plan.companies names 00070, not in flows.actuals"),
    ('ledger = "BA"', 'ledger = "BA"\ncompanies = ["00001", "00001"]',
     "flows.plan.companies names 00001 twice"),
    # patience and size
    ('"current"', '"current"\nquiet_period = "0m"',
     "quiet_period = '0m' is less than 2 times the request_timeout"),
    ('"current"', '"current"\nlines_max = 1001', "flows.plan.lines_max = 1001 is more than the "
     "1000 rows of one page (connections.erp.page_rows), by which a journal is looked up"),
    ('plan_ledgers =', 'page_rows = 499\nplan_ledgers =', "lines_max = 500 is more than the 499"),
    # what the plan speaks for
    ('"current"', f'"current"\n{UNIVERSE}', 'flows.plan.universe is for scope = "complete"'),
    ('"current"', '"current"\nscope = "complete"',
     'flows.plan: scope = "complete" needs `universe` and `control_export`'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), CANNOT_BE_MEANT)
def test_what_cannot_be_meant_is_refused(old: str, new: str, sentence: str) -> None:
    assert sentence in told((old, new))


def test_a_complete_plan_without_a_control_export_is_refused() -> None:
    control = 'control_export = "Approved Plan Control"\n'
    sentence = told((control, ""), ('first_period = "current"', COMPLETE))
    assert 'scope = "complete" needs `universe` and `control_export`' in sentence


def test_a_version_in_a_ledger_that_is_not_for_plans_is_refused() -> None:
    versions = 'versions = { "Budget" = "BA", "Actual" = "AA", "Old" = "B9" }'
    sentence = told(('ledger = "BA"', versions), ('"Note" = "ignored"', '"Versions" = "version"'))
    for ledger in ("AA", "B9"):
        assert f"flows.plan writes to ledger {ledger}, which is not in" in sentence
    assert "ledger BA" not in sentence


def test_two_flows_of_actuals_between_the_same_connections_leave_the_plan_to_be_told() -> None:
    with pytest.raises(Misconfigured, match="must name the one flow that loads actuals"):
        read_project(PROJECT + actuals_again("more", '["00070"]'))


@pytest.mark.parametrize("more", ["", 'companies = ["00060"]'])
def test_two_flows_that_write_one_ledger_of_one_company_are_refused(more: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_project(PROJECT + plan_again("other", more))
    shared = ("00060",) if more else ("00001", "00060")
    for company in shared:
        sentence = f"both write ledger BA of company {company}; one flow owns it"
        assert f"flows.plan and flows.other {sentence}" in caught.value.what
    assert caught.value.what.count("one flow owns it") == len(shared)


def test_all_mistakes_of_a_plan_are_told_at_once() -> None:
    sentence = told(
        ('ledger = "BA"', 'ledger = "AA"'), ('"Rows" = "rows"\n', ""),
        ('"current"', '"current"\nquiet_period = "0s"'),
    )  # fmt: skip
    for part in ("plan_ledgers", "no column for 'rows'", "quiet_period"):
        assert part in sentence
