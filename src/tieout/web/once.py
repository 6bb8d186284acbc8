"""A form that is sent twice, by a double click, is carried out once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import RedirectResponse, Response

FORMS_KEPT_MAX = 2_000  # a form is sent again within seconds, or never
DONE_STATUS = 303


@dataclass(slots=True)
class _Sent:
    """One form: its lock, and where its sender was led when it was carried out."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    led_to: str = ""


class Once:
    """The forms that were sent lately, by a number that each carries since it was shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: OrderedDict[str, _Sent] = OrderedDict()

    def answer(self, form: str, carry_out: Callable[[], Response]) -> Response:
        """Carry a form out, or lead to where it has led already; one of both waits for the other.

        What was refused, or answered with a cookie, is carried out anew.
        """
        with self._lock:
            sent = self._sent.setdefault(form, _Sent())
            self._sent.move_to_end(form)
            while len(self._sent) > FORMS_KEPT_MAX:
                self._sent.popitem(last=False)
        with sent.lock:
            if sent.led_to:
                return RedirectResponse(sent.led_to, DONE_STATUS)
            answer = carry_out()
            if answer.status_code == DONE_STATUS and "set-cookie" not in answer.headers:
                sent.led_to = answer.headers["location"]
            return answer
