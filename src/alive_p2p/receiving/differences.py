"""What an update would change in text files, line by line (receive.md §12)."""

import difflib
import tempfile
from pathlib import Path

from alive_p2p import files
from alive_p2p.package.reader import Contents, PackageReader
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.receiving.threeway import FileFate

_MOST_BYTES = 1 << 20
_COMPARED = frozenset([FileFate.REPLACE, FileFate.CONFLICT, FileFate.MERGE, FileFate.KNOWN_CONFLICT])


def differences(package: PackageReader, contents: Contents, plan: ReceivePlan) -> tuple[str, ...]:
    """Unified diffs of every text file that differs, ours before and theirs after; the lines are not escaped.

    The package's files are read in a private temporary folder, which is removed again.

    Raises:
        PackageError: the package is no longer what was checked.
        FileSystemError: something cannot be read or written.
    """
    compared = [one for one in plan.changes if one.fate in _COMPARED and one.package_path is not None]
    if not compared:
        return ()
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="alive-p2p-") as name:
        names = {str(one.package_path): str(number) for number, one in enumerate(compared)}
        package.unpack(contents, Path(name), names)
        for number, one in enumerate(compared):
            lines += _diff(plan.target / one.path, Path(name) / str(number), one.path)
    return tuple(lines)


def _diff(ours: Path, theirs: Path, path: str) -> list[str]:
    before, after = _text(ours), _text(theirs)
    if before is None or after is None:
        return [f"{path}: not text, or too large to show"]
    return list(difflib.unified_diff(before, after, f"yours/{path}", f"theirs/{path}", lineterm=""))


def _text(path: Path) -> list[str] | None:
    if files.is_link(path) or not files.is_file(path):
        return None
    with files.translating("read", path):
        if path.stat().st_size > _MOST_BYTES:
            return None
        data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.splitlines()
