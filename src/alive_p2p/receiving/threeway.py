"""What becomes of one file when an update meets what is here: three versions, each known by its hash (receive.md §5).

Pure functions. A version is the set of hashes under which it counts as the same; an absent file is the empty set.
"""

import re
from collections.abc import Callable, Collection, Sequence
from enum import Enum

from alive_p2p.package.paths import MAX_SEGMENT_BYTES
from alive_p2p.walnut.states import State
from alive_p2p.walnut.tasks import lists_tasks

Version = frozenset[str]
ABSENT: Version = frozenset()
IN_THE_WAY: Version = frozenset(["in the way"])
"""Here is something that is no file: a folder or a link. It is never replaced."""


class FileFate(Enum):
    """What an update does to one file; the value is the word for it in `--json`."""

    SAME = "same"
    """Both sides have the same."""
    ADD = "added"
    """It is new there."""
    REPLACE = "replaced"
    """It was changed there and not here."""
    REMOVE = "removed"
    """It was removed there and not changed here."""
    MERGE = "merged"
    """A task file that was changed on both sides: merged task by task."""
    CONFLICT = "conflict"
    """It was changed on both sides: ours stays, theirs is put beside it."""
    KNOWN_CONFLICT = "conflict-known"
    """The same, and theirs lies beside ours already."""
    KEEP = "kept"
    """It was changed here and not there."""
    KEEP_REMOVED = "kept-though-removed"
    """It was removed there and changed here: ours stays."""
    KEEP_UNSENT = "kept-though-not-sent"
    """The package does not hold it because its sender leaves such files out: ours stays."""


TAKES = frozenset([FileFate.ADD, FileFate.REPLACE])
"""Fates with which a file of the package is put in place."""


def fate_of(path: str, ours: Version, theirs: Version, bases: Sequence[State]) -> FileFate:
    """What becomes of a file.

    Args:
        path: inside the folder of its bundle.
        ours: what is here.
        theirs: what the package has.
        bases: the states that both sides know, the newest of them; none where nothing is known to be common.
    """
    if _is_same(ours, theirs) or any(_holds_both(base, path, ours, theirs) for base in bases):
        return FileFate.SAME
    is_unchanged_here = any(
        _is_same(ours, one) for one in ([base.here.get(path, ABSENT) for base in bases] or [ABSENT])
    )
    is_unchanged_there = any(
        _is_same(theirs, one) for one in ([base.there.get(path, ABSENT) for base in bases] or [ABSENT])
    )
    if is_unchanged_here and not is_unchanged_there:
        if not theirs:
            return FileFate.REMOVE
        return FileFate.REPLACE if ours else FileFate.ADD
    if is_unchanged_there and not is_unchanged_here:
        return FileFate.KEEP
    if not theirs:
        return FileFate.KEEP_REMOVED
    return FileFate.MERGE if ours and ours != IN_THE_WAY and lists_tasks(path) else FileFate.CONFLICT


def _holds_both(base: State, path: str, ours: Version, theirs: Version) -> bool:
    """Whether both sides are as they were together, although not equal: here it was converted when it came."""
    return path in base.here and _is_same(ours, base.here[path]) and _is_same(theirs, base.there.get(path, ABSENT))


def _is_same(one: Version, other: Version) -> bool:
    return bool(one & other) or (not one and not other)


_BESIDE = re.compile(r"(?P<stem>.+?)\.theirs-\d{8}(?:-\d+)?(?P<ext>\.[^.]*)?", re.DOTALL)


def family(path: str) -> str:
    """The file that a path is a version of: itself, or what `X.theirs-20260407.md` lies beside."""
    folder, slash, name = path.rpartition("/")
    match = _BESIDE.fullmatch(name)
    return path if match is None else f"{folder}{slash}{match['stem']}{match['ext'] or ''}"


def beside(path: str, day: str, is_free: Callable[[str], bool], what: str = "theirs") -> str:
    """Where another version of a file goes: `<name>.theirs-<YYYYMMDD><ext>`, then `-2`, `-3` and so on.

    Args:
        path: of ours.
        day: `YYYYMMDD`.
        is_free: whether a path can be taken.
        what: which version it is.
    """
    folder, slash, name = family(path).rpartition("/")
    stem, dot, ext = name.rpartition(".")
    if not stem:
        stem, dot, ext = name, "", ""
    if len(ext) > MAX_SEGMENT_BYTES // 8:
        stem, dot, ext = name, "", ""
    number = 1
    while True:
        suffix = f".{what}-{day}" + (f"-{number}" if number > 1 else "") + dot + ext
        room = MAX_SEGMENT_BYTES - len(suffix.encode())
        candidate = f"{folder}{slash}{stem.encode()[:room].decode('utf-8', 'ignore')}{suffix}"
        if is_free(candidate):
            return candidate
        number += 1


def settle_family(
    ours: dict[str, str], theirs: dict[str, str], conflicts: Collection[str]
) -> dict[str, FileFate] | None:
    """Where both sides hold the same versions of a file and only disagree which goes by which name, one side wins.

    It is the same side on both sides, whoever receives, so that two who never saw each other's choice end up alike.

    Args:
        ours: what is here of a file and what lies beside it: path to SHA-256.
        theirs: the same of the package.
        conflicts: the paths that are in conflict.

    Returns:
        A fate for every path, or None where the two do not hold the same versions.
    """
    if not conflicts or sorted(ours.values()) != sorted(theirs.values()):
        return None
    if sorted(ours.items()) <= sorted(theirs.items()):
        return dict.fromkeys(ours.keys() | theirs.keys(), FileFate.KEEP)
    fates: dict[str, FileFate] = {}
    for path in ours.keys() | theirs.keys():
        if path not in theirs:
            fates[path] = FileFate.REMOVE
        elif path not in ours:
            fates[path] = FileFate.ADD
        else:
            fates[path] = FileFate.SAME if ours[path] == theirs[path] else FileFate.REPLACE
    return fates
