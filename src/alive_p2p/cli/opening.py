"""What a sealed package is opened with, and whom its keys belong to."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from alive_p2p import files
from alive_p2p.cli.credentials import (
    MAX_KEY,
    PassphraseFrom,
    ask,
    ask_for_key,
    checked,
    load_named_key,
    no_such_file,
    passphrase_options,
)
from alive_p2p.cli.options import FOLDER, Call
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import Ask, PrivateKey, load_private_key
from alive_p2p.keys.public import KeyProblem, PublicKey, load_public_key
from alive_p2p.package.envelopes.base import Addressees, Credentials
from alive_p2p.package.signature import Signer
from alive_p2p.receiving.signers import signers
from alive_p2p.relay.config import own_handle

_SSH_KEYS = ("id_ed25519", "id_rsa")


def opening_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a sealed package is opened with."""
    command = click.option("--private-key", type=FOLDER, metavar="FILE", help="Open with this private key.")(command)
    return passphrase_options(command)


def credentials(call: Call, source: PassphraseFrom, private_key: Path | None, *, may_ask: bool = True) -> Credentials:
    """What a sealed package is opened with: the options, else our own keys and a question; nothing is read before.

    Keys without a passphrase are always tried. One that has a passphrase is asked for only where the envelope says
    that it is for this key.

    Args:
        call: the call.
        source: where the passphrase comes from.
        private_key: the file of the only key to try.
        may_ask: whether a person may be asked for what no option gives.

    Raises:
        UsageError: the private key does not exist.
    """
    if private_key is not None and not files.exists(call.runtime.cwd / private_key):
        raise no_such_file(call.runtime.cwd / private_key)

    def passphrase() -> bytes:
        return source.read(call) if source.is_given() else checked(ask(call, "passphrase of the package"))

    def private_keys(addressees: Addressees) -> Sequence[PrivateKey]:
        if private_key is not None:
            return [load_named_key(call, private_key)]
        return _our_keys(call, addressees, may_ask=may_ask)

    has_passphrase = source.is_given() or (may_ask and call.screen.is_interactive)
    return Credentials(
        passphrase if has_passphrase else None,
        private_keys,
        lambda addressees: describe(addressees, addressee_names(call, addressees)),
    )


def _our_keys(call: Call, addressees: Addressees, *, may_ask: bool) -> list[PrivateKey]:
    """Our own keys and our SSH keys, as far as they open without asking or may be asked for.

    What is wrong with one of them is an error only where no other is left.
    """
    keyring = call.keyring()
    asking = ask_for_key(call) if may_ask else None
    found: list[PrivateKey] = []
    problem: KeyProblem | None = None
    try:
        own = _unlocked(keyring.own, asking if _is_ours(keyring, addressees) else None)
        found += [own] if own is not None else []
    except KeyProblem as error:
        problem = error
    found += keyring.retired()
    found += [key for name in _SSH_KEYS if (key := _ssh_key(call, name, addressees, asking)) is not None]
    if not found and problem is not None:
        raise problem
    return found


def _unlocked(load: Callable[[Ask | None], PrivateKey | None], asking: Ask | None) -> PrivateKey | None:
    """A key of ours; None where it has a passphrase and we are not to ask for it."""
    try:
        return load(asking)
    except KeyProblem as problem:
        if problem.code == "key-locked" and asking is None:
            return None
        raise


def _is_ours(keyring: Keyring, addressees: Addressees) -> bool:
    try:
        own = keyring.own_public()
    except AliveP2PError:
        return True  # whose it is cannot be told without opening it
    return own is not None and addressees.include(own)


def _ssh_key(call: Call, name: str, addressees: Addressees, asking: Ask | None) -> PrivateKey | None:
    """A person's SSH key; a locked one only where the public key beside it is one of the addressees."""
    try:
        data = files.read_bytes_if_present((call.runtime.home / ".ssh" / name).resolve(), limit=MAX_KEY)
    except AliveP2PError:
        return None
    if data is None:
        return None
    public = _ssh_public_key(call, name)
    # An envelope of the oldest kind names nobody, and was never made for an SSH key.
    is_named = public is not None and not addressees.could_be_anyone and addressees.include(public)
    try:
        return _unlocked(
            lambda ask: load_private_key(data, label=f"~/.ssh/{name}", ask=ask), asking if is_named else None
        )
    except KeyProblem:
        if is_named:
            raise
        return None  # of a kind that cannot be used, and not what is asked for


def _ssh_public_key(call: Call, name: str) -> PublicKey | None:
    """The public half of an SSH key, from the file beside it; None where there is none that can be used."""
    with suppress(AliveP2PError):
        data = files.read_bytes_if_present((call.runtime.home / ".ssh" / f"{name}.pub").resolve(), limit=MAX_KEY)
        return load_public_key(data) if data is not None else None
    return None


def describe(addressees: Addressees, names: Mapping[str, str]) -> list[str]:
    """Whose keys these are: names with ids where they are known, else the ids as far as the envelope tells them."""
    texts = [f"{name} ({pubkey_id})" for pubkey_id, name in names.items()]
    return texts + [pubkey_id for pubkey_id in addressees.pubkey_ids if pubkey_id not in names]


def addressee_names(call: Call, addressees: Addressees) -> dict[str, str]:
    """By `pubkey_id`, the names of those that are known: peers, and ourselves as "you"."""
    keyring = call.keyring()
    found = {}
    with suppress(AliveP2PError):
        own = keyring.own_public()
        if own is not None and addressees.include(own):
            found[own.pubkey_id] = "you"
    for name in _SSH_KEYS:
        public = _ssh_public_key(call, name)
        if public is not None and addressees.include(public):
            found.setdefault(public.pubkey_id, f"you, ~/.ssh/{name}")
    for peer in keyring.peers.values():
        if addressees.include(peer.public):
            found.setdefault(peer.public.pubkey_id, peer.name)
    return found


def find_signer(call: Call) -> Callable[[str], Signer | None]:
    """Look signers up in the keyring."""
    return signers(call.keyring, lambda: own_handle(call.runtime))
