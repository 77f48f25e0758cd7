"""Looking at a package without receiving it: `info` and `verify` (receive.md §12)."""

from dataclasses import dataclass
from pathlib import Path

from alive_p2p.errors import PackageError
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import PackageReader, Progress
from alive_p2p.receiving.layout import plan_installation


@dataclass(frozen=True)
class PackageInfo:
    """What can be told of a package without checking all of it.

    Attributes:
        path: the file.
        size: its size in bytes.
        envelope: what is around the payload.
        manifest: its manifest; None where it is sealed.
        layout: the layout it states or seems to have; None where that cannot be told.
    """

    path: Path
    size: int
    envelope: Envelope
    manifest: Manifest | None
    layout: str | None


@dataclass(frozen=True)
class Check:
    """One check of `verify`: its name, whether it passed (None: not reached), and what was found."""

    name: str
    passed: bool | None
    finding: str


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`; `error` is the first failure."""

    path: Path
    checks: tuple[Check, ...]
    manifest: Manifest | None
    error: PackageError | None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.error is None


def inspect(path: Path, limits: Limits = DEFAULT_LIMITS) -> PackageInfo:
    """Read what a package says of itself. Its files are not checked; `verify` does that.

    Raises:
        UsageError: there is no such file.
        PackageError: it is not a package, or its manifest is not valid.
    """
    with PackageReader(path, limits) as package:
        if package.envelope is not Envelope.PLAIN:
            return PackageInfo(path, package.size, package.envelope, None, None)
        manifest = package.read_manifest()
    layout: str | None
    try:
        layout = plan_installation(manifest, manifest.empty_dirs or ()).layout
    except PackageError:
        layout = manifest.source_layout
    return PackageInfo(path, package.size, package.envelope, manifest, layout)


_STEPS = ("container", "members", "manifest", "files", "shape")
_STEP_OF = {
    "not-a-package": "container",
    "damaged": "container",
    "unsafe-member": "members",
    "over-limit": "members",
    "no-manifest": "manifest",
    "bad-manifest": "manifest",
    "unsupported-version": "manifest",
    "altered": "files",
}


def verify(path: Path, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None) -> Verification:
    """Check everything a receive would check of the package itself. Writes nothing.

    Raises:
        UsageError: there is no such file.
        FileSystemError: it cannot be read.
        PackageError: it is sealed, so that nothing can be checked.
    """
    manifest: Manifest | None = None
    try:
        with PackageReader(path, limits) as package:
            contents = package.check(progress)
        manifest = contents.manifest
        plan_installation(manifest, contents.empty_dirs)
    except PackageError as error:
        if error.code == "sealed":
            raise
        failed = _STEP_OF.get(error.code, "shape")
        position = _STEPS.index(failed)
        checks = [Check(name, passed=True, finding="ok") for name in _STEPS[:position]]
        checks.append(Check(failed, passed=False, finding=error.message))
        checks += [Check(name, passed=None, finding="not checked") for name in _STEPS[position + 1 :]]
        return Verification(path, tuple(checks), manifest, error)
    count = len(manifest.files)
    findings = (
        "gzip, complete to the last byte",
        "every name and type is safe",
        f"format {manifest.format_version}, valid",
        f"{count:,} listed, all present and unaltered, none besides",
        f"as scope {manifest.scope} has it",
    )
    checks = [Check(name, passed=True, finding=finding) for name, finding in zip(_STEPS, findings, strict=True)]
    return Verification(path, tuple(checks), manifest, None)
