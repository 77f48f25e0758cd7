"""What a share will do, decided before anything is written (share.md §1).

The plan is the truth: the preview prints it and the writer writes it. It is frozen, can be compared, and needs no
disk to be looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

from alive_p2p.package.entries import FileEntry
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.limits import Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.signature import SigningKey
from alive_p2p.sharing.audience import Recipient, describe_readers
from alive_p2p.sharing.findings import Finding
from alive_p2p.sharing.gate import Decision, KeyForm
from alive_p2p.walnut.key import Sensitivity
from alive_p2p.walnut.tasks import TaskCounts

Scope = Literal["full", "bundle", "snapshot"]


@dataclass(frozen=True)
class ShareRequest:
    """What somebody wants to share.

    Attributes:
        walnut: path of the walnut.
        scope: full, bundle or snapshot.
        bundles: names, with scope `bundle`.
        excludes: exclusion patterns given by hand.
        peer_excludes: patterns kept for a peer, by the peer's name.
        presets: names of presets whose patterns apply.
        includes: patterns that bring back what is left out by default.
        full_history: share the real log and insights.
        nested: take nested walnuts along.
        key: the whole `key.md`, the reduced one, or None to let the gate decide.
        acknowledged: what somebody says they know to be restricted or personal (share.md §4).
        allowed_findings: the ids of findings that may leave.
        deep_scan: scan with the library's rules as well.
        sender: the sender's handle.
        description, note: one line each, for the receiver.
        max_files, max_bytes: limits for this command, or None for those of the preferences.
        seal: how the package is sealed.
        recipients: for whom, as they are shown.
        signing_key: the sender's key, or None to leave the package unsigned.
        source_layout: the layout of the package; `v2`, with the old container, is for tests only.
    """

    walnut: Path
    scope: Scope
    bundles: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    peer_excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    presets: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    full_history: bool = False
    nested: bool = False
    key: KeyForm | None = None
    acknowledged: tuple[str, ...] = ()
    allowed_findings: tuple[str, ...] = ()
    deep_scan: bool = False
    sender: str = "unknown"
    description: str = ""
    note: str = ""
    max_files: int | None = None
    max_bytes: int | None = None
    seal: Seal = field(default_factory=Seal)
    recipients: tuple[Recipient, ...] = ()
    signing_key: SigningKey | None = field(default=None, repr=False)
    source_layout: Literal["v2", "v3"] = "v3"


class Reason(Enum):
    """Why something stays at home; the value is the word for it in `--json`."""

    EXCLUDED = "excluded"
    HIDDEN = "hidden"
    CREDENTIAL = "credential"
    CLUTTER = "clutter"
    BUILD_OUTPUT = "build-output"
    OLDER_PACKAGE = "older-package"
    LOOSE_FILE = "loose-in-bundles"
    OLD_KERNEL = "old-kernel"
    KERNEL_COPY = "kernel-copy"
    NESTED_WALNUT = "nested-walnut"
    NEVER = "never-shared"
    LINK = "symbolic-link"
    SPECIAL = "special-file"
    UNREADABLE = "unreadable"
    NOT_UTF8 = "not-utf8"
    UNSAFE_NAME = "unsafe-name"
    RESTRICTED_RAW = "restricted-raw"

    @property
    def explanation(self) -> str:
        """What a person reads."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Reason.EXCLUDED: "excluded by a pattern",
    Reason.HIDDEN: "hidden files and folders",
    Reason.CREDENTIAL: "private keys and credential stores, by their names",
    Reason.CLUTTER: "files that systems and tools leave behind",
    Reason.BUILD_OUTPUT: "build output and archives, by their names",
    Reason.OLDER_PACKAGE: "older packages",
    Reason.LOOSE_FILE: "loose files beside the bundles",
    Reason.OLD_KERNEL: "the kernel of an older layout",
    Reason.KERNEL_COPY: "copies of a kernel, with its history",
    Reason.NESTED_WALNUT: "nested walnuts; `--include-nested` takes them along",
    Reason.NEVER: "never shared",
    Reason.LINK: "symbolic links are not followed",
    Reason.SPECIAL: "not a regular file",
    Reason.UNREADABLE: "cannot be read",
    Reason.NOT_UTF8: "the name is not UTF-8",
    Reason.UNSAFE_NAME: "a name that every receiver must refuse",
    Reason.RESTRICTED_RAW: "raw material of a restricted bundle",
}

RETURNABLE = frozenset(
    [
        Reason.HIDDEN,
        Reason.CREDENTIAL,
        Reason.CLUTTER,
        Reason.BUILD_OUTPUT,
        Reason.OLDER_PACKAGE,
        Reason.LOOSE_FILE,
    ]
)
"""What `--include` can bring back."""


@dataclass(frozen=True)
class LeftOut:
    """Something that stays at home: its path in the walnut, and why. A folder stands for all it holds."""

    path: str
    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Stamp:
    """What the file system says of a file; while it stays the same the content is taken to be the same."""

    size: int
    modified_ns: int
    inode: int


@dataclass(frozen=True)
class PlannedFile:
    """A file that leaves.

    Attributes:
        entry: path in the package, hash and size.
        is_executable: whether its owner may execute it.
        origin: where it lies on disk; None where it is generated.
        stamp: what the file system said when it was hashed; None where it is generated.
        content: the bytes, where they are generated or rewritten.
    """

    entry: FileEntry
    is_executable: bool = False
    origin: Path | None = None
    stamp: Stamp | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ExclusionUse:
    """An exclusion pattern, where it came from, and how many files it kept back."""

    pattern: str
    origin: str
    matched: int


@dataclass(frozen=True)
class PlannedBundle:
    """A bundle that leaves: name, own sensitivity, number of files, bytes, its tasks, and whether it has `pii`."""

    name: str
    sensitivity: Sensitivity
    files: int
    size: int
    tasks: TaskCounts
    has_pii: bool = False


@dataclass(frozen=True)
class SharePlan:
    """Everything a share will do.

    Attributes:
        root: the walnut's real path.
        request: what was asked for.
        manifest: the manifest that will be written; it lists every file.
        files: every file that leaves, in order of its path.
        bundles: the top-level bundles that leave.
        left_out: what stays, and why.
        exclusions: the patterns in force.
        included: walnut paths that `--include` brought back.
        key_form: whether `key.md` is whole or reduced.
        sensitivity: the highest of everything inside, and `sensitivity_reason` why.
        gate: what the gate decided.
        findings: secrets and tell-tale names in what would leave.
        unscanned: how many files the scan cannot look inside, such as images.
        new_walnut_id: whether the walnut gets its id with this share.
        limits: the limits that were applied.
        warnings: what a person should know.
    """

    root: Path
    request: ShareRequest
    manifest: Manifest
    files: tuple[PlannedFile, ...]
    bundles: tuple[PlannedBundle, ...]
    left_out: tuple[LeftOut, ...]
    exclusions: tuple[ExclusionUse, ...]
    included: tuple[str, ...]
    key_form: KeyForm
    sensitivity: Sensitivity
    sensitivity_reason: str
    gate: Decision
    findings: tuple[Finding, ...]
    unscanned: int
    new_walnut_id: bool
    limits: Limits
    warnings: tuple[str, ...]

    @property
    def readers(self) -> str:
        """Who can read the package, in words."""
        return describe_readers(self.gate.audience, self.request.recipients)

    @property
    def blocking_findings(self) -> tuple[Finding, ...]:
        """The secrets that nobody has allowed to leave."""
        return tuple(f for f in self.findings if f.blocks and f.id not in self.request.allowed_findings)

    @property
    def is_blocked(self) -> bool:
        """Whether no yes at a prompt lets it leave."""
        return bool(self.gate.blocks or self.blocking_findings)

    @property
    def total_size(self) -> int:
        """The content of all files together, in bytes."""
        return sum(planned.entry.size for planned in self.files)


@dataclass(frozen=True)
class ShareResult:
    """A finished share: the package's path, its size in bytes, and the plan that was carried out."""

    path: Path
    size: int
    plan: SharePlan
    warnings: tuple[str, ...]
