"""No password, key or token of a connection stands in an answer of the pages, or in a backup."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from canaries import Canaries
from web_office import WebOffice, paths

from tieout.sim.authority import make_authority
from tieout.store import backup, consents
from tieout.verbs import keeping_keys
from tieout.web.routes import ADDRESSES

PASSWORD, REFRESH = "canary-password-7f31c2", "canary-refresh-token-55d0e9"
ACCESS, NEXT = "canary-access-token-8813aa", "canary-next-refresh-token-01"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WebOffice]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    made = WebOffice(tmp_path / "home", url)
    made.people()
    yield made
    made.close()


def sealed(office: WebOffice) -> Canaries:
    """Every kind of credential, sealed, renewed and sealed under another key; what is secret."""
    signed = make_authority().person("tieout@example.com")
    key_line = signed.private_key.splitlines()[5]
    safe = office.store.safe
    safe.put("erp", {"username": "TIEOUT", "password": PASSWORD}, "eve")
    fields = {"certificate": signed.certificate, "private_key": signed.private_key}
    safe.put("certified", fields, "eve")
    safe.put("consented", {"client_id": "a1b2", "refresh_token": REFRESH}, "eve")
    renewed = {"client_id": "a1b2", "refresh_token": NEXT, "access_token": ACCESS}
    office.store.database.transact(
        lambda c: consents.keep(c, safe.keys, "consented", renewed, office.clock.now())
    )
    key = (office.home / "key").read_text().strip()
    keeping_keys.rotate(office.desk("eve"))
    return Canaries({
        "password": PASSWORD, "refresh token": REFRESH, "next refresh token": NEXT,
        "access token": ACCESS, "private key": key_line, "key of before": key,
        "key": (office.home / "key").read_text().strip(),
    })  # fmt: skip


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
def test_no_answer_of_the_pages_holds_a_secret_of_a_connection(office: WebOffice) -> None:
    canaries = sealed(office)
    browser, asked, found = office.browser("eve"), 0, list[str]()
    for address in ADDRESSES:
        if address.method != "GET" or address.path.endswith("/live"):  # it tells until the end
            continue
        for path in paths(address, office, "eve"):
            answer = browser.ask(path)
            asked += answer.status == 200
            found += canaries.in_bytes(answer.body, path)
            found += canaries.in_bytes(str(answer.headers).encode(), f"headers of {path}")
    assert asked > 20
    assert found == []


def test_no_backup_holds_a_secret_of_a_connection(office: WebOffice, tmp_path: Path) -> None:
    canaries = sealed(office)
    if office.store.database.is_sqlite:
        backup.copy_database(office.store.database, tmp_path / "copy.sqlite")
        told = (tmp_path / "copy.sqlite").read_bytes()
    else:
        told = dumped(office.url)
    assert b"app_secret" in told
    assert list(canaries.in_bytes(told, "the backup")) == []
    planted = told + PASSWORD.encode()
    assert list(canaries.in_bytes(planted, "it")) == ["password in it"]


def dumped(url: str) -> bytes:
    """The whole database as the server's own tool writes it."""
    program = shutil.which("pg_dump")
    if program is None:
        pytest.skip("there is no pg_dump here")
    parts = urlsplit(url)
    plain = f"postgresql://{parts.netloc}{parts.path}"
    return subprocess.run([program, plain], capture_output=True, check=True).stdout
