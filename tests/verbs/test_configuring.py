"""The configuration as code: what is exported is what was applied, and two people change it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import PROJECT, Office

from tieout.app import Instance
from tieout.errors import Misconfigured, NotAllowed, Refused
from tieout.project import AnaplanConnection
from tieout.project_text import with_texts
from tieout.settings import read_project
from tieout.store import sessions
from tieout.store.sessions import NewSession
from tieout.verbs import configuring, demo, people, setting_up, starting
from tieout.verbs.configuring import Wanted

TWO = PROJECT + '[policy]\nconfiguration = "two people"\n'
CHANGED = TWO.replace('import = "Load Companies"', 'import = "Load All Companies"')
HOST = "http://127.0.0.1:9"
PLANNED = demo.PROJECT.format(jde=HOST, anaplan=HOST, companies='"00001"') + demo.PLAN
SOURCE = "a file"


def apply(instance: Instance, text: str, why: str = "a test", **more: bool) -> dict[str, Any]:
    return configuring.apply(instance, Wanted(text, why, **more), SOURCE)


def held(office: Office) -> tuple[int, str]:
    config = office.store.config()
    assert config is not None
    return config.version, config.text


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An instance with the usual people, and hal, for whom an issuer vouches and not eve."""
    made = with_hal(Office(tmp_path / "home"))
    yield made
    made.close()


def with_hal(office: Office) -> Office:
    office.people()
    for by, name, role in (("eve", "gus", "admin"), ("gus", "hal", "approver")):
        office.secrets[name] = people.add_user(office.desk(by), name, [role], 90)["secret"]
    with office.store.begin() as connection:
        vouched = NewSession("hal", "by https://issuer.example")
        begun = sessions.begin(connection, vouched, office.clock.now())
    handed, office.secrets["hal"] = office.secrets["hal"], begun.text
    office.secrets["what gus has handed to hal"] = handed  # and eve could have acted as gus
    return office


@pytest.fixture
def of_two(office: Office) -> Office:
    """An instance whose configuration two people change."""
    apply(office.desk("eve"), TWO)
    return office


def working_copy(office: Office) -> str:
    return (office.home / "tieout.toml").read_bytes().decode()


@pytest.mark.parametrize(
    "text",
    [
        PROJECT + "# a comment, and Zürich\n",
        PROJECT.replace("\n", "\r\n"),
        "\ufeff" + PROJECT,
        PROJECT.rstrip("\n"),
    ],
    ids=["comments", "lines of Windows", "byte order mark", "no last line end"],
)
def test_what_is_exported_is_byte_for_byte_what_was_applied_and_applying_it_changes_nothing(
    office: Office, text: str, record_property: Callable[[str, object], None]
) -> None:
    eve = office.desk("eve")
    apply(eve, text)
    before, trail = held(office), len(office.store.audit())
    exported = configuring.exported(eve)
    again = apply(eve, exported, why="")

    assert exported.encode() == text.encode()
    assert working_copy(office).encode() == text.encode()
    assert (again["applied"], again["changes"], again["follows"]) == (False, [], again["follows"])
    assert held(office) == before
    assert len(office.store.audit()) == trail
    assert eve.project().flows.keys() == {"companies"}
    record_property("configurations exported and applied again without a byte changed", 1)


def test_a_plan_says_in_words_what_would_change_and_what_follows_and_changes_nothing(
    office: Office,
) -> None:
    text = PROJECT.replace('model = "FP&A 2026"', 'model = "FP&A 2027"').replace(
        'secret = "secret://erp"', 'secret = "secret://erp2"\nreaders = 3'
    )
    before = held(office)
    planned = configuring.plan(office.desk("dora"), text, SOURCE)

    assert [change["what"] for change in planned["changes"]] == [
        'connections.erp.secret becomes "secret://erp2" (was "secret://erp").',
        'connections.planning.model becomes "FP&A 2027" (was "FP&A 2026").',
        "connections.erp.readers = 3 comes.",
    ]
    assert "companies loads elsewhere: what was proved before counts no more." in planned["follows"]
    assert "erp needs credentials: `tieout connect erp`." in planned["follows"]
    assert held(office) == before


def test_who_applied_why_and_every_version_are_kept_and_in_the_trail(office: Office) -> None:
    apply(office.desk("eve"), PROJECT + "# two\n", "the model moved")
    told = configuring.history(office.desk("finn"))
    last = office.store.audit()[-1]

    assert [(v["version"], v["applied_by"], v["why"]) for v in told] == [
        (1, "owner", None), (2, "eve", "the model moved"),
    ]  # fmt: skip
    assert (last.actor, last.act) == ("eve", "applied configuration")
    assert json.loads(last.detail)["why"] == "the model moved"
    assert configuring.exported(office.desk("dora"), 1) == PROJECT


def test_a_change_without_a_reason_or_with_a_mistake_is_not_applied(office: Office) -> None:
    before = held(office)
    with pytest.raises(Misconfigured, match="without a reason"):
        apply(office.desk("eve"), PROJECT + "# two\n", " ")
    with pytest.raises(Misconfigured, match="did you mean `readers`"):
        apply(
            office.desk("eve"),
            PROJECT.replace('secret = "secret://erp"', 'secret = "secret://erp"\nreadrs = 1'),
        )
    with pytest.raises(NotAllowed):
        apply(office.desk("ben"), PROJECT + "# two\n")
    assert held(office) == before


def test_edits_that_were_never_applied_are_not_written_over_unasked(office: Office) -> None:
    eve, path = office.desk("eve"), office.home / "tieout.toml"
    edited = PROJECT.replace("Finance", "Treasury")
    path.write_text(edited)
    with pytest.raises(Misconfigured, match=r'never applied: .*workspace is "Treasury"'):
        apply(eve, configuring.exported(eve), why="")
    assert path.read_text() == edited
    assert apply(eve, configuring.exported(eve), why="", replace=True)["applied"] is False
    assert path.read_text() == PROJECT


# ------------------------------------------------------------------ two people


def test_where_two_people_change_the_configuration_the_second_one_makes_it_hold(
    empty_office: Office,
) -> None:
    of_two = with_hal(empty_office)
    apply(of_two.desk("eve"), TWO)
    proposed = apply(of_two.desk("eve"), CHANGED, "the import was renamed")
    proposal = proposed["proposal"]["proposal"]
    assert (proposed["exit_code"], held(of_two)) == (7, (2, TWO))
    assert of_two.desk("anna").project().flows["companies"].import_ == "Load Companies"

    seen = configuring.plan_of_proposal(of_two.desk("ben"), proposal)
    done = configuring.approve(of_two.desk("hal"), proposal, seen["sha256"])

    assert seen["changes"][0]["key"] == "flows.companies.import"
    assert (done["version"], done["applied_by"], done["proposed_by"]) == (3, "hal", "eve")
    assert held(of_two) == (3, CHANGED)
    assert working_copy(of_two) == CHANGED
    assert of_two.desk("anna").project().flows["companies"].import_ == "Load All Companies"
    told = [(e.actor, e.act) for e in of_two.store.audit()]
    assert ("eve", "proposed configuration") in told
    assert ("hal", "applied configuration") in told


def decided(office: Office, who: str, digest: str = "") -> Callable[[], Any]:
    seen = configuring.overview(office.desk("dora"))["waiting"][0]
    return lambda: configuring.approve(office.desk(who), seen["proposal"], digest or seen["sha256"])


def test_nobody_applies_what_they_proposed_nor_another_text_than_they_saw(of_two: Office) -> None:
    apply(of_two.desk("eve"), CHANGED)
    for who, digest, error in (
        ("eve", "", NotAllowed), ("anna", "", NotAllowed), ("ben", "", NotAllowed),
        ("hal", "0" * 64, Refused), ("what gus has handed to hal", "", NotAllowed),
    ):  # fmt: skip
        with pytest.raises(error):
            decided(of_two, who, digest)()
    (of_two.home / "tieout.toml").write_text(CHANGED)
    with pytest.raises(Refused, match="two people"):
        setting_up.apply_project(of_two.desk("eve"))
    assert held(of_two) == (2, TWO)


def test_a_proposal_from_an_older_version_would_take_changes_back_and_is_refused(
    of_two: Office,
) -> None:
    apply(of_two.desk("eve"), CHANGED)
    outdated = decided(of_two, "hal")
    of_two.store.apply_config(TWO + "# three\n", "carla", "meanwhile")
    with pytest.raises(Refused, match=r"made from version 2, and version 3 holds"):
        outdated()
    assert held(of_two)[0] == 3


def test_a_declined_proposal_stays_as_it_was_and_cannot_be_applied(of_two: Office) -> None:
    apply(of_two.desk("eve"), CHANGED)
    late = decided(of_two, "hal")
    declined = configuring.decline(of_two.desk("hal"), "config-1", "not now")
    assert (declined["state"], declined["decided_by"]) == ("declined", "hal")
    with pytest.raises(NotAllowed, match="is declined"):
        late()
    apply(of_two.desk("eve"), CHANGED)
    assert configuring.decline(of_two.desk("eve"), "config-2", "a slip")["state"] == "void"


def test_a_policy_that_nobody_could_keep_is_not_applied(empty_office: Office) -> None:
    with pytest.raises(Refused, match="nobody could ever change it again"):
        apply(empty_office.owner, TWO)


def test_the_policy_itself_is_taken_back_by_two_people_only(of_two: Office) -> None:
    assert apply(of_two.desk("eve"), PROJECT)["proposal"]["state"] == "prepared"
    assert held(of_two) == (2, TWO)


def test_that_nobody_approves_journals_is_itself_approved_by_a_second_person(
    office: Office,
) -> None:
    with_plan = PLANNED
    alone = with_plan.replace("[flows.plan]", '[flows.plan]\napproval = "none"')
    assert apply(office.desk("eve"), with_plan)["applied"]
    planned = configuring.plan(office.desk("eve"), alone, SOURCE)
    assert planned["two_people"]
    done = apply(office.desk("eve"), alone)
    assert (done["applied"], done["proposal"]["state"]) == (False, "prepared")
    (office.home / "tieout.toml").write_text(alone)
    with pytest.raises(Refused, match="takes two people"):
        setting_up.apply_project(office.desk("eve"))
    assert held(office) == (2, with_plan)
    with pytest.raises(NotAllowed):
        decided(office, "eve")()
    assert decided(office, "hal")()["version"] == 3
    renamed = alone.replace("Load Companies", "Load All Companies")
    assert apply(office.desk("eve"), renamed)["applied"], "what two people agreed on stays agreed"
    other = renamed.replace('first_period = "current"', 'first_period = "current + 1"')
    assert apply(office.desk("eve"), other)["proposal"]["state"] == "prepared"


def test_journals_without_approval_are_not_configured_where_nobody_is_a_second_person(
    empty_office: Office,
) -> None:
    alone = PLANNED.replace("[flows.plan]", '[flows.plan]\napproval = "none"')
    assert configuring.plan(empty_office.owner, alone, SOURCE)["two_people"] is False
    made = people.add_user(empty_office.owner, "eve", ["admin", "operator"], 90)
    eve = empty_office.with_token(made["secret"])
    with pytest.raises(Refused, match="takes two people to apply"):
        apply(eve, alone)


# ------------------------------------------------------------------ the first file


def test_eight_answers_make_a_commented_project_file_that_can_be_applied() -> None:
    answers = {
        "stage": "PROD", "jde_url": "https://ais.corp.example:9302/jderest/",
        "jde_environment": "JPD92", "companies": "1, 60,ABC", "from_period": "2024-07",
        "anaplan_region": "EU3", "workspace": 'Group "Finance"', "model": "Plan\\2026",
    }  # fmt: skip
    assert set(answers) == {q.key for q in starting.QUESTIONS}
    assert len(starting.QUESTIONS) <= 8
    text = starting.filled(answers)
    project = read_project(text)
    planning, flow = project.connections["planning"], project.flows["actuals"]

    assert text.count("#") > 30
    assert project.outgoing.allow == (
        "https://ais.corp.example:9302", "https://eu3.api.anaplan.com",
        "https://eu3.auth.anaplan.com",
    )  # fmt: skip
    assert project.connections["erp"].url == "https://ais.corp.example:9302/jderest"
    assert (planning.stage, planning.workspace, planning.model) == (
        "PROD", 'Group "Finance"', "Plan\\2026",
    )  # fmt: skip
    assert flow.companies == ("00001", "00060", "ABC")
    assert flow.from_period == "2024-07"


def test_the_first_file_names_an_authority_a_gateway_and_a_sign_in_by_certificate(
    tmp_path: Path,
) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    answers = {
        "anaplan_region": "https://gateway.acme.example:8443", "ca_file": str(authority),
        "sign_in": "certificate",
    }  # fmt: skip
    found = read_project(starting.filled(answers)).connections
    planning, erp = found["planning"], found["erp"]
    assert isinstance(planning, AnaplanConnection)
    assert planning.api_url == "https://gateway.acme.example:8443/2/0"
    assert planning.auth_url == "https://gateway.acme.example:8443"
    assert planning.sign_in == "certificate"
    assert {planning.ca_file, erp.ca_file} == {str(authority)}
    for wrong in ({"ca_file": "/nowhere/ca.pem"}, {"sign_in": "magic"}):
        with pytest.raises(Misconfigured, match=next(iter(wrong)).replace("_", "-")):
            starting.filled(wrong)


@pytest.mark.parametrize("named", ["us1", "US1", "us1a", "us1a.app.anaplan.com",
                                   "https://us1a.app.anaplan.com/"])  # fmt: skip
def test_a_region_may_be_named_as_the_browser_shows_it(named: str) -> None:
    planning = read_project(starting.filled({"anaplan_region": named})).connections["planning"]
    assert isinstance(planning, AnaplanConnection)
    assert planning.api_url == "https://api.anaplan.com/2/0"
    gateway = starting.filled({"anaplan_region": "https://us1.gateway.example"})
    assert "https://us1.gateway.example/2/0" in gateway


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"username": 1}', '{"username": "a", "username": "b", "password": "p"}',
     '{"a": "' + "x" * 2**20 + '"}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_object_of_texts_each_given_once_is_not_taken_as_credentials(text: str) -> None:
    with pytest.raises(Misconfigured, match="not one JSON object of texts, each field once"):
        setting_up.credentials_from(text)


PINS = {"workspace_id": "8a86", "model_id": "FC12"}


@pytest.mark.parametrize(
    "between",
    ["", 'workspace_id = "old"\n', '# workspace_id = "…"\n# model_id = "…"\n# a word\n'],
)
def test_ids_are_written_beside_the_names_and_nothing_else_is_touched(between: str) -> None:
    head = '[connections.one]\nmodel = "A"\n\n[connections.two]  \nmodel = "B"  # ours\n'
    made = with_texts(f"{head}{between}\n[flows]\n", "connections.two", PINS, after="model")
    told = tomllib.loads(made)["connections"]
    assert told == {"one": {"model": "A"}, "two": {"model": "B"} | PINS}
    assert "# ours" in made
    assert with_texts(made, "connections.two", PINS, after="model") == made


def test_ids_of_a_table_that_is_written_in_another_way_are_told_and_not_written() -> None:
    with pytest.raises(Misconfigured, match="was not found"):
        with_texts('connections.two = { model = "B" }', "connections.two", PINS, after="model")


def test_an_answer_that_cannot_be_meant_is_told_with_its_option_and_nothing_is_written(
    empty_office: Office,
) -> None:
    (empty_office.home / "tieout.toml").unlink()
    answers = {"jde_url": "http://ais", "from_period": "2025-15", "anaplan_region": "xx1"}
    with pytest.raises(Misconfigured) as told:
        starting.write_project(empty_office.owner, answers)
    for option in ("--jde-url", "--from-period", "--anaplan-region"):
        assert option in told.value.what
    assert not (empty_office.home / "tieout.toml").exists()


def test_the_schema_for_editors_knows_every_table_and_refuses_unknown_keys() -> None:
    schema = configuring.schema()
    tables = schema["$defs"]
    assert tables["Project"]["properties"].keys() >= {"connections", "flows", "policy"}
    assert all(table["additionalProperties"] is False for table in tables.values())
    assert tables["JdeConnection"]["properties"]["readers"]["maximum"] == 16
    assert tomllib.loads(PROJECT).keys() <= tables["Project"]["properties"].keys()
