"""Fetching what waits in our relay, no more of one peer than is left to it (relay.md §4, §6)."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import RelayError
from alive_p2p.pending import PendingFile
from alive_p2p.relay.collecting import ABANDONED_SECONDS, MOST_BYTES, TooLarge, Waiting, over_quota
from alive_p2p.relay.transports.base import Progress, Transport, over_limit
from alive_p2p.runtime import Runtime


class Allowance:
    """How many bytes of one peer may still be fetched in this pull; what was fetched in vain counts as well.

    Args:
        most_bytes: all of it.

    Attributes:
        too_large: by deposit, what turned out to have more bytes than were left.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.too_large: dict[str, TooLarge] = {}
        self._used = 0

    @property
    def left(self) -> int:
        """Bytes."""
        return max(0, self.most_bytes - self._used)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it was used yet."""
        return self._used == 0

    def use(self, size: int) -> None:
        """Count bytes."""
        self._used += size


def fetch(
    one: Waiting,
    relay: Transport,
    folder: Path,
    runtime: Runtime,
    *,
    allowance: Allowance | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch a package into a folder, under its name in the relay. What is there already is not fetched again.

    Args:
        one: what is fetched.
        relay: ours.
        folder: where to; made if it is not there.
        runtime: the surroundings.
        allowance: what is left to its peer; it is counted there.
        progress: called with bytes done and bytes in all.

    Raises:
        RelayError: it is gone, too large (`relay-over-limit`), too much with what came before it (`over-quota`), or not
            what its note says (`not-carried`).
        FileSystemError: the disk refused.
    """
    allowance = allowance or Allowance()
    wanted = one.note.file_sha256 if one.note is not None else None
    final, there = _places(folder, one.deposit.name.rpartition("/")[2])
    for path in there:
        if wanted is not None and (known := _hash_at(path)) is not None and known[0] == wanted:
            allowance.use(known[1])
            return path
    if not files.is_folder(folder):
        with files.translating("create", folder):
            folder.mkdir(parents=True, exist_ok=True)
    files.sweep_temporaries(folder, older_than=runtime.now().timestamp() - ABANDONED_SECONDS)
    with PendingFile(folder) as pending:
        output = _Hashing(pending.stream.write)
        with files.translating("write", final):
            _read(one, relay, output, allowance, progress)
        sha256 = output.digest.hexdigest()
        if wanted is not None and sha256 != wanted:
            raise RelayError(
                "not-carried",
                f"'{final.name}' is not the file that its delivery note is about",
                untouched="everything; it is still in the relay",
                hint="ask the sender to send it again, and look who else may write to your relay",
            )
        for path in there:  # without a note it is known only now that it was fetched before
            if (known := _hash_at(path)) is not None and known[0] == sha256:
                return path
        pending.publish(final, replace_existing=True)
    return final


def _places(folder: Path, name: str) -> tuple[Path, list[Path]]:
    """Where a file of this name can go, and what lies there already under it: fetched before, or somebody else's."""
    there: list[Path] = []
    place, number = folder / name, 1
    while files.is_taken(place):
        there.append(place)
        number += 1
        place = folder / f"{name.removesuffix('.walnut')}-{number}.walnut"
    return place, there


def _read(one: Waiting, relay: Transport, output: "_Hashing", allowance: Allowance, progress: Progress | None) -> None:
    """Read a package's bytes, no more of them than are left to its peer. Raises `RelayError`, `OSError`."""
    entry, limit, is_first = one.deposit.entry, allowance.left, allowance.is_whole
    try:
        if limit <= max(one.more_than, (entry.size or 0) - 1):
            raise over_limit(entry, limit)
        relay.read(entry, output, limit=limit, progress=progress)  # type: ignore[arg-type]
    except RelayError as error:
        if error.code != "relay-over-limit":
            raise
        if entry.size is None and limit > one.more_than:  # so many bytes have come, and more would have
            output.count = limit
            allowance.too_large[entry.name] = TooLarge(entry.version, limit)
        if is_first:
            raise
        raise RelayError(
            "over-quota", over_quota(allowance.most_bytes), untouched="everything; it is still in the relay"
        ) from error
    finally:
        allowance.use(output.count)


class _Hashing:
    """Takes bytes, hashes and counts them on the way."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.digest = hashlib.sha256()
        self.count = 0

    def write(self, data: bytes) -> int:
        """Write on."""
        self.digest.update(data)
        self.count += len(data)
        self._write(data)
        return len(data)


def _hash_at(path: Path) -> tuple[str, int] | None:
    try:
        return files.hash_file(path)
    except OSError:
        return None
