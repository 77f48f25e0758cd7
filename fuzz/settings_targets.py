"""Settings and registers: preferences, `relay.json`, `sent.json`, the keyring, and key files of every kind."""

import json

from alive_p2p.errors import AliveP2PError
from alive_p2p.globs import Pattern
from alive_p2p.keys.index import STATUSES, BrokenIndexError, KeyIndex, read_index
from alive_p2p.keys.peers import read_peers
from alive_p2p.keys.private import load_private_key
from alive_p2p.keys.public import PublicKey, load_public_key, load_public_keys
from alive_p2p.relay.config import own_handle, read_config
from alive_p2p.sharing.sent import SentRegister
from alive_p2p.walnut.preferences import load_preferences
from fuzz.surroundings import PASSPHRASE, Target, certain, folder, placed, runtime


def preferences(data: bytes) -> None:
    """Settings that are taken are of their types, and every pattern can be used."""
    placed("world/.alive/preferences.yaml", data)
    read = load_preferences(folder() / "world")
    for limit in (read.max_files, read.max_bytes):
        assert limit is None or (type(limit) is int and limit > 0)
    for switch in (read.discovery_hints, read.require_signature, read.sign):
        assert type(switch) is bool
    assert all(isinstance(name, str) for name in read.agent_files)
    assert read.signing_key_path is None or isinstance(read.signing_key_path, str)
    with certain("a pattern of the settings cannot be used"):
        for pattern in (*read.sensitive_names, *(one for many in read.share_presets.values() for one in many)):
            Pattern.parse(pattern)
    assert all(patterns for patterns in read.share_presets.values())
    assert all("\n" not in warning for warning in read.warnings)


def relay_config(data: bytes) -> None:
    """Peers that are taken have names and patterns that are texts; our own name is a text or unknown."""
    placed(".alive/relay/relay.json", data)
    with certain("who we are is refused"):
        own = own_handle(runtime())
    assert own is None or own
    config = read_config(runtime())
    assert config.username == own
    for name, peer in config.peers.items():
        assert config.peer(name) is peer
        assert peer.name == name
        assert all(isinstance(pattern, str) for pattern in peer.exclude_patterns)


def sent_register(data: bytes) -> None:
    """A register that is taken can be written with one share more, and read again with all it had."""
    path = placed(".alive/relay/sent.json", data)
    register = SentRegister.read(runtime())
    path.write_text(json.dumps({"version": 1, "shares": [*register.shares, {"walnut": "nova"}]}, indent=1))
    with certain("a register cannot be read again"):
        again = SentRegister.read(runtime())
    assert repr(again.shares[:-1]) == repr(register.shares)


def key_index(data: bytes) -> None:
    """What is read is stored and read again as the same; a broken one gives nothing but revocations."""
    path = placed("keys/index.json", data)
    with certain("reading the index refuses instead of telling"):
        counted, problem = read_index(path)
    assert (problem is None) or all(entry == {"status": "revoked"} for entry in counted.entries.values())
    try:
        index = KeyIndex.parse(data)
    except BrokenIndexError:
        assert problem is not None
        return
    stored = index.serialise()
    again = KeyIndex.parse(stored)
    assert again.serialise() == stored
    assert repr(again) == repr(index)
    for pubkey_id in index.entries:
        assert index.status(pubkey_id) in STATUSES
        assert all(isinstance(one, str) for one in index.accepts(pubkey_id, "rsa"))
        changed = KeyIndex.parse(index.with_entry(pubkey_id, {"status": "revoked"}).serialise())
        assert changed.status(pubkey_id) == "revoked"
        assert pubkey_id not in index.without(pubkey_id).entries


def public_key(data: bytes) -> None:
    """A key that is taken can be written and read again as the same, and does what its kind does."""
    placed("peers/ben.pem", data)
    warnings: list[str] = []
    with certain("a folder of keys refuses instead of telling"):
        peers = read_peers(folder() / "peers", KeyIndex(), warnings.append)
    assert bool(peers) != bool(warnings)
    for key in _listed(data):
        assert load_public_keys(_text_of(key)) == [key]
    key = load_public_key(data)
    with certain("a key that was read cannot be used"):
        again = load_public_key(_text_of(key))
        assert again == key
        assert again.pubkey_id == key.pubkey_id
        if key.kind != "x25519":
            assert load_public_key(key.ssh_line().encode()) == key
            assert key.ssh_tag is not None
        assert not key.verify(b"x" * 256, b"data")
        if key.kind == "rsa":
            assert len(key.wrap(b"k" * 32)) >= 256


def _listed(data: bytes) -> list[PublicKey]:
    try:
        return load_public_keys(data)
    except AliveP2PError:
        return []


def _text_of(key: PublicKey) -> bytes:
    return key._material if key.kind == "x25519" else key.pem()


def private_key(data: bytes) -> None:
    """A key that is taken has a public half that is a key, shows nothing of itself, and fits where it is used."""
    try:
        key = load_private_key(data, label="fuzzed")
    except AliveP2PError:
        key = load_private_key(data, label="fuzzed", ask=lambda _: PASSPHRASE)
    assert "PRIVATE" not in repr(key)
    assert "SECRET" not in repr(key)
    with certain("the public half is not a key"):
        assert load_public_key(_text_of(key.public)) == key.public
    if key.kind == "rsa" and len(key.public.pem()) < 1000:
        with certain("a key does not fit its own public half"):
            assert key.unwrap(key.public.wrap(b"k" * 32)) == b"k" * 32
            assert key.public.verify(key.sign(b"data"), b"data")


_PREFERENCE_WORDS = (
    b"discovery_hints: ", b"p2p:\n", b"  share_presets:\n", b"      exclude_patterns:\n", b"  limits:\n",
    b"max_files: ", b"max_bytes: ", b"  sensitive_names: [", b"  agent_files: [", b"  require_signature: true\n",
    b"  relay:\n",
    b"    url: ", b"true", b"null", b"'**/x'", b"[!a-z]", b"\xc2\x85", b"\xe2\x80\xa8", b"\\u2028",
)  # fmt: skip
_JSON_WORDS = (
    b'"relay": {"username": "', b'"peers": {', b'"exclude_patterns": [', b'"version": 1', b'"shares": [',
    b'"pubkeys": {', b'"local_pubkey_id": ', b'"peer_name": "', b'"status": "revoked"', b'"accepts": ["age"]',
    b'"handle": ', b"null", b"NaN", b"1e999", b'"\\ud800"', b'"\\u0000"', b"{}", b"[]", b"\xef\xbb\xbf", b"[" * 64,
    b"]" * 64,
)  # fmt: skip
_KEY_WORDS = (
    b"-----BEGIN PUBLIC KEY-----\n", b"-----END PUBLIC KEY-----\n", b"-----BEGIN RSA PUBLIC KEY-----\n",
    b"-----BEGIN PRIVATE KEY-----\n", b"-----END PRIVATE KEY-----\n", b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", b"ssh-rsa AAAAB3NzaC1yc2E", b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI",
    b"ecdsa-sha2-nistp256 ", b"age1", b"AGE-SECRET-KEY-1", b"AGE-PLUGIN-", b"revoked\n", b"# ",
    b"Proc-Type: 4,ENCRYPTED", b"DEK-Info: AES-128-CBC,", b"PuTTY-User-Key-File-2",
)  # fmt: skip

TARGETS = (
    Target("preferences", preferences, _PREFERENCE_WORDS),
    Target("relay-config", relay_config, _JSON_WORDS),
    Target("sent-register", sent_register, _JSON_WORDS),
    Target("key-index", key_index, _JSON_WORDS),
    Target("public-key", public_key, _KEY_WORDS),
    Target("private-key", private_key, _KEY_WORDS),
)
