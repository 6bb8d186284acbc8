"""Claims about signing in to Anaplan with a certificate: what is sent, and what is told of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any

import pytest
from planning import USER, Planning

from tieout.anaplan.regions import REGIONS, hosts, oauth_host
from tieout.anaplan.sign_in import ByCertificate
from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.http import Http
from tieout.project import AnaplanConnection
from tieout.sim.authority import Authority, Signed, make_authority

AUTHENTICATE = "/token/authenticate"


@cache
def ours() -> Authority:
    return make_authority()


@cache
def mine() -> Signed:
    return ours().person(USER)


def fields(signed: Signed) -> dict[str, str]:
    return {"certificate": signed.certificate, "private_key": signed.private_key}


def by_certificate(
    planning: Planning, given: dict[str, str], register: bool = True, **keys: Any
) -> Callable[[], object]:
    """Sign in with a certificate, a new client each time."""
    connection = AnaplanConnection(workspace="w", model="m", secret="s", **keys)

    def how(auth: Http, clock: Any) -> ByCertificate:
        return ByCertificate(auth, lambda: given, clock, connection)

    planning.how = how
    control = partial(planning.system.control, "administer")
    control({"do": "trust_authority", "pem": ours().pem})
    if register:
        pem = given["certificate"]
        control({"do": "register_certificate", "user": USER, "pem": pem})
    return lambda: planning.connect().sign_in()


def sent(planning: Planning) -> list[dict[str, str]]:
    log = planning.box.control("log", {})["log"]
    return [json.loads(e["body"]) for e in log if e["path"] == AUTHENTICATE]


def formats(planning: Planning) -> list[str]:
    return [body.get("encodedDataFormat", "v1") for body in sent(planning)]


@pytest.mark.parametrize("header", ["pem", "body"])
def test_a_certificate_signs_in_with_format_2_and_its_key_is_not_sent(
    planning: Planning, header: str
) -> None:
    sign_in = by_certificate(planning, fields(mine()), certificate_header=header)
    sign_in()
    assert formats(planning) == ["v2"]
    (body,) = sent(planning)
    data = base64.b64decode(body["encodedData"])
    at = int.from_bytes(data[:8], "big")
    assert abs(at - planning.clock.now().timestamp()) < 5
    assert len(data) >= 108
    assert "PRIVATE" not in str(planning.box.control("log", {}))


def test_where_format_2_is_refused_format_1_is_tried_once_and_gone_on_with(
    planning: Planning,
) -> None:
    planning.system.control("switch", {"name": "v2_known", "value": False})
    by_certificate(planning, fields(mine()))
    client = planning.connect()
    client.sign_in()
    planning.clock.practice.advance(36 * 60)
    client.sign_in()
    assert formats(planning) == ["v2", "v1", "v1"]


@pytest.mark.parametrize("form", ["v1", "v2"])
def test_a_chosen_format_is_the_only_one_that_is_tried(planning: Planning, form: str) -> None:
    sign_in = by_certificate(planning, fields(mine()), register=False, certificate_format=form)
    with pytest.raises(Refused, match=f"format {form}"):
        sign_in()
    assert formats(planning) == [form]


def test_the_time_may_be_in_milliseconds(planning: Planning) -> None:
    planning.system.control("switch", {"name": "certificate_time", "value": "milliseconds"})
    planning.system.control("switch", {"name": "v2_required", "value": True})
    by_certificate(planning, fields(mine()), certificate_time="milliseconds")()
    with pytest.raises(Refused, match="not accept"):
        by_certificate(planning, fields(mine()))()


def test_a_certificate_that_is_not_registered_is_told_as_such_and_not_tried_again(
    planning: Planning,
) -> None:
    by_certificate(planning, fields(mine()), register=False)
    client = planning.connect()
    for _ in range(3):
        with pytest.raises(Refused, match="did not accept the certificate") as caught:
            client.sign_in()
        assert "Let it be registered" in caught.value.do
    assert caught.value.code == "certificate-not-accepted"
    assert formats(planning) == ["v2", "v1"]


def test_a_certificate_that_ended_or_does_not_hold_yet_is_told_before_anything_is_sent(
    planning: Planning,
) -> None:
    now = planning.clock.now()
    old = ours().person(USER, now=now - timedelta(days=9), days=2)
    new = ours().person(USER, begins_in=timedelta(days=3), days=9)
    for signed, code in ((old, "certificate-expired"), (new, "certificate-not-yet-valid")):
        with pytest.raises(Refused) as caught:
            by_certificate(planning, fields(signed), register=False)()
        assert caught.value.code == code
    assert sent(planning) == []


def test_a_key_of_another_certificate_is_told_before_anything_is_sent(planning: Planning) -> None:
    other = ours().person("other@example.com")
    given = fields(mine()) | {"private_key": other.private_key}
    with pytest.raises(Misconfigured, match="does not fit") as caught:
        by_certificate(planning, given)()
    assert caught.value.code == "key-does-not-fit"
    assert "PRIVATE KEY" not in caught.value.sentence()
    assert sent(planning) == []


UNREADABLE = [("certificate", "certificate-unreadable"), ("private_key", "key-unreadable")]


@pytest.mark.parametrize(("field", "code"), UNREADABLE)
def test_what_is_no_pem_is_told_and_not_shown(planning: Planning, field: str, code: str) -> None:
    given = fields(mine()) | {field: "CANARY not pem"}
    with pytest.raises(Misconfigured) as caught:
        by_certificate(planning, given, register=False)()
    assert caught.value.code == code
    assert "CANARY" not in caught.value.sentence()


def test_a_sign_in_whose_answer_is_lost_is_signed_anew(planning: Planning) -> None:
    sign_in = by_certificate(planning, fields(mine()))
    planning.fault("cut_after", path=AUTHENTICATE)
    sign_in()
    first, second = (body["encodedData"] for body in sent(planning))
    assert first != second
    assert formats(planning) == ["v2", "v2"]


def test_a_sign_in_that_is_never_answered_can_be_tried_later(planning: Planning) -> None:
    sign_in = by_certificate(planning, fields(mine()))
    planning.fault("cut_before", path=AUTHENTICATE, times=99)
    with pytest.raises(Unavailable, match="no answer, 3 times"):
        sign_in()


def test_a_token_of_a_certificate_is_renewed_and_ended_like_any_other(planning: Planning) -> None:
    by_certificate(planning, fields(mine()))
    client = planning.connect()
    client.sign_in()
    planning.clock.practice.advance(31 * 60)
    client.sign_in()
    client.close()
    assert planning.count("POST", "/token/refresh") == 1
    assert planning.count("POST", "/token/logout") == 1


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_has_its_three_hosts_of_the_one_vendor(region: str) -> None:
    found = [*hosts(region), oauth_host(region)]
    assert all(host.endswith(".anaplan.com") for host in found)
    own = region in ("us9", "eu3", "eu5", "gb1", "sg1", "ae1", "in1", "id1", "me1")
    named = [host.startswith((f"{region}.", f"{region}a.")) for host in found]
    assert named[:2] == [own or region in ("ca1", "au1")] * 2
    assert found[2] == "us1a.app.anaplan.com" or named[2]
