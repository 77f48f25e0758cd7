"""Unpacking in the pass that checks: it comes to the same as a second pass, and what is refused leaves nothing."""

import hashlib
import io
import linecache
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, FileSystemError, PackageError
from alive_p2p.package import making
from alive_p2p.package.reader import PackageReader
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.recovery import settle
from worlds import KEY, NOVA, craft, nothing_left, pack, plant, tree_of

_TREE = {
    "_kernel/key.md": KEY,
    "notes.md": b"a note\n",
    "area/empty.md": b"",
    "area/large.bin": bytes(range(256)) * 3_000,
    "area/last.md": b"the last\n",
}


@pytest.fixture(params=["by itself", "beside"], autouse=True)
def _worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds as well where a thread makes the files, as it does from some hundreds on."""
    if request.param == "beside":
        monkeypatch.setattr(making, "WORTH_A_THREAD", 1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder to receive into."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def _listed(tree: Mapping[str, bytes], **others: dict[str, object]) -> dict[str, object]:
    """The fields of a manifest that lists these files, some of them as something else."""
    entries: list[dict[str, object]] = [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in sorted(tree.items())
    ]
    entries = [{**one, **others.get(str(one["path"]).rpartition("/")[2].partition(".")[0], {})} for one in entries]
    hashed = "".join(f"{one['path']}\0{one['sha256']}\0{one['size']}\n" for one in entries)
    payload = hashlib.sha256(hashed.encode()).hexdigest()
    return {"files": entries, "payload_sha256": payload, "executables": [], "empty_dirs": []}


def _crafted(output: Path, tree: Mapping[str, bytes] = _TREE, **others: dict[str, object]) -> Path:
    return craft(output, tree, **_listed(tree, **others))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the passes over packages that were made."""
    made: list[str] = []

    def counted(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(PackageReader, name)

        def call(*args: object, **options: object) -> object:
            made.append(name)
            return real(*args, **options)

        return call

    for name in ("check", "unpack"):
        monkeypatch.setattr(PackageReader, name, counted(name))
    return made


def _look(_plan: ReceivePlan) -> None:
    """Somebody who looks and agrees."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extra=st.dictionaries(
        st.from_regex(r"\A[a-zä]{1,3}(/[a-z.]{1,3}){0,2}\Z").filter(lambda name: ".." not in name and "/." not in name),
        st.binary(max_size=40) | st.just(bytes(300_000)),
        max_size=6,
    ),
    scope=st.sampled_from(["full", "snapshot", "bundle"]),
)
def test_it_comes_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, make_runtime: Callable[..., Runtime], extra: dict[str, bytes], scope: str
) -> None:
    """Whatever the package, the walnut is the same as after a look and a second pass."""
    base = tmp_path_factory.mktemp("same")
    runtime = make_runtime()
    names = {path for path in extra if not any(other.startswith(f"{path}/") for other in extra)}
    tree = {**NOVA, **{f"shielding-review/{path}": extra[path] for path in names}}
    package = pack(
        plant(base / "source" / "nova", tree),
        base / "p.walnut",
        runtime,
        scope=scope,
        bundles=("shielding-review",) if scope == "bundle" else (),
    )
    results = []
    for way, approve in (("asked", _look), ("agreed", None)):
        (base / way).mkdir()
        target = base / way / "nova"
        if scope == "bundle":
            shutil.copytree(base / "source" / "nova", target, ignore=shutil.ignore_patterns("shielding-review"))
        receive(ReceiveRequest(package, target=target), runtime, approve=approve)
        assert nothing_left(base / way)
        results.append({path: state for path, state in tree_of(target).items() if path not in _OF_THE_MOMENT})
    assert results[0] == results[1]


_OF_THE_MOMENT = frozenset(["_kernel/imports.json", "_kernel/now.json"])
"""A walnut of nobody gets an id at random."""


def test_it_is_one_pass_where_nobody_is_asked(tmp_path: Path, runtime: Runtime, place: Path, passes: list[str]) -> None:
    """And two where somebody is, unless they said that they agree."""
    package = pack(plant(tmp_path / "source" / "nova", NOVA), tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=place / "a"), runtime)
    receive(ReceiveRequest(package, target=place / "b", is_agreed=True), runtime, approve=_look)
    assert passes == ["check", "check"]
    receive(ReceiveRequest(package, target=place / "c"), runtime, approve=_look)
    assert passes[2:] == ["check", "unpack"]
    assert tree_of(place / "a").keys() == tree_of(place / "b").keys() == tree_of(place / "c").keys()


def test_a_manifest_that_comes_late_takes_two_passes(
    tmp_path: Path, runtime: Runtime, place: Path, passes: list[str]
) -> None:
    """As it does where the manifest does not say everything: what goes where is decided on all of the package."""
    package = craft(tmp_path / "p.walnut", _TREE)
    receive(ReceiveRequest(package, target=place / "nova"), runtime)
    assert passes == ["check", "unpack"]
    assert (place / "nova" / "area" / "large.bin").read_bytes() == _TREE["area/large.bin"]


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"last": {"sha256": "0" * 64}}, "altered"),
        ({"large": {"sha256": "0" * 64}}, "altered"),
        ({"large": {"size": 5}}, "altered"),
        ({"empty": {"size": 5}}, "altered"),
        ({"notes": {"path": "other.md"}}, "altered"),
    ],
    ids=["altered", "altered-and-large", "larger", "smaller", "renamed"],
)
def test_what_is_refused_leaves_nothing(
    tmp_path: Path, runtime: Runtime, place: Path, others: dict[str, dict[str, object]], code: str
) -> None:
    """Neither beside the target nor in our own state, although some of it had been written by then."""
    package = _crafted(tmp_path / "p.walnut", **others)
    made: list[str] = []
    files.watch(lambda operation, paths: made.append(f"{operation} {paths[0].name}"))
    try:
        with pytest.raises(PackageError) as caught:
            receive(ReceiveRequest(package, target=place / "nova"), runtime)
    finally:
        files.watch(None)
    assert caught.value.code == code
    assert "make-folder tree" in made
    assert tree_of(place) == {}
    assert not runtime.alive_home.exists()


def test_what_is_not_listed_or_larger_than_listed_is_not_written(tmp_path: Path, runtime: Runtime, place: Path) -> None:
    """Not even into staging: it holds what the manifest lists and not a byte more."""
    package = _crafted(tmp_path / "p.walnut", large={"size": 5}, notes={"path": "other.md"})
    made: set[str] = set()
    files.watch(lambda _operation, paths: made.add(paths[0].name))
    try:
        with pytest.raises(PackageError):
            receive(ReceiveRequest(package, target=place / "nova"), runtime)
    finally:
        files.watch(None)
    assert "tree" in made
    assert made.isdisjoint({"large.bin", "notes.md", "other.md"})


@pytest.mark.parametrize("name", ["notes.md", "large.bin", "last.md", "area"])
def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path, runtime: Runtime, place: Path, name: str) -> None:
    """It is told at once, and nothing is there afterwards."""
    package = _crafted(tmp_path / "p.walnut")

    def fail(operation: str, paths: tuple[Path, ...]) -> None:
        if operation in {"create", "make-folder"} and paths[0].name == name:
            raise OSError(28, "No space left on device")

    files.watch(fail)
    try:
        with pytest.raises(FileSystemError) as caught:
            receive(ReceiveRequest(package, target=place / "nova"), runtime)
    finally:
        files.watch(None)
    assert caught.value.code == "disk-full"
    assert tree_of(place) == {}
    assert not _threads()


def test_a_place_that_takes_nothing_is_told_after_the_checks(tmp_path: Path, runtime: Runtime, place: Path) -> None:
    """A package that is wrong is told as wrong, whatever else is."""
    package = _crafted(tmp_path / "p.walnut", last={"sha256": "0" * 64})
    for target, code in ((place / "nowhere" / "nova", "altered"), (place, "altered")):
        with pytest.raises(AliveP2PError) as caught:
            receive(ReceiveRequest(package, target=target), runtime)
        assert caught.value.code == code
    assert tree_of(place) == {}


def test_an_interrupt_leaves_nothing(tmp_path: Path, runtime: Runtime, place: Path) -> None:
    """Whenever it comes while the package is read."""
    package = _crafted(tmp_path / "p.walnut", {**_TREE, **{f"many/{n}.md": b"%d" % n for n in range(300)}})
    for at in (1, 4, 200):
        calls = iter(range(1_000))

        def interrupt(_done: int, _total: int, calls: Iterator[int] = calls, at: int = at) -> None:
            if next(calls) == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            receive(ReceiveRequest(package, target=place / "nova"), runtime, progress=interrupt)
        assert tree_of(place) == {}
        assert not _threads()


def test_a_target_that_comes_to_be_meanwhile_is_not_touched(tmp_path: Path, runtime: Runtime, place: Path) -> None:
    """What was unpacked by then goes, and what appeared stays."""
    package = _crafted(tmp_path / "p.walnut")

    def appear(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "create" and paths[0].name == "last.md":
            plant(place / "nova", {"mine.md": b"mine\n"})

    files.watch(appear)
    try:
        with pytest.raises(AliveP2PError):
            receive(ReceiveRequest(package, target=place / "nova"), runtime)
    finally:
        files.watch(None)
    assert [path for path in tree_of(place) if not path.endswith("/")] == ["nova/mine.md"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_state_that_was_there_stays(tmp_path: Path, runtime: Runtime, place: Path) -> None:
    """Only folders that were made for this receive go with it."""
    (runtime.alive_home / "transactions").mkdir(parents=True)
    before = tree_of(runtime.alive_home)
    with pytest.raises(PackageError):
        receive(
            ReceiveRequest(_crafted(tmp_path / "p.walnut", last={"sha256": "0" * 64}), target=place / "nova"), runtime
        )
    assert tree_of(runtime.alive_home) == before


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_large_file_that_finds_no_room_is_named(
    tmp_path: Path, runtime: Runtime, place: Path, monkeypatch: pytest.MonkeyPatch, *, is_asked: bool
) -> None:
    """In either pass the message says which file it was."""

    real = files.write_all

    def fail(stream: BinaryIO, data: bytes) -> None:
        if len(data) > 10_000:
            raise OSError(28, "No space left on device")
        real(stream, data)

    package = _crafted(tmp_path / "p.walnut")
    monkeypatch.setattr(files, "write_all", fail)
    with pytest.raises(FileSystemError, match=r"large\.bin'?: the disk is full"):
        receive(ReceiveRequest(package, target=place / "nova"), runtime, approve=_look if is_asked else None)
    assert tree_of(place) == {}


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_file_that_cannot_be_closed_hides_nothing(
    tmp_path: Path, runtime: Runtime, place: Path, monkeypatch: pytest.MonkeyPatch, *, is_asked: bool
) -> None:
    """What ended the receive is told, and not what the disk says of a file that is thrown away."""

    class Stubborn(io.FileIO):
        def close(self) -> None:
            is_open = not self.closed
            super().close()
            if is_open:
                raise OSError(5, "Input/output error")

    real = files.create_file

    def create(path: Path, *, mode: int = 0o666) -> BinaryIO:
        if path.name != "large.bin":
            return real(path, mode=mode)
        return Stubborn(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")

    def interrupt(_done: int, _total: int) -> None:
        if any(place.rglob("large.bin")):
            raise KeyboardInterrupt

    package = _crafted(tmp_path / "p.walnut")
    monkeypatch.setattr(files, "create_file", create)
    request = ReceiveRequest(package, target=place / "nova")
    with pytest.raises(KeyboardInterrupt):
        receive(request, runtime, approve=_look if is_asked else None, progress=interrupt)
    assert tree_of(place) == {}
    with pytest.raises(FileSystemError, match=r"cannot write '.*large\.bin'"):
        receive(request, runtime, approve=_look if is_asked else None)
    assert tree_of(place) == {}


_LINES_OF = ("ahead.py", "making.py", "unpacking.py", "reader.py", "pipeline.py")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file just opened, closed by Python
@pytest.mark.parametrize("is_asked", [False, True])
def test_an_interrupt_at_any_line_leaves_nothing(
    tmp_path: Path, runtime: Runtime, place: Path, *, is_asked: bool
) -> None:
    """No thread, no open file, and nothing that the next command does not take away; the walnut is there or not."""
    package = _crafted(tmp_path / "p.walnut")
    request = ReceiveRequest(package, target=place / "nova")
    approve = _look if is_asked else None
    receive(request, runtime, approve=approve)  # what is loaded, or opened for good, is so before
    shutil.rmtree(place / "nova")
    at = 0
    while _interrupted_at(at := at + 1, lambda: receive(request, runtime, approve=approve)):
        settle(runtime, place=place / "nova", action="receive")
        assert nothing_left(place), at
        assert not _threads(), at
        if (place / "nova").exists():
            assert {path for path in tree_of(place / "nova") if not path.endswith("/")} >= _TREE.keys()
            shutil.rmtree(place / "nova")
    assert at > 100


def _interrupted_at(number: int, call: Callable[[], object]) -> bool:
    """Call, and interrupt it where it comes to the so-many-eth line of those modules; whether it comes so far.

    A `try:` does nothing during which a signal could be handled.
    """
    lines: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> object:
        if not frame.f_code.co_filename.endswith(_LINES_OF):
            return None
        here = (frame.f_code.co_filename, frame.f_lineno)
        is_main = threading.current_thread() is threading.main_thread()
        if event == "line" and is_main and linecache.getline(*here).strip() != "try:" and here not in lines:
            lines.add(here)
            if len(lines) == number:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name == "unpack"}
