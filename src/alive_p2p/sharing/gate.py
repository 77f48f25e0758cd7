"""The gate: what may leave depends on what it is and for whom (share.md §4).

All rules and no input or output: from what a package would hold and who could read it follows what is reduced, what
has to be asked or acknowledged, and what is refused. The pipeline obeys it, so no door goes round it.
"""

import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from alive_p2p.errors import AliveP2PError
from alive_p2p.globs import pattern_for
from alive_p2p.sharing.audience import Audience
from alive_p2p.sharing.findings import Finding
from alive_p2p.walnut.key import Sensitivity


class GateError(AliveP2PError):
    """The gate does not let a package pass: `blocked`, or `needs-yes` where somebody has to agree."""


KeyForm = Literal["full", "reduced"]

WALNUT = "walnut"
"""What `--acknowledge` calls everything of the walnut that is no bundle."""
KEY = "key"
HISTORY = "history"


@dataclass(frozen=True)
class Part:
    """Something that leaves and has a sensitivity of its own.

    Attributes:
        kind: a bundle at any depth, or a walnut: all of it that is no bundle.
        name: the path in the package; `walnut` for the walnut itself.
        sensitivity: its own or its parents', whichever is stricter.
        reason: why, in words.
        has_pii: whether it says that it holds personal data.
    """

    kind: Literal["bundle", "walnut"]
    name: str
    sensitivity: Sensitivity
    reason: str
    has_pii: bool = False


class Outcome(Enum):
    """What the gate says about one thing; the value is the word for it in `--json`."""

    ASKS = "asks"
    NEEDS_ACKNOWLEDGE = "needs-acknowledge"
    ACKNOWLEDGED = "acknowledged"
    BY_HAND = "by-hand"
    REFUSED = "refused"


@dataclass(frozen=True)
class Ruling:
    """What the gate says about one thing that does not simply pass.

    Attributes:
        name: what `--acknowledge` calls it.
        outcome: what has to happen.
        why: in words.
        hint: a way on, or None.
    """

    name: str
    outcome: Outcome
    why: str
    hint: str | None = None


@dataclass(frozen=True)
class Decision:
    """What the gate decided for one package.

    Attributes:
        audience: who could read it.
        rulings: everything that does not simply pass.
        unused: names that were acknowledged and did not have to be.
    """

    audience: Audience
    rulings: tuple[Ruling, ...]
    unused: tuple[str, ...] = ()

    def of(self, *outcomes: Outcome) -> tuple[Ruling, ...]:
        """The rulings with one of these outcomes."""
        return tuple(ruling for ruling in self.rulings if ruling.outcome in outcomes)

    @property
    def blocks(self) -> tuple[Ruling, ...]:
        """What no yes at a prompt gets past."""
        return self.of(Outcome.REFUSED, Outcome.NEEDS_ACKNOWLEDGE)

    @property
    def questions(self) -> tuple[Ruling, ...]:
        """What a yes at the prompt, or `--yes`, lets pass."""
        return self.of(Outcome.ASKS)

    @property
    def overrides(self) -> tuple[Ruling, ...]:
        """What somebody decided by hand; recorded with the share."""
        return self.of(Outcome.ACKNOWLEDGED, Outcome.BY_HAND)


def default_key_form(sensitivity: Sensitivity, audience: Audience) -> KeyForm:
    """How a `key.md` leaves where nobody decides by hand."""
    if sensitivity is Sensitivity.OPEN:
        return "full"
    return "full" if sensitivity is Sensitivity.PRIVATE and audience is Audience.PEERS else "reduced"


def key_form(
    sensitivity: Sensitivity, audience: Audience, wish: KeyForm | None, acknowledged: Collection[str]
) -> KeyForm:
    """How a `key.md` leaves; a restricted one is never whole unless that is acknowledged."""
    if wish == "full" and sensitivity is Sensitivity.RESTRICTED and KEY not in acknowledged:
        return "reduced"
    return wish or default_key_form(sensitivity, audience)


@dataclass(frozen=True)
class Question:
    """What the gate is asked about one package.

    Attributes:
        audience: who could read it.
        keys: the sensitivity of every `key.md` that leaves, by its walnut's name here; the walnut's own is `walnut`.
        parts: bundles and walnuts of which something leaves.
        key_wish: `--key`.
        full_history: `--include-full-history`.
        acknowledged: `--acknowledge`.
    """

    audience: Audience
    keys: tuple[tuple[str, Sensitivity], ...]
    parts: tuple[Part, ...]
    key_wish: KeyForm | None = None
    full_history: bool = False
    acknowledged: frozenset[str] = frozenset()


def decide(question: Question) -> Decision:
    """The whole table of share.md §4."""
    rulings = [*_about_keys(question), *_about_history(question)]
    for part in question.parts:
        rulings += _about_part(part, question)
    used = {name for ruling in rulings for name in _names(ruling.name)}
    return Decision(question.audience, tuple(rulings), tuple(sorted(question.acknowledged - used)))


def _about_keys(question: Question) -> Iterable[Ruling]:
    if question.key_wish != "full":
        return
    strictest = max(sensitivity for _, sensitivity in question.keys)
    if strictest is Sensitivity.RESTRICTED:
        yield _acknowledging(KEY, "`key.md` is restricted, and would leave whole", question)
    elif default_key_form(strictest, question.audience) == "reduced":
        yield Ruling(KEY, Outcome.BY_HAND, f"`key.md` is {strictest.word}, and leaves whole because you asked for it")


def _about_history(question: Question) -> Iterable[Ruling]:
    """The real history follows the row of `key.md`; without a seal it leaves only an open walnut."""
    if not question.full_history:
        return
    strictest = max(sensitivity for _, sensitivity in question.keys)
    if default_key_form(strictest, question.audience) == "full":
        return
    if question.audience is Audience.ANYBODY:
        yield Ruling(
            HISTORY,
            Outcome.REFUSED,
            f"the walnut is {strictest.word}, and its history would leave without a seal",
            "seal it for somebody, or leave out `--include-full-history`",
        )
    else:
        yield _acknowledging(HISTORY, f"the walnut is {strictest.word}, and its history would leave", question)


def _about_part(part: Part, question: Question) -> Iterable[Ruling]:
    what = f"the bundle '{part.name}'" if part.kind == "bundle" else _walnut_name(part)
    if part.has_pii:
        why = f"{what} says that it holds personal data (`pii`)"
    elif part.sensitivity is Sensitivity.RESTRICTED:
        why = f"{what} is restricted ({part.reason})"
    elif part.sensitivity is Sensitivity.PRIVATE and question.audience is Audience.ANYBODY:
        yield Ruling(part.name, Outcome.ASKS, f"{what} is private ({part.reason})")
        return
    else:
        return
    if question.audience is Audience.ANYBODY:
        yield Ruling(part.name, Outcome.REFUSED, f"{why}, and the package is not sealed", _way_on(part))
    else:
        yield _acknowledging(part.name, why, question)


def _way_on(part: Part) -> str:
    if part.kind == "bundle":
        return f"seal it for somebody, or leave the bundle out with `--exclude {_quoted(part.name)}/`"
    return "seal it for somebody, or share bundles (`--scope bundle`)"


def _walnut_name(part: Part) -> str:
    return "the walnut" if part.name == WALNUT else f"the nested walnut '{part.name}'"


def _acknowledging(name: str, why: str, question: Question) -> Ruling:
    if question.acknowledged & set(_names(name)):
        return Ruling(name, Outcome.ACKNOWLEDGED, why)
    return Ruling(
        name, Outcome.NEEDS_ACKNOWLEDGE, why, f"say that you know it with `--acknowledge {shlex.quote(name)}`"
    )


def _names(name: str) -> tuple[str, str]:
    """What a thing may be called: by its path, or by its last name."""
    return name, name.rpartition("/")[2]


def ruling_on(finding: Finding) -> Ruling:
    """A secret that was found, in the gate's words, with the three ways on."""
    where = f"'{finding.path}'" + (f", line {finding.line}" if finding.line else "")
    return Ruling(
        finding.id,
        Outcome.REFUSED,
        f"{finding.what} in {where}: {finding.excerpt}",
        f"take it out, leave the file out with `--exclude {_quoted(finding.path)}`, or `--allow-finding {finding.id}`",
    )


def _quoted(path: str) -> str:
    """A path as a pattern that can be pasted into a shell."""
    return shlex.quote(pattern_for(path))
