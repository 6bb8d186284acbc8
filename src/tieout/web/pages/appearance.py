"""Light or dark: kept in a cookie of this browser, so the server sets it before the first paint."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from tieout.web.view import THEME_COOKIE, THEMES, View

A_YEAR_SECONDS = 365 * 86_400


def choose(view: View) -> Response:
    """Keep the theme and go back to the page where it was chosen."""
    answer = RedirectResponse(way_back(view.field("back")), status_code=303)
    if (theme := view.field("theme")) in THEMES:
        answer.set_cookie(
            THEME_COOKIE, theme, max_age=A_YEAR_SECONDS, httponly=True, samesite="lax",
            secure=view.site.secure,
        )  # fmt: skip
    return answer


def way_back(address: str) -> str:
    """An address of ours, whatever was asked for: nobody is led elsewhere from here."""
    ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if ours and address.isprintable() and "\\" not in address else "/"
