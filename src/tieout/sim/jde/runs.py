"""What the practice orchestrations do when they run, step by step, and the answers they map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tieout.sim.jde.batch_file import BatchFile
from tieout.sim.jde.dates import stamp
from tieout.sim.jde.inputs import Sent
from tieout.sim.jde.ledger import Ledger
from tieout.sim.jde.numbers import draw
from tieout.sim.jde.refusal import AisError
from tieout.sim.jde.switches import Switches
from tieout.sim.jde.upload import Outcome, Upload

DOCUMENTS_MAX = 1_000
PROGRAM_TITLE = "Journal Entries Batch Processor"
Output = dict[str, Any]


class PlanRun:
    """One run of TIEOUT_PlanJournal: rows into the batch file, then R09110Z.

    `plan` disturbs it: only `lines` rows are written and the step fails (`on_error` abort or
    continue), or R09110Z is not reached (`process` false). Each step commits for itself (J096).
    """

    def __init__(
        self, file: BatchFile, upload: Upload, switches: Switches, plan: Mapping[str, Any]
    ) -> None:
        self._file, self._upload, self._switches = file, upload, switches
        self._plan = plan

    def run(self, sent: Sent, user: str, now: tuple[int, int], at: float) -> Output:
        """The mapped output; AisError 500 when a step fails and its author says abort."""
        rows = self._file.rows(sent, user, now)
        wanted = rows[: self._plan.get("lines", len(rows))]
        written, refused = self._file.write(wanted)
        if not refused and len(wanted) < len(rows):
            refused = f"Iteration {written + 1} of the step did not end"
        if refused and self._plan.get("on_error", "abort") == "abort":
            raise _failed(refused)
        if not self._plan.get("process", True):
            raise _failed("Report R09110Z was not submitted")
        outcome = Outcome("")
        if rows:
            control = str(rows[0]["EDBT"])
            found = {o.control_batch: o for o in self._upload.run(user, control)}
            outcome = found.get(control, Outcome(control))
        output = self._mapped(outcome, written) | self._told(outcome)
        if refused:  # J096
            form = self._switches["timestamp_format"]
            output["continuedOnError"] = [
                {"step": "WriteBatchFile", "iteration": written + 1, "message": refused,
                 "timeStamp": stamp(at, form), "userDefinedErrorText": "", "type": "exception"}
            ]  # fmt: skip
        return output

    def _mapped(self, outcome: Outcome, written: int) -> Output:
        """J092 J095: the outputs as their author named and typed them."""
        number = _typed(self._switches)
        documents = [
            {"TransactionNumber": d.rows[0]["EDTN"], "DocumentType": d.rows[0]["DCT"],
             "DocumentNumber": number(d.number), "DocumentCompany": d.company,
             "Lines": number(len(d.rows))}
            for d in outcome.taken()
        ]  # fmt: skip
        return {"BatchNumber": number(outcome.batch if documents else 0),
                "ControlBatch": outcome.control_batch, "LinesWritten": number(written),
                "Documents": documents}  # fmt: skip

    def _told(self, outcome: Outcome) -> Output:
        """J094: what R09110Z said, inside the answer, or only in the work center, or as a 500."""
        messages = [m for document in outcome.documents for m in document.messages]
        errors = [m for m in messages if not m.warning]
        how = self._switches["upload_errors"]
        if errors and how == "status":
            raise _failed(errors[0].text)
        if not messages or how == "work_center":
            return {}
        lists = {
            kind: [{"CODE": m.code, "TITLE": f"{kind[:-1]}: {m.text}", "ERRORCONTROL": "",
                    "DESC": m.text, "MOBILE": m.text} for m in messages if m.warning is warning]
            for kind, warning in (("Errors", False), ("Warnings", True))
        }  # fmt: skip
        return {"Errors/Warnings": [{"Application ID": "R09110Z", "Title": PROGRAM_TITLE} | lists]}


def reserve(ledger: Ledger, switches: Switches, sent: Sent) -> Output:
    """J122: TIEOUT_ReserveBatch: a batch number, and as many document numbers as asked."""
    wanted = sent.inputs.get("Documents", 1)
    if wanted != int(wanted) or not 0 < wanted <= DOCUMENTS_MAX:
        raise AisError(switches["invalid_input_status"], f"Documents {wanted}", report=True)
    number = _typed(switches)
    with ledger.transaction():
        batch = draw(ledger, "batch")
        numbers = [draw(ledger, "document") for _ in range(int(wanted))]
    return {"BatchNumber": number(batch), "DocumentNumber": number(numbers[0]),
            "DocumentNumbers": [{"DocumentNumber": number(n)} for n in numbers]}  # fmt: skip


def with_status(output: Output, switches: Switches, started: float, ended: float) -> Output:
    """J092 J093: nothing mapped says so; status members where the author chose them."""
    form = switches["timestamp_format"]
    if not output or switches["orchestration_output"] == "none":
        answer: Output = {"message": "Orchestration has no output",
                          "timeStamp": stamp(ended, form)}  # fmt: skip
    else:
        answer = dict(output)
    if switches["status_keys"]:
        warned = "Errors/Warnings" in output or "continuedOnError" in output
        answer |= {
            "jde__status": "WARN" if warned else "SUCCESS",
            "jde__startTimestamp": stamp(started, form), "jde__endTimestamp": stamp(ended, form),
            "jde__serverExecutionSeconds": round(ended - started, 3),
        }  # fmt: skip
    return answer


def _failed(message: str) -> AisError:
    """J096: a step that failed and aborts the orchestration."""
    return AisError(500, message, what="step")


def _typed(switches: Switches) -> type[int] | type[str]:
    """J095: numbers as numbers, or as text."""
    return str if switches["output_numbers"] == "text" else int
