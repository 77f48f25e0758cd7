"""Leaving in a relay what the program would not: packages and receipts made by hand, rightly signed and sealed."""

import gzip
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from alive_p2p import hashing
from alive_p2p.keys.private import PrivateKey
from alive_p2p.package.envelopes.sealing import Seal, sealed
from alive_p2p.package.reader import PackageReader
from alive_p2p.relay import documents, mailbox
from alive_p2p.relay.transports.base import Put
from alive_p2p.sharing.sent import SentRegister, change_register
from relay.people import Person


def sealed_for(sender: Person, receiver: str, plain: bytes) -> bytes:
    """Bytes, sealed for a peer of the sender's as a package is."""
    peer = sender.we.keyring.peer(receiver)
    output = io.BytesIO()
    with sealed(output, Seal(documents.envelope_for_peer(peer), public_keys=(peer.public,)), 0) as to:
        to.write(plain)
    return output.getvalue()


def import_id_of(plain: Path) -> str:
    """What a package is called."""
    with PackageReader(plain) as reader:
        return reader.read_manifest().import_id


def leave(
    sender: Person,
    receiver: Person,
    package: bytes,
    *,
    import_id: str = "0" * 64,
    key: PrivateKey | None = None,
    **note: object,
) -> str:
    """Leave a file with a note that is the sender's in the receiver's relay, as a program of the sender's would.

    Args:
        sender: who leaves it; their `sent.json` knows of it.
        receiver: whose relay it is.
        package: the file.
        import_id: what the note says that it is.
        key: what signs the note; the sender's own by default.
        note: other fields of the note than it would have.

    Returns:
        The name in the relay.
    """
    we = sender.we
    said = {
        "type": "delivery",
        "from": sender.name,
        "to": receiver.name,
        "file_sha256": hashing.sha256(package),
        "import_id": import_id,
        "sent_at": sender.runtime.timestamp(),
        **note,
    }
    data = documents.signed(said, key or we.key)
    name = mailbox.new_deposit(sender.name, sender.runtime)
    sealed_note = documents.sealed_for(data, we.keyring.peer(receiver.name))
    receiver.relay.change([Put(mailbox.note_of(name), sealed_note), Put(name, package)])
    entry = {"peer": receiver.name, "import_id": import_id, "walnut": "nova", "deposit": name, "status": "sent"}

    def change(register: SentRegister) -> SentRegister:
        return replace(register, deliveries=(*register.deliveries, {**entry, "at": sender.runtime.timestamp()}))

    change_register(sender.runtime, change)
    return name


def receipt_about(deposit: str, by: Person, to: Person, /, **fields: object) -> Put:
    """A receipt in the receiver's name for a package of `to`, with whatever fields."""
    (delivery,) = (one for one in SentRegister.read(to.runtime).deliveries if one["deposit"] == deposit)
    document = {
        "type": "receipt",
        "from": by.name,
        "to": to.name,
        "import_id": delivery["import_id"],
        "deposit": deposit.rpartition("/")[2],
        "status": "applied",
        "at": "2026-04-07T10:15:00Z",
        "bundles": [],
        **fields,
    }
    data = documents.sealed_for(documents.signed(document, by.we.key), by.we.keyring.peer(to.name))
    return Put(f"receipts/{to.name}/{by.runtime.random_hex(8)}.sealed", data)


def receipts_of(receiver: Person, sender: Person) -> list[Mapping[str, Any]]:
    """Every receipt for a sender in the receiver's relay, as the sender reads them; the oldest name first."""
    found = []
    for path in sorted((receiver.relay_folder / "receipts" / sender.name).glob("*.sealed")):
        data = documents.opened(path.read_bytes(), sender.we.credentials, "receipt")
        found.append(documents.read(data, "receipt"))
    return found


def as_gzip(data: bytes) -> bytes:
    """The least that looks like a package."""
    return gzip.compress(data, mtime=0)
