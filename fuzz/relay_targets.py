"""What lies in relays and on the way to them: codes, signed documents, names, and what we keep of it ourselves."""

import base64
import json

from alive_p2p.keys.peers import check_name
from alive_p2p.package.signature import Outcome, Signer
from alive_p2p.relay import code, documents, mailbox
from alive_p2p.relay.answers import introduced
from alive_p2p.relay.config import RelayConfig, change_config
from alive_p2p.relay.meeting import HELLO
from alive_p2p.relay.reach import refuse_bad_address
from alive_p2p.relay.rendezvous import Rendezvous
from alive_p2p.relay.spoken import read_code
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports import s3_address
from alive_p2p.relay.transports.base import Entry, Listing, refusal
from alive_p2p.relay.whisper import MOST_BYTES
from alive_p2p.walnut import undo_store
from fuzz.surroundings import Target, certain, folder, placed, private_keys, runtime


def invitation_code(data: bytes) -> None:
    """A code that is taken says names and a fingerprint, and is the same when it is written again.

    Besides the text as it is, the bytes are taken for what a code holds, with the checksum that belongs to them.
    """
    word = code._PREFIX + base64.urlsafe_b64encode(data + code._check(data)).decode().rstrip("=")
    read = code.decode(word if not data.startswith(b"alive1-") else data.decode("utf-8", "replace"))
    with certain("a code says what it must not"):
        check_name(read.handle)
        check_name(read.inbox)
        assert len(read.fingerprint) == 64
        assert len(read.secret) == 16
        assert "SECRET" not in repr(read)
        assert read.secret.hex() not in repr(read)
        assert code.decode(read.encode()) == read


def spoken_code(data: bytes) -> None:
    """A spoken code that is taken is the same when it is said again, and keeps its words to itself."""
    read = read_code(data.decode("utf-8", "replace"))
    with certain("a spoken code cannot be said again"):
        assert read_code(str(read)) == read
    assert read.words[0] not in repr(read)


class _Saying:
    """A rendezvous server that says one thing."""

    def __init__(self, data: bytes) -> None:
        self._said = [data]

    def recv(self, timeout: float) -> bytes:  # noqa: ARG002  (the library's)
        """Say it, and nothing more."""
        if not self._said:
            raise TimeoutError
        return self._said.pop()


def rendezvous_message(data: bytes) -> None:
    """What a rendezvous server says is a message with a name that can be one and a body that is not large, or none."""
    message = Rendezvous(_Saying(data), runtime()).receive(60)  # type: ignore[arg-type]
    if message is not None:
        assert message.side.isascii()
        assert message.phase.isprintable()
        assert len(message.body) <= MOST_BYTES


def pairing_hello(data: bytes) -> None:
    """Whoever introduces themselves has a name and an address that can be used; it is signed here, as they could."""
    document = documents.read(data, HELLO)
    key = private_keys()[0]
    pem = "".join(key.public.pem().decode().splitlines()[1:-1])
    other = introduced(documents.read(documents.signed({**document, "public_key": pem}, key), HELLO))
    if other is not None:
        with certain("somebody is taken who must not be"):
            check_name(other.handle)
            refuse_bad_address(other.url)
        assert other.public == key.public
        assert set(other.accepts) <= {"age", "rsa"}


def relay_document(data: bytes) -> None:
    """A document that is taken is plain, has one canonical form, and no junk for a signature is a valid one."""
    document = documents.read(data, "receipt")
    canonical = documents.canonical_bytes(document)
    assert b"\n" not in canonical
    with certain("a document cannot be read again"):
        again = documents.read(json.dumps(document).encode(), "receipt")
    assert documents.canonical_bytes(again) == canonical
    public = private_keys()[0].public
    verdict = documents.verdict_of(document, lambda _: Signer("ben", "ben", public))
    assert verdict.outcome in {Outcome.INVALID, Outcome.UNKNOWN}


def relay_address(data: bytes) -> None:
    """An address that is taken is of the kinds that are carried, and no option."""
    text = data.decode("utf-8", "surrogateescape")
    refuse_bad_address(text)
    assert text.isprintable()
    assert not text.startswith("-")
    assert "::" not in text.partition("/")[0]
    if text.startswith("s3:"):
        with certain("an address of a bucket has two forms, or a login"):
            assert s3_address.parse(text).url == text
            assert "@" not in text
            assert "%" not in text


def relay_names(data: bytes) -> None:
    """What counts as a package or a receipt lies where it has to, and has a name that everybody accepts."""
    names = [name for name in data.decode("utf-8", "replace").split("\n") if refusal(name) is None]
    listing = Listing({name: Entry(name, "1") for name in sorted(set(names))})
    for deposit in mailbox.deposits(listing):
        assert deposit.name.startswith(f"inbox/{deposit.folder}/")
        assert deposit.name.count("/") == 2
        assert deposit.note is None or deposit.note.name == mailbox.note_of(deposit.name)
        assert deposit.at is None or len(deposit.at) == 19
    assert all(entry.name.startswith("receipts/ben/") for entry in mailbox.receipts(listing, "ben"))


def relay_changes(data: bytes) -> None:
    """Whatever `relay.json` holds besides what we know survives a change of one peer."""
    path = placed(".alive/relay/relay.json", data)
    before = path.read_bytes()

    def change(config: RelayConfig) -> RelayConfig:
        return config.with_peer("zoe", {"url": "file:///x", "accepted": True})

    changed = change_config(runtime(), change)
    assert changed.peer("zoe").is_accepted
    old, new = json.loads(before), json.loads(path.read_bytes())
    for name, value in old.items():
        if name not in {"peers", "relay", "version"}:
            assert repr(new[name]) == repr(value)
    for name, value in old.get("peers", {}).items():
        if name != "zoe":
            assert repr(new["peers"][name]) == repr(value)


def relay_state(data: bytes) -> None:
    """What was seen of a peer is an object, whatever the file says."""
    placed(".alive/relay/state.json", data)
    state = read_state(runtime())
    assert state.last_probe is None or isinstance(state.last_probe, str)
    assert isinstance(state.peer("ben"), dict)
    changed = state.with_peer("ben", {"error": None}).with_probe("now")
    assert json.loads(changed.serialise())["peers"]["ben"]["error"] is None


def undo_record(data: bytes) -> None:
    """A record that is taken names files by texts, and what is kept by numbers."""
    placed(f"nova/{undo_store.UNDO_FOLDER}/x/{undo_store.RECORD}", data)
    with certain("reading a record refuses"):
        record = undo_store.read(folder() / "nova", "x")
    if record is None:
        return
    assert all(isinstance(one, str) for one in record.folders)
    for one in record.touched:
        assert one.kept is None or one.kept.isdigit()
        assert (one.kept is None) == (one.was is None)
        assert isinstance(one.path, str)


_WORDS = (
    b'"type": "receipt"', b'"from": "', b'"to": "', b'"signature": {', b'"algo": "rsa-pss-sha256"', b'"sig_b64": "',
    b'"signed_bytes": "canonical-json-v1"', b'"pubkey_id": "0123456789abcdef"', b"NaN", b"1e999", b'"\\ud800"',
    b"[" * 64, b"null", b"true", b'"\\n"', b'"a": 1, "a": 2',
)  # fmt: skip
_NAMES = (b"inbox/ben/", b".walnut", b".note", b"receipts/ben/", b".sealed", b"20260407-101500-a1b2c3d4", b"\n", b"../")
_ADDRESSES = (
    *(b"https://", b"ssh://", b"git@", b"file:///", b"folder:/", b"ext::sh -c", b"--upload-pack=", b"@-", b"\n"),
    *(b"s3://bucket/", b"?endpoint=https://", b"&region=", b"169.254.169.254", b"%40", b"http://127.0.0.1:9"),
)
_CODES = (b'["', b'","', b'"]', b"alive1-", b"age rsa", b"==", b"folder:/x")
_SPOKEN = (b"7", b"-", b"crossover", b"clockwork", b" ", b"\xc2\xa0")
_SAID = (
    b'"type": "message"',
    b'"side": "',
    b'"phase": "',
    b'"body": "',
    b'"type": "error"',
    b'"error": ',
    b'"\\ud800"',
)
_CONFIG = (b'"peers": {', b'"relay": {', b'"url": "', b'"invitation": {"secret": "', b'"accepted": true', b'"inbox": ')
_RECORD = (
    b'"version": 1',
    b'"files": [',
    b'"folders": [],',
    b'"path": "',
    b'"was": null',
    b'"now": "',
    b'"kept": "0"',
    b'"tasks": {',
)

TARGETS = (
    Target("invitation-code", invitation_code, _CODES),
    Target("spoken-code", spoken_code, _SPOKEN),
    Target("rendezvous-message", rendezvous_message, _SAID),
    Target("pairing-hello", pairing_hello, (*_WORDS, *_ADDRESSES, b'"accepts": ["age"]')),
    Target("relay-document", relay_document, _WORDS),
    Target("relay-address", relay_address, _ADDRESSES),
    Target("relay-names", relay_names, _NAMES),
    Target("relay-changes", relay_changes, _CONFIG),
    Target("relay-state", relay_state, _CONFIG),
    Target("undo-record", undo_record, _RECORD),
)
