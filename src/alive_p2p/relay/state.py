"""`state.json`: what was seen of the relays, and what could not be done (relay.md §2).

Written by probe, push and pull, never by hand, and never the truth about who is trusted: that is `relay.json` and the
keyring.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime

_LIMIT = 16 << 20
_WAIT_SECONDS = 10.0
_ABANDONED_SECONDS = 24 * 3600
"""So old is no file that somebody is still writing."""
_VERSION = 1


@dataclass(frozen=True)
class RelayState:
    """The file; `raw` is the document as stored, unknown fields and all."""

    path: Path
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last_probe(self) -> str | None:
        """When the relays were last looked at."""
        value = self.raw.get("last_probe")
        return value if isinstance(value, str) else None

    def peer(self, name: str) -> Mapping[str, Any]:
        """What was seen of one peer: `reachable`, `pending_packages`, `undelivered`, `error`, `answer` and more."""
        peers = self.raw.get("peers")
        entry = peers.get(name) if isinstance(peers, dict) else None
        return entry if isinstance(entry, dict) else {}

    def with_peer(self, name: str, fields: Mapping[str, Any]) -> "RelayState":
        """The same with these fields of one peer; None is a value like any other."""
        peers = self.raw.get("peers")
        known = peers if isinstance(peers, dict) else {}
        return RelayState(self.path, {**self.raw, "peers": {**known, name: {**self.peer(name), **fields}}})

    def without_peer(self, name: str) -> "RelayState":
        """The same without a peer."""
        peers = self.raw.get("peers")
        known = peers if isinstance(peers, dict) else {}
        return RelayState(self.path, {**self.raw, "peers": {key: one for key, one in known.items() if key != name}})

    def renamed(self, name: str, new: str) -> "RelayState":
        """The same with a peer under another name; where nothing is known under the first, it is done already."""
        known = self.peer(name)
        return self.with_peer(new, known).without_peer(name) if known else self

    def with_field(self, name: str, value: object) -> "RelayState":
        """The same with a field that is about no peer."""
        return RelayState(self.path, {**self.raw, name: value})

    def with_probe(self, at: str) -> "RelayState":
        """The same, looked at just now."""
        return RelayState(self.path, {**self.raw, "last_probe": at})

    def serialise(self) -> bytes:
        """The file."""
        document = {"version": _VERSION, "last_probe": None, "peers": {}, **self.raw}
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def read_state(runtime: Runtime) -> RelayState:
    """Read `state.json`; a missing one is an empty one.

    Raises:
        AliveP2PError: it cannot be parsed; it is named and left as it is.
    """
    path = runtime.alive_home / "relay" / "state.json"
    data = files.read_bytes_if_present(path, limit=_LIMIT)
    if data is None:
        return RelayState(path)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("peers", {}), dict):
        raise AliveP2PError(
            "broken-relay-state",
            f"'{path}' cannot be used: it is not what this program writes",
            untouched="everything",
            hint="move it away: it only says what was seen last, and is made anew",
        )
    return RelayState(path, document)


def change_state(runtime: Runtime, change: Callable[[RelayState], RelayState]) -> RelayState:
    """Change `state.json`, atomically and with nobody else changing it meanwhile.

    Raises:
        AliveP2PError: it cannot be used, or not be written.
    """
    folder = runtime.alive_home / "relay"
    files.ensure_private_folder(folder)
    with walnut_lock(folder, "relay", runtime, wait_seconds=_WAIT_SECONDS):
        before = read_state(runtime)
        after = change(before)
        if after.raw != before.raw:
            # A process that was killed while it wrote has left its half of the file.
            files.sweep_temporaries(folder, older_than=runtime.now().timestamp() - _ABANDONED_SECONDS)
            files.replace_file(after.path, after.serialise(), mode=0o600)
        return after
