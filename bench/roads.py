"""`create`, `receive`, `verify` and `info` on the four walnuts, through every envelope."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from bench import corpora, tools
from bench.bench import Bench
from bench.contestants import (
    BARE,
    BEFORE,
    LABELS,
    OURS,
    PEER,
    TOOLS,
    create_command,
    opening,
    receive_command,
)
from bench.corpora import MB, Corpus, amount
from bench.measuring import Contestant, FailedError, Ran, remove
from bench.results import Case, timed

REFERENCE = {
    ("create", "A", "none"): 1.4,
    ("create", "B", "none"): 6.3,
    ("create", "C", "none"): 8.6,
    ("create", "C", "rsa"): 12.3,
    ("receive", "A", "none"): 0.8,
    ("receive", "B", "none"): 3.3,
    ("receive", "C", "none"): 1.2,
}
"""Seconds of the original implementation, as the bars tell them: of another machine with two cores, another day."""
ORIGINAL = "original"
PACKAGE = "package.walnut"


def corpus(bench: Bench, name: str) -> Corpus:
    """One of the four walnuts, made when it is first asked for."""
    stage = bench.stage
    if known := stage.kept(name):
        return known
    bench.say(f"  making {name}")

    def part(number: int) -> int:
        return round(number * bench.scale.share)

    root = stage.place(f"corpus-{name.lower()}")
    match name:
        case "A":
            made = corpora.notes(name, root, files=part(2000), size=part(20 * MB))
        case "B":
            made = corpora.notes(name, root, files=part(9000), size=part(100 * MB))
        case "C":
            each = 40 * MB if bench.scale.share == 1 else 10 * MB
            made = corpora.incompressible(name, root, files=part(10), each=each)
        case _:
            made = corpora.one_bundle(name, root)
    return stage.keep(made)


def rounds(bench: Bench, walnut: Corpus) -> int:
    """More where a round is short."""
    return bench.scale.many_rounds if walnut.size < MB else bench.scale.rounds


def cells(bench: Bench) -> Iterator[tuple[Corpus, str]]:
    """Every walnut with every envelope."""
    for name in bench.walnuts:
        for envelope in tools.ENVELOPES:
            yield corpus(bench, name), envelope


def _reference(part: str, walnut: Corpus, envelope: str, bench: Bench) -> dict[str, float]:
    known = REFERENCE.get((part, walnut.name, envelope))
    return {ORIGINAL: known} if known and bench.scale.share == 1 else {}


# --- create


def packers(
    bench: Bench, walnut: Corpus, envelope: str, *, is_large: bool = False, names: Collection[str] = LABELS
) -> tuple[list[Contestant], dict[str, str]]:
    """Everybody who packs a walnut, and why somebody cannot.

    Args:
        bench: where.
        walnut: what is packed.
        envelope: how it is sealed.
        is_large: whether limits have to be raised for it, which the original design has no flag for.
        names: who takes part.
    """
    stage = bench.stage
    folder = stage.root / "out"
    result = folder / PACKAGE

    def prepare() -> None:
        remove(folder)
        folder.mkdir()
        stage.fresh_home("alice")

    def check(_: Ran) -> None:
        if not result.is_file() or result.stat().st_size < 100:
            raise FailedError("wrote no package")

    def clean() -> None:
        walnut.restore()
        remove(folder, walnut.root / "SHA256SUMS")

    environ = stage.environ("alice", WALNUT=str(walnut.root), OUT=str(result))
    commands: dict[str, list[str]] = {}
    left_out: dict[str, str] = {}
    for name, program in stage.programs.implementations.items():
        if reason := beyond(name, envelope, is_large=is_large):
            left_out[name] = reason
        else:
            commands[name] = create_command(program, walnut.root, result, envelope, is_large=is_large)
    for name in (TOOLS, BARE):
        script = tools.create(envelope, sums=name == TOOLS)
        if reason := script.reason:
            left_out[name] = reason
        else:
            commands[name] = ["sh", "-ec", script.text]
    made = [
        Contestant(name, command, environ, stage.world, prepare, check, clean)
        for name, command in commands.items()
        if name in names
    ]
    return made, {name: reason for name, reason in left_out.items() if name in names}


def beyond(name: str, envelope: str, *, is_large: bool) -> str | None:
    """Why an implementation of the original design cannot take part; None for everybody who can."""
    if name == PEER and envelope == "age":
        return "age is not in the original design"
    return "it is over the original design's limits" if name == PEER and is_large else None


def create(bench: Bench) -> Iterator[Case]:
    """Pack each walnut with each envelope."""
    for walnut, envelope in cells(bench):
        bench.say(f"  create {walnut.name}, {envelope}")
        made, left_out = packers(bench, walnut, envelope)
        contest = bench.meter.contest(made, rounds(bench, walnut), bench.scale.warm)
        yield timed(
            "create",
            walnut.name,
            contest,
            variant=envelope,
            detail=walnut.detail,
            left_out=left_out,
            reference=_reference("create", walnut, envelope, bench),
        )


# --- receive, verify, info


def packages(
    bench: Bench, walnut: Corpus, envelope: str, *, is_large: bool = False, names: Collection[str] = LABELS
) -> tuple[dict[str, Path], dict[str, str]]:
    """A package of everybody who packs, unmeasured, and why somebody has none; the next ones take their place.

    The other build receives what this one has made; another implementation, and the tools, what they made themselves.
    """
    bench.say(f"  packing {walnut.name}, {envelope}")
    store = bench.stage.root / "packages"
    remove(store)
    store.mkdir()
    found: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    makers, _ = packers(bench, walnut, envelope, is_large=is_large, names={*names, OURS} - {BEFORE, BARE})
    for maker in makers:
        try:
            found[maker.name] = bench.meter.once(maker, partial(_move, bench, store / maker.name))
        except FailedError as problem:
            bench.say(f"    {maker.name} made no package: {problem}")
            if maker.name == OURS:
                raise
            left_out[maker.name] = "made no package"
    if BEFORE in names:
        found[BEFORE] = found[OURS]
    if BARE in names and TOOLS in found:
        found[BARE] = found[TOOLS]
    return {name: path for name, path in found.items() if name in names or name == OURS}, left_out


def _move(bench: Bench, folder: Path) -> Path:
    (bench.stage.root / "out").rename(folder)
    return folder / PACKAGE


def openers(
    bench: Bench, walnut: Corpus, envelope: str, made: Mapping[str, Path], *, is_large: bool = False
) -> tuple[list[Contestant], dict[str, str]]:
    """Everybody who receives a package as a new walnut, and why somebody cannot."""
    stage = bench.stage
    place = stage.other_world / "04_Ventures"
    target = place / "copy"
    content = [path for path in walnut.own if not path.startswith("_kernel/")]

    def prepare() -> None:
        clean()
        stage.fresh_home("ben")

    def check(_: Ran) -> None:
        if missing := sum(not (target / path).is_file() for path in content):
            raise FailedError(f"{missing} files did not arrive")

    def clean() -> None:
        stage.put_aside(target, walnut)

    key = stage.keys / "ben.key"
    commands: dict[str, list[str]] = {}
    left_out: dict[str, str] = {}
    for name, program in stage.programs.implementations.items():
        if reason := beyond(name, envelope, is_large=is_large):
            left_out[name] = reason
        elif name in made:
            flags = opening(envelope, key)
            commands[name] = receive_command(program, made[name], target, flags, is_large=is_large)
    for name in (TOOLS, BARE):
        script = tools.receive(envelope, safe=name == TOOLS)
        if reason := script.reason:
            left_out[name] = reason
        elif name in made:
            commands[name] = ["sh", "-ec", script.text]
    return [
        Contestant(
            name,
            command,
            stage.environ("ben", PACKAGE=str(made[name]), COPY=str(target)),
            stage.other_world,
            prepare,
            check,
            clean,
        )
        for name, command in commands.items()
    ], left_out


def receive(bench: Bench) -> Iterator[Case]:
    """Receive each walnut from each envelope as a new walnut."""
    for walnut, envelope in cells(bench):
        made, none_made = packages(bench, walnut, envelope)
        bench.say(f"  receive {walnut.name}, {envelope}")
        contestants, left_out = openers(bench, walnut, envelope, made)
        contest = bench.meter.contest(contestants, rounds(bench, walnut), bench.scale.warm)
        yield timed(
            "receive",
            walnut.name,
            contest,
            variant=envelope,
            detail=walnut.detail,
            left_out=left_out | none_made,
            reference=_reference("receive", walnut, envelope, bench),
        )


def verify(bench: Bench) -> Iterator[Case]:
    """Check each package without receiving it."""
    for walnut, envelope in cells(bench):
        if bench.scale.share == 1 or walnut.name in "AC":  # a quick run has to end
            yield _looked_at(bench, "verify", walnut, envelope)


def info(bench: Bench) -> Iterator[Case]:
    """Read what a large package says of itself."""
    for envelope in tools.ENVELOPES:
        yield _looked_at(bench, "info", corpus(bench, "C"), envelope)


def _looked_at(bench: Bench, part: str, walnut: Corpus, envelope: str) -> Case:
    stage = bench.stage
    names = {OURS, BEFORE, PEER} if part == "info" else {OURS, BEFORE, PEER, TOOLS}
    made, left_out = packages(bench, walnut, envelope, names=names)
    bench.say(f"  {part} {walnut.name}, {envelope}")
    copy = stage.scratch / "copy"
    script = tools.verify(envelope) if part == "verify" else tools.info(envelope)
    contestants = []

    def clean() -> None:
        stage.put_aside(copy, walnut)

    def contestant(name: str, command: list[str], package: Path) -> None:
        environ = stage.environ("ben", PACKAGE=str(package), COPY=str(copy))
        contestants.append(Contestant(name, command, environ, stage.other_world, clean, clean=clean))

    flags = opening(envelope, stage.keys / "ben.key")
    for name, program in stage.programs.implementations.items():
        if name in made:
            how = ["verify", "--package"] if part == "verify" else ["info"]
            contestant(name, [*program, *how, str(made[name]), *flags], made[name])
    if reason := script.reason:
        left_out[TOOLS] = reason
    elif part == "info":
        contestant(TOOLS, ["sh", "-ec", script.text], made[OURS])
    elif TOOLS in made:
        contestant(TOOLS, ["sh", "-ec", script.text], made[TOOLS])
    number = bench.scale.many_rounds if part == "info" else rounds(bench, walnut)
    contest = bench.meter.contest(contestants, number, bench.scale.warm)
    size = made[OURS].stat().st_size
    return timed(part, walnut.name, contest, variant=envelope, detail=f"a package of {amount(size)}", left_out=left_out)
