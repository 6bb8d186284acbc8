"""How often one address may ask: a steady pace, with room for a page that asks for much at once."""

from __future__ import annotations

import threading

from tieout.clock import Clock

REQUESTS_A_SECOND = 30  # far more than a person with several pages open
AT_ONCE_REQUESTS_MAX = 300
ADDRESSES_KEPT_MAX = 10_000


class Rates:
    """What each address has used of its pace; one for each server, for as long as it runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at: dict[str, float] = {}  # when all that it used will be paid off
        self._counting = threading.Lock()

    def wait(self, address: str) -> int:
        """Seconds that this address has to wait before its next request; 0: it counts as made."""
        one, room = 1 / REQUESTS_A_SECOND, AT_ONCE_REQUESTS_MAX / REQUESTS_A_SECOND
        now = self._clock.monotonic()
        with self._counting:
            free_at = max(self._free_at.get(address, now), now) + one
            if (late := free_at - now - room) > 0:
                return int(late) + 1
            self._free_at[address] = free_at
            if len(self._free_at) > ADDRESSES_KEPT_MAX:
                self._free_at = {a: at for a, at in self._free_at.items() if at > now}
            return 0
