"""The hosts of Anaplan's regions (facts/anaplan.md §1.6)."""

from __future__ import annotations

_SHARED = ("us1", "us2", "us5", "us7", "eu1", "eu2", "eu4", "ap1")
_OWN = ("us9", "eu3", "eu5", "gb1", "sg1", "ae1", "in1", "id1", "me1")
_OTHERS = {
    "ca1": ("ca1a.api.anaplan.com", "ca1a.auth.anaplan.com"),
    "au1": ("au1a.api2.anaplan.com", "au1a.app2.anaplan.com"),
}
_OAUTH_OTHERS = {"ca1": "ca1a.app.anaplan.com", "au1": "au1a.app2.anaplan.com"}
REGIONS = tuple(sorted((*_SHARED, *_OWN, *_OTHERS)))


def region_in(text: str) -> str:
    """The region that a person names, or whose host their browser shows; "" for none.

    us1, US1, us1a and us1a.app.anaplan.com are all us1.
    """
    named = text.strip().lower().removeprefix("https://").partition(".")[0]
    found = next((r for r in REGIONS if named in (r, f"{r}a")), "")
    host = "." in text.removeprefix("https://")
    return "" if host and not text.rstrip("/").lower().endswith(".anaplan.com") else found


def hosts(region: str) -> tuple[str, str]:
    """The hosts of the Integration API and of the token service; KeyError for no region."""
    if region in _SHARED:
        return "api.anaplan.com", "auth.anaplan.com"
    if region in _OWN:
        return f"{region}.api.anaplan.com", f"{region}.auth.anaplan.com"
    return _OTHERS[region]


def oauth_host(region: str) -> str:
    """The host that gives tokens by OAuth; KeyError for no region."""
    if region in _SHARED:
        return "us1a.app.anaplan.com"
    return f"{region}.app.anaplan.com" if region in _OWN else _OAUTH_OTHERS[region]
