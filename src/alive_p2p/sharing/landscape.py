"""How private a place in a walnut is: the bundles and nested walnuts it lies in, whatever else is known of them.

Every folder that holds something is asked, also where bundles are not looked for otherwise: a manifest in a folder
that `--include` brought back counts like any other (share.md §4).
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files, hashing
from alive_p2p.errors import FileSystemError
from alive_p2p.sharing.gate import RESERVED, WALNUT, Part
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import Bundle, bundle_manifest_name, is_manifest
from alive_p2p.walnut.key import Sensitivity, read_key
from alive_p2p.walnut.walnut import Walnut, keys_in, may_be_walnut

_RAW = "raw"


@dataclass(frozen=True)
class Place:
    """A folder as the gate sees it.

    Attributes:
        holders: the bundles and walnuts it lies in, the walnut itself first.
        raw_of: the restricted bundle whose `raw/` it is or lies in, or None.
    """

    holders: tuple[Part, ...]
    raw_of: str | None = None


class Landscape:
    """The places of one walnut, each looked at once.

    Args:
        walnut: the walnut.

    Attributes:
        judged: by the path of every manifest and `key.md` that was looked at, the SHA-256 of what it said.
    """

    def __init__(self, walnut: Walnut) -> None:
        self._root = walnut.root
        self.judged: dict[str, str] = {}
        key = walnut.key
        reason = f"`key.md`: {key.sensitivity_reason}"
        self._places = {"": Place((Part("walnut", WALNUT, key.sensitivity, reason, mentions=key.mentions),))}

    def folder(self, folder: str) -> Place:
        """The place that a folder is, by its path in the walnut; "" is the walnut itself."""
        if folder not in self._places:
            parent, _, name = folder.rpartition("/")
            self._places[folder] = self._look(self.folder(parent), folder, name)
        return self._places[folder]

    def parts(self, walnut_paths: Iterable[str]) -> tuple[Part, ...]:
        """Everything that has a sensitivity and of which one of these files leaves, in order of its name.

        A bundle's files are the bundle's; only what lies in no bundle is the walnut's.
        """
        found: dict[str, Part] = {}
        for folder in sorted({path.rpartition("/")[0] for path in walnut_paths}):
            holders = self.folder(folder).holders
            last_walnut = max(index for index, part in enumerate(holders) if part.kind == "walnut")
            inner = holders[last_walnut + 1 :]
            # A nested walnut inside a bundle is the bundle's as well.
            for part in (*(inner or holders[last_walnut:]), *holders[1:last_walnut]):
                found[part.name] = _strictest([part, found.get(part.name, part)])
        return tuple(found[name] for name in sorted(found, key=lambda name: (name != WALNUT, name)))

    def walnuts(self, walnut_paths: Iterable[str]) -> tuple[tuple[str, Sensitivity], ...]:
        """The walnuts that these files lie in, the walnut itself first, with their sensitivity."""
        found: dict[str, Sensitivity] = {}
        for folder in ["", *sorted({path.rpartition("/")[0] for path in walnut_paths})]:
            for part in self.folder(folder).holders:
                if part.kind == "walnut":
                    found[part.name] = max(part.sensitivity, found.get(part.name, part.sensitivity))
        return tuple(found.items())

    def key_sensitivity(self, folder: str) -> Sensitivity:
        """How private the `key.md` of the walnut is that a folder lies in: of all its keys, the strictest counts."""
        return next(part.sensitivity for part in reversed(self.folder(folder).holders) if part.kind == "walnut")

    def _look(self, above: Place, folder: str, name: str) -> Place:
        path = self._root / folder
        raw_of = above.raw_of
        if raw_of is None and fold(name) == _RAW:
            raw_of = next((part.name for part in above.holders[1:] if _is_restricted_bundle(part)), None)
        holders = above.holders
        if fold(name) == kernel.KERNEL:
            return Place(holders, raw_of)
        if may_be_walnut(path):
            holders = (*holders, self._nested_walnut(path, folder, holders))
        if manifests := _manifests_of(path):
            holders = (*holders, self._bundle(path, folder, manifests, holders))
        return Place(holders, raw_of)

    def _bundle(self, path: Path, folder: str, manifests: list[str], holders: tuple[Part, ...]) -> Part:
        """What the strictest of a folder's manifests says: a receiver may go by any of them."""
        said = []
        for manifest in manifests:
            bundle = Bundle(path.name, folder, path, is_top_level=False, manifest_name=manifest)
            self.judged[f"{folder}/{manifest}"] = hashing.sha256(bundle.data)
            own = Part("bundle", self._name(folder), bundle.sensitivity, bundle.sensitivity_reason, bundle.has_pii)
            said.append(replace(own, mentions=bundle.mentions))
        return _stricter(_strictest(said), holders)

    def _name(self, folder: str) -> str:
        path = self._package_path(folder)
        return f"{path}/" if path in RESERVED else path

    def _package_path(self, folder: str) -> str:
        """The path in a package: a bundle of an older layout leaves its container there (format.md §6)."""
        for container in (kernel.V2_CONTAINER, kernel.V1_CONTAINER):
            inside = folder.removeprefix(f"{container}/")
            top = self._root / container / inside.split("/")[0]
            if inside != folder and bundle_manifest_name(top) is not None and not may_be_walnut(top):
                return inside
        return folder

    def _nested_walnut(self, path: Path, folder: str, holders: tuple[Part, ...]) -> Part:
        """What the strictest of its keys says: one of an older layout may still lie there, or one in another case."""
        name = self._name(folder)
        unreadable = Part("walnut", name, Sensitivity.RESTRICTED, "its `key.md` cannot be read")
        said = []
        for spelt in keys_in(path):
            try:
                data = files.read_bytes(path / spelt, limit=kernel.SMALL_FILE_LIMIT)
            except FileSystemError:
                said.append(unreadable)
                continue
            self.judged[f"{folder}/{spelt}"] = hashing.sha256(data)
            key = read_key(data)
            reason = f"its `key.md`: {key.sensitivity_reason}"
            said.append(Part("walnut", name, key.sensitivity, reason, mentions=key.mentions))
        return _stricter(_strictest(said or [unreadable]), holders)


def _is_restricted_bundle(part: Part) -> bool:
    return part.kind == "bundle" and part.sensitivity is Sensitivity.RESTRICTED


def _manifests_of(path: Path) -> list[str]:
    """What says that a folder is a bundle, in any spelling; a link counts too, though it is never followed."""
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208  (names as text are all that is needed)
    except OSError:
        return []
    return [name for name in names if is_manifest(name)]


def _strictest(said: list[Part]) -> Part:
    """What is said of one thing in several files: the strictest, personal data anywhere, and every word."""
    mentions = frozenset[str]().union(*(part.mentions for part in said))
    strictest = max(said, key=lambda part: part.sensitivity)
    return replace(strictest, has_pii=any(part.has_pii for part in said), mentions=mentions)


def _stricter(part: Part, holders: tuple[Part, ...]) -> Part:
    """With the sensitivity of the strictest it lies in, the walnut itself not counted: it is judged on its own."""
    above = max(holders[1:], key=lambda holder: holder.sensitivity, default=None)
    if above is None or above.sensitivity <= part.sensitivity:
        return part
    # A nested walnut that is a bundle as well has one name for both, and does not lie in itself.
    reason = above.reason if above.name == part.name else f"it lies in '{above.name}'"
    return replace(part, sensitivity=above.sensitivity, reason=reason)
