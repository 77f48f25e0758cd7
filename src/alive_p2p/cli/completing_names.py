"""The names that TAB proposes: bundles, peers and presets.

They are looked for where they are quickly found, and nothing is changed on the way. What comes back is as it stands on
disk: whoever proposes it decides whether it can be typed.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime
from alive_p2p.walnut import kernel

_MOST_LOOKED_AT = 5000
"""A folder with more entries than that holds no list to choose from."""


def names(kind: str, walnut: str | None, runtime: Runtime) -> list[str]:
    """The names of one kind, sorted; none where they cannot be read.

    Args:
        kind: "bundle", "acknowledged" (a bundle, or one of the words that `--acknowledge` knows), "peer" or "preset".
        walnut: the walnut's folder as it was typed; None where none was.
        runtime: the surroundings.
    """
    found: set[str] = set()
    with suppress(AliveP2PError, OSError, ValueError):
        if kind in {"bundle", "acknowledged"}:
            found.update(_bundles(_folder(walnut, runtime)))
        elif kind == "peer":
            found.update(_peers(runtime))
        elif kind == "preset":
            found.update(_presets(_folder(walnut, runtime)))
    if kind == "acknowledged":
        found.update(("walnut", "key", "history"))
    return sorted(found)


def _folder(walnut: str | None, runtime: Runtime) -> Path:
    """The walnut's folder; without one, that of the walnut around the current folder."""
    if walnut is None:
        around = (one for one in (runtime.cwd, *runtime.cwd.parents) if files.is_file(one / kernel.KEY))
        return next(around, runtime.cwd)
    return runtime.home / walnut[2:] if walnut.startswith("~/") else runtime.cwd / walnut


def _bundles(walnut: Path) -> Iterator[str]:
    """The bundles that can be shared: those that lie where a bundle is looked for without searching (share.md §2)."""
    from alive_p2p.walnut.bundles import NOT_SEARCHED, bundle_manifest_name

    for container in (walnut, walnut / kernel.V2_CONTAINER, walnut / kernel.V1_CONTAINER):
        for name in _entries(container):
            if not name.startswith(".") and name not in NOT_SEARCHED and bundle_manifest_name(container / name):
                yield name


def _peers(runtime: Runtime) -> Iterator[str]:
    """Everybody with a place in `relay.json` or a key in the keyring; no key is read."""
    from alive_p2p.relay.config import read_config

    with suppress(AliveP2PError):
        yield from read_config(runtime).peers
    chosen = runtime.environ.get("ALIVE_RELAY_KEYS_DIR")  # as the keyring, which takes longer to import than to list
    keys = runtime.cwd / chosen if chosen else runtime.alive_home / "relay" / "keys"
    for name in _entries(keys / "peers"):
        if name.endswith(".pem"):
            yield name.removesuffix(".pem")


def _presets(walnut: Path) -> Iterator[str]:
    from alive_p2p.walnut.preferences import load_preferences
    from alive_p2p.walnut.world import find_world

    yield from load_preferences(find_world(walnut.resolve())).share_presets


def _entries(folder: Path) -> list[str]:
    if not files.is_folder(folder):
        return []
    with os.scandir(folder) as entries:
        found = [entry.name for _, entry in zip(range(_MOST_LOOKED_AT + 1), entries, strict=False)]
    return found if len(found) <= _MOST_LOOKED_AT else []
