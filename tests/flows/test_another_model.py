"""What was proved in one model proves nothing in another: everything goes again."""

from __future__ import annotations

from decimal import Decimal

from books import Books, assert_quiet, assert_tied, changed

from tieout.verbs.setting_up import set_mapping


def test_after_the_target_model_changed_every_cell_goes_again_and_old_ones_as_zero(
    books: Books,
) -> None:
    """The model is named by its id from now on: another name may stand for another model."""
    (source, target) = sorted({c[1] for c in books.anaplan() if c[1] < "4000"})[:2]
    set_mapping(books.instance, "account", source, target, "planned in one line")
    expected = books.expected()
    zeros = dict.fromkeys(books.anaplan().keys() - expected.keys(), Decimal(0))
    assert zeros
    assert len(changed(books.anaplan(), expected)) < len(expected)
    model = books.control("anaplan", "state")["tasks"][0]["model"]
    books.change_flow('model = "FP&A 2026"', f'model = "{model}"')

    assert_tied(books, books.run())

    assert books.uploaded_cells() == expected | zeros
    assert_quiet(books)
