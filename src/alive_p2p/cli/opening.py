"""What a sealed package is opened with, and whom its keys belong to."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alive_p2p import files
from alive_p2p.cli.credentials import (
    PassphraseFrom,
    ask,
    checked,
    load_named_key,
    no_such_file,
    passphrase_options,
)
from alive_p2p.cli.options import FOLDER, Call
from alive_p2p.errors import AliveP2PError
from alive_p2p.package.envelopes.base import Addressees, Credentials
from alive_p2p.package.signature import Signer
from alive_p2p.receiving.signers import signers

if TYPE_CHECKING:
    from alive_p2p.keys.private import PrivateKey


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

    def private_keys(addressees: Addressees) -> "Sequence[PrivateKey]":
        if private_key is not None:
            return [load_named_key(call, private_key)]
        from alive_p2p.cli.own_keys import our_keys

        return our_keys(call, addressees, may_ask=may_ask)

    has_passphrase = source.is_given() or (may_ask and call.screen.is_interactive)
    return Credentials(
        passphrase if has_passphrase else None,
        private_keys,
        lambda addressees: describe(addressees, addressee_names(call, addressees)),
    )


def describe(addressees: Addressees, names: Mapping[str, str]) -> list[str]:
    """Whose keys these are: names with ids where they are known, else the ids as far as the envelope tells them."""
    texts = [f"{name} ({pubkey_id})" for pubkey_id, name in names.items()]
    return texts + [pubkey_id for pubkey_id in addressees.pubkey_ids if pubkey_id not in names]


def addressee_names(call: Call, addressees: Addressees) -> dict[str, str]:
    """By `pubkey_id`, the names of those that are known: peers, and ourselves as "you"."""
    from alive_p2p.cli.own_keys import SSH_KEYS, ssh_public_key

    keyring = call.keyring()
    found = {}
    with suppress(AliveP2PError):
        own = keyring.own_public()
        if own is not None and addressees.include(own):
            found[own.pubkey_id] = "you"
    for name in SSH_KEYS:
        public = ssh_public_key(call, name)
        if public is not None and addressees.include(public):
            found.setdefault(public.pubkey_id, f"you, ~/.ssh/{name}")
    for peer in keyring.peers.values():
        if addressees.include(peer.public):
            found.setdefault(peer.public.pubkey_id, peer.name)
    return found


def find_signer(call: Call) -> Callable[[str], Signer | None]:
    """Look signers up in the keyring."""

    def handle() -> str | None:
        from alive_p2p.relay.config import own_handle

        return own_handle(call.runtime)

    return signers(call.keyring, handle)
