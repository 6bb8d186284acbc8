"""The API is called as its own description allows: no defect, nothing beyond what a role may."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import sampled_from
from prepared_batches import prepare
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from web_office import WHO, Browser, WebOffice

from tieout.core.policy import RIGHTS
from tieout.store.runs import NewRun
from tieout.web.api.description import description
from tieout.web.api.operation import Operation
from tieout.web.api.operations import OPERATIONS, PREFIX

CAMPAIGN = bool({"fuzz", "all"} & set(os.environ.get("TIEOUT_CAMPAIGN", "").split(",")))
EXAMPLES = 100 if CAMPAIGN else 6  # of each role in a campaign, else of a role drawn each time
# That a call without a token is refused is a test of its own. And no schema can say which cursors
# we gave out, or which flows there are.
NOT_ASKED = [ignored_auth, positive_data_acceptance]
SCHEMA = schemathesis.openapi.from_dict(description())


def named(operation: Operation) -> str:
    return operation.name


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebOffice]:
    found = WebOffice(tmp_path_factory.mktemp("office") / "home")
    found.people()
    prepare(found.store)
    found.store.new_run(NewRun("companies", "load_members", "anna", alone=False))
    yield found
    found.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_any_call_is_answered_as_the_description_says(
    office: WebOffice, operation: Operation, record_property: pytest.RecordProperty
) -> None:
    counted = Counter(
        status
        for roles in ([[role] for role in WHO] if CAMPAIGN else [list(WHO)])
        for status in _fuzzed(office, operation, roles)
    )
    assert counted
    record_property("calls of the API", counted.total())
    record_property("of them answered with an error of the server", 0)


def _fuzzed(office: WebOffice, operation: Operation, roles: list[str]) -> list[int]:
    """The statuses of calls by these roles, each of which was answered as it should be."""
    statuses: list[int] = []
    described = SCHEMA[PREFIX + operation.path][operation.method]

    @seed(int(os.environ["TIEOUT_SEED"]))
    @settings(
        max_examples=EXAMPLES, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=described.as_strategy(), role=sampled_from(roles))
    def called(case: schemathesis.Case, role: str) -> None:
        answer = _call(office, WHO[role], case)
        assert answer.status_code < 500, (answer.status_code, answer.content)
        assert answer.status_code != 401
        if role not in RIGHTS[operation.act]:
            assert answer.status_code in (403, 413), "nothing else is told to who may not"
        case.validate_response(answer, excluded_checks=NOT_ASKED)
        statuses.append(answer.status_code)

    called()
    return statuses


def _call(office: WebOffice, who: str, case: schemathesis.Case) -> Response:
    path = case.formatted_path
    pairs = {k: _spelled(v) for k, v in (case.query or {}).items()}
    query = f"?{urlencode(pairs)}" if pairs else ""
    headers = {k: v for k, v in dict(case.headers or {}).items() if k.lower() != "authorization"}
    headers = {k.lower(): v.encode("latin-1", "replace").decode("latin-1")
               for k, v in headers.items()}  # fmt: skip
    headers["authorization"] = f"Bearer {office.secrets[who]}"
    no_body = isinstance(case.body, schemathesis.core.NotSet)
    body = b"" if no_body else json.dumps(case.body).encode()
    if not no_body:
        headers["content-type"] = "application/json"
    answer = Browser(office.app).ask(path + query, case.method, headers=headers, body=body)
    asked = requests.Request(case.method, "http://127.0.0.1:7070" + path + query).prepare()
    told: dict[str, list[str]] = {}
    for name, value in answer.headers:
        told.setdefault(name, []).append(value)
    return Response(answer.status, told, answer.body, asked, 0.0, verify=False)


def _spelled(value: object) -> str:
    """A value as it stands in an address."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
