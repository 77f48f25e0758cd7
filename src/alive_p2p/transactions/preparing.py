"""Making changes to a walnut ready in staging, and the operations that carry them out (receive.md §7).

Whatever is put in place lies complete in staging's tree, at its path in the walnut; of whatever gives way staging
holds another link.
"""

from pathlib import Path

from alive_p2p import files
from alive_p2p.package.paths import ancestors
from alive_p2p.transactions.journal import Operation, drop_folder, place, remove, substitute
from alive_p2p.transactions.staging import TREE, Staging

_DISPLACED = "displaced"


class Preparation:
    """Changes to the files of a walnut.

    Args:
        target: the walnut.
        staging: where they are made ready.

    Every method raises `OSError` or `FileSystemError` where the disk refuses; nothing but staging is touched.
    """

    def __init__(self, target: Path, staging: Staging) -> None:
        self.target = target
        self.staging = staging
        self.tree = staging.tree
        self.added: list[str] = []
        self._removes: list[Operation] = []
        self._drops: list[str] = []
        self._substitutes: list[Operation] = []
        self._at_rest = 0
        files.make_folder(staging.path / _DISPLACED, 0o700)

    def write(self, path: str, data: bytes) -> None:
        """Put content into the tree, at its path in the walnut."""
        self._make_parents(path)
        files.write_new(self.tree / path, data, mode=files.default_mode(executable=False))

    def make_folder(self, path: str) -> None:
        """Put an empty folder into the tree, at its path in the walnut."""
        self._make_parents(f"{path}/")

    def take(self, source: Path, path: str) -> None:
        """Put another link to a file into the tree, at its path in the walnut."""
        self._make_parents(path)
        files.link_or_copy(source, self.tree / path)

    def _make_parents(self, path: str) -> None:
        for parent in ancestors(path):
            if not files.is_taken(self.tree / parent):
                files.make_folder(self.tree / parent, files.default_mode(executable=True))

    def rest(self, path: str) -> str:
        """Make another link to a file of the walnut that will give way; its path inside staging."""
        name = f"{_DISPLACED}/{self._at_rest}"
        files.link_or_copy(self.target / path, self.staging.path / name)
        self._at_rest += 1
        return name

    def add(self, path: str) -> None:
        """What lies in the tree at this path is put where nothing is."""
        self.added.append(path)

    def replace(self, path: str, old_sha256: str) -> str:
        """What lies in the tree at this path takes the place of a file; its path at rest is returned."""
        new, rest = files.hash_file(self.tree / path)[0], self.rest(path)
        self._substitutes.append(substitute(f"{TREE}/{path}", path, new_sha256=new, old_sha256=old_sha256, rest=rest))
        return rest

    def remove(self, path: str, old_sha256: str) -> str:
        """A file is removed; its path at rest is returned."""
        rest = self.rest(path)
        self._removes.append(remove(path, old_sha256=old_sha256, rest=rest))
        return rest

    def drop(self, folder: str) -> None:
        """A folder is removed if nothing is left in it by then; the deepest have to come first."""
        self._drops.append(folder)

    def operations(self) -> list[Operation]:
        """What carries it all out: first what goes, then what is replaced, then what is new."""
        gone = {one.dst for one in self._removes} | set(self._drops)
        roots = sorted({self._root_of(path, gone) for path in self.added})
        return [
            *self._removes,
            *map(drop_folder, self._drops),
            *self._substitutes,
            *(place(f"{TREE}/{path}", path, self._hash_if_file(path)) for path in roots),
        ]

    def _root_of(self, path: str, gone: set[str]) -> str:
        """What is renamed to make a path appear: the outermost folder that is not there, or the file itself."""
        for parent in ancestors(path):
            if parent in gone or not files.is_taken(self.target / parent):
                return parent
        return path

    def _hash_if_file(self, path: str) -> str | None:
        staged = self.tree / path
        return files.hash_file(staged)[0] if files.is_file(staged) else None
