"""The orchestrations of the practice AIS: their names, inputs and outputs as their author set them.

The two TIEOUT_ ones are ours: what docs/how-to/build-the-orchestration.md asks a JDE developer to
build. The sample is Oracle's, by name and inputs only.
"""

from __future__ import annotations

from dataclasses import dataclass

STRING, NUMERIC, DATE = "String", "Numeric", "Date"
PLAN_JOURNAL, RESERVE = "TIEOUT_PlanJournal", "TIEOUT_ReserveBatch"
LINES = "Lines"


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its name and its type (String, Numeric, Date)."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Orchestration:
    """One orchestration; `array` names its array input, `row` the columns of that array."""

    name: str
    object_name: str
    description: str
    category: str
    inputs: tuple[Input, ...]
    array: str = ""
    row: tuple[Input, ...] = ()
    outputs: tuple[Input, ...] = ()
    output_array: str = ""
    output_row: tuple[Input, ...] = ()


def _inputs(text: str) -> tuple[Input, ...]:
    """Inputs from `Name Type; Name Type`."""
    pairs = (item.split() for item in text.split(";"))
    return tuple(Input(name, kind) for name, kind in pairs)


ORCHESTRATIONS = {
    made.name: made
    for made in (
        Orchestration(
            "JDE_ORCH_Sample_UpdateMeterReadings", "ORC_0000000001JDE", "Update meter readings",
            "Samples", _inputs("EquipmentNumber String; NewFuelMeterReading Numeric"),
        ),
        Orchestration(
            PLAN_JOURNAL, "ORC_2604150001CUST",
            "Writes plan lines to the journal batch file and processes them", "Finance",
            _inputs(
                "BatchNumber Numeric; Company String; LedgerType String; GLDate Date; "
                "Reference2 String; Reference1 String; DocumentType String; "
                "DocumentNumber Numeric; Explanation String; ControlBatch String; "
                "TransactionNumber String"
            ),
            LINES,
            _inputs(
                "AccountId String; Amount Numeric; Remark String; Subledger String; "
                "SubledgerType String; Units Numeric; LineNumber Numeric; "
                "TransactionNumber String; GLDate Date; DocumentNumber Numeric; "
                "Reference2 String"
            ),
            _inputs("BatchNumber Numeric; ControlBatch String; LinesWritten Numeric"),
            "Documents",
            _inputs(
                "TransactionNumber String; DocumentType String; DocumentNumber Numeric; "
                "DocumentCompany String; Lines Numeric"
            ),
        ),
        Orchestration(
            RESERVE, "ORC_2604150002CUST", "Hands out a batch number and document numbers",
            "Finance", _inputs("Documents Numeric"),
            outputs=_inputs("BatchNumber Numeric; DocumentNumber Numeric"),
            output_array="DocumentNumbers", output_row=_inputs("DocumentNumber Numeric"),
        ),
    )
}  # fmt: skip


def named(name: str) -> Orchestration | None:
    """The orchestration with this name or OMW object name; upper and lower case differ."""
    objects = {made.object_name: made for made in ORCHESTRATIONS.values()}
    return ORCHESTRATIONS.get(name) or objects.get(name)
