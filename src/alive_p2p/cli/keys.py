"""`keys`: our own key, our peers' keys, and their fingerprints."""

from pathlib import Path

import click

from alive_p2p import files
from alive_p2p.cli.credentials import (
    MAX_KEY,
    PassphraseFrom,
    ask_for_key,
    new_passphrase,
    no_such_file,
    passphrase_options,
)
from alive_p2p.cli.groups import Group
from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.screen import field_line, grouped
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.peers import Peer
from alive_p2p.keys.public import PublicKey
from alive_p2p.relay import moving
from alive_p2p.relay.config import own_handle


@click.group(
    cls=Group, epilog="\b\nExample:\n  alive-p2p keys show", context_settings={"help_option_names": ["-h", "--help"]}
)
def keys() -> None:
    """Your own key, your peers' keys, and their fingerprints."""


@keys.command(epilog="\b\nExample:\n  alive-p2p keys show")
@common
def show(call: Call, /) -> None:
    """Show your key and your peers' keys with their fingerprints."""
    keyring = call.keyring()
    own = keyring.own_public(ask_for_key(call))
    screen = call.screen
    if own is None:
        screen.say("you have no key yet; `alive-p2p keys generate` makes one")
    else:
        screen.say("you")
        screen.say(field_line("key", f"{own.kind} {own.pubkey_id}"))
        screen.say(field_line("fingerprint", grouped(own.fingerprint)))
    for peer in keyring.peers.values():
        screen.say(f"{peer.name} ({peer.status})")
        screen.say(field_line("key", f"{peer.public.kind} {peer.public.pubkey_id}"))
        screen.say(field_line("fingerprint", grouped(peer.public.fingerprint)))
    screen.document({"own": _key(own), "peers": {peer.name: _peer(peer) for peer in keyring.peers.values()}})
    call.finish(())


def _key(key: PublicKey | None) -> dict[str, str] | None:
    if key is None:
        return None
    return {"kind": key.kind, "pubkey_id": key.pubkey_id, "fingerprint": key.fingerprint}


def _peer(peer: Peer) -> dict[str, object]:
    return {**(_key(peer.public) or {}), "status": peer.status, "handle": peer.handle, "added_at": peer.added_at}


@keys.command(epilog="\b\nExample:\n  alive-p2p keys generate")
@click.option("--with-passphrase", is_flag=True, help="Protect the key with a passphrase, asked for twice.")
@passphrase_options
@common
def generate(call: Call, /, *, with_passphrase: bool, passphrase_env: str | None, passphrase_file: Path | None) -> None:
    """Make your key: RSA with 4,096 bits, readable by you alone.

    A key that is there is never replaced.
    """
    source = PassphraseFrom(passphrase_env, passphrase_file)
    passphrase = (
        source.read(call) if source.is_given() else new_passphrase(call, "your key") if with_passphrase else None
    )
    with call.screen.working("making a key"):
        made = call.keyring().generate(passphrase=passphrase)
    call.screen.say("made your key")
    call.screen.say(field_line("key", f"{made.kind} {made.pubkey_id}"))
    call.screen.say(field_line("fingerprint", grouped(made.fingerprint)))
    if own_handle(call.runtime) is None:
        call.remember(
            "nothing is signed with it until you have said who you are: set GH_USER, or run `alive-p2p relay setup`"
        )
    call.screen.document({"status": "ok", "own": _key(made)})
    call.finish(())


@keys.command("import", epilog="\b\nExample:\n  alive-p2p keys import ben.pem --name ben")
@click.argument("file", type=FOLDER)
@click.option("--name", required=True, metavar="PEER", help="What the peer is called here.")
@click.option("--replace", is_flag=True, help="Replace another key of that peer.")
@common
def import_(call: Call, /, *, file: Path, name: str, replace: bool) -> None:
    """Take a peer's public key into the keyring, from a PEM or OpenSSH file.

    Compare the fingerprint with the peer before you trust it. A key that was only imported counts as unpaired.
    """
    path = call.runtime.cwd / file
    if not files.exists(path):
        raise no_such_file(path)
    data = files.read_bytes(path.resolve(), limit=MAX_KEY)
    peer = call.keyring().import_peer(name, data, replace=replace)
    call.screen.say(f"took the key of {peer.name}; compare its fingerprint with them")
    call.screen.say(field_line("fingerprint", grouped(peer.public.fingerprint)))
    call.screen.document({**_peer(peer), "status": "ok", "peer": peer.name, "peer_status": peer.status})
    call.finish(())


@keys.command(epilog="\b\nExample:\n  alive-p2p keys export")
@click.option(
    "--private",
    is_flag=True,
    help="Your private key and your peers, sealed with a passphrase, for another machine of yours.",
)
@passphrase_options
@common
def export(call: Call, /, *, private: bool, passphrase_env: str | None, passphrase_file: Path | None) -> None:
    """Print your public key, to give to a peer.

    With `--private`: what another machine of yours needs, your peers included; `relay setup --adopt` takes it there.
    """
    keyring = call.keyring()
    own = keyring.own_public(ask_for_key(call))
    if own is None:
        raise AliveP2PError("no-key", "you have no key yet", hint="alive-p2p keys generate")
    text = own.pem()
    if private:
        key = keyring.own(ask=ask_for_key(call))
        if key is None:
            raise AliveP2PError(
                "no-key", "your private key is not on this machine", hint="run it on the machine that has it"
            )
        source = PassphraseFrom(passphrase_env, passphrase_file)
        passphrase = source.read(call) if source.is_given() else new_passphrase(call, "your key")
        text = moving.pack(key, passphrase, keyring, call.runtime)
    for line in text.decode("ascii").splitlines():
        call.screen.say(line)
    call.screen.document({"status": "ok", "private": private, "pem": text.decode("ascii"), **(_key(own) or {})})
    call.finish(())
