"""The answer to an invitation: who somebody is, proven by the secret of the code (relay.md §5).

It lies as `inbox/<peer>/answer.json` in the relay of whoever invited: signed with the key it brings, and with an HMAC
under the code's secret. Whoever can write there can leave one; only who got the code can leave one that is proven.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.keys.peers import check_name
from alive_p2p.keys.public import PublicKey
from alive_p2p.package.signature import Outcome, Signer
from alive_p2p.relay import documents, mailbox
from alive_p2p.relay.code import Code
from alive_p2p.relay.config import COPY, UNFINISHED, RelayConfig, change_config, read_config
from alive_p2p.relay.ourselves import ACCEPTS, Ourselves
from alive_p2p.relay.own_relay import fetched
from alive_p2p.relay.reach import refuse_bad_address
from alive_p2p.relay.state import change_state
from alive_p2p.relay.transports.base import Listing, Put, Transport
from alive_p2p.runtime import Runtime

ANSWER = "pairing-answer"


@dataclass(frozen=True)
class Introduction:
    """Who somebody says they are, signed with the key that they bring.

    Attributes:
        handle: what they call themselves.
        url: their relay.
        public: their key.
        accepts: the envelopes they read.
    """

    handle: str
    url: str
    public: PublicKey
    accepts: tuple[str, ...]


def introduction(we: Ourselves, kind: str, to: str, runtime: Runtime) -> dict[str, Any]:
    """A document in which we introduce ourselves, to be signed.

    Args:
        we: who we are.
        kind: its type.
        to: the handle of whom it is for.
        runtime: for the time.
    """
    return {
        "type": kind,
        "from": we.handle,
        "to": to,
        "relay": we.url,
        "public_key": documents.key_text(we.key.public),
        "accepts": list(ACCEPTS),
        "at": runtime.timestamp(),
    }


def introduced(document: documents.Document) -> Introduction | None:
    """Who a document introduces; None where it does not, or is not signed with the key that it brings."""
    public, url = documents.key_in(document), document.get("relay")
    handle = str(document["from"])
    if public is None or not isinstance(url, str):
        return None
    try:
        check_name(handle)
        refuse_bad_address(url)
    except (UsageError, RelayError):
        return None
    if documents.verdict_of(document, lambda _: Signer(handle, handle, public)).outcome is not Outcome.VALID:
        return None
    accepts = document.get("accepts")
    reads = tuple(one for one in accepts if one in ACCEPTS) if isinstance(accepts, list) else ()
    return Introduction(handle, url, public, reads)


def make_answer(we: Ourselves, called: str, code: Code, runtime: Runtime) -> bytes:
    """Our answer: who we are and where our relay is, signed with our key and under the code's secret."""
    document = {**introduction(we, ANSWER, code.handle, runtime), "inbox": called}
    signed = json.loads(documents.signed(document, we.key))
    return json.dumps({**signed, "hmac_sha256": _hmac(document, code.secret)}, indent=1, ensure_ascii=False).encode()


def _hmac(document: Mapping[str, Any], secret: bytes) -> str:
    said = {key: value for key, value in document.items() if key != "hmac_sha256"}
    return hmac.new(secret, documents.canonical_bytes(said), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Answer:
    """An answer that lies in our relay, or was given in a meeting.

    Attributes:
        name: what we call them: whom we had invited.
        handle: what they call themselves.
        url: their relay.
        inbox: our folder there.
        public: their key.
        accepts: the envelopes they read.
        is_proven: it was made by somebody who knows the secret of our code.
    """

    name: str
    handle: str
    url: str
    inbox: str
    public: PublicKey
    accepts: tuple[str, ...]
    is_proven: bool


def read_answer(name: str, we: Ourselves, relay: Transport, listing: Listing) -> Answer | None:
    """The answer of somebody we have invited; None where there is none, or none that can be one.

    Args:
        name: whom we have invited.
        we: who we are.
        relay: our relay.
        listing: what lies there.

    Raises:
        RelayError: it cannot be fetched.
    """
    entry = listing.entries.get(mailbox.answer(name))
    invited = we.config.peers.get(name)
    if entry is None or invited is None or invited.is_accepted:
        return None
    try:
        document = documents.read(fetched(relay, entry, documents.MOST_BYTES), ANSWER)
    except RelayError as error:
        if error.code in {"bad-document", "relay-over-limit", "relay-gone"}:
            return None
        raise
    said = {key: value for key, value in document.items() if key != "hmac_sha256"}
    who, inbox = introduced(said), document.get("inbox")
    if who is None or not isinstance(inbox, str) or document["to"] != we.handle:
        return None
    try:
        check_name(inbox)
    except UsageError:
        return None
    expected = "" if invited.invitation is None else _hmac(document, invited.invitation.secret)
    given = document.get("hmac_sha256")
    is_proven = isinstance(given, str) and bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
    return Answer(name, who.handle, who.url, inbox, who.public, who.accepts, is_proven)


def pin_invited(name: str, public: PublicKey, handle: str, accepts: Sequence[str], we: Ourselves) -> Peer:
    """Pin a key that an invitation has proven.

    A code is a fresh yes: a key that was revoked comes back by it, or its owner with another one; and a key that was
    known under another name, without being a peer's with a relay, gets this one.

    Args:
        name: what we call whose key it is.
        public: the key.
        handle: what they call themselves.
        accepts: the envelopes they read; empty where that is not known.
        we: who we are.

    Raises:
        KeyProblem: the name is another key's, or the key another peer's.
    """
    known = we.keyring.find(public.pubkey_id)
    if known is not None and known.name != name and known.name not in we.config.peers:
        known = we.keyring.rename(known.name, name)
    return we.keyring.import_peer(
        name,
        public.pem(),
        status="paired",
        handle=handle,
        added_by="invitation",
        accepts=accepts or None,
        replace=gives_way(name, public, we),
    )


def gives_way(name: str, public: PublicKey, we: Ourselves) -> bool:
    """Whether a key that was revoked gives way: this very one comes back, or its owner does with another one.

    The other one stays revoked, under a name of its own.

    Args:
        name: what we call whose key it is.
        public: the key that a person has just agreed to.
        we: who we are.
    """
    known = (we.keyring.find(public.pubkey_id), we.keyring.peers.get(name))
    return any(one is not None and one.status == "revoked" for one in known)


def confirm(answer: Answer, we: Ourselves, relay: Transport, runtime: Runtime) -> Peer:
    """Pin the key of somebody who has answered: the two are paired from now on. Doing it again repairs what is missing.

    Args:
        answer: proven, or confirmed by a person who has compared its fingerprint.
        we: who we are.
        relay: our relay.
        runtime: the surroundings.

    Raises:
        KeyProblem: the name is another key's.
        RelayError: the relay cannot be written to; the two are paired all the same, and the rest is done later.
    """
    peer = pin_answer(answer, we, runtime)
    leave_copies(relay, runtime)
    return peer


def pin_answer(answer: Answer, we: Ourselves, runtime: Runtime) -> Peer:
    """The same on this machine alone, with what is to be done elsewhere written down.

    Raises:
        KeyProblem: the name is another key's.
        AliveP2PError: nothing can be written down of it, and nothing was pinned.
    """
    known = we.keyring.find(answer.public.pubkey_id)
    peer = pin_invited(answer.name, answer.public, answer.handle, answer.accepts, we)
    fields = {
        "url": answer.url,
        "inbox": answer.inbox,
        "accepted": True,
        "invitation": None,
        "unfinished": list(UNFINISHED),
    }

    def change(config: RelayConfig) -> RelayConfig:
        since = {} if answer.name in config.peers else {"added_at": runtime.timestamp()}
        return config.with_peer(answer.name, {**fields, **since})

    try:
        change_config(runtime, change)
    except BaseException:
        with suppress(AliveP2PError):
            if known is None:
                we.keyring.remove(peer.name)
            else:
                we.keyring.set_status(peer.name, known.status)
        raise
    change_state(
        runtime, lambda state: state.with_peer(answer.name, {"answer": None}) if state.peer(answer.name) else state
    )
    return peer


def leave_copies(relay: Transport, runtime: Runtime) -> list[str]:
    """Leave copies of pinned keys in our relay where that is still to be done, and remove what their owners answered.

    Args:
        relay: ours.
        runtime: the surroundings.

    Returns:
        Whose.

    Raises:
        RelayError: the relay cannot be written to; it is done later.
    """
    config, keyring = read_config(runtime), Keyring.load(runtime)
    waiting = {name: peer for name, peer in config.peers.items() if COPY in peer.unfinished}
    if not waiting:
        return []
    pinned = {peer.folder: keyring.peers[name] for name, peer in waiting.items() if name in keyring.peers}
    puts = [Put(mailbox.pinned_key(folder), one.public.pem(), replaces=True) for folder, one in pinned.items()]
    relay.change(puts, [mailbox.answer(folder) for folder in pinned])

    def change(now: RelayConfig) -> RelayConfig:
        for name in waiting.keys() & now.peers.keys():
            now = now.with_unfinished(name, now.peers[name].unfinished - {COPY})
        return now

    change_config(runtime, change)
    return list(waiting)
