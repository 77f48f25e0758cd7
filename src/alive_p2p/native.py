"""System calls that Python's standard library does not have: exclusive rename, and flushing a file system.

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
