"""What is refused for good, who is told, and in which words (relay.md §4, §6)."""

import errno
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alive_p2p import files
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal, sealed
from alive_p2p.receiving.plan import ReceiveRequest, ReceiveResult
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.refusals import REASONS
from alive_p2p.sharing.sent import SentRegister
from relay.forging import as_gzip, import_id_of, leave, receipts_of, sealed_for
from relay.people import Person, key_of
from worlds import craft


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    made = Person("ben", tmp_path).set_up()
    alice.pair(made)
    return made


def _outside(alice: Person) -> bytes:
    """A member that climbs out of its folder."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as archive:
        member = tarfile.TarInfo("../../outside")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    return sealed_for(alice, "ben", output.getvalue())


def _altered(alice: Person) -> bytes:
    """A manifest that lists what is not there."""
    place = craft(alice.base / "altered.walnut", {"_kernel/key.md": b"x"}, sender="alice", payload_sha256="0" * 64)
    return sealed_for(alice, "ben", place.read_bytes())


def _for_others(alice: Person) -> bytes:
    """Sealed for its sender alone."""
    output = io.BytesIO()
    with sealed(output, Seal(Envelope.RSA, public_keys=(alice.we.key.public,)), 0) as to:
        to.write(alice.packed().read_bytes())
    return output.getvalue()


CASES: dict[str, tuple[str, Callable[[Person], bytes]]] = {
    "a member outside": ("unsafe", _outside),
    "no tar": ("broken", lambda alice: sealed_for(alice, "ben", as_gzip(b"no tar at all" * 100))),
    "no gzip": ("broken", lambda alice: sealed_for(alice, "ben", b"not even gzip" * 100)),
    "no seal": ("broken", lambda _: b"junk" * 1000),
    "altered": ("broken", _altered),
    "cut off": ("broken", lambda alice: sealed_for(alice, "ben", alice.packed().read_bytes())[:-400]),
    "unsigned": ("signature", lambda alice: sealed_for(alice, "ben", alice.packed().read_bytes())),
    "sealed for others": ("not-for-us", _for_others),
}


@pytest.mark.parametrize("case", CASES)
def test_what_never_can_be_received_is_told_in_a_word(alice: Person, ben: Person, case: str) -> None:
    """Once; the package stays until it is declined, and nothing of the receiver's leaves with the word."""
    reason, make = CASES[case]
    leave(alice, ben, make(alice))
    (pulled,) = ben.pull()
    assert (pulled.status, pulled.reason) == ("refused", reason), pulled.error
    (receipt,) = receipts_of(ben, alice)
    assert {key: receipt.get(key) for key in ("status", "reason", "note")} == {
        "status": "refused",
        "reason": reason,
        "note": None,
    }
    assert str(ben.base) not in json.dumps(receipt)
    assert set(receipt) == {
        *("type", "from", "to", "import_id", "deposit", "status", "at", "bundles", "reason", "signature")
    }
    (advanced,) = alice.probe().advanced
    assert (advanced["status"], advanced["reason"]) == ("refused", reason)
    # It stays, and is not tried again by itself; who names it tries once more.
    (again,) = ben.pull()
    assert again.status == "held"
    assert REASONS[reason] in str(again.error)
    (named,) = ben.pull(names=[again.waiting.deposit.name])
    assert named.status == "refused"
    assert len(receipts_of(ben, alice)) == 1
    assert ben.decline()
    assert [one["status"] for one in alice.probe().advanced] == ["declined"]
    assert ben.waiting() == []


def test_what_is_inside_is_not_what_the_note_says(alice: Person, ben: Person) -> None:
    """Rightly signed, and another package than was announced."""
    package = alice.packed(signing_key=alice.we.key)
    leave(alice, ben, sealed_for(alice, "ben", package.read_bytes()), import_id="1" * 64)
    assert [(one.status, one.reason) for one in ben.pull()] == [("refused", "not-as-noted")]


def test_a_note_about_what_is_here_already_does_not_make_it_so(alice: Person, ben: Person) -> None:
    """It gives the name of a package that was received, and something else lies there."""
    package = alice.packed(signing_key=alice.we.key)
    alice.push("ben", package)
    ben.pull()
    other = alice.packed("other.walnut", signing_key=alice.we.key, description="another one")
    leave(alice, ben, sealed_for(alice, "ben", other.read_bytes()), import_id=import_id_of(package))
    (pulled,) = ben.pull()
    assert pulled.status in {"refused", "failed"}
    assert len(ben.waiting()) == 1


@pytest.mark.parametrize(
    ("note", "reason"), [({"to": "carol"}, "not-for-us"), ({"import_id": None}, "not-as-noted")], ids=str
)
def test_what_the_note_itself_makes_impossible_is_not_even_fetched(
    alice: Person, ben: Person, note: dict[str, str], reason: str
) -> None:
    """It is addressed to somebody else, or does not say what it is about."""
    leave(alice, ben, b"whatever", **note)
    for _ in range(2):
        assert [(one.status, one.reason) for one in ben.pull()] == [("held", reason)]
    assert list((ben.world / "03_Inbox").iterdir()) == []
    (receipt,) = receipts_of(ben, alice)
    assert (receipt["status"], receipt["reason"]) == ("refused", reason)


def test_what_was_refused_may_be_received_after_all(
    alice: Person, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a later version, say: refused is not the last word, and the sender hears that it was applied."""
    from alive_p2p.errors import PackageError
    from alive_p2p.relay import pulling

    receive = pulling.receive

    def worse(*_: object, **__: object) -> None:
        raise PackageError("damaged", "this version cannot read it")

    alice.push("ben")
    monkeypatch.setattr(pulling, "receive", worse)
    assert [one.status for one in ben.pull()] == ["refused"]
    monkeypatch.setattr(pulling, "receive", receive)
    (one,) = ben.waiting()
    assert [done.status for done in ben.pull(names=[one.deposit.name])] == ["received"]
    assert [one["status"] for one in alice.probe().advanced] == ["applied"]


# --- what stays silent ---------------------------------------------------------------------------------------


def test_a_full_disk_is_nothing_that_a_sender_hears_of(alice: Person, ben: Person) -> None:
    """Nothing has come here yet; with room it is received as if nothing had been."""
    alice.push("ben")

    def full(operation: str, paths: tuple[Path, ...]) -> None:
        if any("03_Inbox" in path.parts for path in paths):
            raise OSError(errno.ENOSPC, f"no space for {operation}")

    files.watch(full)
    try:
        assert [one.status for one in ben.pull()] == ["failed"]
    finally:
        files.watch(None)
    assert receipts_of(ben, alice) == []
    assert [one.status for one in ben.pull()] == ["received"]


def test_a_passphrase_that_is_not_here_is_no_refusal(alice: Person, ben: Person) -> None:
    """Somebody may have it yet."""
    output = io.BytesIO()
    with sealed(output, Seal(Envelope.PASSPHRASE, passphrase=b"moon"), 0) as to:
        to.write(alice.packed(signing_key=alice.we.key).read_bytes())
    leave(alice, ben, output.getvalue(), import_id=import_id_of(alice.base / "alice-p.walnut"))
    assert [one.status for one in ben.pull()] == ["failed"]
    assert [one["status"] for one in receipts_of(ben, alice)] == ["received"]


def test_a_file_that_is_not_all_there_yet_is_no_refusal(alice: Person, ben: Person) -> None:
    """Whatever carries the folder may bring the rest."""
    alice.push("ben")
    (place,) = (ben.relay_folder / "inbox" / "alice").glob("*.walnut")
    whole = place.read_bytes()
    place.write_bytes(whole[:1000])
    assert [one.status for one in ben.pull()] == ["failed"]
    assert receipts_of(ben, alice) == []
    place.write_bytes(whole)
    assert [one.status for one in ben.pull()] == ["received"]


def test_a_file_that_was_changed_here_is_no_refusal(
    alice: Person, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is broken is our copy, and not what was sent."""
    from alive_p2p.relay import pulling

    alice.push("ben")
    receive = pulling.receive

    def after_harm(request: ReceiveRequest, *arguments: Any, **options: Any) -> ReceiveResult:
        request.package.write_bytes(request.package.read_bytes()[:-100])
        return receive(request, *arguments, **options)

    monkeypatch.setattr(pulling, "receive", after_harm)
    assert [one.status for one in ben.pull()] == ["failed"]
    monkeypatch.setattr(pulling, "receive", receive)
    assert [one.status for one in ben.pull()] == ["received"]
    assert alice.probe().advanced[0]["status"] == "applied"


# --- strangers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["a forger", "nobody", "somebody imported", "somebody revoked"])
def test_who_is_not_our_peer_hears_nothing(alice: Person, ben: Person, who: str) -> None:
    """Neither that it was refused, nor that it was declined, nor that it was fetched."""
    if who == "a forger":
        leave(alice, ben, b"junk" * 1000, key=key_of("mallory"))
    elif who == "nobody":
        leave(alice, ben, b"junk" * 1000)
        for note in (ben.relay_folder / "inbox" / "alice").glob("*.note"):
            note.unlink()
    else:
        leave(alice, ben, b"junk" * 1000)
        ben.we.keyring.set_status("alice", "revoked" if who == "somebody revoked" else "unpaired")
    ben.pull()
    ben.pull(only_fetch=True)
    assert not ben.decline("words for nobody")
    assert receipts_of(ben, alice) == []
    assert ben.waiting() == []
    assert SentRegister.read(alice.runtime).deliveries[0]["status"] == "sent"


def test_a_peer_that_was_parted_with_hears_nothing(alice: Person, ben: Person) -> None:
    """Its folder is nobody's by then."""
    by_hand.remove("alice", ben.runtime, None)
    leave(alice, ben, b"junk" * 1000)
    ben.pull()
    assert not ben.decline()
    assert receipts_of(ben, alice) == []


def test_somebody_elses_package_in_a_folder_is_told_to_neither(alice: Person, ben: Person, tmp_path: Path) -> None:
    """Mallory is a peer, and puts what she has signed into Alice's folder."""
    mallory = Person("mallory", tmp_path).set_up()
    ben.pair(mallory)
    name = leave(mallory, ben, b"junk" * 1000)
    inbox = ben.relay_folder / "inbox"
    (inbox / "alice").mkdir(exist_ok=True)
    for path in (inbox / "mallory").iterdir():
        path.rename(inbox / "alice" / path.name)
    assert [one.status for one in ben.pull()] == ["held"]
    assert not ben.decline("to whom?")
    assert receipts_of(ben, alice) == receipts_of(ben, mallory) == []
    assert name


def test_the_words_are_of_one_list() -> None:
    """Short, without a path or a name, and the same on both sides."""
    assert all(word.replace("-", "").isalpha() and word.islower() for word in REASONS)
