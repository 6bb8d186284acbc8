"""Mappings: what holds, what waits, the history of a code, and the table in a spreadsheet."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from tieout.core.findings import counted
from tieout.core.listing import Column, Wanted, page_of
from tieout.errors import Misconfigured, Trouble
from tieout.verbs import mapping, setting_up, suggesting
from tieout.verbs.sheets import mapping_book
from tieout.verbs.words import money
from tieout.web.asking import WHY, Asking, Field, act, ask, refused_status, told
from tieout.web.table import EXCEL, FORMS, List, disposition
from tieout.web.view import View

TABLE_BYTES_MAX = 5_000_000  # of a workbook; the largest chart of accounts needs less
CHANGES_SHOWN_MAX = 200
OTHER = "other"  # the choice of a member that stands in no list
DIMENSIONS = tuple((d, d.replace("_", " ")) for d in setting_up.DIMENSIONS)
COLUMNS = (
    Column("source", "JD Edwards code", kind="code", sort=True, find="contains", link="address"),
    Column("dimension", "Of", sort=True, find="choice", choices=DIMENSIONS),
    Column("target", "Anaplan member", kind="code", sort=True, find="contains"),
    Column("effective_from", "From period", sort=True),
    Column("version", "Version", kind="count", sort=True),
    Column("set_by", "Set by", sort=True, find="equals"),
    Column("set_at", "Set at", kind="moment", sort=True),
    Column("why", "Why", kind="words"),
)
USUAL = Wanted("source")


def mappings(view: View) -> Response:
    """What holds now."""
    rows = [row | _placed(row) for row in setting_up.mappings(view.instance)]
    told = List(
        "mappings", "Mappings that hold", "mappings", COLUMNS, USUAL,
        lambda wanted: page_of(rows, COLUMNS, wanted, "key"),
    )  # fmt: skip
    if file := told.file(view):
        return file
    waiting = suggesting.waiting(view.instance)
    version = view.instance.store.mapping_version()
    return view.page(
        "mappings.html", section="mappings", title="Mappings", shown=told.shown(view),
        waiting=waiting, counted_max=suggesting.CODES_COUNTED_MAX, rows=len(rows),
        table_version=version,
        command=("tieout map", "tieout map suggest"), evidence=(("Version", version),),
    )  # fmt: skip


def _placed(row: dict[str, Any]) -> dict[str, Any]:
    query = urlencode({"dimension": row["dimension"], "source": row["source"]})
    key = f"{row['dimension']} {row['source']} {row['effective_from']}"
    return {"address": f"/mappings/code?{query}", "key": key}


def unmapped(view: View) -> Response:
    """Every code that waits for a mapping, with members it could stand for."""
    found, following = suggesting.unmapped(view.instance, view.query.get("after", ""))
    for one in found:
        query = {"dimension": one["dimension"], "source": one["code"]}
        one["address"] = f"/mappings/new?{urlencode(query)}"
    return view.page(
        "unmapped.html", section="mappings", title="Codes without a mapping", found=found,
        waiting=suggesting.waiting(view.instance), counted_max=suggesting.CODES_COUNTED_MAX,
        following=urlencode({"after": following}) if following else "",
        command=("tieout map suggest",),
    )  # fmt: skip


# ---------------------------------------------------------------------------- one mapping


def _mapping(view: View) -> Asking:
    """The page that maps one code: members that are like it, and a search of the list."""
    asked = {**view.query, **{k: view.field(k) for k in ("dimension", "source") if view.field(k)}}
    dimension, source = asked.get("dimension", ""), asked.get("source", "")
    if dimension not in dict(DIMENSIONS):
        dimension = DIMENSIONS[0][0]
    words = view.query.get("q", "") or view.field("q")
    one = suggesting.suggestion(view.instance, dimension, source) if source else None
    like = [one] if one else []
    searched = suggesting.members(view.instance, dimension, words) if words else None
    held = [m for m in setting_up.mappings(view.instance)
            if (m["dimension"], m["source"]) == (dimension, source)]  # fmt: skip
    word = dimension.replace("_", " ")
    effect = []
    if like and like[0]["amount"] is not None:
        waits = money(like[0]["amount"], like[0]["currency"])
        effect = [f"{waits} in {counted(like[0]['cells'], 'cell')} wait for it."]
    fields = [
        Field("target", "Anaplan member", missing="Choose the member that it stands for."),
        Field("since", "From fiscal period", value=asked.get("since", ""),
              hint="Such as 2025-04; empty: always."),
        WHY,
    ]  # fmt: skip
    if not source:
        fields.insert(0, Field(
            "source", "JD Edwards code", missing="Write the code that is mapped.",
            hint="A code; 4000..4999 for a range; 41* for a pattern; * for all that no other takes",
        ))  # fmt: skip
    return Asking(
        "mappings", f"Map {word} {source}" if source else "Map a code", "Set the mapping",
        "/mappings/unmapped" if like else "/mappings", effect=effect, fields=fields,
        hidden=[("dimension", dimension), *([("source", source)] if source else [])],
        command=(f"tieout map {word.replace(' ', '-')} {source or 'CODE'} MEMBER --why …",),
        template="mapping_new.html", blamed="target",
        more={
            "like": like[0]["members"] if like else [], "name": like[0]["name"] if like else "",
            "searched": searched, "words": words, "dimension": dimension, "source": source,
            "held": held, "dimensions": DIMENSIONS, "word": word,
        },
    )  # fmt: skip


def ask_mapping(view: View) -> Response:
    """Which member a code stands for, and why."""
    return ask(view, _mapping(view))


def set_mapping(view: View) -> Response:
    """Set it, under the next version of the table."""
    target = view.field("target")
    if target == OTHER:
        target = view.field("typed").strip()

    def carry_out() -> str:
        if not target:
            raise Misconfigured("No member was written.", untouched="Nothing was mapped.")
        setting_up.set_mapping(
            view.instance, view.field("dimension"), view.field("source"), target,
            view.field("why"), view.field("since").strip(),
        )  # fmt: skip
        return "/rejects" if suggesting.waiting(view.instance) else "/mappings"

    return act(view, _mapping(view), carry_out)


def code(view: View) -> Response:
    """Every mapping that one code ever had, and which of them holds."""
    if "source" not in view.query:
        return RedirectResponse("/mappings", 303)
    dimension, source = _named(view)
    history = setting_up.mapping_history(view.instance, dimension, source)
    if not history:
        raise Misconfigured(f"{source} of {dimension.replace('_', ' ')} was never mapped.")
    holding = [m for m in setting_up.mappings(view.instance)
               if (m["dimension"], m["source"]) == (dimension, source)]  # fmt: skip
    word = dimension.replace("_", " ")
    return view.page(
        "mapping_code.html", section="mappings", title=f"{word} {source}", word=word,
        source=source, history=history[::-1], holding=holding,
        query=urlencode({"dimension": dimension, "source": source}),
        command=(f"tieout map {word.replace(' ', '-')} {source}",),
    )  # fmt: skip


def _named(view: View) -> tuple[str, str]:
    """Dimension and code, of the form or the address."""
    dimension, source = (view.field(n) or view.query.get(n, "") for n in ("dimension", "source"))
    if dimension not in setting_up.DIMENSIONS:
        raise Misconfigured(f"{dimension[:30]!r} is no dimension.")
    return dimension, source


def _withdrawal(view: View) -> Asking:
    dimension, source = _named(view)
    since = view.field("since") or view.query.get("since", "")
    held = [
        m
        for m in setting_up.mappings(view.instance)
        if (m["dimension"], m["source"], m["effective_from"]) == (dimension, source, since)
    ]
    if not held:
        raise Misconfigured(f"{source} has no mapping that could be withdrawn.")
    word = dimension.replace("_", " ")
    return Asking(
        "mappings", f"Withdraw the mapping of {word} {source}", "Withdraw it",
        f"/mappings/code?{urlencode({'dimension': dimension, 'source': source})}",
        effect=(
            f"{source} stands for itself again, instead of {held[0]['target']}. What was loaded "
            "moves with the next run.",
        ),
        hidden=[("dimension", dimension), ("source", source), ("since", since)], danger=True,
        command=(f"tieout map {word.replace(' ', '-')} {source} --withdraw --why …",),
    )  # fmt: skip


def ask_withdraw(view: View) -> Response:
    """What withdrawing a mapping means, and the reason."""
    if "source" not in view.query:
        return RedirectResponse("/mappings", 303)
    return ask(view, _withdrawal(view))


def withdraw(view: View) -> Response:
    """Let a code stand for itself again."""
    dimension, source = _named(view)

    def carry_out() -> str:
        setting_up.set_mapping(
            view.instance, dimension, source, None, view.field("why"), view.field("since")
        )
        return f"/mappings/code?{urlencode({'dimension': dimension, 'source': source})}"

    return act(view, _withdrawal(view), carry_out)


# ---------------------------------------------------------------------------- a spreadsheet


def table_as_csv(view: View) -> Response:
    """The table of mappings to be edited and brought back."""
    return _handed_out(mapping.exported(view.instance).encode(), "csv")


def table_as_workbook(view: View) -> Response:
    """The same as a workbook of text cells: 00001 stays 00001."""
    return _handed_out(mapping_book.written(mapping.rows_exported(view.instance)), EXCEL[0])


def _handed_out(content: bytes, form: str) -> Response:
    headers = {"Content-Disposition": disposition(f"mappings.{form}")}
    return Response(content, headers=headers, media_type=FORMS[form])


def _bringing(view: View, **more: Any) -> Asking:
    return Asking(
        "mappings", "Bring a table of mappings back", "Show what would change", "/mappings",
        effect=(
            "Nothing is set before you have seen what would change. What the file does not name "
            "stays; a row without target withdraws its mapping.",
        ),
        fields=(
            Field("file", "Excel or CSV file", "file", hint="At most 5 MB.", missing="needed"),
            Field("why", "Why", "area", hint="For rows that give no reason of their own.",
                  missing="Say why."),
        ),
        command=("tieout map --import FILE --preview",), template="mapping_table.html",
        more={"found": None, "text": "", "sentence": "", "shown_max": CHANGES_SHOWN_MAX, **more},
    )  # fmt: skip


def ask_table(view: View) -> Response:
    """Which file, and why."""
    return ask(view, _bringing(view))


def table(view: View) -> Response:
    """What a file would change; with `confirmed` it is set."""
    confirmed = view.field("confirmed") == "yes"
    try:
        why = view.field("why")
        text = view.field("text") if confirmed else _uploaded(view)
        if not why.strip():
            return ask(view, _bringing(view), {"why": "Say why."})
        found = mapping.imported(view.instance, text, why, preview=not confirmed)
    except Trouble as trouble:
        return ask(view, _bringing(view), {"file": told(trouble)}, refused_status(trouble))
    if confirmed:
        return RedirectResponse("/mappings", 303)
    return ask(view, _bringing(
        view, found=found, text=text, sentence=mapping.sentence(found),
    ))  # fmt: skip


def _uploaded(view: View) -> str:
    """The file that was sent, as CSV text."""
    sent = view.form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise Misconfigured("No file was chosen.", untouched="Nothing was mapped.")
    content = sent.file.read(TABLE_BYTES_MAX + 1)
    if len(content) > TABLE_BYTES_MAX:
        raise Misconfigured("The file is larger than 5 MB.", untouched="Nothing was mapped.")
    if sent.filename.lower().endswith(mapping_book.WORKBOOK):
        return mapping_book.as_csv(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Misconfigured(
            "The file is no UTF-8 text.", untouched="Nothing was mapped.",
            do="Save it as .xlsx, or as CSV in UTF-8.",
        ) from None  # fmt: skip
