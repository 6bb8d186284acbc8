"""Everything a model holds that a flow may name, with the columns of what flows do name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from tieout.anaplan.client import Anaplan
from tieout.anaplan.names import KINDS, Named
from tieout.core.drift import Facet, Thing
from tieout.errors import Refused

CATALOGUED = ("imports", "exports", "processes", "files", "lists", "views")
# Key of a collection's entry → what it is called here; what is no text is left out (open sets).
TOLD = {
    "imports": {"importDataSourceId": "source", "importType": "type"},
    "exports": {"layout": "layout", "exportFormat": "format"},
    "views": {"moduleId": "module"},
}


def everything(client: Anaplan, named: Collection[str]) -> Iterator[Thing]:
    """All imports, exports, processes, files, lists and views of the model.

    Columns, actions and dimensions cost a request each: they are read of what is in `named`, names
    or ids. What Anaplan refuses to tell of one thing is not there, and the thing is.
    """
    for kind in CATALOGUED:
        for entry in client.all(kind):
            if not entry.id:
                continue
            told = {word: value for key, word in TOLD.get(kind, {}).items()
                    if isinstance(value := entry.more.get(key), str) and value}  # fmt: skip
            more: Mapping[str, Facet] = {}
            if kind in _DETAILS and {entry.id, entry.name, _view_name(entry)} & {*named}:
                with suppress(Refused):
                    more = _DETAILS[kind](client, entry)
            yield Thing(KINDS[kind], entry.id, entry.name or entry.id, {**told, **more})


def _view_name(entry: Named) -> str:
    """The name of a saved view without its module: Module.View."""
    return entry.name.rpartition(".")[2]


def _import(client: Anaplan, entry: Named) -> dict[str, Facet]:
    return {"columns": list(client.file_layout(client.action(entry.id)).headers)}


def _export(client: Anaplan, entry: Named) -> dict[str, Facet]:
    return {"columns": list(client.export_layout(entry.id).headers)}


def _process(client: Anaplan, entry: Named) -> dict[str, Facet]:
    return {"actions": client.actions_of(entry.id)}


def _view(client: Anaplan, entry: Named) -> dict[str, Facet]:
    return {"dimensions": client.dimensions(entry.id)}


_DETAILS: Mapping[str, Callable[[Anaplan, Named], Mapping[str, Any]]] = {
    "imports": _import, "exports": _export, "processes": _process, "views": _view,
}  # fmt: skip
