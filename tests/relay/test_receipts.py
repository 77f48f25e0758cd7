"""What senders are told of their packages, and what they believe (relay.md §6)."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.cli.told import delivery_text, words_of
from alive_p2p.errors import RelayError, UsageError
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.relay import outbox, rotating, settling
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.recalling import recall
from alive_p2p.relay.receipts import NOTE_CHARACTERS, checked_note
from alive_p2p.relay.state import change_state
from alive_p2p.sharing.sent import SentRegister
from alive_p2p.text import has_unsafe_character
from relay.forging import receipt_about, receipts_of
from relay.people import Person, key_of
from worlds import tree_of


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    made = Person("ben", tmp_path).set_up()
    alice.pair(made)
    return made


def delivery(sender: Person) -> dict[str, Any]:
    """The one thing that was sent, as its sender knows it after a look."""
    sender.probe()
    (one,) = SentRegister.read(sender.runtime).deliveries
    return one


def deposits(receiver: Person) -> list[str]:
    return sorted(path.name for path in (receiver.relay_folder / "inbox").glob("*/*.walnut"))


# --- received ------------------------------------------------------------------------------------------------


def test_what_was_only_fetched_is_told_once(alice: Person, ben: Person) -> None:
    """It stays in the relay until a walnut has it; then it is told that it was applied."""
    alice.push("ben")
    for _ in range(2):
        assert [one.status for one in ben.pull(only_fetch=True)] == ["fetched"]
        assert len(deposits(ben)) == 1
    assert [one["status"] for one in receipts_of(ben, alice)] == ["received"]
    assert delivery(alice)["status"] == "received"
    assert [one.status for one in ben.pull()] == ["received"]
    assert sorted(one["status"] for one in receipts_of(ben, alice)) == ["applied", "received"]
    assert delivery(alice)["status"] == "applied"


def test_what_may_be_received_yet_is_told_as_fetched(alice: Person, ben: Person) -> None:
    """Something is in the way here: no refusal, and no word about what it is."""
    alice.push("ben")
    (ben.world / "03_Inbox" / "nova").mkdir()
    for _ in range(2):
        (pulled,) = ben.pull()
        assert pulled.status == "failed"
        assert "exists already" in str(pulled.error)
    (receipt,) = receipts_of(ben, alice)
    assert receipt["status"] == "received"
    assert not {"reason", "note"} & receipt.keys()
    (ben.world / "03_Inbox" / "nova").rmdir()
    assert [one.status for one in ben.pull()] == ["received"]
    assert delivery(alice)["status"] == "applied"


def test_a_package_that_was_fetched_is_recalled_with_a_word_about_it(alice: Person, ben: Person) -> None:
    """What is taken back from the relay is with them all the same."""
    alice.push("ben")
    ben.pull(only_fetch=True)
    alice.probe()
    (known,) = SentRegister.read(alice.runtime).deliveries
    assert recall(known["deposit"], alice.we, alice.runtime, alice.reach).is_fetched
    assert deposits(ben) == []


def test_what_is_not_there_cannot_be_recalled(alice: Person, ben: Person) -> None:
    """Never sent, taken out by them meanwhile, or sent to somebody who is no peer any more: nothing changes."""

    def refused(name: str) -> tuple[str, str]:
        before = SentRegister.read(alice.runtime)
        with pytest.raises(RelayError) as caught:
            recall(name, alice.we, alice.runtime, alice.reach)
        assert caught.value.untouched == "everything"
        assert SentRegister.read(alice.runtime) == before
        return caught.value.code, caught.value.message

    (sent,) = alice.push("ben")
    name = sent.outgoing.deposit
    assert refused("other.walnut") == ("no-such-deposit", "nothing was sent under the name 'other.walnut'")
    assert len(deposits(ben)) == 1
    ben.pull()
    assert refused(name) == (
        "relay-gone",
        "it is not in the relay of 'ben' any more: they have fetched it, or removed it",
    )
    by_hand.remove("ben", alice.runtime, alice.relay)
    alice.invite("ben")
    assert refused(name) == ("not-paired", "'ben' has no relay that is known")


# --- declined ------------------------------------------------------------------------------------------------


def test_a_note_comes_with_the_receipt(alice: Person, ben: Person) -> None:
    """And nobody else can read it: it is sealed for whoever has sent the package."""
    alice.push("ben")
    assert ben.decline("not now; ask me in May")
    known = delivery(alice)
    assert known["status"] == "declined"
    assert known["note"] == "not now; ask me in May"
    assert delivery_text(known) == "'nova': declined by ben, 2026-04-07"
    assert "'not now; ask me in May'" in words_of(known)[0]
    (path,) = (ben.relay_folder / "receipts" / "alice").iterdir()
    assert b"May" not in path.read_bytes()


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "x" * (NOTE_CHARACTERS + 1), "\u202eevil", "x" * 1_000_000])
def test_a_note_that_is_no_short_line_is_refused_before_anything_is_asked(text: str) -> None:
    """The person who writes it is told."""
    with pytest.raises(UsageError, match="at most 500 characters"):
        checked_note(text)


def test_an_empty_note_is_none() -> None:
    """There is nothing to say."""
    assert checked_note("  ") is None
    assert checked_note(None) is None
    assert checked_note(" no ") == "no"


def test_declining_where_the_relay_does_not_answer_changes_nothing(alice: Person, ben: Person) -> None:
    """It can be received afterwards."""
    alice.push("ben")
    relay, we = ben.relay, ben.we
    listing = relay.list()
    (one,) = ben.waiting()
    away = ben.relay_folder.rename(ben.base / "away")
    with pytest.raises(RelayError):
        settling.decline(one, None, we, relay, listing, ben.runtime)
    away.rename(ben.relay_folder)
    assert [one.status for one in ben.pull()] == ["received"]


# --- what is believed ----------------------------------------------------------------------------------------

STATUSES = ("received", "refused", "declined", "applied")


def latest(sender: Person) -> dict[str, Any]:
    """What was sent last, as its sender knows it after a look."""
    sender.probe()
    return SentRegister.read(sender.runtime).deliveries[-1]


def test_a_status_only_advances(alice: Person, ben: Person) -> None:
    """In whatever order receipts come, at once or one by one: what was applied is never refused afterwards."""
    package = alice.packed()
    for order in itertools.islice(itertools.permutations(STATUSES), 0, None, 3):
        (sent,) = alice.push("ben", package)
        highest = 0
        for status in order:
            ben.relay.change([receipt_about(sent.outgoing.deposit, ben, alice, status=status, note=status)])
            highest = max(highest, STATUSES.index(status))
            if order[0] in {"refused", "declined"}:  # the others come at once
                known = latest(alice)
                assert (known["status"], known["note"]) == (STATUSES[highest], STATUSES[highest])
        known = latest(alice)
        assert (known["status"], known["note"]) == ("applied", "applied")


_NO_RECEIPTS: tuple[dict[str, object], ...] = (
    {"status": "gone"},
    {"status": "recalled"},
    {"status": "sent"},
    {"status": "APPLIED"},
    {"status": None},
    {"status": ["applied"]},
    {"at": "yesterday"},
    {"at": "2026-04-07T10:15:00Z; applied"},
    {"to": "mallory"},
    {"from": "mallory"},
    {"import_id": "1" * 64},
    {"deposit": "20260407-101500-00000000.walnut"},
    {"note": "\x1b]0;pwned\x07"},
    {"note": "a line\nand another"},
    {"note": "x" * 1_000_000},
    {"type": "delivery"},
)


def test_what_is_no_receipt_of_ours_advances_nothing(alice: Person, ben: Person) -> None:
    """Signed by the peer himself, and still it does not count."""
    alice.push("ben")
    (sent,) = SentRegister.read(alice.runtime).deliveries
    for fields in _NO_RECEIPTS:
        ben.relay.change([receipt_about(sent["deposit"], ben, alice, **fields)])
        assert delivery(alice)["status"] == "sent", fields
    ben.relay.change([receipt_about(sent["deposit"], ben, alice)])
    assert delivery(alice)["status"] == "applied"


def test_what_a_peer_says_is_one_safe_line(alice: Person, ben: Person) -> None:
    """Text that turns itself round, or goes on for ever, and words that are not of the list."""
    alice.push("ben")
    (sent,) = SentRegister.read(alice.runtime).deliveries
    hostile = "\u202e\u200b" + "well " * 10_000
    ben.relay.change([receipt_about(sent["deposit"], ben, alice, status="refused", note=hostile, reason="rm -rf")])
    known = delivery(alice)
    assert known["status"] == "refused"
    assert len(known["note"]) <= NOTE_CHARACTERS
    assert not has_unsafe_character(known["note"])
    assert "reason" not in known
    assert words_of({**known, "reason": "rm -rf"}) == words_of(known)


def test_two_packages_with_the_same_inside_have_a_receipt_each(alice: Person, ben: Person) -> None:
    """One of the two deposits is declined, and the other is applied."""
    package = alice.packed()
    alice.push("ben", package)
    ben.decline("twice?")
    alice.push("ben", package)
    assert [one.status for one in ben.pull()] == ["received"]
    alice.probe()
    first, second = SentRegister.read(alice.runtime).deliveries
    assert first["import_id"] == second["import_id"]
    assert (first["status"], second["status"]) == ("declined", "applied")


def test_what_is_put_back_is_not_told_again(alice: Person, ben: Person) -> None:
    """Somebody has kept a copy of what was received, and puts it back under its own name."""
    alice.push("ben")
    kept = {path: path.read_bytes() for path in (ben.relay_folder / "inbox" / "alice").iterdir()}
    ben.pull()
    for path, data in kept.items():
        path.write_bytes(data)
    assert [one.status for one in ben.pull()] == ["here"]
    assert [one["status"] for one in receipts_of(ben, alice)] == ["applied"]


@pytest.mark.parametrize("is_moved", [True, False])
def test_what_is_here_already_is_known_wherever_it_is(alice: Person, ben: Person, is_moved: bool) -> None:
    """Received elsewhere and killed before it was removed, or moved since: no second walnut is made."""
    alice.push("ben")
    kept = {path: path.read_bytes() for path in (ben.relay_folder / "inbox" / "alice").iterdir()}
    elsewhere = ben.world / "04_Ventures" / "received"
    if is_moved:
        ben.pull()
        (ben.world / "03_Inbox" / "nova").rename(elsewhere)
    else:
        ben.pull(request=ReceiveRequest(Path(), target=elsewhere))
    before = tree_of(elsewhere)
    for path, data in kept.items():
        path.write_bytes(data)
    assert [one.status for one in ben.pull()] == ["here"]
    assert tree_of(elsewhere) == before
    assert not (ben.world / "03_Inbox" / "nova").exists()
    assert ben.waiting() == []


def test_names_of_receipts_say_nothing(alice: Person, ben: Person) -> None:
    """They are others for another person, so that nobody can tell from a name what became of a package."""
    from alive_p2p.relay.receipts import Told, make_receipt

    names = set()
    for person in (alice, ben):
        we = person.we
        peer = we.keyring.peers["ben" if person is alice else "alice"]
        for status in ("received", "applied"):
            told = Told(peer, "x", "inbox/x/20260407-101500-00000000.walnut", "0" * 64, "", status)
            assert make_receipt(told, we, person.runtime).name == make_receipt(told, we, person.runtime).name
            names.add(make_receipt(told, we, person.runtime).name)
    assert len(names) == 4


@pytest.fixture
def new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever rotates gets a key of this session."""
    monkeypatch.setattr(rotating, "generate_private_key", lambda: key_of("later"))


@pytest.mark.usefixtures("new_key")
def test_what_a_new_key_has_signed_counts_once_it_is_followed(alice: Person, ben: Person) -> None:
    """It was looked at before, and told nothing then."""
    alice.push("ben")
    ben.rotate()
    assert [one.status for one in ben.pull()] == ["received"]
    assert delivery(alice)["status"] == "gone"
    assert alice.follow("ben")
    assert delivery(alice)["status"] == "applied"


@pytest.mark.usefixtures("new_key")
def test_a_new_key_tells_nothing_again(alice: Person, ben: Person) -> None:
    """What was told under the old one was told."""
    alice.push("ben")
    ben.pull(only_fetch=True)
    ben.rotate()
    ben.pull(only_fetch=True)
    assert len(receipts_of(ben, alice)) == 1


def test_two_keys_that_are_one_peers_hear_nothing(alice: Person, ben: Person) -> None:
    """Whom it would be told is not known."""
    alice.push("ben")
    change_state(ben.runtime, lambda state: state.with_peer("alice", {"rivals": ["a" * 64, "b" * 64]}))
    ben.pull()
    ben.pull(only_fetch=True)
    assert not ben.decline("who are you?")
    assert receipts_of(ben, alice) == []


def test_a_receipt_with_many_bundles_can_still_be_read(alice: Person, ben: Person) -> None:
    """It names as many as a document holds."""
    alice.push("ben")
    relay, we = ben.relay, ben.we
    (one,) = ben.waiting()
    bundles = [f"{'ö' * 200}-{number}" for number in range(2000)]
    settling.settle(one, "applied", we, relay, relay.list(), ben.runtime, bundles=bundles)
    known = delivery(alice)
    assert known["status"] == "applied"
    assert 10 < len(known["bundles"]) < 2000
    assert outbox.waiting(ben.runtime) == []
