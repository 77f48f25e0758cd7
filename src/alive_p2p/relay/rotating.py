"""Taking a new key pair in the place of our own, so that peers can follow (relay.md §6, rotate).

The document lies on our disk before the new key does, and the new key before anything is published: after a kill at
any moment `relay setup` or `relay rotate` finishes what was begun, and a document whose key never came to count is of
no account. The old private key is kept, for what is still under way to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import FileSystemError
from alive_p2p.keys.private import generate_private_key
from alive_p2p.keys.public import PublicKey
from alive_p2p.relay import documents
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.rotation import MOST, line_to, make_rotation, place_of, read_line
from alive_p2p.runtime import Runtime

_SUFFIX = ".json"


@dataclass(frozen=True)
class Past:
    """How our key came to be the one that counts.

    Attributes:
        documents: the rotations that lead to it, by their place in our relay.
        former: the ids of the keys that were ours before.
        serial: which of our rotations was the last; 0 where the key is our first.
    """

    documents: Mapping[str, bytes]
    former: frozenset[str]
    serial: int


def past_of(public: PublicKey, runtime: Runtime) -> Past:
    """What lies on our disk of the rotations that lead to our key.

    Raises:
        FileSystemError: it cannot be read.
    """
    lines = [line for path in _files(runtime) if (line := read_line(_content(path))) is not None]
    way = line_to(public.fingerprint, lines)[:MOST]
    return Past(
        {place_of(line.new[:16]): line.data for line in way},
        frozenset(line.old[:16] for line in way),
        way[0].serial if way else 0,
    )


def rotate(we: Ourselves, runtime: Runtime, *, passphrase: bytes | None = None) -> PublicKey:
    """Take a new key pair (RSA-4096; about a second); it is for the caller to publish it with `own_relay.setup`.

    Args:
        we: who we are.
        runtime: the surroundings.
        passphrase: seals the new private key.

    Raises:
        KeyProblem: the passphrase is empty, or the keyring's index is broken.
        BusyError: another process is changing the keyring.
        FileSystemError: the disk refused; then the old key counts as before.
    """
    past = past_of(we.key.public, runtime)
    new = generate_private_key()
    folder = _folder(runtime)
    for place in (folder.parent, folder):
        files.ensure_private_folder(place)
    _forget_what_never_was(past, runtime)
    document = make_rotation(we.handle, we.key, new, past.serial + 1, runtime.timestamp())
    files.replace_file(folder / f"{new.public.pubkey_id}{_SUFFIX}", document, mode=0o600)
    return we.keyring.install(new, passphrase=passphrase, overwrite=True)


def take_over(found: Iterable[object], runtime: Runtime) -> None:
    """Put rotations that another machine of ours has carried out on this disk.

    Raises:
        FileSystemError: they cannot be written.
    """
    folder = _folder(runtime)
    for document in found:
        line = read_line(documents.stored(document)) if isinstance(document, Mapping) else None
        if line is not None:
            for place in (folder.parent, folder):
                files.ensure_private_folder(place)
            files.replace_file(folder / f"{line.new[:16]}{_SUFFIX}", line.data, mode=0o600)


def _forget_what_never_was(past: Past, runtime: Runtime) -> None:
    """Remove the documents of keys that never came to count: an earlier call was ended before they did."""
    counts = set(past.documents.values())
    for path in _files(runtime):
        if _content(path) not in counts:
            with files.translating("remove", path):
                files.remove_file(path)


def _folder(runtime: Runtime) -> Path:
    return runtime.alive_home / "relay" / "rotations"


def _files(runtime: Runtime) -> list[Path]:
    folder = _folder(runtime)
    if not files.is_folder(folder):
        return []
    with files.translating("read", folder):
        return sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIX) and files.is_file(path))


def _content(path: Path) -> bytes:
    try:
        return files.read_bytes(path, limit=documents.MOST_BYTES)
    except FileSystemError as error:
        if error.code in {"missing", "file-too-large"}:
            return b""
        raise
