"""What the engine library writes down can be read back, and nothing else can."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.engine.recorded import RecordedError, from_text, to_text
from tieout.errors import Busy, Misconfigured, Refused, Trouble, Unavailable, Uncertain

WORDS = st.text()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | WORDS
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(WORDS | st.just("$decimal"), inner),
)


@given(VALUES)
def test_every_recorded_value_reads_back_equal(value: object) -> None:
    assert from_text(to_text(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_an_amount_keeps_every_digit(amount: Decimal) -> None:
    assert str(from_text(to_text(amount))) == str(amount)


@given(st.sampled_from([Trouble, Refused, Misconfigured, Busy, Unavailable, Uncertain]), WORDS)
def test_a_trouble_comes_back_as_its_own_kind_with_all_its_words(
    kind: type[Trouble], words: str
) -> None:
    trouble = kind(words, untouched="a" + words, do="b", who="c", evidence="d" + words)

    again = from_text(to_text(trouble))

    assert type(again) is kind
    assert again.exit_code == kind.exit_code
    assert again.__reduce__() == trouble.__reduce__()


def test_another_error_comes_back_as_its_class_and_words() -> None:
    again = from_text(to_text(KeyError("F0911")))

    assert isinstance(again, RecordedError)
    assert str(again) == "KeyError: 'F0911'"


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - a time without a zone is the case


@pytest.mark.parametrize("value", [1.5, NAIVE, {1: "a"}, object(), {"a": [0.1]}])
def test_a_float_a_naive_time_or_an_object_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_text(value)


@pytest.mark.parametrize("text", ["1.5", "NaN", '{"$call": ["os.system", "id"]}'])
def test_a_text_that_we_cannot_have_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="record"):
        from_text(text)


def test_a_date_stays_a_date() -> None:
    assert from_text(to_text([date(2025, 10, 31)])) == [date(2025, 10, 31)]
