"""A peer who misbehaves, and others who may write to a relay (relay.md §4).

Everybody who may write to a relay may write anything into it, so nothing is believed because of where it lies. What
must not follow is a receive, a trusted key, or a name that somebody else has chosen.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.public import KeyProblem
from alive_p2p.package.envelopes.sealing import Seal, sealed
from alive_p2p.package.reader import PackageReader
from alive_p2p.relay import documents, mailbox, outbox, pairing
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.answers import read_answer
from alive_p2p.relay.code import Code, decode
from alive_p2p.relay.pulling import chosen
from alive_p2p.relay.renaming import rename
from alive_p2p.relay.status import status
from alive_p2p.relay.transports.base import Put
from alive_p2p.sharing.sent import SentRegister
from relay.people import Person, key_of
from worlds import tree_of


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Person]:
    """Alice and Ben, Alice and Mallory are peers; Mallory may write to both relays."""
    made = {name: Person(name, tmp_path).set_up() for name in ("alice", "ben", "mallory")}
    made["alice"].pair(made["ben"])
    made["alice"].pair(made["mallory"])
    made["ben"].pair(made["mallory"])
    return made


@pytest.fixture
def alice(people: dict[str, Person]) -> Person:
    return people["alice"]


@pytest.fixture
def ben(people: dict[str, Person]) -> Person:
    return people["ben"]


@pytest.fixture
def mallory(people: dict[str, Person]) -> Person:
    return people["mallory"]


def deposit_of(sender: Person, receiver: Person) -> tuple[Path, Path]:
    """What a sender has just left in the receiver's relay: the package and its note."""
    (package,) = (receiver.relay_folder / "inbox" / sender.name).glob("*.walnut")
    return package, package.with_suffix(".note")


def held(person: Person) -> str:
    """The one package that waits, and is not received: why."""
    before = tree_of(person.world)
    (pulled,) = person.pull()
    assert pulled.status in {"held", "failed", "refused"}
    received = {
        path for path in tree_of(person.world).keys() - before.keys() if "nova" in path and "walnut" not in path
    }
    assert received == set()
    assert len(person.waiting()) == 1, "it is still there"
    return str(pulled.error)


# --- packages ------------------------------------------------------------------------------------------------


def test_what_was_meant_for_another_is_not_received(alice: Person, ben: Person, mallory: Person) -> None:
    """Mallory passes on, in her own name's folder or Ben's, what Ben had sent to her."""
    ben.push("mallory")
    package, note = deposit_of(ben, mallory)
    folder = alice.relay_folder / "inbox" / "ben"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(package, folder / package.name)
    shutil.copy(note, folder / note.name)
    assert "not sealed for you" in held(alice)


def test_what_was_received_before_is_not_received_again(alice: Person, ben: Person, mallory: Person) -> None:
    """Played back with its note it is here already; it does no harm, and goes."""
    ben.push("alice")
    package, note = deposit_of(ben, alice)
    kept = [(one.name, one.read_bytes()) for one in (package, note)]
    assert [one.status for one in alice.pull()] == ["received"]
    before = tree_of(alice.world / "03_Inbox" / "nova")
    for name, data in kept:
        (alice.relay_folder / "inbox" / "ben" / f"x-{name}").write_bytes(data)
    assert [one.status for one in alice.pull()] == ["here"]
    assert tree_of(alice.world / "03_Inbox" / "nova") == before
    assert alice.waiting() == []


def test_a_package_without_a_note_is_not_received(alice: Person, ben: Person) -> None:
    """However well it is signed."""
    ben.push("alice")
    deposit_of(ben, alice)[1].unlink()
    assert "no delivery note" in held(alice)


def test_a_package_in_the_place_of_another_is_not_received(alice: Person, ben: Person, mallory: Person) -> None:
    """The note is about the file that was sent, and no other."""
    mallory.push("alice")
    ben.push("alice")
    hers, its_note = deposit_of(mallory, alice)
    theirs, _ = deposit_of(ben, alice)
    shutil.copy(hers, theirs)
    hers.unlink()
    its_note.unlink()
    assert "not the file that its delivery note is about" in held(alice)


def test_a_package_in_somebody_elses_folder_is_not_theirs(alice: Person, ben: Person, mallory: Person) -> None:
    """Mallory signs for herself and puts it into Ben's folder."""
    mallory.push("alice")
    folder = alice.relay_folder / "inbox" / "ben"
    folder.mkdir(parents=True, exist_ok=True)
    for path in deposit_of(mallory, alice):
        path.rename(folder / path.name)
    assert "is signed by 'mallory'" in held(alice)


def test_a_note_in_anothers_name_is_worth_nothing(alice: Person, ben: Person, mallory: Person) -> None:
    """Signed by Mallory, it says that it is from Ben."""
    mallory.push("alice")
    package, note = deposit_of(mallory, alice)
    said = {
        "type": "delivery",
        "from": "ben",
        "to": "alice",
        "file_sha256": hashing.sha256(package.read_bytes()),
        "import_id": "0" * 64,
        "sent_at": "2026-04-07T10:15:00Z",
    }
    data = documents.signed(said, mallory.we.key)
    note.write_bytes(documents.sealed_for(data, mallory.we.keyring.peer("alice")))
    assert "not signed by 'mallory' (other-signer)" in held(alice)


def test_another_package_than_the_note_says_is_not_received(alice: Person, mallory: Person) -> None:
    """The file is the one that the note names; what is inside is not."""
    mallory.push("alice")
    package, note = deposit_of(mallory, alice)
    said = {
        "type": "delivery",
        "from": "mallory",
        "to": "alice",
        "file_sha256": hashing.sha256(package.read_bytes()),
        "import_id": "0" * 64,
        "sent_at": "2026-04-07T10:15:00Z",
    }
    note.write_bytes(documents.sealed_for(documents.signed(said, mallory.we.key), mallory.we.keyring.peer("alice")))
    assert "another package than its delivery note says" in held(alice)


def test_a_package_that_somebody_else_has_signed_is_not_received(alice: Person, ben: Person, mallory: Person) -> None:
    """Mallory delivers, in her own name, what Ben has signed and she has sealed anew for Alice."""
    plain = ben.packed(signing_key=ben.we.key)
    we = mallory.we
    with pytest.raises(RelayError, match="you are 'mallory'"):
        outbox.queue(plain, we.keyring.peer("alice"), we, mallory.runtime)
    # And where she goes round her own program:
    folder = alice.relay_folder / "inbox" / "mallory"
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / "20260407-101500-00000000.walnut"
    peer = we.keyring.peer("alice")
    with (
        package.open("wb") as output,
        sealed(output, Seal(documents.envelope_for_peer(peer), public_keys=(peer.public,)), 0) as to,
    ):
        to.write(plain.read_bytes())

    with PackageReader(plain) as reader:
        import_id = reader.read_manifest().import_id
    said = {
        "type": "delivery",
        "from": "mallory",
        "to": "alice",
        "file_sha256": hashing.sha256(package.read_bytes()),
        "import_id": import_id,
        "sent_at": "2026-04-07T10:15:00Z",
    }
    note = documents.sealed_for(documents.signed(said, we.key), peer)
    package.with_suffix(".note").write_bytes(note)
    assert "not signed by 'mallory', who has delivered it" in held(alice)


@pytest.mark.parametrize("data", [b"", b"junk", b"age-encryption.org/v1\n", b"\x1f\x8b", b"{}" * 90_000])
def test_junk_for_a_note_is_told(alice: Person, ben: Person, data: bytes) -> None:
    """Nothing of it is a traceback."""
    ben.push("alice")
    deposit_of(ben, alice)[1].write_bytes(data)
    held(alice)


def test_a_flooded_folder_does_not_hide_others(alice: Person, ben: Person, mallory: Person) -> None:
    """Of one peer only so many are looked at; the rest is told, and others are received."""
    folder = alice.relay_folder / "inbox" / "mallory"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(300):
        (folder / f"20260407-101500-{number:08x}.walnut").write_bytes(b"junk")
    ben.push("alice")
    done = alice.pull()
    assert [one.status for one in done if one.waiting.deposit.folder == "ben"] == ["received"]
    assert len([one for one in done if "there are more than 200" in str(one.error)]) == 100


def test_a_package_over_the_limit_is_not_fetched(alice: Person, ben: Person) -> None:
    """It stays, with the reason."""
    ben.push("alice")
    (pulled,) = alice.pull(limit=1000)
    assert "larger than 1,000 bytes" in str(pulled.error)
    assert not (alice.world / "03_Inbox" / "ben").exists() or list((alice.world / "03_Inbox" / "ben").iterdir()) == []


def test_a_link_in_a_relay_leads_nowhere(alice: Person, ben: Person, tmp_path: Path) -> None:
    """Neither a package nor a folder that is one is read, written through or removed through."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "20260407-101500-00000000.walnut").write_bytes(b"secret")
    inbox = alice.relay_folder / "inbox"
    shutil.rmtree(inbox / "ben")
    (inbox / "ben").symlink_to(secret, target_is_directory=True)
    assert alice.pull() == []
    with pytest.raises(RelayError, match="is a link"):
        ben.reach(alice.url).change([Put("inbox/ben/x.walnut", b"x")])
    alice.relay.change(removes=["inbox/ben/20260407-101500-00000000.walnut"])
    assert [path.name for path in secret.iterdir()] == ["20260407-101500-00000000.walnut"]


def test_a_nobody_is_told_and_not_received(alice: Person) -> None:
    """A folder of a name that nobody has."""
    folder = alice.relay_folder / "inbox" / "eve"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "20260407-101500-00000000.walnut").write_bytes(b"junk")
    assert "nobody of that name is your peer" in held(alice)


# --- keys ----------------------------------------------------------------------------------------------------


def test_a_key_that_was_replaced_in_a_relay_is_told_and_not_used(alice: Person, ben: Person, mallory: Person) -> None:
    """What is sealed is sealed for the pinned key; the other one needs a person."""
    pinned = alice.we.keyring.peer("ben").public
    (ben.relay_folder / "keys" / "ben.pem").write_bytes(mallory.we.key.public.pem())
    assert alice.probe().peers["ben"]["other_key"] == mallory.we.key.public.fingerprint
    assert alice.we.keyring.peer("ben").public == pinned
    alice.push("ben")
    assert [one.status for one in ben.pull()] == ["received"]
    assert alice.probe().peers["ben"]["other_key"] == mallory.we.key.public.fingerprint
    ben.set_up()  # repairs it
    assert (ben.relay_folder / "keys" / "ben.pem").read_bytes() == ben.we.key.public.pem()
    assert alice.probe().peers["ben"]["other_key"] is None


def test_a_key_of_ours_that_was_replaced_is_repaired_and_told(alice: Person, mallory: Person) -> None:
    """By the next setup."""
    from alive_p2p.relay.own_relay import setup

    (alice.relay_folder / "keys" / "alice.pem").write_bytes(mallory.we.key.public.pem())
    result = setup(alice.url, alice.runtime, alice.reach)
    assert any("it is yours again" in warning for warning in result.warnings)
    assert setup(alice.url, alice.runtime, alice.reach).made == ()


def test_a_relay_of_another_is_not_made_ours(alice: Person, tmp_path: Path) -> None:
    """Nobody becomes the owner of a relay by setting it up again."""
    from alive_p2p.relay.own_relay import setup

    eve = Person("eve", tmp_path)
    before = tree_of(alice.relay_folder)
    with pytest.raises(RelayError, match="relay of 'alice'"):
        setup(alice.url, eve.runtime, eve.reach)
    assert tree_of(alice.relay_folder) == before
    shutil.rmtree(eve.runtime.alive_home)
    with pytest.raises(RelayError, match="'alice' already, and its key is not on this machine") as caught:
        setup(alice.url, eve.runtime, eve.reach, username="alice")  # she says that she is Alice, and has no key at all
    assert (caught.value.code, caught.value.untouched) == ("relay-of-another", "everything")
    assert "--adopt" in str(caught.value.hint)
    assert tree_of(alice.relay_folder) == before
    assert not eve.runtime.alive_home.exists()


def test_we_are_not_called_otherwise_from_one_day_to_the_next(alice: Person) -> None:
    """Our peers know us by the name that we have in our relay."""
    from alive_p2p.relay.own_relay import setup

    before = tree_of(alice.base)
    with pytest.raises(UsageError, match="your peers know you as 'alice'") as caught:
        setup(alice.url, alice.runtime, alice.reach, username="alicia")
    assert (caught.value.code, caught.value.untouched) == ("other-username", "everything")
    assert tree_of(alice.base) == before


# --- receipts ------------------------------------------------------------------------------------------------


def test_a_receipt_that_somebody_else_has_written_counts_for_nothing(
    alice: Person, ben: Person, mallory: Person
) -> None:
    """Mallory says in Ben's relay that Ben has applied it."""
    alice.push("ben")
    (delivery,) = SentRegister.read(alice.runtime).deliveries
    said = {
        "type": "receipt",
        "from": "ben",
        "to": "alice",
        "import_id": delivery["import_id"],
        "deposit": delivery["deposit"].rpartition("/")[2],
        "status": "applied",
        "at": "2026-04-07T10:15:00Z",
        "bundles": [],
    }
    data = documents.sealed_for(documents.signed(said, mallory.we.key), mallory.we.keyring.peer("alice"))
    ben.relay.change([Put("receipts/alice/00000000.sealed", data), Put("receipts/alice/junk.sealed", b"junk")])
    assert alice.probe().advanced == ()
    assert [one["status"] for one in SentRegister.read(alice.runtime).deliveries] == ["sent"]


def test_a_receipt_never_goes_back(alice: Person, ben: Person) -> None:
    """What was applied is not declined afterwards."""
    from alive_p2p.relay.receipts import Told, make_receipt

    alice.push("ben")
    ben.pull()
    alice.probe()
    (delivery,) = SentRegister.read(alice.runtime).deliveries
    we = ben.we
    to = we.keyring.peer("alice")
    late = make_receipt(Told(to, "alice", delivery["deposit"], "", delivery["import_id"], "declined"), we, ben.runtime)
    ben.relay.change([late])
    assert alice.probe().advanced == ()
    assert [one["status"] for one in SentRegister.read(alice.runtime).deliveries] == ["applied"]


def test_what_was_removed_without_a_receipt_is_told(alice: Person, ben: Person) -> None:
    """Whoever removed it."""
    alice.push("ben")
    for path in deposit_of(alice, ben):
        path.unlink()
    alice.probe()
    assert [one["status"] for one in SentRegister.read(alice.runtime).deliveries] == ["gone"]


# --- pairing -------------------------------------------------------------------------------------------------


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(AliveP2PError) as refused:
        call()
    return refused.value.code


def test_a_mistyped_code_is_told(alice: Person) -> None:
    """Every letter that is wrong or missing, and not only where it happens to matter."""
    word = alice.invite("carol").encode()
    assert decode(f"  {word[:40]}\n  {word[40:]}\n") == decode(word)
    for at in range(7, len(word), 5):
        other = "A" if word[at] != "A" else "B"
        assert code_of(lambda at=at, other=other: decode(word[:at] + other + word[at + 1 :])) == "bad-code"
    for text in ("", "alive1-", word[:-1], word[:-9], "https://example.org", word.replace("alive1", "alive2")):
        assert code_of(lambda text=text: decode(text)) == "bad-code"


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c true", "--upload-pack=true", "folder:relative", "http://example.org/x", "a\nb", "git@-oProxy:x", ""],
)
def test_a_code_with_an_address_that_runs_something_is_refused(alice: Person, tmp_path: Path, url: str) -> None:
    """Before anything is reached."""
    eve = Person("eve", tmp_path).set_up()
    word = Code(url, "alice", "eve", "0" * 64, ("age",), bytes(16)).encode()
    assert code_of(lambda: eve.accept(decode(word))) in {"bad-address", "bad-code"}


def test_a_code_whose_key_is_not_the_one_in_the_relay_pins_nothing(
    alice: Person, mallory: Person, tmp_path: Path
) -> None:
    """The relay was tampered with, or the code was."""
    carol = Person("carol", tmp_path).set_up()
    code = alice.invite("carol")
    (alice.relay_folder / "keys" / "alice.pem").write_bytes(mallory.we.key.public.pem())
    assert code_of(lambda: carol.accept(code)) == "key-mismatch"
    assert dict(Keyring.load(carol.runtime).peers) == {}
    assert carol.we.config.peers == {}


def test_our_own_code_is_not_for_us(alice: Person) -> None:
    """It says what to do with it."""
    assert code_of(lambda: alice.accept(alice.invite("carol"))) == "own-code"


def test_an_answer_of_somebody_without_the_code_waits_for_a_person(
    alice: Person, mallory: Person, tmp_path: Path
) -> None:
    """It is signed and well formed; only whoever got the code can prove it."""
    carol = Person("carol", tmp_path).set_up()
    code = alice.invite("carol")
    forged = replace(code, secret=bytes(16))
    carol.accept(forged)
    assert alice.confirm() == []
    assert "carol" not in alice.we.keyring.peers
    assert alice.probe().peers["carol"]["answer"]["is_proven"] is False
    (seen,) = (one for one in status(alice.runtime, alice.we.keyring).peers if one.name == "carol")
    assert seen.state == "to-confirm"
    we, relay = alice.we, alice.relay
    answer = by_hand.answer_of("carol", we, relay)
    assert code_of(lambda: pairing.require_fingerprint(answer.public, mallory.we.key.public.fingerprint)) == (
        "other-fingerprint"
    )
    pairing.require_fingerprint(answer.public, carol.we.key.public.fingerprint.upper())
    carol.accept(code)  # the real one
    assert [one.peer.name for one in alice.confirm()] == ["carol"]


@pytest.mark.parametrize(
    "change", ["from", "to", "relay", "inbox", "public_key", "accepts", "hmac_sha256", "signature"]
)
def test_an_answer_that_was_changed_on_its_way_pins_nothing(
    alice: Person, mallory: Person, tmp_path: Path, change: str
) -> None:
    """Whatever field it is; some make it no answer at all, and none makes it a proven one."""
    carol = Person("carol", tmp_path).set_up()
    carol.accept(alice.invite("carol"))
    place = alice.relay_folder / mailbox.answer("carol")
    document: dict[str, Any] = json.loads(place.read_bytes())
    other = {
        "from": "mallory",
        "to": "mallory",
        "relay": mallory.url,
        "inbox": "mallory",
        "public_key": "".join(mallory.we.key.public.pem().decode().splitlines()[1:-1]),
        "accepts": ["rsa"],
        "hmac_sha256": "0" * 64,
        "signature": {},
    }
    document[change] = other[change]
    place.write_bytes(json.dumps(document).encode())
    assert alice.confirm() == []
    assert "carol" not in alice.we.keyring.peers


def test_an_answer_that_was_signed_again_by_another_pins_nothing(
    alice: Person, mallory: Person, tmp_path: Path
) -> None:
    """Mallory takes Carol's answer, puts her own key into it and signs that."""
    carol = Person("carol", tmp_path).set_up()
    carol.accept(alice.invite("carol"))
    place = alice.relay_folder / mailbox.answer("carol")
    document: dict[str, Any] = json.loads(place.read_bytes())
    hmac = document.pop("hmac_sha256")
    document["public_key"] = "".join(mallory.we.key.public.pem().decode().splitlines()[1:-1])
    signed = json.loads(documents.signed(document, mallory.we.key))
    place.write_bytes(json.dumps({**signed, "hmac_sha256": hmac}).encode())
    assert alice.confirm() == []
    answer = read_answer("carol", alice.we, alice.relay, alice.relay.list())
    assert answer is not None
    assert not answer.is_proven


def test_a_code_is_good_for_one_answer(alice: Person, tmp_path: Path) -> None:
    """Used once, it pins nobody else."""
    carol, eve = (Person(name, tmp_path).set_up() for name in ("carol", "eve"))
    code = alice.invite("carol")
    carol.accept(code)
    alice.confirm()
    eve.accept(code)
    assert alice.confirm() == []
    assert alice.we.keyring.peer("carol").public == carol.we.key.public
    assert code_of(lambda: alice.invite("carol")) == "paired-already"


def test_inviting_twice_gives_the_same_code(alice: Person) -> None:
    """Until it is answered."""
    assert alice.invite("carol") == alice.invite("carol")


def test_accepting_twice_changes_nothing(alice: Person, tmp_path: Path) -> None:
    """Also after it was confirmed."""
    carol = Person("carol", tmp_path).set_up()
    code = alice.invite("carol")
    carol.accept(code)
    alice.confirm()
    carol.accept(code)
    assert alice.confirm() == []
    assert carol.we.keyring.peer("alice").status == "paired"


def test_removed_and_invited_again(alice: Person, ben: Person) -> None:
    """In between what they sign is refused; afterwards they are peers as before."""
    by_hand.remove("ben", alice.runtime, alice.relay)
    assert alice.we.keyring.peer("ben").status == "revoked"
    assert alice.relay.list().below("inbox/ben") == []
    ben.push("alice")
    assert "nobody of that name" in held(alice)
    for path in deposit_of(ben, alice):
        path.unlink()
    ben.accept(alice.invite("ben"))
    assert [one.peer.status for one in alice.confirm()] == ["paired"]
    ben.push("alice")
    assert [one.status for one in alice.pull()] == ["received"]


@pytest.mark.parametrize("who", ["who invites", "who accepts"])
def test_who_has_lost_their_key_begins_anew_under_their_name(
    alice: Person, ben: Person, tmp_path: Path, who: str
) -> None:
    """Once the other has parted with the old key; it stays refused, and without parting nothing takes its place."""
    old = ben.we.key
    shutil.rmtree(ben.runtime.alive_home)
    Keyring.load(ben.runtime).install(key_of("ben, anew"))
    ben.relay_folder = tmp_path / "new-relay-of-ben"
    ben.set_up()

    def become_peers() -> None:
        if who == "who accepts":
            ben.accept(alice.invite("ben"))
            assert [one.peer.public for one in alice.confirm()] == [ben.we.key.public]
        else:
            alice.accept(ben.invite("alice"))
            ben.confirm()

    if who == "who invites":
        with pytest.raises(KeyProblem) as refused:
            become_peers()
        assert refused.value.code == "key-changed"
    by_hand.remove("ben", alice.runtime, alice.relay)
    become_peers()
    keyring = alice.we.keyring
    assert keyring.peer("ben").public == ben.we.key.public
    assert keyring.peer("ben").status == "paired"
    former = keyring.find(old.public.pubkey_id)
    assert former is not None
    assert former.status == "revoked"
    ben.push("alice")
    assert [one.status for one in alice.pull()] == ["received"]


def test_a_key_that_is_known_by_another_name_gets_the_name_of_the_invitation(alice: Person, tmp_path: Path) -> None:
    """Where it was only imported; a peer with a relay keeps its name, and it is said."""
    carol = Person("carol", tmp_path).set_up()
    Keyring.load(alice.runtime).import_peer("caroline", key_of("carol").public.pem())
    carol.accept(alice.invite("carol"))
    assert [one.peer.name for one in alice.confirm()] == ["carol"]
    assert "caroline" not in alice.we.keyring.peers
    dave = Person("dave", tmp_path).set_up()
    Keyring.load(dave.runtime).install(key_of("carol"), overwrite=True)
    shutil.rmtree(dave.relay_folder)
    dave.set_up()
    dave.accept(alice.invite("dave"))
    relay = alice.relay
    confirmed, problems = by_hand.confirm_proven(alice.we, relay, relay.list(), alice.runtime)
    assert confirmed == []
    assert "pinned already, as the key of 'carol'" in problems[0]


def test_a_peer_by_another_name_goes_on_as_before(alice: Person, ben: Person) -> None:
    """Only here it is called something else; its folder in our relay stays."""
    rename("ben", "benjamin", alice.runtime)
    ben.push("alice")
    assert [one.status for one in alice.pull()] == ["received"]
    alice.push("benjamin")
    assert [one.status for one in ben.pull()] == ["received"]
    assert [one["status"] for one in alice.probe().advanced] == ["applied"]
    with pytest.raises(RelayError, match="called 'benjamin' already"):
        rename("mallory", "benjamin", alice.runtime)


def test_what_is_not_there_yet_is_told_and_changes_nothing(alice: Person, ben: Person, tmp_path: Path) -> None:
    """No answer, no relay, no key, no such package: each is said, with what to do, before anything is touched."""

    def untouched() -> dict[str, str]:
        return {path: what for path, what in tree_of(tmp_path).items() if ".alive/locks" not in path}

    def refused(call: Callable[[], object]) -> tuple[str, str]:
        before = untouched()
        with pytest.raises(AliveP2PError) as caught:
            call()
        assert caught.value.untouched == "everything"
        assert caught.value.hint
        assert untouched() == before
        return caught.value.code, caught.value.message

    alice.invite("carol")
    we, relay = alice.we, alice.relay
    assert refused(lambda: by_hand.answer_of("carol", we, relay)) == (
        "no-answer",
        "'carol' has not answered yet, or what lies there is no answer",
    )
    assert refused(lambda: by_hand.other_key("carol", we, alice.reach)) == (
        "not-paired",
        "'carol' has no relay that is known",
    )
    assert refused(lambda: rename("carol", "caroline", alice.runtime)) == (
        "still-invited",
        "'carol' has not answered yet, and the code that was sent names them so",
    )
    (ben.relay_folder / "keys" / "ben.pem").write_bytes(b"junk")
    assert refused(lambda: by_hand.other_key("ben", we, alice.reach)) == (
        "no-key",
        "there is no key of 'ben' in their relay",
    )
    assert refused(lambda: chosen(alice.waiting(), ["20260407-101500-a1b2c3d4.walnut"])) == (
        "no-such-deposit",
        "there is no package '20260407-101500-a1b2c3d4.walnut' in your relay",
    )


def test_parting_where_our_relay_is_away_says_what_stays(alice: Person, ben: Person) -> None:
    """They count for nothing all the same; what they have left in the relay is for another time."""
    ben.push("alice")
    away = alice.relay_folder.rename(alice.base / "away")
    (warning,) = by_hand.remove("ben", alice.runtime, alice.relay)
    assert warning.startswith("what is theirs in your relay is still there: ")
    assert alice.we.keyring.peer("ben").status == "revoked"
    assert "ben" not in alice.we.config.peers
    away.rename(alice.relay_folder)
    assert len(deposit_of(ben, alice)) == 2


def test_trust_pins_another_key_on_purpose(alice: Person, ben: Person, mallory: Person) -> None:
    """The old one counts for nothing any more."""
    with pytest.raises(KeyProblem):
        by_hand.trust("ben", mallory.we.key.public, alice.runtime)
    fresh = key_of("ben, later").public
    assert by_hand.trust("ben", fresh, alice.runtime).public == fresh
    assert alice.we.keyring.find(ben.we.key.public.pubkey_id) is None


# --- what a review has found ---------------------------------------------------------------------------------


def test_a_code_for_a_key_that_its_sender_does_not_have_pins_nothing(
    alice: Person, ben: Person, mallory: Person
) -> None:
    """Mallory puts Ben's public key into her relay and invites Alice to it in Ben's name."""
    public = ben.we.key.public
    for handle in ("ben", "m2"):
        (mallory.relay_folder / "keys" / f"{handle}.pem").write_bytes(public.pem())
        code = Code(mallory.url, handle, "alice", public.fingerprint, ("rsa",), bytes(16))
        before = alice.we.config.peer("ben")
        assert code_of(lambda code=code: alice.accept(code)) == "not-the-owner"
        shutil.copy(ben.relay_folder / mailbox.OWNER, mallory.relay_folder / mailbox.OWNER)  # about another address
        assert code_of(lambda code=code: alice.accept(code)) == "not-the-owner"
        assert alice.we.config.peer("ben") == before
        assert alice.we.keyring.peer("ben").handle == "ben"


@pytest.mark.parametrize("url", ["https://ada:gho_secret@host.example/x", "https://gho_secret@host.example/x"])
def test_an_address_with_a_login_is_not_handed_on(url: str, alice: Person, tmp_path: Path) -> None:
    """Neither taken for a relay of one's own, nor from a code; and not shown."""
    from alive_p2p.relay.reach import git_address

    for call in (
        lambda: git_address(url, alice.runtime),
        lambda: alice.accept(Code(url, "ada", "alice", "0" * 64, ("age",), bytes(16))),
    ):
        with pytest.raises(RelayError) as refused:
            call()
        assert refused.value.code == "bad-address"
        assert "gho_secret" not in f"{refused.value.message} {refused.value.hint}"
    assert git_address("ssh://git@host.example/x.git", alice.runtime) == "ssh://git@host.example/x.git"


def test_a_new_name_reaches_what_waits_and_what_was_sent(alice: Person, ben: Person) -> None:
    """The outbox, the receipts; and nobody else gets a folder that is a peer's."""
    alice.push("ben")
    we = alice.we
    outbox.queue(alice.packed("second.walnut"), we.keyring.peer("ben"), we, alice.runtime)
    rename("ben", "benjamin", alice.runtime)
    assert [one.error for one in outbox.deliver(alice.we, alice.runtime, alice.reach)] == [None]
    assert {one.status for one in ben.pull()} <= {"received", "here"}
    assert [one["status"] for one in alice.probe().advanced] == ["applied", "applied"]
    assert code_of(lambda: alice.invite("ben")) == "name-taken"
    assert code_of(lambda: rename("mallory", "ben", alice.runtime)) == "name-taken"
    assert code_of(lambda: rename("mallory", "Mallory", alice.runtime)) == "same-name"


def test_accepting_again_after_a_new_name_keeps_the_folder(alice: Person, tmp_path: Path) -> None:
    """The answer names the folder that is there."""
    carol = Person("carol", tmp_path).set_up()
    code = alice.invite("carol")
    carol.accept(code)
    rename("alice", "ali", carol.runtime)
    carol.accept(code)
    alice.confirm()
    alice.push("carol")
    assert [one.status for one in carol.pull()] == ["received"]


def test_a_note_that_cannot_be_read_holds_up_nobody_else(
    alice: Person, ben: Person, mallory: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses it, as it does where Mallory has taken everybody's right to read it."""
    mallory.push("alice")
    ben.push("alice")
    note = deposit_of(mallory, alice)[1]
    opened = files.open_regular

    def refusing(path: Path) -> Any:
        if path == note:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    monkeypatch.setattr(files, "open_regular", refusing)
    done = {one.waiting.deposit.folder: (one.status, str(one.error)) for one in alice.pull()}
    assert done["ben"][0] == "received"
    assert done["mallory"][0] == "held"
    assert "cannot be used" in done["mallory"][1]


def test_a_name_that_two_packages_have_says_so(alice: Person, ben: Person, mallory: Person) -> None:
    """Mallory copies the name of Ben's package into her folder."""
    ben.push("alice")
    package, _ = deposit_of(ben, alice)
    (alice.relay_folder / "inbox" / "mallory").mkdir(exist_ok=True)
    (alice.relay_folder / "inbox" / "mallory" / package.name).write_bytes(b"junk")
    found = alice.waiting()
    assert code_of(lambda: chosen(found, [package.name])) == "which"
    assert [one.deposit.folder for one in chosen(found, [f"inbox/ben/{package.name}"])] == ["ben"]


def test_a_package_that_is_there_after_all_is_not_gone(alice: Person, ben: Person) -> None:
    """What was told too early is put right."""
    alice.push("ben")
    paths = deposit_of(alice, ben)
    kept = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    alice.probe()
    for path, data in zip(paths, kept, strict=True):
        path.write_bytes(data)
    alice.probe()
    assert [one["status"] for one in SentRegister.read(alice.runtime).deliveries] == ["sent"]


def test_a_relay_of_ours_is_repaired_whatever_somebody_wrote_into_it(alice: Person) -> None:
    """Another owner, junk, or far too much."""
    place = alice.relay_folder / mailbox.INFO
    for data in (b'{"owner": "mallory", "pubkey_id": "0"}', b"junk", b" " * 70_000):
        place.write_bytes(data)
        alice.set_up()
        assert json.loads(place.read_bytes())["owner"] == "alice"


def test_what_was_fetched_never_takes_the_place_of_another_file(alice: Person, ben: Person) -> None:
    """The name is the relay's; what lies there under it in the inbox stays."""
    ben.push("alice")
    package, _ = deposit_of(ben, alice)
    mine = alice.world / "03_Inbox" / "ben" / package.name
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    for _ in range(2):
        assert [one.status for one in alice.pull(only_fetch=True)] == ["fetched"]
    assert len(list(mine.parent.iterdir())) == 2, "what was fetched before is known again"
    assert [one.status for one in alice.pull()] == ["received"]
    assert mine.read_bytes() == b"mine"


def test_what_was_declined_is_not_received_when_it_is_put_back(alice: Person, ben: Person) -> None:
    """By somebody who has kept a copy of the two files."""
    ben.push("alice")
    paths = deposit_of(ben, alice)
    kept = [path.read_bytes() for path in paths]
    assert alice.decline()
    assert [done["status"] for done in ben.probe().advanced] == ["declined"]
    for path, data in zip(paths, kept, strict=True):
        path.write_bytes(data)
    assert "declined it before" in held(alice)
