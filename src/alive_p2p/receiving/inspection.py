"""Looking at a package without receiving it: `info` and `verify` (receive.md §12)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alive_p2p.errors import PackageError
from alive_p2p.package.envelopes.base import NO_CREDENTIALS, Addressees, Credentials, Envelope
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import PackageReader, Progress
from alive_p2p.package.signature import Signer, Verdict
from alive_p2p.package.signature import check as check_signature
from alive_p2p.receiving.deciding import refuse_signature
from alive_p2p.receiving.hidden_text import HiddenText
from alive_p2p.receiving.layout import plan_installation
from alive_p2p.receiving.looking import Looking
from alive_p2p.receiving.plan import nobody
from alive_p2p.receiving.signers import describe_verdict


@dataclass(frozen=True)
class PackageInfo:
    """What can be told of a package without checking all of it.

    Attributes:
        path: the file.
        size: its size in bytes.
        envelope: what is around the payload.
        manifest: its manifest; None where it is sealed.
        layout: the layout it states or seems to have; None where that cannot be told.
        addressees: for whom the envelope says it is sealed.
        verdict: what is known of its signature; None where the package is sealed.
    """

    path: Path
    size: int
    envelope: Envelope
    manifest: Manifest | None
    layout: str | None
    addressees: Addressees = field(default_factory=Addressees)
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Check:
    """One check of `verify`: its name, whether it passed (None: not reached), and what was found."""

    name: str
    passed: bool | None
    finding: str


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`; `error` is the first failure, `hidden` what a reader would not see."""

    path: Path
    checks: tuple[Check, ...]
    manifest: Manifest | None
    error: PackageError | None
    verdict: Verdict | None = None
    hidden: tuple[HiddenText, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.error is None


def inspect(
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    credentials: Credentials = NO_CREDENTIALS,
    find_signer: Callable[[str], Signer | None] = nobody,
    *,
    must_open: bool = False,
) -> PackageInfo:
    """Read what a package says of itself. Its files are not checked; `verify` does that.

    A sealed package that the credentials do not open gives its envelope, its size and for whom it is.

    Args:
        path: the file.
        limits: the limits in force.
        credentials: what a sealed package is opened with.
        find_signer: looks a `pubkey_id` up in the keyring.
        must_open: whether a sealed package that is for somebody else is an error.

    Raises:
        UsageError: there is no such file.
        PackageError: it is not a package, or its manifest is not valid.
    """
    with PackageReader(path, limits, credentials) as package:
        addressees = package.addressees
        try:
            manifest = package.read_manifest()
        except PackageError as error:
            if error.code != "sealed" and (must_open or error.code != "not-for-us"):
                raise
            return PackageInfo(path, package.size, package.envelope, None, None, addressees)
    layout: str | None
    try:
        layout = plan_installation(manifest, manifest.empty_dirs or ()).layout
    except PackageError:
        layout = manifest.source_layout
    verdict = check_signature(manifest, find_signer)
    return PackageInfo(path, package.size, package.envelope, manifest, layout, addressees, verdict)


_STEPS = ("container", "members", "manifest", "files", "shape", "signature")
_STEP_OF = {
    "not-a-package": "container",
    "damaged": "container",
    "bad-envelope": "container",
    "cannot-open": "container",
    "not-for-us": "container",
    "sealed": "container",
    "work-factor-too-high": "container",
    "bad-age-header": "container",
    "unsafe-member": "members",
    "over-limit": "members",
    "no-manifest": "manifest",
    "bad-manifest": "manifest",
    "unsupported-version": "manifest",
    "altered": "files",
    "bad-signature": "signature",
    "revoked-signer": "signature",
    "signature-required": "signature",
}


def verify(
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    credentials: Credentials = NO_CREDENTIALS,
    find_signer: Callable[[str], Signer | None] = nobody,
    *,
    require_signature: bool = False,
) -> Verification:
    """Check everything a receive would check of the package itself. Writes nothing.

    Raises:
        UsageError: there is no such file.
        FileSystemError: it cannot be read.
        PackageError: it is sealed and the credential it needs was not given, so that nothing can be checked.
    """
    manifest: Manifest | None = None
    verdict: Verdict | None = None
    try:
        with PackageReader(path, limits, credentials) as package:
            looking = Looking()
            contents = package.check(progress, looking.watch)
        manifest = contents.manifest
        plan_installation(manifest, contents.empty_dirs)
        verdict = check_signature(manifest, find_signer)
        refuse_signature(verdict, is_required=require_signature)
    except PackageError as error:
        if error.code == "sealed":
            raise
        failed = _STEP_OF.get(error.code, "shape")
        position = _STEPS.index(failed)
        checks = [Check(name, passed=True, finding="ok") for name in _STEPS[:position]]
        checks.append(Check(failed, passed=False, finding=error.message))
        checks += [Check(name, passed=None, finding="not checked") for name in _STEPS[position + 1 :]]
        return Verification(path, tuple(checks), manifest, error, verdict)
    count = len(manifest.files)
    findings = (
        "gzip, complete to the last byte",
        "every name and type is safe",
        f"format {manifest.format_version}, valid",
        f"{count:,} listed, all present and unaltered, none besides",
        f"as scope {manifest.scope} has it",
        describe_verdict(verdict),
    )
    checks = [Check(name, passed=True, finding=finding) for name, finding in zip(_STEPS, findings, strict=True)]
    return Verification(path, tuple(checks), manifest, None, verdict, looking.found())
