"""Receipts: what became of a package, said by whoever received it (relay.md §6).

`{type: "receipt", from, to, import_id, deposit, status, at, bundles}`, signed and sealed to the sender, in the
receiver's own relay. A status only advances: what was applied is never "received" again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.package.signature import Outcome
from alive_p2p.relay import documents, mailbox
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.own_relay import fetched
from alive_p2p.relay.transports.base import Entry, Listing, Put, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister, change_register
from alive_p2p.text import one_line

RECEIPT = "receipt"
STATUSES = ("sent", "received", "refused", "declined", "applied")
"""In this order they advance; `gone` and `recalled` are our own words for what has no receipt."""


@dataclass(frozen=True)
class Receipt:
    """What a peer says of a package of ours."""

    peer: str
    import_id: str
    deposit: str
    status: str
    at: str
    bundles: tuple[str, ...]


def make_receipt(
    deposit: str,
    import_id: str,
    status: str,
    bundles: Sequence[str],
    peer: Peer,
    folder: str,
    we: Ourselves,
    runtime: Runtime,
) -> Put:
    """A receipt for a peer, as it is written into our relay.

    Args:
        deposit: the package's name in our relay.
        import_id: what was inside, as far as that is known.
        status: `received`, `applied`, `declined` or `refused`.
        bundles: names as they are now.
        peer: who sent it.
        folder: the peer's folder in our relay.
        we: who we are.
        runtime: the surroundings.
    """
    document = {
        "type": RECEIPT,
        "from": we.handle,
        "to": peer.handle or peer.name,
        "import_id": import_id,
        "deposit": deposit.rpartition("/")[2],
        "status": status,
        "at": runtime.timestamp(),
        "bundles": [one_line(name, limit=255) for name in bundles],
    }
    sealed = documents.sealed_for(documents.signed(document, we.key), peer)
    return Put(mailbox.new_receipt(folder, runtime), sealed)


def read_receipts(
    peer: Peer, folder: str, we: Ourselves, relay: Transport, listing: Listing, known: Sequence[str]
) -> tuple[list[Receipt], list[str]]:
    """Fetch what a peer's relay holds for us and we have not read yet.

    Args:
        peer: whose relay it is.
        folder: our folder there.
        we: who we are.
        relay: the peer's relay.
        listing: what lies there.
        known: versions of receipts that were read before.

    Returns:
        The receipts, and the versions of all that were looked at now and before.

    Raises:
        RelayError: the relay cannot be read.
    """
    found: list[Receipt] = []
    seen: list[str] = []
    every = mailbox.receipts(listing, folder)
    fresh = [entry for entry in every if entry.version not in known]
    seen += [entry.version for entry in every if entry.version in known]
    for entry in fresh[:_MOST]:
        seen.append(entry.version)
        if (receipt := _read(entry, peer, we, relay)) is not None:
            found.append(receipt)
    return found, seen


_MOST = 500
"""More new ones are not looked at in one go; who wants to keep us busy gets no further."""


_NO_RECEIPT = {"bad-document", "relay-gone", "relay-hostile", "relay-over-limit"}


def _read(entry: Entry, peer: Peer, we: Ourselves, relay: Transport) -> Receipt | None:
    try:
        data = documents.opened(fetched(relay, entry, documents.SEALED_BYTES), we.credentials, RECEIPT)
        document = documents.read(data, RECEIPT)
    except AliveP2PError as error:
        if isinstance(error, RelayError) and error.code not in _NO_RECEIPT:
            raise  # what did not come today may come tomorrow
        return None  # not to be read, sealed for somebody else, or damaged: no receipt of ours
    verdict = documents.verdict_of(document, we.find_signer)
    if verdict.outcome is not Outcome.VALID or verdict.signer != peer.name or document["to"] != we.handle:
        return None
    texts = {key: document.get(key) for key in ("import_id", "deposit", "status", "at")}
    if not all(isinstance(text, str) for text in texts.values()) or texts["status"] not in STATUSES[1:]:
        return None
    bundles = document.get("bundles")
    names = tuple(one for one in bundles if isinstance(one, str)) if isinstance(bundles, list) else ()
    return Receipt(peer.name, bundles=names, **{key: str(text) for key, text in texts.items()})


def note_receipts(receipts: Sequence[Receipt], runtime: Runtime) -> list[dict[str, Any]]:
    """Write down what receipts say of what was sent; gives the deliveries that have advanced.

    Raises:
        AliveP2PError: `sent.json` cannot be used.
    """
    advanced: list[dict[str, Any]] = []

    def change(register: SentRegister) -> SentRegister:
        advanced.clear()
        deliveries = []
        for one in register.deliveries:
            now = one
            for receipt in receipts:
                if _is_about(receipt, one) and _rank(receipt.status) > _rank(now.get("status")):
                    now = {**now, "status": receipt.status, "status_at": receipt.at, "bundles": list(receipt.bundles)}
            if now is not one:
                advanced.append(now)
            deliveries.append(now)
        return replace(register, deliveries=tuple(deliveries))

    if receipts:
        change_register(runtime, change)
    return advanced


def note_gone(there: Mapping[str, Collection[str]], known: Collection[str], runtime: Runtime) -> None:
    """Write down which packages are in a peer's relay no more, and have no receipt; and which are there after all.

    Args:
        there: by peer, the packages of ours that lie in its relay.
        known: what had been delivered before the relays were looked at; anything later says nothing.
        runtime: the surroundings.

    Raises:
        AliveP2PError: `sent.json` cannot be used.
    """

    def change(register: SentRegister) -> SentRegister:
        at = runtime.timestamp()
        deliveries = []
        for one in register.deliveries:
            seen, now = there.get(str(one.get("peer"))), one.get("status")
            if seen is not None and one.get("deposit") in known and now in {"sent", "gone"}:
                is_there = one.get("deposit") in seen
                if (now == "sent") is not is_there:
                    deliveries.append({**one, "status": "sent" if is_there else "gone", "status_at": at})
                    continue
            deliveries.append(one)
        return replace(register, deliveries=tuple(deliveries))

    if there:
        change_register(runtime, change)


def _is_about(receipt: Receipt, delivery: dict[str, Any]) -> bool:
    deposit = str(delivery.get("deposit")).rpartition("/")[2]
    is_same = receipt.peer == delivery.get("peer") and receipt.deposit == deposit
    return is_same and receipt.import_id in {delivery.get("import_id"), ""}


def _rank(status: object) -> int:
    if status in {"gone", "recalled"}:
        return 0
    return STATUSES.index(str(status)) if status in STATUSES else -1
