"""Becoming peers: an invitation, and accepting one (relay.md §5).

What proves that a relay is its owner's is the fingerprint in the code; what proves that an answer comes from whoever
got the code is its HMAC (`answers`). Nothing else in a relay is believed.
"""

import secrets
from dataclasses import dataclass

from alive_p2p.errors import RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.keys.peers import check_name
from alive_p2p.keys.private import Ask
from alive_p2p.keys.public import PublicKey
from alive_p2p.relay import mailbox
from alive_p2p.relay.answers import gives_way, make_answer, pin_invited
from alive_p2p.relay.code import Code
from alive_p2p.relay.config import RelayConfig, change_config
from alive_p2p.relay.ourselves import ACCEPTS, Ourselves, ourselves, paired_already
from alive_p2p.relay.own_relay import info_of, is_stated, key_at
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.transports.base import Listing, Put, Transport
from alive_p2p.runtime import Runtime

_SECRET_BYTES = 16


def refuse_folder(name: str, config: RelayConfig) -> None:
    """Refuse a name under which the folder of another peer lies in our relay.

    Raises:
        RelayError: `name-taken`.
    """
    for other, peer in config.peers.items():
        if other != name and peer.folder == name:
            raise RelayError(
                "name-taken",
                f"'{name}' is the folder of '{other}' in your relay, who was called so before",
                untouched="everything",
                hint="use another name",
            )


def refuse_name(name: str, public: PublicKey, we: Ourselves) -> None:
    """Refuse a name for somebody whose key we are about to pin, before anything is changed.

    Args:
        name: what they are to be called.
        public: their key.
        we: who we are.

    Raises:
        UsageError: the name cannot be one.
        RelayError, KeyProblem: it is another's, or their key has a name that is a peer's here already.
    """
    check_name(name)
    refuse_folder(name, we.config)
    known = we.keyring.find(public.pubkey_id)
    if known is not None and known.name != name and known.name not in we.config.peers:
        we.keyring.check_rename(known.name, name)
    else:
        we.keyring.check_import(name, public, replace=gives_way(name, public, we))


def proposed_name(handle: str, public: PublicKey, we: Ourselves) -> str:
    """What we would call somebody: by the name their key has here already, else as they call themselves.

    Args:
        handle: what they call themselves.
        public: their key.
        we: who we are.
    """
    known = we.keyring.find(public.pubkey_id)
    if known is None or (known.status == "revoked" and known.name not in we.config.peers):
        return handle
    return known.name


def invite(name: str, runtime: Runtime, ask: Ask | None = None) -> Code:
    """Invite somebody; inviting again gives the same code, until it is answered.

    Args:
        name: what we call them; also the name of their folder in our relay.
        runtime: the surroundings.
        ask: asks for the passphrase of our key, where it has one.

    Raises:
        UsageError: the name cannot be one.
        RelayError: we have no relay, or the two are paired already.
    """
    check_name(name)
    we = ourselves(runtime, ask)
    refuse_folder(name, we.config)
    if name in we.config.peers and we.config.peers[name].is_accepted:
        raise paired_already(name)

    def change(config: RelayConfig) -> RelayConfig:
        known = config.peers.get(name)
        if known is not None and known.invitation is not None:
            return config
        at = runtime.timestamp()
        invitation = {"secret": secrets.token_bytes(_SECRET_BYTES).hex(), "at": at}
        return config.with_peer(name, {"added_at": at, "accepted": False, "invitation": invitation})

    invitation = change_config(runtime, change).peers[name].invitation
    if invitation is None:
        raise paired_already(name)
    public = we.key.public
    return Code(we.url, we.handle, name, public.fingerprint, ACCEPTS, invitation.secret)


def accept(code: Code, runtime: Runtime, reach: Reach, *, name: str | None = None, ask: Ask | None = None) -> Peer:
    """Accept an invitation: pin its sender's key, and leave our answer in their relay.

    Doing it again repairs what is missing.

    Args:
        code: the invitation.
        runtime: the surroundings.
        reach: gives access to relays.
        name: what we call them; by default what they call themselves, or the name their key has here already.
        ask: asks for the passphrase of our key, where it has one.

    Returns:
        Whom it is from.

    Raises:
        RelayError: their relay cannot be reached, or its key is not the one in the code; or it is our own code.
        KeyProblem: the name is another key's, or the key was revoked.
    """
    we = ourselves(runtime, ask)
    if code.fingerprint == we.key.public.fingerprint:
        raise RelayError("own-code", "this is your own invitation", untouched="everything", hint="send it to your peer")
    relay = reach(code.url)
    listing = relay.list(mailbox.ABOUT, mailbox.KEYS)
    entry = listing.entries.get(mailbox.owner_key(code.handle))
    public = None if entry is None else key_at(relay, entry)
    if public is None or public.fingerprint != code.fingerprint:
        raise RelayError(
            "key-mismatch",
            f"the key of '{code.handle}' in the relay is not the one in the invitation",
            untouched="everything; the key was not used",
            hint="ask them over another channel who may write to their relay",
            details=[f"in the code: {code.fingerprint}", f"in the relay: {_shown(public)}"],
        )
    _require_statement(relay, listing, code, public)
    known = we.keyring.find(public.pubkey_id)
    called = name or (known.name if known is not None else code.handle)
    peer = pin_invited(called, public, code.handle, code.accepts, we)
    refuse_folder(called, we.config)
    folder = we.config.peers[called].folder if called in we.config.peers else called
    fields = {
        "url": code.url,
        "inbox": code.inbox,
        "accepted": True,
        "added_at": runtime.timestamp(),
        "invitation": None,
    }
    change_config(runtime, lambda config: config.with_peer(called, fields))
    relay.change([Put(mailbox.answer(code.inbox), make_answer(we, folder, code, runtime), replaces=True)])
    return peer


def _require_statement(relay: Transport, listing: Listing, code: Code, public: PublicKey) -> None:
    """Look that the owner of the key says that the relay is theirs: a key can be copied, and so can a fingerprint."""
    if not is_stated(relay, listing, code.handle, code.url, public):
        raise RelayError(
            "not-the-owner",
            f"nothing in the relay shows that '{code.handle}', whose key lies there, owns it",
            untouched="everything; the key was not used",
            hint="ask them, over another channel, to run `alive-p2p relay setup` once more; else do not trust it",
        )


def _shown(public: PublicKey | None) -> str:
    return "no key at all" if public is None else public.fingerprint


@dataclass(frozen=True)
class Found:
    """A relay that somebody has named the address of, and the key that lies there."""

    code: Code
    public: PublicKey


def look_at(url: str, we: Ourselves, reach: Reach) -> Found:
    """What a relay says of itself, for somebody who has its address and no code.

    The answer that is left there then is not proven, and waits for `relay peers confirm`.

    Args:
        url: its address.
        we: who we are.
        reach: gives access to relays.

    Raises:
        RelayError: it cannot be reached, or `not-a-relay`: it does not say whose it is.
    """
    relay = reach(url)
    listing = relay.list(mailbox.ABOUT, mailbox.KEYS)
    said = info_of(relay, listing)
    owner = said.get("owner") if said is not None else None
    entry = listing.entries.get(mailbox.owner_key(owner)) if isinstance(owner, str) else None
    public = None if entry is None else key_at(relay, entry)
    if said is None or public is None or not isinstance(owner, str):
        raise RelayError(
            "not-a-relay",
            f"'{url}' does not say whose relay it is",
            untouched="everything",
            hint="check the address; if it is right, ask its owner to run `alive-p2p relay setup` once more",
        )
    check_name(owner)
    accepts = said.get("accepts")
    reads = tuple(one for one in accepts if one in ACCEPTS) if isinstance(accepts, list) else ()
    code = Code(url, owner, we.handle, public.fingerprint, reads, secrets.token_bytes(_SECRET_BYTES))
    return Found(code, public)


def require_fingerprint(public: PublicKey, said: str) -> None:
    """Look that a fingerprint that somebody has typed is a key's.

    Args:
        public: the key.
        said: the fingerprint, with or without blanks and colons; whole, or its first 16 digits.

    Raises:
        RelayError: `other-fingerprint`.
    """
    wanted = "".join(said.lower().split()).replace(":", "")
    if wanted not in {public.fingerprint, public.pubkey_id}:
        raise RelayError(
            "other-fingerprint",
            "that is not the fingerprint of the key",
            untouched="everything; the key is not trusted",
            hint="compare once more with the person, over another channel",
            details=[f"the key has {public.fingerprint}", f"you have said {wanted[:80]}"],
        )
