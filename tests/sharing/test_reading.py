"""Large files are read side by side: the same plan, and one progress, told by one thread."""

import random
import threading
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import contents
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import ShareRequest
from worlds import NOVA, make_world, plant

_TOKEN = b"\nghp_" + b"a1B2c3D4e5F6g7H8i9J0" * 2 + b"\n"


@pytest.fixture
def walnut(tmp_path: Path) -> Path:
    """With notes and several larger files, in one of which is a secret."""
    noise = random.Random(1)
    large = {f"media/{number}.bin": noise.randbytes(700_000 + number) for number in range(6)}
    large["media/3.bin"] = large["media/3.bin"][:500_000] + _TOKEN + large["media/3.bin"][500_000:]
    return plant(make_world(tmp_path / "world") / "04_Ventures" / "nova", {**NOVA, **large})


@pytest.mark.parametrize("large", [1 << 40, 1 << 19, 0])
def test_the_plan_does_not_depend_on_what_is_read_side_by_side(
    walnut: Path, runtime: Runtime, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing, the large ones, or everything."""
    monkeypatch.setattr(contents, "_LARGE", 1 << 40)
    expected = plan_share(ShareRequest(walnut=walnut, scope="full"), runtime)
    monkeypatch.setattr(contents, "_LARGE", large)
    plan = plan_share(ShareRequest(walnut=walnut, scope="full"), runtime)
    assert (plan.files, plan.findings, plan.unscanned) == (expected.files, expected.findings, expected.unscanned)
    assert [finding.path for finding in plan.findings] == ["media/3.bin"]


@pytest.mark.parametrize("large", [1 << 40, 1 << 19])
def test_progress_grows_to_the_whole(
    walnut: Path, runtime: Runtime, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the thread that asked, never backwards, and in the end all of it."""
    monkeypatch.setattr(contents, "_LARGE", large)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((done, total))

    plan_share(ShareRequest(walnut=walnut, scope="full"), runtime, progress=progress)
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 4_000_000


def test_a_failure_ends_what_is_still_read(walnut: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread goes on reading a walnut that nobody shares any more."""
    monkeypatch.setattr(contents, "_LARGE", 1 << 19)

    def refuse(_done: int, _total: int) -> None:
        raise AliveP2PError("enough", "enough")

    with pytest.raises(AliveP2PError, match="enough"):
        plan_share(ShareRequest(walnut=walnut, scope="full"), runtime, progress=refuse)
    assert not [one for one in threading.enumerate() if one.name.startswith("scan")]
