"""What the practice AIS says about itself (`defaultconfig`) and about a user who signed in."""

from __future__ import annotations

from typing import Any

from tieout.sim.box import Request
from tieout.sim.jde.session import Session
from tieout.sim.jde.switches import Switches

AIS_VERSION = "EnterpriseOne 9.2.8.2  "  # trailing blanks, as seen
APPS_RELEASE = "E920"
_BASE = (
    "grid editable log processingOption ignoreFDAFindOnEntry selectAllGridRows applicationStack "
    "thumbnailSize gridCellClick query taskAuthorization urlMediaObjects jargon aliasNaming "
    "orchestration dataservice dataServiceAggregation dataServiceOrderBy outputType complexQuery"
)
_V2 = "version2services nextPage simpleGetServices formServiceOrderBy messageService"


def default_config(request: Request, version: int, switches: Switches) -> dict[str, Any]:
    """J002 J003 J004: host, defaults, lifetimes in minutes as strings, capabilities."""
    wanted = request.query.get("requiredCapabilities", [""])[0]
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    return {
        "jasHost": "jas.practice.invalid",
        "jasPort": "8412",
        "jasProtocol": "http",
        "defaultEnvironment": switches["default_environment"],
        "defaultRole": switches["default_role"],
        "displayEnvironment": True,
        "displayRole": True,
        "displayJasServer": False,
        "defaultJasServer": "http://jas.practice.invalid:8412",
        "ssoAllowed": False,
        "allowSelfSignedSsl": False,
        "sessionTimeout": f"{switches['session_idle_minutes']:g}",
        "timeToLive": f"{switches['session_total_minutes']:g}",
        "aisVersion": AIS_VERSION,
        "capabilityList": _capabilities(version),
        "requiredCapabilityMissing": not names <= {*_BASE.split(), *_V2.split()},
    }


def _capabilities(version: int) -> list[dict[str, str]]:
    listed = [_capability(name, "9.1.4.4") for name in _BASE.split()]
    for name in _V2.split():
        item = _capability(name, "9.2.1.2")
        if version == 2:  # J004
            item["sinceVersion"] = "v2"
        listed.append(item)
    return listed


def _capability(name: str, release: str) -> dict[str, str]:
    return {"name": name, "shortDescription": name, "longDescription": name, "asOfRelease": release}


def login_answer(session: Session, version: int, switches: Switches) -> dict[str, Any]:
    """J008 J009: the answer of `tokenrequest`; `userAuthorized` is false although it worked."""
    form = switches["simple_date_format"]
    separator = next(letter for letter in form if not letter.isalpha())
    letters = {"MM": "M", "dd": "D", "yyyy": "E"}
    answer: dict[str, Any] = {
        "username": session.user,
        "environment": session.environment,
        "role": session.role,
        "jasserver": "http://jas.practice.invalid:8412",
        "userInfo": {
            "token": session.token,
            "langPref": "  ",
            "locale": "en",
            "dateFormat": "".join(letters[part] for part in form.split(separator)),
            "dateSeperator": separator,
            "simpleDateFormat": form,
            "decimalFormat": ".",
            "addressNumber": 0,
            "alphaName": session.user,
            "appsRelease": APPS_RELEASE,
            "country": "  ",
            "username": session.user,
        },
        "userAuthorized": False,
        "version": None,
        "poStringJSON": None,
        "altPoStringJSON": None,
        "aisSessionCookie": f"{session.cookie}!1!{int(session.created * 1000)}",
        "adminAuthorized": False,
        "passwordAboutToExpire": False,
        "envColor": "",
        "machineName": "practice",
    }
    return answer | {"deprecated": True} if version == 1 else answer
