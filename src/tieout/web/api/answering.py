"""Every call of the API: whose token, may they, is it understood, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tieout.core.policy import INSTANCE, Thing
from tieout.errors import Misconfigured, NotAllowed, Trouble
from tieout.store import people
from tieout.store.commands import Command, Kept
from tieout.verbs import acting
from tieout.verbs import people as people_verbs
from tieout.verbs.once import once
from tieout.web.api.operation import Call, File, Operation
from tieout.web.api.problems import of_trouble, problem
from tieout.web.view import Site

BODY_BYTES_MAX = 1_000_000
JSON = "application/json"
KEY_HEADER, AGAIN_HEADER = "Idempotency-Key", "Idempotent-Replayed"
KEY = re.compile(r"[!-~]{1,255}")


class Unreadable(Exception):
    """A call that is refused before any verb is asked."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Missing(Misconfigured):
    """What the path names does not exist; as of every refusal, nothing was done."""


def endpoint(site: Site, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """The operation as the framework wants it."""

    async def answered(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES_MAX:
                return problem(413, "The body is larger than is taken here.")
        return await run_in_threadpool(_answer, site, operation, request, body)

    return answered


def _answer(site: Site, operation: Operation, request: Request, body: bytes) -> Response:
    try:
        call = recognised(site, request)
        acting.holding(call.actor, operation.act)
        call = replace(call, query=_query(operation, request), body=_body(operation, body))
        return _carried_out(operation, call, body)
    except Unreadable as unreadable:
        return problem(unreadable.status, unreadable.detail, unreadable.headers)
    except NotAllowed as trouble:
        acting.tell_denied(site.instance, trouble)
        return of_trouble(trouble)
    except Missing as trouble:
        return problem(404, trouble.what)
    except Trouble as trouble:
        return of_trouble(trouble)


def recognised(site: Site, request: Request) -> Call:
    """Whose token came with it; Unreadable without one that acts.

    No cookie is looked at, so that no other site can call in somebody's name.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() == "bearer" and text.startswith(people.TOKEN_PREFIX):
        instance = site.instance.acting_with(text)
        with instance.store.database.read() as connection:
            actor = people.holder(connection, text, instance.clock.now())
        if actor is not None:
            people_verbs.note_use(instance)
            return Call(instance, actor, request, None, None)
    told = {"WWW-Authenticate": 'Bearer realm="Tieout"'}
    raise Unreadable(401, "A token of this instance is needed: Authorization: Bearer …", **told)


def _loaded(operation: Operation, call: Call) -> Thing:
    if operation.loads is None:
        return INSTANCE
    try:
        return operation.loads(call)
    except Misconfigured as trouble:
        raise Missing(trouble.what) from trouble


def _query(operation: Operation, request: Request) -> Any:
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) != len(pairs):
        raise Unreadable(422, "A name stands twice behind the question mark.")
    try:
        return msgspec.convert(dict(pairs), operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise Unreadable(422, f"The query is not understood: {error}.") from error


def _body(operation: Operation, body: bytes) -> Any:
    if operation.body is None:
        return None
    try:
        return msgspec.json.decode(body, type=operation.body)
    except msgspec.ValidationError as error:
        raise Unreadable(422, f"The body is not understood: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(400, "The body is not JSON.") from error


def _carried_out(operation: Operation, call: Call, body: bytes) -> Response:
    def do() -> Kept:
        acting.allowed(call.actor, operation.act, _loaded(operation, call))
        return Kept(operation.status, msgspec.json.encode(operation.do(call)).decode())

    if isinstance(operation.answers, File):
        acting.allowed(call.actor, operation.act, _loaded(operation, call))
        path = operation.do(call)
        return FileResponse(path, operation.status, media_type=operation.answers.media_type,
                            filename=path.name)  # fmt: skip
    key = call.request.headers.get(KEY_HEADER)
    if operation.method == "GET" or key is None:
        kept, again = do(), False
    elif not KEY.fullmatch(key):
        raise Unreadable(422, f"{KEY_HEADER} is 1 to 255 printable characters.")
    else:
        asked = b" ".join([operation.method.encode(), call.request.url.path.encode(), body])
        kept, again = once(call.instance, Command(call.actor.name, key, asked), do)
    headers = {AGAIN_HEADER: "true"} if again else {}
    return Response(kept.answer, kept.status, headers, JSON)
