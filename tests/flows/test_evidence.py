"""The evidence pack stands alone: whole, to the cent, without a secret, told in the trail."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest
from books import Books, assert_tied
from plan_books import ANNA, BEN, PlanBooks

from tieout.app import Instance
from tieout.clock import Clock
from tieout.errors import Busy, Misconfigured, NotAllowed
from tieout.store import baselines
from tieout.store.runs import NewRun
from tieout.verbs import certifying, people, seeing, setting_up
from tieout.verbs.evidence import making

COMPANY, PERIOD = "00001", "2025-05"
FINN = "finn"  # audits
SEED = "Pf5-never-in-a-pack-81c3"
CELL = ("company", "account", "business_unit", "member", "ledger", "currency")
BUCKET = ("company", "ledger", "currency", "account_id", "fiscal_year", "period")
SIDES = ("f0911", "f0902", "anaplan")


@dataclass
class Packed:
    """Books with a certified period and posted plan journals, and the pack of that period."""

    people: PlanBooks
    zip: Path
    folder: Path  # where it is unpacked

    def rows(self, name: str, table: int = 0) -> list[dict[str, str]]:
        """The rows of a table of a register."""
        with (self.folder / f"{name}.csv").open(newline="") as file:
            lines = list(csv.reader(file))
        begins = [n for n, line in enumerate(lines) if not line][table] + 2
        ends = next((n for n in range(begins, len(lines)) if not lines[n]), len(lines))
        columns, *rows = lines[begins:ends]
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def frame(self, name: str) -> pl.DataFrame:
        """A Parquet file of the flow."""
        return pl.read_parquet(self.folder / "parquet" / "actuals" / f"{name}.parquet")


@pytest.fixture(scope="module")
def packed(loaded: Books, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """Made once for the tests that only read it."""
    place = tmp_path_factory.mktemp("packed")
    books = loaded.copy(place / "home")
    found = PlanBooks(books)
    found.set_up()
    made = people.add_user(found.as_("ada"), FINN, ("auditor",), 30)
    found.tokens[FINN] = made["secret"]
    assert_tied(books, books.run())
    books.person("enter_plan", version="BUD26", months=3)
    found.only("00090")
    found.prepared_and_submitted()
    digest = certifying.prepare(found.as_(ANNA), "actuals", COMPANY, PERIOD)["digest"]
    certifying.certify(found.as_(BEN), "actuals", COMPANY, PERIOD, digest, "closed")
    with found.store.begin() as connection:
        row = (COMPANY, "AA", "", "00009999", 2025, 5, Decimal("12.34"))
        baselines.prepare(connection, "actuals", COMPANY, [row], "old system", ANNA,
                          books.clock.now())  # fmt: skip
    for name in ("erp", "planning"):
        fields = {"username": f"user-{SEED}", "password": f"password-{SEED}"}
        setting_up.connect(found.as_("ada"), name, fields)
    making.make(found.as_(FINN), PERIOD, to=place / "pack.zip")
    with ZipFile(place / "pack.zip") as pack:
        pack.extractall(place / "pack")
    yield Packed(found, place / "pack.zip", place / "pack")
    books.close()


def bare(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python without any library, Tieout included."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *words], cwd=folder, text=True, capture_output=True,
        check=False, timeout=120,
    )  # fmt: skip


def test_python_alone_finds_every_file_and_the_trail_whole(packed: Packed) -> None:
    assert bare(packed.folder, "-c", "import tieout").returncode, "this is no bare Python"
    files = bare(packed.folder, "check.py")
    assert (files.returncode, files.stdout) == (0, "Every file is the one that was packed.\n")
    trail = bare(packed.folder, "verify.py", "trail/trail.jsonl", "--anchor",
                 "trail/checkpoints.jsonl")  # fmt: skip
    assert trail.returncode == 0, trail.stdout
    assert trail.stdout.endswith("Whole, as far as was checked.\n")
    assert not (packed.folder / "__pycache__").exists()


def test_the_manifest_names_every_file_with_its_hash_and_so_does_the_list_of_sums(
    packed: Packed,
) -> None:
    told = json.loads((packed.folder / "manifest.json").read_text())["files"]
    there = {p.relative_to(packed.folder).as_posix(): p for p in packed.folder.rglob("*")}
    files = {name: path for name, path in there.items() if path.is_file()}
    assert set(told) == set(files) - {"manifest.json", "SHA256SUMS"}
    for name, file in told.items():
        data = files[name].read_bytes()
        assert file == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=packed.folder, check=False
    )
    assert checked.returncode == 0


def flipped(path: Path) -> None:
    """One byte becomes another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda f: flipped(f / "parquet/actuals/cells.parquet"),
         "parquet/actuals/cells.parquet is not the file that was packed."),
        (lambda f: (f / "tie-outs/actuals.csv").unlink(), "tie-outs/actuals.csv is missing."),
        (lambda f: (f / "registers/more.csv").write_text(""), "registers/more.csv was not packed."),
    ],
)  # fmt: skip
def test_one_file_that_was_changed_is_named(
    packed: Packed, tmp_path: Path, edit: Callable[[Path], None], told: str
) -> None:
    shutil.copytree(packed.folder, tmp_path / "pack")
    edit(tmp_path / "pack")
    found = bare(tmp_path / "pack", "check.py")
    assert (found.returncode, found.stdout.splitlines()) == (6, [told, "NOT WHOLE."])


def test_an_edited_entry_of_the_trail_is_named(packed: Packed, tmp_path: Path) -> None:
    lines = (packed.folder / "trail/trail.jsonl").read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"act":"certified"' in line)
    seq = json.loads(lines[number])["entry"]["seq"]
    lines[number] = lines[number].replace('"actor":"ben"', '"actor":"mal"')
    (tmp_path / "trail.jsonl").write_text("\n".join(lines) + "\n")
    found = bare(packed.folder, "verify.py", str(tmp_path / "trail.jsonl"))
    assert found.returncode == 6
    assert f"Entry {seq} was edited." in found.stdout


def test_lines_add_up_to_balances_these_to_cells_and_these_to_the_tie_out_to_the_cent(
    packed: Packed,
) -> None:
    lines, buckets, cells = (packed.frame(name) for name in ("lines", "buckets", "cells"))
    key = ["bucket_currency" if name == "currency" else name for name in BUCKET]
    sums = lines.filter("counts").group_by(key).agg(pl.col("amount").sum(), lines=pl.len())
    both = buckets.select(*BUCKET, "amount", "lines").join(
        sums, left_on=BUCKET, right_on=key, how="left", suffix="_of_lines"
    )
    assert both["lines"].sum() == lines.filter("counts").height > 0
    assert both.filter(pl.col("amount") != pl.col("amount_of_lines").fill_null(0)).is_empty()

    folded = (
        buckets.group_by([f"cell_{name}" for name in CELL])
        .agg(f0911=pl.col("f0911").sum(), f0902=pl.col("balance").sum())
        .rename({f"cell_{name}": name for name in CELL})
    )
    joined = cells.join(folded, on=CELL, how="full", suffix="_folded", nulls_equal=True)
    assert joined.height == cells.height
    for side in ("f0911", "f0902"):
        assert joined.filter(
            pl.col(side) != pl.col(f"{side}_folded").fill_null(0)
        ).is_empty()  # fmt: skip

    table = seeing.tie_out_table(packed.people.books.instance, "actuals", PERIOD)
    for row in table:
        mine = cells.filter(pl.col("company") == row["company"])
        for side in SIDES:
            assert mine[side].abs().sum() == row[f"gross_{side}"] > 0
            assert mine[side].sum() == row[side]
    told = packed.rows("tie-outs/actuals", 1)
    assert [Decimal(r["gross_f0911"]) for r in told] == [r["gross_f0911"] for r in table]


def test_no_secret_of_the_instance_is_in_any_file_of_the_pack(packed: Packed) -> None:
    home = packed.people.books.home
    keys = [(home / name).read_bytes().strip() for name in ("key", "trail-key")]
    texts = [SEED.encode(), *(t.encode() for t in packed.people.tokens.values()), *keys]
    texts += [base64.b64decode(key).hex().encode() for key in keys]
    texts += [hashlib.sha256(t.encode()).hexdigest().encode() for t in
              packed.people.tokens.values()]  # fmt: skip
    with packed.people.store.database.read() as connection:
        sealed = connection.exec_driver_sql("select sealed from app_secret").scalars()
        texts += [str(text).encode() for text in sealed]
    assert len(texts) > 10
    found = [
        (name, text) for name, data in contents(packed.folder) for text in texts if text in data
    ]
    assert found == []
    access = dict(contents(packed.folder))["registers/access.csv"]
    assert FINN.encode() in access, "the list of who has access is there all the same"


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as its bytes, workbooks and Parquet unpacked."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        yield name, path.read_bytes()
        if path.suffix == ".xlsx":
            with ZipFile(path) as book:
                for part in book.namelist():
                    yield f"{name}/{part}", book.read(part)
        elif path.suffix == ".parquet":
            text = io.BytesIO()
            pl.read_parquet(path).write_ndjson(text)
            yield f"{name} as text", text.getvalue()


def test_the_first_page_tells_each_company_s_verdict_and_leads_to_every_file(
    packed: Packed,
) -> None:
    text = (packed.folder / "index.html").read_text()
    links = re.findall(r'href="([^"]+)"', text)
    assert all((packed.folder / link).is_file() for link in links)
    told = set(json.loads((packed.folder / "manifest.json").read_text())["files"])
    assert set(links) == told - {"index.html"}
    assert not re.search(r"<script|src=|url\(|https?:", text)
    table = seeing.tie_out_table(packed.people.books.instance, "actuals", PERIOD)
    for row in table:
        assert f"Company {row['company']}, ledger AA: all {row['cells']} cells tie" in text
    assert "00001 is certified by ben, prepared by anna." in text
    assert "Nobody has certified 00060." in text
    assert "on or after the first day of the period (20" in text


def test_the_registers_say_who_ran_approved_certified_and_may(packed: Packed) -> None:
    runs = packed.rows("registers/runs")
    assert {r["flow"] for r in runs} == {"accounts", "actuals", "companies", "cost_centers", "plan"}
    last = seeing.last_comparison(packed.people.books.instance, "actuals") or ("", None)
    assert last[0] in {r["run"] for r in runs}

    (batch,) = packed.rows("registers/journals", 0)
    journals = packed.rows("registers/journals", 1)
    lines = packed.rows("registers/journals", 2)
    assert (batch["prepared_by"], batch["decided_by"], batch["state"]) == (ANNA, BEN, "approved")
    assert {j["period"] for j in journals} == {PERIOD}
    assert all(j["batch_number"] and j["document_number"] for j in journals)
    assert sum(int(j["lines"]) for j in journals) == len(lines)
    assert sum(Decimal(n["amount"]) for n in lines if Decimal(n["amount"]) > 0) == sum(
        Decimal(j["debit"]) for j in journals
    )

    (signed,) = packed.rows("registers/certifications")
    assert (signed["certified_by"], signed["state"]) == (BEN, "certified")
    assert signed["digest"] in {h["digest"] for h in packed.rows("tie-outs/actuals", 5)}
    (baseline,) = packed.rows("registers/baselines", 0)
    assert (baseline["prepared_by"], baseline["state"]) == (ANNA, "prepared")
    (balance,) = packed.rows("registers/baselines", 1)
    assert (balance["account_id"], balance["amount"]) == ("00009999", "12.34")
    users = {u["user"]: u["roles"] for u in packed.rows("registers/access", 0)}
    assert users[FINN] == "auditor"
    assert {t["user"] for t in packed.rows("registers/access", 1)} == set(users)
    versions = [c["version"] for c in packed.rows("registers/configurations")]
    assert versions == [str(n) for n in range(1, len(versions) + 1)]
    text = (packed.folder / f"configuration/version-{versions[-1]}.toml").read_text()
    assert "[flows.plan]" in text


def test_the_trail_tells_that_a_pack_was_made_with_the_hash_that_it_has(packed: Packed) -> None:
    began, made = packed.people.store.audit(object_=f"evidence {PERIOD}")[:2]
    assert (began.act, began.actor) == ("began evidence pack", FINN)
    assert (made.act, made.actor) == ("made evidence pack", FINN)
    assert made.told["sha256"] == hashlib.sha256(packed.zip.read_bytes()).hexdigest()
    inside = (packed.folder / "trail/trail.jsonl").read_text()
    assert '"act":"began evidence pack"' in inside
    assert '"act":"made evidence pack"' not in inside, "no pack can hold its own hash"
    assert packed.people.store.verify_audit().whole
    assert packed.zip.stat().st_mode & 0o077 == 0


def test_a_second_pack_has_the_same_files_in_the_same_order_with_one_time_on_all(
    packed: Packed, tmp_path: Path
) -> None:
    making.make(packed.people.as_(BEN), PERIOD, to=tmp_path / "second.zip")
    with ZipFile(packed.zip) as first, ZipFile(tmp_path / "second.zip") as second:
        assert first.namelist() == second.namelist()
        assert len({info.date_time for info in second.infolist()}) == 1
        same = [n for n in first.namelist() if n.endswith((".parquet", ".toml", ".py", ".txt"))]
        assert len(same) > 6
        assert all(first.read(name) == second.read(name) for name in same)


def test_only_who_may_hand_out_evidence_makes_a_pack_and_never_over_another(
    packed: Packed, tmp_path: Path
) -> None:
    with pytest.raises(NotAllowed, match="may not hand out evidence"):
        making.make(packed.people.as_(ANNA), PERIOD, to=tmp_path / "pack.zip")
    (tmp_path / "there.zip").write_text("mine")
    refusals = {
        "there.zip already": (PERIOD, None, tmp_path / "there.zip"),
        "has compared a cell of 2031-01": ("2031-01", None, tmp_path / "pack.zip"),
        "No flow accounts has compared": (PERIOD, "accounts", tmp_path / "pack.zip"),
        "cannot be written: No such file": (PERIOD, None, tmp_path / "nowhere" / "pack.zip"),
    }
    for why, (period, flow, to) in refusals.items():
        with pytest.raises(Misconfigured, match=why):
            making.make(packed.people.as_(BEN), period, flow, to)
    assert [path.name for path in tmp_path.iterdir()] == ["there.zip"]
    assert (tmp_path / "there.zip").read_text() == "mine"


class Hooked:
    """The clock of an instance, at whose third look something else happens."""

    def __init__(self, clock: Clock, then: Callable[[], object]) -> None:
        self._clock, self._then, self._looks = clock, then, 0

    def now(self) -> datetime:
        self._looks += 1
        if self._looks == 3:
            self._then()
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def test_what_happens_while_a_pack_is_put_together_leaves_no_pack_and_no_entry_of_it(
    packed: Packed, tmp_path: Path
) -> None:
    finn, store = packed.people.as_(FINN), packed.people.store
    run = NewRun("accounts", "load_members", ANNA, outcome="waiting")
    meanwhile: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: (tmp_path / "pack.zip").write_text("mine"), Misconfigured, "not written over"),
        (lambda: store.new_run(run), Busy, "ran while it was put together"),
    ]
    before = len(acts(packed))
    for then, refusal, why in meanwhile:
        (tmp_path / "pack.zip").unlink(missing_ok=True)
        desk = Instance(finn.environment, Hooked(finn.clock, then))
        with pytest.raises(refusal, match=why):
            making.make(desk, PERIOD, to=tmp_path / "pack.zip")
        desk.close()
    assert acts(packed)[before:] == ["began evidence pack"] * 2
    assert list(tmp_path.iterdir()) == []


def acts(packed: Packed) -> list[str]:
    """What the trail tells of packs of the period."""
    return [entry.act for entry in packed.people.store.audit(object_=f"evidence {PERIOD}")]
