"""Who follows a run costs next to nothing, and nothing at all once they have left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from prepared_batches import ENDED

from tieout.app import Instance
from tieout.clock import SystemClock
from tieout.engine.durable import Engine
from tieout.settings import environment
from tieout.store import sessions
from tieout.store.runs import Ending, NewRun
from tieout.store.sessions import NewSession
from tieout.verbs import people, seeing, setting_up
from tieout.web.pages import runs
from tieout.web.render import rendered
from tieout.web.site import make_site
from tieout.web.view import Site

ENDS_SECONDS_MAX = 20.0  # on a busy machine; without looking at who left it would be 60


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with one run under way."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    made = Instance(environment(str(home)), SystemClock())
    setting_up.make_instance(made)
    made.store.new_run(NewRun("actuals", "load_actuals", "bea"))
    people.add_user(made, "bea", ("admin", "operator"), 9)
    return made


def followed(
    instance: Instance, spec: str, leaves_after: int, then: Callable[[], None] | None = None
) -> list[bytes]:
    """What a browser is sent that leaves after so many pieces, or that stays while `then`."""
    with instance.store.begin() as connection:
        begun = sessions.begin(connection, NewSession("bea", "password"), instance.clock.now())
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": spec}, "http_version": "1.1",
        "method": "GET", "path": "/runs/actuals-1/live", "raw_path": b"/runs/actuals-1/live",
        "root_path": "", "scheme": "http", "query_string": b"", "server": ("127.0.0.1", 7070),
        "client": ("127.0.0.1", 50_000),
        "headers": [(b"host", b"127.0.0.1:7070"),
                    (b"cookie", f"tieout_session={begun.text}".encode())],
    }  # fmt: skip

    async def asked() -> list[bytes]:
        gone, sent = asyncio.Event(), list[bytes]()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message.get("body"):
                sent.append(message["body"])
            if len(sent) >= leaves_after:
                (then or gone.set)()

        site = make_site(Site(instance, cast(Engine, None)))
        await asyncio.wait_for(site(scope, receive, send), ENDS_SECONDS_MAX)
        return sent

    return asyncio.run(asked())


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_stream_of_a_run_under_way_ends_when_its_reader_leaves(
    instance: Instance, spec: str
) -> None:
    (first,) = followed(instance, spec, leaves_after=1)
    assert first.startswith(b"data: ")


def test_who_is_signed_out_meanwhile_is_told_nothing_more_of_a_run(instance: Instance) -> None:
    def signed_out() -> None:
        with instance.store.begin() as connection:
            sessions.end(connection, "eve", instance.clock.now(), user="bea")
        instance.store.finish_run("actuals-1", ENDED)

    assert len(followed(instance, "2.4", 1, signed_out)) == 1, "the stream has ended by itself"


def test_after_a_look_that_cost_much_the_next_one_waits(instance: Instance) -> None:
    view = cast(Any, type("View", (), {"instance": instance}))
    far, text, spent = runs._look(view, "actuals-1", None)
    again = runs._look(view, "actuals-1", far)
    assert text
    assert (again[0], again[1]) == (far, ""), "what is no news is not told again"
    assert 0 < spent < runs.LOOK_SECONDS
    begun = time.thread_time()
    for _ in range(50):
        runs._look(view, "actuals-1", far)
    share = (time.thread_time() - begun) / 50 / runs.LOOK_SECONDS
    assert share < 0.01, "of a core, for one open page"


def test_who_follows_a_preview_is_led_to_what_would_be_sent_and_not_to_the_run(
    instance: Instance,
) -> None:
    asked = {"preview": True, "rejects": [1]}
    run = instance.store.new_run(NewRun("accounts", "load_members", "bea", asked=asked)).id
    instance.store.finish_run(run, Ending("complete", "3 rows would be sent.", 0, {}))
    told = rendered("run_steps.html", {"run": seeing.in_short(instance, run)})
    assert f'<a href="/replay/{run}">See what would be sent</a>' in told
    other = rendered("run_steps.html", {"run": seeing.in_short(instance, "actuals-1")})
    assert "/replay/" not in other
