"""What an update does to files, in words."""

from collections.abc import Sequence

from alive_p2p.cli.screen import plural, short
from alive_p2p.receiving.group_update import FileChange
from alive_p2p.receiving.threeway import FileFate

_SHOWN = 12

_WORDS = {
    FileFate.CONFLICT: "changed on both sides: yours stays, theirs goes beside it as '{beside}'",
    FileFate.KNOWN_CONFLICT: "changed on both sides: yours stays, theirs lies beside it already as '{beside}'",
    FileFate.KEEP_REMOVED: "removed there, changed here: yours stays",
    FileFate.KEEP_UNSENT: "not in the package, which leaves such files out: yours stays",
    FileFate.REMOVE: "removed there: removed here too",
    FileFate.MERGE: "changed on both sides: merged task by task",
    FileFate.REPLACE: "changed there: theirs is taken",
    FileFate.ADD: "new",
    FileFate.KEEP: "changed here only: yours stays",
}
_ORDER = list(_WORDS)
_COUNTED = {
    FileFate.ADD: "new",
    FileFate.REPLACE: "changed",
    FileFate.MERGE: "merged",
    FileFate.REMOVE: "removed",
    FileFate.CONFLICT: "in conflict",
    FileFate.KNOWN_CONFLICT: "in conflict as before",
    FileFate.KEEP: "kept as yours",
    FileFate.KEEP_REMOVED: "kept though removed there",
    FileFate.KEEP_UNSENT: "kept though not sent",
}
TOLD = frozenset([FileFate.CONFLICT, FileFate.KEEP_REMOVED, FileFate.KEEP_UNSENT])
"""What a person is told of after it is done: where both sides' work still has to be brought together by hand."""


def count_changes(changes: Sequence[FileChange]) -> str:
    """`2 changed, 1 new, 1 in conflict`; in words, where there is none."""
    fates = [one.fate for one in changes]
    return ", ".join(f"{fates.count(fate)} {word}" for fate, word in _COUNTED.items() if fate in fates) or "no change"


def overwritten(changes: Sequence[FileChange]) -> str:
    """How many files of the receiver give way."""
    replaced = sum(one.fate in {FileFate.REPLACE, FileFate.MERGE} for one in changes)
    removed = sum(one.fate is FileFate.REMOVE for one in changes)
    words = [f"{plural(replaced, 'file')} replaced"] * bool(replaced) + [f"{removed} removed"] * bool(removed)
    return f"{' and '.join(words)}; what gives way is kept" if words else "nothing"


def change_lines(changes: Sequence[FileChange], *, every: bool) -> list[str]:
    """A line per file, conflicts first.

    Args:
        changes: what is done.
        every: all of them; else every conflict, and the first of the others.
    """
    ordered = sorted(changes, key=lambda one: (_ORDER.index(one.fate), one.path))
    shown = ordered if every else [one for number, one in enumerate(ordered) if number < _SHOWN or one.fate in TOLD]
    lines = [
        f"  {short(one.path, 120)}: {_WORDS[one.fate].format(beside=short(one.beside or '', 120))}"
        + (", in place of a folder with nothing left in it" if one.replaces_folder else "")
        for one in shown
    ]
    if len(shown) < len(ordered):
        lines.append(f"  and {len(ordered) - len(shown):,} more; `--dry-run` lists all")
    return lines
