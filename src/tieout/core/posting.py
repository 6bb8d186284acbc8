"""What becomes of a journal: from what we know and what JD Edwards shows, to what may be done next.

Nothing is sent because an answer is missing. Any answer but a proof that nothing left this machine
makes a journal uncertain; only reading JD Edwards settles it, and only a whole quiet period of
looks that find nothing says that it is absent (guide/reliability.md §2.5).

Time is what a living process has seen pass since its last look (a monotonic clock; nothing after a
restart), so neither a clock that jumps nor a pause can shorten the quiet period.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

NO_TIME = timedelta()
FIRST_LOOK_AFTER = timedelta(seconds=2)


class State(StrEnum):
    """What we know of one journal."""

    RESERVED = "reserved"  # its keys and numbers are stored; it never left
    SENDING = "sending"  # stored before the call; only the process that calls may say how it ended
    UNCERTAIN = "uncertain"  # it may have arrived
    ABSENT = "absent"  # proved: it did not arrive
    CREATED = "created"  # whole in F0911, its batch waits for approval
    READY = "ready"  # its batch is approved, or being posted
    POSTED = "posted"  # batch and lines are posted
    VERIFIED = "verified"  # and F0902 moved by exactly its lines
    PARTIAL = "partial"  # JD Edwards shows some of its lines
    REFUSED = "refused"  # JD Edwards said no, and it is proved absent
    DELETED = "deleted"  # JD Edwards showed it and shows it no longer
    VOIDED = "voided"  # somebody voided it
    DRIFTED = "drifted"  # JD Edwards shows it otherwise than it was approved


class Act(StrEnum):
    """What may be done next."""

    SEND = "send"
    LOOK = "look"  # again, after `wait`
    ASK = "ask"  # a named person, with the reason
    REST = "rest"  # nothing; it has reached its end


class Answer(StrEnum):
    """How a call that sends a journal ended, as far as it tells."""

    NOT_SENT = "not sent"  # proved: no connection, no TLS, sign-in refused
    ACCEPTED = "accepted"
    QUEUED = "queued"  # 202, or a queue that works it off later
    REFUSED = "refused"  # JD Edwards' words say no
    UNCLEAR = "unclear"  # cut, timed out, empty, an error status


class Sight(StrEnum):
    """What JD Edwards shows under a journal's keys and numbers."""

    NOTHING = "nothing"
    WAITING = "waiting"  # whole in F0911Z1, unprocessed, and nothing in F0911
    PART = "part"  # some of its lines
    BOTH = "both"  # lines of it in F0911, and rows of it still unprocessed in F0911Z1
    WHOLE = "whole"  # exactly its lines in F0911
    OTHER = "other"  # more lines, other amounts, or twice
    FOREIGN = "foreign"  # somebody else's batch under our number


@dataclass(frozen=True, slots=True)
class Shown:
    """One look at JD Edwards. F0911Z1 is read before F0911: a line moves from there to here."""

    sight: Sight
    status: str = ""  # of its batch (F0011.IST)
    posted: bool = False  # all its lines are
    voided: bool = False
    moved: bool | None = None  # whether F0902 moved by exactly its lines; None: not known


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often nothing must be found before it is believed."""

    quiet: timedelta = timedelta(minutes=30)
    looks: int = 4
    follow: timedelta = timedelta(minutes=15)  # between looks at what people approve and post

    @property
    def spacing(self) -> timedelta:
        """How far apart looks must be to count."""
        return self.quiet / self.looks


@dataclass(frozen=True, slots=True)
class Posting:
    """What we know of one journal; stored whenever it changes."""

    state: State = State.RESERVED
    numbered: bool = False  # reserved batch and document numbers go along with it
    queued: bool = False  # a send of it was, or may have been, put into a queue
    said_no: bool = False  # the last answer
    released: bool = False  # a named person said that it may be sent again
    seen: bool = False  # JD Edwards has shown a line of it
    sends: int = 0  # how often it may have left
    watched: timedelta = NO_TIME  # seen to pass in this state
    counted: timedelta = NO_TIME  # `watched` at the last look that counts or showed a line
    looks: int = 0  # that count: they found nothing

    def to(self, state: State) -> Posting:
        """In another state, watched anew; in the same, unchanged."""
        if state is self.state:
            return self
        return replace(self, state=state, watched=NO_TIME, counted=NO_TIME, looks=0)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is known after a look, and what may be done."""

    posting: Posting
    act: Act
    reason: str
    wait: timedelta = NO_TIME


ARRIVED = (State.CREATED, State.READY, State.POSTED, State.VERIFIED, State.DRIFTED, State.VOIDED)
UNSEEN = (State.RESERVED, State.UNCERTAIN, State.ABSENT, State.REFUSED)
POSTED, APPROVED, PENDING, IN_USE, IN_ERROR = "D", "A", "", "U", "E"  # F0011.IST

CLASH = "a batch under its number is not ours; reserve new numbers, or find out whose it is"
WAITS_IN_Z = "it stands unprocessed in F0911Z1; have R09110Z run, or its rows deleted"
SOME_LINES = "JD Edwards shows only some of its lines; have the rest entered or these deleted"
TWICE = "rows of it are unprocessed in F0911Z1 while it is in F0911; they must not come in twice"
LINES_GONE = "lines of it are missing that JD Edwards showed before"
CHANGED = "JD Edwards shows more or other lines than were approved, or shows it twice"
GONE = "JD Edwards showed it and shows it no longer; somebody deleted it"
VOID = "somebody voided it"
REOPENED = "its batch was reopened after it was posted"
ERROR = "its batch is in error; see the batch in JD Edwards (P0011)"
HALF_POSTED = "its batch is neither posted nor released; the post may have died (R099102 in proof)"
NOT_MOVED = "it is posted and the balances of F0902 did not move by its lines"
UNKNOWN_STATUS = "its batch has a status that we do not know"
SAID_NO = "JD Edwards refused it; correct the cause before it is sent again"
PUT_BACK = "it may have been sent after the backup that was put back was made"
NEEDS_RELEASE = "it is proved absent; a named person must say that it may be sent again"


def decide(posting: Posting, shown: Shown, elapsed: timedelta, patience: Patience) -> Decision:
    """The next state after one look, `elapsed` after the last one of this process."""
    if posting.state is State.SENDING:
        return Decision(posting, Act.LOOK, "it is being sent", FIRST_LOOK_AFTER)
    now = replace(posting, watched=posting.watched + max(elapsed, NO_TIME))
    if shown.sight is Sight.FOREIGN:
        if now.state in ARRIVED:
            return Decision(now.to(State.DRIFTED), Act.ASK, CHANGED)
        return Decision(now, Act.ASK, CLASH)
    if shown.sight is Sight.NOTHING:
        return _nothing(now, patience)
    now = replace(now, seen=True)
    if shown.sight is Sight.WHOLE:
        return _arrived(now, shown, patience)
    if shown.sight is Sight.OTHER:
        return Decision(now.to(State.DRIFTED), Act.ASK, CHANGED)
    if now.state in ARRIVED:
        reason = TWICE if shown.sight is Sight.BOTH else LINES_GONE
        return Decision(now.to(State.DRIFTED), Act.ASK, reason)
    if shown.sight is Sight.WAITING:
        now = now.to(State.UNCERTAIN)
        return _until_quiet(replace(now, counted=now.watched), WAITS_IN_Z, patience)
    reason = TWICE if shown.sight is Sight.BOTH else SOME_LINES
    return _until_quiet(now.to(State.PARTIAL), reason, patience)


def _nothing(now: Posting, patience: Patience) -> Decision:
    """JD Edwards shows no line of it."""
    if now.seen or now.state not in UNSEEN:
        if now.state is State.UNCERTAIN and now.watched - now.counted < patience.quiet:
            return _again(now, "it left F0911Z1 and is not in F0911 yet", patience)
        return Decision(now.to(State.DELETED), Act.ASK, GONE)
    if now.state is State.RESERVED and now.sends == 0:
        return Decision(now, Act.SEND, "it never left, and JD Edwards does not know it")
    if now.state in (State.RESERVED, State.UNCERTAIN):
        now = now.to(State.UNCERTAIN)
        if now.watched - now.counted >= patience.spacing:
            now = replace(now, counted=now.watched, looks=now.looks + 1)
        if now.watched < patience.quiet or now.looks < patience.looks:
            return _again(now, "nothing is found yet", patience)
        now = now.to(State.REFUSED if now.said_no else State.ABSENT)
    if now.state is State.REFUSED:
        return Decision(now, Act.ASK, SAID_NO)
    if now.released:
        return Decision(now, Act.SEND, "a named person released it")
    if now.sends == 1 and now.numbered and not now.queued:
        return Decision(now, Act.SEND, "it is proved absent, and JD Edwards knows its numbers")
    return Decision(now, Act.ASK, NEEDS_RELEASE)


def _arrived(now: Posting, shown: Shown, patience: Patience) -> Decision:
    """Exactly its lines are in F0911; how far did people get with them?"""
    if shown.voided:
        return Decision(now.to(State.VOIDED), Act.ASK, VOID)
    if shown.posted and shown.status == POSTED:
        if shown.moved or now.state is State.VERIFIED:
            return Decision(now.to(State.VERIFIED), Act.REST, "posted and verified")
        now = now.to(State.POSTED)
        if shown.moved is None:
            return _again(now, "the balances are read next", patience)
        return _until_quiet(now, NOT_MOVED, patience)
    if now.state in (State.POSTED, State.VERIFIED, State.DRIFTED) and shown.posted:
        return Decision(now.to(State.DRIFTED), Act.ASK, REOPENED)
    if shown.status == IN_ERROR:
        return Decision(now.to(State.CREATED), Act.ASK, ERROR)
    if shown.status == PENDING and not shown.posted:
        waits = "it waits for approval in JD Edwards"
        return Decision(now.to(State.CREATED), Act.LOOK, waits, patience.follow)
    if shown.status == APPROVED:
        waits = "it is approved and waits for its post"
        return Decision(now.to(State.READY), Act.LOOK, waits, patience.follow)
    if shown.status in (IN_USE, POSTED, PENDING):
        return _until_quiet(now.to(State.READY), HALF_POSTED, patience)
    return Decision(now.to(State.CREATED), Act.ASK, UNKNOWN_STATUS)


def _until_quiet(now: Posting, reason: str, patience: Patience) -> Decision:
    """Look again while JD Edwards may still be at it; then ask."""
    if now.watched >= patience.quiet:
        return Decision(now, Act.ASK, reason)
    return _again(now, reason, patience)


def _again(now: Posting, reason: str, patience: Patience) -> Decision:
    """Soon at first, later at the pace at which looks count."""
    due = now.counted + patience.spacing - now.watched
    wait = max(FIRST_LOOK_AFTER, min(now.watched / 2, due if due > NO_TIME else patience.spacing))
    return Decision(now, Act.LOOK, reason, wait)


# ------------------------------------------------------------------------ what we do


def sent(decision: Decision) -> Posting:
    """To be stored before the call that the decision allowed: from now on it may have left."""
    if decision.act is not Act.SEND:
        raise ValueError(f"may not be sent: {decision.reason}")
    known = decision.posting.to(State.SENDING)
    return replace(known, sends=known.sends + 1, said_no=False)


def answered(posting: Posting, answer: Answer) -> Posting:
    """How the call ended, told by the process that made it."""
    if posting.state is not State.SENDING:
        raise ValueError(f"nothing was being sent: {posting.state}")
    if answer is Answer.NOT_SENT:
        before = State.RESERVED if posting.sends == 1 else State.ABSENT
        return replace(posting.to(before), sends=posting.sends - 1)
    return replace(
        posting.to(State.UNCERTAIN),
        queued=posting.queued or answer is Answer.QUEUED,
        said_no=answer is Answer.REFUSED,
        released=False,
    )


def abandoned(posting: Posting) -> Posting:
    """The process that was sending is gone for certain: how its call ended nobody can tell."""
    return answered(posting, Answer.UNCLEAR) if posting.state is State.SENDING else posting


def may_leave(posting: Posting) -> Posting:
    """In a copy of what we know: by the time the copy is used it may have been sent."""
    if posting.state is not State.RESERVED:
        raise ValueError(f"it is {posting.state}: it has left, or never will without a look")
    return replace(posting.to(State.UNCERTAIN), sends=posting.sends + 1, queued=True)


def release(posting: Posting) -> Posting:
    """A named person says that it may be sent again under the same keys.

    Only what is proved absent can be released; nobody can say so of what is uncertain.
    """
    if posting.state not in (State.ABSENT, State.REFUSED):
        raise ValueError(f"it is {posting.state}, not proved absent")
    return replace(posting.to(State.ABSENT), released=True, said_no=False)
