"""The gate: what may leave depends on what it is and for whom (share.md §4).

All rules and no input or output: from what a package would hold and who could read it follows what is reduced, what
has to be asked or acknowledged, and what is refused. The pipeline obeys it, so no door goes round it.
"""

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from alive_p2p.errors import AliveP2PError
from alive_p2p.globs import pattern_for
from alive_p2p.package.paths import MANIFEST
from alive_p2p.sharing.audience import Audience
from alive_p2p.sharing.findings import Finding
from alive_p2p.walnut.kernel import BUNDLE_MANIFEST, KERNEL
from alive_p2p.walnut.key import Sensitivity
from alive_p2p.walnut.mentions import overlooked


class GateError(AliveP2PError):
    """The gate does not let a package pass: `blocked`, or `needs-yes` where somebody has to agree."""


KeyForm = Literal["full", "reduced"]

WALNUT = "walnut"
"""What `--acknowledge` calls everything of the walnut that is no bundle."""
KEY = "key"
HISTORY = "history"
RESERVED = frozenset([WALNUT, KEY, HISTORY])
"""What `--acknowledge` calls no bundle: one of such a name is called by it with a `/` at its end."""


@dataclass(frozen=True)
class Part:
    """Something that leaves and has a sensitivity of its own.

    Attributes:
        kind: a bundle at any depth, or a walnut: all of it that is no bundle.
        name: the path in the package; `walnut` for the walnut itself. Nothing else has a name of `RESERVED`.
        sensitivity: its own or its parents', whichever is stricter.
        reason: why, in words.
        has_pii: whether it says that it holds personal data.
        mentions: the words about privacy that it says, whether they count or not.
    """

    kind: Literal["bundle", "walnut"]
    name: str
    sensitivity: Sensitivity
    reason: str
    has_pii: bool = False
    mentions: frozenset[str] = frozenset()

    @property
    def overlooked(self) -> tuple[str, ...]:
        """The words about privacy that it says where they make no difference."""
        is_restricted = self.sensitivity is Sensitivity.RESTRICTED
        return overlooked(self.mentions, is_restricted=is_restricted, has_pii=self.has_pii)


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
    meant = _meant(question.acknowledged, [one.name for one in rulings if one.outcome is Outcome.NEEDS_ACKNOWLEDGE])
    decided = tuple(
        replace(one, outcome=Outcome.ACKNOWLEDGED, hint=None) if one.name in meant else one for one in rulings
    )
    used = {*meant.values(), *(one.name for one in rulings)}
    return Decision(question.audience, decided, tuple(sorted(question.acknowledged - used)))


def _meant(acknowledged: Collection[str], names: Sequence[str]) -> dict[str, str]:
    """What is acknowledged, with the word that did it: the name itself, or its last part where only one has it."""
    last = {name: name.rstrip("/").rpartition("/")[2] for name in names}
    times = Counter(last.values())
    found = {name: name for name in names if name in acknowledged}
    for name, word in last.items():
        if word in acknowledged and times[word] == 1 and word not in RESERVED:
            found.setdefault(name, word)
    return found


def _about_keys(question: Question) -> Iterable[Ruling]:
    if question.key_wish != "full":
        return
    strictest = max(sensitivity for _, sensitivity in question.keys)
    if strictest is Sensitivity.RESTRICTED:
        yield _acknowledging(KEY, "`key.md` is restricted, and would leave whole")
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
        yield _acknowledging(HISTORY, f"the walnut is {strictest.word}, and its history would leave")


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
        yield _acknowledging(part.name, why)


def _way_on(part: Part) -> str:
    if part.kind == "bundle":
        return f"seal it for somebody, or leave the bundle out with `--exclude {_quoted(part.name.rstrip('/'))}/`"
    if part.name == WALNUT:
        return "seal it for somebody, or share bundles (`--scope bundle`)"
    return f"seal it for somebody, or leave it out with `--exclude {_quoted(part.name.rstrip('/'))}/`"


def _walnut_name(part: Part) -> str:
    return "the walnut" if part.name == WALNUT else f"the nested walnut '{part.name}'"


def _acknowledging(name: str, why: str) -> Ruling:
    return Ruling(
        name, Outcome.NEEDS_ACKNOWLEDGE, why, f"say that you know it with `--acknowledge {shlex.quote(name)}`"
    )


def ruling_on(finding: Finding) -> Ruling:
    """A secret that was found, in the gate's words, with the three ways on."""
    where = f"'{finding.path}'" + (f", line {finding.line}" if finding.line else "")
    leave_out = f"leave the file out with `--exclude {_quoted(finding.path)}`, "
    if finding.path == MANIFEST:
        where, leave_out = "what the manifest says: a text, a pattern, or a file's name", ""
    elif finding.path.startswith(f"{KERNEL}/") or finding.path.endswith(f"/{BUNDLE_MANIFEST}"):
        leave_out = ""  # it leaves in any case
    return Ruling(
        finding.id,
        Outcome.REFUSED,
        f"{finding.what} in {where}: {finding.excerpt}",
        f"take it out, {leave_out}or `--allow-finding {finding.id}`",
    )


def _quoted(path: str) -> str:
    """A path as a pattern that can be pasted into a shell."""
    return shlex.quote(pattern_for(path))
