"""What all parts share: the stage, the meter, and how much is measured."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.contestants import Stage
from bench.corpora import MB
from bench.measuring import Meter


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        mode: `full` or `quick`.
        rounds: of most cases.
        many_rounds: of cases that take a moment.
        few_rounds: of cases that take minutes.
        warm: rounds before those, which do not count.
        share: what part of the four walnuts is made; D is always whole.
        large: the size of the large package whose memory is compared with a small one's, in bytes.
        file_counts: of the growth with files.
        byte_counts: of the growth with bytes.
        walnuts: in the large world.
        deposits: in the relay with a past.
        peers: that are probed.
    """

    mode: str
    rounds: int
    many_rounds: int
    few_rounds: int
    warm: int
    share: float
    large: int
    file_counts: tuple[int, ...]
    byte_counts: tuple[int, ...]
    walnuts: int
    deposits: int
    peers: int


FULL = Scale(
    "full", 7, 25, 3, 1, 1.0, 2000 * MB, (100, 1000, 10_000, 100_000),
    (MB, 4 * MB, 16 * MB, 64 * MB, 256 * MB, 1000 * MB, 4000 * MB), 2000, 2000, 50,
)  # fmt: skip
QUICK = Scale("quick", 2, 2, 1, 0, 0.1, 60 * MB, (100, 1000), (MB, 16 * MB), 200, 200, 50)


@dataclass
class Bench:
    """One run of the bench.

    Attributes:
        stage: where everything happens.
        meter: what measures.
        scale: how much.
        say: where progress is told.
        walnuts: which of the four walnuts are packed and received.
        failed: what this program itself did not manage; the bench ends with 1 then.
    """

    stage: Stage
    meter: Meter
    scale: Scale
    say: Callable[[str], object]
    walnuts: str = "ABCD"
    failed: list[str] = field(default_factory=list)
