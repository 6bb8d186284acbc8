"""The file that a run uploaded, rebuilt from the run's own records and compared byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tieout.anaplan import wire
from tieout.core.findings import counted
from tieout.core.frames import BUCKETS, CELL_KEY, ZERO, Schema, empty
from tieout.errors import Misconfigured
from tieout.flows import load_members, load_table
from tieout.flows.balances import ACCOUNTS
from tieout.flows.cells import PROVED, TOUCHED, mappings, rows_to_send
from tieout.flows.folding import Folding
from tieout.flows.loading import file_columns
from tieout.flows.scope import scope_by
from tieout.flows.world import World
from tieout.project import LoadActuals
from tieout.project_tables import LoadTable

FOLD = "fold into cells"
EXCERPT_BYTES = 80  # of either file, shown where they differ
_KEY = list(CELL_KEY)


@dataclass(frozen=True, slots=True)
class Reproduced:
    """The rebuilt file beside the uploaded one, as texts: packing them is not part of it."""

    same: bool
    bytes: int  # of the uploaded text
    rows: int
    sha256: str  # of the rebuilt text
    uploaded_sha256: str
    first_difference: dict[str, Any] | None  # the line of the file, rebuilt and as uploaded
    rebuilt_from: tuple[str, ...]


def reproduced(world: World[Any], run: str) -> Reproduced:
    """Rebuild the file of a run and compare it with the chunks that were uploaded.

    Amounts of an actuals run are folded anew from its account balances, by the accounts, periods,
    mapping and configuration of that run; which cells the file holds is what the run kept, for the
    members that Anaplan had then are not kept.
    """
    told = {s.name: s.result for s in world.store.steps(run)}
    if "write the file" not in told:
        raise Misconfigured(
            f"Run {run} wrote no file for Anaplan, so there is none to reproduce.",
            do="Name a run that sent rows; `tieout runs` lists them.",
        )
    action = told["check the import"]
    columns = file_columns(world.flow, action["headers"])
    if isinstance(world.flow, LoadActuals):
        rows, source = _actuals(world, run, told)
    elif isinstance(world.flow, LoadTable):
        rows, source = load_table.rows_to_send(world, run), ["the cells as the run kept them"]
    else:
        rows, source = load_members.rows_to_send(world, run), ["the members as the run kept them"]
    text = wire.file_text(rows, columns, separator=action["separator"])
    kept = (wire.unpacked(world.store.read_bytes(m)) for m in world.store.kept(run, kind="file"))
    config = world.store.run(run).config_version
    source += [f"version {config} of the configuration"] if config else []
    return _compared(text, kept, told["write the file"]["rows"], source)


def _actuals(
    world: World[LoadActuals], run: str, told: Mapping[str, Mapping[str, Any]]
) -> tuple[Iterator[pl.DataFrame], list[str]]:
    """The rows of the file with their amounts folded anew, and what they are made of."""

    def then(kind: str, schema: Schema) -> pl.LazyFrame:
        manifests = world.store.before(run, world.flow_name, kind, FOLD)
        return world.store.scan(manifests) if manifests else empty(schema).lazy()

    def frame(kind: str, schema: Schema) -> pl.DataFrame:
        return then(kind, schema).collect()

    version = told[FOLD]["mapping"]
    scope = scope_by(world.flow, frame)
    folding = Folding(world, scope, frame("accounts", ACCOUNTS), mappings(world, version))
    buckets = then("buckets", BUCKETS)
    wanted = world.lazy_of_this_run(run, "to_send").select(_KEY).collect()
    parts = [
        folding.cells(buckets.filter(part).collect()).join(wanted, on=_KEY, how="semi")
        for part in folding.parts(buckets)
    ]
    folded = pl.concat(parts).select(*_KEY, folded="value")
    # Beside what is sent anew stands what was last proved of the others, also of those that wait
    # (an import that clears is given all cells).
    touched, waiting = (
        world.lazy_of_this_run(run, kind, TOUCHED).select(_KEY) for kind in ("touched", "waiting")
    )
    anew = touched.join(waiting, on=_KEY, how="anti")
    others = wanted.lazy().join(anew, on=_KEY, how="anti")
    shown = then("proved", PROVED).select(*_KEY, "shown")
    beside = shown.join(others, on=_KEY, how="semi").collect()
    amount = pl.coalesce("shown", "folded", ZERO)  # zero: no longer a cell of the ledger

    def rows() -> Iterator[pl.DataFrame]:
        for sent in rows_to_send(world, run):
            cells = sent.rename({"period": "member"}).select(_KEY)
            whole = cells.join(folded, on=_KEY, how="left", maintain_order="left")
            whole = whole.join(beside, on=_KEY, how="left", maintain_order="left")
            yield whole.with_columns(amount=amount).rename({"member": "period"})

    balances = counted(buckets.select(pl.len()).collect().item(), "account balance")
    return rows(), [
        f"{balances} as they were proved then", f"version {version} of the mapping",
        "the accounts and periods of then", "the list of cells that the run sent",
    ]  # fmt: skip


class _Text:
    """A text that comes in pieces, its size and its digest."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._digest = hashlib.sha256()
        self.held, self.bytes = b"", 0

    def more(self) -> bool:
        """Hold the next piece if nothing is held; whether there is one."""
        while not self.held:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._digest.update(piece)
            self.held, self.bytes = piece, self.bytes + len(piece)
        return True

    def sha256(self) -> str:
        """The digest of the whole text, read to its end."""
        while self.more():
            self.held = b""
        return self._digest.hexdigest()


def _compared(
    rebuilt: Iterable[bytes], uploaded: Iterable[bytes], rows: int, source: list[str]
) -> Reproduced:
    """Both texts, piece by piece: neither is in memory as a whole."""
    ours, theirs = _Text(rebuilt), _Text(uploaded)
    line, difference = 1, None
    while ours.more() and theirs.more():
        length = min(len(ours.held), len(theirs.held))
        piece = ours.held[:length]
        if piece != theirs.held[:length]:
            break
        line += piece.count(b"\n")
        ours.held, theirs.held = ours.held[length:], theirs.held[length:]
    if ours.more() or theirs.more():
        difference = _difference(ours.held, theirs.held, line)
    digests = ours.sha256(), theirs.sha256()
    return Reproduced(difference is None, theirs.bytes, rows, *digests, difference, tuple(source))


def _difference(ours: bytes, theirs: bytes, line: int) -> dict[str, Any]:
    """The first line in which two pieces that begin in `line` differ."""
    both = enumerate(zip(ours, theirs, strict=False))
    shorter = min(len(ours), len(theirs))
    common = next((at for at, (mine, other) in both if mine != other), shorter)
    start = ours.rfind(b"\n", 0, common) + 1
    texts = (
        piece[start : start + EXCERPT_BYTES].partition(b"\n")[0].decode(errors="replace")
        for piece in (ours, theirs)
    )
    rebuilt, uploaded = texts
    return {
        "line": line + ours.count(b"\n", 0, start), "rebuilt": rebuilt, "uploaded": uploaded,
    }  # fmt: skip
