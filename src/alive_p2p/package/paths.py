"""Names inside a package: which are refused, and which only some systems can hold (format.md §1)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from alive_p2p.text import fold, has_unsafe_character

MANIFEST = "manifest.yaml"
"""The one member that is not listed in the manifest."""

README = "README.md"
PRIMER = "README.walnut.md"
"""Where the primer goes when the walnut has a `README.md` of its own."""

MAX_SEGMENT_BYTES = 255
"""What every common file system can hold in one name."""

MAX_PATH_BYTES = 1024
"""Leaves room for the target's own path below the 4,096 bytes of Linux and the 1,024 of macOS."""

STAGING_PREFIX = ".alive-receive"
"""Names that begin so belong to the receiving transaction, at any depth."""

_RESERVED_BUNDLES = frozenset(["_kernel", "bundles", "_core"])
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{name}{digit}" for name in ("com", "lpt") for digit in "123456789¹²³"]
)
_PLAIN = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_ .-]*/)*[A-Za-z0-9_][A-Za-z0-9_ .-]*")
"""Paths that break none of the rules if they are short; most are like this, and are asked about often."""

_WINDOWS_CHARACTERS = frozenset(':?*"<>|')


def refusal(path: str) -> str | None:
    """Why a path must not be in any package, or None where it may (format.md §1, rules 1, 2, 5, 6 and 8).

    Args:
        path: relative, `/`-separated, without a leading `./`; bytes that were not UTF-8 as lone surrogates.
    """
    if len(path) <= MAX_SEGMENT_BYTES and _PLAIN.fullmatch(path):
        return None
    if not path:
        return "it is empty"
    if path.startswith("/"):
        return "it is absolute"
    if "\\" in path:
        return "it has a backslash"
    if _DRIVE.match(path):
        return "it begins like a drive letter"
    if has_unsafe_character(path):
        return "it has a control, invisible or non-UTF-8 character"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES:,} bytes"
    return next((reason for segment in path.split("/") if (reason := _segment_refusal(segment))), None)


def _segment_refusal(segment: str) -> str | None:
    if not segment:
        return "it has an empty segment"
    if segment in {".", ".."}:
        return f"it has a `{segment}` segment"
    if segment.casefold().startswith(STAGING_PREFIX):
        return f"names beginning `{STAGING_PREFIX}` belong to the receiving transaction"
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"it has a name longer than {MAX_SEGMENT_BYTES} bytes"
    return None


def bundle_name_refusal(name: str) -> str | None:
    """Why a bundle must not be called so, or None where it may (receive.md §3)."""
    if "/" in name:
        return "it is a path"
    if reason := refusal(name):
        return reason
    if fold(name) in _RESERVED_BUNDLES:
        return "the name is reserved"
    return "it begins with a dot" if name.startswith(".") else None


def is_safe_segment(name: str) -> bool:
    """Whether a text can be used as one name in a folder, whatever the system."""
    return "/" not in name and refusal(name) is None and not windows_refusal(name) and not name.startswith(".")


def windows_refusal(path: str) -> str | None:
    """Why Windows cannot hold a path, or None where it can."""
    for segment in path.split("/"):
        if segment.split(".")[0].rstrip(" ").casefold() in _DEVICES:
            return "a name that Windows keeps for a device"
        if segment.endswith((".", " ")):
            return "a name ending in a dot or a space"
        if not _WINDOWS_CHARACTERS.isdisjoint(segment):
            return 'one of the characters :?*"<>|'
    return None


def ancestors(path: str) -> Iterator[str]:
    """The folders a path needs, outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def folders_of(files: Iterable[str]) -> set[str]:
    """All the folders that paths need."""
    folders: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:  # those above a known folder are known as well
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def colliding(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of paths that are one and the same where case or Unicode form do not count, each group sorted.

    Folders are compared as well: `Docs/a` and `docs/b` collide in their first segment.
    """
    by_fold: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for path in (*ancestors(name), name):
            by_fold[fold(path)].add(path)
    return sorted(tuple(sorted(group)) for group in by_fold.values() if len(group) > 1)
