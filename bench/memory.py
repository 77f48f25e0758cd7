"""The most memory that a package of any size takes, by the operating system's own count."""

from collections.abc import Iterator

from bench import corpora, tools
from bench.bench import Bench
from bench.contestants import BEFORE, OURS, PEER, TOOLS
from bench.corpora import MB, Corpus, amount
from bench.measuring import Contest, Contestant, remove
from bench.results import Case, peaks
from bench.roads import openers, packages, packers

SMALL = 20 * MB
LIMIT = 500 * MB
"""About what the format allows without raising a limit."""
FLOOR = "the measurement itself"
_WHO = (OURS, BEFORE, PEER, TOOLS)


def memory(bench: Bench) -> Iterator[Case]:
    """Pack and receive one file of each size, through every envelope; and how little the measurement can see."""
    stage = bench.stage
    floor = Contestant(OURS, ["true"], stage.environ("alice"), stage.world)
    yield peaks("memory", FLOOR, bench.meter.contest([floor], bench.scale.few_rounds, 0), detail="`true`")
    for size in (SMALL, bench.scale.large):
        name = f"film-{amount(size).replace(' ', '-').lower()}"
        bench.say(f"  making one file of {amount(size)}")
        walnut = corpora.incompressible(name, stage.place(name), files=1, each=size)
        for envelope in tools.ENVELOPES:
            yield from _through(bench, walnut, envelope)
        remove(walnut.root)


def _through(bench: Bench, walnut: Corpus, envelope: str) -> Iterator[Case]:
    is_large = walnut.size > LIMIT
    who = [name for name in _WHO if name != TOOLS or not is_large]  # they take minutes, and no more memory
    number = bench.scale.few_rounds
    bench.say(f"  memory: create {amount(walnut.size)}, {envelope}")
    made, left_out = packers(bench, walnut, envelope, is_large=is_large, names=who)
    yield _case("create", walnut, envelope, bench.meter.contest(made, number, 0), left_out)
    ready, none_made = packages(bench, walnut, envelope, is_large=is_large, names=who)
    bench.say(f"  memory: receive {amount(walnut.size)}, {envelope}")
    made, left_out = openers(bench, walnut, envelope, ready, is_large=is_large)
    yield _case("receive", walnut, envelope, bench.meter.contest(made, number, 0), left_out | none_made)


def _case(road: str, walnut: Corpus, envelope: str, done: Contest, left_out: dict[str, str]) -> Case:
    return peaks(
        "memory",
        road,
        done,
        variant=envelope,
        detail=f"a package of {amount(walnut.size)}",
        x=float(walnut.size),
        left_out=left_out,
    )
