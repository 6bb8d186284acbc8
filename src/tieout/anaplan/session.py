"""Calls to Anaplan's data API: the token, statuses in words, waiting for a busy model, paging."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tieout.anaplan.sign_in import WHO
from tieout.anaplan.token import Tokens
from tieout.anaplan.wire import page_of
from tieout.clock import Clock
from tieout.errors import Busy, Refused, Unavailable
from tieout.http import SERVER_ERROR_STATUS, Answer, Http

PAGES_MAX = 10_000
BUSY_STATUSES = (409, 410, 423)  # another task holds the model, or the object has just moved
BUSY_WAIT_SECONDS_MAX = 600.0
BUSY_PAUSE_SECONDS_FIRST, BUSY_PAUSE_SECONDS_MAX = 5.0, 60.0

MEANINGS = {
    400: ("Anaplan did not understand the request", ""),
    401: ("Anaplan signs this user in but refuses this call", "Give the user the role it needs."),
    403: ("The user may not do this in Anaplan", "Give the user the role it needs."),
    404: (
        "Anaplan does not know this, or the user has no access to it",
        "Check that it still exists and that the user has access to the model.",
    ),
    422: ("The model is archived", "Unarchive the model."),
    424: ("The model is offline", "Bring the model online."),
    425: ("The model is deployed, so its structure cannot change", "Change the development model."),
}


class Session:
    """One signed-in user of Anaplan; safe to use from many threads."""

    def __init__(self, api: Http, tokens: Tokens, clock: Clock) -> None:
        self._api, self._tokens, self._clock = api, tokens, clock

    @property
    def request_seconds(self) -> float:
        """How long one request waits for its answer."""
        return self._api.timeout_seconds

    def send(
        self, method: str, path: str, *, repeatable: bool, query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, json: object | None = None,
        body: bytes | None = None, timeout_seconds: float | None = None,
    ) -> Answer:  # fmt: skip
        """Send one request, signed; a busy model is waited for (up to ten minutes, then Busy).

        A 401 is answered by one new sign-in. All other statuses are the caller's business.
        """

        def once(token: str) -> Answer:
            signed = dict(headers or {}) | {"Authorization": f"AnaplanAuthToken {token}"}
            return self._api.send(
                method, path, headers=signed, query=urlencode(query or {}), json=json, body=body,
                repeatable=repeatable, timeout_seconds=timeout_seconds,
            )  # fmt: skip

        give_up = self._clock.monotonic() + BUSY_WAIT_SECONDS_MAX
        pause = BUSY_PAUSE_SECONDS_FIRST
        while True:  # ends at give_up
            token = self._tokens.current()
            answer = once(token)
            if answer.status == 401:
                answer = once(self._tokens.after_refusal(token))
            if answer.status not in BUSY_STATUSES:
                return answer
            if self._clock.monotonic() + pause > give_up:
                raise Busy(
                    f"The Anaplan model is busy or locked ({answer.status}) and stayed so for "
                    f"{BUSY_WAIT_SECONDS_MAX / 60:.0f} minutes.",
                    do="Wait for what runs there, or unlock the model.",
                    who=WHO, evidence=answer.excerpt(),
                )  # fmt: skip
            self._clock.sleep(pause)
            pause = min(BUSY_PAUSE_SECONDS_MAX, pause * 2)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """A JSON object; any status but 2xx is Refused."""
        answer = self.send("GET", path, repeatable=True, query=query)
        return accepted(answer, f"GET {path}").json_object()

    def items(
        self, path: str, key: str, *, query: Mapping[str, str] | None = None,
        none_at: Collection[int] = (),
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """All entries of a collection, page by page; none if the first answer is in `none_at`.

        The next page starts where the entries really received end, whatever was asked for. Refused
        if fewer came than were promised, or if one came again on a later page or their number
        changed: then the collection changed between two pages, and an entry may have slipped by.
        """
        seen, total, ids = 0, None, set[str]()
        for _ in range(PAGES_MAX):
            offset = {"offset": str(seen)} if seen else {}
            asked = {**(query or {}), **offset}
            answer = self.send("GET", path, repeatable=True, query=asked)
            if not seen and answer.status in none_at:
                return
            page = page_of(accepted(answer, f"GET {path}").json_object(), key)
            total = page.total if total is None else total
            seen += len(page.entries)
            new = {str(e.get("id") or e.get("taskId") or "") for e in page.entries} - {""}
            yield from page.entries
            if ids & new or page.total not in (0, total):
                raise Refused(
                    f"Anaplan's {key} changed while they were read page by page.",
                    untouched="Nothing was changed in Anaplan.", do="Run again.",
                )  # fmt: skip
            ids |= new
            if seen >= total and not (page.more and page.entries):
                return
            if not page.entries:
                break
        raise Refused(
            f"Anaplan promised {total} {key} and delivered {seen}.",
            do="Try again; if it stays so, ask Anaplan's support.",
        )


def accepted(answer: Answer, what: str) -> Answer:
    """`answer` if its status is 2xx; else Refused in words, or Unavailable (5xx)."""
    if answer.ok:
        return answer
    if answer.status >= SERVER_ERROR_STATUS:
        raise Unavailable(
            f"Anaplan answered {answer.status} ({what}).",
            do="Try again later.", evidence=answer.excerpt(),
        )  # fmt: skip
    meaning, remedy = MEANINGS.get(answer.status, (f"Anaplan answered {answer.status}", ""))
    raise Refused(
        f"{meaning} ({what}, status {answer.status}).",
        do=remedy, who=WHO, evidence=answer.excerpt(),
    )  # fmt: skip


def part(text: str) -> str:
    """An id as one part of a path."""
    return quote(text, safe="")
