"""Safe files: durable writes, renames that never replace, private temporary files, hashing.

Every durable operation of the program goes through this module, so that a test can observe each of them and make
it fail (`watch`). Operating-system errors leave it as `FileSystemError` with a message a person can act on.
"""

import errno
import functools
import io
import itertools
import os
import re
import secrets
import shutil
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from alive_p2p import native
from alive_p2p.errors import FileSystemError
from alive_p2p.hashing import Sha256

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK = 1 << 18
"""Bytes moved at a time: large enough to amortise a system call, small enough to keep memory flat."""

_WRITE_OUT = 8 << 20
"""Bytes after which the disk is asked to begin: enough for long runs, little beside what takes time."""

_ATTEMPTS = 5

Watcher = Callable[[str, tuple[Path, ...]], None]
_watcher: Watcher | None = None

_REASONS = {
    errno.ENOSPC: ("disk-full", "the disk is full", "free some space and run it again"),
    errno.EDQUOT: ("disk-full", "the disk quota is used up", "free some space and run it again"),
    errno.EFBIG: ("file-too-large", "the file would be larger than the system allows", "choose another place"),
    errno.EACCES: ("no-permission", "permission denied", "check who owns it and its permissions"),
    errno.EPERM: ("no-permission", "operation not permitted", "check who owns it and its permissions"),
    errno.EROFS: ("read-only", "the file system is read-only", "choose another place"),
    errno.ENAMETOOLONG: ("name-too-long", "a name is too long for this file system", "choose a shorter one"),
    errno.ENOENT: ("missing", "it does not exist", None),
    errno.ENOTDIR: ("not-a-folder", "something on the way is not a folder", None),
    errno.EISDIR: ("is-a-folder", "it is a folder", None),
    errno.EIO: ("io-error", "the disk reported an I/O error", "check the disk before trying again"),
    errno.EMFILE: ("too-many-open-files", "too many open files", "close other programs and run it again"),
    errno.ELOOP: ("symbolic-link", "a symbolic link is in the way", None),
    errno.EXDEV: ("other-file-system", "it lies on another file system", "choose another place"),
}


_NOT_REGULAR = (
    "not-a-file",
    "it is a folder, a pipe, a socket or a device, not a file",
    "name a file, or move it away and run it again",
)


class _NotRegularError(OSError):
    """Something that is no file lies where a file is read."""


def watch(watcher: Watcher | None) -> None:
    """Install (or with None remove) a function that is called before every durable operation.

    It gets the operation's name and its paths, and may raise or end the process: the seam of the crash tests.
    """
    global _watcher  # noqa: PLW0603  (one seam for the whole process is the point)
    _watcher = watcher


def _about_to(operation: str, *paths: Path | str) -> None:
    if _watcher is not None:
        _watcher(operation, tuple(map(Path, paths)))


def file_system_error(error: OSError, action: str, path: Path | str) -> FileSystemError:
    """Turn an `OSError` into ours: `cannot <action> <path>: <reason>`."""
    unknown = ("io-error", (error.strerror or type(error).__name__).lower(), None)
    is_special = isinstance(error, _NotRegularError)
    code, reason, hint = _NOT_REGULAR if is_special else _REASONS.get(error.errno or 0, unknown)
    return FileSystemError(code, f"cannot {action} '{path}': {reason}", hint=hint)


@contextmanager
def translating(action: str, path: Path | str) -> Iterator[None]:
    """Translate every `OSError` raised inside, as `file_system_error` does."""
    try:
        yield
    except OSError as error:
        raise file_system_error(error, action, path) from error


# --- looking -----------------------------------------------------------------------------------------------------
# `pathlib`'s predicates raise where a folder on the way may not be entered; what cannot be seen is not there for us.


def is_file(path: Path) -> bool:
    """Whether a regular file is there, links followed; false where that cannot be seen."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, links followed; false where that cannot be seen."""
    return os.path.isdir(path)


def exists(path: Path) -> bool:
    """Whether anything is there, links followed; false where that cannot be seen."""
    return os.path.exists(path)


def is_taken(path: Path) -> bool:
    """Whether the name is in use, also by a dangling link."""
    return os.path.lexists(path)


def is_link(path: Path) -> bool:
    """Whether a symbolic link is there, or on Windows a junction; false where that cannot be seen."""
    return os.path.islink(path) or _is_junction(path)


def _is_junction(path: Path) -> bool:
    return sys.version_info >= (3, 12) and os.path.isjunction(path)


# --- reading --------------------------------------------------------------------------------------------------


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, never through a symbolic link and never blocking on a FIFO.

    Raises:
        OSError: as `open` does, and with `ELOOP` or `EINVAL` where it is a link or no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _NotRegularError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(descriptor, "rb", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Read a small regular file whole.

    Raises:
        FileSystemError: it cannot be read, is a link, is not a regular file, or is larger than `limit` bytes.
    """
    with translating("read", path), open_regular(path) as stream:
        data = stream.read(limit + 1)
        while data and len(data) <= limit and (more := stream.read(limit + 1 - len(data))):
            data += more
    if len(data) > limit:
        raise FileSystemError("file-too-large", f"cannot read '{path}': it is larger than {limit:,} bytes")
    return data


def read_bytes_if_present(path: Path, *, limit: int) -> bytes | None:
    """Like `read_bytes`, or None where nothing is there."""
    return read_bytes(path, limit=limit) if os.path.lexists(path) else None


def hash_file(path: Path, *, also: Callable[[bytes], None] | None = None) -> tuple[str, int]:
    """The SHA-256 (hex) and size in bytes of a regular file; `also` sees every piece. Raises `OSError`."""
    digest = Sha256()
    size = 0
    with open_regular(path) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if also is not None:
                also(chunk)
    return digest.hexdigest(), size


# --- making and writing ---------------------------------------------------------------------------------------


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Create one folder; it must not exist. Raises `OSError`."""
    _about_to("make-folder", path)
    path.mkdir(mode=mode)


def ensure_private_folder(path: Path) -> tuple[Path, ...]:
    """Create a folder only its owner may enter, with its parents, durably, where it does not exist.

    What is registered in it is lost with its name, so each new name is flushed.

    Returns:
        The folders that were not there, the innermost first.

    Raises:
        FileSystemError: it cannot be made.
    """
    try:
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError):  # somebody removes a folder in which nothing is left
                return _made_private(path)
        return _made_private(path)
    except OSError as error:
        problem = file_system_error(error, "create", path)
        problem.hint = problem.hint or "set ALIVE_HOME to a folder that can be written"
        raise problem from error


def _made_private(path: Path) -> tuple[Path, ...]:
    missing = tuple(itertools.takewhile(lambda folder: not folder.is_dir(), (path, *path.parents)))
    for folder in reversed(missing):
        _about_to("make-folder", folder)
        folder.mkdir(mode=0o700 if folder == path else 0o777, exist_ok=True)
        flush_folder(folder.parent)
    return missing


def create_file(path: Path, *, mode: int = 0o666) -> BinaryIO:
    """Create a file that must not exist and open it for writing, unbuffered. Raises `OSError`."""
    return _WrittenOut(_create(path, mode), "wb")


def _create(path: Path | str, mode: int) -> int:
    _about_to("create", path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), mode)


class _WrittenOut(io.FileIO):
    """A file whose content the disk begins to take while it is still being written.

    A large file is otherwise gathered in memory until it is flushed, and then waited for.
    """

    _waiting = 0

    def write(self, data: "ReadableBuffer", /) -> int:
        count = super().write(data)
        self._waiting += count
        if self._waiting >= _WRITE_OUT:
            self._waiting = 0
            if (begin := native.begin_writing_out()) is not None:
                begin(self.fileno())
        return count


def write_all(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Write every byte; an unbuffered stream may take fewer than it is given. Raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def write_new(path: Path | str, data: bytes, *, mode: int = 0o666) -> None:
    """Create a file with this content; it must not exist. Not flushed. Raises `OSError`."""
    descriptor = _create(path, mode)  # a stream around it costs as much as the call itself
    try:
        _about_to("write", path)
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:] if written else data)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Replace (or create) a file atomically and durably, keeping its permissions unless `mode` is given.

    Args:
        path: the file.
        data: its new content.
        mode: its permissions.
        durable: flush it; False for what lies in a folder of our own that is flushed as a whole afterwards.

    Raises:
        FileSystemError: it could not be written; the old file is then as it was, unless the last step failed,
            which makes the new one outlive a power cut.
    """
    temporary = temporary_beside(path)
    with translating("write", path):
        if mode is None:
            mode = _mode_of(path)

        try:
            with create_file(temporary, mode=0o600) as stream:
                _about_to("write", temporary)
                write_all(stream, data)
                if hasattr(os, "fchmod"):
                    os.fchmod(stream.fileno(), mode)
                if durable:
                    flush(stream, temporary)
            replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            flush_folder(path.parent)


def _mode_of(path: Path) -> int:
    """The permissions of a regular file, or those of a new one where there is none (a link has none of its own)."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return default_mode(executable=False)
    return stat.S_IMODE(state.st_mode) if stat.S_ISREG(state.st_mode) else default_mode(executable=False)


@functools.cache
def _umask() -> int:
    """This process's umask; it can only be read by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current


def default_mode(*, executable: bool) -> int:
    """What a new file's permissions are: `0644` or `0755`, minus the umask (format.md §1)."""
    return (0o755 if executable else 0o644) & ~_umask()


def temporary_beside(path: Path) -> Path:
    """A name for a private temporary file in the same folder, short enough for every file system."""
    return path.with_name(f".alive-p2p-{secrets.token_hex(8)}.tmp")


_TEMPORARY = re.compile(r"\.alive-p2p-[0-9a-f]{16}\.tmp")


# --- renaming -------------------------------------------------------------------------------------------------


def replace(source: Path, target: Path) -> None:
    """Rename over whatever is at `target`. Raises `OSError`."""
    _about_to("replace", source, target)
    source.replace(target)


def rename_exclusive(source: Path, target: Path) -> None:
    """Rename a file or folder to a name that must be free, in one atomic step where the system has one.

    Linux has `renameat2(RENAME_NOREPLACE)`, macOS `renamex_np(RENAME_EXCL)`, Windows' rename never replaces.
    Elsewhere (and on file systems without it) the name is claimed first: a file by a hard link, a folder by
    creating it empty, which a rename of a folder then replaces.

    Raises:
        FileExistsError: something is there already, whatever it is.
        OSError: as `rename` does.
    """
    _about_to("rename", source, target)
    native_rename = native.exclusive_rename()
    if native_rename is not None:
        try:
            native_rename(source, target)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
                raise
        else:
            return
    if os.name == "nt":
        source.rename(target)
    elif source.is_dir() and not source.is_symlink():
        target.mkdir(mode=0o700)
        try:
            _about_to("rename-onto-claim", source, target)
            source.rename(target)
        except BaseException:
            with suppress(OSError):
                target.rmdir()
            raise
    else:
        os.link(source, target, follow_symlinks=False)
        _about_to("remove-old-name", source, target)
        source.unlink()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no hard links. Raises `OSError`."""
    _about_to("link", source, target)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise
        shutil.copy2(source, target, follow_symlinks=False)


# --- flushing -------------------------------------------------------------------------------------------------


def flush(stream: BinaryIO, path: Path) -> None:
    """Make a file's content durable. Raises `OSError`."""
    _about_to("flush", path)
    os.fsync(stream.fileno())


def flush_folder(path: Path) -> None:
    """Make the names in a folder durable. Raises `OSError`. Windows has no such call and needs none."""
    _about_to("flush-folder", path)
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(root: Path) -> None:
    """Make a folder with its name and everything below it durable: one `syncfs` where there is one, else each alone.

    Raises:
        OSError: the disk refused, now or in a flush that was begun here before.
    """
    _about_to("flush-tree", root)
    _end_begun(root)
    if _flush_file_system(root):
        return
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            descriptor = os.open(Path(folder, name), os.O_RDWR if os.name == "nt" else os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        flush_folder(Path(folder))
    flush_folder(root.parent)


class _Flush(threading.Thread):
    """A flush of a file system beside other work. What the system says of a failed write it says once: here."""

    def __init__(self, root: Path) -> None:
        super().__init__(name="flush", daemon=True)
        self.error: OSError | None = None
        self._root = root

    def run(self) -> None:
        try:
            _flush_file_system(self._root)
        except OSError as error:
            self.error = error


_begun: dict[Path, _Flush] = {}


def begin_flush(root: Path) -> None:
    """Have the disk begin with what was written, beside what is done meanwhile.

    Nothing is promised by it: `flush_tree` of this folder, or of one above it, comes after, and raises what it met.
    """
    if native.flush_file_system() is not None:
        with suppress(RuntimeError):  # the system has no thread to give
            (flush := _Flush(root)).start()
            _begun[root] = flush


def _end_begun(root: Path) -> None:
    """Wait for what was begun in a folder, and raise what it met."""
    for folder, flush in list(_begun.items()):
        if folder.is_relative_to(root):
            flush.join()
            _begun.pop(folder, None)
            if flush.error is not None:
                raise flush.error


def _flush_file_system(root: Path) -> bool:
    flush_all = native.flush_file_system()
    if flush_all is None:
        return False
    descriptor = os.open(root, os.O_RDONLY)
    try:
        flush_all(descriptor)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return False
        raise
    finally:
        os.close(descriptor)
    return True


# --- removing -------------------------------------------------------------------------------------------------


def remove_file(path: Path) -> None:
    """Remove a file; it is fine if it is not there. Raises `OSError`."""
    _about_to("remove", path)
    path.unlink(missing_ok=True)


def remove_empty_folder(path: Path) -> None:
    """Remove a folder that is empty. Raises `OSError`, also where it is not."""
    _about_to("remove-folder", path)
    path.rmdir()


def is_temporary(name: str) -> bool:
    """Whether a name is one of `temporary_beside`: a file that has not got its name yet."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep_temporaries(folder: Path, *, older_than: float | None = None) -> None:
    """Remove the private temporary files that a killed process left.

    Args:
        folder: where.
        older_than: seconds since 1970; only those last written before. Without it nobody may be writing one.
    """
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            is_ours = _TEMPORARY.fullmatch(path.name) and not is_link(path) and is_file(path)
            if is_ours and (older_than is None or path.lstat().st_mtime < older_than):
                remove_file(path)


def remove_tree(root: Path) -> None:
    """Remove a folder of our own with all it holds, also where its permissions forbid it; links are not followed.

    It is fine if it is not there. Raises `OSError` where something stays, and where `root` itself is a link.
    """
    _about_to("remove-tree", root)
    with suppress(OSError):
        _end_begun(root)
    if not os.path.lexists(root):
        return
    if is_link(root):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(root))
    try:
        shutil.rmtree(root)
    except OSError:
        _open_up(root)
        shutil.rmtree(root)


def _open_up(root: Path) -> None:
    """Give the owner every right to all folders below, from the top down."""
    with suppress(OSError):
        root.chmod(0o700)
    for folder, names, _ in os.walk(root):
        for name in names:
            place = Path(folder, name)
            if not is_link(place):
                with suppress(OSError):
                    place.chmod(0o700)
