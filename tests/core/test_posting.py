"""A journal is sent once, again only after proof that it did not arrive; else a person acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from random import Random

import pytest

from tieout.core import posting as core
from tieout.core.posting import Act, Answer, Decision, Patience, Posting, Shown, Sight, State

MINUTE = timedelta(minutes=1)
PATIENCE = Patience()
NOTHING = Shown(Sight.NOTHING)
ANSWERS = [answer for answer in Answer if answer is not Answer.NOT_SENT]


def look(known: Posting, sight: Sight = Sight.NOTHING, after: int = 0, **shown: object) -> Decision:
    """One look, so many minutes after the last."""
    return core.decide(known, Shown(sight, **shown), after * MINUTE, PATIENCE)


def uncertain(answer: Answer = Answer.UNCLEAR, *, numbered: bool = True) -> Posting:
    """A journal whose only send ended so."""
    return core.answered(core.sent(look(Posting(numbered=numbered))), answer)


def proved_absent(known: Posting) -> Decision:
    """After four looks over a whole quiet period that find nothing."""
    for _ in range(3):
        decision = look(known, after=8)
        assert (decision.act, decision.posting.state) == (Act.LOOK, State.UNCERTAIN)
        known = decision.posting
    return look(known, after=8)


# ------------------------------------------------------------------------ sending


def test_nothing_is_sent_before_jde_was_looked_at() -> None:
    assert look(Posting()).act is Act.SEND
    assert look(Posting(), Sight.WHOLE).posting.state is State.CREATED
    with pytest.raises(ValueError, match="may not be sent"):
        core.sent(look(Posting(), Sight.WHOLE))


def test_a_number_that_somebody_else_holds_stops_the_journal() -> None:
    decision = look(Posting(), Sight.FOREIGN)
    assert (decision.act, decision.reason) == (Act.ASK, core.CLASH)
    assert decision.posting.state is State.RESERVED


@pytest.mark.parametrize("answer", ANSWERS)
def test_any_answer_but_a_proof_of_not_sent_is_uncertain(answer: Answer) -> None:
    assert uncertain(answer).state is State.UNCERTAIN


def test_what_provably_never_left_may_be_sent_as_if_for_the_first_time() -> None:
    sending = core.sent(look(Posting(numbered=False)))
    back = core.answered(sending, Answer.NOT_SENT)
    assert (back.state, back.sends) == (State.RESERVED, 0)
    assert look(back).act is Act.SEND


def test_only_the_process_that_sends_may_say_how_it_ended() -> None:
    sending = core.sent(look(Posting()))
    for sight in Sight:
        assert look(sending, sight, after=600).posting == sending
    assert core.abandoned(sending).state is State.UNCERTAIN
    assert core.abandoned(Posting()) == Posting()
    with pytest.raises(ValueError, match="nothing was being sent"):
        core.answered(Posting(), Answer.UNCLEAR)


# ------------------------------------------------------------------------ absence


def test_absence_takes_the_whole_quiet_period_and_four_looks() -> None:
    decision = proved_absent(uncertain())
    assert (decision.act, decision.posting.state) == (Act.SEND, State.ABSENT)


def test_one_look_after_an_hour_proves_nothing() -> None:
    decision = look(uncertain(), after=60)
    assert (decision.act, decision.posting.state) == (Act.LOOK, State.UNCERTAIN)


def test_a_hundred_looks_in_a_minute_prove_nothing() -> None:
    known = uncertain()
    for _ in range(100):
        known = core.decide(known, NOTHING, timedelta(milliseconds=600), PATIENCE).posting
    assert (known.state, known.looks) == (State.UNCERTAIN, 0)


def test_looks_come_soon_at_first_and_end_with_the_quiet_period() -> None:
    known, waits = uncertain(), []
    while known.state is State.UNCERTAIN:
        wait = waits[-1] if waits else timedelta()
        decision = core.decide(known, NOTHING, wait, PATIENCE)
        known = decision.posting
        waits.append(decision.wait)
    assert waits[0] == timedelta(seconds=2)
    assert sum(waits[:-1], timedelta()) <= PATIENCE.quiet + timedelta(seconds=4)
    assert len(waits) < 40


@pytest.mark.parametrize(
    ("answer", "numbered"), [(Answer.UNCLEAR, False), (Answer.QUEUED, True), (Answer.QUEUED, False)]
)
def test_without_numbers_or_with_a_queue_a_named_person_releases_it(
    answer: Answer, numbered: bool
) -> None:
    decision = proved_absent(uncertain(answer, numbered=numbered))
    assert (decision.act, decision.reason) == (Act.ASK, core.NEEDS_RELEASE)
    released = core.release(decision.posting)
    assert look(released).act is Act.SEND
    assert look(released, Sight.WHOLE).posting.state is State.CREATED


def test_a_release_holds_for_one_send() -> None:
    decision = proved_absent(uncertain(Answer.QUEUED))
    again = core.sent(look(core.release(decision.posting)))
    never_left = core.answered(again, Answer.NOT_SENT)
    assert look(never_left).act is Act.SEND
    assert proved_absent(core.answered(again, Answer.UNCLEAR)).act is Act.ASK


def test_what_jde_refused_is_not_sent_again_by_itself() -> None:
    decision = proved_absent(uncertain(Answer.REFUSED))
    assert (decision.act, decision.posting.state) == (Act.ASK, State.REFUSED)
    assert look(core.release(decision.posting)).act is Act.SEND


def test_it_goes_again_by_itself_once() -> None:
    again = core.answered(core.sent(proved_absent(uncertain())), Answer.UNCLEAR)
    assert (again.sends, again.looks) == (2, 0)
    assert proved_absent(again).act is Act.ASK


@pytest.mark.parametrize("state", [s for s in State if s not in (State.ABSENT, State.REFUSED)])
def test_nobody_can_release_what_is_not_proved_absent(state: State) -> None:
    with pytest.raises(ValueError, match="not proved absent"):
        core.release(Posting(state))


# ------------------------------------------------------------------------ what JD Edwards shows


def test_rows_in_the_z_file_are_not_absent_and_ask_a_person_in_the_end() -> None:
    decision = look(uncertain(), Sight.WAITING, after=20)
    assert (decision.act, decision.posting.state) == (Act.LOOK, State.UNCERTAIN)
    assert look(decision.posting, Sight.WHOLE).posting.state is State.CREATED
    late = look(decision.posting, Sight.WAITING, after=20)
    assert (late.act, late.reason) == (Act.ASK, core.WAITS_IN_Z)
    left = look(late.posting, after=1)
    assert (left.act, left.posting.state) == (Act.LOOK, State.UNCERTAIN)  # moving to F0911
    assert look(left.posting, after=31).posting.state is State.DELETED


def test_some_lines_may_still_grow_and_are_never_topped_up() -> None:
    """Trap 13: three of ten lines."""
    decision = look(uncertain(), Sight.PART, after=1)
    assert (decision.act, decision.posting.state) == (Act.LOOK, State.PARTIAL)
    assert look(decision.posting, Sight.WHOLE, after=1).posting.state is State.CREATED
    late = look(decision.posting, Sight.PART, after=30)
    assert (late.act, late.posting.state) == (Act.ASK, State.PARTIAL)
    assert look(late.posting, after=60).posting.state is State.DELETED


def test_rows_that_could_come_in_twice_ask_a_person_in_the_end() -> None:
    """R09110Z may just be at it; or somebody reset its rows."""
    decision = look(uncertain(), Sight.BOTH, after=1)
    assert (decision.act, decision.posting.state) == (Act.LOOK, State.PARTIAL)
    assert look(decision.posting, Sight.WHOLE, after=1).posting.state is State.CREATED
    assert look(decision.posting, Sight.BOTH, after=30).reason == core.TWICE
    created = look(uncertain(), Sight.WHOLE).posting
    late = look(created, Sight.BOTH)
    assert (late.act, late.reason, late.posting.state) == (Act.ASK, core.TWICE, State.DRIFTED)


@pytest.mark.parametrize(
    ("shown", "state", "act"),
    [
        ({"status": ""}, State.CREATED, Act.LOOK),
        ({"status": "A"}, State.READY, Act.LOOK),
        ({"status": "U"}, State.READY, Act.LOOK),
        ({"status": "E"}, State.CREATED, Act.ASK),
        ({"status": "?"}, State.CREATED, Act.ASK),
        ({"status": "D"}, State.READY, Act.LOOK),  # the lines are not all posted
        ({"status": "D", "posted": True}, State.POSTED, Act.LOOK),
        ({"status": "D", "posted": True, "moved": False}, State.POSTED, Act.LOOK),
        ({"status": "D", "posted": True, "moved": True}, State.VERIFIED, Act.REST),
        ({"status": "D", "posted": True, "voided": True}, State.VOIDED, Act.ASK),
    ],
)
def test_a_journal_that_arrived_is_followed_to_its_post(
    shown: dict[str, object], state: State, act: Act
) -> None:
    decision = look(uncertain(), Sight.WHOLE, **shown)
    assert (decision.posting.state, decision.act) == (state, act)


def test_a_post_that_dies_or_moves_no_balance_asks_a_person() -> None:
    dead = look(uncertain(), Sight.WHOLE, status="U").posting
    assert look(dead, Sight.WHOLE, after=30, status="U").reason == core.HALF_POSTED
    still = look(uncertain(), Sight.WHOLE, status="D", posted=True, moved=False).posting
    decision = look(still, Sight.WHOLE, after=30, status="D", posted=True, moved=False)
    assert (decision.act, decision.reason) == (Act.ASK, core.NOT_MOVED)


VERIFIED = look(uncertain(), Sight.WHOLE, status="D", posted=True, moved=True).posting


@pytest.mark.parametrize(
    ("sight", "shown", "state"),
    [
        (Sight.WHOLE, {"status": "", "posted": True}, State.DRIFTED),
        (Sight.OTHER, {"status": "D", "posted": True}, State.DRIFTED),
        (Sight.PART, {"status": "D", "posted": True}, State.DRIFTED),
        (Sight.FOREIGN, {"status": "D", "posted": True}, State.DRIFTED),
        (Sight.WHOLE, {"status": "D", "posted": True, "voided": True}, State.VOIDED),
        (Sight.NOTHING, {}, State.DELETED),
    ],
)
def test_what_people_change_afterwards_is_reported(
    sight: Sight, shown: dict[str, object], state: State
) -> None:
    decision = look(VERIFIED, sight, **shown)
    assert (decision.act, decision.posting.state) == (Act.ASK, state)


def test_a_journal_found_twice_goes_to_a_person_at_once() -> None:
    decision = look(uncertain(), Sight.OTHER)
    assert (decision.act, decision.posting.state) == (Act.ASK, State.DRIFTED)


def test_verified_stays_verified_when_the_balance_moves_on() -> None:
    later = look(VERIFIED, Sight.WHOLE, status="D", posted=True, moved=False)
    assert (later.act, later.posting.state) == (Act.REST, State.VERIFIED)


SHOWN = [
    Shown(sight, status, posted, voided, moved)
    for sight, status, posted, voided, moved in product(
        Sight, ["", "A", "D", "U", "E", "?"], [True, False], [True, False], [True, False, None]
    )
]


@pytest.mark.parametrize("state", State)
def test_whatever_jde_shows_there_is_one_next_step_and_a_person_gets_a_reason(
    state: State,
) -> None:
    flags = list(product([True, False], repeat=4))
    for shown, (numbered, queued, seen, said_no), sends in product(SHOWN, flags, [0, 1, 2]):
        known = Posting(state, numbered, queued, said_no, seen=seen, sends=sends)
        decision = core.decide(known, shown, MINUTE, PATIENCE)
        assert decision.reason
        assert (decision.act is Act.LOOK) == (decision.wait > timedelta())
        if decision.act is Act.SEND:
            assert shown.sight is Sight.NOTHING
            assert not seen
            assert (state, sends) == (State.RESERVED, 0) or state is State.ABSENT


# ------------------------------------------------------------------------ whole histories


@dataclass
class History:
    """A journal, a JD Edwards that commits when it likes or never, and what can be checked."""

    known: Posting
    now: timedelta = timedelta()
    commits: list[timedelta] = field(default_factory=list)
    sends: list[timedelta] = field(default_factory=list)
    nothing: list[timedelta] = field(default_factory=list)  # looks that found nothing
    ended: timedelta = timedelta()  # when the last call that left ended
    last: Decision | None = None

    def documents(self) -> int:
        return sum(at <= self.now for at in self.commits)

    def look(self, passed: timedelta, seen_to_pass: timedelta) -> Decision:
        """One look after `passed`; a sender that is still named died before it."""
        self.now += passed
        documents = self.documents()
        shown = Shown(Sight.WHOLE if documents == 1 else Sight.OTHER, "D", True, moved=True)
        if documents == 0:
            self.nothing.append(self.now)
            shown = NOTHING
        known = core.abandoned(self.known)
        self.last = core.decide(known, shown, seen_to_pass, PATIENCE)
        self.known = self.last.posting
        return self.last

    def send(self, decision: Decision, dice: Random, late: timedelta) -> None:
        """Send as the decision allows, and check that it was allowed with reason."""
        if self.sends:
            proof = [at for at in self.nothing if at >= self.ended]
            assert self.now - self.ended >= PATIENCE.quiet, "sent before the quiet period was over"
            assert len(proof) >= PATIENCE.looks, "sent after too few looks"
            assert self.documents() == 0
        self.known = core.sent(decision)
        answer = dice.choice(list(Answer))
        left = answer is not Answer.NOT_SENT
        if left:
            self.sends.append(self.now)
        if left and dice.random() < 0.6:
            self.commits.append(self.now + dice.random() * late)
        self.now += MINUTE
        self.ended = self.now if left else self.ended
        if dice.random() < 0.8:  # else the process is killed before it can say so
            self.known = core.answered(self.known, answer)


def lived(dice: Random, *, numbered: bool, late: timedelta, people: bool) -> History:
    """Sixty looks in any rhythm, with restarts, and with releases when there are `people`."""
    history = History(Posting(numbered=numbered))
    for _ in range(60):
        wait = history.last.wait if history.last else timedelta()
        kind = dice.random()
        if kind < 0.1:  # nobody watched for hours
            decision = history.look(dice.random() * 600 * MINUTE, timedelta())
        elif kind < 0.3:  # too soon
            decision = history.look(wait / 3, wait / 3)
        else:
            decision = history.look(wait, wait)
        if decision.act is Act.SEND:
            history.send(decision, dice, late)
        elif people and history.known.state in (State.ABSENT, State.REFUSED):
            history.known = core.release(history.known)
    return history


def test_no_history_sends_twice_without_proof_of_absence(dice: Random) -> None:
    """Commits come up to two hours late, processes die, people release what they like."""
    again = twice = 0
    for number in range(2_000):
        numbered = number % 2 == 0
        history = lived(dice, numbered=numbered, late=120 * MINUTE, people=number % 3 == 0)
        again += len(history.sends) > 1
        twice += history.documents() > 1
    print(f"{again} of 2000 histories sent again, {twice} ended with two documents: they commit "
          "later than the quiet period")  # fmt: skip
    assert again > 200


def test_what_commits_within_the_quiet_period_is_in_the_ledger_at_most_once(dice: Random) -> None:
    """And a history that JD Edwards shows clearly finishes without a person."""
    asked = 0
    for _ in range(2_000):
        history = lived(dice, numbered=True, late=PATIENCE.quiet, people=False)
        assert history.documents() <= 1
        assert len(history.sends) <= 2
        if history.documents() == 1 and history.last is not None:
            assert history.known.state in (State.VERIFIED, State.UNCERTAIN, State.SENDING)
        asked += history.last is not None and history.last.act is Act.ASK
        if history.last is not None and history.last.act is Act.ASK:
            assert history.documents() == 0
    print(f"{asked} of 2000 histories wait for a person")
    assert 0 < asked < 1_500


def test_a_journal_without_reserved_numbers_is_sent_once_and_then_only_by_a_person(
    dice: Random,
) -> None:
    for _ in range(500):
        history = lived(dice, numbered=False, late=120 * MINUTE, people=False)
        assert len(history.sends) <= 1
