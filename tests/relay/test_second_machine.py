"""A second machine of one's own: the same relay, the same identity, the same peers (relay.md §6)."""

import base64
import shutil
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import load_private_key
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.relay import documents, moving, own_relay, rotating
from alive_p2p.relay.config import read_config
from alive_p2p.runtime import Runtime
from relay.people import Person, key_of

SECRET = b"correct horse"


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    person = Person("ben", tmp_path).set_up()
    person.pair(alice)
    own_relay.setup(alice.url, alice.runtime, alice.reach)  # puts a copy of Ben's key there
    return person


def packed(person: Person) -> bytes:
    we = person.we
    return moving.pack(we.key, SECRET, we.keyring, person.runtime)


def another(person: Person, tmp_path: Path) -> Person:
    """A machine that knows nothing, with the relay where it is."""
    machine = Person(person.name, tmp_path / "second")
    shutil.rmtree(machine.runtime.alive_home)
    machine.relay_folder = person.relay_folder
    return machine


def adopt(machine: Person, data: bytes) -> list[str]:
    found = moving.unpack(data, "file", lambda _: SECRET)
    problems = moving.install(found, Keyring.load(machine.runtime), machine.runtime)
    own_relay.setup(str(found.url), machine.runtime, machine.reach, username=found.handle)
    return problems


def test_the_second_machine_sends_and_receives_as_the_first(alice: Person, ben: Person, tmp_path: Path) -> None:
    """Both know the same peers; what one has received is gone from the relay, and the receipt counts for both."""
    second = another(alice, tmp_path)
    before = {path: path.read_bytes() for path in alice.relay_folder.rglob("*") if path.is_file()}
    assert adopt(second, packed(alice)) == []
    assert {path: path.read_bytes() for path in alice.relay_folder.rglob("*") if path.is_file()} == before
    assert second.we.key.public == alice.we.key.public
    assert second.we.config.peers == alice.we.config.peers
    assert second.we.keyring.peers.keys() == alice.we.keyring.peers.keys()
    ben.push("alice")
    assert [one.status for one in second.pull()] == ["received"]
    assert alice.pull() == []
    second.push("ben", second.packed())
    assert [one.status for one in ben.pull()] == ["received"]


def test_adopting_again_changes_nothing(alice: Person, ben: Person, tmp_path: Path) -> None:
    """It repairs what is missing, and leaves what is there."""
    second = another(alice, tmp_path)
    data = packed(alice)
    adopt(second, data)
    home = {path: path.read_bytes() for path in second.runtime.alive_home.rglob("*") if path.is_file()}
    adopt(second, data)
    assert {path: path.read_bytes() for path in second.runtime.alive_home.rglob("*") if path.is_file()} == home
    assert ben.name in second.we.config.peers


def test_what_is_known_on_the_second_machine_stays(alice: Person, ben: Person, tmp_path: Path) -> None:
    """A pinned key is never replaced by a file: it is told, and that peer is not taken over."""
    second = another(alice, tmp_path)
    Keyring.load(second.runtime).import_peer("ben", key_of("somebody").public.pem())
    problems = adopt(second, packed(alice))
    assert len(problems) == 1
    assert "different key" in problems[0]
    assert second.we.keyring.peer("ben").public == key_of("somebody").public
    assert "ben" not in second.we.config.peers
    assert ben.name in alice.we.config.peers


def test_an_invitation_goes_along(alice: Person, tmp_path: Path) -> None:
    """Whoever answers it is confirmed on either machine."""
    carol = Person("carol", tmp_path).set_up()
    code = alice.invite("carol")
    second = another(alice, tmp_path)
    adopt(second, packed(alice))
    carol.accept(code)
    assert [one.peer.name for one in second.confirm()] == ["carol"]


def test_a_rotation_reaches_the_other_machine_with_the_next_file(
    alice: Person, ben: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it is refused there, and told; afterwards both are one again, and the old key still opens."""
    monkeypatch.setattr(rotating, "generate_private_key", lambda: key_of("next"))
    second = another(alice, tmp_path)
    adopt(second, packed(alice))
    ben.push("alice")
    new = alice.rotate()
    with pytest.raises(RelayError) as refused:
        own_relay.setup(alice.url, second.runtime, second.reach)
    assert refused.value.code == "former-key"
    adopt(second, packed(alice))
    assert second.we.key.public == new
    assert not own_relay.setup(alice.url, second.runtime, second.reach).made
    assert [one.status for one in second.pull()] == ["received"]


def test_the_key_alone_where_there_is_no_relay(tmp_path: Path, make_key_only: Person) -> None:
    """Then the file is nothing but a private key, as other programs read it."""
    keyring = Keyring.load(make_key_only.runtime)
    data = moving.pack(key_of("dora"), SECRET, keyring, make_key_only.runtime)
    assert data.count(b"-----BEGIN") == 1
    assert load_private_key(data, label="file", ask=lambda _: SECRET).public == key_of("dora").public
    assert moving.unpack(data, "file", lambda _: SECRET).url is None


@pytest.fixture
def make_key_only(tmp_path: Path) -> Person:
    return Person("dora", tmp_path)


def test_the_first_block_is_a_key_for_everybody(alice: Person, ben: Person) -> None:
    """What stands below it does not keep other readers of PEM from reading it; nothing of it is readable."""
    data = packed(alice)
    assert load_private_key(data, label="file", ask=lambda _: SECRET).public == alice.we.key.public
    block = data[data.index(b"-----BEGIN ALIVE-P2P") :].splitlines()[1:-1]
    below = base64.b64decode(b"".join(block), validate=True)
    assert ben.url.encode() not in below
    assert ben.we.key.public.fingerprint.encode() not in below


def test_a_file_that_was_tampered_with_is_refused(alice: Person, ben: Person) -> None:
    """Another key above, somebody else's belongings below, a cut, or the wrong passphrase: nothing is taken."""
    data, other = packed(alice), packed(ben)
    begin = data.index(b"-----BEGIN ALIVE-P2P")
    bent = [
        other[: other.index(b"-----BEGIN ALIVE-P2P")] + data[begin:],
        data[: begin + 200] + b"A" + data[begin + 201 :],
        data[: begin + 60] + data[-40:],
    ]
    for one in bent:
        with pytest.raises(AliveP2PError) as refused:
            moving.unpack(one, "file", lambda _: SECRET)
        assert refused.value.code == "bad-belongings"
    with pytest.raises(AliveP2PError) as wrong:
        moving.unpack(data, "file", lambda _: b"wrong")
    assert wrong.value.code == "wrong-passphrase"


def test_what_somebody_else_has_put_below_our_key_is_refused(alice: Person, ben: Person) -> None:
    """Our public key is no secret: whoever has it can seal peers of their choice for us, and cannot sign for us."""
    data = packed(alice)
    begin = data.index(b"-----BEGIN ALIVE-P2P")
    said = {"type": "belongings", "from": "alice", "to": "alice", "relay": ben.url, "at": ben.runtime.timestamp()}
    seal = Seal(Envelope.RSA, public_keys=(alice.we.key.public,))
    forged = base64.encodebytes(documents.sealed_by(documents.signed(said, ben.we.key), seal))
    edges = data[begin:].splitlines()
    with pytest.raises(AliveP2PError, match="it was not signed with the key above it") as refused:
        moving.unpack(data[:begin] + edges[0] + b"\n" + forged + edges[-1] + b"\n", "file", lambda _: SECRET)
    assert (refused.value.code, refused.value.untouched) == ("bad-belongings", "everything")
    assert "make it again" in str(refused.value.hint)


def test_the_new_key_lies_under_the_passphrase_where_the_old_one_did(
    alice: Person, tmp_path: Path, runtime: Runtime
) -> None:
    """Who protects their key on one machine does so on the other without asking for it."""
    Keyring.load(alice.runtime).install(key_of("alice"), passphrase=b"own", overwrite=True)
    data = moving.pack(key_of("alice"), SECRET, Keyring.load(alice.runtime), alice.runtime)
    second = another(alice, tmp_path)
    found = moving.unpack(data, "file", lambda _: SECRET)
    moving.install(found, Keyring.load(second.runtime), second.runtime)
    assert Keyring.load(second.runtime).own_has_passphrase()
    assert read_config(runtime).url is None
