"""Peers by hand: confirming an answer, trusting another key, and parting (relay.md §4 to §6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.keys.public import KeyProblem, PublicKey
from alive_p2p.relay import mailbox
from alive_p2p.relay.answers import Answer, leave_copies, pin_answer, read_answer
from alive_p2p.relay.config import change_config, read_config
from alive_p2p.relay.following import forget
from alive_p2p.relay.ourselves import Ourselves, paired_already
from alive_p2p.relay.own_relay import key_at
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.renaming import finish_renaming
from alive_p2p.relay.state import change_state
from alive_p2p.relay.transports.base import Listing, Transport
from alive_p2p.runtime import Runtime


@dataclass(frozen=True)
class Confirmed:
    """A peer that has answered, and the key that was pinned for it."""

    peer: Peer
    url: str


def confirm_proven(
    we: Ourselves, relay: Transport, listing: Listing, runtime: Runtime
) -> tuple[list[Confirmed], list[str]]:
    """Pin everybody whose answer proves that they got our code; no question is needed for that.

    What else lies there as an answer waits for `peers confirm`.

    Args:
        we: who we are.
        relay: ours.
        listing: what lies there.
        runtime: the surroundings.

    Returns:
        Who was pinned, and why somebody could not be, or what of it has to wait.

    Raises:
        RelayError: our relay cannot be read.
    """
    found, problems = [], []
    for name, entry in we.config.peers.items():
        if entry.is_accepted or entry.invitation is None:
            continue
        answer = read_answer(name, we, relay, listing)
        if answer is None or not answer.is_proven:
            continue
        try:
            found.append(Confirmed(pin_answer(answer, we, runtime), answer.url))
        except KeyProblem as problem:
            problems.append(f"'{name}' has answered, and cannot be paired: {_told(problem)}")
    try:
        leave_copies(relay, runtime)
    except RelayError as error:
        problems.append(f"a copy of a key that you have pinned could not be left in your relay yet: {error.message}")
    return found, problems


def _told(problem: KeyProblem) -> str:
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message


def answer_of(name: str, we: Ourselves, relay: Transport) -> Answer:
    """The answer of somebody we have invited, proven or not.

    Raises:
        UsageError: nobody of that name was invited.
        RelayError: `no-answer`: there is none; or the relay cannot be read.
    """
    peer = we.config.peer(name)
    if peer.is_accepted:
        raise paired_already(name)
    answer = read_answer(name, we, relay, relay.list(f"inbox/{name}"))
    if answer is None:
        raise RelayError(
            "no-answer",
            f"'{name}' has not answered yet, or what lies there is no answer",
            untouched="everything",
            hint="ask whether they have run the line that you have sent",
        )
    return answer


def other_key(name: str, we: Ourselves, reach: Reach) -> PublicKey:
    """The key that lies in a peer's relay now.

    Raises:
        UsageError: there is no such peer.
        RelayError: `no-key`: there is none; or the relay cannot be read.
    """
    peer, pinned = we.config.peer(name), we.keyring.peers.get(name)
    if peer.url is None:
        raise RelayError(
            "not-paired",
            f"'{name}' has no relay that is known",
            untouched="everything",
            hint=f"invite them with `alive-p2p relay invite {name}`",
        )
    relay = reach(peer.url)
    handle = pinned.handle or name if pinned is not None else name
    entry = relay.list("keys").entries.get(mailbox.owner_key(handle))
    public = None if entry is None else key_at(relay, entry)
    if public is None:
        raise RelayError(
            "no-key",
            f"there is no key of '{name}' in their relay",
            untouched="everything",
            hint="ask them to run `alive-p2p relay setup` once more",
        )
    return public


def trust(name: str, public: PublicKey, runtime: Runtime) -> Peer:
    """Count a peer's key as theirs, on purpose: pins it where it is another one, and pairs the peer.

    The old key, where there is one, counts as unknown from then on.

    Args:
        name: the peer.
        public: the key that a person has compared.
        runtime: the surroundings.

    Raises:
        UsageError: there is no such peer.
        KeyProblem: the key is somebody else's.
    """
    finish_renaming(runtime)
    keyring = Keyring.load(runtime)
    known = keyring.peers.get(name)
    forget(name, runtime)
    if known is not None and known.public == public:
        return keyring.set_status(name, "paired")
    return keyring.import_peer(
        name,
        public.pem(),
        status="paired",
        handle=known.handle if known is not None else None,
        added_by="trust",
        accepts=known.accepts if known is not None else None,
        replace=True,
    )


def remove(name: str, runtime: Runtime, relay: Transport | None) -> Sequence[str]:
    """Part with a peer: their key counts as revoked, and what is theirs in our relay goes.

    The caller withdraws their access at the host.

    Args:
        name: the peer.
        runtime: the surroundings.
        relay: ours; None where there is none, or it is not to be touched.

    Returns:
        What could not be done.

    Raises:
        UsageError: there is no such peer.
    """
    finish_renaming(runtime)
    config, keyring = read_config(runtime), Keyring.load(runtime)
    if name not in config.peers and name not in keyring.peers:
        config.peer(name)
    if name in keyring.peers:
        keyring.set_status(name, "revoked")
    warnings = []
    folder = config.peers[name].folder if name in config.peers else name
    if relay is not None:
        try:
            listing = relay.list()
            gone = [entry.name for entry in (*listing.below(f"inbox/{folder}"), *listing.below(f"receipts/{folder}"))]
            relay.change(removes=[*gone, mailbox.pinned_key(folder)])
        except AliveP2PError as error:
            warnings.append(f"what is theirs in your relay is still there: {error.message}")
    if name in config.peers:
        change_config(runtime, lambda now: now.without_peer(name))
        change_state(runtime, lambda state: state.without_peer(name))
    return warnings
