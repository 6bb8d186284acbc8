"""The data service of the practice AIS: what a request body may say, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tieout.sim.box import Response
from tieout.sim.clock import PracticeClock
from tieout.sim.jde import browse
from tieout.sim.jde.aggregate import Aggregator
from tieout.sim.jde.browse import Browser, ResultSet
from tieout.sim.jde.dates import stamp
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.money import Currencies
from tieout.sim.jde.query import Asker, array
from tieout.sim.jde.refusal import AisError, Report, undocumented
from tieout.sim.jde.session import Session
from tieout.sim.jde.switches import Switches
from tieout.sim.jde.tables import TABLES, Table


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ATTRIBUTES = _words(
    "targetName targetType dataServiceType findOnEntry returnControlIDs maxPageSize "
    "enableNextPageProcessing nextPageTimeInterval outputType aliasNaming query aggregation "
    "having batchDataRequest dataRequests includeTimings allowCache cacheTime forceUpdate token "
    "deviceName username password environment role jasserver psToken ssoEnabled formActions "
    "formServiceDemo showActionControls setDirtyOnly bypassFormServiceEREvent"
)  # J061: the attributes of the published DataRequest schema
NEXT_PARAMETERS = _words(
    "stackId stateId rid fullGridId formOID token outputType returnControlIDs deviceName "
    "nextPageTimeInterval"
)  # J048
_OUTPUTS = {"": None, "GRID_DATA": "GRID_DATA", "VERSION1": "VERSION1"}
_KINDS = ("BROWSE", "COUNT", "AGGREGATION")
BATCH_REQUESTS_MAX = 100


class DataService:
    """Answers `/dataservice` and `/v2/dataservice/next` for a session that was found."""

    def __init__(
        self, ledger: Ledger, clock: PracticeClock, switches: Switches, report: Report
    ) -> None:
        self._ledger, self._clock, self._switches = ledger, clock, switches
        self._report = report
        self._browser, self._aggregator = Browser(ledger), Aggregator(ledger)

    def run(self, session: Session, body: Mapping[str, Any], version: int) -> Response:
        """One data request, or a batch of them (J067)."""
        self._attributes(body)
        asker = self._asker(session)
        if str(body.get("batchDataRequest", "")).lower() == "true":
            return self._batch(session, body, version, asker)
        kind = self._kind(body)
        table = self._table(body)
        if kind == "COUNT":
            return _text(self._count(table, self._aggregator.count(table, body, asker)))
        if kind == "AGGREGATION":
            output = self._aggregator.run(table, body, asker)
            return _text(f'{{"ds_{table.name}":{{"output":{output}}}}}')
        return self._browse(session, body, version, asker)

    def next(self, session: Session, query: Mapping[str, list[str]]) -> Response:
        """J048 J051: the next page of a result set of this session."""
        unknown = set(query) - NEXT_PARAMETERS
        if unknown or not {"stackId", "stateId", "rid"} <= set(query):
            raise undocumented(f"next with the parameters {', '.join(sorted(query))}")
        with session.lock:
            idle = self._switches["result_set_seconds"]
            result = browse.find(session, query["rid"][0], self._clock.now(), idle)
            number = result.pages
            if result.found_now is not None:  # J052: by offset from a table that may have moved
                result.rows = result.found_now()
            if self._switches["repeated_link"] == "repeats":
                number = int(query["stateId"][0])
            result.pages = number + 1
            return self._page(session, result, number, 2)

    def _browse(
        self, session: Session, body: Mapping[str, Any], version: int, asker: Asker
    ) -> Response:
        paged = version == 2 and str(body.get("enableNextPageProcessing", "")).lower() == "true"
        output = self._output(body, version)
        result = self._browser.open(self._table(body), body, asker, output, paged)
        with session.lock:
            if paged and len(result.rows) > result.page_rows:
                idle = self._switches["result_set_seconds"]
                browse.keep(session, result, self._clock.now(), idle)
            return self._page(session, result, 0, version)

    def _page(self, session: Session, result: ResultSet, number: int, version: int) -> Response:
        page = self._browser.page(result, number, self._asker(session))
        name = f"DATABROWSE_{result.table.name}"
        links = ""
        if version == 1:  # J009 J049
            links = ',"deprecated":true'
        elif result.rid in session.cursors:
            following = len(result.rows) > (number + 1) * result.page_rows
            host = self._switches["advertised_url"]
            item = {"rel": "next", "href": browse.next_link(result, session, host)}
            links = ',"links":' + (json.dumps([item]) if following else "[]")
        else:
            links = ',"links":[]'
        when = stamp(self._clock.now(), self._switches["timestamp_format"])
        return _text(
            f'{{"fs_{name}":{page.form},"stackId":1,"stateId":{number + 1},"rid":"{result.rid}",'
            f'"currentApp":"{name}","timeStamp":"{when}","sysErrors":[]{links}}}'
        )

    def _batch(
        self, session: Session, body: Mapping[str, Any], version: int, asker: Asker
    ) -> Response:
        requests = array(body.get("dataRequests"), "dataRequests")
        if not 0 < len(requests) <= BATCH_REQUESTS_MAX:
            raise undocumented(f"a batch of {len(requests)} requests")
        members = []
        for index, item in enumerate(requests):
            try:
                members.append(self._member(index, item, version, asker))
            except AisError as error:
                if self._switches["batch_error"] == "whole":  # J073
                    raise
                if error.report:
                    self._report.add("POST", "dataservice (batch)", error.status, error.message)
                name = item.get("targetName", "") if isinstance(item, Mapping) else ""
                inner = json.dumps({"error": {"message": error.message}})
                members.append(f"{json.dumps(f'fs_{index}_DATABROWSE_{name}')}:{inner}")
        return _text("{" + ",".join(members) + "}")

    def _member(self, index: int, item: object, version: int, asker: Asker) -> str:
        if not isinstance(item, Mapping):
            raise undocumented("a data request that is not an object")
        self._attributes(item)
        if "enableNextPageProcessing" in item or "batchDataRequest" in item:
            raise undocumented("paging or nesting inside a batch")
        table, kind = self._table(item), self._kind(item)
        if kind == "COUNT":
            number = self._aggregator.count(table, item, asker)
            return f'"ds_{index}_{table.name}":{{"count":{number}}}'
        if kind == "AGGREGATION":
            output = self._aggregator.run(table, item, asker)
            return f'"ds_{index}_{table.name}":{{"output":{output}}}'
        output = self._output(item, version)
        result = self._browser.open(table, item, asker, output, False)
        page = self._browser.page(result, 0, asker)
        return f'"fs_{index}_DATABROWSE_{table.name}":{page.form}'

    def _asker(self, session: Session) -> Asker:
        return Asker(
            session.user, self._clock.today(), self._switches["simple_date_format"],
            Currencies.of(self._ledger), self._switches,
        )  # fmt: skip

    @staticmethod
    def _attributes(body: Mapping[str, Any]) -> None:
        unknown = set(body) - ATTRIBUTES
        if unknown:
            raise undocumented(f"undocumented attributes: {', '.join(sorted(unknown))}")

    @staticmethod
    def _kind(body: Mapping[str, Any]) -> str:
        kind = body.get("dataServiceType", "BROWSE")
        if str(kind).upper() not in _KINDS:
            raise undocumented(f"dataServiceType {kind!r}")
        return str(kind).upper()

    @staticmethod
    def _table(body: Mapping[str, Any]) -> Table:
        """J133: a table, or a business view, which has the same rows under its own name."""
        kind, table = body.get("targetType"), TABLES.get(str(body.get("targetName")))
        if kind not in ("table", "view"):
            raise undocumented(f"targetType {kind!r}")
        if table is None or bool(table.of) != (kind == "view"):
            raise undocumented(f"targetName {body.get('targetName')!r} is not kept here")
        return table

    @staticmethod
    def _output(body: Mapping[str, Any], version: int) -> str:
        """J039 J069: the output type; its default depends on the version of the service."""
        asked = body.get("outputType", "")
        if asked not in _OUTPUTS:
            raise undocumented(f"outputType {asked!r} is not made here")
        return _OUTPUTS[asked] or ("VERSION1" if version == 1 else "GRID_DATA")

    def _count(self, table: Table, number: int) -> str:
        """J062: no document prints the answer of COUNT; one of three believed shapes."""
        shape = self._switches["count_shape"]
        if shape == "top":
            return f'{{"count":{number}}}'
        if shape == "output":
            return f'{{"ds_{table.name}":{{"output":[{{"COUNT":{number}}}]}}}}'
        return f'{{"ds_{table.name}":{{"count":{number}}}}}'


def _text(body: str) -> Response:
    return Response(200, body.encode())
