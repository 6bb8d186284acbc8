"""Who acts is decided by a token, a kept sign-in or the lack of users; by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from desks import DAY_SECONDS, PROJECT, ROLES, Office

from tieout.app import Instance
from tieout.core.policy import RIGHTS
from tieout.engine import library
from tieout.engine.lock import InstanceLock
from tieout.engine.membership import Membership
from tieout.errors import KeyTrouble, Misconfigured, NotAllowed
from tieout.store import sign_in
from tieout.store.database import Database
from tieout.verbs import acting, approving, people, pinging, retaining, running, setting_up

CREDENTIALS = {"username": "TIEOUT", "password": "canary-91bd"}

# Every verb that changes something, and the right it takes.
CHANGES: dict[str, tuple[str, Callable[[Instance], Any]]] = {
    "map": ("map", lambda i: setting_up.set_mapping(i, "account", "8740", "8750", "")),
    "connect": ("set credentials", lambda i: setting_up.connect(i, "erp", CREDENTIALS)),
    "init --apply": ("configure", lambda i: setting_up.apply_project(i, PROJECT + "# again\n")),
    "users add": ("manage people", lambda i: people.add_user(i, "gus", ["viewer"], 1)),
    "users list": ("read trail", people.users),
    "tokens create": (
        "manage people",
        lambda i: people.make_token(i, user="carla", scopes=(), days=1, what_for=""),
    ),
    "retention hold": ("hold records", lambda i: retaining.hold(i, "case", why="a suit")),
    "ping": ("test connections", pinging.ping),
    "approvals": ("view", approving.approvals),
    "journals": ("view", approving.all_journals),
}


def does(instance: Instance, verb: str) -> bool:
    try:
        CHANGES[verb][1](instance)
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize("verb", CHANGES)
def test_every_verb_is_for_the_roles_that_the_table_of_rights_names(
    office: Office, verb: str
) -> None:
    act = CHANGES[verb][0]
    for name in ("dora", "finn", "ben", "anna", "eve"):
        allowed = bool(set(ROLES[name]) & set(RIGHTS[act]))
        before = len(office.store.audit())
        assert does(office.desk(name), verb) == allowed, name
        assert allowed or len(office.store.audit()) == before, "who may not changes nothing"


@pytest.mark.parametrize("why", ["nobody", "unknown", "expired", "revoked", "other scope"])
def test_a_token_that_should_not_act_does_nothing_even_beside_a_sign_in(
    office: Office, why: str
) -> None:
    everybody = people.add_user(office.desk("eve"), "max", ["operator", "approver", "admin"], 365)
    made = people.make_token(
        office.desk("eve"), user="max", days=1, what_for="",
        scopes=["run"] if why == "other scope" else [],
    )  # fmt: skip
    token = {"nobody": "", "unknown": made["secret"][:-1] + "~"}.get(why, made["secret"])
    if why == "expired":
        office.clock.sleep(DAY_SECONDS)
    if why == "revoked":
        people.revoke_token(office.desk("eve"), made["token"]["id"])
    if why != "nobody":
        people.login(office.owner, everybody["secret"])
    for verb in CHANGES:
        assert not does(office.with_token(token), verb), verb


def test_the_owner_acts_until_there_are_users(empty_office: Office) -> None:
    for verb in CHANGES:
        if verb not in ("users add", "tokens create"):
            assert does(empty_office.owner, verb), verb
    empty_office.people()
    for verb in CHANGES:
        assert not does(empty_office.owner, verb), verb


def test_a_token_is_asked_for_even_where_there_are_no_users(empty_office: Office) -> None:
    stranger = empty_office.with_token("tieout_" + "x" * 43)
    with pytest.raises(NotAllowed, match="unknown to this instance"):
        acting.require(stranger, "view")


def test_what_is_done_stands_under_the_name_of_who_did_it(office: Office) -> None:
    setting_up.set_mapping(office.desk("anna"), "account", "8740", "8750", "")
    setting_up.connect(office.desk("eve"), "erp", CREDENTIALS)
    told = [(e.actor, e.act) for e in office.store.audit()]
    assert ("anna", "set mapping") in told
    assert ("eve", "set credential") in told
    assert office.store.mapping_history("account", "8740")[0].set_by == "anna"
    assert office.store.verify_audit().whole


@contextmanager
def executed_elsewhere(office: Office) -> Iterator[None]:
    """As by `tieout serve` or a worker: runs are left to it."""
    url = office.owner.store.database.url
    if url.get_backend_name() == "sqlite":
        lock = InstanceLock(office.home)
        lock.take()
        yield
        lock.release()
        return
    member = Membership(Database(url), library.ABI, lambda: None)
    member.join()
    yield
    member.close()


def test_a_run_is_started_by_who_acts(office: Office) -> None:
    setting_up.connect(office.desk("eve"), "erp", CREDENTIALS)
    setting_up.connect(office.desk("eve"), "planning", CREDENTIALS)
    for name in ("ben", "dora", "eve", "finn"):
        with pytest.raises(NotAllowed, match="may not run"):
            running.run_flow(office.desk(name), "companies")
    assert office.store.runs() == []
    with executed_elsewhere(office):
        run = running.run_flow(office.desk("anna"), "companies", wait=False).run
    assert (run.started_by, run.outcome) == ("anna", "waiting")


def test_a_kept_sign_in_acts_here_and_the_variable_goes_before_it(office: Office) -> None:
    assert people.login(office.owner, f"{office.secrets['anna']}\n")["user"] == "anna"
    assert acting.require(office.owner, "view").name == "anna"
    assert acting.require(office.desk("ben"), "view").name == "ben"
    assert ("anna", "signed in") in [(e.actor, e.act) for e in office.store.audit()]
    assert people.logout(office.owner)
    assert not people.logout(office.owner)
    with pytest.raises(NotAllowed, match="Nobody is signed in"):
        acting.require(office.owner, "view")


def test_only_a_token_that_acts_is_kept(office: Office) -> None:
    with pytest.raises(NotAllowed):
        people.login(office.owner, "tieout_nobody")
    with pytest.raises(Misconfigured, match="No token was given"):
        people.login(office.owner, " \n")
    assert sign_in.token(office.home, office.store.safe.keys) == ""


def test_a_kept_sign_in_does_not_open_with_another_key_or_changed(office: Office) -> None:
    people.login(office.owner, office.secrets["anna"])
    kept = office.home / sign_in.SIGN_IN_FILE
    sealed = kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    for changed in (sealed[:-9] + "A" + sealed[-8:], "", "{}", "\x00"):
        kept.write_text(changed)
        with pytest.raises(KeyTrouble, match="does not open"):
            acting.require(office.owner, "view")
    kept.write_text(sealed)
    (office.home / "key").unlink()
    with pytest.raises(KeyTrouble, match="does not open"):
        acting.require(office.owner, "view")
    people.logout(office.owner)
    with pytest.raises(NotAllowed):
        acting.require(office.owner, "view")


def test_no_token_stands_in_clear_in_any_file_of_the_instance(office: Office) -> None:
    for name, secret in office.secrets.items():
        people.login(office.owner, secret)
        for path in office.home.rglob("*"):
            if path.is_file():
                assert secret[-20:].encode() not in path.read_bytes(), (name, path)
    assert office.secrets["anna"] not in repr(office.desk("anna").environment)


def test_a_person_makes_no_token_wider_than_the_one_in_hand(office: Office) -> None:
    def make(by: Instance, *scopes: str, user: str | None = None) -> dict[str, Any]:
        return people.make_token(by, user=user, scopes=scopes, days=1, what_for="a screen")

    narrow = office.with_token(make(office.desk("anna"), "view", "make own token")["secret"])
    assert make(narrow, "view")["token"]["scopes"] == ["view"]
    for wider in ((), ("run",), ("view", "run")):
        with pytest.raises(NotAllowed, match="made for less than"):
            make(narrow, *wider)
    without = office.with_token(make(office.desk("anna"), "view")["secret"])
    with pytest.raises(NotAllowed, match="make own token"):
        make(without, "view")
    with pytest.raises(NotAllowed, match="manage people"):
        make(office.desk("anna"), user="ben")


def test_a_token_makes_none_that_outlives_it(office: Office) -> None:
    def make(by: Instance, days: int) -> dict[str, Any]:
        return people.make_token(by, user=None, scopes=("make own token",), days=days, what_for="")

    made = make(office.desk("anna"), 7)
    of_a_week = office.with_token(made["secret"])
    assert make(of_a_week, 300)["token"]["expires_at"] == made["token"]["expires_at"]
    assert make(of_a_week, 6)["token"]["expires_at"] < made["token"]["expires_at"]


def test_a_person_revokes_their_own_tokens_and_an_administrator_anybodys(office: Office) -> None:
    ids = {u["name"]: u["tokens"][0]["id"] for u in people.users(office.desk("eve"))}
    with pytest.raises(NotAllowed):
        people.revoke_token(office.desk("anna"), ids["ben"])
    people.revoke_token(office.desk("anna"), ids["anna"])
    with pytest.raises(NotAllowed, match="was revoked"):
        people.revoke_token(office.desk("anna"), ids["anna"])
    people.revoke_token(office.desk("eve"), ids["ben"])
    lives = {u["name"]: u["tokens"][0]["lives"] for u in people.users(office.desk("eve"))}
    assert (lives["anna"], lives["ben"], lives["carla"]) == (False, False, True)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_token_lives_for_a_day_to_a_year(office: Office, days: int) -> None:
    with pytest.raises(Misconfigured, match=f"cannot live for {days} days"):
        people.make_token(office.desk("anna"), user=None, scopes=(), days=days, what_for="")
