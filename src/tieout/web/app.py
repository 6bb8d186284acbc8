"""`tieout serve`: executes the runs of one instance and shows how it stands, on loopback only."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn

from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.errors import Unavailable
from tieout.verbs import running, schedule_overview
from tieout.web.pages import make_pages

HOST = "127.0.0.1"  # there is no sign-in yet, so nobody else may see the page
PORTS_TRIED_MAX = 50
STEP_SECONDS_MAX = 60.0  # how long stopping waits for a step under way
SCHEDULES_SECONDS_MAX = 5.0  # how long stopping waits for a decision about a due time
STARTING_SECONDS_MAX = 15.0
LOOK_SECONDS = 0.5
CONNECTIONS_MAX = 64
OPEN_REQUEST_SECONDS_MAX = 2

Note = Callable[[str], None]


def serve_instance(instance: Instance, port: int, note: Note) -> None:
    """Execute runs and serve the page until SIGTERM or SIGINT; unfinished runs are carried on.

    `port` 0 takes any; a taken port is passed over for the next free one, which `note` tells.
    Raises Busy when another process executes this instance, Unavailable without a free port. When
    a step outlives STEP_SECONDS_MAX after a signal, the process ends itself: the next one begins
    that step again.
    """
    stop = threading.Event()
    # Before the executor starts: from now on a signal never tears a run, it asks for the end.
    before = {number: _ask(number, stop, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        engine = running.engine_for(instance)
        engine.launch()
        schedules = schedule_overview.scheduler_for(instance)
        try:
            with _listening(port) as door:
                schedules.start()
                _serve(instance, engine, door, stop, note)
        finally:
            schedules.close(SCHEDULES_SECONDS_MAX)
            _close(engine, note)
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _ask(number: int, stop: threading.Event, note: Note) -> signal._HANDLER:
    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:  # asked twice at a terminal: at once
            os._exit(128 + number)
        stop.set()

    return signal.signal(number, asked)


def _listening(port: int) -> socket.socket:
    """A listening door on the port, or on the next free one."""
    for number in [port] if port == 0 else range(port, min(port + PORTS_TRIED_MAX, 65_536)):
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, number))
            door.listen()
        except OSError:
            door.close()
        else:
            return door
    raise Unavailable(
        f"No free port from {port} to {port + PORTS_TRIED_MAX - 1}.",
        untouched="Nothing was started.",
        do="Name another one with --port.",
    )


def _serve(
    instance: Instance, engine: Engine, door: socket.socket, stop: threading.Event, note: Note
) -> None:
    """The page in a thread of its own, so that uvicorn leaves signals to the main thread."""
    pages = make_pages(instance, engine)
    config = uvicorn.Config(
        pages, log_config=None, access_log=False, lifespan="off", server_header=False,
        date_header=True, limit_concurrency=CONNECTIONS_MAX, ws="none",
        timeout_graceful_shutdown=OPEN_REQUEST_SECONDS_MAX, proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="page")
    thread.start()
    note(
        f"Tieout serves http://{HOST}:{door.getsockname()[1]}/ and executes runs; Ctrl-C stops it."
    )
    try:
        while not stop.wait(LOOK_SECONDS):
            if not thread.is_alive():
                raise Unavailable(
                    "The page stopped by itself.",
                    untouched="Runs under way are carried on by the next `tieout serve`.",
                    do="Start it again; the log tells why.",
                )
        note("Stopping: the step under way comes to its end first.")
    finally:
        server.should_exit = True
        thread.join()


def _close(engine: Engine, note: Note) -> None:
    """Let the steps under way finish; unfinished runs stay for the next executor."""
    if engine.close(0.0) or engine.close(STEP_SECONDS_MAX):
        return
    note(
        f"A step did not end within {STEP_SECONDS_MAX:.0f} s; it is begun again by the next "
        "`tieout serve` or `tieout run`."
    )
    os._exit(0)
