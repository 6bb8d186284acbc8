"""The first project file of an instance, written from the answers to at most eight questions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tieout.anaplan.regions import REGIONS, hosts, oauth_host, region_in
from tieout.app import PROJECT_FILE, Instance
from tieout.errors import Misconfigured
from tieout.project import STAGE
from tieout.project_text import write_file
from tieout.project_words import PERIOD
from tieout.settings import read_project

EXAMPLE = "example.toml"
PLACE = re.compile(r"@(\w+)@")
COMPANY = re.compile(r"[0-9A-Z]{1,5}")
SIGN_INS = ("basic", "certificate", "oauth")
LAST_CONTROL = 32  # the characters below it are none that a name has


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that nobody but the person who sets up can know; `given` is what the example has.

    `key` is also the name of the option that answers it: `jde_url` is `--jde-url`.
    """

    key: str
    words: str
    given: str


QUESTIONS = (
    Question("stage", "Is this for PROD or TEST (or another word of capitals)?", "TEST"),
    Question(
        "jde_url", "Address of the AIS server, with its path",
        "https://ais.example.com:9300/jderest",
    ),
    Question("jde_environment", "JD Edwards environment", "JPD920"),
    Question("companies", "Companies, such as 00001,00060", "00001"),
    Question("from_period", "First fiscal year and period to load", "2025-01"),
    Question("anaplan_region", "Region of Anaplan, such as us1 or eu3", "us1"),
    Question("workspace", "Anaplan workspace, by name", "Finance"),
    Question("model", "Anaplan model, by name", "FP&A 2026"),
)  # fmt: skip


def write_project(instance: Instance, answers: Mapping[str, str]) -> bool:
    """Write the project file from answers, unless there is one; whether it was written.

    What is not answered stands there as in the example. Misconfigured names every answer that
    cannot be meant; then nothing is written, nor where answers are given and a file is there.
    """
    path = instance.home / PROJECT_FILE
    text = checked(path, answers)
    if text is None:
        return False
    write_file(path, text)
    return True


def checked(path: Path, answers: Mapping[str, str]) -> str | None:
    """The text of the project file that answers make, before anything is made; None: keep it."""
    if path.exists():
        if answers:
            raise Misconfigured(
                f"There is a {path} already.", untouched="It stays as it is.",
                do="Edit it, or move it away and answer again.",
            )  # fmt: skip
        return None
    text = filled(answers)
    read_project(text, str(path))
    return text


def filled(answers: Mapping[str, str]) -> str:
    """The commented example with these answers in it; Misconfigured for what cannot be meant."""
    told = {q.key: answers.get(q.key, q.given).strip() for q in QUESTIONS}
    told |= {"ca_file": answers.get("ca_file", ""), "sign_in": answers.get("sign_in", SIGN_INS[0])}
    problems = [
        f"--{key.replace('_', '-')} {told[key]!r} is not {what}"
        for key, what in _problems(told).items()
    ]
    if problems:
        raise Misconfigured(f"{'; '.join(problems)}.", untouched="Nothing was written.")
    api, auth, oauth = _anaplan(told["anaplan_region"])
    companies = [code.strip() for code in told["companies"].split(",")]
    allowed = [_origin(told["jde_url"]), api, auth]
    allowed += [oauth] if told["sign_in"] == "oauth" else []
    places: dict[str, object] = {
        **told, "companies": [c.zfill(5) if c.isdigit() else c for c in companies],
        "jde_url": told["jde_url"].rstrip("/"), "jde_origin": _origin(told["jde_url"]),
        "anaplan_api": f"{api}/2/0", "anaplan_auth": auth,
        "anaplan_oauth": oauth,
        "allow": list(dict.fromkeys(allowed)),
    }  # fmt: skip
    example = (Path(__file__).parent / EXAMPLE).read_text(encoding="utf-8")
    if told["ca_file"]:
        file = str(Path(told["ca_file"]).absolute())
        example = example.replace('# ca_file = "…"', f"ca_file = {_toml(file)}")
    return PLACE.sub(lambda place: _toml(places[place[1]]), example)


def _anaplan(region: str) -> tuple[str, str, str]:
    """The addresses of the API, the sign-in and OAuth: of a region, or all at one address."""
    if named := region_in(region):
        api, auth = hosts(named)
        return f"https://{api}", f"https://{auth}", f"https://{oauth_host(named)}"
    return (_origin(region),) * 3


def _problems(told: Mapping[str, str]) -> dict[str, str]:
    """Answer → what it should have been."""
    found = {}
    if not _is_https(told["jde_url"]):
        found["jde_url"] = "an https address such as https://ais.example.com:9300/jderest"
    if not re.fullmatch(STAGE, told["stage"]):
        found["stage"] = "a word of capitals such as PROD or TEST"
    if not re.fullmatch(PERIOD, told["from_period"]):
        found["from_period"] = "a fiscal year and period such as 2025-03"
    region = told["anaplan_region"]
    if not region_in(region) and not _is_https(region):
        found["anaplan_region"] = f"one of {', '.join(REGIONS)}, nor an https address"
    if told["ca_file"] and not Path(told["ca_file"]).is_file():
        found["ca_file"] = "a file of certificates"
    if told["sign_in"] not in SIGN_INS:
        found["sign_in"] = f"one of {', '.join(SIGN_INS)}"
    if not all(COMPANY.fullmatch(code.strip()) for code in told["companies"].split(",")):
        found["companies"] = "a list of companies such as 00001,00060"
    for key in ("jde_environment", "workspace", "model"):
        if not told[key] or min(map(ord, told[key])) < LAST_CONTROL:
            found[key] = "a name"
    return found


def _is_https(url: str) -> bool:
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    return address.scheme == "https" and bool(address.hostname)


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"


def _toml(value: object) -> str:
    """A text or a list of texts as TOML writes them, which for these is as JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
