"""`relay.json`: our relay and our peers, as setup and pairing wrote them down (relay.md §2)."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime
from alive_p2p.text import breaks_the_line, nearest

_LIMIT = 4 << 20
_GH_SECONDS = 5.0
_LOGIN_BYTES = 4096
_WAIT_SECONDS = 10.0
_VERSION = 1

COPY = "copy"
"""A copy of the peer's pinned key is still to be left in our relay, and its answer to be removed there."""
HOST = "host"
"""The host's invitation to the peer's relay is still to be accepted."""
UNFINISHED = (COPY, HOST)


@dataclass(frozen=True)
class Invitation:
    """An invitation that was not answered yet: the secret in its code, and when it was made."""

    secret: bytes = field(repr=False)
    at: str = ""


@dataclass(frozen=True)
class Peer:
    """A peer in `relay.json`; `raw` is the entry as stored, the other attributes are read from it.

    Attributes:
        name: what we call the peer.
        exclude_patterns: what is kept from it.
        url: where its relay is; None until it has answered.
        inbox: our folder in its relay; None until then.
        added_at: when it was invited, or when we accepted its invitation.
        is_accepted: the two are paired.
        unfinished: what of the pairing is still to be done: `COPY`, `HOST`.
        invitation: what we have invited it with, until it has answered.
    """

    name: str
    exclude_patterns: tuple[str, ...] = ()
    url: str | None = None
    inbox: str | None = None
    added_at: str = ""
    is_accepted: bool = False
    unfinished: frozenset[str] = frozenset()
    invitation: Invitation | None = field(default=None, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folder(self) -> str:
        """Its folder in our relay: the name it was invited by, whatever it is called now."""
        return _text(self.raw.get("folder")) or self.name

    @property
    def former_keys(self) -> tuple[str, ...]:
        """The ids of the keys that were its before, the oldest first."""
        found = self.raw.get("former_keys")
        return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


@dataclass(frozen=True)
class RelayConfig:
    """What `relay.json` says; empty where there is none. `raw` is the document as stored, unknown fields and all."""

    path: Path
    username: str | None = None
    peers: Mapping[str, Peer] = field(default_factory=dict)
    url: str | None = None
    created_at: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def peer(self, name: str) -> Peer:
        """A peer by name.

        Raises:
            UsageError: nobody of that name is known; the message lists who is.
        """
        if name in self.peers:
            return self.peers[name]
        known = ", ".join(sorted(self.peers)) or "nobody yet"
        close = nearest(name, list(self.peers))
        raise UsageError(
            "unknown-peer",
            f"there is no peer '{name}'; known: {known}",
            untouched="everything",
            hint=f"did you mean '{close}'?" if close else "`alive-p2p relay peers list` shows them",
        )

    def with_relay(self, url: str, username: str, created_at: str) -> "RelayConfig":
        """The same with our relay."""
        relay = {**_mapping(self.raw.get("relay")), "url": url, "username": username, "created_at": created_at}
        return _read(self.path, {**self.raw, "relay": relay})

    def with_peer(self, name: str, fields: Mapping[str, Any]) -> "RelayConfig":
        """The same with these fields of one peer; what else its entry has stays, and None takes a field away."""
        peers = _mapping(self.raw.get("peers"))
        entry = {"url": None, "accepted": False, "exclude_patterns": [], **_mapping(peers.get(name)), **fields}
        kept = {key: value for key, value in entry.items() if value is not None or key == "url"}
        return _read(self.path, {**self.raw, "peers": {**peers, name: kept}})

    def with_unfinished(self, name: str, unfinished: Iterable[str]) -> "RelayConfig":
        """The same with what of the pairing with a peer is still to be done; nobody of that name needs nothing."""
        return self.with_peer(name, {"unfinished": sorted(unfinished) or None}) if name in self.peers else self

    def without_peer(self, name: str) -> "RelayConfig":
        """The same without a peer."""
        peers = {key: entry for key, entry in _mapping(self.raw.get("peers")).items() if key != name}
        return _read(self.path, {**self.raw, "peers": peers})

    @property
    def renaming(self) -> tuple[str, str] | None:
        """A peer that is getting another name at this moment, and that name; until it has, it is here under both."""
        entry = _mapping(self.raw.get("renaming"))
        name, new = _text(entry.get("from")), _text(entry.get("to"))
        return None if name is None or new is None else (name, new)

    def with_renaming(self, name: str, new: str) -> "RelayConfig":
        """The same with a peer under another name besides; in our relay its folder stays where it is."""
        peers = _mapping(self.raw.get("peers"))
        both = {**peers, new: {"folder": name, **peers[name]}} if name in peers else peers
        return _read(self.path, {**self.raw, "peers": both, "renaming": {"from": name, "to": new}})

    def without_renaming(self, *, keeps: str) -> "RelayConfig":
        """The same with that peer under one of the two names."""
        gone = {*(self.renaming or ())} - {keeps}
        peers = {key: entry for key, entry in _mapping(self.raw.get("peers")).items() if key not in gone}
        raw = {key: value for key, value in self.raw.items() if key != "renaming"}
        return _read(self.path, {**raw, "peers": peers})

    def serialise(self) -> bytes:
        """The file."""
        document = {"version": _VERSION, "relay": {}, "peers": {}, **self.raw}
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def read_config(runtime: Runtime) -> RelayConfig:
    """Read `relay.json`; a missing one is an empty one.

    Raises:
        AliveP2PError: it cannot be parsed, or has another shape; it is named and left as it is.
    """
    path = runtime.alive_home / "relay" / "relay.json"
    data = files.read_bytes_if_present(path, limit=_LIMIT)
    if data is None:
        return RelayConfig(path)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise _broken(path, "it is not JSON") from None
    if not isinstance(document, dict):
        raise _broken(path, "it is not an object")
    return _read(path, document)


def change_config(runtime: Runtime, change: Callable[[RelayConfig], RelayConfig]) -> RelayConfig:
    """Change `relay.json`, atomically and with nobody else changing it meanwhile.

    Args:
        runtime: the surroundings.
        change: gives what it is to say, from what it says.

    Raises:
        AliveP2PError: it cannot be used, or not be written.
    """
    folder = runtime.alive_home / "relay"
    files.ensure_private_folder(folder)
    with walnut_lock(folder, "relay", runtime, wait_seconds=_WAIT_SECONDS):
        before = read_config(runtime)
        after = change(before)
        if after.raw != before.raw:
            files.replace_file(after.path, after.serialise(), mode=0o600)
        return after


def _read(path: Path, document: Mapping[str, Any]) -> RelayConfig:
    relay, peers = _mapping(document.get("relay")), document.get("peers", {})
    if not isinstance(peers, dict):
        raise _broken(path, "`peers` is not an object")
    return RelayConfig(
        path,
        username=_text(relay.get("username")),
        peers={name: _peer(path, name, raw) for name, raw in peers.items()},
        url=_text(relay.get("url")),
        created_at=_text(relay.get("created_at")) or "",
        raw=document,
    )


def _peer(path: Path, name: str, raw: object) -> Peer:
    patterns = _patterns(path, name, raw)
    entry = _mapping(raw)
    invitation, secret = _mapping(entry.get("invitation")), b""
    with suppress(ValueError):
        secret = bytes.fromhex(_text(invitation.get("secret")) or "")
    return Peer(
        name,
        patterns,
        url=_text(entry.get("url")),
        inbox=_text(entry.get("inbox")),
        added_at=_text(entry.get("added_at")) or "",
        is_accepted=entry.get("accepted") is True,
        unfinished=frozenset(one for one in _list(entry.get("unfinished")) if one in UNFINISHED),
        invitation=Invitation(secret, _text(invitation.get("at")) or "") if secret else None,
        raw=entry,
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def own_handle(runtime: Runtime, *, gh_seconds: float = _GH_SECONDS) -> str | None:
    """What we call ourselves: `GH_USER`, else the username in `relay.json`, else `gh`'s login (cli.md, "Environment").

    None where nothing says; a `relay.json` that cannot be read matters where peers are named, not here.

    Args:
        runtime: the surroundings.
        gh_seconds: how long `gh` may take.
    """
    if name := runtime.environ.get("GH_USER"):
        return name
    with suppress(AliveP2PError):
        if name := read_config(runtime).username:
            return name
    return _login(runtime, gh_seconds)


def _login(runtime: Runtime, seconds: float) -> str | None:
    """The login that `gh` keeps in its own files; nothing is asked over the network."""
    program = shutil.which("gh", path=runtime.environ.get("PATH"))
    if program is None:
        return None
    import subprocess

    from alive_p2p.relay.hosting.github_gh import gh_environ

    try:
        # A file and not a pipe, which what `gh` has started could hold open after its end.
        with TemporaryFile() as out:
            done = subprocess.run(
                [program, "config", "get", "user", "--host", "github.com"],
                env=gh_environ(runtime),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
            out.seek(0)
            login = out.read(_LOGIN_BYTES).decode("utf-8", "replace").strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return login if done.returncode == 0 and login and not breaks_the_line(login) else None


def kept_from(
    runtime: Runtime, recipients: Iterable[str], *, exclude_from: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The patterns kept for peers, by the peer's name (share.md §3).

    Args:
        runtime: the surroundings.
        recipients: peers a package is made for; the keyring may know one that `relay.json` does not.
        exclude_from: peers named for their patterns only.

    Raises:
        UsageError: one of `exclude_from` is not known.
        AliveP2PError: `relay.json` cannot be used.
    """
    recipients, exclude_from = tuple(recipients), tuple(exclude_from)
    config = read_config(runtime) if recipients or exclude_from else RelayConfig(Path())
    found = {name: config.peer(name).exclude_patterns for name in exclude_from}
    return found | {name: config.peers[name].exclude_patterns for name in recipients if name in config.peers}


def _patterns(path: Path, name: str, raw: object) -> tuple[str, ...]:
    """A peer's exclusion patterns; a wrong shape is an error, because it would keep nothing back."""
    if not isinstance(raw, dict):
        raise _broken(path, f"the peer '{name}' is not an object")
    patterns = raw.get("exclude_patterns", [])
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise _broken(path, f"`exclude_patterns` of the peer '{name}' is not a list of patterns")
    return tuple(patterns)


def _broken(path: Path, why: str) -> AliveP2PError:
    return AliveP2PError(
        "broken-relay-config", f"'{path}' cannot be used: {why}", untouched="everything", hint="mend the file"
    )
