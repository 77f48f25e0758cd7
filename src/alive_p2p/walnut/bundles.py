"""Bundles: one piece of work each, found in walnuts of every layout (share.md §2).

A bundle is a folder with `context.manifest.yaml` (in the oldest layout `companion.md`). It is *top-level* directly
in the walnut, in `bundles/`, or in `_core/_capsules/`; only those can be shared, and others travel inside their
parents.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from alive_p2p import files, safe_yaml
from alive_p2p.errors import FileSystemError, WalnutError
from alive_p2p.safe_yaml import UnsafeYamlError, Value
from alive_p2p.text import fold
from alive_p2p.walnut import frontmatter, kernel
from alive_p2p.walnut.key import Sensitivity, read_sensitivity
from alive_p2p.walnut.mentions import mentioned, says_yes
from alive_p2p.walnut.tasks import TaskCounts, count_tasks, tasks_at
from alive_p2p.walnut.walnut import Walnut, is_kernel_copy, may_be_walnut

NOT_SEARCHED = frozenset(
    [
        kernel.KERNEL,
        "raw",
        "node_modules",
        "__pycache__",
        "dist",
        "build",
        ".next",
        "target",
        "_archive",
        "_references",
        kernel.ARCHIVE,
    ]
)
"""Folders in which no bundle is looked for, besides hidden ones."""

_MAX_DEPTH = 32
_PII = re.compile(rb"\bpii\b", re.IGNORECASE)
"""In YAML that cannot be parsed the word is enough."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        name: the folder's name, and with it the bundle's.
        relpath: path from the walnut, `/`-separated.
        path: absolute path.
        is_top_level: whether it can be shared on its own.
        manifest_name: `context.manifest.yaml`, or `companion.md` in the oldest layout.
    """

    name: str
    relpath: str
    path: Path
    is_top_level: bool
    manifest_name: str

    @cached_property
    def _fields(self) -> tuple[Mapping[str, Value], bytes, str | None]:
        try:
            data = files.read_bytes(self.path / self.manifest_name, limit=kernel.SMALL_FILE_LIMIT)
        except FileSystemError as error:
            return {}, b"", error.message
        if fold(self.manifest_name) == kernel.V1_BUNDLE_MANIFEST:
            block = frontmatter.read(data)
            return block.fields, data, block.problem
        try:
            value = safe_yaml.load_mapping(data).value
        except UnsafeYamlError as error:
            return {}, data, error.message
        return (value if isinstance(value, dict) else {}), data, None

    @property
    def fields(self) -> Mapping[str, Value]:
        """What its manifest says; empty where it cannot be parsed."""
        return self._fields[0]

    @property
    def data(self) -> bytes:
        """Its manifest as it stands; empty where it cannot be read."""
        return self._fields[1]

    @property
    def problem(self) -> str | None:
        """Why its manifest could not be parsed, or None."""
        return self._fields[2]

    @cached_property
    def _declared(self) -> tuple[Sensitivity, str]:
        fields, data, problem = self._fields
        if problem is not None and not data:
            return Sensitivity.RESTRICTED, "its manifest cannot be read, so it may say anything"
        return read_sensitivity(fields, data, problem)

    @property
    def sensitivity(self) -> Sensitivity:
        """Its own sensitivity (not its parents'); `private` where unset or unknown, `restricted` where unreadable."""
        return self._declared[0]

    @property
    def sensitivity_reason(self) -> str:
        """Why, in words."""
        return self._declared[1]

    @property
    def has_pii(self) -> bool:
        """Whether it says that it holds personal data; whatever is not plainly a no counts as a yes."""
        return declares_pii(*self._fields)

    @property
    def mentions(self) -> frozenset[str]:
        """The words about privacy that its manifest says, whether they count or not."""
        fields, data, problem = self._fields
        if problem is not None:
            return frozenset()  # there every word counts
        if fold(self.manifest_name) == kernel.V1_BUNDLE_MANIFEST:
            data = frontmatter.read(data).yaml_of(data)
        return mentioned(data, fields)

    @cached_property
    def tasks(self) -> TaskCounts:
        """Its tasks, counted."""
        return count_tasks(tasks_at(self.path / kernel.BUNDLE_TASKS))


def declares_pii(fields: Mapping[str, Value], data: bytes, problem: str | None) -> bool:
    """Whether a manifest says that its bundle holds personal data (share.md §4).

    Args:
        fields: what it says.
        data: its bytes; where they cannot be parsed, the word alone is enough.
        problem: why they cannot be parsed, or None.
    """
    if problem is not None:
        return _PII.search(data.replace(b"\0", b"")) is not None
    return any(says_yes(value) for name, value in fields.items() if str(name).strip().casefold() == "pii")


_SPELLINGS = frozenset([*kernel.BUNDLE_MANIFESTS, "context.manifest.yml"])


def is_manifest(name: str) -> bool:
    """Whether a file of this name says what the folder around it is, in any spelling that somebody may go by."""
    return fold(name) in _SPELLINGS


def bundle_manifest_name(folder: Path) -> str | None:
    """The name of a folder's bundle manifest, or None where the folder is not a bundle."""
    for name in kernel.BUNDLE_MANIFESTS:
        manifest = folder / name
        if files.is_file(manifest) and not files.is_link(manifest):
            return name
    return None


def discover(walnut: Walnut) -> list[Bundle]:
    """Every bundle of a walnut, top-level and nested, in order of its path.

    Hidden folders, the kernel, build output, archives and nested walnuts are not searched, and links are not
    followed.
    """
    return sorted(_discover(walnut.root), key=lambda bundle: bundle.relpath)


def _discover(root: Path) -> Iterator[Bundle]:
    pending = [""]
    while pending:
        relative = pending.pop()
        folder = root / relative if relative else root
        if relative:
            manifest_name = bundle_manifest_name(folder)
            if manifest_name is not None:
                parent, _, name = relative.rpartition("/")
                is_top = parent in {"", kernel.V2_CONTAINER, kernel.V1_CONTAINER}
                yield Bundle(name, relative, folder, is_top, manifest_name)
            if relative.count("/") >= _MAX_DEPTH:
                continue
        for name in _subfolders(folder):
            if name.startswith(".") or name in NOT_SEARCHED or _is_its_own(folder / name):
                continue
            pending.append(f"{relative}/{name}" if relative else name)


def _is_its_own(folder: Path) -> bool:
    """Whether a folder is a walnut of its own, or what is left of one: then nothing in it is a bundle of this one."""
    return may_be_walnut(folder) or is_kernel_copy(folder)


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def top_level(bundles: list[Bundle]) -> dict[str, Bundle]:
    """The bundles that can be shared, by name.

    Raises:
        WalnutError: one name stands at two top-level places, which are both named.
    """
    found: dict[str, Bundle] = {}
    for bundle in bundles:
        if not bundle.is_top_level:
            continue
        if bundle.name in found:
            raise WalnutError(
                "bundle-twice",
                f"the bundle '{bundle.name}' is there twice: '{found[bundle.name].relpath}' and '{bundle.relpath}'",
                untouched="everything",
                hint="rename one of the two folders",
            )
        found[bundle.name] = bundle
    return found


def effective_sensitivity(bundle: Bundle, bundles: list[Bundle]) -> Sensitivity:
    """The stricter of a bundle's own sensitivity and its parents' (share.md §4)."""
    return max([bundle.sensitivity, *(parent.sensitivity for parent in containing(bundles, bundle.relpath))])


def containing(bundles: list[Bundle], path: str) -> list[Bundle]:
    """The bundles that a walnut path lies in, outermost first."""
    parents = {str(p) for p in PurePosixPath(path).parents}
    return [bundle for bundle in bundles if bundle.relpath in parents]
