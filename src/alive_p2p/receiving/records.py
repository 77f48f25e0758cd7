"""What a receive leaves behind in the kernel: the log entry and the ledger entry (receive.md §5, §9)."""

from pathlib import Path
from typing import Any

from alive_p2p import files, hashing
from alive_p2p.receiving.dedupe import digest_of
from alive_p2p.receiving.layout import bundle_names, bundles_in, groups_of
from alive_p2p.receiving.plan import Fate, ReceivePlan
from alive_p2p.receiving.staged import content_of, names_in_staging
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.below import files_below
from alive_p2p.walnut.ledger import LIVE_CONTEXT, usual_place
from alive_p2p.walnut.log import ImportRecord, without_imports
from alive_p2p.walnut.tasks import Tasks, lists_tasks, remembered


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
        updated=[fate.folder for fate in plan.applied if fate.fate is Fate.UPDATE],
    )


def ledger_entry(plan: ReceivePlan, tree: Path, at: str, undo_folder: str | None = None) -> dict[str, Any]:
    """The ledger entry of a receive.

    Args:
        plan: what is received.
        tree: where its files lie now; they are hashed where their installed content may differ from the package's.
        at: when.
        undo_folder: the name in the undo store of what an update displaces.

    Raises:
        FileSystemError: a file cannot be read.
    """
    manifest = plan.manifest
    groups = _groups(plan)
    names = names_in_staging(plan)
    bundles = [name for name in groups if name not in {LIVE_CONTEXT, kernel.KERNEL}]
    rows = {name: _rows(plan, names, tree, pairs) for name, pairs in groups.items()}
    entry: dict[str, Any] = {
        "import_id": manifest.import_id,
        "format_version": manifest.format_version,
        "source_layout": manifest.source_layout or plan.installation.layout,
        "scope": manifest.scope,
        "package_bundles": list(bundle_names(manifest, plan.installation)),
        "applied_bundles": bundles,
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
        "bundle_digests": {name: digest_of(manifest, name) for name in bundles},
    }
    if manifest.based_on:
        entry["based_on"] = list(manifest.based_on)
    sessions = {
        row[1]: plan.comparable[path] for held in rows.values() for path, row in held.items() if path in plan.comparable
    }
    if sessions:
        entry["comparable"] = sessions
    folders = {name: _home(name) for name in rows} | {fate.name: fate.folder for fate in plan.applied}
    tasks = {name: held for name in rows if (held := _tasks(names, tree, rows[name], folders[name]))}
    if tasks:
        entry["tasks"] = tasks
    entry["undo"] = _undo_note(plan, tree, {row[1] for held in rows.values() for row in held.values()}, undo_folder)
    entry["files"] = {
        name: {path: _compact(row, path, name, folders[name]) for path, row in held.items()}
        for name, held in rows.items()
    }
    return entry


def _groups(plan: ReceivePlan) -> dict[str, list[tuple[str, str]]]:
    """Per group that is applied the files: package path, and path in the walnut."""
    inside = groups_of(plan.manifest, plan.installation)
    if plan.makes_walnut:
        return {name: [(path, _joined(_home(name), rest)) for path, rest in held] for name, held in inside.items()}
    added = {fate.name: [(path, f"{fate.folder}/{rest}") for path, rest in inside[fate.name]] for fate in plan.added}
    return added | {group.name: sorted(group.places.items()) for group in plan.updates}


def _undo_note(plan: ReceivePlan, tree: Path, listed: set[str], folder: str | None) -> dict[str, Any]:
    """What taking the receive back needs besides the lists of its files; see `UndoNote`."""
    roots = [""] if plan.makes_walnut else [fate.folder for fate in plan.added]
    made = {}
    for path in (_joined(root, rest) for root in roots for rest in files_below(tree / root if root else tree)):
        if path in listed:
            continue
        with files.translating("read", tree / path):
            if path == kernel.LOG:
                made[path] = hashing.sha256(without_imports((tree / path).read_bytes()))
            else:
                made[path] = files.hash_file(tree / path)[0]
    note: dict[str, Any] = {"makes_walnut": True} if plan.makes_walnut else {}
    note |= {"made": made} if made else {}
    note |= {"updated": [group.name for group in plan.updates]} if plan.updates else {}
    return note | ({} if folder is None else {"folder": folder})


def _home(group: str) -> str:
    return "" if group == LIVE_CONTEXT else group


def _joined(folder: str, rest: str) -> str:
    return f"{folder}/{rest}" if folder else rest


def _rows(plan: ReceivePlan, names: dict[str, str], tree: Path, pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Per file its hash in the package, where it is (or would be), and its hash as it is (or would be) put there."""
    listed = plan.manifest.hashes
    rows: dict[str, list[str]] = {}
    for path, place in pairs:
        final, installed = place, listed[path]
        may_be_converted = path.rpartition("/")[2] == kernel.V2_BUNDLE_TASKS
        content = content_of(path, names, tree) if may_be_converted else None
        if content is not None and content.name == kernel.BUNDLE_TASKS:
            final = place.removesuffix(kernel.V2_BUNDLE_TASKS)  # what the task list was converted to
            final = place if final == place else final + kernel.BUNDLE_TASKS
            with files.translating("read", content):
                installed = files.hash_file(content)[0]
        rows[path] = [listed[path], final, installed]
    return rows


def _tasks(names: dict[str, str], tree: Path, rows: dict[str, list[str]], folder: str) -> dict[str, Tasks]:
    """What task files held, by their path inside the folder of the group."""
    found: dict[str, Tasks] = {}
    for path, (_, place, _) in rows.items():
        content = content_of(path, names, tree) if lists_tasks(place) else None
        if content is None or not files.is_file(content):
            continue
        if (tasks := remembered(content)) is not None:
            found[place.removeprefix(f"{folder}/")] = tasks
    return found


def _compact(row: list[str], path: str, group: str, folder: str) -> str | list[str]:
    """Only the hash, for a file that was put where it usually is, as it came."""
    sha256, place, installed = row
    return sha256 if installed == sha256 and place == usual_place(path, group, folder) else row


def applied_names(plan: ReceivePlan) -> list[str]:
    """The names, as they are now, of the bundles a receive puts in place or updates."""
    if plan.makes_walnut:
        return bundles_in(plan.installation)
    return [fate.folder for fate in plan.applied]
