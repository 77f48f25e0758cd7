"""What earlier packages held of a bundle, which is what an update is compared with (receive.md §5).

A walnut knows two kinds of such states: what it has received (its ledger) and what it has sent
(`_kernel/.p2p/sent/`). A package names the states it was made from in `based_on`; those that both sides know are
what they have in common.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LIVE_CONTEXT, Ledger, LedgerEntry
from alive_p2p.walnut.tasks import Tasks

SENT_FOLDER = f"{kernel.PRIVATE}/sent"
MOST_SENT = 8
"""How many sent states a walnut keeps; a recipient who is further behind has conflicts instead of updates."""
MOST_BASES = 32
"""How many states a package names."""
_VERSION = 1
_LIMIT = 64 << 20


@dataclass(frozen=True)
class State:
    """What one package held of one group: a bundle, the live context (`.`), or the kernel's tasks (`_kernel`).

    Attributes:
        ids: the import ids of the packages that held just this.
        based_on: the import ids of the states it was made from.
        folder: where the group lies in this walnut; "" for the live context.
        there: by the path inside the folder here, what a package holds of it: acceptable SHA-256s.
        here: the same, as it was put (or lay) here.
        tasks: by the path of a task file, what it held.
        origin: who it came from: the key that signed or else the name; None for what was sent from here.
        created: when the package was made.
    """

    ids: frozenset[str]
    based_on: frozenset[str]
    folder: str
    there: Mapping[str, frozenset[str]]
    here: Mapping[str, frozenset[str]]
    tasks: Mapping[str, Tasks] = field(default_factory=dict)
    origin: str | None = None
    created: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it was sent from here."""
        return self.origin is None


@dataclass(frozen=True)
class SentState:
    """What was sent at one time: by group, where it lay and the hashes of its files.

    Attributes:
        ids: the packages that held it; sending the same again adds one.
        at: when it was first sent.
        based_on: the states it was made from.
        groups: by name, its folder and its files: path inside the folder to SHA-256.
        tasks: by group, what its task files held.
    """

    ids: tuple[str, ...]
    at: str
    based_on: tuple[str, ...]
    groups: Mapping[str, tuple[str, Mapping[str, str]]]
    tasks: Mapping[str, Mapping[str, Tasks]] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """What its file is called."""
        return f"{self.ids[0][:16]}.json"

    def of(self, group: str) -> State | None:
        """One group of it, or None where it holds nothing of that."""
        if group not in self.groups:
            return None
        folder, rows = self.groups[group]
        hashes = {path: frozenset([sha256]) for path, sha256 in rows.items()}
        return State(frozenset(self.ids), frozenset(self.based_on), folder, hashes, hashes, self.tasks.get(group, {}))

    def serialise(self) -> bytes:
        """Its file."""
        groups = {
            name: {"folder": folder, "files": dict(rows), "tasks": dict(self.tasks.get(name, {}))}
            for name, (folder, rows) in self.groups.items()
        }
        document = {
            "version": _VERSION,
            "ids": list(self.ids),
            "at": self.at,
            "based_on": list(self.based_on),
            "groups": groups,
        }
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")

    @classmethod
    def parse(cls, data: bytes) -> "SentState":
        """Read its file.

        Raises:
            ValueError: it is not one.
        """
        try:
            document = json.loads(data)
            if document["version"] != _VERSION:
                raise ValueError("another version")
            groups = {
                str(name): (str(one["folder"]), {str(path): str(sha) for path, sha in one["files"].items()})
                for name, one in document["groups"].items()
            }
            tasks = {str(name): dict(one.get("tasks", {})) for name, one in document["groups"].items()}
            ids, based_on = _texts(document["ids"]), _texts(document["based_on"])
            if not ids:
                raise ValueError("no id")
            return cls(ids, str(document["at"]), based_on, groups, tasks)
        except (RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is not a record of what was sent") from error


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(str(one) for one in value)


def read_sent(root: Path) -> list[SentState]:
    """What was sent of a walnut, oldest first; a file that cannot be read counts as absent."""
    folder = root / SENT_FOLDER
    if files.is_link(root / kernel.PRIVATE) or files.is_link(folder) or not files.is_folder(folder):
        return []
    found: list[SentState] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(SentState.parse(files.read_bytes(path, limit=_LIMIT)))
        except (ValueError, FileSystemError):
            continue
    return _in_order(found)


def _in_order(states: list[SentState]) -> list[SentState]:
    """Oldest first, also where the clock stood still or was turned back: what names another comes after it."""
    left = sorted(states, key=lambda one: (one.at, one.ids))
    ordered: list[SentState] = []
    while left:
        waiting = {identity for one in left for identity in one.ids}
        first = next((one for one in left if not (set(one.based_on) & (waiting - set(one.ids)))), left[0])
        left.remove(first)
        ordered.append(first)
    return ordered


def write_sent(root: Path, state: SentState, known: Sequence[SentState]) -> None:
    """Keep a state, and forget the oldest. The walnut's lock is held by the caller.

    Args:
        root: the walnut.
        state: what is being sent.
        known: what `read_sent` gave.

    Raises:
        AliveP2PError: it cannot be written.
    """
    folder = root / SENT_FOLDER
    for one in (root / kernel.PRIVATE, folder):
        if files.is_link(one):
            raise FileSystemError(
                "symbolic-link",
                f"'{one}' is a symbolic link",
                untouched="everything",
                hint="make it a folder of its own, then run it again",
            )
        if not files.is_folder(one):
            with files.translating("create", one):
                files.make_folder(one, 0o700)
    same = next((one for one in known if one.groups == state.groups and one.based_on == state.based_on), None)
    if same is not None:
        if set(state.ids) <= set(same.ids):
            return
        state = replace(same, ids=(*same.ids, *state.ids)[-MOST_BASES:])
        files.replace_file(folder / same.file_name, state.serialise(), mode=0o600)
        return
    files.replace_file(folder / state.file_name, state.serialise(), mode=0o600)
    for old in known[: max(0, len(known) + 1 - MOST_SENT)]:
        if old.file_name != state.file_name:
            with files.translating("remove", folder / old.file_name):
                files.remove_file(folder / old.file_name)


def received_states(ledger: Ledger, group: str) -> list[State]:
    """What was received of a group, oldest first."""
    return [state for entry in ledger.entries if (state := _of_entry(entry, group)) is not None]


def _of_entry(entry: LedgerEntry, group: str) -> State | None:
    if group not in entry.files:
        return None
    folder = kernel.KERNEL if group == kernel.KERNEL else "" if group == LIVE_CONTEXT else entry.folder_of(group)
    prefix = f"{folder}/" if folder else ""
    there: dict[str, frozenset[str]] = {}
    here: dict[str, frozenset[str]] = {}
    for row in entry.files[group].values():
        if not row.installed.startswith(prefix):
            continue
        path = row.installed.removeprefix(prefix)
        comparable = frozenset([entry.comparable[row.installed]] if row.installed in entry.comparable else [])
        there[path] = frozenset([row.sha256]) | comparable
        here[path] = frozenset([row.installed_sha256]) | comparable
    return State(
        ids=frozenset([entry.import_id]),
        based_on=frozenset(entry.based_on),
        folder=folder,
        there=there,
        here=here,
        tasks=entry.tasks.get(group, {}),
        origin=entry.origin,
        created=entry.created,
    )


def newest(states: Iterable[State]) -> list[State]:
    """Those that no other of them was made from, directly or by way of others."""
    every = list(states)
    parents = {identity: state.based_on - state.ids for state in every for identity in state.ids}
    above = [_ancestors(state, parents) for state in every]
    return [
        state
        for index, state in enumerate(every)
        if not any(
            state.ids & above[other] and not one.ids & above[index] for other, one in enumerate(every) if other != index
        )
    ]


def _ancestors(state: State, parents: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    pending = list(state.based_on - state.ids)
    while pending:
        identity = pending.pop()
        if identity not in found:
            found.add(identity)
            pending += parents.get(identity, frozenset()) - found
    return frozenset(found)


def based_on(ledger: Ledger, sent: Sequence[SentState], groups: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """The states that a new package of these groups is made from, for its manifest.

    What was sent before with just this content is not among them, so that the same content gives the same package.

    Args:
        ledger: the walnut's.
        sent: what was sent of it.
        groups: by name, what the package will hold: path inside the folder to SHA-256.
    """
    received = [entry.import_id for entry in ledger.entries if set(groups) & entry.files.keys()]
    own = [
        identity
        for one in sent
        if any(name in one.groups and one.groups[name][1] != rows for name, rows in groups.items())
        for identity in one.ids
    ]
    return tuple(sorted(set([*dict.fromkeys(received)][-MOST_BASES:] + own[-MOST_BASES:])))
