"""`_kernel/imports.json`: what was received here, and who this walnut is (receive.md §4, §5).

`{"walnut_id": …, "imports": [entry…]}`. Unknown fields of the ledger and of its entries survive. A ledger that
cannot be parsed is never overwritten.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from alive_p2p.errors import WalnutError
from alive_p2p.walnut import kernel
from alive_p2p.walnut.agent_files import rearmed
from alive_p2p.walnut.tasks import Tasks

LIVE_CONTEXT = "."
"""The ledger's name for what a full package brings beside its bundles."""

LISTS_KEPT = 4
"""Of how many earlier receives of a bundle the files stay listed: undo goes three back, and needs the one before."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BrokenLedgerError(WalnutError):
    """The ledger is not JSON, or not of the ledger's shape."""


@dataclass(frozen=True)
class InstalledFile:
    """One file of a bundle as a receive left it.

    Attributes:
        sha256: its hash in the package.
        installed: path from the walnut where it was put.
        installed_sha256: its hash as it was put there.
    """

    sha256: str
    installed: str
    installed_sha256: str


@dataclass(frozen=True)
class UndoNote:
    """What taking a receive back needs besides the lists of its files.

    Attributes:
        makes_walnut: it made the walnut.
        made: the hash of what it wrote that no list names, by path in the walnut; of the log without the entries of
            receives.
        updated: the groups that were merged into what was here.
        folder: the name in the undo store of what gave way; None where nothing changed.
    """

    makes_walnut: bool
    made: Mapping[str, str]
    updated: tuple[str, ...]
    folder: str | None

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any]) -> "UndoNote":
        """Read a note; fields of an unexpected type count as absent."""
        return cls(
            makes_walnut=raw.get("makes_walnut") is True,
            made=_text_map(raw.get("made")),
            updated=tuple(name for name in _list(raw.get("updated")) if isinstance(name, str)),
            folder=_text(raw.get("folder")),
        )


@dataclass(frozen=True)
class LedgerEntry:
    """One receive. `raw` is the entry as stored; the other attributes are read from it, tolerantly.

    Besides what receive.md §5 names: `based_on` is what the package said it was made from; `comparable` the hash
    without its sessions of every manifest that came with some, by its path here; `tasks` what task files held, by
    group and path; `undo` what taking it back needs, or None where another program wrote the entry.
    """

    raw: Mapping[str, Any]
    import_id: str
    scope: str
    created: str
    applied_bundles: tuple[str, ...]
    bundle_renames: Mapping[str, str]
    source_walnut_id: str | None
    source_key_sha256: str | None
    bundle_digests: Mapping[str, str]
    based_on: tuple[str, ...] = ()
    comparable: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Mapping[str, Tasks]] = field(default_factory=dict)
    undo: "UndoNote | None" = None

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any]) -> "LedgerEntry":
        """Read an entry; fields of an unexpected type count as absent."""
        return cls(
            raw=raw,
            import_id=_text(raw.get("import_id")) or "",
            scope=_text(raw.get("scope")) or "",
            created=_text(raw.get("created")) or "",
            applied_bundles=tuple(n for n in _list(raw.get("applied_bundles")) if isinstance(n, str)),
            bundle_renames=_text_map(raw.get("bundle_renames")),
            source_walnut_id=_text(raw.get("source_walnut_id")),
            source_key_sha256=_text(raw.get("source_key_sha256")),
            bundle_digests=_text_map(raw.get("bundle_digests")),
            based_on=tuple(one for one in _list(raw.get("based_on")) if isinstance(one, str)),
            comparable=_text_map(raw.get("comparable")),
            tasks={group: _tasks_map(held) for group, held in _map(raw.get("tasks")).items()},
            undo=UndoNote.from_raw(raw["undo"]) if isinstance(raw.get("undo"), dict) else None,
        )

    @cached_property
    def files(self) -> Mapping[str, Mapping[str, InstalledFile]]:
        """Per group of files, by their path in the package, how they were installed."""
        return {
            bundle: {
                path: row
                for path, value in _map(rows).items()
                if (row := _row(value, path, bundle, self.folder_of(bundle))) is not None
            }
            for bundle, rows in _map(self.raw.get("files")).items()
        }

    @property
    def origin(self) -> str:
        """Who it came from: the key that signed, or else the name that the package gave."""
        signer = _map(self.raw.get("signer"))
        return _text(signer.get("pubkey_id")) or _text(self.raw.get("sender")) or "unknown"

    def folder_of(self, bundle: str) -> str:
        """The folder a bundle of the package was put into by this receive."""
        return self.bundle_renames.get(bundle, bundle)


@dataclass(frozen=True)
class Ledger:
    """A ledger; `entries` oldest first."""

    walnut_id: str | None = None
    entries: tuple[LedgerEntry, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes | None) -> "Ledger":
        """Read a ledger; None (no file) is an empty one.

        Raises:
            BrokenLedgerError: it cannot be parsed, or is not a ledger.
        """
        if data is None:
            return cls()
        try:
            document = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise _broken("it is not JSON") from None
        if not isinstance(document, dict) or not isinstance(document.get("imports", []), list):
            raise _broken("it is not a ledger")
        if not all(isinstance(entry, dict) for entry in document.get("imports", [])):
            raise _broken("an entry is not an object")
        walnut_id = document.get("walnut_id")
        if isinstance(walnut_id, str):
            walnut_id = walnut_id.strip().lower()
        if walnut_id is not None and not is_walnut_id(walnut_id):
            raise _broken("its `walnut_id` is not a UUID")
        return cls(
            walnut_id=walnut_id,
            entries=tuple(LedgerEntry.from_raw(entry) for entry in document.get("imports", [])),
            extra={k: v for k, v in document.items() if k not in {"walnut_id", "imports"}},
        )

    def serialise(self) -> bytes:
        """The ledger as it is stored."""
        document: dict[str, Any] = {} if self.walnut_id is None else {"walnut_id": self.walnut_id}
        document |= {**self.extra, "imports": [dict(entry.raw) for entry in self.entries]}
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")

    def with_entry(self, raw: Mapping[str, Any]) -> "Ledger":
        """The same ledger with one more receive; what older receives listed of the same bundles is forgotten."""
        groups = _map(raw.get("files"))
        left = dict.fromkeys(groups, LISTS_KEPT)
        older: list[LedgerEntry] = []
        for entry in reversed(self.entries):
            old = {name for name in entry.files if left.get(name, 1) == 0}
            for name in entry.files.keys() & left.keys() - old:
                left[name] -= 1
            older.append(_without_lists(entry, old) if old else entry)
        return Ledger(self.walnut_id, (*reversed(older), LedgerEntry.from_raw(raw)), self.extra)

    def without_entry(self, raw: Mapping[str, Any]) -> "Ledger":
        """The same ledger without one receive; where it is there several times, without the last."""
        for index in range(len(self.entries) - 1, -1, -1):
            if dict(self.entries[index].raw) == dict(raw):
                return Ledger(self.walnut_id, self.entries[:index] + self.entries[index + 1 :], self.extra)
        return self

    def with_walnut_id(self, walnut_id: str) -> "Ledger":
        """The same ledger of a walnut with this id."""
        return Ledger(walnut_id, self.entries, self.extra)

    def known_walnut_ids(self) -> set[str]:
        """The walnut's own id and those its receives came from."""
        ids = {e.source_walnut_id for e in self.entries} | {self.walnut_id}
        return {one for one in ids if one is not None}

    def known_key_hashes(self) -> set[str]:
        """The hashes of the senders' `key.md` that were recorded."""
        return {e.source_key_sha256 for e in self.entries if e.source_key_sha256 is not None}

    def of_import(self, import_id: str) -> Iterable[LedgerEntry]:
        """The receives of one package, oldest first."""
        return (entry for entry in self.entries if entry.import_id == import_id)

    def original_names(self) -> dict[str, str]:
        """For files that were installed under another name than they came with: path here to path to share under."""
        found: dict[str, str] = {}
        for entry in self.entries:
            for rows in entry.files.values():
                for original, row in rows.items():
                    name = rearmed(row.installed, original)
                    if name != row.installed:
                        found[row.installed] = name
        return found

    def last_of_bundle(self, bundle: str, walnut_id: str | None) -> LedgerEntry | None:
        """The latest receive that applied a bundle of this name, from the same walnut where that is known."""
        for entry in reversed(self.entries):
            same = walnut_id is None or entry.source_walnut_id in {None, walnut_id}
            if same and bundle in entry.applied_bundles:
                return entry
        return None


def is_walnut_id(value: object) -> bool:
    """Whether a value is a UUID in its usual lower-case form."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _broken(why: str) -> BrokenLedgerError:
    return BrokenLedgerError(
        "broken-ledger",
        f"the ledger `_kernel/imports.json` cannot be used: {why}",
        untouched="everything",
        hint="mend it, or move it away: then what was received before is not known",
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text_map(value: object) -> dict[str, str]:
    return {k: v for k, v in _map(value).items() if isinstance(v, str)}


def _tasks_map(value: object) -> dict[str, Tasks]:
    return {
        path: {identity: task for identity, task in _map(tasks).items() if isinstance(task, dict)}
        for path, tasks in _map(value).items()
    }


def _row(value: object, path: str, bundle: str, folder: str) -> InstalledFile | None:
    """One file: `[sha256, installed, installed_sha256]`, or only the hash where the file was put as it came."""
    if isinstance(value, str):
        if _SHA256.fullmatch(value) is None:
            return None
        return InstalledFile(value, usual_place(path, bundle, folder), value)
    if isinstance(value, list) and len(value) == 3 and all(isinstance(item, str) for item in value):
        return InstalledFile(*value)
    return None


def usual_place(path: str, bundle: str, folder: str) -> str:
    """Where a file of a package is put in a walnut, if nothing else is said: in the folder its bundle has here."""
    for prefix in (f"{bundle}/", f"{kernel.V2_CONTAINER}/{bundle}/"):
        if path.startswith(prefix):
            return f"{folder}/{path.removeprefix(prefix)}"
    return path


def _without_lists(entry: LedgerEntry, groups: set[str]) -> LedgerEntry:
    """An entry that keeps what was received and forgets which files those were."""
    lists = {
        name: {k: v for k, v in _map(entry.raw.get(name)).items() if k not in groups} for name in ("files", "tasks")
    }
    return LedgerEntry.from_raw({**entry.raw, **{name: held for name, held in lists.items() if name in entry.raw}})
