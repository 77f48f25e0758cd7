"""`relay.json`: our relay and our peers, as setup and pairing wrote them down (relay.md §2)."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.runtime import Runtime
from alive_p2p.text import breaks_the_line

_LIMIT = 4 << 20
_GH_SECONDS = 5


@dataclass(frozen=True)
class Peer:
    """A peer: its name here, and the patterns that are kept from it."""

    name: str
    exclude_patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RelayConfig:
    """What `relay.json` says; empty where there is none."""

    path: Path
    username: str | None = None
    peers: Mapping[str, Peer] = field(default_factory=dict)

    def peer(self, name: str) -> Peer:
        """A peer by name.

        Raises:
            UsageError: nobody of that name is known; the message lists who is.
        """
        if name in self.peers:
            return self.peers[name]
        known = ", ".join(sorted(self.peers)) or "nobody yet"
        raise UsageError("unknown-peer", f"there is no peer '{name}'; known: {known}", untouched="everything")


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
    relay, peers = document.get("relay"), document.get("peers", {})
    if not isinstance(peers, dict):
        raise _broken(path, "`peers` is not an object")
    username = relay.get("username") if isinstance(relay, dict) else None
    return RelayConfig(
        path,
        username if isinstance(username, str) and username else None,
        {name: Peer(name, _patterns(path, name, raw)) for name, raw in peers.items()},
    )


def own_handle(runtime: Runtime) -> str | None:
    """What we call ourselves: `GH_USER`, else the username in `relay.json`, else `gh`'s login (cli.md, "Environment").

    None where nothing says; a `relay.json` that cannot be read matters where peers are named, not here.
    """
    if name := runtime.environ.get("GH_USER"):
        return name
    with suppress(AliveP2PError):
        if name := read_config(runtime).username:
            return name
    return _login(runtime)


def _login(runtime: Runtime) -> str | None:
    """The login that `gh` keeps in its own files; nothing is asked over the network."""
    program = shutil.which("gh", path=runtime.environ.get("PATH"))
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "config", "get", "user", "--host", "github.com"],
            env=dict(runtime.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    login = done.stdout.decode("utf-8", "replace").strip()
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
