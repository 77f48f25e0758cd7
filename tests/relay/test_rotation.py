"""A new key for the same person: peers find the way to it, and nobody else can show them another (relay.md §6)."""

import json
import shutil
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alive_p2p.errors import RelayError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey
from alive_p2p.relay import documents, following, mailbox, own_relay, rotating, rotation
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports.base import Put
from relay.people import Person, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = "2026-04-07T10:15:00Z"


@pytest.fixture(autouse=True)
def new_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New keys are others each time, and made once for the session: making one takes a second."""
    numbers: Iterator[int] = count(1)
    monkeypatch.setattr(rotating, "generate_private_key", lambda: key_of(f"new-{next(numbers)}"))


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    person = Person("ben", tmp_path).set_up()
    person.pair(alice)
    return person


def rotations(person: Person) -> list[Path]:
    return sorted((person.relay_folder / ".alive-relay").glob("rotation-*.json"))


# --- as it is meant -------------------------------------------------------------------------------------------


def test_a_peer_follows_and_the_two_go_on(alice: Person, ben: Person) -> None:
    """Noticed by the probe, pinned after a yes; then what the new key signs is received, and sealed for it is sent."""
    old = alice.we.key.public
    new = alice.rotate()
    assert own_relay.key_at(alice.relay, alice.relay.list().entries["keys/alice.pem"]) == new
    seen = ben.probe().peers["alice"]
    assert seen["successor"]["fingerprint"] == new.fingerprint
    assert seen["other_key"] is None
    assert ben.we.keyring.peer("alice").public == old
    assert ben.follow("alice")
    assert ben.we.keyring.peer("alice").public == new
    assert ben.we.keyring.peer("alice").status == "paired"
    assert ben.we.config.peers["alice"].former_keys == (old.pubkey_id,)
    assert ben.probe().peers["alice"]["successor"] is None
    alice.push("ben")
    assert [one.status for one in ben.pull()] == ["received"]
    ben.push("alice", ben.packed())
    assert [one.status for one in alice.pull()] == ["received"]
    assert [one["status"] for one in alice.probe().advanced] == ["applied"]


def test_what_is_sealed_for_the_old_key_still_opens(alice: Person, ben: Person) -> None:
    """Under way when the key changed, and sent by somebody who has not looked since."""
    ben.push("alice", ben.packed("before.walnut"))
    alice.rotate()
    ben.clock.moment += timedelta(days=1)
    ben.push("alice", ben.packed("after.walnut", scope="bundle", bundles=("shielding-review",)))
    assert [one.status for one in alice.pull()] == ["received", "here"]


def test_who_has_not_followed_receives_nothing_of_the_new_key_by_itself(alice: Person, ben: Person) -> None:
    """It is a key that nobody has, until a person says whose it is."""
    alice.rotate()
    alice.push("ben")
    (held,) = ben.pull()
    assert held.status == "held"
    assert held.waiting.has_unknown_key
    ben.follow("alice")
    assert [one.status for one in ben.pull()] == ["received"]


def test_what_the_former_key_signs_is_named_as_such(alice: Person, ben: Person) -> None:
    """After following, the old key is nobody's: a package of it is held, and it is said why."""
    alice.push("ben")
    alice.rotate()
    ben.follow("alice")
    (held,) = ben.pull()
    assert held.status == "held"
    assert "was 'alice's before" in str(held.error)
    assert not held.waiting.has_unknown_key


def test_the_way_leads_over_keys_that_a_peer_has_never_seen(alice: Person, ben: Person) -> None:
    """Somebody who was away for three rotations ends at the key that counts."""
    keys = [alice.we.key.public, alice.rotate(), alice.rotate(), alice.rotate()]
    assert len(rotations(alice)) == 3
    found = ben.succession("alice")
    assert found is not None
    assert [step.new for step in found.steps] == keys[1:]
    assert [step.serial for step in found.steps] == [1, 2, 3]
    ben.follow("alice")
    assert ben.we.keyring.peer("alice").public == keys[3]
    assert ben.we.config.peers["alice"].former_keys == tuple(key.pubkey_id for key in keys[:3])


def test_what_is_missing_in_the_relay_is_put_back(alice: Person, ben: Person) -> None:
    """Somebody who may write there has taken the documents away, or put others in their place."""
    alice.rotate()
    alice.rotate()
    first, second = rotations(alice)
    whole = {path: path.read_bytes() for path in (first, second)}
    first.unlink()
    second.write_bytes(b"{}")
    (alice.relay_folder / "keys" / "alice.pem").write_bytes(ben.we.key.public.pem())
    assert ben.succession("alice") is None
    result = own_relay.setup(alice.url, alice.runtime, alice.reach)
    assert result.has_told_key
    assert {path: path.read_bytes() for path in (first, second)} == whole
    assert any("should be yours" in warning for warning in result.warnings)
    assert not own_relay.setup(alice.url, alice.runtime, alice.reach).made


# --- two who claim it -----------------------------------------------------------------------------------------


def rival(alice: Person, old: PrivateKey, name: str = "rival", serial: int = 1) -> PrivateKey:
    """Somebody with Alice's old key names another successor, in her relay."""
    key = key_of(name)
    data = rotation.make_rotation("alice", old, key, serial, AT)
    alice.relay.change([Put(rotation.place_of(key.public.pubkey_id), data, replaces=True)])
    return key


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one after the other"])
def test_two_successors_freeze_the_peer(alice: Person, ben: Person, *, at_once: bool) -> None:
    """Nothing goes to them and nothing of theirs is received by itself, until a person has decided; it is told."""
    old = alice.we.key
    new = alice.rotate()
    alice.push("ben")
    if not at_once:
        ben.probe()
        for path in rotations(alice):
            path.unlink()
    other = rival(alice, old)
    rivals = ben.probe().peers["alice"]["rivals"]
    assert rivals == sorted([new.fingerprint, other.public.fingerprint])
    assert not ben.follow("alice")
    (sent,) = ben.push("alice", ben.packed())
    assert sent.error is not None
    assert sent.error.code == "disputed-key"
    assert list((alice.relay_folder / "inbox").rglob("*.walnut")) == []
    by_hand.trust("alice", new, ben.runtime)
    assert following.rivals("alice", read_state(ben.runtime)) == ()
    assert [one.status for one in ben.pull()] == ["received"]


def test_a_frozen_peer_s_packages_wait(alice: Person, ben: Person) -> None:
    """Also those that the pinned key has signed: whoever has it may be the rival."""
    old = alice.we.key
    alice.push("ben")
    alice.rotate()
    rival(alice, old)
    ben.probe()
    (held,) = ben.pull()
    assert held.status == "held"
    assert "two keys" in str(held.error)


def test_a_rival_further_down_the_way_freezes_too(alice: Person, ben: Person) -> None:
    """The step before it is sound, and leads to a key that has named two."""
    alice.rotate()
    middle = alice.we.key
    alice.rotate()
    rival(alice, middle, serial=2)
    found = ben.succession("alice")
    assert found is not None
    assert found.is_disputed
    assert following.successor(ben.we.keyring.peer("alice"), found) is None


def test_a_key_that_was_replaced_meanwhile_is_not_followed_away(alice: Person, ben: Person) -> None:
    """Between the question and the yes a person has trusted another key in another window: that one stays."""
    alice.rotate()
    pinned = ben.we.keyring.peer("alice")
    found = following.successor(pinned, ben.succession("alice"))
    assert found is not None
    by_hand.trust("alice", key_of("rival").public, ben.runtime)
    with pytest.raises(RelayError, match="another key is pinned for 'alice' by now") as caught:
        following.follow(found, ben.runtime)
    assert (caught.value.code, caught.value.untouched, caught.value.hint) == (
        "key-changed",
        "everything",
        "run it again",
    )
    assert ben.we.keyring.peer("alice").public == key_of("rival").public
    assert ben.we.config.peers["alice"].former_keys == ()


def test_a_revoked_peer_is_not_followed(alice: Person, ben: Person) -> None:
    """A key that was revoked names nobody."""
    alice.rotate()
    Keyring.load(ben.runtime).set_status("alice", "revoked")
    assert ben.succession("alice") is None


# --- forgeries ------------------------------------------------------------------------------------------------


def made(old: PrivateKey, new: PrivateKey, **said: Any) -> dict[str, Any]:
    """A rotation, and the same with something changed after the old key has signed it."""
    document = json.loads(rotation.make_rotation("alice", old, new, 1, AT))
    return document if not said else {**document, **said}


def leads_on(*found: bytes) -> bool:
    return rotation.succession("alice", key_of("alice").public, found, {}) is not None


def test_each_key_has_to_sign() -> None:
    """Without the old one anybody could name themselves; without the new one somebody could be named unasked."""
    old, new, mallory = key_of("alice"), key_of("new-1"), key_of("mallory")
    sound = made(old, new)
    assert leads_on(json.dumps(sound).encode())
    alone = {name: value for name, value in sound.items() if name not in {"signature", "old_signature"}}
    other = made(mallory, new)
    bent = [
        {**sound, "old_signature": other["old_signature"]},
        {**sound, "signature": made(old, mallory)["signature"]},
        json.loads(documents.signed({**alone, "old_signature": other["old_signature"]}, new)),
        json.loads(documents.signed({**alone, "old_signature": sound["old_signature"]}, mallory)),
        json.loads(documents.signed(alone, new)),
        json.loads(documents.signed({**alone, "old_signature": sound["signature"]}, new)),
        {name: value for name, value in sound.items() if name != "signature"},
    ]
    assert [leads_on(json.dumps(one).encode()) for one in bent] == [False] * len(bent)


_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**40), st.text(max_size=8), st.lists(st.none(), max_size=2)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*made(key_of("alice"), key_of("new-1"))]), value=_JUNK, signs_again=st.booleans())
def test_a_document_that_is_bent_anywhere_leads_nowhere(name: str, value: object, *, signs_again: bool) -> None:
    """Whatever stands in one of its fields, also where the new key has signed that."""
    sound = made(key_of("alice"), key_of("new-1"))
    bent = {**sound, name: value}
    if bent == sound:
        return
    data = json.dumps(bent).encode()
    if signs_again and name != "signature":
        data = documents.signed({key: one for key, one in bent.items() if key != "signature"}, key_of("new-1"))
    assert not leads_on(data)


def test_another_s_rotation_is_nobody_else_s(alice: Person, ben: Person) -> None:
    """Ben's documents in Alice's relay lead nowhere, and a key can follow itself only once."""
    ben.rotate()
    for path in rotations(ben):
        shutil.copy(path, alice.relay_folder / ".alive-relay" / path.name)
    assert ben.succession("alice") is None
    old = alice.we.key
    new = alice.rotate()
    back = rotation.make_rotation("alice", alice.we.key, old, 2, AT)
    alice.relay.change([Put(rotation.place_of(old.public.pubkey_id), back, replaces=True)])
    found = ben.succession("alice")
    assert found is not None
    assert [step.new for step in found.steps] == [new]


def test_a_relay_full_of_them_is_not_read_to_the_end(alice: Person, ben: Person) -> None:
    """As many as anybody has are looked at."""
    junk = [Put(f".alive-relay/rotation-{number:016x}.json", b"{}") for number in range(200)]
    alice.relay.change(junk)
    assert len(following.entries(alice.relay.list())) == rotation.MOST
    assert ben.succession("alice") is None


# --- on the owner's side --------------------------------------------------------------------------------------


def test_a_key_that_was_replaced_elsewhere_does_not_come_back(alice: Person, ben: Person, tmp_path: Path) -> None:
    """Another machine of Alice's has the old key: setting up there must not undo the rotation."""
    twin_home = tmp_path / "twin"
    shutil.copytree(tmp_path / "alice", twin_home / "alice", symlinks=True)
    alice.rotate()
    twin = Person("alice", twin_home)
    before = {path: path.read_bytes() for path in alice.relay_folder.rglob("*") if path.is_file()}
    with pytest.raises(RelayError) as refused:
        own_relay.setup(alice.url, twin.runtime, twin.reach)
    assert refused.value.code == "former-key"
    assert {path: path.read_bytes() for path in alice.relay_folder.rglob("*") if path.is_file()} == before
    assert ben.follow("alice")


def test_a_rotation_whose_key_never_came_is_forgotten(alice: Person, ben: Person) -> None:
    """Ended between the document and the key: the old key counts, and the next rotation clears up."""
    old, folder = alice.we.key, alice.runtime.alive_home / "relay" / "rotations"
    folder.mkdir()
    (folder / "0123456789abcdef.json").write_bytes(rotation.make_rotation("alice", old, key_of("never"), 1, AT))
    own_relay.setup(alice.url, alice.runtime, alice.reach)
    assert rotations(alice) == []
    new = alice.rotate()
    assert [path.name for path in rotations(alice)] == [f"rotation-{new.pubkey_id}.json"]
    assert [path.stem for path in folder.iterdir()] == [new.pubkey_id]
    assert ben.follow("alice")


def test_a_code_of_before_names_the_old_key(alice: Person, ben: Person, tmp_path: Path) -> None:
    """It is refused with what to do, and a new code pairs the two."""
    carol = Person("carol", tmp_path).set_up()
    code = alice.invite("carol")
    alice.rotate()
    with pytest.raises(RelayError) as refused:
        carol.accept(code)
    assert refused.value.code == "key-mismatch"
    carol.accept(alice.invite("carol"))
    assert [one.peer.name for one in alice.confirm()] == ["carol"]
    assert mailbox.pinned_key("carol") in alice.relay.list().entries
    assert ben.name in alice.we.config.peers
