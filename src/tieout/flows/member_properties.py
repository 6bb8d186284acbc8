"""What was sent of members beside code, name and parent, compared with the list's properties."""

from __future__ import annotations

import polars as pl

from tieout.anaplan.names import Named
from tieout.anaplan.properties import property_column
from tieout.core.findings import Finding, Severity, counted
from tieout.flows.world import World
from tieout.project import LoadMembers

PARENT, NAME, CODE = "parent", "description", "code"
AS_SENT = ("TEXT", "BOOLEAN", "NUMBER")  # formats whose values are shown as they were sent
NAMES_SHOWN_MAX = 3


def sent_properties(flow: LoadMembers) -> dict[str, str]:
    """Header → attribute of the columns that are neither code nor parent.

    The import of a list maps them to properties; which ones the API does not tell, so a property is
    known by the name of its column.
    """
    return {
        header: attribute for header, attribute in flow.columns.items()
        if attribute != CODE and header.casefold() != PARENT
    }  # fmt: skip


def otherwise_said(world: World[LoadMembers], found: Named, both: pl.DataFrame) -> list[Finding]:
    """A reject per property that Anaplan shows otherwise, and a note of what cannot be compared.

    `both`: members beside their items. Formats are asked for only when something differs: a list
    as a format shows the names of its items, where codes were sent.
    """
    sent = sent_properties(world.flow)
    there = [header for header in sent if property_column(header) in both.columns]
    apart = {
        header: some for header in there
        if (some := both.filter(_apart(both, header, sent[header]))).height
    }  # fmt: skip
    formats = world.anaplan.property_formats(found.id) if apart else {}
    odd = [h for h in apart if formats.get(h, "").upper() not in AS_SENT]
    unknown = [h for h, attribute in sent.items() if h not in there and attribute != NAME]
    findings = [
        _differs(found.name, header, sent[header], some)
        for header, some in apart.items() if header not in odd
    ]  # fmt: skip
    return findings + ([_not_compared(found.name, unknown + odd)] if unknown + odd else [])


def _apart(both: pl.DataFrame, header: str, attribute: str) -> pl.Expr:
    """Whether a property is shown otherwise than it was sent."""
    shown = pl.col(property_column(header)).str.strip_chars()
    if both.schema[attribute] == pl.Boolean:
        return (shown.str.to_lowercase() == "true") != pl.col(attribute)
    return shown != pl.col(attribute).cast(pl.String).fill_null("").str.strip_chars()


def _differs(list_name: str, header: str, attribute: str, some: pl.DataFrame) -> Finding:
    code, said, shown = some.select(
        "code", pl.col(attribute).cast(pl.String), property_column(header)
    ).row(0)  # fmt: skip
    return Finding(
        "property-differs", Severity.REJECT, f"{header} of list {list_name}",
        f"{counted(some.height, 'member')} with another {header} in Anaplan than was sent, such as "
        f"{shown!r} for {said!r} of {code}.",
        f"Look at how the import maps the column {header} and at the format of the property; or "
        "leave the column out of `columns`.", cells=some.height,
    )  # fmt: skip


def _not_compared(list_name: str, headers: list[str]) -> Finding:
    shown = ", ".join(headers[:NAMES_SHOWN_MAX]) + ("…" if len(headers) > NAMES_SHOWN_MAX else "")
    return Finding(
        "property-not-compared", Severity.NOTE, f"list {list_name}",
        f"The list has no property of text, numbers or yes and no that is called {shown}: what the "
        "import made of such columns is not compared.",
        "Call the columns as the properties are called, if they shall be proved too.",
        cells=len(headers),
    )  # fmt: skip
