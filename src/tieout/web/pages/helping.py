"""Help: the words of both systems, what findings mean, how to go on."""

from __future__ import annotations

from starlette.responses import Response

from tieout.core.findings import RULES
from tieout.web.glossary import GLOSSARY
from tieout.web.view import View

WORD_CHARACTERS_MAX = 60


def help_page(view: View) -> Response:
    """The glossary and the findings, those that hold a word first asked for."""
    word = view.query.get("word", "").strip()[:WORD_CHARACTERS_MAX]

    def agrees(*texts: str) -> bool:
        return any(word.casefold() in text.casefold() for text in texts)

    return view.page(
        "help.html", section="", title="Help", word=word,
        glossary=[w for w in GLOSSARY if agrees(*w)],
        rules=[(rule, meaning) for rule, meaning in RULES.items() if agrees(rule, meaning)],
        command=("tieout --help",),
    )  # fmt: skip
