"""`tieout ping` of Anaplan on broken set-ups: the right rung and cause, and who can mend it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from certificates import certificate
from pinged import Broken, Cause, assert_told, documented, made

ANAPLAN, TIEOUT, SERVER = "administrator of Anaplan", "administrator of Tieout", "server"
ME, SIGN_IN = "/users/me$", "/token/authenticate$"
UNLOCK = {"do": "unlock_model"}
IMPORT = {"import": "Load GL Actuals"}


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """An instance in good health."""
    found = made(tmp_path_factory.mktemp("ping") / "home")
    yield found
    found.books.close()


@pytest.fixture
def broken(well: Broken) -> Iterator[Broken]:
    yield well
    well.mend()


def page_behind_tls(b: Broken) -> None:
    b.move("sign-in", b.page(certificate(b.folder, days=400)))


CAUSES = {
    "a sign-in address that nobody knows": Cause(
        lambda b: b.move("sign-in", "http://auth..anaplan"), "name", "unknown-name",
        "auth..anaplan", TIEOUT, exit_code=3),
    "a sign-in address where nothing listens": Cause(
        lambda b: b.move("sign-in", "http://127.0.0.1:1"), "door", "closed", "port 1", SERVER),
    "a proxy that shows its own certificate": Cause(
        page_behind_tls, "lock", "unknown-authority", "signed by CN=practice", TIEOUT),
    "a page instead of the API": Cause(
        lambda b: b.move("anaplan", b.page()), "who is it", "html-page", "api_url", TIEOUT),
    "a page instead of the sign-in": Cause(
        lambda b: b.move("sign-in", b.page()), "who is it", "html-page", "auth_url", TIEOUT),
    "a path that the API does not have": Cause(
        lambda b: b.answered("anaplan", ME, 404, body="{}"), "who is it", "no-such-path", "404",
        TIEOUT),
    "a version that the API does not have": Cause(
        lambda b: b.change("/2/0", "/2/9"), "right place", "models-refused", "404", ANAPLAN),
    "JSON of something else": Cause(
        lambda b: b.answered("anaplan", ME, 200, body="{}"), "who is it", "not-anaplan",
        "not Anaplan", TIEOUT),
    "an Anaplan that fails": Cause(
        lambda b: b.answered("anaplan", ME, 500), "who is it", "failing", "500", ANAPLAN),
    "an Anaplan that is being maintained": Cause(
        lambda b: b.answered("anaplan", ME, 503), "who is it", "gateway", "503"),
    "a tenant whose requests are used up": Cause(
        lambda b: b.answered("anaplan", ME, 429), "who is it", "too-many-requests", "429"),
    "no credentials": Cause(
        lambda b: b.change('"secret://planning"', '"secret://nobody"'), "let in",
        "no-credentials", "No credentials", exit_code=3),
    "a wrong password": Cause(
        lambda b: b.password("planning", "anaplan"), "let in", "password", "did not accept",
        ANAPLAN),
    "a sign-in that fails": Cause(
        lambda b: b.answered("anaplan", SIGN_IN, 500), "let in", "sign-in-failed", "500", ANAPLAN),
    "a workspace that is not the user's": Cause(
        lambda b: b.change('"Finance"', '"Finances"'), "right place", "missing-workspace",
        "There are: 'Finance'", ANAPLAN, exit_code=3),
    "a model that is not there": Cause(
        lambda b: b.change('model = "FP&A 2026"', 'model = "FP&A 2027"'), "right place",
        "missing-model", "'FP&A 2026'", ANAPLAN, exit_code=3),
    "models that may not be seen": Cause(
        lambda b: b.answered("anaplan", "/models", 403), "right place", "models-refused", "403",
        ANAPLAN),
    "an archived model": Cause(
        lambda b: b.person("archive_model", UNLOCK), "right place", "model-archived",
        "is archived", ANAPLAN),
    "a locked model": Cause(
        lambda b: b.person("lock_model", UNLOCK), "right place", "model-locked", "is locked",
        ANAPLAN),
    "a model that is offline": Cause(
        lambda b: b.person("take_offline", UNLOCK), "right place", "model-offline", "is offline",
        ANAPLAN),
    "a state that nobody knows": Cause(
        lambda b: b.switch_anaplan("odd_enums", True, False), "right place", "unknown-state",
        "a state that is not known here", ANAPLAN, "notice"),
    "a list that is not there": Cause(
        lambda b: b.change('list = "GL Accounts"', 'list = "G/L Accounts"'), "may read",
        "missing-list", "'GL Accounts'", ANAPLAN, exit_code=3),
    "a view that is not there": Cause(
        lambda b: b.change('view = "GL Actuals"', 'view = "Actuals"'), "may read",
        "missing-view", "'Actuals'", ANAPLAN, exit_code=3),
    "a view that may not be read": Cause(
        lambda b: b.answered("anaplan", "/views/[0-9]+$", 404), "may read", "read-refused",
        "no access", ANAPLAN),
    "an import that was renamed": Cause(
        lambda b: b.person("rename_import", {"do": "rename_import", "import": "Old",
                                             "to": "Load GL Actuals"}, **IMPORT, to="Old"),
        "may act", "missing-import", "'Old'", ANAPLAN, exit_code=3),
    "a column that was renamed": Cause(
        lambda b: b.person("rename_column", {"do": "rename_column", **IMPORT, "column": "Value",
                                             "to": "Amount"}, **IMPORT, column="Amount",
                           to="Value"),
        "may act", "import-columns", "expects the columns Value", ANAPLAN, exit_code=3),
    "an export that is not there": Cause(
        lambda b: b.change('export = "Approved Plan"', 'export = "The Plan"'), "may act",
        "missing-export", "'Approved Plan'", ANAPLAN, exit_code=3),
    "a column of an export that is not there": Cause(
        lambda b: b.change('"Approver" = "approver"', '"Signed by" = "approver"'), "may act",
        "export-columns", "'Signed by'", ANAPLAN, exit_code=3),
    "an import that reads no file": Cause(
        lambda b: b.fault("anaplan", "replace", "/imports$", find='"importDataSourceId": ?"[0-9]+"',
                          body='"otherSource": "1"'),
        "may act", "no-file", "does not read a file", ANAPLAN, exit_code=3),
    "imports that may not be seen": Cause(
        lambda b: b.answered("anaplan", "/imports", 403), "may act", "act-refused", "403",
        ANAPLAN),
    "a tenant of which nothing is left to others": Cause(
        lambda b: None, "limits", "no-headroom", "None of them", TIEOUT, "notice"),
    "a workspace that is nearly full": Cause(
        lambda b: b.fault("anaplan", "replace", "/workspaces/[^/]+$", find='currentSize": ?[0-9]+',
                          body='currentSize": 1073000000'),
        "limits", "nearly-full", "1,073 of 1,073 MB", ANAPLAN, "notice"),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_what_fails_at_anaplan_is_told_at_its_rung(broken: Broken, name: str) -> None:
    broken.books.requests("anaplan")
    assert_told(broken, "planning", CAUSES[name])
    asked = broken.books.requests("anaplan")
    sign_ins = [r for r in asked if r["path"].endswith("/token/authenticate")]
    assert len(sign_ins) <= 1, "an account would be locked by more"
    assert [r for r in asked if r["path"].endswith("/tasks")] == [], "nothing is run by a test"


def test_a_model_that_holds_has_every_rung_and_the_token_is_ended(broken: Broken) -> None:
    broken.books.requests("anaplan")
    found = broken.ping("planning")
    assert [r["state"] for r in found["rungs"]].count("good") == 7
    assert (found["ok"], found["exit_code"]) == (True, 0)
    paths = [r["path"] for r in broken.books.requests("anaplan")]
    assert paths[-1] == "/token/logout"


def test_the_reference_page_names_every_code() -> None:
    assert {cause.code for cause in CAUSES.values()} - documented() == set()
