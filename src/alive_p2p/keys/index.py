"""`keys/index.json`: what is known about the keys in the keyring besides the keys themselves (relay.md §2).

`{"local_pubkey_id", "pubkeys": {"<pubkey_id>": {"peer_name", "path", "added_at", "added_by", "handle", "accepts",
"status"}}}`. The PEM files are the truth. An entry whose PEM file is missing is kept and means nothing, so that a
file that comes back finds its entry. Unknown fields survive.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from alive_p2p.errors import FileSystemError
from alive_p2p.keys.folder import read_if_present
from alive_p2p.keys.public import KeyProblem, Kind

Status = Literal["paired", "unpaired", "revoked"]
STATUSES: tuple[Status, ...] = get_args(Status)

_LIMIT = 4 << 20

_ACCEPTS_BY_DEFAULT: Mapping[Kind, tuple[str, ...]] = {"rsa": ("rsa",), "ed25519": ("age",), "x25519": ("age",)}
"""Where nobody said what a peer accepts: other implementations read RSA envelopes, and no age (relay.md §4)."""


def default_accepts(kind: Kind) -> tuple[str, ...]:
    """The envelopes that the owner of a key of this kind surely reads."""
    return _ACCEPTS_BY_DEFAULT[kind]


class BrokenIndexError(ValueError):
    """The index is not JSON, or not of an index's shape; the text says which.

    Attributes:
        rest: what counts nevertheless: the revocations that can be read.
    """

    def __init__(self, why: str, rest: "KeyIndex | None" = None) -> None:
        super().__init__(why)
        self.rest = rest or KeyIndex()


@dataclass(frozen=True)
class KeyIndex:
    """An index; `raw` is the document as stored, with the entries of `pubkeys` by their `pubkey_id`."""

    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes | None) -> "KeyIndex":
        """Read an index; None (no file) is an empty one (relay.md §2).

        Of the fields, those that trust rests on and that nobody but us writes must be of their type.

        Raises:
            BrokenIndexError: it cannot be parsed, or is not an index.
        """
        if data is None:
            return cls()
        try:
            document = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise BrokenIndexError("it is not JSON") from None
        if not isinstance(document, dict):
            raise BrokenIndexError("it is not an object")
        entries = document.get("pubkeys", {})
        if not isinstance(entries, dict):
            raise BrokenIndexError("its `pubkeys` is not an object")
        index = cls({**document, "pubkeys": {one: e for one, e in entries.items() if isinstance(e, dict)}})
        damaged = [one for one, entry in entries.items() if not isinstance(entry, dict) or not _is_sound(entry)]
        if damaged:
            revoked = {one: {"status": "revoked"} for one in index.entries if index.status(one) == "revoked"}
            raise BrokenIndexError(f"its entry for the key '{damaged[0][:40]}' is damaged", cls({"pubkeys": revoked}))
        return cls(document)

    def serialise(self) -> bytes:
        """The index as it is stored."""
        return (json.dumps(self.raw, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")

    @property
    def entries(self) -> Mapping[str, Mapping[str, Any]]:
        """The entries by `pubkey_id`."""
        entries: Mapping[str, Mapping[str, Any]] = self.raw.get("pubkeys", {})
        return entries

    def entry(self, pubkey_id: str) -> Mapping[str, Any]:
        """The entry of a key, empty where there is none."""
        return self.entries.get(pubkey_id, {})

    def text(self, pubkey_id: str, name: str) -> str | None:
        """A text of an entry; None where there is none, or something else."""
        value = self.entry(pubkey_id).get(name)
        return value if isinstance(value, str) else None

    def status(self, pubkey_id: str) -> Status:
        """What an entry says about a key; what is not understood counts as "unpaired"."""
        value = (self.text(pubkey_id, "status") or "").strip().lower()  # as people write it
        return next((status for status in STATUSES if status == value), "unpaired")

    def accepts(self, pubkey_id: str, kind: Kind) -> tuple[str, ...]:
        """The envelopes a peer reads, or what its kind of key surely can where that is not known."""
        value = self.entry(pubkey_id).get("accepts")
        return tuple(value) if value else default_accepts(kind)

    def with_entry(self, pubkey_id: str, fields: Mapping[str, Any]) -> "KeyIndex":
        """The same index with these fields of one entry; what else the entry has stays."""
        entries = {**self.entries, pubkey_id: {**self.entry(pubkey_id), **fields}}
        return KeyIndex({**self.raw, "pubkeys": entries})

    def without(self, pubkey_id: str) -> "KeyIndex":
        """The same index without an entry."""
        entries = {one: entry for one, entry in self.entries.items() if one != pubkey_id}
        return KeyIndex({**self.raw, "pubkeys": entries})

    def with_peer(self, pubkey_id: str, name: str, known: Mapping[str, Any]) -> "KeyIndex":
        """The same index with what a PEM file says: the key's name and place, and `known` where nothing is said."""
        place = {"peer_name": name, "path": f"peers/{name}.pem"}
        if known["status"] == "revoked":  # the PEM file says so, whatever the index thought
            place["status"] = "revoked"
        return self.with_entry(pubkey_id, {**known, **self.entry(pubkey_id), **place})

    def with_local(self, pubkey_id: str | None) -> "KeyIndex":
        """The same index with our own key's id."""
        return KeyIndex({**self.raw, "local_pubkey_id": pubkey_id, "pubkeys": dict(self.entries)})


def read_index(path: Path) -> tuple[KeyIndex, KeyProblem | None]:
    """Read `index.json`; a missing one is empty (relay.md §2).

    Returns:
        The index; and where the file cannot be read, what counts of it nevertheless, and the error for whoever
        needs the whole or would replace it.
    """
    restore = "restore it from a backup; or move it away, and import and confirm your peers again"
    try:
        return KeyIndex.parse(read_if_present(path, _LIMIT)), None
    except FileSystemError as error:
        rest, what, hint = KeyIndex(), error.message, error.hint or restore
    except BrokenIndexError as error:
        rest, what, hint = error.rest, f"'{path}' cannot be used: {error}", restore
    return rest, KeyProblem("broken-index", what, untouched="everything", hint=hint)


def _is_sound(entry: Mapping[str, Any]) -> bool:
    accepts = entry.get("accepts")
    return all(isinstance(entry.get(name), str | None) for name in ("handle", "status")) and (
        accepts is None or (isinstance(accepts, list) and all(isinstance(one, str) for one in accepts))
    )
