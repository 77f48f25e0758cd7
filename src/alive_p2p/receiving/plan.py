"""What a receive will do, decided before anything is written (receive.md §2).

Like a share's plan it is frozen and can be compared: it is made once for the preview and once more under the lock,
and if the two differ nothing is done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path

from alive_p2p.package.envelopes.base import Credentials
from alive_p2p.package.limits import Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.signature import Signer, Verdict
from alive_p2p.receiving.group_update import FileChange, GroupUpdate
from alive_p2p.receiving.hidden_text import HiddenText


def nobody(_pubkey_id: str) -> Signer | None:
    """The keyring of somebody who knows nobody."""
    return None


@dataclass(frozen=True)
class ReceiveRequest:
    """What somebody wants to receive.

    Attributes:
        package: the package file.
        target: where to; None for the default (receive.md §3).
        scope: the scope the package has to have, or None.
        bundles: of a bundle package, only these; empty for all.
        rename: put a bundle whose name is taken under another name.
        update: merge what changed into what earlier packages brought.
        allow_older: with `update`, go back to a package that is older than what was applied last.
        into_other_walnut: add bundles to a walnut they do not come from.
        source_layout: treat the package as of this layout; for tests only.
        max_files, max_bytes: limits for this command, or None for those of the preferences.
        wait_seconds: how long to wait for the walnut's lock.
        credentials: what a sealed package is opened with.
        find_signer: looks a `pubkey_id` up in the keyring.
        require_signature: refuse everything but a valid signature of a known peer.
        trust_agent_files: install what agents obey on sight under its own name; only with such a signature.
        is_agreed: nobody will be asked any more, so that the files are unpacked while the package is checked.
    """

    package: Path
    target: Path | None = None
    scope: str | None = None
    bundles: tuple[str, ...] = ()
    rename: bool = False
    update: bool = False
    allow_older: bool = False
    into_other_walnut: bool = False
    source_layout: str | None = None
    max_files: int | None = None
    max_bytes: int | None = None
    wait_seconds: float = 0.0
    credentials: Credentials = field(default_factory=Credentials)
    find_signer: Callable[[str], Signer | None] = field(default=nobody, repr=False)
    require_signature: bool = False
    trust_agent_files: bool = False
    is_agreed: bool = False


class Lineage(Enum):
    """How a package was recognised as coming from the target walnut (receive.md §4)."""

    NEW = "new"
    SAME_ID = "same-id"
    SAME_KEY_HASH = "same-key-hash"
    SAME_KEY = "same-key"
    OVERRIDDEN = "overridden"


class Fate(Enum):
    """What happens to a bundle of the package."""

    APPLY = "apply"
    UPDATE = "update"
    ALREADY_APPLIED = "already-applied"
    SAME_CONTENT = "same-content"
    NOT_REQUESTED = "not-requested"


@dataclass(frozen=True)
class BundleFate:
    """One bundle of the package: its name there, the folder it gets or has here, and what happens to it."""

    name: str
    folder: str
    fate: Fate

    @property
    def is_renamed(self) -> bool:
        """Whether it gets another name than in the package."""
        return self.name != self.folder


@dataclass(frozen=True)
class Dropped:
    """Something in the package that is not installed, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Installation:
    """Where every file and empty folder of the package goes.

    Attributes:
        layout: `v2`, `v3`, or `agnostic` where the package has no bundles and no older kernel.
        names: package path to path in the walnut.
        dropped: what is not installed.
        renamed_agent_files: installed paths of files that agents would obey under their own name.
        warnings: what the receiver should know.
        errors: why an older layout cannot be brought forward; then everything keeps its place in the container.
    """

    layout: str
    names: Mapping[str, str]
    dropped: tuple[Dropped, ...] = ()
    renamed_agent_files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @cached_property
    def by_folder(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Per folder of the walnut's top level what goes there: package path, and path inside the folder."""
        held: dict[str, list[tuple[str, str]]] = {}
        for path, final in self.names.items():
            folder, _, inside = final.partition("/")
            if inside:
                held.setdefault(folder, []).append((path, inside))
        return held


@dataclass(frozen=True)
class MigrationResult:
    """What bringing an older layout forward does, or did (receive.md §8).

    Attributes:
        actions: everything that happens, a line each.
        warnings: what stays as it is although it looks as if it should not, and what is unusual.
        bundles_migrated: the final names of the bundles that leave the old container.
        tasks_converted: how many tasks become part of a `tasks.json`.
        errors: why it cannot be done without loss; nothing happens then.
    """

    actions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    bundles_migrated: tuple[str, ...] = ()
    tasks_converted: int = 0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReceivePlan:
    """Everything a receive will do.

    Attributes:
        package: the package file.
        manifest: its manifest, checked.
        verdict: what is known of its signature.
        target: the walnut, absolute; it exists only with scope bundle or where there is nothing to do.
        is_noop: nothing is left to do.
        installation: what goes where, with the final folder names.
        bundles: what happens to each bundle.
        lineage: how the target was recognised.
        walnut_id: the id the target has afterwards, or None.
        broken_ledger: why the target's ledger cannot be used, or None.
        limits: the limits that were applied.
        warnings: what a person should know.
        hidden: hidden instructions in what arrives, by file and line.
        updates: what an update does to what is here, bundle by bundle.
        comparable: the hash without its sessions of every manifest that comes with some, by its path there.
        differences: what changes in text files, as unified diffs; only in a preview that asks for them.
        migration: what bringing an older layout forward does.
        converted: the folders of the bundles whose `tasks.md` becomes `tasks.json`.
    """

    package: Path
    manifest: Manifest
    verdict: Verdict
    target: Path
    is_noop: bool
    installation: Installation
    bundles: tuple[BundleFate, ...]
    lineage: Lineage
    walnut_id: str | None
    broken_ledger: str | None
    limits: Limits
    warnings: tuple[str, ...] = ()
    hidden: tuple[HiddenText, ...] = ()
    updates: tuple[GroupUpdate, ...] = ()
    comparable: Mapping[str, str] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    migration: MigrationResult = MigrationResult()
    converted: tuple[str, ...] = ()

    @property
    def outcome(self) -> tuple[object, ...]:
        """What a person decided on: where, whether anything is to be done, and what becomes of bundles and files."""
        return self.target, self.is_noop, self.bundles, self.changes, self.migration

    @property
    def applied(self) -> tuple[BundleFate, ...]:
        """The bundles that are put in place or updated."""
        return tuple(bundle for bundle in self.bundles if bundle.fate in {Fate.APPLY, Fate.UPDATE})

    @property
    def added(self) -> tuple[BundleFate, ...]:
        """The bundles that are put in place whole."""
        return tuple(bundle for bundle in self.bundles if bundle.fate is Fate.APPLY)

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """What an update does, file by file."""
        return tuple(change for one in self.updates for change in one.changes)

    @property
    def makes_walnut(self) -> bool:
        """Whether a new walnut appears."""
        return self.lineage is Lineage.NEW


@dataclass(frozen=True)
class ReceiveResult:
    """A finished receive.

    Attributes:
        status: `ok`, `warn` or `noop`.
        plan: what was carried out.
        warnings: what went differently, with the commands that mend it.
    """

    status: str
    plan: ReceivePlan
    warnings: tuple[str, ...] = field(default=())

    @property
    def migration(self) -> MigrationResult | None:
        """What bringing an older layout forward did; None where there was nothing."""
        return self.plan.migration if self.plan.migration != MigrationResult() else None
