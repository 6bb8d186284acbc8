"""Text that is empty in every row is written in another way, and read as it was."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

from tieout.store.store import Store

CASES: dict[str, list[str | None]] = {
    "empty": ["", "", ""], "some": ["", "x", ""], "none": [None, None, None],
    "partly none": ["", None, ""], "blank": [" ", " ", " "],
}  # fmt: skip


def frame(case: str) -> pl.DataFrame:
    return pl.DataFrame({"text": pl.Series(CASES[case], dtype=pl.String), "row": [1, 2, 3]})


@pytest.mark.parametrize("cases", list(itertools.product(CASES, repeat=2)), ids=" then ".join)
def test_files_with_empty_text_read_back_as_they_were_written_in_any_order(
    store: Store, run: str, cases: tuple[str, str]
) -> None:
    frames = [frame(case) for case in cases]
    store.run_step(run, "read", lambda s: {"ids": [s.keep("lines", one).id for one in frames]})
    found, whole = store.scan(store.kept(run, kind="lines")), pl.concat(frames)
    assert found.collect().equals(whole)
    assert found.collect_schema() == whole.schema
    for text in ("", "x"):
        here = pl.col("text") == text
        assert found.filter(here).collect().equals(whole.filter(here))


def test_empty_text_joins_with_text_as_before_it_was_written(store: Store, run: str) -> None:
    store.run_step(run, "read", lambda s: {"id": s.keep("lines", frame("empty")).id})
    found = store.scan(store.kept(run, kind="lines")).collect()
    assert found.join(frame("some"), on=["text", "row"]).height == 2
