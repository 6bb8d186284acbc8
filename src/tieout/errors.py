"""What can go wrong outside our own code, by what a person should do next.

Trouble
├── Refused        the peer, the configuration or this machine said no: a person must act
│   ├── Misconfigured   the project file or an option is wrong
│   ├── NotAllowed      who acts may not do this, or nobody is signed in
│   ├── KeyTrouble      the key that opens the credentials is missing or another one
│   └── Busy            somebody else holds what we need
├── Unavailable    safe to try again later; our own tries are used up
└── Uncertain      a write may have happened: look, never send it again blindly

Wrong *data* is not an exception but a `core.findings.Finding`.
"""

from __future__ import annotations

from dataclasses import dataclass


class Trouble(Exception):
    """One clear sentence for the person who reads it, and what belongs to it.

    `what` happened; `untouched` says what was not changed; `do` is the next step; `who` can do it;
    `evidence` keeps the peer's own words, already free of secrets; `code` names the cause where a
    program may ask for it, and never changes.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, untouched: str = "", do: str = "", who: str = "", evidence: str = "",
        code: str = "",
    ) -> None:  # fmt: skip
        super().__init__(what)
        self.what, self.untouched, self.do, self.who = what, untouched, do, who
        self.evidence, self.code = evidence, code

    def sentence(self) -> str:
        """The whole message: what happened, what was not touched, what to do, who can do it."""
        who = f"Who can do it: {self.who}." if self.who else ""
        parts = [self.what, self.untouched, self.do, who]
        return " ".join(p for p in parts if p)

    def __reduce__(self) -> tuple[object, ...]:
        fields = {
            "untouched": self.untouched, "do": self.do, "who": self.who, "evidence": self.evidence,
            "code": self.code,
        }  # fmt: skip
        return (_rebuild, (type(self), self.what, fields))


def _rebuild(kind: type[Trouble], what: str, fields: dict[str, str]) -> Trouble:
    return kind(what, **fields)


class Refused(Trouble):
    """The peer said no."""

    exit_code = 4


class Misconfigured(Refused):
    """The project file or an option is wrong, or names what the peer or this instance lacks."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Denied:
    """Who was not allowed what, on what: an entry of the trail."""

    actor: str
    act: str
    on: str


class NotAllowed(Refused):
    """Who acts may not do this, or nobody is signed in; `denied` when it is known who."""

    def __init__(self, what: str, *, denied: Denied | None = None, **told: str) -> None:
        super().__init__(what, **told)
        self.denied = denied


class KeyTrouble(Refused):
    """The key that opens the stored credentials is missing or is not the one that sealed them."""

    exit_code = 9


class Busy(Refused):
    """Another run, process or person holds what this needs."""

    exit_code = 8


class Unavailable(Trouble):
    """The peer could not be reached or could not answer; nothing was changed there."""

    exit_code = 4


class Uncertain(Trouble):
    """The request may have been carried out, and no answer says whether it was."""

    exit_code = 10
