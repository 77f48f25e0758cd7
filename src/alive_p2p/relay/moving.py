"""Who we are, for another machine of our own: one file with our key, our relay and our peers (relay.md §6).

The file is our private key as PKCS#8 under a passphrase, which other programs read too; and below it, sealed for that
key and signed with it, what `relay.json` and the keyring know. Nothing of it is taken from the relay on the other
machine: others may write there.
"""

import base64
import binascii
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.index import STATUSES
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.peers import check_name
from alive_p2p.keys.private import Ask, PrivateKey, load_private_key
from alive_p2p.keys.public import KeyProblem, PublicKey
from alive_p2p.package.envelopes.base import Credentials, Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.signature import Outcome, Signer
from alive_p2p.relay import documents, rotating
from alive_p2p.relay.config import RelayConfig, change_config, read_config
from alive_p2p.relay.rotation import ROTATION
from alive_p2p.runtime import Runtime

MOST_BYTES = 8 << 20
"""A thousand peers, each with a key of 4,096 bits, take less than two."""
_KIND = "belongings"
_BEGIN, _END = "-----BEGIN ALIVE-P2P BELONGINGS-----", "-----END ALIVE-P2P BELONGINGS-----"
_BLOCK = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)


def pack(key: PrivateKey, passphrase: bytes, keyring: Keyring, runtime: Runtime) -> bytes:
    """Our private key under a passphrase; and where we have a relay, it and our peers besides.

    Args:
        key: our private key.
        passphrase: not empty.
        keyring: the keys of our peers.
        runtime: the surroundings.

    Raises:
        KeyProblem: the passphrase is empty.
        AliveP2PError: `relay.json` cannot be used.
    """
    config = read_config(runtime)
    pem = key.pkcs8_pem(passphrase)
    if config.url is None or config.username is None:
        return pem
    past = rotating.past_of(key.public, runtime)
    document = {
        "type": _KIND,
        "from": config.username,
        "to": config.username,
        "relay": config.url,
        "at": runtime.timestamp(),
        "has_passphrase": keyring.own_has_passphrase(),
        "rotations": [dict(documents.read(data, ROTATION)) for data in past.documents.values()],
        "peers": {name: dict(peer.raw) for name, peer in config.peers.items()},
        "keys": [
            {
                "name": peer.name,
                "handle": peer.handle,
                "status": peer.status,
                "accepts": list(peer.accepts),
                "public_key": documents.key_text(peer.public),
            }
            for peer in keyring.peers.values()
        ],
    }
    sealed = documents.sealed_by(documents.signed(document, key), Seal(Envelope.RSA, public_keys=(key.public,)))
    body = "\n".join(textwrap.wrap(base64.b64encode(sealed).decode("ascii"), 64))
    return pem + f"{_BEGIN}\n{body}\n{_END}\n".encode("ascii")


@dataclass(frozen=True)
class Belongings:
    """What such a file holds.

    Attributes:
        key: the private key.
        passphrase: what it lay under.
        handle: what we call ourselves; None where the file has the key alone.
        url: our relay; None as well then.
        document: the rest, as it was signed.
    """

    key: PrivateKey
    passphrase: bytes = field(repr=False)
    handle: str | None = None
    url: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def peers(self) -> Mapping[str, Mapping[str, Any]]:
        """The entries of our peers in `relay.json`, by name."""
        found = self.document.get("peers")
        return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def unpack(data: bytes, label: str, ask: Ask) -> Belongings:
    """Open such a file.

    Args:
        data: the file.
        label: what it is called, for messages and the passphrase's prompt.
        ask: asks for its passphrase.

    Raises:
        KeyProblem: it is no private key, or the passphrase is wrong.
        AliveP2PError: what lies beside the key is damaged, or was not signed with it.
    """
    said: list[bytes] = []

    def asked(prompt: str) -> bytes:
        said.append(ask(prompt))
        return said[-1]

    text = data.decode("utf-8", "replace")
    block = _BLOCK.search(text)
    key = load_private_key(_BLOCK.sub("", text).encode(), label=label, ask=asked)
    passphrase = said[-1] if said else b""
    if block is None:
        return Belongings(key, passphrase)
    try:
        sealed = base64.b64decode("".join(block[1].split()), validate=True)
        plain = documents.opened(sealed, Credentials(private_keys=lambda _: (key,)), _KIND, MOST_BYTES)
        document = documents.read(plain, _KIND, MOST_BYTES)
    except (AliveP2PError, binascii.Error, ValueError):
        raise _damaged(label, "it is damaged, or of another key") from None
    verdict = documents.verdict_of(document, lambda _: Signer("you", document["from"], key.public))
    names_key = verdict.pubkey_id == key.public.pubkey_id
    handle, url = document["from"], document.get("relay")
    if verdict.outcome is not Outcome.VALID or not names_key or not isinstance(url, str):
        raise _damaged(label, "it was not signed with the key above it")
    check_name(handle)
    return Belongings(key, passphrase, handle, url, document)


def _damaged(label: str, why: str) -> AliveP2PError:
    return AliveP2PError(
        "bad-belongings",
        f"what lies beside the key in '{label}' cannot be used: {why}",
        untouched="everything",
        hint="make it again with `alive-p2p keys export --private` on the other machine",
    )


def install(found: Belongings, keyring: Keyring, runtime: Runtime) -> list[str]:
    """Make the key our own, and take the peers over; whoever is known here stays as they are.

    The relay itself is for `own_relay.setup`, which comes afterwards. Doing it again does what is missing.

    Args:
        found: as `unpack` gave it.
        keyring: ours.
        runtime: the surroundings.

    Returns:
        What could not be taken over.

    Raises:
        KeyProblem: the key is not an RSA key, or the keyring's index is broken.
        AliveP2PError: it cannot be written.
    """
    rotations = found.document.get("rotations")
    rotating.take_over(rotations if isinstance(rotations, list) else [], runtime)
    if keyring.own_public() != found.key.public:
        keeps = found.document.get("has_passphrase") is True
        keyring.install(found.key, passphrase=found.passphrase if keeps else None, overwrite=True)
    problems = {}
    for name, public, fields in _keys(found.document):
        try:
            keyring.import_peer(name, public.pem(), added_by="another machine of yours", **fields)
        except (KeyProblem, UsageError) as problem:
            problems[name] = f"'{name}' was not taken over: {problem.message}"
    change_config(runtime, lambda config: _with_peers(config, found.peers, problems.keys()))
    return list(problems.values())


def _with_peers(config: RelayConfig, peers: Mapping[str, Mapping[str, Any]], without: Collection[str]) -> RelayConfig:
    """The same with the peers that it does not know."""
    for name, entry in peers.items():
        if name not in config.peers and name not in without:
            config = config.with_peer(name, entry)
    return config


def _keys(document: Mapping[str, Any]) -> Iterator[tuple[str, PublicKey, dict[str, Any]]]:
    keys = document.get("keys")
    for one in keys if isinstance(keys, list) else []:
        public = documents.key_in(one) if isinstance(one, dict) else None
        if public is None or not isinstance(name := one.get("name"), str) or one.get("status") not in STATUSES:
            continue
        handle, accepts = one.get("handle"), one.get("accepts")
        envelopes = [text for text in accepts if isinstance(text, str)] if isinstance(accepts, list) else []
        yield (
            name,
            public,
            {
                "status": one["status"],
                "handle": handle if isinstance(handle, str) else None,
                "accepts": envelopes or None,
            },
        )
