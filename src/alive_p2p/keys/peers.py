"""The pinned keys of peers as files: `peers/<name>.pem` (relay.md §2).

A key that was revoked says so in its PEM file, in a line before the key (PEM allows such text, and readers pass
over it), so that losing the index never brings a revoked key back.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import FileSystemError, UsageError
from alive_p2p.keys.folder import names_in
from alive_p2p.keys.index import KeyIndex, Status
from alive_p2p.keys.public import MAX_KEY_BYTES, KeyProblem, PublicKey, load_public_key
from alive_p2p.runtime import format_timestamp
from alive_p2p.text import fold

_SAFE_NAME = re.compile(r"(?!.*\.\Z)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
"""Neither an option (`-x`), nor hidden, nor a name that Windows shortens (a dot at the end)."""

_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""What Windows takes for a device, with any extension."""

_OURSELVES = "you"
"""What we are called where peers are called by their names."""

_REVOKED = b"revoked"
_SAYS_REVOKED = re.compile(rb"[^A-Za-z]*revoked\b", re.IGNORECASE)
"""A line that says so however it was saved: after a byte order mark, blanks or a `#`, in any letters."""

_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z, in seconds since 1970."""

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Peer:
    """A peer's pinned key.

    Attributes:
        name: what we call the peer; the name of its PEM file.
        public: its key.
        handle: what the peer calls itself, compared with `sender`; None where that is not known.
        status: whether its packages count as the peer's ("paired"), not yet ("unpaired"), or never again ("revoked").
        added_at: when the key was pinned, as in `2026-04-07T10:15:00Z`.
        added_by: how it came here; "unknown" for a file that somebody put there.
        accepts: the envelopes the peer can read, such as `age` and `rsa`.
    """

    name: str
    public: PublicKey
    handle: str | None
    status: Status
    added_at: str
    added_by: str
    accepts: tuple[str, ...]


def check_name(name: str) -> None:
    """Refuse a name that cannot be a peer's: it becomes a file's name, stands in commands, and is shown as a person.

    Raises:
        UsageError: it is not 1 to 64 letters, digits, `.`, `_` or `-`; it starts with a dot or `-`, or ends with a
            dot; or it is a device of Windows, or the word for ourselves.
    """
    if not _is_name(name):
        raise UsageError(
            "bad-peer-name",
            f"'{name}' cannot be a peer's name",
            untouched="everything",
            hint="use up to 64 letters, digits, `.`, `_` and `-`, without `.` or `-` in front or `.` at the end; "
            f"not '{_OURSELVES}', and no device of Windows such as 'con'",
        )


def _is_name(name: str) -> bool:
    return bool(_SAFE_NAME.fullmatch(name)) and not _DEVICE.fullmatch(name) and name.lower() != _OURSELVES


def name_in_the_way(folder: Path, name: str) -> str | None:
    """The file that a peer's file would replace where letter case does not count, or None; usable or not.

    Raises:
        FileSystemError: the folder cannot be listed.
    """
    own = pem_path(folder, name).name
    return next((entry for entry in names_in(folder) if entry != own and fold(entry) == fold(own)), None)


def pem_path(folder: Path, name: str) -> Path:
    """Where a peer's key lies in `folder`, the folder `peers`."""
    return folder / f"{name}.pem"


def write_peer_key(folder: Path, name: str, public: PublicKey, *, is_revoked: bool) -> None:
    """Write a peer's PEM file atomically.

    Raises:
        FileSystemError: it cannot be written.
    """
    files.replace_file(pem_path(folder, name), (_REVOKED + b"\n" if is_revoked else b"") + public.pem())


def holds_key(folder: Path, name: str, public: PublicKey) -> bool:
    """Whether the file of a name is there and holds this key."""
    found = _read_peer(folder, name, KeyIndex(), lambda _: None)
    return found is not None and found.public == public


def read_peers(folder: Path, index: KeyIndex, warn: Warn) -> dict[str, Peer]:
    """Read all peers' keys, sorted by name; what cannot be used is passed over and told to `warn`."""
    found: dict[str, Peer] = {}
    names: dict[str, str] = {}
    for name in _names(folder, warn):
        peer = _read_peer(folder, name, index, warn)
        if peer is None:
            continue
        twin = found.pop(names.get(peer.public.fingerprint, ""), None)
        if twin is not None:
            peer = _one_of_two(twin, peer, folder, index, warn)
        found[peer.name] = peer
        names[peer.public.fingerprint] = peer.name
    alike: dict[str, str] = {}
    for name in found:
        if (other := alike.setdefault(fold(name), name)) != name:
            warn(f"'{pem_path(folder, name)}' differs from '{other}.pem' only in case: give one another name")
    return dict(sorted(found.items()))


def _one_of_two(first: Peer, second: Peer, folder: Path, index: KeyIndex, warn: Warn) -> Peer:
    """Of two files with one key, the one the index knows counts; a revocation in either counts."""
    used, other = first, second
    if index.text(second.public.pubkey_id, "peer_name") == second.name:
        used, other = second, first
    warn(f"'{pem_path(folder, other.name)}' is not used: it holds the same key as '{used.name}.pem'")
    return replace(used, status="revoked") if other.status == "revoked" else used


def _names(folder: Path, warn: Warn) -> Sequence[str]:
    try:
        entries = names_in(folder)
    except FileSystemError as error:
        warn(error.message)
        return ()
    names = []
    for entry in entries:
        if entry.startswith(".") or not entry.endswith(".pem"):
            continue
        name = entry.removesuffix(".pem")
        if _is_name(name):
            names.append(name)
        else:
            warn(f"'{folder / entry}' is not used: its name cannot be a peer's")
    return names


def _read_peer(folder: Path, name: str, index: KeyIndex, warn: Warn) -> Peer | None:
    path = pem_path(folder, name)
    try:
        data = files.read_bytes(path, limit=MAX_KEY_BYTES)
        with files.translating("read", path):
            changed = path.lstat().st_mtime
        is_revoked, data = _without_revocation(data)
        public = load_public_key(data)
    except FileSystemError as error:
        warn(error.message)
        return None
    except KeyProblem as problem:
        warn(f"'{path}' is not used: {problem.message}")
        return None
    if public.kind == "x25519":
        warn(f"'{path}' is not used: an age recipient cannot sign, so it cannot be a peer's key")
        return None
    key = public.pubkey_id
    return Peer(
        name,
        public,
        handle=index.text(key, "handle"),
        status="revoked" if is_revoked else index.status(key),
        added_at=index.text(key, "added_at") or _timestamp(changed),
        added_by=index.text(key, "added_by") or "unknown",
        accepts=index.accepts(key, public.kind),
    )


def _without_revocation(data: bytes) -> tuple[bool, bytes]:
    """Whether a file says in a line before its key that the key is revoked; and the file without that line."""
    head, begin, key = data.partition(b"-----BEGIN ")
    lines = head.splitlines(keepends=True)
    rest = [line for line in lines if not _SAYS_REVOKED.match(line)]
    return len(rest) < len(lines), b"".join(rest) + begin + key


def _timestamp(seconds: float) -> str:
    # A file may claim to be from any time; a timestamp has four digits of year.
    return format_timestamp(datetime.fromtimestamp(min(max(seconds, 0), _LAST_MOMENT), UTC))
