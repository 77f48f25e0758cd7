"""What was sent: `sent.json`, one entry for every package and one for every delivery (share.md §4, §7).

It is what receipts are matched with, and where every override of the gate stands with the package it was for. Unknown
fields survive.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.locks import walnut_lock
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.findings import Finding
from alive_p2p.sharing.plan import SharePlan, ShareResult

_LIMIT = 64 << 20
_WAIT_SECONDS = 10.0
_VERSION = 1


@dataclass(frozen=True)
class SentRegister:
    """The file, and what it holds.

    Attributes:
        path: where it lies.
        shares: one object per package, oldest first.
        deliveries: one object per package that was left in a peer's relay, oldest first (relay.md §6): `peer`,
            `import_id`, `deposit`, `at`, `status`, `status_at`, `bundles`.
        raw: the document as stored.
    """

    path: Path
    shares: tuple[dict[str, Any], ...] = ()
    deliveries: tuple[dict[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def serialise(self) -> bytes:
        """The file."""
        lists = {"shares": list(self.shares), "deliveries": list(self.deliveries)}
        return (json.dumps({"version": _VERSION, **self.raw, **lists}, indent=1) + "\n").encode()

    @classmethod
    def read(cls, runtime: Runtime) -> "SentRegister":
        """Read it; a missing one is empty.

        Raises:
            AliveP2PError: it cannot be read or is not what this program writes; it is named and left as it is.
        """
        path = runtime.alive_home / "relay" / "sent.json"
        data = files.read_bytes_if_present(path, limit=_LIMIT)
        if data is None:
            return cls(path)
        try:
            document = json.loads(data)
            shares = document["shares"]
            if document["version"] != _VERSION:
                raise ValueError
            deliveries = document.get("deliveries", [])
            for held in (shares, deliveries):
                if not isinstance(held, list) or not all(isinstance(one, dict) for one in held):
                    raise TypeError
        except (ValueError, RecursionError, TypeError, KeyError):
            raise AliveP2PError(
                "broken-register",
                f"'{path}', the list of what was shared, cannot be used",
                untouched="everything",
                hint="mend it, or move it away",
            ) from None
        return cls(path, tuple(shares), tuple(deliveries), document)


def change_register(runtime: Runtime, change: Callable[[SentRegister], SentRegister]) -> SentRegister:
    """Change `sent.json`, atomically and with nobody else changing it meanwhile.

    Raises:
        AliveP2PError: it cannot be used, or not be written.
    """
    folder = runtime.alive_home / "relay"
    files.ensure_private_folder(folder)
    with walnut_lock(folder, "record", runtime, wait_seconds=_WAIT_SECONDS):
        before = SentRegister.read(runtime)
        after = change(before)
        if after != before:
            files.replace_file(after.path, after.serialise(), mode=0o600)
        return after


def record(result: ShareResult, runtime: Runtime) -> str | None:
    """Add a finished share. What goes wrong is returned as a warning: the package is made already."""
    entry = _entry(result.plan, result.path, runtime)
    try:
        change_register(runtime, lambda register: replace(register, shares=(*register.shares, entry)))
    except AliveP2PError as error:
        return f"the share is not recorded: {error.message}"
    return None


def refuse_unrecordable(plan: SharePlan, runtime: Runtime) -> None:
    """Where somebody let something through by hand, it has to be possible to write that down.

    Raises:
        AliveP2PError: the register cannot be used.
    """
    if plan.gate.overrides or any(_is_let_through(one, plan) for one in plan.findings):
        SentRegister.read(runtime)


def _entry(plan: SharePlan, path: Path, runtime: Runtime) -> dict[str, Any]:
    manifest = plan.manifest
    return {
        "import_id": manifest.import_id,
        "at": runtime.timestamp(),
        "walnut": manifest.walnut,
        "scope": manifest.scope,
        "bundles": list(manifest.bundles),
        "package": str(path),
        "file_sha256": _hash_of(plan, path),
        "encryption": plan.request.seal.envelope.value,
        "signed_by": plan.request.signing_key.public.pubkey_id if plan.request.signing_key is not None else None,
        "recipients": [{"name": one.name, "pubkey_id": one.pubkey_id} for one in plan.request.recipients],
        "brought_back": list(plan.included),
        "overrides": [
            *({"name": one.name, "why": one.why} for one in plan.gate.overrides),
            *(
                {"name": one.id, "why": f"{one.what} in '{one.path}'"}
                for one in plan.findings
                if _is_let_through(one, plan)
            ),
        ],
    }


def _hash_of(plan: SharePlan, path: Path) -> str | None:
    """What a package that is sealed for keys is known by later: nobody here can look into it again."""
    if not plan.request.recipients:
        return None
    try:
        return files.hash_file(path)[0]
    except OSError:
        return None


def _is_let_through(finding: Finding, plan: SharePlan) -> bool:
    return finding.blocks and finding.id in plan.request.allowed_findings
