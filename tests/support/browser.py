"""A page as Chromium lays it out, asked over its debugging pipe: no driver, no waiting by time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from demo_home import Person

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
)  # fmt: skip
ENDS_SECONDS_MAX = 30


class Page:
    """One page of a running browser."""

    def __init__(self, ask: BinaryIO, told: BinaryIO) -> None:
        self._ask, self._told, self._number = ask, told, 0
        self._logged: list[dict[str, Any]] = []
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params, **self._session}
        self._ask.write(json.dumps(asked).encode() + b"\0")
        self._ask.flush()
        answer = self._until(lambda message: message.get("id") == self._number)
        assert "error" not in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            text = bytearray()
            while (byte := self._told.read(1)) != b"\0":
                assert byte, "the browser is gone"
                text += byte
            message: dict[str, Any] = json.loads(text)
            if message.get("method") == "Log.entryAdded":
                self._logged.append(message["params"]["entry"])
            if wanted(message):
                return message

    def sign_in(self, person: Person) -> None:
        """Give the browser the cookies of somebody who is signed in."""
        for name, value in person.cookies.items():
            self.call("Network.setCookie", url=person.served.url, name=name, value=value)

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser noted about the page: what it refused, what failed."""
        self.call("Log.enable")
        return self._logged

    def show(self, url: str, width: int, height: int = 900) -> None:
        """Load an address in a window of this size, to its end."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=url)
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is in this page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Chromium with a profile of its own, ended with the block."""
    asked, ask = os.pipe()
    told, tell = os.pipe()
    words = ["chromium", *FLAGS, f"--user-data-dir={folder}"]
    # The protocol's pipe is at the numbers 3 and 4.
    command = ["bash", "-c", f'exec "$@" 3<&{asked} 4>&{tell}', "bash", *words]
    process = subprocess.Popen(command, pass_fds=(asked, tell), stderr=subprocess.DEVNULL)
    for number in (asked, tell):
        os.close(number)
    try:
        with os.fdopen(ask, "wb") as to, os.fdopen(told, "rb") as back:
            yield Page(to, back)
    finally:
        process.terminate()
        process.wait(ENDS_SECONDS_MAX)
