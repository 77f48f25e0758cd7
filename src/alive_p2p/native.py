"""System calls that Python's standard library does not have: exclusive rename, flushing a file system, writing out.

Each is None where the system does not have it, and the caller takes another way.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

_AT_FDCWD = -100


@functools.cache
def exclusive_rename() -> Callable[[Path, Path], None] | None:
    """Rename to a name that must be free, in one step: `renameat2(RENAME_NOREPLACE)`, `renamex_np(RENAME_EXCL)`.

    The function raises `OSError`, `FileExistsError` where something is there.
    """
    name, flag = {"linux": ("renameat2", 1), "darwin": ("renamex_np", 4)}.get(sys.platform, ("", 0))
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if function is None:
        return None

    def rename(source: Path, target: Path) -> None:
        old, new = os.fsencode(source), os.fsencode(target)
        if name == "renameat2":
            result = function(_AT_FDCWD, old, _AT_FDCWD, new, ctypes.c_uint(flag))
        else:
            result = function(old, new, ctypes.c_uint(flag))
        if result != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(target))

    return rename


@functools.cache
def flush_file_system() -> Callable[[int], None] | None:
    """Flush the file system that a descriptor lies on: Linux's `syncfs`. The function raises `OSError`."""
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is None:
        return None

    def flush(descriptor: int) -> None:
        if function(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return flush


_WRITE = 2  # SYNC_FILE_RANGE_WRITE: begin, and do not wait


@functools.cache
def begin_writing_out() -> Callable[[int], None] | None:
    """Have the disk begin with what was written to a descriptor: Linux's `sync_file_range`.

    The function promises nothing and raises nothing: whatever goes wrong is told when the file is flushed.
    """
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if function is None:
        return None

    def begin(descriptor: int) -> None:
        function(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_WRITE))

    return begin
