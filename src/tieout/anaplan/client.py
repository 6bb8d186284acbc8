"""The Anaplan client: one connection to one model, as the flows use it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from tieout.anaplan.exports import ExportLayout, export_layout
from tieout.anaplan.files import Files, Receipt, Uploaded, check_columns
from tieout.anaplan.names import NO_PINS, Directory, Model, Named, Pins, missing
from tieout.anaplan.outcome import TaskBrief, TaskResult
from tieout.anaplan.session import Session, part
from tieout.anaplan.sign_in import WHO, SignIn
from tieout.anaplan.tasks import Progress, Tasks
from tieout.anaplan.token import Tokens
from tieout.anaplan.views import Views
from tieout.anaplan.wire import FileLayout, cells
from tieout.clock import Clock
from tieout.errors import Misconfigured
from tieout.http import Answer, Http

UPLOADS_MAX = 4  # chunks of one file on the way at once; Anaplan publishes no number


@dataclass(frozen=True, slots=True)
class Connection:
    """What the client needs of `[connections.…]`; `workspace` and `model` by name or id.

    `quiet_seconds` is how long after its start a task may not be in the list yet.
    """

    workspace: str
    model: str
    poll_seconds: float = 5.0
    task_seconds_max: float = 7_200.0
    quiet_seconds: float = 60.0
    uploads: int = 2
    pins: Pins = NO_PINS


@dataclass(frozen=True, slots=True)
class Action:
    """An import or process to run: where it is, and the file its data is uploaded to.

    `import_id` is the import that reads the file: the action itself, or the one in the process.
    """

    kind: str
    id: str
    name: str
    import_id: str
    import_name: str
    file_id: str


class Anaplan:
    """One model of Anaplan, signed in at the first call; safe to use from many threads."""

    def __init__(
        self, api: Http, auth: Http, connection: Connection, how: SignIn, clock: Clock
    ) -> None:
        self._api, self._auth, self._how = api, auth, how
        self._tokens = Tokens(auth, how, clock)
        self._session = Session(api, self._tokens, clock)
        where = (connection.workspace, connection.model, connection.pins)
        self._names = Directory(self._session, *where)
        self._files = Files(self._session, self._names.model)
        self._views = Views(self._session, self._names.model, clock)
        self._tasks = Tasks(
            self._session, self._names.model, clock, poll_seconds=connection.poll_seconds,
            task_seconds_max=connection.task_seconds_max, quiet_seconds=connection.quiet_seconds,
        )  # fmt: skip
        self._uploads = max(1, min(UPLOADS_MAX, connection.uploads))

    def sign_in(self) -> None:
        """Sign in if that has not happened; Refused after one attempt."""
        self._tokens.current()

    @property
    def sign_in_ends(self) -> datetime | None:
        """Until when the certificate that has signed in holds; None without one."""
        return self._how.ends_at

    def unsigned(self) -> tuple[Answer, Answer]:
        """What the API and the sign-in host say to a call without a token: who they are."""
        return (
            self._api.send("GET", "/users/me", repeatable=True),
            self._auth.send("GET", "/token/validate", repeatable=True),
        )

    def room(self) -> tuple[int, int] | None:
        """Bytes in use and allowed in the workspace; None where Anaplan does not say."""
        path = f"/workspaces/{part(self.resolve().workspace_id)}"
        told = self._session.get(path, tenantDetails="true").get("workspace")
        if not isinstance(told, dict):
            return None
        used, allowed = told.get("currentSize"), told.get("sizeAllowance")
        if isinstance(used, int) and isinstance(allowed, int) and allowed > 0:
            return used, allowed
        return None

    def close(self) -> None:
        """Sign out, if signed in."""
        self._tokens.sign_out()

    # ------------------------------------------------------------------ names

    def resolve(self) -> Model:
        """The model of this connection; Misconfigured with those there are if there is none."""
        return self._names.model()

    def all(self, kind: str) -> list[Named]:
        """Every import, export, process, file, list, module or view (kind in plural)."""
        return self._names.all(kind)

    def find(self, kind: str, text: str) -> Named:
        """One of them by name or id; Misconfigured with the names that exist."""
        return self._names.find(kind, text)

    def action(self, text: str) -> Action:
        """An import, else a process with one import that reads a file, by name or id."""
        imports = self._names.all("imports")
        if any(text in (n.id, n.name) for n in imports):
            found = self._names.find("imports", text)
            return self._with_file("imports", found, found)
        processes = self._names.all("processes")
        if not any(text in (n.id, n.name) for n in processes):
            where = f"the model {self._names.model().name}"
            raise missing([*imports, *processes], "import or process", text, where)
        process = self._names.find("processes", text)
        ids = [str(a.get("id")) for a in self._actions(process.id)]
        inside = [n for n in imports if n.id in ids and _reads_file(n)]
        if len(inside) != 1:
            raise Misconfigured(
                f"The process {text!r} has {len(inside)} imports that read a file; one is needed.",
                untouched="Nothing was changed in Anaplan.",
                do="Name a process with one such import, or the import itself.", who=WHO,
                code="no-file",
            )  # fmt: skip
        return self._with_file("processes", process, inside[0])

    def actions_of(self, process_id: str) -> list[str]:
        """The names of the actions of a process, in their order."""
        return [str(a.get("name") or a.get("id") or "") for a in self._actions(process_id)]

    def _actions(self, process_id: str) -> list[Mapping[str, Any]]:
        path = f"{self._names.model().path}/processes/{part(process_id)}"
        told = self._session.get(path, showImportDataSource="true").get("processMetadata")
        actions = told.get("actions") if isinstance(told, dict) else None
        return [a for a in actions if isinstance(a, dict)] if isinstance(actions, list) else []

    @staticmethod
    def _with_file(kind: str, action: Named, reader: Named) -> Action:
        if not _reads_file(reader):
            raise _no_file(reader.name)
        file_id = str(reader.more["importDataSourceId"])
        return Action(kind, action.id, action.name, reader.id, reader.name, file_id)

    # ------------------------------------------------------------------ files

    def layout(self, action: Action, columns: Sequence[str]) -> FileLayout:
        """How the action's import reads its file, compared with the columns we will send.

        Misconfigured if they differ in any name, or if the file is not UTF-8 with one header row.
        Write the columns in the order of `headers`.
        """
        layout = self.file_layout(action)
        check_columns(layout, action.import_name, columns)
        return layout

    def file_layout(self, action: Action) -> FileLayout:
        """How the action's import reads its file, as it is; nothing is compared."""
        layout = self._files.layout(action.import_id)
        if layout is None:
            raise _no_file(action.import_name)
        return layout

    def export_layout(self, text: str) -> ExportLayout:
        """The columns of an export, by name or id, and how its file is written; nothing is run."""
        found = self._names.find("exports", text)
        path = f"{self._names.model().path}/exports/{part(found.id)}"
        return export_layout(found.id, found.name, self._session.get(path))

    def upload(
        self, file_id: str, chunks: Callable[[], Iterable[bytes]], *, receipt: Receipt,
        have: Mapping[int, str] | None = None,
    ) -> Uploaded:  # fmt: skip
        """Upload the gzip chunks that `chunks()` yields, two at a time, and complete the file.

        `receipt(number, digest)` is called for each chunk Anaplan has confirmed; a repeated step
        passes what it has kept as `have`, and only what has no receipt of the same bytes is sent.
        Without any, the upload begins anew. The file belongs to this user alone until used.
        """
        return self._files.upload(
            file_id, chunks(), receipt=receipt, have=have or {}, uploads=self._uploads
        )

    def download(self, file_id: str) -> Iterator[bytes]:
        """The chunks of a file; an export writes the file that has its own id."""
        return self._files.download(file_id)

    # ------------------------------------------------------------------ tasks

    def task_ids(self, kind: str, action_id: str) -> list[str]:
        """Ids of the tasks Anaplan remembers; keep them before `start`."""
        return [t.task_id for t in self.tasks(kind, action_id)]

    def tasks(self, kind: str, action_id: str) -> list[TaskBrief]:
        """The tasks Anaplan remembers; none is legal, it also says so for ids it does not know."""
        return self._tasks.list(kind, action_id)

    def start(
        self, kind: str, action_id: str, known_ids: Collection[str], *, again: bool = False,
        name: str = "",
    ) -> str:  # fmt: skip
        """Start a task and return its id, never two.

        After a lost answer a task that is not in `known_ids` is looked for during the time-out of a
        request and `quiet_seconds`; Uncertain if none is seen. `again` says that an earlier process
        died while it did this: then a task is looked for during `quiet_seconds` first, and started
        only if none is seen.
        """
        action = Named(action_id, name or action_id)
        return self._tasks.start(kind, action, known_ids, again=again)

    def let_end(self, action: Action, progress: Progress | None = None) -> tuple[TaskResult, ...]:
        """Wait for the unfinished tasks of an action and of the import that reads its file.

        Files take no lock: a task that runs late, such as one that an earlier run gave up waiting
        for, would read a file that is being replaced. Uncertain if one does not end in time.
        """
        ended = self._tasks.let_end(action.kind, Named(action.id, action.name), progress)
        if action.import_id != action.id:
            theirs = Named(action.import_id, action.import_name)
            ended += self._tasks.let_end("imports", theirs, progress)
        return ended

    @property
    def task_seconds_max(self) -> float:
        """How long a task is waited for."""
        return self._tasks.seconds_max

    def settle(
        self, kind: str, action_id: str, task_id: str | None, known_ids: Collection[str], *,
        name: str = "", progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """Wait until a task that another run started is over, whatever became of it.

        Without its id, a task that is not in `known_ids` is looked for as after a lost answer; none
        means that nothing was started. Busy if it is not over in `task_seconds_max`.
        """
        action = Named(action_id, name or action_id)
        self._tasks.settle(kind, action, task_id, known_ids, progress)

    def wait(
        self, kind: str, action_id: str, task_id: str, *, name: str = "",
        progress: Progress | None = None,
    ) -> TaskResult:  # fmt: skip
        """Wait for the end of a task, with growing pauses, at most `task_seconds_max`.

        Failed polls are borne. Uncertain if the task is not over by then, or if Anaplan no longer
        knows it: then only reading the values back can tell.
        """
        return self._tasks.wait(kind, Named(action_id, name or action_id), task_id, progress)

    def dump(
        self, kind: str, action_id: str, task_id: str, object_id: str | None = None
    ) -> bytes | None:
        """The rejected rows of an import, or of import `object_id` in a process, as Anaplan's CSV.

        None when Anaplan has none, or has none any more: each run overwrites it. `wire.dump_rows`
        reads it; keep the bytes.
        """
        path = f"{self._names.model().path}/{kind}/{part(action_id)}/tasks/{part(task_id)}"
        path += f"/dumps/{part(object_id or '')}/chunks" if kind == "processes" else "/dump/chunks"
        pieces = list(self._files.chunks_at(path))
        return b"".join(pieces) if pieces else None

    # ------------------------------------------------------------------ reading back

    def list_items(self, list_id: str, properties: Sequence[str] = ()) -> pl.DataFrame:
        """The items of a list: id, name, code, parent (all String), is_parent (Boolean).

        And those of `properties` that it has, as text, under `property_column`.
        """
        return self._views.items(list_id, properties)

    def property_formats(self, list_id: str) -> dict[str, str]:
        """The formats of a list's properties, by their names, in Anaplan's words."""
        return self._views.property_formats(list_id)

    def items_with(
        self, list_id: str, code: str, numbers: Sequence[str], texts: Sequence[str]
    ) -> pl.DataFrame:
        """The items of a list by `code` (String), with properties as exact amounts or as text.

        A property that the list does not have is Misconfigured.
        """
        return self._views.items_with(list_id, code, numbers, texts)

    def line_items(self, view: Named) -> list[str]:
        """The names of all line items of the module of a view, also of those it does not show."""
        module = str(view.more.get("moduleId") or "")
        return self._views.line_items(module) if module else []

    def dimensions(self, view_id: str) -> list[str]:
        """The names of a view's dimensions: rows, then columns, then pages."""
        return self._views.dimensions(view_id)

    def read_view(self, view_id: str) -> Iterator[pl.DataFrame]:
        """All non-zero cells of a view, page by page.

        One column per dimension with item *names* (String), and `value` as Decimal(38, 4), exact.
        Totals are cells too, if the view shows them: leave out items that are parents. Of each line
        item of a page one cell is there although it is zero, to tell which there are.
        """
        return self._views.read(view_id)

    def read_export(self, export_id: str, dimensions: Sequence[str]) -> pl.DataFrame:
        """The non-zero cells in the file of an export that has just been run and waited for.

        Shaped as by `read_view`. `dimensions` names them all; one of them may stand side by side.
        """
        return cells(b"".join(self.download(export_id)), dimensions, None).frame


def _reads_file(entry: Named) -> bool:
    return str(entry.more.get("importDataSourceId") or "").startswith("113")


def _no_file(import_name: str) -> Misconfigured:
    return Misconfigured(
        f"The import {import_name!r} does not read a file.",
        untouched="Nothing was changed in Anaplan.",
        do="Name an import whose source is a file.", who=WHO, code="no-file",
    )  # fmt: skip
