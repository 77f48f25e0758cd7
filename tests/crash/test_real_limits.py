"""The system's own limits: a disk that fills up, a largest file, folders that forbid, vanish, or lie elsewhere."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.receiving.pipeline import receive
from crash.scenarios import SCENARIOS, Place, Prepared
from worlds import NOVA, craft

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the limits are set Linux's way")]

SOME = {"_kernel/key.md": NOVA["_kernel/key.md"], "b/context.manifest.yaml": b"goal: x\n"}
BIG = {**SOME, **{f"b/{n}.bin": os.urandom(20_000) for n in range(10)}}
_KERNEL = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}

Limit = Callable[[], None]


def _run(program: str, place: Place, *, limit: Limit | None = None, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """Receive with the installed program; what it says as JSON."""
    done = subprocess.run(
        [*prefix, program, *place.arguments(), "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(place.home), "PYTHONDONTWRITEBYTECODE": "1"},  # or it is cut off
        capture_output=True,
        check=False,
        preexec_fn=limit,
    )
    assert b"Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if document["status"] == "error" else 0)
    return document


@contextmanager
def _mounted(at: Path, options: str) -> Iterator[None]:
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("mounting needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def _of(tmp_path: Path, *, into: bool) -> Prepared:
    """A package of 200 KB: into a walnut, or a new one."""
    fields: dict[str, Any] = {"scope": "bundle", "bundles": ["b"]} if into else {}
    prepared = SCENARIOS["bundles" if into else "full"].prepare(tmp_path / "made")
    return Prepared(prepared.scenario, craft(tmp_path / "big.walnut", BIG, **fields), prepared.beginning)


@pytest.mark.parametrize("into", [True, False], ids=["into a walnut", "a new walnut"])
def test_a_disk_that_fills_up_at_any_size(into: bool, program: str, tmp_path: Path) -> None:
    """From far too small to large enough: refused with everything as it was, or received wholly."""
    prepared = _of(tmp_path, into=into)
    words = set()
    for blocks in (24, 32, 40, 48, 56, 60, 64, 66, 68, 70, 72, 74, 76, 80, 120):
        (tmp_path / "run").mkdir(exist_ok=True)
        with _mounted(tmp_path / "run", f"size={blocks * 4}k"):
            place = Place(tmp_path / "run", prepared.package)
            shutil.copytree(prepared.beginning, place.root, dirs_exist_ok=True)
            old = place.state()
            told = _run(program, place)
            words.add(told["status"] if told["status"] != "error" else told["error"]["code"])
            if told["status"] == "error":
                assert told["error"]["code"] == "disk-full", told
                assert place.state() == old
            else:
                assert (place.walnut / "b" / "9.bin").stat().st_size == 20_000
            assert place.left_over() == []
    assert words >= {"disk-full", "ok"}


@pytest.mark.parametrize("into", [True, False], ids=["into a walnut", "a new walnut"])
@pytest.mark.parametrize("size", [1, 60, 700, 1_500, 4_000, 19_999])
def test_a_largest_file_size(size: int, into: bool, program: str, tmp_path: Path) -> None:
    """`RLIMIT_FSIZE`: what does not fit is refused, or told where it is only a record; nothing is cut off."""
    import resource

    prepared = _of(tmp_path, into=into)
    place = prepared.begin(tmp_path / "run")
    old = place.state()
    told = _run(program, place, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    assert told["status"] == "error"
    assert told["error"]["code"] == "file-too-large", told
    assert place.state() == old
    assert place.left_over() == []


def test_a_record_that_is_too_large_is_told(program: str, tmp_path: Path) -> None:
    """The package fits, the log with its new entry does not: received, with the command that mends it."""
    import resource

    prepared = SCENARIOS["bundles"].prepare(tmp_path / "made")
    place = prepared.begin(tmp_path / "run")
    log = place.walnut / "_kernel" / "log.md"
    log.write_bytes(log.read_bytes() + b"x" * 9_900)
    told = _run(program, place, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)))
    assert told["status"] == "warn"
    assert any("alive-p2p log-import" in warning for warning in told["warnings"])
    assert (place.walnut / "shielding-review" / "draft.md").is_file()
    assert b"Imported package" not in log.read_bytes()
    assert place.left_over() == []


@pytest.mark.parametrize("name", ["full", "bundles"])
def test_a_parent_that_may_not_be_written(name: str, program: str, tmp_path: Path) -> None:
    """Staging has no place there: refused, and nothing is touched."""
    place = SCENARIOS[name].prepare(tmp_path / "made").begin(tmp_path / "run")
    old = place.state()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("as root every folder may be written; needs setpriv to be somebody else")
        prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]  # root without its powers
        nobody = 65534
        for folder, folders, names in os.walk(place.root):
            for one in (folder, *(os.path.join(folder, one) for one in [*folders, *names])):  # noqa: PTH118
                os.chown(one, 0, nobody)
    else:
        prefix = []
    place.walnut.parent.chmod(0o555)
    try:
        told = _run(program, place, prefix=prefix)
    finally:
        place.walnut.parent.chmod(0o755)
    assert told["error"]["code"] == "no-permission", told
    assert place.state() == old
    assert place.left_over() == []


@pytest.mark.parametrize("name", ["full", "snapshot", "bundles"])
@pytest.mark.parametrize("operation", ["make-folder", "flush-tree", "rename", "replace"])
def test_a_parent_that_disappears(name: str, operation: str, tmp_path: Path) -> None:
    """Moved away in the middle: an error of ours, and once it is back everything is old or new."""
    prepared = SCENARIOS[name].prepare(tmp_path / "made")
    place = prepared.begin(tmp_path / "ends")
    ends = [place.state()]
    receive(place.request(), place.runtime())
    ends.append(place.state())
    place = prepared.begin(tmp_path / "run")
    away = tmp_path / "away"
    gone = False

    def watcher(what: str, paths: tuple[Path, ...]) -> None:
        nonlocal gone
        if what == operation and not gone and place.walnut.parent in paths[0].parents:
            place.walnut.parent.rename(away)
            gone = True

    files.watch(watcher)
    try:
        result = receive(place.request(), place.runtime())
    except AliveP2PError:
        pass
    else:
        assert result.status == "warn"
    finally:
        files.watch(None)
    assert gone
    if place.walnut.parent.exists():
        shutil.rmtree(place.walnut.parent)
    away.rename(place.walnut.parent)
    from alive_p2p.transactions.recovery import settle

    settle(place.runtime())
    assert place.state() in ends
    assert place.left_over() == []


@pytest.mark.parametrize("name", ["full", "snapshot", "bundles", "bundles-beside-a-broken-ledger"])
def test_a_target_on_another_file_system(name: str, program: str, tmp_path: Path) -> None:
    """The home, the package and the world lie on three: nothing is renamed from one to another."""
    prepared = SCENARIOS[name].prepare(tmp_path / "made")
    place = prepared.begin(tmp_path / "run")
    with _mounted(place.walnut.parent, "size=4m"), _mounted(place.home, "size=4m"):
        shutil.copytree(prepared.beginning / "place", place.walnut.parent, dirs_exist_ok=True)
        told = _run(program, place)
        assert told["status"] in {"ok", "warn"}, told
        assert (place.walnut / "_kernel" / "imports.json").is_file()
        assert place.left_over() == []


def test_a_home_that_cannot_be_written(program: str, tmp_path: Path) -> None:
    """Without a place for the registration nothing begins."""
    place = SCENARIOS["bundles"].prepare(tmp_path / "made").begin(tmp_path / "run")
    old = place.state()
    (place.home / ".alive").write_bytes(b"a file in the way")
    told = _run(program, place)
    assert told["status"] == "error"
    assert place.state() == old
