"""The read-only pages of one instance: how it stands, and whether it lives."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tieout.app import Instance
from tieout.core.findings import counted
from tieout.engine.durable import Engine
from tieout.errors import Trouble
from tieout.verbs import words
from tieout.verbs.overview import overview
from tieout.web.errors import PLAIN_ERRORS
from tieout.web.guard import Guard

HERE = Path(__file__).parent
VERSION = version("tieout")


def make_pages(instance: Instance, engine: Engine) -> Starlette:
    """The pages as an ASGI program; every answer carries the headers of `web.guard`."""
    templates = _templates()

    async def home(request: Request) -> Response:
        found = await run_in_threadpool(overview, instance)
        return HTMLResponse(templates.get_template("home.html").render(found, version=VERSION))

    async def healthz(request: Request) -> Response:
        told = await run_in_threadpool(_health, instance, engine)
        return JSONResponse(told, status_code=200 if told["ok"] else 503)

    pages = Starlette(
        routes=[
            Route("/", home),
            Route("/healthz", healthz),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers=PLAIN_ERRORS,
    )
    pages.add_middleware(Guard)
    return pages


def _health(instance: Instance, engine: Engine) -> dict[str, Any]:
    """Whether the executor and the database answer."""
    try:
        instance.store.check()
        database = "answers"
    except Trouble as trouble:
        database = trouble.sentence()
    executor = engine.alive
    ok = executor and database == "answers"
    return {"ok": ok, "executor": executor, "database": database, "version": VERSION}


def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), undefined=StrictUndefined,
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "amount": words.amount, "money": words.money, "moment": words.moment,
        "lasted": words.lasted,
    }  # fmt: skip
    made.globals |= {"outcomes": words.OUTCOMES, "counted": counted}
    return made
