"""Writing a log entry that is missing: `log-import` (cli.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.recovery import settled_lock
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import Ledger, LedgerEntry
from alive_p2p.walnut.log import ImportRecord, has_import, with_entry
from alive_p2p.walnut.walnut import open_walnut

_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class LogImport:
    """What is to be logged; what is not given is taken from the ledger."""

    walnut: Path
    import_id: str
    sender: str | None = None
    scope: str | None = None
    bundles: Sequence[str] | None = None
    source_layout: str | None = None


def log_import(request: LogImport, runtime: Runtime, *, wait_seconds: float = 0.0) -> bool:
    """Write the log entry of a receive, unless it is there.

    Returns:
        Whether an entry was written.

    Raises:
        UsageError: the id is not one, several receives begin with it, or the ledger does not know it and neither
            sender nor scope are given.
        WalnutError: the walnut has no log, or its ledger is broken.
        BusyError: another process holds the walnut.
        FileSystemError: the log cannot be written.
    """
    if not (16 <= len(request.import_id) <= 64 and _HEX.issuperset(request.import_id)):
        raise UsageError(
            "bad-import-id",
            "an import id is 64 hex digits, or its first 16 at least",
            hint="`alive-p2p info --walnut FOLDER --json` shows the ids of what was received",
        )
    walnut = open_walnut(runtime.cwd / request.walnut)
    with settled_lock(walnut.root, "log-import", runtime, wait_seconds=wait_seconds):
        log = walnut.read_kernel(kernel.LOG)
        if log is None:
            raise WalnutError(
                "bad-log",
                f"the walnut '{walnut.root}' has no `_kernel/log.md`",
                untouched="everything",
                hint="give it a log that begins with a `---` block, then run it again",
            )
        entry = _find(Ledger.parse(walnut.read_kernel(kernel.LEDGER, limit=kernel.LEDGER_LIMIT)), request.import_id)
        if entry is None and (request.sender is None or request.scope is None):
            raise UsageError(
                "unknown-import",
                f"the ledger of '{walnut.root}' knows no import {request.import_id[:16]}",
                untouched="everything",
                hint="check the id, or give `--sender` and `--scope` to log it all the same",
            )
        record = _record(request, entry, runtime)
        if has_import(log, record.import_id):
            return False
        files.replace_file(walnut.root / kernel.LOG, with_entry(log, record))
        return True


def _find(ledger: Ledger, prefix: str) -> LedgerEntry | None:
    found = [entry for entry in ledger.entries if entry.import_id.startswith(prefix)]
    if len({entry.import_id for entry in found}) > 1:
        raise UsageError(
            "ambiguous-import-id",
            f"several receives have an id that begins with {prefix}",
            hint="give more of its digits",
        )
    return found[-1] if found else None


def _record(request: LogImport, entry: LedgerEntry | None, runtime: Runtime) -> ImportRecord:
    raw = entry.raw if entry is not None else {}
    here = [entry.folder_of(name) for name in entry.applied_bundles] if entry is not None else []
    return ImportRecord(
        at=runtime.timestamp(),
        session=runtime.session_id,
        sender=request.sender or str(raw.get("sender") or "unknown"),
        scope=request.scope or (entry.scope if entry is not None else "") or "unknown",
        bundles=list(request.bundles) if request.bundles is not None else here,
        source_layout=request.source_layout or str(raw.get("source_layout") or "unknown"),
        import_id=entry.import_id if entry is not None else request.import_id,
    )
