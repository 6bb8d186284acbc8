"""Practice AIS: configuration, signing in, tokens, lifetimes, signing out (J001 to J029)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from jde_practice import DEVICE, PASSWORD, USER, Ais, practice

OLD_STAMP = r"\d{4}-\d\d-\d\d:\d\d\.\d\d\.\d\d"
NEW_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}"


@pytest.fixture
def ais(tmp_path: Path) -> Iterator[Ais]:
    with practice(tmp_path) as served:
        yield served


def basic(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def lives(ais: Ais, **more: object) -> bool:
    body = {"token": ais.token, "deviceName": DEVICE} | more
    answer = ais.send("POST", "/v2/tokenrequest/validate", json=body)
    assert answer.status_code in (200, 444)
    return answer.status_code == 200


def is_invalid_token(answer: httpx2.Response, status: int = 444) -> bool:
    return answer.status_code == status and answer.json()["message"] == "Invalid Token"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/defaultconfig", "/v2/defaultconfig"])
def test_anyone_may_read_the_configuration(ais: Ais, method: str, path: str) -> None:
    """J001"""
    answer = ais.send(method, path, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["defaultEnvironment"] == "JPD920"
    assert answer.json()["aisVersion"].startswith("EnterpriseOne 9.2")


def test_lifetimes_are_published_in_minutes_as_strings(ais: Ais) -> None:
    """J002"""
    ais.switch("session_idle_minutes", 12)
    config = ais.send("GET", "/v2/defaultconfig").json()
    assert (config["sessionTimeout"], config["timeToLive"]) == ("12", "720")
    assert isinstance(config["jasPort"], str)


def test_a_capability_the_server_lacks_is_said_to_be_missing(ais: Ais) -> None:
    """J003"""
    path = "/v2/defaultconfig?requiredCapabilities="
    assert ais.send("GET", path + "grid,dataservice").json()["requiredCapabilityMissing"] is False
    assert ais.send("GET", path + "grid,nope").json()["requiredCapabilityMissing"] is True


def test_only_version_two_says_since_which_version_a_capability_exists(ais: Ais) -> None:
    """J004"""
    for path, count in (("/defaultconfig", 0), ("/v2/defaultconfig", 5)):
        listed = ais.send("GET", path).json()["capabilityList"]
        assert sum("sinceVersion" in item for item in listed) == count


def test_user_and_password_in_the_body_open_a_session(ais: Ais) -> None:
    """J005"""
    assert ais.sign_in().status_code == 200
    assert ais.ask().status_code == 200
    assert ais.control("state")["sessions"] == 1


def test_basic_credentials_and_headers_open_a_session_without_a_body(ais: Ais) -> None:
    """J006"""
    headers = basic() | {"jde-AIS-Auth-Environment": "JPD920", "jde-AIS-Auth-Role": "*ALL"}
    headers |= {"jde-AIS-Auth-Device": DEVICE}
    answer = ais.send("POST", "/v2/tokenrequest", headers=headers)
    assert answer.status_code == 200
    ais.token = answer.json()["userInfo"]["token"]
    assert lives(ais)


def test_a_bearer_token_is_refused_until_the_server_knows_it(ais: Ais) -> None:
    """J007"""
    headers = {"Authorization": "Bearer aaa.bbb.ccc"}
    assert ais.send("POST", "/v2/tokenrequest", headers=headers).status_code == 403
    ais.switch("bearer_tokens", {"aaa.bbb.ccc": USER})
    answer = ais.send("POST", "/v2/tokenrequest", headers=headers)
    assert (answer.status_code, answer.json()["username"]) == (200, USER)


def test_the_answer_holds_an_opaque_token_and_the_users_date_format(ais: Ais) -> None:
    """J008"""
    answer = ais.sign_in().json()
    user = answer["userInfo"]
    assert set("+/=") <= set(user["token"])
    assert answer["userAuthorized"] is False  # although it worked
    assert (user["dateFormat"], user["dateSeperator"], user["simpleDateFormat"]) == (
        "MDE", "/", "MM/dd/yyyy",
    )  # fmt: skip
    ais.switch("simple_date_format", "dd-MM-yyyy")
    user = ais.sign_in().json()["userInfo"]
    assert (user["dateFormat"], user["dateSeperator"]) == ("DME", "-")


def test_version_one_calls_itself_deprecated(ais: Ais) -> None:
    """J009"""
    assert ais.sign_in("/tokenrequest").json()["deprecated"] is True
    assert ais.ask("/dataservice").json()["deprecated"] is True
    assert "deprecated" not in ais.sign_in().json()
    assert "deprecated" not in ais.ask().json()


@pytest.mark.parametrize("wrong", [{"password": "nope"}, {"username": "NOBODY"}, {"username": ""}])
def test_wrong_credentials_are_a_403(ais: Ais, wrong: dict[str, str]) -> None:
    """J010"""
    answer = ais.sign_in(**wrong)
    assert answer.status_code == 403
    assert set(answer.json()) == {"message", "exception", "timeStamp"}
    assert ais.control("state")["sessions"] == 0


def test_a_body_that_is_not_declared_as_json_is_a_415(ais: Ais) -> None:
    """J011"""
    headers = {"Content-Type": "text/plain"}
    answer = ais.send("POST", "/v2/tokenrequest", content=b"{}", headers=headers)
    assert answer.status_code == 415


def test_broken_json_is_a_400(ais: Ais) -> None:
    """J012"""
    headers = {"Content-Type": "application/json"}
    answer = ais.send("POST", "/v2/tokenrequest", content=b'{"username":', headers=headers)
    assert answer.status_code == 400


def test_an_ais_that_is_not_an_allowed_host_answers_405(ais: Ais) -> None:
    """J013"""
    ais.switch("allowed_host", False)
    assert ais.sign_in().status_code == 405


def test_environment_and_role_default_and_unknown_ones_are_refused(ais: Ais) -> None:
    """J014"""
    answer = ais.sign_in(environment=None, role=None).json()
    assert (answer["environment"], answer["role"]) == ("JPD920", "*ALL")
    assert ais.sign_in(environment="JPY920").status_code == 403
    assert ais.sign_in(role="SYSADMIN").status_code == 403
    ais.switch("environments", ["JPD920", "JPY920"])
    assert ais.sign_in(environment="JPY920").json()["environment"] == "JPY920"


def test_the_token_may_come_in_the_body_a_header_or_the_query(ais: Ais) -> None:
    """J015"""
    ais.sign_in()
    request = {"targetName": "F0010", "targetType": "table", "findOnEntry": "true"}
    headers = {"JDE-ais-AUTH": ais.token, "jde-AIS-Auth-Device": DEVICE}
    assert ais.send("POST", "/v2/dataservice", json=request, headers=headers).status_code == 200
    query = {"$token": ais.token, "$device": DEVICE}
    assert ais.send("POST", "/v2/dataservice", json=request, params=query).status_code == 200
    assert is_invalid_token(ais.send("POST", "/v2/dataservice", json=request))


@pytest.mark.parametrize("device", ["another", None])
def test_a_token_is_bound_to_its_device(ais: Ais, device: str | None) -> None:
    """J016"""
    ais.sign_in()
    assert is_invalid_token(ais.ask(deviceName=device))
    ais.switch("device_check", False)
    assert ais.ask(deviceName=device).status_code == 200


def test_a_token_without_device_is_bound_to_the_callers_address(ais: Ais) -> None:
    """J017"""
    ais.sign_in(deviceName=None)
    assert ais.ask(deviceName=None).status_code == 200
    elsewhere = httpx2.HTTPTransport(local_address="127.0.0.2")
    with httpx2.Client(transport=elsewhere) as http:
        answer = http.post(f"{ais.url}/jderest/v2/tokenrequest/validate", json={"token": ais.token})
    assert is_invalid_token(answer)


def test_a_session_dies_when_idle_and_when_old(ais: Ais) -> None:
    """J018"""
    ais.sign_in()
    for _ in range(26):  # used every 27 minutes, until 720 minutes are over
        ais.clock.advance(27 * 60)
        assert ais.ask().status_code == 200
    ais.clock.advance(27 * 60)
    assert is_invalid_token(ais.ask())
    ais.sign_in()
    ais.clock.advance(31 * 60)
    assert is_invalid_token(ais.ask())


@pytest.mark.parametrize("status", [444, 403, 401])
def test_an_invalid_token_answers_the_status_of_the_release(ais: Ais, status: int) -> None:
    """J019"""
    ais.switch("invalid_token_status", status)
    ais.token = "044unknown"
    assert is_invalid_token(ais.ask(), status)


def test_the_time_stamp_has_two_forms(ais: Ais) -> None:
    """J020"""
    for form, pattern in (("new", NEW_STAMP), ("old", OLD_STAMP)):
        ais.switch("timestamp_format", form)
        assert re.fullmatch(pattern, ais.sign_in(password="nope").json()["timeStamp"])
        assert re.fullmatch(pattern, ais.ask().json()["timeStamp"])


def test_validating_renews_the_session_only_when_it_touches(ais: Ais) -> None:
    """J021"""
    ais.sign_in()
    ais.clock.advance(20 * 60)
    assert lives(ais, touch=True)
    ais.clock.advance(20 * 60)
    assert lives(ais)
    ais.clock.advance(20 * 60)
    assert not lives(ais)


def test_version_one_cannot_validate(ais: Ais) -> None:
    """J022"""
    ais.sign_in()
    answer = ais.send("POST", "/tokenrequest/validate", json={"token": ais.token})
    assert answer.status_code == 404
    assert ais.refused()[0]["path"] == "/jderest/tokenrequest/validate"


@pytest.mark.parametrize("path", ["/tokenrequest/logout", "/v2/tokenrequest/logout"])
def test_signing_out_kills_the_token(ais: Ais, path: str) -> None:
    """J023"""
    ais.sign_in()
    assert ais.send("POST", path, json={"token": ais.token}).status_code == 200
    assert not lives(ais)
    assert is_invalid_token(ais.send("POST", path, json={"token": ais.token}))
    assert ais.control("state")["sessions"] == 0


def test_credentials_with_each_call_leave_no_session_behind(ais: Ais) -> None:
    """J024"""
    request = {"targetName": "F0010", "targetType": "table", "findOnEntry": "true"}
    answer = ais.send("POST", "/v2/dataservice", json=request, headers=basic())
    assert answer.status_code == 200
    inline = request | {"username": USER, "password": PASSWORD}
    assert ais.send("POST", "/v2/dataservice", json=inline).status_code == 200
    none = {
        "sessions": 0,
        "sessions_opened": 0,
        "sessions_most": 0,
        "sessions_unused": 0,
        "result_sets": 0,
    }
    assert ais.control("state") == none


def test_a_sticky_server_wants_its_cookie_back_and_a_stateless_one_does_not(ais: Ais) -> None:
    """J025"""
    cookie = ais.sign_in().headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("JSESSIONID=")
    assert ais.ask().status_code == 200
    ais.switch("cookie_mode", "sticky")
    assert is_invalid_token(ais.ask())
    body = {"token": ais.token, "deviceName": DEVICE}
    path, headers = "/v2/tokenrequest/validate", {"Cookie": cookie}
    assert ais.send("POST", path, json=body, headers=headers).status_code == 200


def test_a_restart_kills_every_token(ais: Ais) -> None:
    """J026"""
    ais.sign_in()
    assert ais.control("restart")["sessions"] == 0
    assert not lives(ais)


def test_an_unknown_path_is_a_container_page_and_is_reported(ais: Ais) -> None:
    """J027"""
    answer = ais.send("POST", "/v3/dataservice", json={})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html")
    assert ais.refused()[0]["path"] == "/jderest/v3/dataservice"
    ais.switch("unknown_path", "json")
    assert "message" in ais.send("GET", "/nowhere").json()
    assert ais.send("DELETE", "/v2/dataservice").status_code == 405
    assert len(ais.refused()) == 3


@pytest.mark.parametrize("status", [200, 502, 503])
def test_a_proxy_may_answer_html_instead_of_ais(ais: Ais, status: int) -> None:
    """J028"""
    ais.switch("html_status", status)
    answer = ais.send("GET", "/defaultconfig")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
    assert answer.text.startswith("<html>")


def test_basic_authentication_can_be_off(ais: Ais) -> None:
    """J029"""
    ais.switch("allow_basic", False)
    assert ais.send("POST", "/v2/tokenrequest", headers=basic()).status_code == 403
    assert ais.sign_in().status_code == 200


def test_switches_outlive_a_restart_of_the_practice_system_and_tokens_do_not(
    tmp_path: Path,
) -> None:
    with practice(tmp_path) as first:
        first.switch("invalid_token_status", 403)
        first.sign_in()
        token = first.token
    with practice(tmp_path) as second:
        second.token = token
        assert is_invalid_token(second.ask(), 403)


def test_a_switch_with_a_wrong_name_or_value_is_refused(ais: Ais) -> None:
    for body in ({"name": "nope", "value": 1}, {"name": "order", "value": "random"},
                 {"name": "find_needed", "value": "yes"}):  # fmt: skip
        answer = ais.http.post(f"{ais.control_url}/control/switch", json=body)
        assert answer.status_code == 400
    assert ais.control("switch")["switches"]["order"] == "unstable"


def test_old_tools_have_version_1_of_the_services_alone(ais: Ais) -> None:
    """J140"""
    ais.switch("services", "v1")
    config = {"Content-Type": "application/json"}
    assert ais.send("GET", "/v2/defaultconfig", headers=config).status_code == 404
    assert ais.send("GET", "/defaultconfig", headers=config).status_code == 200
    for path in ("/v2/tokenrequest", "/v2/dataservice", "/v3/orchestrator/X"):
        assert ais.send("POST", path, json={}).status_code == 404
