"""Safe files: nothing is half written, nothing is replaced by mistake, nothing blocks."""

import errno
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p import files, hashing, native
from alive_p2p.errors import FileSystemError
from alive_p2p.pending import PendingFile

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions, links and FIFOs of POSIX")


@pytest.fixture(autouse=True)
def _no_watcher_left() -> Iterator[None]:
    """The seam is one for the whole process: whatever a test installs is removed."""
    yield
    files.watch(None)


@pytest.fixture(params=["native", "fallback"])
def either_rename(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The exclusive rename of the system, and the one that is made of other calls."""
    if request.param == "fallback":
        monkeypatch.setattr(native, "exclusive_rename", lambda: None)
    return str(request.param)


@contextmanager
def folder_of_somebody_ordinary() -> Iterator[Path]:
    """A folder to work in as a user whom permissions bind, also where the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="alive-p2p-test-"))
    as_root = os.geteuid() == 0
    if as_root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if as_root:
            os.seteuid(0)
        for place, names, _ in os.walk(folder):
            for name in names:
                if not Path(place, name).is_symlink():
                    Path(place, name).chmod(0o700)
        shutil.rmtree(folder)


class Interrupted(Exception):  # noqa: N818  (it is no error of the program: the test pulls the plug)
    """Raised by a watcher at the operation it was told to fail at."""


def fail_at(number: int) -> list[str]:
    """Let the n-th durable operation (from 1) raise; returns the list the operations are noted in."""
    seen: list[str] = []

    def watcher(operation: str, paths: tuple[Path, ...]) -> None:
        assert paths
        seen.append(operation)
        if len(seen) == number:
            raise Interrupted(operation)

    files.watch(watcher)
    return seen


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# --- the seam ------------------------------------------------------------------------------------------------


def test_every_durable_operation_is_seen_before_it_happens(tmp_path: Path) -> None:
    """The watcher hears of each operation, with its paths, while the disk is still as before."""
    seen: list[tuple[str, tuple[Path, ...]]] = []

    def watcher(operation: str, paths: tuple[Path, ...]) -> None:
        seen.append((operation, paths))
        if operation in {"make-folder", "create"}:
            assert not paths[0].exists()
        if operation in {"rename", "replace", "link"}:
            assert paths[0].exists()
        if operation in {"remove", "remove-tree"}:
            assert paths[0].exists()

    files.watch(watcher)
    folder = tmp_path / "a"
    files.make_folder(folder)
    files.write_new(folder / "x", b"1")
    files.link_or_copy(folder / "x", folder / "y")
    files.rename_exclusive(folder / "y", folder / "z")
    files.replace_file(folder / "x", b"2")
    files.flush_tree(folder)
    files.remove_file(folder / "z")
    files.remove_tree(folder)
    files.ensure_private_folder(folder)
    operations = [operation for operation, _ in seen]
    assert operations == [
        *["make-folder", "create", "write", "link", "rename"],
        *["create", "write", "flush", "replace", "flush-folder"],
        *["flush-tree", "remove", "remove-tree", "make-folder", "flush-folder"],
    ]
    files.watch(None)
    files.remove_tree(folder)
    assert len(seen) == len(operations)


# --- reading -------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.integers(0, 300))
def test_a_file_is_read_whole_or_refused(tmp_path: Path, data: bytes, limit: int) -> None:
    """Up to the limit every byte is read; one more and it is refused with a stable code."""
    path = tmp_path / "file"
    path.write_bytes(data)
    if len(data) <= limit:
        assert files.read_bytes(path, limit=limit) == data
    else:
        with pytest.raises(FileSystemError) as refused:
            files.read_bytes(path, limit=limit)
        assert refused.value.code == "file-too-large"
    assert files.hash_file(path) == (hashing.sha256(data), len(data))


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    """More than one chunk is hashed and read without losing a byte."""
    data = os.urandom(files.CHUNK) * 3 + b"end"
    (tmp_path / "file").write_bytes(data)
    assert files.hash_file(tmp_path / "file") == (hashing.sha256(data), len(data))
    assert files.read_bytes(tmp_path / "file", limit=len(data)) == data


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    """Opening a FIFO that nobody writes to would block for ever."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileSystemError, match="not a file"):
        files.read_bytes(tmp_path / "fifo", limit=10)
    with pytest.raises(OSError, match="not a regular file"):
        files.hash_file(tmp_path / "fifo")


def test_a_symbolic_link_is_never_followed(tmp_path: Path) -> None:
    """Neither one to a file, nor one that leads nowhere, nor one that leads to itself."""
    (tmp_path / "secret").write_text("s")
    (tmp_path / "link").symlink_to("secret")
    (tmp_path / "nowhere").symlink_to("missing")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("link", "nowhere", "loop"):
        with pytest.raises(FileSystemError) as refused:
            files.read_bytes(tmp_path / name, limit=10)
        assert refused.value.code == "symbolic-link"
        with pytest.raises(FileSystemError):
            files.read_bytes_if_present(tmp_path / name, limit=10)


def test_a_folder_a_device_and_a_socket_are_refused(tmp_path: Path) -> None:
    """Only regular files are read."""
    places = [tmp_path, Path("/dev/null")]
    # The path of a socket may only be short.
    with tempfile.TemporaryDirectory(prefix="s") as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/socket")
        for place in (*places, Path(short, "socket")):
            with pytest.raises(FileSystemError):
                files.read_bytes(place, limit=10)


def test_nothing_there_is_none_or_an_error(tmp_path: Path) -> None:
    """`read_bytes_if_present` tells absent from unreadable."""
    assert files.read_bytes_if_present(tmp_path / "missing", limit=1) is None
    with pytest.raises(FileSystemError) as refused:
        files.read_bytes(tmp_path / "missing", limit=1)
    assert refused.value.code == "missing"
    assert "missing" in refused.value.message


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [*sorted(errno.errorcode), 0, 99999])
def test_every_error_of_the_system_becomes_ours(number: int) -> None:
    """Whatever the number, the message names the action, the path and a reason, and has a code."""
    error = files.file_system_error(OSError(number, os.strerror(number)), "write", Path("/x"))
    assert error.code
    assert error.message.startswith("cannot write '/x': ")
    assert not error.message.endswith((".", ": "))


def test_translation_leaves_other_errors_alone() -> None:
    """Only `OSError` is translated, with the original as its cause."""
    with pytest.raises(ValueError, match="x"), files.translating("read", "p"):
        raise ValueError("x")
    with pytest.raises(FileSystemError) as refused, files.translating("read", "p"):
        raise OSError(errno.ENOSPC, "no space")
    assert refused.value.code == "disk-full"
    assert refused.value.hint
    assert isinstance(refused.value.__cause__, OSError)


def test_an_error_without_a_number_is_translated() -> None:
    """Python itself raises such."""
    assert files.file_system_error(OSError(), "read", "p").message == "cannot read 'p': oserror"


# --- making --------------------------------------------------------------------------------------------------


def test_a_file_is_never_created_over_something(tmp_path: Path) -> None:
    """Neither over a file nor through a link, also one that leads nowhere."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("elsewhere")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            files.write_new(tmp_path / name, b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert names_in(tmp_path) == ["file", "link"]


def test_a_private_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    """It is made with `0700`, with its parents, and may be there already."""
    files.ensure_private_folder(tmp_path / "a" / "b")
    files.ensure_private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_private_folder_where_a_file_is_is_an_error(tmp_path: Path) -> None:
    """A file in the way is our error, not one of Python's."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileSystemError):
            files.ensure_private_folder(place)


def test_default_modes_obey_the_umask() -> None:
    """`0644` and `0755`, minus what the umask takes; the umask itself is left as it was."""
    before = os.umask(0o022)
    os.umask(before)
    assert files.default_mode(executable=False) == 0o644 & ~before
    assert files.default_mode(executable=True) == 0o755 & ~before
    after = os.umask(before)
    assert after == before


class _Sluggish:
    """A stream that takes three bytes at a time."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def write(self, data: memoryview) -> int:
        self.taken += data[:3]
        return len(data[:3])


@given(st.binary(max_size=50))
def test_a_stream_that_takes_little_gets_everything(data: bytes) -> None:
    """An unbuffered stream may take fewer bytes than it is given."""
    stream = _Sluggish()
    files.write_all(stream, data)  # type: ignore[arg-type]
    assert bytes(stream.taken) == data


# --- replacing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755, 0o400])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    """The mode is the old file's, unless one is given."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    files.replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    files.replace_file(path, b"newer", mode=0o601)
    assert stat.S_IMODE(path.stat().st_mode) == 0o601
    assert names_in(tmp_path) == ["file"]


def test_a_file_that_was_not_there_is_made_with_the_usual_permissions(tmp_path: Path) -> None:
    """`replace_file` also creates."""
    files.replace_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == files.default_mode(executable=False)


@pytest.mark.parametrize("old", [b"old", None])
def test_a_replacement_happened_or_did_not(tmp_path: Path, old: bytes | None) -> None:
    """Interrupted at any operation, the file is old or new and no temporary file is left."""
    seen_old = seen_new = False
    for number in range(1, 50):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "file"
        if old is not None:
            path.write_bytes(old)
        seen = fail_at(number)
        with suppress(Interrupted):
            files.replace_file(path, b"new")
        files.watch(None)
        now = path.read_bytes() if path.exists() else None
        assert now in {old, b"new"}
        assert names_in(folder) == ([] if now is None else ["file"])
        seen_old, seen_new = seen_old or now == old, seen_new or now == b"new"
        if len(seen) < number:
            break
    else:
        pytest.fail("it never ended")
    assert seen_old
    assert seen_new


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """An error of the system while writing is translated, and nothing has changed."""
    (tmp_path / "file").write_bytes(b"old")

    def full(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "write":
            raise OSError(errno.ENOSPC, "no space", str(paths[0]))

    files.watch(full)
    with pytest.raises(FileSystemError) as refused:
        files.replace_file(tmp_path / "file", b"new")
    assert refused.value.code == "disk-full"
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    """Whatever is in the folder stays."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileSystemError):
        files.replace_file(tmp_path / "folder", b"new")
    assert names_in(tmp_path) == ["folder"]


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    """What the link led to keeps its content."""
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "link").symlink_to("other")
    files.replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "link").is_symlink()


def test_a_file_in_the_place_of_a_link_is_not_writable_by_everybody(tmp_path: Path) -> None:
    """A link has no permissions that mean anything."""
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "link").symlink_to("other")
    files.replace_file(tmp_path / "link", b"new")
    assert stat.S_IMODE((tmp_path / "link").lstat().st_mode) & 0o022 == 0


def test_a_temporary_name_is_short_enough_for_every_file_system(tmp_path: Path) -> None:
    """A name of 255 bytes can be replaced."""
    path = tmp_path / ("n" * 255)
    files.replace_file(path, b"x")
    assert path.read_bytes() == b"x"


# --- renaming ------------------------------------------------------------------------------------------------

OBSTACLES: dict[str, Callable[[Path], object]] = {
    "a file": lambda p: p.write_text("there"),
    "an empty file": lambda p: p.touch(),
    "a folder": lambda p: (p.mkdir(), (p / "x").write_text("there")),
    "an empty folder": lambda p: p.mkdir(),
    "a link to a file": lambda p: ((p.parent / "f").write_text("there"), p.symlink_to("f")),
    "a link to a folder": lambda p: ((p.parent / "d").mkdir(), p.symlink_to("d")),
    "a link that leads nowhere": lambda p: p.symlink_to("nowhere"),
    "a FIFO": os.mkfifo,
}


def picture(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        what: object = stat.S_IFMT(info.st_mode)
        if stat.S_ISREG(info.st_mode):
            what = path.read_bytes()
        elif stat.S_ISLNK(info.st_mode):
            what = os.readlink(path)  # noqa: PTH115  (the text of the link)
        found[path.relative_to(folder).as_posix()] = what
    return found


@pytest.mark.usefixtures("either_rename")
@pytest.mark.parametrize("source_kind", ["file", "folder", "link"])
@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES.keys())
def test_an_exclusive_rename_never_replaces(
    tmp_path: Path, obstacle: Callable[[Path], object], source_kind: str
) -> None:
    """Whatever is at the target, of whatever kind, both stay exactly as they were."""
    source, target = tmp_path / "source", tmp_path / "target"
    make_source(source, source_kind)
    obstacle(target)
    before = picture(tmp_path)
    with pytest.raises(FileExistsError):
        files.rename_exclusive(source, target)
    assert picture(tmp_path) == before


def make_source(source: Path, kind: str) -> None:
    if kind == "file":
        source.write_text("mine")
    elif kind == "folder":
        (source / "below").mkdir(parents=True)
        (source / "below" / "x").write_text("mine")
    else:
        source.symlink_to("anywhere")


@pytest.mark.usefixtures("either_rename")
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_an_exclusive_rename_to_a_free_name_moves_everything(tmp_path: Path, kind: str) -> None:
    """The source is gone, the target is what it was."""
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    make_source(tmp_path / "from" / "x", kind)
    before = picture(tmp_path / "from")
    files.rename_exclusive(tmp_path / "from" / "x", tmp_path / "to" / "x")
    assert picture(tmp_path / "to") == before
    assert names_in(tmp_path / "from") == []


@pytest.mark.usefixtures("either_rename")
def test_a_rename_that_cannot_be_done_leaves_nothing_behind(tmp_path: Path) -> None:
    """A missing source, and a folder that should move into itself, are errors; nothing is left at the target."""
    with pytest.raises(FileNotFoundError):
        files.rename_exclusive(tmp_path / "missing", tmp_path / "target")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r".*"):
        files.rename_exclusive(tmp_path / "folder", tmp_path / "folder" / "inside")
    with pytest.raises(OSError, match=r".*"):
        files.rename_exclusive(tmp_path / "folder", tmp_path / "missing" / "target")
    assert sorted(picture(tmp_path)) == ["folder"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_the_native_call_gets_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The call exists, but this file system does not have it: the rename happens, and still never replaces."""

    def unsupported(_source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(target))

    monkeypatch.setattr(native, "exclusive_rename", lambda: unsupported)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        files.rename_exclusive(tmp_path / "a", tmp_path / "b")
    files.rename_exclusive(tmp_path / "a", tmp_path / "c")
    assert picture(tmp_path) == {"b": b"b", "c": b"a"}


def test_an_error_of_the_native_call_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 'not supported' leads to the fallback."""

    def denied(_source: Path, target: Path) -> None:
        raise OSError(errno.EACCES, "denied", str(target))

    monkeypatch.setattr(native, "exclusive_rename", lambda: denied)
    (tmp_path / "a").write_text("a")
    with pytest.raises(PermissionError):
        files.rename_exclusive(tmp_path / "a", tmp_path / "b")
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize("can_link", [True, False])
def test_a_second_name_or_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can_link: bool) -> None:
    """Where there are no hard links the file is copied with its mode; an existing target is never replaced."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0o640)
    (tmp_path / "there").write_text("there")
    with pytest.raises(FileExistsError):
        files.link_or_copy(tmp_path / "a", tmp_path / "there")
    if not can_link:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a"
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o640
    assert (tmp_path / "there").read_text() == "there"


# --- a file that appears complete ----------------------------------------------------------------------------


@pytest.mark.usefixtures("either_rename")
def test_a_pending_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    """Before `publish` there is only a private temporary file; without it nothing stays."""
    with PendingFile(tmp_path) as pending:
        pending.stream.write(b"some")
        (temporary,) = tmp_path.iterdir()
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        assert not (tmp_path / "final").exists()
        pending.stream.write(b"thing")
        pending.publish(tmp_path / "final", replace_existing=False)
        assert pending.stream.closed  # before it was renamed, which Windows asks for
    assert picture(tmp_path) == {"final": b"something"}
    with PendingFile(tmp_path) as pending:
        pending.stream.write(b"never")
    assert picture(tmp_path) == {"final": b"something"}


@pytest.mark.usefixtures("either_rename")
def test_a_pending_file_is_still_pending_when_its_name_is_taken(tmp_path: Path) -> None:
    """The next name can be tried; with `replace_existing` the old file survives until the new one is complete."""
    (tmp_path / "final").write_text("old")
    with PendingFile(tmp_path) as pending:
        pending.stream.write(b"new")
        with pytest.raises(FileExistsError):
            pending.publish(tmp_path / "final", replace_existing=False)
        assert (tmp_path / "final").read_text() == "old"
        pending.publish(tmp_path / "final-2", replace_existing=False)
    assert picture(tmp_path) == {"final": b"old", "final-2": b"new"}
    with PendingFile(tmp_path) as pending:
        pending.stream.write(b"newer")
        pending.publish(tmp_path / "final", replace_existing=True)
    assert picture(tmp_path) == {"final": b"newer", "final-2": b"new"}


def test_a_pending_file_interrupted_anywhere_leaves_old_or_new(tmp_path: Path) -> None:
    """At each operation: the old file or the complete new one, and no temporary file."""
    for number in range(1, 50):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "final").write_bytes(b"old")
        seen = fail_at(number)
        try:
            with PendingFile(folder) as pending:
                pending.stream.write(b"new" * files.CHUNK)
                pending.publish(folder / "final", replace_existing=True)
        except Interrupted:
            pass
        files.watch(None)
        assert names_in(folder) == ["final"]
        assert (folder / "final").read_bytes() in {b"old", b"new" * files.CHUNK}
        if len(seen) < number:
            break
    else:
        pytest.fail("it never ended")


@pytest.mark.usefixtures("either_rename")
def test_a_pending_file_with_a_new_name_is_absent_or_complete(tmp_path: Path) -> None:
    """Interrupted anywhere, also between the steps of a rename that is made of several."""
    for number in range(1, 50):
        folder = tmp_path / str(number)
        folder.mkdir()
        seen = fail_at(number)
        try:
            with PendingFile(folder) as pending:
                pending.stream.write(b"new")
                pending.publish(folder / "final", replace_existing=False)
        except Interrupted:
            pass
        files.watch(None)
        assert picture(folder) in ({}, {"final": b"new"})
        if len(seen) < number:
            break
    else:
        pytest.fail("it never ended")


@pytest.mark.usefixtures("either_rename")
def test_a_folder_that_is_moved_is_never_lost(tmp_path: Path) -> None:
    """Interrupted anywhere, the whole folder has either name, and no empty one is left at the other."""
    for number in range(1, 10):
        folder = tmp_path / str(number)
        make_source(folder / "source", "folder")
        before = picture(folder / "source")
        seen = fail_at(number)
        with suppress(Interrupted):
            files.rename_exclusive(folder / "source", folder / "target")
        files.watch(None)
        (place,) = folder.iterdir()
        assert picture(place) == before
        if len(seen) < number:
            break
    else:
        pytest.fail("it never ended")


def test_a_pending_file_in_a_folder_that_is_not_there_is_our_error(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(FileSystemError) as refused, PendingFile(tmp_path / "missing"):
        pytest.fail("there is no such folder")
    assert "missing" in refused.value.message


def test_an_exception_inside_leaves_no_pending_file(tmp_path: Path) -> None:
    """Ctrl-C while writing is a way out like any other."""

    def interrupted() -> None:
        with PendingFile(tmp_path) as pending:
            pending.stream.write(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names_in(tmp_path) == []


# --- removing ------------------------------------------------------------------------------------------------


def test_a_tree_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    """What a link leads to stays."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("x")
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "f").write_text("f")
    (tree / "link").symlink_to("../outside")
    (tree / "a" / "nowhere").symlink_to("nowhere")
    os.mkfifo(tree / "fifo")
    files.remove_tree(tree)
    files.remove_tree(tree)
    files.remove_file(tree)
    assert picture(tmp_path) == {"outside": stat.S_IFDIR, "outside/x": b"x"}


def test_a_read_only_tree_is_removed() -> None:
    """Folders of our own go also where their permissions forbid it."""
    with folder_of_somebody_ordinary() as folder:
        tree = folder / "tree"
        (tree / "a" / "b").mkdir(parents=True)
        (tree / "a" / "b" / "f").write_text("f")
        (tree / "a" / "b" / "f").chmod(0o400)
        for place in (tree / "a" / "b", tree / "a", tree):
            place.chmod(0o500)
        files.remove_tree(tree)
        assert names_in(folder) == []


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o100])
def test_a_tree_with_a_closed_folder_is_removed(mode: int) -> None:
    """A folder of our own that may not even be listed goes as well."""
    with folder_of_somebody_ordinary() as folder:
        (folder / "tree" / "closed").mkdir(parents=True)
        (folder / "tree" / "closed" / "f").write_text("f")
        (folder / "tree" / "closed").chmod(mode)
        files.remove_tree(folder / "tree")
        assert names_in(folder) == []


def test_a_link_in_the_place_of_a_tree_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    """Where something stays it is said; a folder that is not ours keeps its permissions."""
    tmp_path.chmod(0o755)
    (tmp_path / "real").mkdir()
    (tmp_path / "tree").symlink_to("real")
    try:
        with pytest.raises(OSError, match=r".*"):
            files.remove_tree(tmp_path / "tree")
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    finally:
        tmp_path.chmod(0o700)


# --- flushing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_syncfs", [True, False])
def test_a_tree_is_flushed_with_and_without_syncfs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_syncfs: bool
) -> None:
    """Without the call every file and folder is flushed, each before the folder that names it, that of the root too."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_text("f")
    (tmp_path / "g").write_text("g")
    flushed: list[Path] = []
    if not has_syncfs:
        monkeypatch.setattr(native, "flush_file_system", lambda: None)
    files.watch(lambda operation, paths: flushed.append(paths[0]) if operation == "flush-folder" else None)
    files.flush_tree(tmp_path)
    if not has_syncfs:
        assert flushed == [tmp_path / "a" / "b", tmp_path / "a", tmp_path, tmp_path.parent]


def _refuse_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that tells of a failed write once, to whoever flushes first."""
    answers = iter([OSError(errno.EIO, "Input/output error")])

    def flush(_descriptor: int) -> None:
        for answer in answers:
            raise answer

    monkeypatch.setattr(native, "flush_file_system", lambda: flush)


@pytest.mark.parametrize("above", [False, True])
def test_what_a_flush_met_that_was_begun_is_told_by_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, above: bool
) -> None:
    """The system tells of a write that failed once, to whoever flushes first; here that is nobody who is asked."""
    folder = tmp_path / "tree"
    folder.mkdir()
    _refuse_once(monkeypatch)
    files.begin_flush(folder)
    with pytest.raises(OSError, match="Input/output error"):
        files.flush_tree(tmp_path if above else folder)
    files.flush_tree(folder)  # it was told


def test_a_flush_that_was_begun_is_forgotten_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is removed need not be durable; another folder of this name has nothing to do with it."""
    folder = tmp_path / "tree"
    folder.mkdir()
    _refuse_once(monkeypatch)
    files.begin_flush(folder)
    files.remove_tree(folder)
    folder.mkdir()
    files.flush_tree(folder)


@pytest.mark.parametrize("times", [1, 3])
def test_a_private_folder_is_made_though_somebody_takes_away_what_it_lies_in(tmp_path: Path, times: int) -> None:
    """A process that leaves no trace removes folders in which nothing is left."""
    home = tmp_path / "home"
    left = [None] * times

    def take_away(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "make-folder" and paths[0].parent == home and left:
            left.pop()
            home.rmdir()

    files.watch(take_away)
    assert files.ensure_private_folder(home / "transactions") == (home / "transactions", home)
    assert (home / "transactions").is_dir()
    assert files.ensure_private_folder(home / "transactions") == ()


def test_flushing_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The system's error is not swallowed."""
    with pytest.raises(FileNotFoundError):
        files.flush_folder(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        files.flush_tree(tmp_path / "missing")
