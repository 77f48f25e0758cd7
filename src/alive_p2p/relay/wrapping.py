"""A package made ready for one peer: signed by us, and sealed for the key that was pinned (relay.md §4, §6)."""

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import PackageError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.envelopes.base import Addressees, Envelope
from alive_p2p.package.envelopes.sealing import Seal, sealed
from alive_p2p.package.limits import Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import Contents, PackageReader, Progress
from alive_p2p.package.signature import Outcome, check, sign
from alive_p2p.package.writer import Piece, write_package
from alive_p2p.pending import PendingFile
from alive_p2p.relay.documents import envelope_for_peer
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister

_NO_TIME = 0
"""The outer tar of an RSA envelope has a time; when it was wrapped is nobody's business."""


@dataclass(frozen=True)
class Wrapped:
    """A package that can be left in a peer's relay.

    Attributes:
        import_id: of what is inside.
        walnut: what it is of, for our own records.
        sha256: of the file.
        size: of the file, in bytes.
    """

    import_id: str
    walnut: str
    sha256: str
    size: int


def wrap(
    package: Path, peer: Peer, we: Ourselves, into: Path, runtime: Runtime, progress: Progress | None = None
) -> Wrapped:
    """Make a package ready for a peer.

    A plain package is signed, unless it is, and sealed for the peer's pinned key. One that is sealed goes as it is, if
    it was made here and sealed for that key.

    Args:
        package: the file.
        peer: whom it is for.
        we: who we are.
        into: the file to write; it must not exist.
        runtime: the surroundings.
        progress: called with bytes done and bytes in all.

    Raises:
        PackageError: it is not a package, or is damaged.
        RelayError: it is somebody else's, or sealed for others.
        FileSystemError: the disk refused.
    """
    with PackageReader(package, Limits()) as reader:
        if reader.envelope is Envelope.PLAIN:
            contents = reader.check(progress)
            walnut, import_id = contents.manifest.walnut, contents.manifest.import_id
            _seal(reader, contents, peer, we, into, runtime)
        elif reader.envelope in {Envelope.RSA, Envelope.AGE}:
            _refuse_other_addressees(reader.addressees, peer)
            _copy(package, into)  # what is looked up is what is sent, whatever happens to the file meanwhile
            import_id, walnut = _known_share(package, into, peer, we, runtime)
        else:
            raise RelayError(
                "sealed-for-others",
                f"'{package.name}' is sealed with a passphrase, and a relay takes what is sealed for its owner",
                untouched="everything",
                hint=f"share it with `alive-p2p share --to {peer.name}`, or make it without a seal and push that",
            )
    with files.translating("read", into):
        sha256, size = files.hash_file(into)
    return Wrapped(import_id, walnut, sha256, size)


def refuse_from_others(manifest: Manifest, we: Ourselves) -> None:
    """Refuse to sign and send on what says that it is from somebody else. Raises `RelayError`."""
    if manifest.sender != we.handle:
        raise RelayError(
            "not-ours",
            f"the package says that it is from '{manifest.sender}', and you are '{we.handle}'",
            untouched="everything",
            hint="share it from your own walnut, with `alive-p2p share --to PEER`: what is sent is signed by you",
        )


def _seal(reader: PackageReader, contents: Contents, peer: Peer, we: Ourselves, into: Path, runtime: Runtime) -> None:
    manifest = contents.manifest
    refuse_from_others(manifest, we)
    verdict = check(manifest, we.find_signer)
    seal = Seal(envelope_for_peer(peer), public_keys=(peer.public,))
    with PendingFile(into.parent) as pending:
        with files.translating("write", into), sealed(pending.stream, seal, _NO_TIME) as stream:
            if verdict.outcome is Outcome.VALID and verdict.pubkey_id == we.key.public.pubkey_id:
                with files.open_regular(reader.path) as source:
                    while piece := source.read(files.CHUNK):
                        stream.write(piece)
            else:
                _sign_into(stream, reader, contents, sign(manifest, we.key), into.with_suffix(".unpacked"), runtime)
        pending.publish(into, replace_existing=False)


def _sign_into(
    stream: io.RawIOBase | io.BufferedIOBase,
    reader: PackageReader,
    contents: Contents,
    signed: Manifest,
    folder: Path,
    runtime: Runtime,
) -> None:
    """Write the package once more, with a signature; its files lie in a private folder meanwhile."""
    files.make_folder(folder, 0o700)
    try:
        numbered = {entry.path: str(number) for number, entry in enumerate(signed.files)}
        reader.unpack(replace(contents, empty_dirs=frozenset()), folder, numbered)
        pieces = [_piece(entry, folder / numbered[entry.path]) for entry in signed.files]
        write_package(stream, signed, pieces, reproducible=runtime.is_reproducible)
    finally:
        files.remove_tree(folder)


def _piece(entry: FileEntry, place: Path) -> Piece:
    return Piece(entry, lambda: files.open_regular(place))


def _refuse_other_addressees(addressees: Addressees, peer: Peer) -> None:
    if not addressees.include(peer.public):
        raise RelayError(
            "sealed-for-others",
            f"the package is not sealed for the key of '{peer.name}' ({peer.public.pubkey_id})",
            untouched="everything",
            hint=f"share it with `alive-p2p share --to {peer.name}`",
        )


def _known_share(package: Path, copied: Path, peer: Peer, we: Ourselves, runtime: Runtime) -> tuple[str, str]:
    """What we know of a sealed package that was made here, by its bytes: its import id, and what it is of."""
    with files.translating("read", copied):
        sha256, _ = files.hash_file(copied)
    shares = SentRegister.read(runtime).shares
    share = next((one for one in reversed(shares) if one.get("file_sha256") == sha256), None)
    if share is not None and share.get("signed_by") == we.key.public.pubkey_id and _is_for(peer, share):
        return str(share.get("import_id")), str(share.get("walnut"))
    if share is not None and _is_for(peer, share):
        why = "it is not signed by your key, and what goes through a relay is always signed"
    elif share is not None:
        why = f"it was not made for '{peer.name}'"
    elif any(one.get("package") in {str(package), str(package.resolve())} for one in shares):
        why = "it is not the file that was made here under this name: that one has been replaced or changed since"
    else:
        why = "it was not made and sealed here, so nobody can tell what is inside without opening it"
    raise PackageError(
        "not-known",
        f"'{package.name}' is sealed, and {why}",
        untouched="everything",
        hint=f"share it with `alive-p2p share --to {peer.name}`, or push a package that is not sealed",
    )


def _is_for(peer: Peer, share: Mapping[str, Any]) -> bool:
    recipients = share.get("recipients")
    return isinstance(recipients, list) and any(
        isinstance(one, dict) and one.get("pubkey_id") == peer.public.pubkey_id for one in recipients
    )


def _copy(source: Path, target: Path) -> None:
    with files.translating("write", target), PendingFile(target.parent) as pending:
        with files.open_regular(source) as stream:
            shutil.copyfileobj(stream, pending.stream, files.CHUNK)
        pending.publish(target, replace_existing=False)
