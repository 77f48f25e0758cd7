"""What is told of a package: what is known of it, and apart from that what it says of itself."""

from typing import Any

from alive_p2p.api.data import Manifest, PackageInfo, Verdict, Verification
from alive_p2p.mcp.outside import MOST_LISTED, listed, name, outside

_MEANS = {
    "valid": "signed by {peer} ({key})",
    "other-signer": "signed by {peer} ({key}), who is not the sender that it names",
    "unknown": "signed with a key that you do not know ({key})",
    "revoked": "signed with a key that was revoked ({peer}, {key})",
    "invalid": "its signature is not valid",
    "unsigned": "it is not signed",
}


def signature(verdict: Verdict) -> dict[str, Any]:
    """Who signed it, as the keyring knows them; never what the package says of its sender."""
    outcome = verdict.outcome.value
    peer = outside(verdict.signer, limit=80) if verdict.signer is not None else None
    return {
        "outcome": outcome,
        "means": _MEANS[outcome].format(peer=peer, key=verdict.pubkey_id),
        "peer": peer,
        "pubkey_id": verdict.pubkey_id,
    }


def claims(manifest: Manifest) -> dict[str, Any]:
    """What a package says of itself. Every word of it is somebody else's."""
    return {
        "walnut": outside(manifest.walnut),
        "sender": outside(manifest.sender),
        "sensitivity": outside(manifest.sensitivity) if manifest.sensitivity else None,
        "description": outside(manifest.description),
        "note": outside(manifest.note),
        "bundles": listed(manifest.bundles),
        "files": listed(entry.path for entry in manifest.files),
        "left_out_there": listed(manifest.exclusions),
        "changed_there": listed(f"{path}: {why}" for path, why in manifest.substitutions.items()),
    }


def package_document(found: PackageInfo, checked: Verification | None) -> dict[str, Any]:
    """A package that was looked at; without `checked` only its envelope could be."""
    manifest = found.manifest
    document: dict[str, Any] = {
        "package": name(found.path),
        "size_bytes": found.size,
        "encryption": found.envelope.value,
        "is_open": manifest is not None,
        "sealed_for": list(found.addressees.pubkey_ids),
    }
    if manifest is None or found.verdict is None:
        return document
    document |= {
        "scope": manifest.scope,
        "created": manifest.created,
        "format_version": outside(manifest.format_version),
        "import_id": manifest.import_id,
        "files": {"count": len(manifest.files), "bytes": manifest.total_size},
        "signature": signature(found.verdict),
        "from_outside": claims(manifest),
    }
    if checked is not None:
        document["checks"] = [
            {"name": one.name, "passed": one.passed, "finding": outside(one.finding)} for one in checked.checks
        ]
        document["hidden_text"] = {
            "count": len(checked.hidden),
            "first": [
                {"path": outside(one.path), "line": one.line, "what": one.what, "excerpt": outside(one.excerpt)}
                for one in checked.hidden[:MOST_LISTED]
            ],
        }
    return document
