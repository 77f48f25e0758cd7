"""Receipts: what became of a package, said by whoever received it (relay.md §6).

`{type: "receipt", from, to, import_id, deposit, status, at, bundles}`, and where there is something to say `note` (the
receiver's own words) or `reason` (one of `refusals.REASONS`); signed and sealed to the sender, in the receiver's own
relay. A status only advances: what was applied is never "received" again.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.keys.keyring import Peer
from alive_p2p.keys.private import PrivateKey
from alive_p2p.package.signature import Outcome
from alive_p2p.relay import documents, mailbox
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.own_relay import fetched
from alive_p2p.relay.refusals import REASONS
from alive_p2p.relay.transports.base import Entry, Listing, Put, Transport
from alive_p2p.runtime import Runtime, parse_timestamp
from alive_p2p.sharing.sent import SentRegister, change_register
from alive_p2p.text import has_unsafe_character, one_line

RECEIPT = "receipt"
STATUSES = ("sent", "received", "refused", "declined", "applied")
"""In this order they advance; `gone` and `recalled` are our own words for what has no receipt."""


NOTE_CHARACTERS = 500
"""How long a person's own words in a receipt may be."""
_BUNDLE_BYTES = 32 << 10
"""As many names of bundles as this holds are told; a receipt that is too long is not read."""


@dataclass(frozen=True)
class Receipt:
    """What a peer says of a package of ours.

    Attributes:
        peer: who says it.
        import_id: what was inside; empty where they could not tell.
        deposit: the last part of its name in their relay.
        status: `received`, `applied`, `declined` or `refused`.
        at: when, by their clock.
        bundles: names as they are there.
        note: their own words, one safe line, or None.
        reason: a word of `refusals.REASONS`, or None.
    """

    peer: str
    import_id: str
    deposit: str
    status: str
    at: str
    bundles: tuple[str, ...]
    note: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Told:
    """What we tell of a package, and whom.

    Attributes:
        peer: who has sent it.
        folder: the peer's folder in our relay.
        deposit: the package's name there.
        file_sha256: of the file, as its delivery note says; empty where it does not.
        import_id: what is inside; empty where that is not known.
        status: `received`, `applied`, `declined` or `refused`.
        bundles: names as they are now.
        note: our own words, or None; see `checked_note`.
        reason: a word of `refusals.REASONS`, or None.
    """

    peer: Peer
    folder: str
    deposit: str
    file_sha256: str
    import_id: str
    status: str
    bundles: tuple[str, ...] = ()
    note: str | None = None
    reason: str | None = None


def checked_note(text: str | None) -> str | None:
    """A person's words for a receipt, as they may be sent.

    Raises:
        UsageError: `bad-note`: they are not one line of at most `NOTE_CHARACTERS` characters.
    """
    text = text.strip() if text is not None else None
    if not text:
        return None
    if has_unsafe_character(text) or len(text) > NOTE_CHARACTERS:
        raise UsageError(
            "bad-note",
            f"a note to the sender is one line of at most {NOTE_CHARACTERS} characters, without control characters",
            untouched="everything",
            hint="make it shorter, or tell them by another way",
        )
    return text


def is_told(told: Told, we: Ourselves, names: Collection[str]) -> bool:
    """Whether our relay holds a receipt for this package already that says as much, or more.

    Args:
        told: what would be told.
        we: who we are.
        names: what lies in our relay.
    """
    as_much = [replace(told, status=status) for status in STATUSES[STATUSES.index(told.status) :]]
    keys = [we.key, *we.keyring.retired()]  # it may have been told before our key was another one
    return any(_place(one, key) in names for one in as_much for key in keys)


def make_receipt(told: Told, we: Ourselves, runtime: Runtime) -> Put:
    """A receipt for a peer, as it is written into our relay.

    Its name is always the same for a package and a status, so that it is never written twice, whoever was killed in
    between; and nobody but us can tell the name, so that it does not say which status it is.
    """
    document: dict[str, Any] = {
        "type": RECEIPT,
        "from": we.handle,
        "to": told.peer.handle or told.peer.name,
        "import_id": told.import_id,
        "deposit": told.deposit.rpartition("/")[2],
        "status": told.status,
        "at": runtime.timestamp(),
        "bundles": _as_many_as_fit(told.bundles),
    }
    document |= {name: text for name, text in (("note", told.note), ("reason", told.reason)) if text is not None}
    return Put(_place(told, we.key), documents.sealed_for(documents.signed(document, we.key), told.peer))


def _place(told: Told, key: PrivateKey) -> str:
    secret = hashlib.sha256(b"names of receipts\0" + key.pkcs8_pem(None)).digest()
    about = f"{told.deposit}\0{told.file_sha256}\0{told.status}"
    return mailbox.receipt(told.folder, hmac.new(secret, about.encode(), "sha256").hexdigest()[:8])


def _as_many_as_fit(bundles: Sequence[str]) -> list[str]:
    told, left = [], _BUNDLE_BYTES
    for name in bundles:
        text = one_line(name, limit=255)
        left -= len(text.encode()) + 8  # what stands around it
        if left < 0:
            break
        told.append(text)
    return told


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
    if not _is_moment(str(texts["at"])):
        return None
    bundles, note, reason = (document.get(key) for key in ("bundles", "note", "reason"))
    names = [one_line(one, limit=255) for one in bundles if isinstance(one, str)] if isinstance(bundles, list) else []
    return Receipt(
        peer.name,
        bundles=tuple(names),
        note=(one_line(note, limit=NOTE_CHARACTERS) or None) if isinstance(note, str) else None,
        reason=reason if isinstance(reason, str) and reason in REASONS else None,
        **{key: str(text) for key, text in texts.items()},
    )


def _is_moment(text: str) -> bool:
    try:
        parse_timestamp(text)
    except ValueError:
        return False
    return True


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
                    now = _as_told(now, receipt)
            if now is not one:
                advanced.append(now)
            deliveries.append(now)
        return replace(register, deliveries=tuple(deliveries))

    if receipts:
        change_register(runtime, change)
    return advanced


def _as_told(delivery: dict[str, Any], receipt: Receipt) -> dict[str, Any]:
    """A delivery as a receipt puts it; what an earlier one gave as a note or a reason counts no more."""
    rest = {name: value for name, value in delivery.items() if name not in {"note", "reason"}}
    words = {name: text for name, text in (("note", receipt.note), ("reason", receipt.reason)) if text is not None}
    return {**rest, "status": receipt.status, "status_at": receipt.at, "bundles": list(receipt.bundles), **words}


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
