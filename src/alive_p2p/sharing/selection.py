"""Which files leave: walking a walnut and deciding, for each name, whether it goes and if not why (share.md §2, §3).

Nothing is read here but names. Links are never followed.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from alive_p2p.errors import WalnutError
from alive_p2p.globs import Pattern
from alive_p2p.package import paths
from alive_p2p.sharing.exclusions import Exclusion
from alive_p2p.sharing.names import NEVER_ANYWHERE, names_a_credential, reason_by_name
from alive_p2p.sharing.plan import RETURNABLE, LeftOut, Reason, Stamp
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import Bundle
from alive_p2p.walnut.walnut import is_kernel, is_kernel_copy, may_be_walnut

_CAPSULES = kernel.V1_CONTAINER.rpartition("/")[2]


@dataclass(frozen=True)
class Candidate:
    """A file that may leave: its path in the package, in the walnut, on disk, and what the file system says."""

    path: str
    walnut_path: str
    origin: Path
    stamp: Stamp
    is_executable: bool


@dataclass
class Selection:
    """What a walk found. `empty_dirs` are package paths, `empty_places` the same in the walnut.

    `included` is what `--include` brought back, `includes_used` the patterns that did.
    """

    files: list[Candidate] = field(default_factory=list)
    empty_dirs: list[str] = field(default_factory=list)
    empty_places: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    included: list[str] = field(default_factory=list)
    includes_used: set[str] = field(default_factory=set)


class Selector:
    """Walks a walnut for one share.

    Args:
        root: the walnut.
        exclusions: the patterns in force; their counts are updated.
        includes: patterns that bring back what is left out by default.
        nested: take nested walnuts along.
        original_names: for files that were received under another name (`X.received`), by their walnut path, the
            name they are shared under.
        is_restricted_raw: whether a folder, by its walnut path, is raw material that stays whatever is asked for.
    """

    def __init__(
        self,
        root: Path,
        exclusions: list[Exclusion],
        includes: list[Pattern],
        *,
        nested: bool,
        original_names: Mapping[str, str] = MappingProxyType({}),
        is_restricted_raw: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.root = root
        self._is_restricted_raw = is_restricted_raw
        self.original_names = original_names
        self._bundles: frozenset[str] = frozenset()
        self.exclusions = exclusions
        self.includes = includes
        self.nested = nested
        self.result = Selection()

    def select_full(self, bundles: dict[str, Bundle]) -> Selection:
        """Everything at the walnut's root, its top-level bundles flat (share.md §2)."""
        self._bundles = frozenset(bundle.relpath for bundle in bundles.values())
        for entry in self._entries(""):
            if entry.name == kernel.KERNEL:
                self._note_kernel_leftovers()
                continue  # what goes is put in by name elsewhere
            if entry.name == kernel.V2_CONTAINER and self._holds_bundles(kernel.V2_CONTAINER, bundles):
                self._walk_container(kernel.V2_CONTAINER, bundles, Reason.LOOSE_FILE)
            elif fold(entry.name) == kernel.V1_CORE and entry.is_dir(follow_symlinks=False):
                self._walk_core(entry.name, bundles)
            else:
                self._take(entry, entry.name, entry.name, None)
        self._refuse_collisions()
        return self.result

    def select_bundles(self, bundles: Iterable[Bundle]) -> Selection:
        """The chosen bundles, flat."""
        for bundle in bundles:
            self._walk_bundle(bundle)
        self._refuse_collisions()
        return self.result

    # -- containers of older layouts ---------------------------------------------------------------------------

    def _holds_bundles(self, container: str, bundles: dict[str, Bundle]) -> bool:
        return any(bundle.relpath.startswith(container + "/") for bundle in bundles.values())

    def _walk_core(self, core: str, bundles: dict[str, Bundle]) -> None:
        for entry in self._entries(core):
            walnut_path = f"{core}/{entry.name}"
            if walnut_path == kernel.V1_CONTAINER and entry.is_dir(follow_symlinks=False) and not _is_link(entry):
                self._walk_container(kernel.V1_CONTAINER, bundles, Reason.OLD_KERNEL)
            else:
                self._take(entry, walnut_path, walnut_path, Reason.OLD_KERNEL)

    def _walk_container(self, container: str, bundles: dict[str, Bundle], reason: Reason) -> None:
        by_path = {bundle.relpath: bundle for bundle in bundles.values()}
        for entry in self._entries(container):
            walnut_path = f"{container}/{entry.name}"
            if walnut_path in by_path:
                self._walk_bundle(by_path[walnut_path])
            else:
                # Brought back by `--include`, it goes where migration would put it: to the root.
                self._take(entry, walnut_path, entry.name, reason)

    def _walk_bundle(self, bundle: Bundle) -> None:
        for entry in self._entries(bundle.relpath):
            self._take(entry, f"{bundle.relpath}/{entry.name}", f"{bundle.name}/{entry.name}", None)

    def _refuse_collisions(self) -> None:
        """A bundle of an older layout, or a file that gets its name back, may take the place of something else."""
        places = {candidate.path: candidate.walnut_path for candidate in self.result.files}
        if len(places) < len(self.result.files):
            for candidate in self.result.files:
                if places[candidate.path] != candidate.walnut_path:
                    raise _two_places(candidate.walnut_path, places[candidate.path])
        roots: dict[str, str] = {}
        moved = [
            (c.path, c.walnut_path) for c in self.result.files if c.path.split("/")[0] != c.walnut_path.split("/")[0]
        ]
        for path, walnut_path in moved:
            roots.setdefault(path.split("/")[0], walnut_path)
        stay = [c.walnut_path for c in self.result.files if c.path.split("/")[0] == c.walnut_path.split("/")[0]]
        for walnut_path in [*stay, *(path for path in self.result.empty_dirs if "/" not in path)]:
            if (other := roots.get(walnut_path.split("/")[0])) is not None:
                raise _two_places(walnut_path, other)
        for path in self.result.empty_dirs:
            if path in places:
                raise _two_places(path + "/", places[path])

    def _note_kernel_leftovers(self) -> None:
        """Say what of the walnut's own kernel stays, also under a name that only looks like one that goes."""
        for entry in self._entries_of_kernel(kernel.KERNEL):
            if entry.name not in kernel.SHARED and f"{kernel.KERNEL}/{entry.name}" != kernel.PRIVATE:
                self._leave(f"{kernel.KERNEL}/{entry.name}", Reason.NEVER)

    def _entries_of_kernel(self, folder: str) -> list["os.DirEntry[str]"]:
        """What of a kernel may leave, in any spelling; the rest is listed."""
        is_old = fold(folder.rpartition("/")[2]) == kernel.V1_CORE
        going = []
        for entry in self._entries(folder):
            name = fold(entry.name)
            is_shared = name in kernel.SHARED
            if (is_shared and entry.is_file(follow_symlinks=False)) or (is_old and name == _CAPSULES):
                going.append(entry)
                continue
            rest = Reason.OLD_KERNEL if is_old else Reason.NEVER
            why = Reason.LINK if _is_link(entry) else Reason.SPECIAL if is_shared else rest
            self._leave(f"{folder}/{entry.name}", why)
        return going

    # -- one entry ---------------------------------------------------------------------------------------------

    def _entries(self, relative: str) -> list["os.DirEntry[str]"]:
        try:
            with os.scandir(self.root / relative if relative else self.root) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self._leave(relative or ".", Reason.UNREADABLE)
            return []

    def _leave(self, walnut_path: str, reason: Reason, detail: str = "") -> None:
        self.result.left_out.append(LeftOut(walnut_path, reason, detail))

    def _take(self, entry: "os.DirEntry[str]", walnut_path: str, path: str, inherited: Reason | None) -> bool:
        """Decide about one entry and everything below it; whether anything of it leaves."""
        if final := self._cannot_travel(entry, path):
            self._leave(walnut_path, *final)
            return False
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder and self._is_restricted_raw(walnut_path):
            self._leave(walnut_path, Reason.RESTRICTED_RAW)
            return False
        reason = self._reason_to_stay(entry.name, walnut_path, inherited, is_folder=is_folder)
        if reason in RETURNABLE and self._is_brought_back(reason, walnut_path, path):
            self.result.included.append(walnut_path)
            reason = None
        if is_folder:
            return self._take_folder(walnut_path, path, reason)
        if reason is not None:
            self._leave(walnut_path, reason)
            return False
        return self._take_file(entry, walnut_path, path)

    def _reason_to_stay(
        self, name: str, walnut_path: str, inherited: Reason | None, *, is_folder: bool
    ) -> Reason | None:
        """The strongest reason: what is private in itself counts before what only lies in a folder that stays."""
        if is_folder and is_kernel_copy(self.root / walnut_path):
            return Reason.KERNEL_COPY
        if is_folder and may_be_walnut(self.root / walnut_path):
            if not self.nested:
                return Reason.NESTED_WALNUT
            inherited = None if inherited is Reason.LOOSE_FILE else inherited  # asked for, wherever it lies
        if walnut_path in self._bundles:
            return inherited
        own = reason_by_name(name, walnut_path, is_folder=is_folder)
        return own if own is Reason.CREDENTIAL else inherited or own

    def _is_brought_back(self, reason: Reason, walnut_path: str, path: str) -> bool:
        """Whether `--include` names this; a credential has to be named, `*` and `**` do not do."""
        hits = {
            pattern.text
            for pattern in self.includes
            if (pattern.matches_itself(path) or pattern.matches_itself(walnut_path))
            and (reason is not Reason.CREDENTIAL or names_a_credential(pattern))
        }
        self.result.includes_used |= hits
        return bool(hits)

    def _take_folder(self, walnut_path: str, path: str, reason: Reason | None) -> bool:
        if reason is not None and not (reason in RETURNABLE and self.includes):
            self._leave(walnut_path, reason)
            return False
        before = len(self.result.left_out)
        look = self._entries_of_kernel if is_kernel(self.root / walnut_path) else self._entries
        entries = look(walnut_path)
        taken = [self._take(entry, f"{walnut_path}/{entry.name}", f"{path}/{entry.name}", reason) for entry in entries]
        if reason is not None:
            if not any(taken):
                del self.result.left_out[before:]
                self._leave(walnut_path, reason)
            return any(taken)
        if not entries and not self._is_excluded(walnut_path, path, path):
            self.result.empty_dirs.append(path)
            self.result.empty_places.append(walnut_path)
        return any(taken)

    def _take_file(self, entry: "os.DirEntry[str]", walnut_path: str, path: str) -> bool:
        final = self.original_names.get(walnut_path, path)
        if self._is_excluded(walnut_path, path, final):
            return False
        if final != path and (refused := self._cannot_travel(entry, final)):
            self._leave(walnut_path, *refused)
            return False
        try:
            state = entry.stat(follow_symlinks=False)
        except OSError:
            self._leave(walnut_path, Reason.UNREADABLE)
            return False
        stamp = Stamp(state.st_size, state.st_mtime_ns, state.st_ino)
        is_executable = bool(state.st_mode & stat.S_IXUSR) and os.name != "nt"
        self.result.files.append(Candidate(final, walnut_path, Path(entry.path), stamp, is_executable))
        return True

    def _is_excluded(self, walnut_path: str, path: str, final: str) -> bool:
        """By any of its names: in the package, here, and as it was received under."""
        if not self.exclusions:
            return False
        names = {walnut_path, path, final}
        hits = [one for one in self.exclusions if any(one.pattern.matches(name) for name in names)]
        for hit in hits:
            hit.matched += 1
        if hits:
            self._leave(walnut_path, Reason.EXCLUDED, hits[0].pattern.text)
        return bool(hits)

    def _cannot_travel(self, entry: "os.DirEntry[str]", path: str) -> tuple[Reason, str] | None:
        """What no option changes: the kind of file, and names that every receiver refuses."""
        if _is_link(entry):
            return Reason.LINK, ""
        if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
            return Reason.SPECIAL, ""
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            return Reason.NOT_UTF8, ""
        if fold(entry.name) in NEVER_ANYWHERE:
            return Reason.NEVER, ""
        if path == paths.MANIFEST:
            return Reason.UNSAFE_NAME, "the name is the package's own"
        if "/" not in path and fold(path) == kernel.KERNEL:
            return Reason.UNSAFE_NAME, "it looks like the kernel"
        if why := paths.refusal(path):
            return Reason.UNSAFE_NAME, why
        return None


def _is_link(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a symbolic link, or on Windows a junction."""
    if sys.version_info >= (3, 12) and entry.is_junction():
        return True
    return entry.is_symlink()


def _two_places(one: str, other: str) -> WalnutError:
    return WalnutError(
        "two-places",
        f"'{one}' and '{other}' would take the same place in the package",
        untouched="everything",
        hint="rename one of the two",
    )
