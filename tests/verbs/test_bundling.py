"""The support file holds what a reader needs to find a fault, and no secret and no amount."""

from __future__ import annotations

import base64
import gzip
import json
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from desks import PROJECT
from ward import CREDENTIALS, Shifted, Ward

from tieout.errors import Misconfigured
from tieout.store.runs import Ending, NewRun
from tieout.store.store import Store
from tieout.verbs import doctoring

TOKEN = "tieout_canaryToken_91bd27c4"
PLANTED = {
    "password in the vault": CREDENTIALS["password"],
    "user in the vault": CREDENTIALS["username"],
    "token of who acts": TOKEN,
    "secret key of the storage": "s3/secret+canary=77",
    "password of a proxy": "proxycanary55",
    "session of JD Edwards": "044canarySESSIONabc123",
    "token in a next-page URL": "canarynextpage88",
    "header of Anaplan": "canaryAnaplanHeader99xyz",
    "comment of the configuration": "canarycomment12",
    "amount in a sentence": "987,654,321.09",
    "amount in the log": "-31415926.53",
}
LOG = f"""
2026-01-05 INFO httpx: GET https://ais:9300/more?token={PLANTED["token in a next-page URL"]}
2026-01-05 DEBUG jde: {{"userInfo": {{"token": "{PLANTED["session of JD Edwards"]}"}}}}
2026-01-05 DEBUG anaplan: Authorization: AnaplanAuthToken {PLANTED["header of Anaplan"]}
2026-01-05 DEBUG basic: Basic {base64.b64encode(f"u:{CREDENTIALS['password']}".encode()).decode()}
2026-01-05 ERROR tieout: cell 1110 is {PLANTED["amount in the log"]}, {CREDENTIALS["password"]}
2026-01-05 WARNING tieout: what a reader needs: the page did not come
"""


def spellings(secret: str) -> set[bytes]:
    data = secret.encode()
    return {
        data, quote(secret, safe="").encode(), data.hex().encode(), data.hex().upper().encode(),
        base64.b64encode(data).rstrip(b"="), base64.urlsafe_b64encode(data).rstrip(b"="),
        data.decode().encode("utf-16-le"), json.dumps(secret)[1:-1].encode(),
    }  # fmt: skip


def test_the_support_file_holds_no_secret_and_no_amount_but_what_a_reader_needs(
    ward: Ward, tmp_path: Path
) -> None:
    proxy = f"http://u:{PLANTED['password of a proxy']}@proxy:3128"
    keys = {"AWS_SECRET_ACCESS_KEY": PLANTED["secret key of the storage"], "HTTPS_PROXY": proxy}
    ward.set(standard=keys, token="")
    (ward.home / "tieout.log").write_text(LOG + f"token of anna: {TOKEN}\n{keys}\n")
    text = f"# the password is {PLANTED['comment of the configuration']}\n{PROJECT}"
    (ward.home / "tieout.toml").write_text(text)
    store = Store(ward.home, Shifted(0))
    store.apply_config(text, "eve")
    run = store.new_run(NewRun("companies", "load_members", "anna")).id
    sentence = f"4,842 cells were sent; the sum is {PLANTED['amount in a sentence']}."
    store.finish_run(run, Ending("failed", sentence, 1, {}))
    store.close()
    bundle = tmp_path / "support.zip"

    found = doctoring.examine(ward.looking, bundle)

    assert found["bundle"] == str(bundle)
    assert bundle.stat().st_mode & 0o777 == 0o600
    whole = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    for name, secret in PLANTED.items():
        for way in spellings(secret):
            held = [part for part, data in parts.items() if way in data or way in whole]
            assert held == [], f"{name} as {way!r}"
    assert set(parts) == {
        "doctor.json", "versions.json", "environment.json", "tieout.log", "runs.txt",
        "configuration.json",
    }  # fmt: skip
    assert b"what a reader needs: the page did not come" in parts["tieout.log"]
    assert b"4,842 cells were sent" in parts["runs.txt"]
    assert b"FP&A 2026" in parts["configuration.json"]
    assert b"polars" in parts["versions.json"]
    assert gzip.compress(b"") not in whole


def test_a_support_file_is_never_written_over_another_file(ward: Ward, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")

    with pytest.raises(Misconfigured, match="File exists"):
        doctoring.examine(ward.looking, mine)

    assert mine.read_text() == "mine"


@pytest.mark.parametrize("named", ["", "canaryrecords"])
def test_a_support_file_is_written_of_a_machine_whose_database_does_not_answer(
    ward: Ward, tmp_path: Path, named: str
) -> None:
    ward.set(
        database="postgresql+psycopg://u:canarydb1@127.0.0.1:9/x",
        records=named and f"s3://u:{named}@bucket/x",
    )

    found = doctoring.examine(ward.looking, tmp_path / "support.zip")

    assert found["exit_code"] == (3 if named else 4)
    with zipfile.ZipFile(tmp_path / "support.zip") as file:
        told = b"".join(file.read(name) for name in file.namelist())
    assert (b"names no place" if named else b"does not answer") in told
    assert b"canaryrecords" not in told
    assert b"canarydb1" not in told
