"""What was measured, as it is kept: every value of every round, so that anybody can reckon again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.arithmetic import ratios, short, spread
from bench.contestants import OURS
from bench.measuring import Contest

SECONDS, BYTES = "s", "bytes"


@dataclass
class Case:
    """One comparison.

    Attributes:
        part: the part of the bench it belongs to.
        name: what is measured, for a table.
        unit: `s` or `bytes`.
        values: of everybody, one for each round.
        variant: of what is measured: the envelope, the road.
        detail: how large it is.
        left_out: why somebody is missing.
        x: how much there is of what grows, where something does.
        reference: figures from elsewhere, as told by the bars, that were not measured in this run.
        compare: whom the ratios compare with.
    """

    part: str
    name: str
    unit: str
    values: Mapping[str, Sequence[float]]
    variant: str = ""
    detail: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    x: float | None = None
    reference: Mapping[str, float] = field(default_factory=dict)
    compare: str = OURS

    @property
    def document(self) -> dict[str, Any]:
        """As JSON, with what follows from the values."""
        measured = {
            name: {**spread(values).document, "values": [short(value) for value in values]}
            for name, values in self.values.items()
        }
        base = self.values.get(self.compare)
        compared = {
            name: {**spread(found).document, "values": [short(value) for value in found]}
            for name, values in self.values.items()
            if base and name != self.compare and (found := ratios(values, base))
        }
        return {
            "name": self.name,
            "variant": self.variant,
            "detail": self.detail,
            "unit": self.unit,
            "x": self.x,
            "measured": measured,
            "ratios": compared,
            "reference": {name: short(value) for name, value in self.reference.items()},
            "left_out": dict(self.left_out),
        }


def timed(part: str, name: str, contest: Contest, **more: Any) -> Case:  # noqa: ANN401 -- the fields of a case
    """A case of seconds from what came of a contest."""
    values = {who: [ran.seconds for ran in runs] for who, runs in contest.runs.items()}
    left_out = {**contest.left_out, **more.pop("left_out", {})}
    return Case(part, name, SECONDS, values, left_out=said(left_out), **more)


def peaks(part: str, name: str, contest: Contest, **more: Any) -> Case:  # noqa: ANN401 -- the same
    """A case of peak memory."""
    values = {who: [float(ran.peak_bytes) for ran in runs] for who, runs in contest.runs.items()}
    left_out = {**contest.left_out, **more.pop("left_out", {})}
    return Case(part, name, BYTES, values, left_out=said(left_out), **more)


def said(left_out: Mapping[str, str]) -> dict[str, str]:
    """Reasons without what a program said: that may name this machine's paths."""
    return {who: reason.partition(":")[0] for who, reason in left_out.items()}
