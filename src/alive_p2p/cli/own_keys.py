"""Our own private keys and our SSH keys, as what a sealed package is opened with."""

from collections.abc import Callable
from contextlib import suppress

from alive_p2p import files
from alive_p2p.cli.credentials import MAX_KEY, ask_for_key
from alive_p2p.cli.options import Call
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import Ask, PrivateKey, load_private_key
from alive_p2p.keys.public import KeyProblem, PublicKey, load_public_key
from alive_p2p.package.envelopes.base import Addressees

SSH_KEYS = ("id_ed25519", "id_rsa")


def our_keys(call: Call, addressees: Addressees, *, may_ask: bool) -> list[PrivateKey]:
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
    found += [key for name in SSH_KEYS if (key := _ssh_key(call, name, addressees, asking)) is not None]
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
    public = ssh_public_key(call, name)
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


def ssh_public_key(call: Call, name: str) -> PublicKey | None:
    """The public half of an SSH key, from the file beside it; None where there is none that can be used."""
    with suppress(AliveP2PError):
        data = files.read_bytes_if_present((call.runtime.home / ".ssh" / f"{name}.pub").resolve(), limit=MAX_KEY)
        return load_public_key(data) if data is not None else None
    return None
