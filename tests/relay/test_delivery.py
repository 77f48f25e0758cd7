"""Two people and their relays (relay.md §5, §6): pairing, pushing, pulling, receipts."""

from pathlib import Path

import pytest

from alive_p2p.keys.keyring import Keyring
from alive_p2p.sharing.sent import SentRegister
from relay.people import Person
from worlds import NOVA


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path) -> Person:
    return Person("ben", tmp_path).set_up()


def test_two_are_paired_by_a_code_and_its_answer(alice: Person, ben: Person) -> None:
    """After an invitation, its acceptance and a look, each has pinned the other's key."""
    ben.accept(alice.invite("ben"))
    (confirmed,) = alice.confirm()
    assert confirmed.peer.name == "ben"
    for one, other in ((alice, ben), (ben, alice)):
        peer = Keyring.load(one.runtime).peer(other.name)
        assert peer.public == other.we.key.public
        assert (peer.status, peer.handle, peer.accepts) == ("paired", other.name, ("age", "rsa"))
        known = one.we.config.peer(other.name)
        assert (known.url, known.inbox, known.is_accepted, known.invitation) == (other.url, one.name, True, None)
    about = [".alive-relay/owner.json", ".alive-relay/relay.json"]
    assert list(alice.relay.list().entries) == [*about, "keys/alice.pem", "keys/peers/ben.pem"]


def test_a_package_arrives_is_received_and_receipted(alice: Person, ben: Person) -> None:
    """What is pushed is pulled; the sender sees that it was applied; nothing stays in either relay."""
    alice.pair(ben)
    (delivered,) = alice.push("ben")
    assert delivered.error is None
    assert delivered.bytes_sent > 1000
    assert ben.probe().peers["alice"]["pending_packages"] == 1
    assert alice.probe().peers["ben"]["undelivered"] == 1
    (pulled,) = ben.pull()
    assert (pulled.status, pulled.error) == ("received", None)
    received = ben.world / "03_Inbox" / "nova"
    assert (received / "notes.md").read_bytes() == NOVA["notes.md"]
    assert pulled.file is not None
    assert pulled.file.parent.name == ".received"
    probed = alice.probe()
    assert probed.peers["ben"]["undelivered"] == 0
    assert [one["status"] for one in probed.advanced] == ["applied"]
    (delivery,) = SentRegister.read(alice.runtime).deliveries
    assert (delivery["status"], delivery["peer"]) == ("applied", "ben")
    assert ben.waiting() == []
    assert alice.probe().advanced == ()
