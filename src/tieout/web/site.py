"""The web face as an ASGI program: every address of both tables, the assets, and for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tieout.errors import NotAllowed, Trouble
from tieout.verbs import acting, measuring
from tieout.web import metrics
from tieout.web.answering import endpoint
from tieout.web.api import answering as api
from tieout.web.api.description import description
from tieout.web.api.operations import OPERATIONS, PREFIX
from tieout.web.api.problems import of_trouble, problem
from tieout.web.assets import serve_asset
from tieout.web.errors import errors_of
from tieout.web.guard import Guard
from tieout.web.metrics import Counted
from tieout.web.render import VERSION
from tieout.web.routes import ADDRESSES
from tieout.web.view import Site


def make_site(site: Site) -> Starlette:
    """The web face; every answer carries the headers of `web.guard`."""
    made = Starlette(
        routes=[
            *(Route(a.path, endpoint(site, a), methods=[a.method]) for a in ADDRESSES),
            *(Route(PREFIX + o.path, api.endpoint(site, o), methods=[o.method])
              for o in OPERATIONS),
            Route(PREFIX + "/openapi.json", _told(lambda _: JSONResponse(description()))),
            Route("/healthz", _told(lambda _: _health(site))),
            Route("/readyz", _told(lambda _: _ready(site))),
            Route("/metrics", _told(lambda request: _metrics(site, request))),
            Route("/static/{name:path}", serve_asset),
        ],
        exception_handlers=errors_of(site),
    )  # fmt: skip
    made.router.redirect_slashes = False  # what is not in the tables does not exist
    made.add_middleware(Guard, site=site)
    made.add_middleware(Counted, answers=site.answers)
    return made


def _told(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """An answer for programs, made in a thread of its own."""

    async def told(request: Request) -> Response:
        return await run_in_threadpool(answer, request)

    return told


def _health(site: Site) -> Response:
    """Whether the executor and the database answer."""
    try:
        site.instance.store.check()
        database = "answers"
    except Trouble as trouble:
        database = trouble.what
    executor = site.engine.alive
    ok = executor and database == "answers"
    told = {"ok": ok, "executor": executor, "database": database, "version": VERSION}
    return JSONResponse(told, 200 if ok else 503)


def _ready(site: Site) -> Response:
    """Whether people can work here: it is healthy, and something is configured."""
    try:
        site.instance.project()
        configured = "yes"
    except Trouble as trouble:
        configured = trouble.what
    healthy = _health(site).status_code == 200
    ok = healthy and configured == "yes"
    return JSONResponse(
        {"ok": ok, "healthy": healthy, "configured": configured == "yes"}, 200 if ok else 503
    )


def _metrics(site: Site, request: Request) -> Response:
    """The figures, for who holds a token that was made for them."""
    try:
        call = api.recognised(site, request)
        figures = measuring.measure(call.instance)
    except api.Unreadable as unreadable:
        return problem(unreadable.status, unreadable.detail, unreadable.headers)
    except NotAllowed as trouble:
        acting.tell_denied(site.instance, trouble)
        return of_trouble(trouble)
    text = site.answers.text(figures, executor=site.engine.alive)
    return Response(text, media_type=metrics.KIND)
