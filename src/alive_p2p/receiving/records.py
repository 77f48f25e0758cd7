"""What a receive leaves behind in the kernel: the log entry and the ledger entry (receive.md §5, §9)."""

from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.receiving.dedupe import digest_of, files_of_bundle
from alive_p2p.receiving.layout import bundles_in
from alive_p2p.receiving.migration import TASKS_MD
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LIVE_CONTEXT
from alive_p2p.walnut.log import ImportRecord


def import_record(plan: ReceivePlan, applied: list[str], at: str, runtime: Runtime) -> ImportRecord:
    """The log entry of a receive."""
    return ImportRecord(
        at=at,
        session=runtime.session_id,
        sender=plan.manifest.sender,
        scope=plan.manifest.scope,
        bundles=applied,
        source_layout=plan.manifest.source_layout or plan.installation.layout,
        import_id=plan.manifest.import_id,
        signed_by=f"{plan.verdict.signer} ({plan.verdict.pubkey_id})" if plan.verdict.signer else None,
    )


def ledger_entry(plan: ReceivePlan, tree: Path, at: str) -> dict[str, Any]:
    """The ledger entry of a receive.

    Args:
        plan: what is received.
        tree: where its files lie now; they are hashed where their installed content may differ from the package's.
        at: when.

    Raises:
        FileSystemError: a file cannot be read.
    """
    manifest = plan.manifest
    groups = _groups(plan)
    return {
        "import_id": manifest.import_id,
        "format_version": manifest.format_version,
        "source_layout": manifest.source_layout or plan.installation.layout,
        "scope": manifest.scope,
        "package_bundles": list(manifest.bundles) or [name for name in groups if name != LIVE_CONTEXT],
        "applied_bundles": [name for name in groups if name != LIVE_CONTEXT],
        "bundle_renames": {fate.name: fate.folder for fate in plan.applied if fate.is_renamed},
        "sender": one_line(manifest.sender),
        "created": manifest.created,
        "received_at": at,
        "source_walnut_id": manifest.walnut_id,
        "source_key_sha256": manifest.key_sha256,
        "signer": {
            "pubkey_id": plan.verdict.pubkey_id,
            "status": plan.verdict.outcome.value,
            "name": plan.verdict.signer,
        },
        "bundle_digests": {name: digest_of(manifest, name) for name in groups if name != LIVE_CONTEXT},
        "files": {name: _rows(plan, tree, pairs) for name, pairs in groups.items()},
    }


def _groups(plan: ReceivePlan) -> dict[str, list[tuple[str, str]]]:
    """Per applied bundle (and for live context) the files: package path, and path in the walnut."""
    if plan.manifest.scope == "bundle":
        return {
            fate.name: [(path, f"{fate.folder}/{rest}") for path, rest in files_of_bundle(plan.installation, fate.name)]
            for fate in plan.applied
        }
    if plan.manifest.scope == "snapshot":
        return {}
    bundles = bundles_in(plan.installation)
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in bundles}
    live: list[tuple[str, str]] = []
    for path, final in plan.installation.names.items():
        root = final.split("/")[0]
        if root != kernel.KERNEL:
            groups.get(root, live).append((path, final))
    if live:
        groups[LIVE_CONTEXT] = live
    return groups


def _rows(plan: ReceivePlan, tree: Path, pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    listed = {entry.path: entry.sha256 for entry in plan.manifest.files}
    rows: dict[str, list[str]] = {}
    for path, place in pairs:
        final = place
        if path not in listed:
            continue  # an empty folder
        installed = listed[path]
        if final.endswith("/" + TASKS_MD) and not files.is_file(tree / final):
            final = final.removesuffix(TASKS_MD) + kernel.BUNDLE_TASKS  # what the task list was converted to
            with files.translating("read", tree / final):
                installed = files.hash_file(tree / final)[0]
        rows[path] = [listed[path], final, installed]
    return rows


def applied_names(plan: ReceivePlan) -> list[str]:
    """The names, as they are now, of the bundles a receive puts in place."""
    if plan.manifest.scope == "bundle":
        return [fate.folder for fate in plan.applied]
    return bundles_in(plan.installation)
