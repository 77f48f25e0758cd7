"""`keys/index.json`: what is known about the keys in the keyring besides the keys themselves (relay.md §2).

`{"local_pubkey_id", "pubkeys": {"<pubkey_id>": {"peer_name", "path", "added_at", "added_by", "handle", "accepts",
"status"}}}`. The PEM files are the truth. An entry whose PEM file is missing is kept and means nothing, so that a
file that comes back finds its entry. Unknown fields survive.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from alive_p2p.keys.public import Kind

Status = Literal["paired", "unpaired", "revoked"]
STATUSES: tuple[Status, ...] = get_args(Status)

_ACCEPTS_BY_DEFAULT: Mapping[Kind, tuple[str, ...]] = {"rsa": ("rsa",), "ed25519": ("age",), "x25519": ("age",)}
"""Where nobody said what a peer accepts: other implementations read RSA envelopes, and no age (relay.md §4)."""


def default_accepts(kind: Kind) -> tuple[str, ...]:
    """The envelopes that the owner of a key of this kind surely reads."""
    return _ACCEPTS_BY_DEFAULT[kind]


class BrokenIndexError(ValueError):
    """The index is not JSON, or not of an index's shape; the text says which."""


@dataclass(frozen=True)
class KeyIndex:
    """An index; `raw` is the document as stored, with the entries of `pubkeys` by their `pubkey_id`."""

    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes | None) -> "KeyIndex":
        """Read an index; None (no file) is an empty one.

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
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise BrokenIndexError("its `pubkeys` is not an object of objects")
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
        value = self.entry(pubkey_id).get("status")
        return next((status for status in STATUSES if status == value), "unpaired")

    def accepts(self, pubkey_id: str, kind: Kind) -> tuple[str, ...]:
        """The envelopes a peer reads, or what its kind of key surely can where that is not known."""
        value = self.entry(pubkey_id).get("accepts")
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return tuple(value)
        return default_accepts(kind)

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
