"""What a hundred bundles cost: what each of them costs, and no more for there being others."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import share
from alive_p2p.sharing.plan import ShareRequest
from worlds import OPEN_KEY, Clock, make_world, plant

_FEW = 100


def _calls(work: Callable[[], object]) -> int:
    """How many functions are called: a measure of work that is the same on every machine."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _costs(base: Path, count: int) -> dict[str, int]:
    content = {"_kernel/key.md": OPEN_KEY}
    for number in range(count):
        content[f"b{number}/context.manifest.yaml"] = b"goal: g\n"
        content[f"b{number}/notes.md"] = b"note %d\n" % number
    walnut = plant(make_world(base / "from") / "04_Ventures" / "nova", content)
    runtime = Runtime(environ={"HOME": str(base)}, cwd=base, clock=Clock())
    target = make_world(base / "to") / "04_Ventures" / "nova"
    package = base / "nova.walnut"
    costs = {}

    def packed() -> None:
        share(ShareRequest(walnut=walnut, scope="full"), runtime, output=package, force=True, agreed=True)

    costs["share"] = _calls(packed)
    costs["receive"] = _calls(lambda: receive(ReceiveRequest(package, target=target), runtime))
    costs["receive again"] = _calls(lambda: receive(ReceiveRequest(package, target=target), runtime))
    for number in range(count):
        (walnut / f"b{number}/notes.md").write_bytes(b"new %d\n" % number)
    packed()
    costs["update"] = _calls(lambda: receive(ReceiveRequest(package, target=target, update=True), runtime))
    return costs


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """Of each road, with some bundles and with twice as many."""
    few = _costs(tmp_path_factory.mktemp("few"), _FEW)
    many = _costs(tmp_path_factory.mktemp("many"), 2 * _FEW)
    return {road: (few[road], many[road]) for road in few}


@pytest.mark.parametrize("road", ["share", "receive", "receive again", "update"])
def test_twice_the_bundles_are_twice_the_work(road: str, costs: dict[str, tuple[int, int]]) -> None:
    """Nothing looks through all files for every bundle."""
    few, many = costs[road]
    assert many < few * 2.15, f"{few:,} calls for {_FEW} bundles, {many:,} for twice as many"
