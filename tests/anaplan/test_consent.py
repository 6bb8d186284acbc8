"""Claims about signing in to Anaplan by consent: each refresh token is used once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from planning import USER, Planning

from tieout.anaplan import consent
from tieout.anaplan.consent import Asked, ByConsent
from tieout.errors import Busy, Refused, Unavailable
from tieout.http import Http
from tieout.outgoing import Allowed
from tieout.store.consents import Consent
from tieout.store.home import make_home
from tieout.store.store import Store

NAME = "planning"
HALF_HOUR_SECONDS = 31 * 60


@dataclass
class Tenant:
    """A practice Anaplan with an OAuth client, and an instance that keeps its consent."""

    planning: Planning
    store: Store
    client: str

    def administer(self, do: str, **body: str) -> dict[str, Any]:
        return dict(self.planning.system.control("administer", {"do": do, **body}))

    def switch(self, name: str, value: object) -> None:
        self.planning.system.control("switch", {"name": name, "value": value})

    def oauth(self) -> Http:
        url = self.planning.url
        return Http(
            url, system="Anaplan's OAuth sign-in", clock=self.planning.clock, allow_http=True,
            allowed=Allowed([url]), timeout_seconds=20,
        )  # fmt: skip

    def decide(self, asked: Asked, do: str = "approve_device") -> None:
        self.administer(do, user_code=asked.user_code, user=USER)

    def give(self) -> None:
        """A person consents, and the consent is sealed."""
        with closing(self.oauth()) as oauth:
            asked = consent.ask(oauth, self.client)
            self.decide(asked)
            fields = consent.consented(oauth, self.client, asked, self.planning.clock)
        self.store.safe.put(NAME, fields, "a test")

    def kept(self) -> Consent:
        return Consent(self.store.database, self.store.safe, NAME, self.planning.clock)

    def way(self, moment: Any = lambda point: None) -> ByConsent:
        return ByConsent(self.oauth(), self.kept(), self.planning.clock, moment)

    def refreshed(self) -> int:
        log = self.planning.box.control("log", {})["log"]
        return sum('"refresh_token"' in entry["body"] for entry in log)

    def stored(self) -> Mapping[str, str]:
        return self.store.safe.opened(NAME)


@pytest.fixture
def tenant(planning: Planning, tmp_path: Path) -> Iterator[Tenant]:
    make_home(tmp_path / "home")
    store = Store(tmp_path / "home", planning.clock)
    store.migrate()
    store.safe.make_key("a test")
    client = planning.system.control("administer", {"do": "add_oauth_client"})["client_id"]
    one = Tenant(planning, store, client)
    one.give()
    yield one
    store.close()


def later(tenant: Tenant) -> None:
    tenant.planning.clock.practice.advance(HALF_HOUR_SECONDS)


def test_a_person_who_confirms_the_code_lets_tieout_in(tenant: Tenant) -> None:
    tenant.planning.how = lambda auth, clock: tenant.way()
    client = tenant.planning.connect()
    assert client.all("lists")
    client.close()
    assert tenant.planning.count("POST", "/token/logout") == 0
    assert tenant.refreshed() == 0


def test_a_code_that_is_declined_or_not_confirmed_in_time_gives_nothing(tenant: Tenant) -> None:
    clock = tenant.planning.clock
    with closing(tenant.oauth()) as oauth:
        asked = consent.ask(oauth, tenant.client)
        tenant.decide(asked, "deny_device")
        with pytest.raises(Refused) as declined:
            consent.consented(oauth, tenant.client, asked, clock)
        assert declined.value.code == "consent-declined"
        asked = consent.ask(oauth, tenant.client)
        with pytest.raises(Refused) as late:
            consent.consented(oauth, tenant.client, asked, clock)
        assert late.value.code == "consent-too-late"
        with pytest.raises(Refused) as unknown:
            consent.ask(oauth, "f" * 32)
        assert unknown.value.code == "consent-client"


def test_the_next_refresh_token_is_sealed_before_the_access_token_is_used(tenant: Tenant) -> None:
    before = tenant.stored()
    later(tenant)
    seen = []

    def moment(point: str) -> None:
        seen.append((point, tenant.stored()["refresh_token"] == before["refresh_token"]))

    value, _ = tenant.way(moment).token()
    assert seen == [("received", True), ("stored", False)]
    assert tenant.stored()["access_token"] == value


def test_all_processes_share_one_access_token_and_renew_it_once(tenant: Tenant) -> None:
    later(tenant)
    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda _: tenant.way().token()[0], range(6)))
    assert len(set(given)) == 1
    assert tenant.refreshed() == 1
    later(tenant)
    assert tenant.way().token()[0] != given[0]
    assert tenant.refreshed() == 2


def test_an_access_token_that_anaplan_refuses_is_renewed_though_it_looks_fresh(
    tenant: Tenant,
) -> None:
    way = tenant.way()
    first, _ = way.token()
    tenant.planning.system.control("restart", {})
    second, _ = way.token()
    assert second != first


class DiedError(BaseException):
    """The process has ended here."""


def die(point: str) -> None:
    if point == "received":
        raise DiedError


def test_a_process_that_dies_with_the_next_token_in_its_hand_is_told_of_and_not_passed_over(
    tenant: Tenant,
) -> None:
    later(tenant)
    with pytest.raises(DiedError):
        tenant.way(die).token()
    with pytest.raises(Busy):
        tenant.way().token()
    tenant.planning.clock.practice.advance(301)
    for _ in range(2):
        with pytest.raises(Refused, match="the answer, with the next refresh token, was lost") as e:
            tenant.way().token()
        assert e.value.code == "consent-lost"
    tenant.give()
    assert tenant.way().token()


def test_where_a_used_token_passes_the_death_of_a_process_costs_nothing(tenant: Tenant) -> None:
    tenant.switch("refresh_reuse", "passes")
    later(tenant)
    with pytest.raises(DiedError):
        tenant.way(die).token()
    tenant.planning.clock.practice.advance(301)
    assert tenant.way().token()
    later(tenant)
    assert tenant.way().token()


def test_a_renewal_that_never_arrived_is_asked_for_again(tenant: Tenant) -> None:
    later(tenant)
    tenant.planning.fault("cut_before", path="/oauth/token")
    assert tenant.way().token()
    assert tenant.refreshed() == 2


def test_a_renewal_whose_answer_was_lost_is_said_to_be_used_up(tenant: Tenant) -> None:
    later(tenant)
    tenant.planning.fault("cut_after", path="/oauth/token")
    with pytest.raises(Refused) as caught:
        tenant.way().token()
    assert caught.value.code == "consent-lost"


def test_a_host_that_is_down_loses_nothing(tenant: Tenant) -> None:
    later(tenant)
    tenant.planning.fault("status", path="/oauth/token", status=429, times=99)
    with pytest.raises(Unavailable):
        tenant.way().token()
    tenant.planning.box.faults.control({"clear": True})
    assert tenant.way().token()
    later(tenant)
    tenant.planning.fault("status", path="/oauth/token", status=503, times=99)
    with pytest.raises(Unavailable) as doubt:
        tenant.way().token()
    assert doubt.value.code == "consent-in-doubt"
    tenant.planning.box.faults.control({"clear": True})
    assert tenant.way().token()


def test_a_consent_that_has_ended_or_was_taken_back_is_told_as_such(tenant: Tenant) -> None:
    later(tenant)
    tenant.administer("revoke_consents", user=USER)
    with pytest.raises(Refused, match="has ended, or was taken back") as caught:
        tenant.way().token()
    assert caught.value.code == "consent-ended"
    tenant.give()
    tenant.planning.clock.practice.advance(43_001)
    with pytest.raises(Refused, match="has ended"):
        tenant.way().token()


def test_a_refresh_token_that_stays_is_kept(tenant: Tenant) -> None:
    tenant.switch("rotating_refresh", False)
    before = tenant.stored()["refresh_token"]
    later(tenant)
    assert tenant.way().token()
    assert tenant.stored()["refresh_token"] == before


def test_neither_token_is_told_and_each_renewal_stands_in_the_trail(tenant: Tenant) -> None:
    later(tenant)
    tenant.way().token()
    tokens = {v for k, v in tenant.stored().items() if k.endswith("token")}
    assert len(tokens) == 2
    with tenant.store.database.read() as connection:
        rows = connection.exec_driver_sql("select act, object, detail from audit").all()
    assert [r.object for r in rows if r.act == "renewed consent"] == [NAME]
    told = str(rows) + repr(tenant.kept().claim())
    assert not [token for token in tokens if token in told]
