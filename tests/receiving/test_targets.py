"""New walnuts: where they may appear, and what is left when they do not."""

import os
from pathlib import Path

import pytest

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError, WalnutError
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from worlds import KEY, NOVA, make_world, nothing_left, pack, plant, tree_of


@pytest.fixture
def package(tmp_path: Path, runtime: Runtime) -> Path:
    """A full package."""
    return pack(plant(tmp_path / "source" / "nova", NOVA), tmp_path / "p.walnut", runtime)


def test_a_target_that_exists_is_refused_whatever_it_is(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """A file, an empty folder, a walnut, a link and a dangling link all stay as they are."""
    place = plant(tmp_path / "place", {"file": b"f", "folder/": b"", "walnut/_kernel/key.md": KEY})
    (place / "link").symlink_to(place / "folder")
    (place / "dangling").symlink_to(place / "nowhere")
    before = tree_of(place)
    for name in ("file", "folder", "walnut", "link", "dangling"):
        with pytest.raises(WalnutError) as caught:
            receive(ReceiveRequest(package, target=place / name), runtime)
        assert caught.value.code == "target-exists"
    assert tree_of(place) == before


def test_a_repeated_full_receive_is_a_no_op(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """At the target it made; elsewhere it makes another walnut."""
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    before = tree_of(tmp_path / "there")
    assert receive(ReceiveRequest(package, target=tmp_path / "there"), runtime).status == "noop"
    assert tree_of(tmp_path / "there") == before
    assert receive(ReceiveRequest(package, target=tmp_path / "elsewhere"), runtime).status == "ok"


def test_a_missing_parent_is_wrong_usage(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """Folders are not made on the way."""
    with pytest.raises(UsageError, match="does not exist"):
        receive(ReceiveRequest(package, target=tmp_path / "a" / "b"), runtime)
    assert not (tmp_path / "a").exists()


def test_the_default_target_is_the_inbox(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """`<world>/03_Inbox/<walnut>`; without a world or an inbox it says what to do."""
    world = make_world(tmp_path / "world")
    inside = Runtime(environ=runtime.environ, cwd=world / "04_Ventures", clock=runtime.clock)
    assert receive(ReceiveRequest(package), inside).plan.target == world / "03_Inbox" / "nova"
    (world / "03_Inbox").rename(world / "inbox")
    with pytest.raises(UsageError, match="has no `03_Inbox`"):
        receive(ReceiveRequest(package), inside)
    with pytest.raises(UsageError, match="no world is around"):
        receive(ReceiveRequest(package), runtime)


def test_the_home_folders_own_state_does_not_make_it_a_world(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """`~/.alive` holds locks and keys; it is no world's mark."""
    (tmp_path / "home" / ".alive" / "locks").mkdir(parents=True, exist_ok=True)
    at_home = Runtime(environ=runtime.environ, cwd=tmp_path / "home", clock=runtime.clock)
    with pytest.raises(UsageError, match="no world"):
        receive(ReceiveRequest(package), at_home)


def test_a_target_through_a_linked_parent_is_the_real_place(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """Links in the parent are resolved once, and staging lies on the real file system."""
    (tmp_path / "real").mkdir()
    (tmp_path / "door").symlink_to(tmp_path / "real")
    result = receive(ReceiveRequest(package, target=tmp_path / "door" / "nova"), runtime)
    assert result.plan.target == tmp_path / "real" / "nova"
    assert nothing_left(tmp_path / "real")


def test_a_dry_run_writes_nothing(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """Neither beside the target nor anywhere else in the world."""
    world = make_world(tmp_path / "world")
    before = tree_of(world)
    plan = preview(ReceiveRequest(package, target=world / "04_Ventures" / "nova"), runtime)
    assert plan.target == world / "04_Ventures" / "nova"
    assert tree_of(world) == before


def test_declining_leaves_nothing(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """No staging is made before the answer is yes."""
    (tmp_path / "place").mkdir()

    def decline(_plan: object) -> None:
        assert tree_of(tmp_path / "place") == {}
        raise AliveP2PError("declined", "no")

    with pytest.raises(AliveP2PError):
        receive(ReceiveRequest(package, target=tmp_path / "place" / "nova"), runtime, approve=decline)
    assert tree_of(tmp_path / "place") == {}


def test_a_folder_that_appears_meanwhile_is_not_touched(tmp_path: Path, runtime: Runtime, package: Path) -> None:
    """The one rename cannot land inside a folder that appeared at the last moment."""
    target = tmp_path / "place" / "nova"
    target.parent.mkdir()

    def appear(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "rename" and paths[1] == target:
            target.mkdir()

    files.watch(appear)
    try:
        with pytest.raises(WalnutError, match="changed while you were looking"):
            receive(ReceiveRequest(package, target=target), runtime)
    finally:
        files.watch(None)
    assert tree_of(target.parent) == {"nova/": "dir"}


@pytest.mark.parametrize("scope", ["full", "bundle"])
def test_an_io_error_at_any_operation_leaves_things_as_they_were(scope: str, tmp_path: Path, runtime: Runtime) -> None:
    """The n-th durable operation fails, for every n: the target is as before, or as after, and nothing is left."""
    import errno

    source = plant(tmp_path / "source" / "nova", NOVA)
    bundles = ("launch-window", "shielding-review") if scope == "bundle" else ()
    package = pack(source, tmp_path / "p.walnut", runtime, scope=scope, bundles=bundles, key="full")
    place = tmp_path / "place"
    place.mkdir()
    outcomes = set()
    n = 0
    while True:
        n += 1
        target = place / f"nova-{n}"
        if scope == "bundle":
            plant(target, {path: content for path, content in NOVA.items() if path.startswith("_kernel/")})
        before = tree_of(place)
        count, last = [0], [""]

        def fail(
            operation: str, paths: tuple[Path, ...], count: list[int] = count, last: list[str] = last, n: int = n
        ) -> None:
            if not any(place in path.parents or path == place for path in paths):
                return
            count[0] += 1
            if count[0] == n:
                last[:] = [operation]
                raise OSError(errno.EIO, "injected")

        files.watch(fail)
        try:
            result = receive(ReceiveRequest(package, target=target), runtime)
            outcomes.add("done" if not result.warnings else "warned")
        except FileSystemError:
            outcomes.add("refused")
            files.watch(None)
            now = {p: w for p, w in tree_of(place).items() if not p.startswith(".alive")}
            assert now == before, f"at {n}"
        finally:
            files.watch(None)
        for name in [p.name for p in place.iterdir() if p.name.startswith(".alive")]:
            # Only the removal itself may fail to remove; it stays registered for the next command.
            assert last == ["remove-tree"], f"at {n}"
            files.remove_tree(place / name)
        if count[0] < n:
            break
    assert "refused" in outcomes
    assert n > 10


def test_a_read_only_parent_is_refused_before_anything_is_unpacked(
    tmp_path: Path, runtime: Runtime, package: Path
) -> None:
    """On a real read-only file system; the message names the folder."""
    import subprocess

    mount = tmp_path / "frozen"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a read-only file system needs root")
    try:
        with pytest.raises(FileSystemError, match="cannot write to the folder") as caught:
            receive(ReceiveRequest(package, target=mount / "nova"), runtime)
        assert str(mount) in caught.value.message
        assert caught.value.untouched == "everything"
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_is_one_clear_message(tmp_path: Path, runtime: Runtime) -> None:
    """On a real small file system: no space, nothing left, exit by our own error."""
    import subprocess

    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        source = plant(tmp_path / "source" / "nova", {**NOVA, "big.bin": os.urandom(3_000_000)})
        package = pack(source, tmp_path / "p.walnut", runtime)
        with pytest.raises(FileSystemError, match="disk is full"):
            receive(ReceiveRequest(package, target=mount / "nova"), runtime)
        assert tree_of(mount) == {}
        small = pack(plant(tmp_path / "source2" / "nova", NOVA), tmp_path / "q.walnut", runtime)
        assert receive(ReceiveRequest(small, target=mount / "nova"), runtime).status == "ok"
    finally:
        subprocess.run(["umount", str(mount)], check=True)
