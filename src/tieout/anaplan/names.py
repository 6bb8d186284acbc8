"""Finding things in Anaplan by name or id at run time: model, imports, processes, lists, views."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tieout.anaplan.session import Session, part
from tieout.anaplan.sign_in import WHO
from tieout.errors import Misconfigured, Refused

NAMES_SHOWN_MAX, NAME_CHARACTERS_MAX = 40, 100
ARCHIVED = "ARCHIVED"
TIEOUT = "the administrator of Tieout"

# What can be found: the word in sentences, and the key of the collection.
KINDS = {
    "imports": "import", "exports": "export", "processes": "process", "files": "file",
    "lists": "list", "modules": "module", "views": "view",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """Something in a model: its id, its name, and what else the collection says of it."""

    id: str
    name: str
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Model:
    """The model of a connection, resolved."""

    workspace_id: str
    workspace: str
    id: str
    name: str
    state: str = ""  # Anaplan's word, an open set; "" where it says none

    @property
    def path(self) -> str:
        """The beginning of the paths of everything in this model."""
        return f"/workspaces/{part(self.workspace_id)}/models/{part(self.id)}"


@dataclass(frozen=True, slots=True)
class Pins:
    """The ids by which a connection knows its workspace and model beside their names.

    A copy of a model has the same name and another id. `stage`: the word of a connection that may
    not be used without both.
    """

    workspace_id: str = ""
    model_id: str = ""
    stage: str = ""


NO_PINS = Pins()


class Directory:
    """What a model holds, read once per kind and kept as long as the connection lives."""

    def __init__(self, session: Session, workspace: str, model: str, pins: Pins = NO_PINS) -> None:
        self._session, self._workspace, self._model_text = session, workspace, model
        self._pins = pins
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._kept: dict[str, list[Named]] = {}

    def model(self) -> Model:
        """The model, by name or id, in the workspace, by name or id."""
        with self._lock:
            if self._model is None:
                self._model = self._find_model()
            return self._model

    def all(self, kind: str) -> list[Named]:
        """Everything of one of KINDS."""
        base = self.model().path
        with self._lock:
            if kind not in self._kept:
                query = {"includesubsidiaryviews": "true"} if kind == "views" else {}
                entries = self._session.items(f"{base}/{kind}", kind, query=query)
                self._kept[kind] = [_named(e) for e in entries]
            return self._kept[kind]

    def find(self, kind: str, text: str) -> Named:
        """The one thing of a kind whose id or name is `text`; Misconfigured names those there are.

        A saved view may be named with or without its module ("Module.View") and comes before the
        default view of a module of the same name.
        """
        every = self.all(kind)
        matches = [n for n in every if n.id == text] or [n for n in every if n.name == text]
        if kind == "views":
            matches = _saved_views(every, text) or matches
        return _only(matches, every, KINDS[kind], text, f"the model {self.model().name}")

    def _find_model(self) -> Model:
        entries = list(self._session.items("/models", "models"))
        self._refuse_renamed(entries)
        inside = [
            e for e in entries
            if self._workspace in (e.get("currentWorkspaceId"), e.get("currentWorkspaceName"))
        ]  # fmt: skip
        if not inside:
            names = {str(e.get("currentWorkspaceName") or "") for e in entries}
            workspaces = [Named("", name) for name in sorted(names)]
            raise missing(workspaces, "workspace", self._workspace, "Anaplan for this user")
        every = [_named(e) for e in inside]
        text = self._model_text
        matches = [n for n in every if n.id == text] or [n for n in every if n.name == text]
        found = _only(matches, every, "model", text, f"the workspace {self._workspace}")
        self._refuse_other(found)
        if found.more.get("activeState") == ARCHIVED:
            raise Refused(
                f"The model {found.name} is archived.", do="Unarchive it.", who=WHO,
                code="model-archived",
            )  # fmt: skip
        workspace_id = str(found.more.get("currentWorkspaceId") or self._workspace)
        workspace = str(found.more.get("currentWorkspaceName") or workspace_id)
        state = str(found.more.get("activeState") or "")
        return Model(workspace_id, workspace, found.id, found.name, state)

    def _refuse_renamed(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Misconfigured when the pinned model has another name, or is in another workspace, now."""
        for entry in entries:
            if not self._pins.model_id or entry.get("id") != self._pins.model_id:
                continue
            workspace = (entry.get("currentWorkspaceId"), entry.get("currentWorkspaceName"))
            known = (("model", self._model_text, (entry.get("id"), entry.get("name"))),
                     ("workspace", self._workspace, workspace))  # fmt: skip
            for word, text, names in known:
                if text not in names:
                    raise _other_place(
                        f"The model with the pinned id {self._pins.model_id} is in Anaplan with "
                        f"the {word} {names[1]!r}, not {text!r}."
                    )

    def _refuse_other(self, found: Named) -> None:
        """Misconfigured when a model of that name has another id than the pinned one, or none."""
        ids = {"model_id": found.id, "workspace_id": str(found.more.get("currentWorkspaceId"))}
        for key, id_ in ids.items():
            pinned = getattr(self._pins, key)
            if pinned and pinned != id_:
                raise _other_place(
                    f"The {key.partition('_')[0]} of that name has the id {id_} in Anaplan, not "
                    f"the pinned {pinned}: it may be a copy."
                )
        if self._pins.stage and not (self._pins.model_id and self._pins.workspace_id):
            lines = ", ".join(f'{key} = "{id_}"' for key, id_ in sorted(ids.items()))
            raise Misconfigured(
                f"The connection is of the stage {self._pins.stage} and its model is not pinned.",
                untouched="Nothing was changed in Anaplan.",
                do=f"If {found.name} is the right model, add to the connection: {lines}.",
                who=TIEOUT, code="not-pinned",
            )  # fmt: skip


def _other_place(what: str) -> Misconfigured:
    return Misconfigured(
        what, untouched="Nothing was changed in Anaplan.",
        do="Correct the names or the pins of the connection, if this is the model that is meant.",
        who=TIEOUT, code="pinned-model",
    )  # fmt: skip


def _saved_views(every: list[Named], text: str) -> list[Named]:
    """The saved views of that name; a module's default view has the id and name of the module."""
    modules = [n.name for n in every if n.id.startswith("102")]
    names = {text, *(f"{module}.{text}" for module in modules)}
    return [n for n in every if n.name in names and not n.id.startswith("102")]


def _named(entry: Mapping[str, Any]) -> Named:
    return Named(str(entry.get("id") or ""), str(entry.get("name") or ""), entry)


def _only(matches: list[Named], every: Iterable[Named], word: str, text: str, where: str) -> Named:
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(m.id for m in matches)
        raise Misconfigured(
            f"The name {text!r} is not unique: {where} has {len(matches)} of kind {word}.",
            untouched="Nothing was changed in Anaplan.",
            do=f"Write the id instead of the name: {ids}.", who=TIEOUT,
            code=f"several-{word}",
        )  # fmt: skip
    raise missing(every, word, text, where)


def missing(every: Iterable[Named], word: str, text: str, where: str) -> Misconfigured:
    """The sentence that nothing has that name, with the names that exist."""
    names = sorted({n.name for n in every if n.name})
    some = (repr(n[:NAME_CHARACTERS_MAX]) for n in names[:NAMES_SHOWN_MAX])
    shown = ", ".join(some) or "none"
    more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
    return Misconfigured(
        f"There is no {word} named {text!r} in {where}. There are: {shown}{more}.",
        untouched="Nothing was changed in Anaplan.",
        do="Correct the name in tieout.toml, or give the user access.",
        who=WHO, code="missing-" + word.partition(" ")[0],
    )  # fmt: skip
