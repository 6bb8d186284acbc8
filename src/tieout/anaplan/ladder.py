"""The upper rungs of a connection test of Anaplan: from "is it Anaplan" to its limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tieout.anaplan.client import Anaplan
from tieout.anaplan.exports import check_export_columns
from tieout.anaplan.names import Model
from tieout.anaplan.sign_in import WHO
from tieout.certificates import KEEPER
from tieout.core.findings import counted
from tieout.errors import Refused, Trouble, Unavailable
from tieout.http import Answer
from tieout.ladder import Told, coded
from tieout.project import REQUESTS_A_MINUTE, AnaplanConnection

UNTOUCHED = "Nothing was read, nothing was changed."
TIEOUT = "the administrator of Tieout"
ASKS_FOR_A_TOKEN = (400, 401, 403)
WORKING = ("", "UNLOCKED")
LOCKED, OFFLINE = ("LOCKED",), ("MAINTENANCE", "PRODUCTION_MAINTENANCE")
FULL_SHARE = 0.9
ENDS_SOON = timedelta(days=30)
MB = 10**6


@dataclass(frozen=True, slots=True)
class Loading:
    """What one flow runs: an import with the columns it is sent, or exports with theirs."""

    flow: str
    import_: str = ""
    columns: Sequence[str] = ()
    exports: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flows over a connection need in its model."""

    lists: Sequence[str] = ()
    views: Sequence[str] = ()
    exports: Sequence[str] = ()
    loading: Sequence[Loading] = ()


class AnaplanLadder:
    """The rungs of one connection, each to be climbed once and in order."""

    def __init__(
        self, connection: AnaplanConnection, wanted: Wanted, opened: Callable[[], Anaplan],
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._connection, self._wanted, self._opened = connection, wanted, opened
        self._now = now
        self._anaplan: Anaplan | None = None

    @property
    def _client(self) -> Anaplan:
        if self._anaplan is None:
            self._anaplan = self._opened()
        return self._anaplan

    def who_is_it(self) -> Iterator[Told]:
        """The API and the sign-in host both ask for a token, in JSON."""
        answers = self._client.unsigned()
        for key, answer in zip(("api_url", "auth_url"), answers, strict=True):
            if not _is_anaplan(answer):
                raise _no_anaplan(key, answer)
        yield Told("Anaplan's API and sign-in answer.")

    def let_in(self) -> Iterator[Told]:
        """Signed in, at one attempt."""
        with coded("sign-in-failed"):
            self._client.sign_in()
        ends = self._client.sign_in_ends
        if ends is None:
            yield Told("Signed in.")
            return
        told = f"Signed in; the certificate holds until {ends:%Y-%m-%d}."
        if ends - self._now() < ENDS_SOON:
            yield Told(
                told, "certificate-ends-soon", "Get the next one, have it registered, and give it "
                "with `tieout connect`.", KEEPER,
            )  # fmt: skip
        else:
            yield Told(told)

    def right_place(self) -> Iterator[Told]:
        """The workspace, and the model in a state in which it can be loaded."""
        with coded("models-refused"):
            model = self._client.resolve()
        _check_state(model)
        yield Told(f"Model {model.name} in workspace {model.workspace}.")
        if model.state not in WORKING:
            yield Told(
                f"Anaplan says that it is {model.state}, a state that is not known here.",
                "unknown-state", "Load a little and look at it.", WHO,
            )  # fmt: skip

    def may_read(self) -> Iterator[Told]:
        """The lists, views and exports by which loads are proved."""
        for kind in ("lists", "views", "exports"):
            named: Sequence[str] = getattr(self._wanted, kind)
            with coded("read-refused"):
                for name in dict.fromkeys(named):
                    found = self._client.find(kind, name)
                    if kind == "views":
                        self._client.dimensions(found.id)
        counts = [len(dict.fromkeys(getattr(self._wanted, k))) for k in ("lists", "views")]
        lists, views = counted(counts[0], "list"), counted(counts[1], "view")
        yield Told(f"Finds {lists} and {views} of the flows.")

    def may_act(self) -> Iterator[Told]:
        """The imports and exports of the flows, with their columns; nothing is run."""
        for flow in self._wanted.loading:
            with coded("act-refused"):
                if flow.import_:
                    action = self._client.action(flow.import_)
                    self._client.layout(action, list(flow.columns))
                for name, columns in flow.exports.items():
                    check_export_columns(self._client.export_layout(name), columns)
        names = ", ".join(flow.flow for flow in self._wanted.loading)
        yield Told(f"Finds what these flows run: {names}." if names else "No flow uses this model.")

    def limits(self) -> Iterator[Told]:
        """Warnings only: the requests of the tenant, and what is left of the workspace."""
        ours = REQUESTS_A_MINUTE - self._connection.headroom
        yield Told(f"Up to {ours} requests a minute of the {REQUESTS_A_MINUTE} of the tenant.")
        if not self._connection.headroom:
            yield Told(
                "None of them are left to others.", "no-headroom",
                "Set `headroom` if anybody else calls Anaplan's API.", TIEOUT,
            )  # fmt: skip
        try:
            room = self._client.room()
        except Trouble as trouble:
            yield Told(trouble.what, "room-not-told", trouble.do, trouble.who)
            return
        if room is not None and room[0] > FULL_SHARE * room[1]:
            yield Told(
                f"The workspace uses {room[0] // MB:,} of {room[1] // MB:,} MB.", "nearly-full",
                "Make room in the workspace, or have it enlarged.", WHO,
            )  # fmt: skip


def _is_anaplan(answer: Answer) -> bool:
    try:
        answer.json_object()
    except Refused:
        return False
    return answer.status in ASKS_FOR_A_TOKEN


def _no_anaplan(key: str, answer: Answer) -> Trouble:
    """What answers instead of Anaplan."""
    if answer.status >= 500:
        return Unavailable(
            f"Something answers at {key}, but it fails ({answer.status}).", untouched=UNTOUCHED,
            evidence=answer.excerpt(), who=WHO, code="failing",
            do="Look at Anaplan's status page, and try again.",
        )  # fmt: skip
    what, code = "but it is not Anaplan", "not-anaplan"
    if answer.body.lstrip()[:1] == b"<":
        what, code = "but it is not Anaplan's API: an HTML page came", "html-page"
    elif answer.status == 404:
        what, code = "but Anaplan's API is not at this path (404)", "no-such-path"
    return Refused(
        f"Something answers at {key}, {what}.", untouched=UNTOUCHED, evidence=answer.excerpt(),
        do=f"Correct `{key}` of the connection; a proxy may also answer in between.", who=TIEOUT,
        code=code,
    )  # fmt: skip


def _check_state(model: Model) -> None:
    if model.state in LOCKED:
        raise Refused(
            f"The model {model.name} is locked: it can be read, but not loaded.",
            untouched=UNTOUCHED, do="Unlock the model.", who=WHO, code="model-locked",
        )  # fmt: skip
    if model.state in OFFLINE:
        raise Refused(
            f"The model {model.name} is offline.",
            untouched=UNTOUCHED, do="Bring the model online.", who=WHO, code="model-offline",
        )  # fmt: skip
