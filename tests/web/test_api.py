"""The API: whose token, what it may, one page after the other, each command once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count, product
from random import Random
from typing import Any

import pytest
from prepared_batches import ENDED, journal, prepare
from web_office import PARTS, WHO, Answer, Browser, WebOffice

from tieout.core.listing import cursor
from tieout.core.policy import holds
from tieout.store import people as stored
from tieout.store.batches import Batch
from tieout.store.runs import NewRun
from tieout.verbs import people, setting_up
from tieout.web.api.description import description
from tieout.web.api.operation import Operation
from tieout.web.api.operations import OPERATIONS, PREFIX

CHANGING = [o for o in OPERATIONS if o.method != "GET"]
BODIES: dict[str, dict[str, Any]] = {
    "RunFlow": {"flow": "companies"}, "Reason": {"why": "a test"},
    "Decide": {"digest": "0" * 64}, "Decline": {"digest": "0" * 64, "reason": "a test"},
    "SetMapping": {"dimension": "company", "source": "00001", "target": "1001", "why": "a test"},
    "Pause": {"until": "2027-01-01", "why": "a test"}, "MakePack": {"period": "2025-03"},
}  # fmt: skip


_numbers = count(1)


def prepared(office: WebOffice, by: str = "anna") -> Batch:
    """A batch that waits, of a company of its own."""
    number = next(_numbers)
    return prepare(office.store, journal(f"J{number}", company=f"{number:05}"), by=by)


def named(operation: Operation) -> str:
    return operation.name


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path_factory.mktemp("office") / "home")
    found.people()
    yield found
    found.close()


def call(
    office: WebOffice, who: str, path: str, method: str = "GET", body: object = None, **headers: str
) -> Answer:
    """One call with somebody's token, or without."""
    sent = {"content-type": "application/json"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    token = office.secrets.get(who, who)
    if token:
        sent["authorization"] = f"Bearer {token}"
    data = b"" if body is None else json.dumps(body).encode()
    return Browser(office.app).ask(PREFIX + path, method, headers=sent, body=data)


def path_of(office: WebOffice, operation: Operation) -> str:
    """The path with a thing of its own, as far as it names any."""
    path = operation.path
    if "{batch}" in path:
        path = path.replace("{batch}", prepared(office).id)
    if "{run}" in path:
        run = office.store.new_run(NewRun("companies", "load_members", "anna", alone=False))
        path = path.replace("{run}", run.id)
    if "{pack}" in path:
        path = path.replace("{pack}", PARTS["pack"](office, "")[0])
    path = path.replace("{schedule}", "nightly").replace("{connection}", "erp")
    return path.replace("{flow}", "companies")


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_without_a_token_that_acts_nothing_is_told(office: WebOffice, operation: Operation) -> None:
    path = path_of(office, operation)
    session = office.browser("eve").cookies["tieout_session"]
    for token in ("", "tieout_nonsense", session):
        answer = call(office, token, path, operation.method)
        assert answer.status == 401
        assert answer.header("www-authenticate").startswith("Bearer")
        assert answer.header("content-type") == "application/problem+json"
    in_a_cookie = Browser(office.app, {"tieout_session": session}).ask(
        PREFIX + path, operation.method
    )
    assert in_a_cookie.status == 401, "no cookie is looked at, so nothing can be forged"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_role_may_call_exactly_what_the_policy_allows(
    office: WebOffice, operation: Operation
) -> None:
    for who in WHO.values():
        path = path_of(office, operation)
        with office.store.database.read() as connection:
            actor = next(u.actor for u in stored.users(connection) if u.name == who)
        body = BODIES[operation.body.__name__] if operation.body else None
        before = office.told()
        answer = call(office, who, path, operation.method, body)
        # Everything is fresh, and prepared by nobody who decides: the right alone counts.
        if holds(actor, operation.act):
            assert answer.status not in (401, 403), answer.text
            assert answer.status < 500, answer.text
            assert answer.status != 404 or "{flow}" in operation.path, "no flow here is tied out"
        else:
            assert answer.status == 403, answer.text
        if answer.status == 403:
            [(name, _, told)] = office.trail("was not allowed", before)
            assert (name, told["act"]) == (who, operation.act)
            assert json.loads(answer.body)["detail"]


def test_nobody_approves_over_the_api_what_they_prepared(office: WebOffice) -> None:
    batch = prepared(office, "ben")
    path = f"/approvals/{batch.id}/approve"
    answer = call(office, "ben", path, "POST", {"digest": batch.digest})
    assert answer.status == 403
    assert "ben prepared Batch" in json.loads(answer.body)["detail"]
    assert call(office, "carla", path, "POST", {"digest": "0" * 64}).status in (409, 422)
    done = call(office, "carla", path, "POST", {"digest": batch.digest})
    assert done.status == 200, done.text
    assert json.loads(done.body)["state"] == "approved"
    again = call(office, "carla", path, "POST", {"digest": batch.digest})
    assert again.status in (403, 409), "it is decided"


def test_many_approvals_at_once_make_one_decision(office: WebOffice) -> None:
    batch = prepared(office)
    path, body = f"/approvals/{batch.id}/approve", {"digest": batch.digest}

    def approve(number: int) -> int:
        return call(office, ("ben", "carla")[number % 2], path, "POST", body).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(approve, range(24)))
    assert statuses.count(200) == 1
    assert max(statuses) < 500
    sending = [r for r in office.store.runs(flow="plan") if r.asked.get("batch") == batch.id]
    assert len(sending) == 1


def test_a_token_that_was_made_for_less_does_less(office: WebOffice) -> None:
    made = people.make_token(
        office.desk("anna"), user=None, scopes=("run",), days=9, what_for="nightly"
    )
    token = made["secret"]
    assert call(office, token, "/runs", "POST", {"flow": "companies"}).status == 202
    assert call(office, token, "/runs").status == 403
    assert call(office, token, "/approvals").status == 403
    used = next(
        t for t in people.own(office.desk("anna"))["tokens"] if t["id"] == made["token"]["id"]
    )
    assert used["used_at"] is not None
    people.revoke_token(office.desk("anna"), made["token"]["id"])
    assert call(office, token, "/runs", "POST", {"flow": "companies"}).status == 401


def test_a_run_that_is_asked_for_twice_under_one_key_is_begun_once(office: WebOffice) -> None:
    for run in office.store.runs(flow="companies"):
        if not run.finished:
            office.store.finish_run(run.id, ENDED)
    body = {"flow": "companies", "full": True}
    first = call(office, "anna", "/runs", "POST", body, idempotency_key="close-1")
    assert first.status == 202, first.text
    call(office, "anna", f"/runs/{json.loads(first.body)['run']}/cancel", "POST", {"why": "x"})
    second = call(office, "anna", "/runs", "POST", body, idempotency_key="close-1")
    assert (second.status, second.body) == (202, first.body)
    assert second.header("idempotent-replayed") == "true"
    other = call(office, "anna", "/runs", "POST", {"flow": "companies"}, idempotency_key="close-1")
    assert other.status == 422
    assert "belongs to another command" in json.loads(other.body)["detail"]
    bad = call(office, "anna", "/runs", "POST", {"flow": "nothing"}, idempotency_key="close-2")
    assert bad.status == 422
    good = call(office, "anna", "/runs", "POST", body, idempotency_key="close-2")
    assert good.status == 202, "what was refused changed nothing, so its key is free"
    theirs = call(office, "eve", "/runs", "POST", body, idempotency_key="close-1")
    assert theirs.status == 403, "a key is of one caller"


def test_what_is_not_there_leaves_its_key_free(office: WebOffice) -> None:
    for path in ("/runs/none/cancel", "/approvals/none/void"):
        for _ in range(2):
            answer = call(office, "anna", path, "POST", {"why": "x"}, idempotency_key="missing")
            assert answer.status == 404, answer.text
    batch = prepared(office)
    path = f"/approvals/{batch.id}/void"
    done = call(office, "anna", path, "POST", {"why": "x"}, idempotency_key="missing")
    assert done.status == 200, done.text


def test_many_calls_with_one_key_are_carried_out_once(office: WebOffice) -> None:
    batch = prepared(office)
    body = {"why": "a test"}

    def void(_: int) -> Answer:
        return call(
            office, "anna", f"/approvals/{batch.id}/void", "POST", body, idempotency_key="v"
        )

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(void, range(12)))
    assert {a.status for a in answers} <= {200, 403, 409}
    assert len([a for a in answers if a.status == 200 and not a.header("idempotent-replayed")]) == 1
    assert len(office.trail("made batch void")) <= 1


def test_pages_follow_each_other_and_hold_everything_once(office: WebOffice) -> None:
    for _ in range(7):
        prepared(office)
    whole = json.loads(call(office, "dora", "/approvals?every=true&limit=500").body)
    assert whole["next"] == ""
    found, cursor = [], ""
    while True:
        page = json.loads(
            call(office, "dora", f"/approvals?every=true&limit=3&cursor={cursor}").body
        )
        assert len(page["items"]) <= 3
        found += page["items"]
        if not (cursor := page["next"]):
            break
    assert found == whole["items"]
    assert len({b["batch"] for b in found}) == len(found) >= 7
    runs = json.loads(call(office, "dora", "/runs?limit=2").body)
    after = json.loads(call(office, "dora", f"/runs?limit=2&cursor={runs['next']}").body)
    assert {r["run"] for r in runs["items"]}.isdisjoint({r["run"] for r in after["items"]})


PLACES = (5, 2**63 - 1, Decimal("1.5"), datetime(2026, 1, 5, tzinfo=UTC), None, "x")


def test_a_place_in_a_list_that_somebody_wrote_is_refused_in_words_or_is_empty(
    office: WebOffice, dice: Random
) -> None:
    finn = office.browser("finn")
    lists = ("/runs", "/rejects", "/rejects?sort=amount", "/rejects?sort=company", "/audit")
    calls = ("/runs", "/rejects", "/approvals?every=true", "/journals", "/mappings", "/packs")
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    for value, key in [*dice.sample([*product(PLACES, PLACES)], 8), (first, "x"), ("\0", "\0")]:
        place = cursor(value, key)
        for path in calls:
            asked = f"{path}{'&' if '?' in path else '?'}cursor={place}"
            answer = call(office, "finn", asked)
            assert answer.status in (200, 422), (asked, answer.text)
        for path in lists:
            for way in ("after", "before"):
                asked = f"{path}{'&' if '?' in path else '?'}{way}={place}"
                assert finn.ask(asked).status in (200, 422), asked


def test_the_trail_is_read_in_its_order_by_who_may(office: WebOffice) -> None:
    assert call(office, "dora", "/audit").status == 403
    first = json.loads(call(office, "finn", "/audit?limit=3").body)
    assert [e["seq"] for e in first["items"]] == [1, 2, 3]
    second = json.loads(call(office, "finn", f"/audit?limit=2&cursor={first['next']}").body)
    assert [e["seq"] for e in second["items"]] == [4, 5]


def test_mappings_are_set_and_withdrawn_by_who_may_with_their_history(office: WebOffice) -> None:
    asked = {"dimension": "account", "source": "6010", "target": "6020", "why": "renamed"}
    assert call(office, "dora", "/mappings", "POST", asked).status == 403
    done = json.loads(call(office, "anna", "/mappings", "POST", asked).body)
    [told] = json.loads(call(office, "dora", "/mappings?dimension=account").body)["items"]
    assert (told["source"], told["target"], told["why"], told["set_by"], told["version"]) == (
        "6010", "6020", "renamed", "anna", done["version"],
    )  # fmt: skip
    assert call(office, "anna", "/mappings", "POST", asked | {"since": "2025-15"}).status == 422
    assert call(office, "anna", "/mappings", "POST", asked | {"target": None}).status == 200
    assert json.loads(call(office, "dora", "/mappings?dimension=account").body)["items"] == []


def test_a_schedule_is_paused_skipped_and_resumed_with_a_reason(office: WebOffice) -> None:
    def steer(word: str, **body: str) -> Answer:
        return call(office, "anna", f"/schedules/nightly/{word}", "POST", {"why": "x"} | body)

    paused = json.loads(steer("pause", until="2027-01-01").body)
    assert (paused["paused_by"], paused["paused_why"]) == ("anna", "x")
    seen = json.loads(call(office, "dora", "/schedules").body)["items"]
    assert [(s["schedule"], s["next"][0]["paused"]) for s in seen] == [("nightly", True)]
    assert json.loads(steer("resume").body)["paused_until"] is None
    assert json.loads(steer("skip").body)["skips_next"] is True
    assert steer("skip").status == 422, "it is skipped already"
    assert json.loads(steer("resume").body)["skips_next"] is False
    for until in ("never", "0001-01-01T00:00+23:59", "9999-12-31 23:59", "0001-01-01"):
        answer = steer("pause", until=until)
        assert answer.status in (200, 422), (until, answer.text)
    steer("resume")


def test_a_connection_is_told_without_what_it_signs_in_with(office: WebOffice) -> None:
    password = "Zx7-canary-of-a-call-51"
    setting_up.connect(office.desk("eve"), "erp", {"username": "JDE", "password": password})
    for path in ("/connections", "/connections/erp"):
        answer = call(office, "dora", path)
        assert answer.status == 200
        assert password not in answer.text
    told = json.loads(call(office, "dora", "/connections/erp").body)
    assert (told["set_by"], told["lacks"], told["flows"]) == ("eve", "", ["companies"])
    found = call(office, "eve", "/connections/erp/test", "POST")
    assert (found.status, json.loads(found.body)["ok"]) == (200, False), "nobody answers there"
    assert password not in found.text


def test_an_evidence_pack_is_for_who_may_hand_it_out_and_nothing_beside_it(
    office: WebOffice,
) -> None:
    [name] = PARTS["pack"](office, "")
    for who in ("dora", "anna"):
        assert call(office, who, f"/packs/{name}").status == 403
        assert call(office, who, "/packs").status == 403
    answer = call(office, "finn", f"/packs/{name}")
    assert (answer.status, answer.body) == (200, b"a pack")
    assert answer.header("content-type") == "application/zip"
    assert answer.header("content-disposition") == f'attachment; filename="{name}"'
    assert [p["name"] for p in json.loads(call(office, "ben", "/packs").body)["items"]] == [name]
    for other in ("..%2Ftieout.sqlite", "evidence-..%2F..%2Fkey.zip", "tieout.toml", "%00"):
        assert call(office, "finn", f"/packs/{other}").status == 404, other


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/runs?limit=0", "GET", b"", 422), ("/runs?limit=x", "GET", b"", 422),
        ("/runs?cursor=zz", "GET", b"", 422), ("/runs?colour=red", "GET", b"", 422),
        ("/runs?flow=a&flow=b", "GET", b"", 422), ("/audit?cursor=-1", "GET", b"", 422),
        ("/runs/none", "GET", b"", 404), ("/nothing", "GET", b"", 404), ("/runs", "PUT", b"", 405),
        ("/runs", "POST", b"{", 400), ("/runs", "POST", b"[1]", 422), ("/runs", "POST", b"{}", 422),
        ("/runs", "POST", b'{"flow":"companies","colour":1}', 422),
        ("/runs", "POST", b'{"flow":' + b"[" * 100_000, 422), ("/runs", "POST", b"\xff", 400),
        ("/runs", "POST", b'{"flow":"' + b"x" * 1_000_001 + b'"}', 413),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_a_problem_in_words(
    office: WebOffice, path: str, method: str, body: bytes, status: int
) -> None:
    who = "finn" if path.startswith("/audit") else "anna"
    headers = {"authorization": f"Bearer {office.secrets[who]}"}
    answer = Browser(office.app).ask(PREFIX + path, method, headers=headers, body=body)
    assert answer.status == status, answer.text
    assert answer.header("content-type") == "application/problem+json"
    told = json.loads(answer.body)
    assert (told["status"], bool(told["detail"]), told["type"]) == (status, True, "about:blank")
    assert "Traceback" not in answer.text


def test_the_description_names_every_operation_and_is_open(office: WebOffice) -> None:
    answer = Browser(office.app).ask(PREFIX + "/openapi.json")
    assert answer.status == 200
    told = json.loads(answer.body)
    assert told["openapi"] == "3.1.0"
    assert told == json.loads(json.dumps(description()))
    named = {(path, method.upper()) for path, ways in told["paths"].items() for method in ways}
    assert named == {(PREFIX + o.path, o.method) for o in OPERATIONS}
    assert all(o.loads is not None for o in OPERATIONS if "{" in o.path)
