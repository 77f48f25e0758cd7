"""The document by which a key names its successor, and who is believed to follow whom (relay.md §6, rotate).

`{type: "rotation", from, to: "*", old, new, public_key, serial, at}`, signed by the new key over everything, with the
old key's signature over the rest inside as `old_signature`: neither can speak for the other. A relay keeps all of them,
each under the id of the key it introduces, so that a peer who has been away finds the way from the key it knows to the
one that counts now. A key that has named two different successors names none.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from alive_p2p.errors import RelayError
from alive_p2p.keys.private import PrivateKey
from alive_p2p.keys.public import PublicKey
from alive_p2p.package.signature import Outcome, Signer, judge, signature_block
from alive_p2p.relay import documents
from alive_p2p.relay.documents import Document

ROTATION = "rotation"
MOST = 64
"""How many of them are looked at in a relay; a key that is changed every month has fewer in five years."""
_EVERYBODY = "*"
_OLD_SIGNATURE = "old_signature"
_PLACE = re.compile(r"\.alive-relay/rotation-[0-9a-f]{16}\.json")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_MOST_SERIAL = 1 << 31


def place_of(pubkey_id: str) -> str:
    """Where in its owner's relay the document lies that introduces a key."""
    return f".alive-relay/rotation-{pubkey_id}.json"


def is_place(name: str) -> bool:
    """Whether a name in a relay is that of such a document."""
    return _PLACE.fullmatch(name) is not None


def make_rotation(handle: str, old: PrivateKey, new: PrivateKey, serial: int, at: str) -> bytes:
    """The document, signed by both keys, as it is stored.

    Args:
        handle: what the owner calls themselves.
        old: the key that everybody knows.
        new: the key that follows it.
        serial: which of the owner's rotations it is, from 1.
        at: when, as in `2026-04-07T10:15:00Z`.
    """
    said = {
        "type": ROTATION,
        "from": handle,
        "to": _EVERYBODY,
        "old": old.public.fingerprint,
        "new": new.public.fingerprint,
        "public_key": documents.key_text(new.public),
        "serial": serial,
        "at": at,
    }
    block = signature_block(documents.canonical_bytes(said), old, documents.SIGNED_BYTES)
    return documents.signed({**said, _OLD_SIGNATURE: block}, new)


@dataclass(frozen=True)
class Rotation:
    """One step from a key to its successor, as a document says it.

    Attributes:
        old: the fingerprint of the key that has named it.
        new: the successor.
        serial: which of the owner's rotations it is.
        at: when, as the owner says.
    """

    old: str
    new: PublicKey
    serial: int
    at: str


@dataclass(frozen=True)
class Succession:
    """The way from a pinned key to the one that counts now.

    Attributes:
        steps: one after the other; none where the first key has two successors.
        rivals: the fingerprints of the successors, where one of the keys on the way has more than one.
    """

    steps: tuple[Rotation, ...]
    rivals: tuple[str, ...] = ()

    @property
    def is_disputed(self) -> bool:
        """Whether it cannot be told which key counts: nothing is sent or received before a person has decided."""
        return bool(self.rivals)

    @property
    def named(self) -> Mapping[str, str]:
        """Who has named whom, by fingerprint; it is remembered, so that a document that is replaced is noticed."""
        return {step.old: step.new.fingerprint for step in self.steps}


def succession(
    handle: str, pinned: PublicKey, found: Iterable[bytes], known: Mapping[str, Collection[str]]
) -> Succession | None:
    """Follow the documents of a relay from a pinned key; None where none of them leads on.

    Args:
        handle: what the owner calls themselves.
        pinned: the key that is known.
        found: the documents as they were stored, whoever has written them.
        known: the fingerprints of successors that were seen before, by the fingerprint of who has named them.
    """
    read = [one for one in map(_read, found) if one is not None and one["from"] == handle]
    steps: list[Rotation] = []
    current, serial, seen = pinned, 0, {pinned.fingerprint}
    while True:
        successors = {
            step.new.fingerprint: step
            for document in read
            if (step := _step(document, current, handle)) is not None
            and step.serial > serial
            and step.new.fingerprint not in seen
        }
        named = {*successors, *known.get(current.fingerprint, ())}
        if len(named) > 1:
            return Succession(tuple(steps), tuple(sorted(named)))
        if not successors:
            return Succession(tuple(steps)) if steps else None
        step = next(iter(successors.values()))
        steps.append(step)
        current, serial = step.new, step.serial
        seen.add(current.fingerprint)


def _read(data: bytes) -> Document | None:
    try:
        return documents.read(data, ROTATION)
    except RelayError:
        return None


def _step(document: Document, old: PublicKey, handle: str) -> Rotation | None:
    """What a document says, if it is about this key's successor and both have signed it."""
    if document.get("old") != old.fingerprint or document["to"] != _EVERYBODY:
        return None
    new, serial, at = documents.key_in(document), document.get("serial"), document.get("at")
    if new is None or new.kind != "rsa" or document.get("new") != new.fingerprint or not isinstance(at, str):
        return None
    if not isinstance(serial, int) or isinstance(serial, bool) or not 0 < serial < _MOST_SERIAL:
        return None
    said = {name: value for name, value in document.items() if name not in {"signature", _OLD_SIGNATURE}}
    by_old = judge(
        document.get(_OLD_SIGNATURE),
        documents.canonical_bytes(said),
        documents.SIGNED_BYTES,
        handle,
        lambda pubkey_id: Signer(handle, handle, old) if pubkey_id == old.pubkey_id else None,
    )
    by_new = documents.verdict_of(
        document, lambda pubkey_id: Signer(handle, handle, new) if pubkey_id == new.pubkey_id else None
    )
    if not by_old.outcome is by_new.outcome is Outcome.VALID:
        return None
    return Rotation(old.fingerprint, new, serial, at)


@dataclass(frozen=True)
class Line:
    """One of our own documents, which lies on our disk: what it says is not in question.

    Attributes:
        data: as it is stored.
        old: the fingerprint of the key that has named the successor.
        new: the fingerprint of the successor.
        serial: which of our rotations it is.
    """

    data: bytes
    old: str
    new: str
    serial: int


def read_line(data: bytes) -> Line | None:
    """Read one of our own; None for what is none."""
    document = _read(data)
    if document is None:
        return None
    old, new, serial = document.get("old"), document.get("new"), document.get("serial")
    are_keys = all(isinstance(one, str) and _FINGERPRINT.fullmatch(one) for one in (old, new))
    if not are_keys or not isinstance(serial, int) or isinstance(serial, bool):
        return None
    return Line(data, str(old), str(new), serial)


def line_to(fingerprint: str, lines: Sequence[Line]) -> list[Line]:
    """The documents that lead to a key, the last one first; what leads elsewhere was never carried out."""
    found: list[Line] = []
    wanted = fingerprint
    while (step := next((one for one in lines if one.new == wanted and one not in found), None)) is not None:
        found.append(step)
        wanted = step.old
    return found
