"""What was sent: `sent.json`, one entry for every package (share.md §4, §7).

It is what receipts are matched with, and where every override of the gate stands with the package it was for.
"""

import json
from dataclasses import dataclass
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
    """

    path: Path
    shares: tuple[dict[str, Any], ...] = ()

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
            if not isinstance(shares, list) or not all(isinstance(share, dict) for share in shares):
                raise TypeError
        except (ValueError, RecursionError, TypeError, KeyError):
            raise AliveP2PError(
                "broken-register", f"'{path}' cannot be used", untouched="everything", hint="mend it or move it away"
            ) from None
        return cls(path, tuple(shares))


def record(result: ShareResult, runtime: Runtime) -> str | None:
    """Add a finished share. What goes wrong is returned as a warning: the package is made already."""
    folder = runtime.alive_home / "relay"
    try:
        files.ensure_private_folder(folder)
        with walnut_lock(folder, "record", runtime, wait_seconds=_WAIT_SECONDS):
            register = SentRegister.read(runtime)
            shares = [*register.shares, _entry(result.plan, result.path, runtime)]
            document = {"version": _VERSION, "shares": shares}
            files.replace_file(register.path, (json.dumps(document, indent=1) + "\n").encode())
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
        "encryption": plan.request.seal.envelope.value,
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


def _is_let_through(finding: Finding, plan: SharePlan) -> bool:
    return finding.blocks and finding.id in plan.request.allowed_findings
