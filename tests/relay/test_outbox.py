"""What waits to be sent: who is tried, how often, and in which order (relay.md §6)."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alive_p2p.errors import PackageError, RelayError
from alive_p2p.locks import walnut_lock
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.relay import documents, flushing, outbox
from alive_p2p.relay.transports.base import SizeLimits, Transport
from alive_p2p.relay.transports.memory import MemoryTransport, Store
from alive_p2p.sharing.audience import Recipient
from alive_p2p.sharing.sent import SentRegister
from relay.people import Person


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    made = Person("ben", tmp_path).set_up()
    alice.pair(made)
    return made


@pytest.fixture
def carol(tmp_path: Path, alice: Person) -> Person:
    made = Person("carol", tmp_path).set_up()
    alice.pair(made)
    return made


def queue(alice: Person, *names: str) -> list[str]:
    """Packages that wait, in this order; their ids."""
    package, we, made = alice.packed(), alice.we, []
    for name in names:
        alice.clock.moment += timedelta(seconds=1)
        made.append(outbox.queue(package, we.keyring.peer(name), we, alice.runtime).id)
    return made


def dead(alice: Person, other: Person, code: str = "relay-unreachable") -> list[str]:
    """From now on a relay does not answer; what is tried is noted."""
    tried: list[str] = []
    reach = alice.reach

    def refusing(url: str) -> Transport:
        tried.append(url)
        if url == other.url:
            raise RelayError(code, f"{code}: nobody answers", untouched="everything")
        return reach(url)

    alice.reach = refusing
    return tried


def test_a_relay_that_does_not_answer_is_tried_once(alice: Person, ben: Person, carol: Person) -> None:
    """Whatever else is for it waits, with the same reason; what is for others goes out."""
    queue(alice, "ben", "ben", "carol", "ben")
    tried = dead(alice, ben)
    done = outbox.deliver(alice.we, alice.runtime, alice.reach)
    assert tried == [ben.url, carol.url]
    assert [(one.outgoing.peer, one.error is None) for one in done] == [
        ("ben", False),
        ("ben", False),
        ("carol", True),
        ("ben", False),
    ]
    assert [one.peer for one in outbox.waiting(alice.runtime)] == ["ben"] * 3


def test_what_is_wrong_with_one_package_holds_up_no_other(alice: Person, ben: Person) -> None:
    """A file that has gone from the outbox says nothing about the relay."""
    first, _ = queue(alice, "ben", "ben")
    (outbox.folder_of(alice.runtime) / f"{first}.note").unlink()
    done = outbox.deliver(alice.we, alice.runtime, alice.reach)
    assert [one.error is None for one in done] == [False, True]


def why_not(alice: Person) -> RelayError:
    """Why the one package that waits was not sent; it still waits."""
    before = outbox.waiting(alice.runtime)
    (done,) = outbox.deliver(alice.we, alice.runtime, alice.reach)
    assert isinstance(done.error, RelayError)
    assert done.error.untouched == "everything"
    assert outbox.waiting(alice.runtime) == before
    assert SentRegister.read(alice.runtime).deliveries == ()
    return done.error


def test_nothing_goes_to_a_key_that_was_revoked_meanwhile(alice: Person, ben: Person) -> None:
    """It was sealed for it when it still counted; the relay is not even looked at."""
    queue(alice, "ben")
    alice.we.keyring.set_status("ben", "revoked")
    tried = dead(alice, ben)
    error = why_not(alice)
    assert (error.code, error.message) == ("revoked-peer", "the key of 'ben' was revoked")
    assert "over another channel" in str(error.hint)
    assert tried == []


def test_what_the_host_would_refuse_is_not_sent(alice: Person, ben: Person) -> None:
    """A host that takes files up to a size is not given larger ones: both sizes are said, and what to do instead."""
    queue(alice, "ben")
    store = Store()
    alice.reach = lambda _: MemoryTransport(store, sizes=SizeLimits(most=100))
    error = why_not(alice)
    assert error.code == "relay-rejected"
    assert "the relay of 'ben' takes files of up to 100" in error.message
    assert "single bundles" in str(error.hint)
    assert MemoryTransport(store).list().entries == {}


def test_what_somebody_waits_for_goes_first(alice: Person, ben: Person, carol: Person) -> None:
    """Before what others have not been reached with for days."""
    queue(alice, "ben", "carol", "ben", "carol")
    done = outbox.deliver(alice.we, alice.runtime, alice.reach, first=["carol"])
    assert [one.outgoing.peer for one in done] == ["carol", "carol", "ben", "ben"]


# --- on the way, at the end of another command ---------------------------------------------------------------


def flush(alice: Person) -> list[bool]:
    """What came of each package that was tried."""
    found = flushing.deliver_quietly(alice.we, alice.runtime, alice.reach)
    return [one.error is None for one in found]


def test_what_waits_goes_out_on_the_way(alice: Person, ben: Person) -> None:
    """And is written down as sent."""
    queue(alice, "ben")
    assert flush(alice) == [True]
    assert flush(alice) == []
    assert [one["status"] for one in SentRegister.read(alice.runtime).deliveries] == ["sent"]
    assert [one.status for one in ben.pull()] == ["received"]


def test_a_relay_that_was_not_reached_is_left_alone_for_a_while(alice: Person, ben: Person, carol: Person) -> None:
    """No command is held up by it again and again; a push tries it all the same."""
    queue(alice, "ben", "carol")
    tried = dead(alice, ben)
    assert flush(alice) == [False, True]
    assert flush(alice) == []
    assert tried == [ben.url, carol.url]
    outbox.deliver(alice.we, alice.runtime, alice.reach)
    assert len(tried) == 3
    found = flushing.deliver_quietly(alice.we, alice.runtime, alice.reach, reached=["ben"])
    assert [one.error is None for one in found] == [False]
    alice.clock.moment += flushing.NOT_AGAIN_WITHIN
    assert flush(alice) == [False]


def test_a_large_package_waits_for_a_command_that_sends(
    alice: Person, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take as long as it takes."""
    queue(alice, "ben")
    monkeypatch.setattr(flushing, "MOST_BYTES", 100)
    assert flush(alice) == []
    assert len(outbox.deliver(alice.we, alice.runtime, alice.reach)) == 1


def test_nothing_is_waited_for_on_the_way(alice: Person, ben: Person) -> None:
    """Another process is sending."""
    queue(alice, "ben")
    with walnut_lock(outbox.folder_of(alice.runtime), "relay", alice.runtime):
        assert flush(alice) == []
    assert len(outbox.waiting(alice.runtime)) == 1


def test_enough_is_enough(alice: Person, ben: Person) -> None:
    """After some seconds nothing more is begun; what is left waits for the next command."""
    queue(alice, "ben", "ben", "ben")
    seconds = [0.0]
    reach = alice.reach

    def slowly(url: str) -> Transport:
        seconds[0] += 6
        return reach(url)

    slow = replace(alice.runtime, monotonic=lambda: seconds[0])
    assert len(outbox.deliver(alice.we, slow, slowly, enough_after=10)) == 2
    assert len(outbox.waiting(alice.runtime)) == 1


# --- files that are sealed already ---------------------------------------------------------------------------


def sealed(alice: Person, name: str, *to: str, **options: object) -> Path:
    """A package that is sealed for peers, as `create --recipient` makes it."""
    keyring = alice.we.keyring
    peers = [keyring.peer(one) for one in to]
    recipients = tuple(Recipient(one.name, one.public.pubkey_id, "rsa", is_peer=True, is_paired=True) for one in peers)
    seal = Seal(documents.envelope_for_peer(peers[0]), public_keys=tuple(one.public for one in peers))
    key = {"signing_key": alice.we.key, **options}
    return alice.packed(name, seal=seal, recipients=recipients, **key)


def refusal(alice: Person, package: Path, to: str = "ben") -> str:
    """Why a file is not taken; nothing of it stays."""
    we = alice.we
    with pytest.raises((PackageError, RelayError)) as refused:
        outbox.queue(package, we.keyring.peer(to), we, alice.runtime)
    assert list(outbox.folder_of(alice.runtime).iterdir()) == []
    return refused.value.message


def test_a_sealed_file_is_known_by_its_bytes(alice: Person, ben: Person) -> None:
    """Wherever it was moved to, and whatever it is called now."""
    package = sealed(alice, "a.walnut", "ben")
    moved = package.rename(package.with_name("another name.walnut"))
    alice.push("ben", moved)
    assert [(one.status, one.error) for one in ben.pull()] == [("received", None)]
    assert alice.probe().advanced[0]["status"] == "applied"


def test_a_file_that_was_replaced_is_not_sent_as_what_it_was(alice: Person, ben: Person, carol: Person) -> None:
    """Another sealed file lies under the name of the first: by its own name it would be refused at the other end."""
    first, second = sealed(alice, "a.walnut", "ben"), sealed(alice, "b.walnut", "ben")
    shutil.copy(second, first)
    alice.push("ben", first)  # it is one of ours all the same, and goes as what it is
    (known,) = SentRegister.read(alice.runtime).deliveries
    assert known["import_id"] == SentRegister.read(alice.runtime).shares[1]["import_id"]
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    assert "has been replaced or changed since" in refusal(alice, first)


def test_what_nobody_of_us_has_sealed_is_refused_with_the_reason(alice: Person, ben: Person, carol: Person) -> None:
    """Each for its own reason."""
    ben.pair(carol)
    foreign = sealed(ben, "theirs.walnut", "carol")
    assert "not made and sealed here" in refusal(alice, foreign, "carol")
    unsigned = sealed(alice, "unsigned.walnut", "ben", signing_key=None)
    assert "not signed by your key" in refusal(alice, unsigned)
    others = sealed(alice, "others.walnut", "carol")
    assert f"not sealed for the key of 'ben' ({ben.we.key.public.pubkey_id})" in refusal(alice, others)
    spoken = alice.packed("spoken.walnut", seal=Seal(Envelope.PASSPHRASE, b"only a test"))
    assert "sealed with a passphrase, and a relay takes what is sealed for its owner" in refusal(alice, spoken)
    assert ben.waiting() == []
