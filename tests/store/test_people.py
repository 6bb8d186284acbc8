"""Users and tokens: shown once, kept as a hash, acting for nobody when they should not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import text

from tieout.core.policy import ADMIN, APPROVER, EVERYTHING, OPERATOR, OWNER, THE_OWNER, Actor, may
from tieout.errors import Misconfigured, Refused
from tieout.store import people
from tieout.store.people import Made, NewToken
from tieout.store.schema import metadata
from tieout.store.store import Store

LIFE_DAYS = 90


def add(store: Store, name: str, *roles: str, by: str = OWNER) -> None:
    with store.begin() as connection:
        people.add_user(connection, name, roles, by, store.clock.now())


def token(
    store: Store, user: str, *, by: Actor = THE_OWNER, scopes: tuple[str, ...] = (EVERYTHING,),
    seconds: float = LIFE_DAYS * 86_400,
) -> Made:  # fmt: skip
    at = store.clock.now()
    new = NewToken(user, scopes, at + timedelta(seconds=seconds), by)
    with store.begin() as connection:
        return people.make_token(connection, new, at)


def holder(store: Store, text_: str) -> Actor | None:
    with store.database.read() as connection:
        return people.holder(connection, text_, store.clock.now())


def acting(store: Store, text_: str) -> Actor:
    found = holder(store, text_)
    assert found is not None
    return found


def test_a_token_acts_for_its_user_with_their_roles(store: Store) -> None:
    add(store, "anna", ADMIN, OPERATOR)
    made = token(store, "anna")
    anna = acting(store, made.text)
    assert (anna.name, anna.roles) == ("anna", frozenset({ADMIN, OPERATOR}))
    assert acting(store, f" {made.text}\n") == anna, "a line end from a pipe does not matter"
    assert holder(store, made.text[:-1]) is None
    assert holder(store, "") is None


def test_an_expired_token_acts_for_nobody(store: Store) -> None:
    add(store, "anna", ADMIN)
    made = token(store, "anna", seconds=60)
    assert holder(store, made.text)
    store.clock.sleep(60)
    assert holder(store, made.text) is None


def test_a_revoked_token_acts_for_nobody_and_the_first_revocation_stands(store: Store) -> None:
    add(store, "anna", ADMIN)
    made, other = token(store, "anna"), token(store, "anna")
    for by in ("anna", "ben"):
        with store.begin() as connection:
            revoked = people.revoke(connection, made.token.id, by, store.clock.now())
    assert revoked.revoked_by == "anna"
    assert holder(store, made.text) is None
    assert holder(store, other.text), "the other token of the same user still acts"
    acts = [e.act for e in store.audit(object_=f"token {made.token.id}")]
    assert acts == ["made token", "revoked token"]


def test_a_token_of_another_scope_does_nothing_else(store: Store) -> None:
    add(store, "anna", ADMIN, OPERATOR)
    anna = acting(store, token(store, "anna", scopes=("view",)).text)
    assert may(anna, "view")
    assert not may(anna, "run")
    assert not may(anna, "manage people")


def test_no_token_stands_in_the_database_in_clear(store: Store, tmp_path: Path) -> None:
    add(store, "anna", ADMIN)
    made = token(store, "anna")
    secret = made.text.removeprefix(people.TOKEN_PREFIX)
    assert secret not in repr(made)
    with store.database.read() as connection:
        for table in metadata.sorted_tables:
            kept = repr(connection.execute(table.select()).all())
            assert secret not in kept, table.name
    for path in tmp_path.iterdir():
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_who_first_saw_a_token_stays_known_when_its_holder_makes_another(store: Store) -> None:
    add(store, "anna", ADMIN)
    anna = acting(store, token(store, "anna").text)
    add(store, "ben", APPROVER, by="anna")
    handed = acting(store, token(store, "ben", by=anna).text)
    assert handed.handed_by == "anna"
    own = acting(store, token(store, "ben", by=handed).text)
    assert own.handed_by == "anna", "whoever held the first token could have made this one"


def test_the_first_user_is_an_administrator_and_the_owner_adds_no_second(store: Store) -> None:
    with pytest.raises(Misconfigured, match="must be an administrator"):
        add(store, "anna", OPERATOR)
    add(store, "anna", ADMIN)
    with pytest.raises(Refused, match="its owner adds none any more"):
        add(store, "eve", ADMIN)
    add(store, "ben", APPROVER, by="anna")
    with store.database.read() as connection:
        assert [u.name for u in people.users(connection)] == ["anna", "ben"]
    assert store.verify_audit().whole


def test_two_owners_at_once_add_one_first_user(store: Store) -> None:
    together = Barrier(2)

    def first(name: str) -> str:
        together.wait()
        try:
            add(store, name, ADMIN)
        except Refused:
            return ""
        return name

    with ThreadPoolExecutor(2) as threads:
        done = [name for name in threads.map(first, ("anna", "eve")) if name]
    with store.database.read() as connection:
        assert [u.name for u in people.users(connection)] == done
    assert len(done) == 1


@pytest.mark.parametrize(
    "name", ["", "Anna", "аnna", "anna ", "an/na", "owner", "system", "-a", "a" * 65, "anna\n"]
)
def test_a_name_that_could_be_taken_for_another_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be the name"):
        people._refuse_unfit(name, [ADMIN])


def test_a_user_is_added_once_and_only_with_roles_there_are(store: Store) -> None:
    add(store, "anna", ADMIN)
    with pytest.raises(Misconfigured, match="a user anna already"):
        add(store, "anna", APPROVER, by="ben")
    for roles in ((), ("root",)):
        with pytest.raises(Misconfigured, match="roles of ben"):
            add(store, "ben", *roles, by="anna")


def test_a_token_needs_a_user_a_scope_and_an_end_ahead(store: Store) -> None:
    add(store, "anna", ADMIN)
    with pytest.raises(Misconfigured, match="no user"):
        token(store, "eve")
    for wrong in ({"scopes": ()}, {"scopes": ("root",)}, {"seconds": 0}):
        with pytest.raises(Misconfigured, match="cannot be made"):
            token(store, "anna", **wrong)  # type: ignore[arg-type]  # each is one keyword of three
    with pytest.raises(Misconfigured, match="There is no token"), store.begin() as connection:
        people.revoke(connection, "cafebabe", "anna", store.clock.now())


def test_a_token_row_put_beside_the_store_acts_only_with_its_own_text(store: Store) -> None:
    add(store, "anna", ADMIN)
    made = token(store, "anna")
    with store.begin() as connection:
        kept = connection.execute(text("SELECT sha256 FROM app_token")).scalar_one()
    assert kept == people.hashed(made.text)
    assert holder(store, kept) is None, "the hash is no token"
