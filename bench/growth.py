"""How time grows with the number of files, with bytes, and with a world around the walnut."""

from collections.abc import Iterator

from bench import corpora
from bench.bench import Bench
from bench.contestants import BEFORE, OURS, PEER, TOOLS
from bench.corpora import MB, Corpus, amount
from bench.measuring import Contestant, remove
from bench.results import Case, timed
from bench.roads import openers, packages, packers

MOST_FILES = 10_000
MOST_BYTES = 500 * MB
_WHO = (OURS, BEFORE, PEER, TOOLS)


def growth(bench: Bench) -> Iterator[Case]:
    """Both roads for ever more files, and for an ever larger file; and looking, in an ever larger world."""
    for count in bench.scale.file_counts:
        name = f"tiny-{count}"
        bench.say(f"  making {count:,} files")
        walnut = corpora.tiny(name, bench.stage.place(name), files=count)
        yield from _both(bench, walnut, "files", f"{count:,} files", count, is_large=count >= MOST_FILES)
    for size in bench.scale.byte_counts:
        name = f"one-{size // MB}"
        bench.say(f"  making one file of {amount(size)}")
        walnut = corpora.incompressible(name, bench.stage.place(name), files=1, each=size)
        yield from _both(bench, walnut, "bytes", amount(size), size, is_large=size > MOST_BYTES)
    for walnuts in sorted({1, bench.scale.walnuts // 10, bench.scale.walnuts}):
        yield from _around(bench, walnuts)


def _both(bench: Bench, walnut: Corpus, kind: str, title: str, x: float, *, is_large: bool) -> Iterator[Case]:
    number = bench.scale.few_rounds
    bench.say(f"  create, {title}")
    made, left_out = packers(bench, walnut, "none", is_large=is_large, names=_WHO)
    done = bench.meter.contest(made, number, bench.scale.warm)
    yield timed("growth", "create", done, variant=kind, detail=title, x=float(x), left_out=left_out)
    ready, none_made = packages(bench, walnut, "none", is_large=is_large, names=_WHO)
    bench.say(f"  receive, {title}")
    made, left_out = openers(bench, walnut, "none", ready, is_large=is_large)
    done = bench.meter.contest(made, number, bench.scale.warm)
    yield timed("growth", "receive", done, variant=kind, detail=title, x=float(x), left_out=left_out | none_made)
    bench.stage.put_aside(walnut.root, walnut)
    remove(bench.stage.root / "packages")


def _around(bench: Bench, walnuts: int) -> Iterator[Case]:
    """Looking at one small walnut, with others around it."""
    stage = bench.stage
    bench.say(f"  a world of {walnuts:,} walnuts")
    world = corpora.world(stage.root / "large-world", walnuts)
    walnut = str(world / "04_Ventures" / "venture-0000")
    commands = {
        "list-bundles": ("list-bundles", "--walnut", walnut),
        "preview": ("create", "--scope", "full", "--walnut", walnut, "--dry-run"),
    }
    for title, arguments in commands.items():
        made = [
            Contestant(name, [*program, *arguments], stage.environ("alice"), world)
            for name, program in stage.programs.builds.items()
        ]
        done = bench.meter.contest(made, bench.scale.many_rounds, bench.scale.warm)
        yield timed("growth", title, done, variant="world", detail=f"{walnuts:,} walnuts", x=float(walnuts))
    remove(world)
