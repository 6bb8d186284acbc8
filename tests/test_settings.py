"""The project file: every mistake is told with its exact place, and nothing is run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.errors import Misconfigured
from tieout.meanings import COLUMN_MEANINGS, NEEDED_COLUMNS
from tieout.project import AnaplanConnection, JdeConnection, LoadActuals, LoadMembers
from tieout.project_words import seconds
from tieout.settings import environment, read_project

PROJECT = """
[outgoing]
allow = ["https://ais.example.com:9300", "https://*.anaplan.com"]

[connections.erp]
system = "jde"
url = "https://ais.example.com:9300/jderest"
environment = "JPD920"
secret = "secret://erp"

[connections.planning]
system = "anaplan"
workspace = "Finance"
model = "FP&A 2026"
secret = "secret://planning"

[flows.accounts]
kind = "load_members"
members = "accounts"
from = "erp"
to = "planning"
import = "Load GL Accounts"
read_back = { list = "GL Accounts" }
columns = { "Code" = "code", "Name" = "description" }

[flows.actuals]
kind = "load_actuals"
from = "erp"
to = "planning"
ledgers = ["AA"]
companies = ["00001", "00060"]
from_period = "2024-01"
import = "Load GL Actuals"
read_back = { view = "GL Actuals" }
signs = { flip = ["4000-4999"] }
period_13 = { default = "fold", "00060" = "refuse" }

[flows.actuals.columns]
"Company" = "company"
"Account" = "account"
"Cost Center" = "business_unit"
"Time" = "period"
"Amount" = "amount"
"""


def told(old: str, new: str) -> str:
    """What is said about the project with one place changed."""
    assert PROJECT.count(old) >= 1, f"{old} is not in the project"
    with pytest.raises(Misconfigured) as caught:
        read_project(PROJECT.replace(old, new, 1), "tieout.toml")
    assert caught.value.exit_code == 3
    return caught.value.sentence()


def test_a_project_is_read_with_its_codes_as_text_and_its_defaults() -> None:
    project = read_project(PROJECT)
    actuals, accounts = project.flows["actuals"], project.flows["accounts"]
    assert isinstance(actuals, LoadActuals)
    assert isinstance(accounts, LoadMembers)
    assert actuals.companies == ("00001", "00060")
    assert (actuals.to_period, actuals.prior_years, actuals.import_clears) == (
        "current", 1, "nothing",
    )  # fmt: skip
    assert isinstance(project.jde(actuals), JdeConnection)
    assert isinstance(project.anaplan(accounts), AnaplanConnection)
    assert project.anaplan(actuals).workspace == "Finance"


def test_an_empty_project_and_one_with_a_byte_order_mark_are_read() -> None:
    assert read_project("").flows == {}
    assert read_project("\ufeff" + PROJECT) == read_project(PROJECT)


UNKNOWN = [
    ("from_period =", "from_perod =", "flows.actuals.from_perod", "from_period"),
    ("[outgoing]\nallow", "[outgoing]\nallows", "outgoing.allows", "allow"),
    ("[outgoing]", "[outgoin]", "outgoin", "outgoing"),
    ("environment =", "enviroment =", "connections.erp.enviroment", "environment"),
    ("workspace =", "work_space =", "connections.planning.work_space", "workspace"),
    ("members =", "member =", "flows.accounts.member", "members"),
    ("{ list =", "{ lists =", "flows.accounts.read_back.lists", "list"),
    ("{ view =", "{ veiw =", "flows.actuals.read_back.veiw", "view"),
    ("{ flip =", "{ flips =", "flows.actuals.signs.flips", "flip"),
    ("ledgers =", "ledger =", "flows.actuals.ledger", "ledgers"),
]


@pytest.mark.parametrize(("old", "new", "place", "meant"), UNKNOWN)
def test_an_unknown_key_is_named_with_its_table_and_the_nearest_key(
    old: str, new: str, place: str, meant: str
) -> None:
    sentence = told(old, new)
    assert f"tieout.toml: {place} is unknown (did you mean `{meant}`?)" in sentence
    assert "Nothing was run." in sentence
    assert "configuration.md" in sentence


def test_a_key_of_another_kind_of_table_is_not_suggested() -> None:
    """`environment` is a key of a JD Edwards connection, not of a flow."""
    sentence = told('kind = "load_members"', 'kind = "load_members"\nenvironment = "x"')
    assert "flows.accounts.environment is unknown" in sentence
    assert "did you mean" not in sentence
    assert "known are" in sentence


VALUES = [
    ('"2024-01"', '"2024-1"', "flows.actuals.from_period is not a fiscal year and period"),
    ('"2024-01"', '"2024-15"', "flows.actuals.from_period is not a fiscal year and period"),
    ('"2024-01"', '"2024-01"\nto_period = "now"', "flows.actuals.to_period is not current, or a"),
    ('secret = "secret://erp"', 'secret = "s"\nrequest_timeout = "1 minute"',
     "connections.erp.request_timeout is not a duration such as 30s"),
    ('"4000-4999"', '"4000 - 4999"', "flows.actuals.signs.flip[0] is not an object account"),
    ('["4000-4999"]', '["4", "1-2-3"]', "flows.actuals.signs.flip[1] is not an object account"),
    ('"refuse"', '"folded"', "flows.actuals.period_13: invalid enum value 'folded'"),
    ('url = "https', 'readers = 0\nurl = "https', "connections.erp.readers"),
    ('url = "https', 'readers = true\nurl = "https', "connections.erp.readers"),
    (
        '["00001", "00060"]', "[1, 60]",
        'flows.actuals.companies[0] is a whole number; it must be text in quotes such as "00001"',
    ),
    ('["00001", "00060"]', '["00001", ""]', "flows.actuals.companies[1]"),
    ('members = "accounts"', 'members = "account"', "flows.accounts.members: invalid enum value"),
    ('kind = "load_members"\n', "", "flows.accounts.kind is missing; it is one of load_members"),
    ('"load_actuals"', '"load_actual"', "flows.actuals.kind = 'load_actual' is not known"),
    ('system = "jde"', 'system = "sap"', "connections.erp.system = 'sap' is not known; it is one"),
    ('import = "Load GL Accounts"\n', "", "flows.accounts.import is missing"),
    ('environment = "JPD920"\n', "", "connections.erp.environment is missing"),
    ("[outgoing]", "flows.extra = 3\n[outgoing]", "flows.extra.kind is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), VALUES)
def test_a_wrong_value_is_told_with_its_exact_place(old: str, new: str, sentence: str) -> None:
    found = told(old, new)
    assert sentence in found
    assert "[...]" not in found


def test_all_mistakes_of_all_tables_are_told_at_once() -> None:
    broken = PROJECT.replace("environment =", "enviroment =").replace("members =", "member =")
    with pytest.raises(Misconfigured) as caught:
        read_project(broken)
    assert "connections.erp.enviroment" in caught.value.what
    assert "flows.accounts.member " in caught.value.what


@pytest.mark.parametrize("text", ["flows = 3", "connections = []"])
def test_a_section_that_is_no_table_is_told(text: str) -> None:
    with pytest.raises(Misconfigured, match="is not a table of tables"):
        read_project(text)


def test_a_file_that_is_not_toml_is_told_with_its_line() -> None:
    with pytest.raises(Misconfigured, match="line 2"):
        read_project("[outgoing]\nallow = ?")


SECOND = '[connections.other]\nsystem = "anaplan"\nworkspace = "w"\nmodel = "m"\nsecret = "s"'
INCONSISTENT = [
    ("[outgoing]", f"{SECOND}\nheadroom = 0\n[outgoing]",
     "the tenant 'default', so their headroom"),
    ("[outgoing]", f"{SECOND}\ntenant = 't'\nheadroom = 400\nburst = 200\n[outgoing]",
     "connections.other: headroom and burst leave nothing of the 600 requests a minute"),
    ('from = "erp"', 'from = "planning"', "flows.accounts.from = 'planning' names no JD Edwards"),
    ('to = "planning"', 'to = "plannning"', "there are: erp, planning"),
    ('= "description"', '= "descripton"', "did you mean 'description'"),
    ('"Name" = "description"', '"Name" = "currency"', "'Name' = 'currency' is none of code"),
    ('"Code" = "code", ', "", "flows.accounts.columns has no column for 'code'"),
    ('"Amount" = "amount"\n', "", "flows.actuals.columns has no column for 'amount'"),
    ('"Time" = "period"\n', "", "flows.actuals.columns has no column for 'period'"),
    ('["AA"]', '["AA", "BA"]', "several ledgers and needs a column for 'ledger'"),
    ('["AA"]', '["CA"]', "loads ledger CA and needs a column for 'currency'"),
    ('["AA"]', "[]", "flows.actuals.ledgers names none"),
    ('["AA"]', '["AA", "AA"]', "flows.actuals.ledgers names AA twice"),
    ('["00001", "00060"]', '["00001", "00060", "00001"]', "companies names 00001 twice"),
    ('["00001", "00060"]', '["00060", "00000"]', "names 00000, the template of F0010"),
    ('"00060" = "refuse"', '"00070" = "refuse"', "period_13 names 00070, not in `companies`"),
    ('{ view = "GL Actuals" }', '{ list = "GL Actuals" }', "read_back needs `view` or `export`"),
    ('{ list = "GL Accounts" }', '{ view = "GL Accounts" }', "accounts.read_back needs `list`"),
    ('"4000-4999"', '"4999-4000"', "signs.flip: 4999-4000 ends before it begins"),
    ('"2024-01"', '"2024-05"\nto_period = "2024-04"', "to_period is before from_period"),
    ('model = "FP', 'poll = "0s"\nmodel = "FP', "connections.planning.poll must be longer"),
    ('url = "https', 'request_timeout = "0.0m"\nurl = "https', "request_timeout must be longer"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), INCONSISTENT)
def test_what_cannot_be_meant_is_refused(old: str, new: str, sentence: str) -> None:
    found = told(old, new)
    assert sentence in found
    assert "Nothing was run." in found


@pytest.mark.parametrize("text", ["4-5", "400-49", "4000", "000456-000460", "4A00-4B99"])
def test_a_sign_range_may_be_any_objects_in_text_order(text: str) -> None:
    flow = read_project(PROJECT.replace("4000-4999", text)).flows["actuals"]
    assert isinstance(flow, LoadActuals)
    assert flow.signs.flip == (text,)


def test_several_ledgers_are_accepted_when_the_import_has_columns_for_them() -> None:
    columns = '"Amount" = "amount"\n"Ledger" = "ledger"\n"Currency" = "currency"\n'
    text = PROJECT.replace('"Amount" = "amount"\n', columns).replace('["AA"]', '["AA", "CA"]')
    flow = read_project(text).flows["actuals"]
    assert isinstance(flow, LoadActuals)
    assert flow.ledgers == ("AA", "CA")


def test_every_needed_column_is_one_that_is_known() -> None:
    assert NEEDED_COLUMNS.keys() == COLUMN_MEANINGS.keys()
    for meaning, needed in NEEDED_COLUMNS.items():
        assert needed <= set(COLUMN_MEANINGS[meaning])
    assert "category_43" in COLUMN_MEANINGS["accounts"]
    assert "category_50" in COLUMN_MEANINGS["business_units"]


@given(st.text(max_size=40))
def test_no_text_ends_in_anything_but_a_project_or_a_sentence(text: str) -> None:
    try:
        read_project(text)
    except Misconfigured as error:
        ended = error.sentence()
    else:
        ended = "a project"
    assert ended


@given(
    st.dictionaries(
        st.sampled_from(["outgoing", "connections", "flows", "x"]),
        st.recursive(
            st.integers() | st.booleans() | st.sampled_from(["jde", "load_actuals", "2024-01"]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["erp", "system", "kind", "url", "signs", "flip"]),
                    inner, max_size=3,
                )
            ),
            max_leaves=8,
        ),
        max_size=3,
    )
)  # fmt: skip
def test_no_shape_of_tables_ends_in_anything_but_a_project_or_a_sentence(
    document: dict[str, object],
) -> None:
    text = "\n".join(f"{key} = {_toml(value)}" for key, value in document.items())
    assert tomllib.loads(text) == document
    try:
        read_project(text)
    except Misconfigured as error:
        ended = error.what
    else:
        ended = "a project"
    assert ended
    assert "[...]" not in ended


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


# ---------------------------------------------------------------------- durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 0.25), ("60s", 60), ("1.5s", 1.5), ("5m", 300), ("2h", 7200), ("3d", 259_200),
        ("0s", 0),
    ],
)  # fmt: skip
def test_a_duration_is_a_number_and_a_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "s", "60", "1.2.3s", ".5s", "5.s", "-5s", "5 s", "1h30m", "5S"]
)
def test_what_is_no_duration_is_refused_in_words(text: str) -> None:
    with pytest.raises(Misconfigured, match="is not a duration"):
        seconds(text)


# -------------------------------------------------------------------- environment

VARIABLES = ("HOME", "DATABASE", "RECORDS", "CLOCK", "KILL_AT", "LOG")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of our variables, in a directory of its own."""
    for name in VARIABLES:
        monkeypatch.delenv(f"TIEOUT_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_bare_environment_puts_everything_into_the_home(tmp_path: Path) -> None:
    found = environment()
    assert found.home == tmp_path / ".tieout"
    assert found.database == f"sqlite:///{tmp_path / '.tieout' / 'tieout.sqlite'}"
    assert found.records == str(tmp_path / ".tieout" / "records")
    assert (found.clock_url, found.kill_at, found.log_level) == ("", "", "WARNING")
    assert environment(default_home="tieout-demo").home == tmp_path / "tieout-demo"


def test_what_is_typed_goes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path / "a"))
    assert environment(default_home="c").home == tmp_path / "a"
    assert environment(str(tmp_path / "b")).home == tmp_path / "b"
    monkeypatch.setenv("TIEOUT_HOME", "")
    assert environment(default_home="c").home == tmp_path / "c"


def test_every_variable_reaches_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES[1:]:
        monkeypatch.setenv(f"TIEOUT_{name}", f"value of {name}")
    found = environment()
    assert (found.database, found.records) == ("value of DATABASE", "value of RECORDS")
    assert (found.clock_url, found.kill_at) == ("value of CLOCK", "value of KILL_AT")
    assert found.log_level == "value of LOG"
