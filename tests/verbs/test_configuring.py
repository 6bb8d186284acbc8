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
from tieout.settings import read_project
from tieout.verbs import configuring, people, setting_up, starting
from tieout.verbs.configuring import Wanted

TWO = PROJECT + '[policy]\nconfiguration = "two people"\n'
CHANGED = TWO.replace('import = "Load Companies"', 'import = "Load All Companies"')
SOURCE = "a file"


def apply(instance: Instance, text: str, why: str = "a test", **more: bool) -> dict[str, Any]:
    return configuring.apply(instance, Wanted(text, why, **more), SOURCE)


def held(office: Office) -> tuple[int, str]:
    config = office.store.config()
    assert config is not None
    return config.version, config.text


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An instance with the usual people, and hal, whose token eve has never seen."""
    made = with_hal(Office(tmp_path / "home"))
    yield made
    made.close()


def with_hal(office: Office) -> Office:
    office.people()
    for by, name, role in (("eve", "gus", "admin"), ("gus", "hal", "approver")):
        office.secrets[name] = people.add_user(office.desk(by), name, [role], 90)["secret"]
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
    office: Office, text: str
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
        ("hal", "0" * 64, Refused),
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
