"""Test and production are kept apart: by the project file, and by the ids of the model."""

from __future__ import annotations

import pytest

from tieout.errors import Misconfigured
from tieout.settings import read_project

ENDS = """
[connections.{name}_erp]
system = "jde"
stage = "{stage}"
url = "https://ais.example.com:9300/jderest"
environment = "{environment}"
secret = "secret://{name}-erp"
[connections.{name}]
system = "anaplan"
stage = "{stage}"
workspace = "Finance"
model = "FP&A {name}"
secret = "secret://{name}"
"""
TEST = ENDS.format(name="test", stage="TEST", environment="JPY920")
PROD = ENDS.format(name="prod", stage="PROD", environment="JPD920")
FLOW = """
[flows.companies]
kind = "load_members"
members = "companies"
from = "test_erp"
to = "test"
import = "Load Companies"
read_back = { list = "Companies" }
columns = { "Code" = "code" }
"""
APART = TEST + PROD + FLOW

TOGETHER = [
    ('to = "test"', 'to = "prod"', "flows.companies joins two stages: connections.test_erp is "
     "TEST and connections.prod is PROD"),
    ('stage = "TEST"', "", "joins two stages: connections.test_erp is of no stage"),
    ("secret://prod-erp", "secret://test-erp", "connections.prod_erp and connections.test_erp are "
     "of two stages and have the same secret"),
    ("JPD920", "JPY920", "have the same JD Edwards environment"),
    ("FP&A prod", "FP&A test", "connections.prod and connections.test are of two stages and have "
     "the same model"),
    ('model = "FP&A', 'model_id = "F0"\nmodel = "FP&A', "have the same model_id"),
]  # fmt: skip


def test_two_stages_with_nothing_in_common_may_stand_in_one_file() -> None:
    assert read_project(APART).connections["test"].stage == "TEST"


@pytest.mark.parametrize(("old", "new", "words"), TOGETHER, ids=[t[2][-24:] for t in TOGETHER])
def test_a_flow_of_one_stage_cannot_hold_a_connection_of_another(
    old: str, new: str, words: str
) -> None:
    times = -1 if "model_id" in new else 1
    with pytest.raises(Misconfigured, match=words.replace("&", "&")):
        read_project(APART.replace(old, new, times))


def test_a_stage_is_a_word_of_capitals() -> None:
    with pytest.raises(Misconfigured, match="is not a word of capitals such as PROD or TEST"):
        read_project(APART.replace('"PROD"', '"prod"'))
