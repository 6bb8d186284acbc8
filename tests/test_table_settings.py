"""What a flow that loads a table may say, and what is refused with its place."""

from __future__ import annotations

import pytest

from tieout.errors import Misconfigured
from tieout.project_tables import LoadTable
from tieout.settings import read_project
from tieout.verbs.demo import PROJECT
from tieout.verbs.demo_tables import BALANCES, PAYABLES

TEXT = PROJECT.format(jde="http://127.0.0.1:1", anaplan="http://127.0.0.1:2", companies='"00001"')
TEXT += BALANCES + PAYABLES


def test_the_two_examples_are_read_as_they_are_meant() -> None:
    flows = read_project(TEXT).flows
    tables = {name: flow for name, flow in flows.items() if isinstance(flow, LoadTable)}
    assert tables.keys() == {"balances", "payables"}
    assert tables["payables"].where[1].is_not == (0,)
    assert tables["balances"].unmatched == "stop"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('table = "F0411"', 'table = "T0411"', "payables.table is not a table or business"),
        ('table = "F0411"', 'table = "F0411"\nowner = "F0101"', "owner is for a view"),
        ('DOC = "whole"', 'DOC = "wholly"', "flows.payables.fields is not what a field can hold"),
        ('DOC = "whole"', 'RPDOC# X = "whole"', "not valid TOML"),
        ('key = ["DOC", ', 'key = ["RPDOC", ', "key names RPDOC, which is no field"),
        ('key = ["DOC", "DCT", "KCO", "SFX", "SFXE"]', "key = []", "key names none"),
        ('{ field = "AAP", is_not = [0] }', '{ field = "AAP" }', "condition 2 says nothing"),
        ('is_not = [0]', 'is_not = ["x"]', "is not a number"),
        ('is_not = [0]', 'is_nt = [0]', "is_nt is unknown (did you mean `is_not`?)"),
        ('field = "POST"', 'field = "PST2"', "names PST2, which is no field"),
        ('identify = ["Code"]', 'identify = ["Kode"]', "identify names Kode, no column"),
        ('identify = ["Code"]', 'identify = ["Code", "Company"]', "must be the one column"),
        ('identify = ["Code"]', 'identify = ["Code"]\nmaps = { "Company" = "company" }',
         "maps names Company, which identifies nothing"),
        ('AAP = "amount of company"', 'AAP = "amount of CRC"', "needs the field CRC"),
        ('read_back = { list = "Open Payables" }', 'read_back = { view = "Open Payables" }',
         "cells hold numbers"),
        ('identify = ["Code"]', 'identify = ["Code"]\nimport_clears = "all"',
         "an import of a list clears nothing"),
        ('read_back = { list = "Open Payables" }', 'read_back = { }', "needs one of `list`"),
        ('"Open Amount" = "AAP"', '"Open Amount" = "AAPX"', "names AAPX, which is no field"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_place(old: str, new: str, words: str) -> None:
    assert old in PAYABLES
    changed = TEXT.replace(PAYABLES, PAYABLES.replace(old, new, 1))
    with pytest.raises(Misconfigured) as told:
        read_project(changed)
    assert words in told.value.sentence(), told.value.sentence()
