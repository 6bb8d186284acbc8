"""A page of JD Edwards whose values are longer than any text of a table is refused."""

from __future__ import annotations

import json

import pytest

from tieout.jde.page import decode_page
from tieout.jde.tables import ACCOUNT_LEDGER


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("text", ["x", '"', ","])
@pytest.mark.parametrize(("size", "refused"), [(8_192, False), (8_193, True)])
def test_a_value_has_at_most_eight_thousand_bytes(
    size: int, refused: bool, text: str, separators: tuple[str, str]
) -> None:
    grid = {
        "rowset": [{"F0911_EXA": text * size}],
        "summary": {"records": 1, "moreRecords": False},
    }  # fmt: skip
    page = {"fs_DATABROWSE_F0911": {"data": {"gridData": grid}, "errors": []}, "sysErrors": []}
    body = json.dumps(page, separators=separators).encode()
    if not refused:
        assert decode_page(body, ACCOUNT_LEDGER, ["explanation"]).frame.height == 1
        return
    with pytest.raises(ValueError, match=r"F0911.explanation has more than 8,192 bytes"):
        decode_page(body, ACCOUNT_LEDGER, ["explanation"])
