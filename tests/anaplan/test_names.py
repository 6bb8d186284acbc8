"""Claims about names: found at run time, paged to the end, and told when they are missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from planning import Planning

from tieout.anaplan.names import Pins
from tieout.errors import Busy, Misconfigured, Refused, Trouble, Unavailable
from tieout.sim.box import Request, Response, System, json_response

MODEL = {"id": "M", "name": "FP&A 2026", "currentWorkspaceId": "w",
         "currentWorkspaceName": "Finance"}  # fmt: skip


class Listing:
    """A small Anaplan that pages lists in its own way."""

    name = "listing"

    def __init__(self, page: Callable[[int], dict[str, Any]], models: list[Any]) -> None:
        self.page, self.models = page, models

    def handle(self, request: Request) -> Response:
        if request.path.startswith("/token"):
            return json_response(201, {"tokenInfo": {"tokenValue": "t", "expiresAt": 1}})
        if request.path.endswith("/models"):
            return json_response(200, {"models": self.models})
        offset = int(request.query.get("offset", ["0"])[0])
        return json_response(200, self.page(offset))

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(verb)


Serve = Callable[[System], Planning]


def entries(start: int, count: int) -> list[dict[str, str]]:
    return [{"id": f"1010000000{n:02d}", "name": f"List {n}"} for n in range(start, start + count)]


def paging(size: int, total: int) -> dict[str, Any]:
    return {"paging": {"currentPageSize": size, "totalSize": total}}


def test_model_and_workspace_are_found_by_name_and_by_id(planning: Planning) -> None:
    by_name = planning.client.resolve()
    by_id = planning.connect(workspace=by_name.workspace_id, model=by_name.id).resolve()
    assert by_id == by_name
    assert by_name.workspace == "Finance"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workspace": "Fin"}, "no workspace named 'Fin'.*'Finance'"),
        ({"model": "FP&A 2025"}, "no model named 'FP&A 2025'.*'FP&A 2026'"),
    ],
)
def test_a_missing_model_or_workspace_is_told_with_those_that_exist(
    planning: Planning, options: dict[str, str], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        planning.connect(**options).resolve()


def test_a_missing_import_is_told_with_the_names_of_imports_and_processes(
    planning: Planning,
) -> None:
    with pytest.raises(Misconfigured, match=r"'Load Actuals Process'.*'Load GL Actuals'") as caught:
        planning.client.action("Load Actuals")
    assert "Nothing was changed" in caught.value.sentence()


def test_a_saved_view_comes_before_the_default_view_of_its_module(planning: Planning) -> None:
    saved = planning.client.find("views", "GL Actuals")
    default = planning.client.find("modules", "GL Actuals")
    assert saved.id != default.id
    assert planning.client.find("views", default.id).id == default.id
    assert planning.client.find("views", saved.name).id == saved.id


def test_pages_shorter_than_asked_for_are_followed_to_the_end(served: Serve) -> None:
    def page(offset: int) -> dict[str, Any]:
        got = entries(offset, min(3, 8 - offset))
        return {"meta": paging(len(got), 8), "lists": got}

    planning = served(Listing(page, [MODEL]))
    assert [n.name for n in planning.client.all("lists")] == [f"List {n}" for n in range(8)]


def test_a_promise_of_more_than_is_delivered_is_refused(served: Serve) -> None:
    def page(offset: int) -> dict[str, Any]:
        got = entries(offset, 3) if not offset else []
        return {"meta": paging(len(got), 8), "lists": got}

    with pytest.raises(Refused, match="promised 8 lists and delivered 3"):
        served(Listing(page, [MODEL])).client.all("lists")


def test_a_missing_key_means_none_only_where_none_are_promised(served: Serve) -> None:
    none = served(Listing(lambda _: {"meta": paging(0, 0)}, [MODEL]))
    assert none.client.all("lists") == []
    assert none.client.task_ids("imports", "112000000001") == []
    lost = served(Listing(lambda _: {"meta": paging(2, 2)}, [MODEL]))
    with pytest.raises(Refused, match="promised 2"):
        lost.client.all("lists")


def test_two_things_of_one_name_must_be_told_apart_by_id(served: Serve) -> None:
    twins = [{"id": "101000000001", "name": "Same"}, {"id": "101000000002", "name": "Same"}]
    planning = served(Listing(lambda _: {"lists": twins}, [MODEL]))
    with pytest.raises(Misconfigured, match="not unique") as caught:
        planning.client.find("lists", "Same")
    assert "101000000001, 101000000002" in caught.value.sentence()
    assert planning.client.find("lists", "101000000002").id == "101000000002"


def test_an_archived_model_is_told_before_anything_is_read(served: Serve) -> None:
    archived = MODEL | {"activeState": "ARCHIVED"}
    with pytest.raises(Refused, match="archived"):
        served(Listing(lambda _: {}, [archived])).client.resolve()


def test_an_unknown_state_of_a_model_does_not_stop_anything(served: Serve) -> None:
    odd = MODEL | {"activeState": "SOMETHING_NEW", "newField": [1]}
    assert served(Listing(lambda _: {}, [odd])).client.resolve().name == "FP&A 2026"


def test_everything_is_found_by_name_on_whatever_page_it_stands(planning: Planning) -> None:
    """Pages of two, and nobody says how many there are: only `next` tells that there is more."""
    for number in range(5):
        planning.system.control(
            "people", {"do": "copy_import", "import": "Load GL Actuals", "to": f"Old {number}"}
        )
    whole = planning.connect()
    kinds = ("imports", "files", "lists", "views", "processes")
    told = {kind: [n.id for n in whole.all(kind)] for kind in kinds}
    assert len(told["imports"]) == 11
    for name, value in (("page_cap", 2), ("paging_total", "absent")):
        planning.system.control("switch", {"name": name, "value": value})
        client = planning.connect()
        assert {kind: [n.id for n in client.all(kind)] for kind in kinds} == told
        assert client.action("Load GL Actuals") == whole.action("Load GL Actuals")
        assert client.action("Load Actuals Process") == whole.action("Load Actuals Process")


class Growing:
    """Somebody makes an import, listed first, whenever a further page of imports is asked for."""

    name = "growing"

    def __init__(self, planning: Planning) -> None:
        self.system, self.made = planning.system, 0

    def handle(self, request: Request) -> Response:
        if "offset" in request.query and request.path.endswith("/imports"):
            self.made += 1
            act = {"do": "copy_import", "import": "Load GL Actuals", "to": f"Old {self.made}"}
            self.system.control("people", act)
        return self.system.handle(request)

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.system.control(verb, body)


@pytest.mark.parametrize("total", ["told", "absent"])
def test_a_list_that_grows_while_it_is_read_is_refused_and_read_whole_the_next_time(
    planning: Planning, total: str
) -> None:
    """One entry comes on two pages; where nothing of it shows, an entry may have slipped by."""
    for name, value in (("page_cap", 2), ("paging_total", total)):
        planning.system.control("switch", {"name": name, "value": value})
    growing = Growing(planning)
    planning.box.system = growing
    with pytest.raises(Refused, match="imports changed while they were read") as caught:
        planning.client.action("Load GL Actuals")
    assert "Nothing was changed" in caught.value.sentence()
    assert growing.made == 1
    planning.box.system = growing.system
    assert len(planning.client.all("imports")) == 7


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, Refused, "did not understand"),
        (403, Refused, "may not do this"),
        (404, Refused, "does not know this"),
        (409, Busy, "stayed so for 10 minutes"),
        (422, Refused, "archived"),
        (424, Refused, "offline"),
        (425, Refused, "deployed"),
        (418, Refused, "answered 418"),
        (500, Unavailable, "answered 500"),
        (504, Unavailable, "answered 504"),
    ],
)
def test_every_status_is_told_in_words_with_a_remedy(
    planning: Planning, status: int, kind: type[Trouble], words: str
) -> None:
    planning.client.resolve()
    planning.fault("status", path="/lists$", status=status, body='{"m":"vendor said"}', times=999)
    with pytest.raises(kind, match=words) as caught:
        planning.client.all("lists")
    assert type(caught.value) is kind
    assert "vendor said" in caught.value.evidence


@pytest.mark.parametrize("form", ["seconds", "date", "absent", "text"])
def test_429_is_waited_for_in_each_form_of_retry_after(planning: Planning, form: str) -> None:
    planning.client.resolve()
    at = format_datetime(planning.clock.now() + timedelta(seconds=20), usegmt=True)
    header = {"seconds": "20", "date": at, "text": "soon"}
    headers = {"Retry-After": header[form]} if form in header else {}
    planning.fault("status", path="/lists$", status=429, headers=headers, times=2)
    planning.clock.slept.clear()
    assert planning.client.all("lists")
    least = 18 if form in ("seconds", "date") else 0.2
    assert len(planning.clock.slept) == 2
    assert least <= planning.clock.slept[0] <= 21


def test_a_pinned_model_is_found_by_its_name_and_by_its_id(planning: Planning) -> None:
    model = planning.client.resolve()
    pins = Pins(model.workspace_id, model.id, "PROD")
    assert planning.connect(pins=pins).resolve() == model


def test_a_model_of_that_name_with_another_id_is_a_copy_and_is_refused(
    planning: Planning,
) -> None:
    model = planning.client.resolve()
    for pins in (Pins(model_id="F" * 32), Pins("a" * 32, model.id), Pins("a" * 32)):
        with pytest.raises(Misconfigured, match="not the pinned") as told:
            planning.connect(pins=pins).resolve()
        assert told.value.code == "pinned-model"


@pytest.mark.parametrize(
    ("key", "other"), [("name", "FP&A 2027"), ("currentWorkspaceName", "Treasury")]
)
def test_a_pinned_model_that_was_renamed_or_moved_is_told_with_its_name_of_now(
    served: Serve, key: str, other: str
) -> None:
    copy = MODEL | {"id": "COPY"}
    system = Listing(lambda n: {}, [MODEL | {key: other}, copy])
    with pytest.raises(Misconfigured, match=rf"pinned id M .* {other!r}"):
        served(system).connect(pins=Pins("w", "M")).resolve()


def test_a_stage_without_pins_is_told_with_the_lines_to_add(planning: Planning) -> None:
    model = planning.client.resolve()
    with pytest.raises(Misconfigured) as told:
        planning.connect(pins=Pins(stage="PROD")).resolve()
    assert told.value.code == "not-pinned"
    assert f'model_id = "{model.id}", workspace_id = "{model.workspace_id}"' in told.value.do
