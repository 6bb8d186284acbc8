"""Two flows that mean the same cells otherwise are refused: each would prove and undo the other."""

from __future__ import annotations

import pytest

from tieout.errors import Misconfigured
from tieout.settings import read_project
from tieout.verbs.demo import PROJECT
from tieout.verbs.demo_tables import BALANCES

TEXT = PROJECT.format(jde="http://127.0.0.1:1", anaplan="http://127.0.0.1:2", companies='"00001"')
ACTUALS = TEXT[TEXT.index("[flows.actuals]") :]


def with_second(flow: str, old: str, new: str) -> str:
    """A project in which a copy of a flow says something else in one place."""
    name = flow.partition("]")[0].partition("flows.")[2]
    assert old in flow, f"the flow does not say {old!r}"
    return TEXT + BALANCES + flow.replace(f"flows.{name}", "flows.second").replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ('ledgers = ["AA"]', 'ledgers = ["BA"]', "ledgers"),
        ('flip = ["4000-4999"]', 'flip = ["4000-5999"]', "signs"),
        ('account_code = "object.subsidiary"', 'account_code = "object"', "account_code"),
        ('default = "fold"', 'default = "refuse"', "period_13"),
    ],
)
def test_two_flows_that_put_other_amounts_into_one_cell_are_refused_by_name(
    old: str, new: str, differs: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_project(with_second(ACTUALS, old, new))

    told = refused.value.sentence()
    assert "flows.actuals and flows.second load the same cells of company 00001" in told
    assert f"differ in {differs};" in told


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("prior_years = 1", "prior_years = 0"),
        ('companies = ["00001"]\n', 'companies = ["00060"]\nledgers = ["BA"]\n'),
    ],
)
def test_two_flows_with_the_same_amounts_or_other_cells_are_accepted(old: str, new: str) -> None:
    text = with_second(ACTUALS, old, new).replace('ledgers = ["AA"]\ncompanies = ["00060"]',
                                                  'companies = ["00060"]')  # fmt: skip

    assert "second" in read_project(text).flows


def test_a_year_that_is_loaded_by_another_rule_is_accepted_beside_the_years_after_it() -> None:
    text = with_second(ACTUALS, 'to_period = "current"', 'to_period = "2023-12"')
    text = text.replace('from_period = "2024-01"\nto_period = "2023-12"',
                        'from_period = "2023-01"\nto_period = "2023-12"')  # fmt: skip
    second = text.index("[flows.second]")
    text = text[:second] + text[second:].replace('["4000-4999"]', '["4000-5999"]')

    assert "second" in read_project(text).flows


def test_two_tables_in_one_module_are_refused_unless_a_condition_keeps_them_apart() -> None:
    apart = with_second(BALANCES, "is = [2024, 2025]", "is = [2023]")
    assert "second" in read_project(apart).flows

    with pytest.raises(Misconfigured) as refused:
        read_project(with_second(BALANCES, "is = [2024, 2025]", "is = [2025, 2026]"))

    assert "flows.balances and flows.second load the same module" in refused.value.sentence()
