"""The menu: nine words, and under a line two more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """One word of the menu; `page` is its name in `view.page(section=…)`."""

    page: str
    word: str
    address: str
    icon: str
    apart: bool = False  # under the line


SECTIONS = (
    Section("home", "Home", "/", "home"),
    Section("flows", "Flows", "/flows", "arrows-exchange"),
    Section("runs", "Runs", "/runs", "player-play"),
    Section("rejects", "Rejects", "/rejects", "list-check"),
    Section("approvals", "Approvals", "/approvals", "checkbox"),
    Section("tie-out", "Tie-out", "/tie-outs", "scale"),
    Section("mappings", "Mappings", "/mappings", "map-2"),
    Section("calendar", "Calendar", "/calendar", "calendar"),
    Section("connections", "Connections", "/connections", "plug"),
    Section("audit", "Audit", "/audit", "history", apart=True),
    Section("settings", "Settings", "/settings", "settings", apart=True),
)
