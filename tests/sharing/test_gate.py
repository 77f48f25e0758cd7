"""The gate's table, cell by cell, and that no combination of wishes lets more pass than the table (share.md §4)."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.sharing.audience import Audience, Recipient, audience_of
from alive_p2p.sharing.gate import Decision, Outcome, Part, Question, decide, default_key_form, key_form
from alive_p2p.walnut.key import Sensitivity

OPEN, PRIVATE, RESTRICTED = Sensitivity.OPEN, Sensitivity.PRIVATE, Sensitivity.RESTRICTED
PEERS, OTHERS, ANYBODY = Audience.PEERS, Audience.OTHERS, Audience.ANYBODY
PASSES = None


def _outcome(part: Part, audience: Audience, **more: object) -> Outcome | None:
    question = Question(audience, (("walnut", OPEN),), (part,), **more)  # type: ignore[arg-type]
    rulings = decide(question).rulings
    assert len(rulings) <= 1
    return rulings[0].outcome if rulings else None


@pytest.mark.parametrize(
    ("sensitivity", "forms"),
    [
        (OPEN, ("full", "full", "full")),
        (PRIVATE, ("full", "reduced", "reduced")),
        (RESTRICTED, ("reduced", "reduced", "reduced")),
    ],
)
def test_key_rows(sensitivity: Sensitivity, forms: tuple[str, str, str]) -> None:
    """`key.md`, by sensitivity, for paired peers, for others, and without a seal."""
    for audience, form in zip((PEERS, OTHERS, ANYBODY), forms, strict=True):
        assert default_key_form(sensitivity, audience) == form
        assert key_form(sensitivity, audience, "reduced", ()) == "reduced"


_ACK, _ASKS, _NO = Outcome.NEEDS_ACKNOWLEDGE, Outcome.ASKS, Outcome.REFUSED


@pytest.mark.parametrize("kind", ["bundle", "walnut"])
@pytest.mark.parametrize(
    ("sensitivity", "outcomes"),
    [
        (OPEN, (PASSES, PASSES, PASSES)),
        (PRIVATE, (PASSES, PASSES, _ASKS)),
        (RESTRICTED, (_ACK, _ACK, _NO)),
    ],
)
def test_rows_of_bundles_and_of_everything_else(
    kind: str, sensitivity: Sensitivity, outcomes: tuple[Outcome | None, ...]
) -> None:
    """The same three rows hold for a bundle and for the rest of a walnut."""
    part = Part(kind, "walnut" if kind == "walnut" else "b", sensitivity, "it says so")  # type: ignore[arg-type]
    for audience, outcome in zip((PEERS, OTHERS, ANYBODY), outcomes, strict=True):
        assert _outcome(part, audience) is outcome


@pytest.mark.parametrize("sensitivity", list(Sensitivity))
def test_row_of_personal_data(sensitivity: Sensitivity) -> None:
    """`pii` has to be acknowledged whatever the sensitivity, and never leaves without a seal."""
    part = Part("bundle", "b", sensitivity, "it says so", has_pii=True)
    assert [_outcome(part, audience) for audience in (PEERS, OTHERS, ANYBODY)] == [_ACK, _ACK, _NO]
    assert _outcome(part, PEERS, acknowledged=frozenset({"b"})) is Outcome.ACKNOWLEDGED
    assert _outcome(part, ANYBODY, acknowledged=frozenset({"b"})) is _NO


def test_a_restricted_key_is_whole_only_when_acknowledged() -> None:
    """`--key full` alone is refused, and the form stays reduced meanwhile."""
    for audience in Audience:
        question = Question(audience, (("walnut", RESTRICTED),), (), key_wish="full")
        assert [one.outcome for one in decide(question).rulings] == [_ACK]
        assert key_form(RESTRICTED, audience, "full", ()) == "reduced"
        decided = decide(replace(question, acknowledged=frozenset({"key"})))
        assert [one.outcome for one in decided.rulings] == [Outcome.ACKNOWLEDGED]
        assert key_form(RESTRICTED, audience, "full", {"key"}) == "full"


def test_a_private_key_that_is_whole_by_hand_is_on_record() -> None:
    """Where it would have been reduced; where it is whole anyway nothing is said."""
    question = Question(OTHERS, (("walnut", PRIVATE),), (), key_wish="full")
    assert [one.outcome for one in decide(question).overrides] == [Outcome.BY_HAND]
    assert decide(replace(question, audience=PEERS)).rulings == ()


@pytest.mark.parametrize(
    ("sensitivity", "outcomes"),
    [(OPEN, (PASSES, PASSES, PASSES)), (PRIVATE, (PASSES, _ACK, _NO)), (RESTRICTED, (_ACK, _ACK, _NO))],
)
def test_history_follows_the_key(sensitivity: Sensitivity, outcomes: tuple[Outcome | None, ...]) -> None:
    """Where the key would be reduced, the real history has to be acknowledged, and without a seal it is refused."""
    for audience, outcome in zip((PEERS, OTHERS, ANYBODY), outcomes, strict=True):
        rulings = decide(Question(audience, (("walnut", sensitivity),), (), full_history=True)).rulings
        assert [one.outcome for one in rulings] == ([outcome] if outcome else [])


def test_the_strictest_of_several_keys_decides() -> None:
    """A nested walnut's restricted key is not let out by an open walnut's."""
    question = Question(PEERS, (("walnut", OPEN), ("inner", RESTRICTED)), (), key_wish="full", full_history=True)
    assert {one.outcome for one in decide(question).rulings} == {_ACK}


def test_who_can_read() -> None:
    """One recipient nobody vouched for is enough; a passphrase names nobody; without a seal everybody can."""
    paired, imported = (Recipient("ben", "0" * 16, "rsa", is_paired=paired) for paired in (True, False))
    assert audience_of(is_sealed=True, recipients=[paired]) is PEERS
    assert audience_of(is_sealed=True, recipients=[paired, imported]) is OTHERS
    assert audience_of(is_sealed=True, recipients=[]) is OTHERS
    assert audience_of(is_sealed=False, recipients=[paired]) is ANYBODY


def test_names_that_need_no_acknowledgement_are_told() -> None:
    """A mistyped name is not taken for the right one."""
    part = Part("bundle", "outer/inner", RESTRICTED, "it says so")
    decided = decide(Question(PEERS, (("walnut", OPEN),), (part,), acknowledged=frozenset({"inner", "iner"})))
    assert [one.outcome for one in decided.rulings] == [Outcome.ACKNOWLEDGED]
    assert decided.unused == ("iner",)


_parts = st.builds(
    Part,
    kind=st.sampled_from(["bundle", "walnut"]),
    name=st.sampled_from(["a", "b", "a/c", "walnut"]),
    sensitivity=st.sampled_from(Sensitivity),
    reason=st.just("so"),
    has_pii=st.booleans(),
)
_questions = st.builds(
    Question,
    audience=st.sampled_from(Audience),
    keys=st.lists(st.tuples(st.just("walnut"), st.sampled_from(Sensitivity)), min_size=1, max_size=3).map(tuple),
    parts=st.lists(_parts, max_size=4, unique_by=lambda part: part.name).map(tuple),
    key_wish=st.sampled_from([None, "full", "reduced"]),
    full_history=st.booleans(),
    acknowledged=st.frozensets(st.sampled_from(["a", "b", "c", "key", "walnut", "history", "a/c"])),
)


def _strength(decision: Decision) -> dict[str, int]:
    order = [Outcome.BY_HAND, Outcome.ACKNOWLEDGED, Outcome.ASKS, Outcome.NEEDS_ACKNOWLEDGE, Outcome.REFUSED]
    return {one.name: order.index(one.outcome) for one in decision.rulings}


@given(_questions)
def test_restricted_things_never_leave_without_a_seal(question: Question) -> None:
    """Whatever is acknowledged and asked for."""
    decided = decide(replace(question, audience=ANYBODY))
    refused = {one.name for one in decided.of(Outcome.REFUSED)}
    for part in question.parts:
        if part.has_pii or part.sensitivity is RESTRICTED:
            assert part.name in refused


@given(_questions)
def test_a_wider_audience_is_never_treated_more_mildly(question: Question) -> None:
    """From paired peers to others to everybody, no ruling gets weaker and none disappears."""
    strengths = [_strength(decide(replace(question, audience=audience))) for audience in (PEERS, OTHERS, ANYBODY)]
    for narrow, wide in pairwise(strengths):
        for name, strength in narrow.items():
            assert wide.get(name, -1) >= strength


@given(_questions)
def test_a_stricter_sensitivity_is_never_treated_more_mildly(question: Question) -> None:
    """Marking something as more private never opens the gate."""
    stricter = replace(question, parts=tuple(replace(part, sensitivity=RESTRICTED) for part in question.parts))
    before, after = _strength(decide(question)), _strength(decide(stricter))
    for name, strength in before.items():
        assert after.get(name, -1) >= strength


@given(_questions)
def test_only_names_that_were_acknowledged_are(question: Question) -> None:
    """By the path or by its last name, and nothing else."""
    for ruling in decide(question).of(Outcome.ACKNOWLEDGED):
        assert {ruling.name, ruling.name.rpartition("/")[2]} & question.acknowledged
