"""What a receive has displaced, kept in the walnut so that the receive can be taken back (receive.md §5).

`_kernel/.p2p/undo/<moment>-<import id>/` holds `record.json`, which lists every file that an update has touched, and
under a number each the files that gave way. Only the last few are kept.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.walnut import kernel
from alive_p2p.walnut.tasks import Tasks

UNDO_FOLDER = f"{kernel.PRIVATE}/undo"
UNDO_KEPT = 3
"""How many updates can be taken back, one after the other."""
RECORD = "record.json"
_VERSION = 1
_LIMIT = 64 << 20


@dataclass(frozen=True)
class Touched:
    """One file that an update has touched.

    Attributes:
        path: path in the walnut.
        was: the SHA-256 of what gave way; None where nothing was.
        now: the SHA-256 of what was put there; None where nothing was.
        kept: the name in the store of what gave way; None where nothing did.
        tasks: what was put there, of a task file.
    """

    path: str
    was: str | None
    now: str | None
    kept: str | None = None
    tasks: Tasks | None = None


@dataclass(frozen=True)
class Record:
    """What one update has done.

    Attributes:
        touched: every file that it has touched.
        folders: the folders that it has made, as paths in the walnut.
        dropped: the folders that it has removed, likewise.
    """

    touched: tuple[Touched, ...]
    folders: frozenset[str]
    dropped: frozenset[str] = frozenset()


def serialise(
    import_id: str, at: str, touched: Sequence[Touched], folders: Iterable[str], dropped: Iterable[str] = ()
) -> bytes:
    """The record of an update: every file that it touches, and the folders that it makes and removes."""
    rows: list[dict[str, Any]] = []
    for one in touched:
        row: dict[str, Any] = {"path": one.path, "was": one.was, "now": one.now}
        row |= {} if one.kept is None else {"kept": one.kept}
        row |= {} if one.tasks is None else {"tasks": dict(one.tasks)}
        rows.append(row)
    document: dict[str, Any] = {"version": _VERSION, "import_id": import_id, "at": at, "files": rows}
    document |= {"folders": sorted(folders), "dropped": sorted(dropped)}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def read(walnut: Path, folder: str) -> Record | None:
    """The record of an update; None where it is no longer kept, or cannot be understood.

    Args:
        walnut: its root.
        folder: the name in the store.

    Raises:
        FileSystemError: it is there and cannot be read.
    """
    if not _is_our_folder(walnut) or folder in {"", ".", ".."} or "/" in folder or "\\" in folder:
        return None
    data = files.read_bytes_if_present(walnut / UNDO_FOLDER / folder / RECORD, limit=_LIMIT)
    if data is None:
        return None
    try:
        document = json.loads(data)
        if document["version"] != _VERSION:
            return None
        folders, dropped = document["folders"], document.get("dropped", [])
        for paths in (folders, dropped):
            if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
                return None
        return Record(tuple(_touched(row) for row in document["files"]), frozenset(folders), frozenset(dropped))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _touched(row: Mapping[str, Any]) -> Touched:
    """Raises `ValueError`, `KeyError` or `TypeError` for anything that is none."""
    path, was, now, kept, tasks = row["path"], row["was"], row["now"], row.get("kept"), row.get("tasks")
    is_text = isinstance(path, str) and all(one is None or isinstance(one, str) for one in (was, now, kept))
    is_kept = kept is None if was is None else kept is not None and kept.isascii() and kept.isdigit()
    if not is_text or not is_kept or not (tasks is None or isinstance(tasks, dict)):
        raise ValueError
    return Touched(path, was, now, kept, tasks)


@dataclass(frozen=True)
class Size:
    """How much is kept."""

    updates: int
    bytes: int


def size(walnut: Path) -> Size:
    """How many updates can still be taken back, and the bytes that are kept for that.

    Raises:
        FileSystemError: a folder cannot be read.
    """
    folders = _folders(walnut)
    with files.translating("read", walnut / UNDO_FOLDER):
        held = sum(path.lstat().st_size for folder in folders for path in folder.iterdir())
    return Size(len(folders), held)


def forget_oldest(walnut: Path) -> None:
    """Keep no more than the last few of what was displaced. The walnut's lock is held by the caller.

    The receive has happened by then, so what cannot be forgotten now is forgotten the next time.
    """
    with suppress(OSError, FileSystemError):
        for old in _folders(walnut)[:-UNDO_KEPT]:
            files.remove_tree(old)


def _folders(walnut: Path) -> list[Path]:
    """The folders of the store, oldest first. Raises `FileSystemError`."""
    folder = walnut / UNDO_FOLDER
    if not _is_our_folder(walnut):
        return []
    with files.translating("read", folder):
        return sorted(path for path in folder.iterdir() if files.is_folder(path) and not files.is_link(path))


def _is_our_folder(walnut: Path) -> bool:
    """Whether the store is a folder of this walnut, and not somewhere else by a link."""
    folder = walnut / UNDO_FOLDER
    return not (files.is_link(walnut / kernel.PRIVATE) or files.is_link(folder)) and files.is_folder(folder)
