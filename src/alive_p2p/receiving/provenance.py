"""Where everything in a walnut came from, and what became of it here since (receive.md §13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.walnut import kernel
from alive_p2p.walnut.below import files_below
from alive_p2p.walnut.bundles import discover
from alive_p2p.walnut.ledger import LIVE_CONTEXT, InstalledFile, Ledger, LedgerEntry
from alive_p2p.walnut.walnut import Walnut


@dataclass(frozen=True)
class Origin:
    """The receive that something came with.

    Attributes:
        import_id: the package's.
        sender: who the package said it was from.
        signer: the peer's name here, or None where the signer was not known.
        signature: the outcome of the check (format.md §4).
        pubkey_id: the key that signed, or None.
        received_at: when it was received.
    """

    import_id: str
    sender: str
    signer: str | None
    signature: str
    pubkey_id: str | None
    received_at: str


@dataclass(frozen=True)
class Provenance:
    """One bundle, or the live context as `.`.

    Attributes:
        name: the folder, as it is now.
        origin: the last receive that put it here; None where it was made here.
        changed: files that are no longer as they were received.
        added: files that came later.
        removed: files that are gone.
    """

    name: str
    origin: Origin | None
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def provenance(walnut: Walnut) -> list[Provenance]:
    """Every top-level bundle, and the live context where it was received.

    Raises:
        BrokenLedgerError: the ledger cannot be used.
        FileSystemError: something cannot be read.
    """
    ledger = Ledger.parse(walnut.read_kernel(kernel.LEDGER, limit=kernel.LEDGER_LIMIT))
    tops = [bundle.relpath for bundle in discover(walnut) if bundle.is_top_level]
    received = _latest(ledger)
    found = [_of_bundle(walnut.root, folder, received) for folder in tops]
    if LIVE_CONTEXT in received:
        found.insert(0, _of_live_context(walnut.root, received[LIVE_CONTEXT]))
    return found


_Received = tuple[LedgerEntry, Mapping[str, InstalledFile]]


def _latest(ledger: Ledger) -> dict[str, _Received]:
    """By the folder here, the last receive that put something into it, and what."""
    found: dict[str, _Received] = {}
    for entry in ledger.entries:
        for name in (*entry.applied_bundles, *([LIVE_CONTEXT] if LIVE_CONTEXT in entry.files else [])):
            found[entry.folder_of(name)] = entry, entry.files.get(name, {})
    return found


def _of_bundle(root: Path, folder: str, received: Mapping[str, _Received]) -> Provenance:
    if folder not in received:
        return Provenance(folder, None)
    entry, rows = received[folder]
    here = {f"{folder}/{path}" for path in files_below(root / folder)}
    return _compared(root, folder, entry, rows, here)


def _of_live_context(root: Path, received: _Received) -> Provenance:
    """Only what was received is compared: beside it the person's own files are nobody's addition."""
    entry, rows = received
    return _compared(root, LIVE_CONTEXT, entry, rows, None)


def _compared(
    root: Path, name: str, entry: LedgerEntry, rows: Mapping[str, InstalledFile], here: set[str] | None
) -> Provenance:
    changed, removed = [], []
    for row in rows.values():
        try:
            digest = files.hash_file(root / row.installed)[0]
        except FileNotFoundError:
            removed.append(row.installed)
            continue
        except OSError as error:
            raise files.file_system_error(error, "read", root / row.installed) from error
        if digest != row.installed_sha256:
            changed.append(row.installed)
    added = sorted(here - {row.installed for row in rows.values()}) if here is not None and rows else []
    return Provenance(name, origin_of(entry), tuple(sorted(changed)), tuple(added), tuple(sorted(removed)))


def origin_of(entry: LedgerEntry) -> Origin:
    """What the ledger says of where a receive came from."""
    signer = entry.raw.get("signer")
    told = signer if isinstance(signer, dict) else {}
    return Origin(
        import_id=entry.import_id,
        sender=str(entry.raw.get("sender") or "unknown"),
        signer=told["name"] if isinstance(told.get("name"), str) else None,
        signature=told["status"] if isinstance(told.get("status"), str) else "unsigned",
        pubkey_id=told["pubkey_id"] if isinstance(told.get("pubkey_id"), str) else None,
        received_at=str(entry.raw.get("received_at") or ""),
    )
