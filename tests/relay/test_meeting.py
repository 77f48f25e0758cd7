"""Becoming peers in a meeting: what comes of it, and what others can do to it (relay.md §5).

Whatever is tried, the outcome is one of two: the two are paired with each other's real keys, or nothing has changed
that meeting again does not put right.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.relay import documents, meeting
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.answers import introduction
from alive_p2p.relay.config import read_config
from alive_p2p.relay.meeting import CONSENT, DONE, HELLO, STOP, Meeting
from alive_p2p.relay.renaming import rename
from alive_p2p.relay.spoken import SpokenCode
from alive_p2p.relay.whisper import APP, Message, Whisper
from relay.meetings import SECONDS, Place, become, ours, pair, whispering
from relay.people import Person, key_of
from worlds import tree_of

pytest.importorskip("spake2", reason="the extra [pair] is not installed")
pytest.importorskip("nacl", reason="the extra [pair] is not installed")


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Everybody, with a relay each: where they are, and a copy of it."""
    base = tmp_path_factory.mktemp("people")
    for name in ("alice", "ben", "mallory"):
        Person(name, base).set_up()
    return base, Path(shutil.copytree(base, base.with_name(f"{base.name}-copy")))


@pytest.fixture
def people(beginning: tuple[Path, Path]) -> Callable[[], dict[str, Person]]:
    """Makes everybody as they were in the beginning; anew it would take a second."""
    base, copy = beginning

    def again() -> dict[str, Person]:
        shutil.rmtree(base)
        shutil.copytree(copy, base)
        return {name: Person.at(name, base) for name in ("alice", "ben", "mallory")}

    return again


@pytest.fixture
def three(people: Callable[[], dict[str, Person]]) -> dict[str, Person]:
    return people()


@pytest.fixture
def alice(three: dict[str, Person]) -> Person:
    return three["alice"]


@pytest.fixture
def ben(three: dict[str, Person]) -> Person:
    return three["ben"]


@pytest.fixture
def mallory(three: dict[str, Person]) -> Person:
    return three["mallory"]


def everything_of(person: Person) -> dict[str, str]:
    """All that pairing could change."""
    return {
        **{f"home/{name}": what for name, what in tree_of(person.runtime.alive_home).items()},
        **{f"relay/{name}": what for name, what in tree_of(person.relay_folder).items()},
    }


def assert_paired(person: Person, other: Person) -> None:
    """They have the other's real key, and know their way there and back."""
    config, keyring = read_config(person.runtime), Keyring.load(person.runtime)
    name = next(one.name for one in keyring.peers.values() if one.public == key_of(other.name).public)
    peer = config.peers[name]
    assert (peer.is_accepted, peer.url, keyring.peers[name].status) == (True, other.url, "paired")
    theirs = read_config(other.runtime).peers
    back = next(one for one in theirs.values() if one.url == person.url)
    assert peer.inbox == back.folder


def are_paired(outcomes: list[Any]) -> bool:
    """Whether both ended with a peer."""
    return [type(one) for one in outcomes] == [Peer, Peer]


def code_of(outcome: object) -> str:
    """The code of the error that somebody ended with."""
    assert isinstance(outcome, AliveP2PError), outcome
    return outcome.code


# --- what comes of it ----------------------------------------------------------------------------------------


def _state(person: Person) -> dict[str, Any]:
    """What somebody has in the end."""
    home = person.runtime.alive_home / "relay"
    config = json.loads((home / "relay.json").read_text("utf-8"))
    for entry in config["peers"].values():
        entry.pop("unfinished", None)  # what the command line does next, at the host
    return {
        "relay.json": config,
        "index": json.loads((home / "keys" / "index.json").read_text("utf-8")),
        "keys": {path.name: path.read_bytes() for path in (home / "keys" / "peers").iterdir()},
        "relay": sorted(person.relay.list().entries),
    }


def test_it_ends_as_an_invitation_and_its_answer_end(people: Callable[[], dict[str, Person]]) -> None:
    """Field by field; besides, whoever comes second keeps the other's key in their relay as well."""
    by_line, by_voice = {}, {}
    alice, ben, _ = people().values()
    alice.pair(ben)
    for person, other in ((alice, ben), (ben, alice)):
        by_line[person.name] = _state(person)
        by_line[person.name]["relay"] = sorted({*_state(person)["relay"], f"keys/peers/{other.name}.pem"})
    alice, ben, _ = people().values()
    assert are_paired(pair(alice, ben))
    for person in (alice, ben):
        by_voice[person.name] = _state(person)
    assert by_voice == by_line


def test_meeting_again_changes_nothing(alice: Person, ben: Person) -> None:
    """Byte for byte."""
    pair(alice, ben)
    before = [everything_of(person) for person in (alice, ben)]
    assert are_paired(pair(alice, ben))
    assert [everything_of(person) for person in (alice, ben)] == before


def test_an_invitation_that_waits_is_answered_by_it(alice: Person, ben: Person, mallory: Person) -> None:
    """Its code is worth nothing afterwards."""
    code = alice.invite("ben")
    pair(alice, ben)
    assert_paired(alice, ben)
    assert read_config(alice.runtime).peers["ben"].invitation is None
    mallory.accept(code)
    assert alice.confirm() == []


# --- names ---------------------------------------------------------------------------------------------------


def test_each_may_call_the_other_as_they_like(alice: Person, ben: Person) -> None:
    """The name is also that of the folder, and the other is told."""
    pair(alice, ben, alice="benjamin", ben="boss")
    assert_paired(alice, ben)
    assert_paired(ben, alice)
    assert [one.error for one in ben.push("boss")] == [None]
    assert list((alice.relay_folder / "inbox" / "benjamin").glob("*.walnut"))


def test_a_name_that_is_anothers_stops_it_for_both(alice: Person, ben: Person) -> None:
    """Before anything was changed; under another name it goes."""
    Keyring.load(alice.runtime).import_peer("ben", key_of("mallory").public.pem())
    before = [everything_of(person) for person in (alice, ben)]
    assert [code_of(one) for one in pair(alice, ben)] == ["key-changed", "they-stopped"]
    assert [code_of(one) for one in pair(alice, ben, alice="BEN")] == ["name-taken", "they-stopped"]
    assert [code_of(one) for one in pair(alice, ben, alice="../b")] == ["bad-peer-name", "they-stopped"]
    assert [everything_of(person) for person in (alice, ben)] == before
    pair(alice, ben, alice="ben2")
    assert_paired(alice, ben)


def test_a_peer_is_called_as_they_are_called_here_already(alice: Person, ben: Person) -> None:
    """Renamed since, the folder is what it was; another name for the same peer is refused."""
    pair(alice, ben)
    rename("ben", "benjamin", alice.runtime)
    before = everything_of(alice)
    assert code_of(pair(alice, ben, alice="ben")[0]) == "name-taken"  # the folder is still called so
    assert code_of(pair(alice, ben, alice="benny")[0]) == "known-key"
    assert everything_of(alice) == before
    assert are_paired(pair(alice, ben))
    assert set(read_config(alice.runtime).peers) == {"benjamin"}
    assert_paired(alice, ben)
    assert [one.error for one in ben.push("alice")] == [None]
    assert [one.status for one in alice.pull()] == ["received"]


def test_a_key_that_was_only_imported_gets_its_name(alice: Person, ben: Person) -> None:
    """And one that was revoked comes back: a code is a fresh yes."""
    keyring = Keyring.load(alice.runtime)
    keyring.import_peer("from-a-mail", key_of("ben").public.pem())
    pair(alice, ben, alice="ben")
    assert set(Keyring.load(alice.runtime).peers) == {"ben"}
    by_hand.remove("ben", alice.runtime, alice.relay)
    pair(alice, ben)
    assert_paired(alice, ben)


def test_nobody_becomes_their_own_peer(alice: Person) -> None:
    """With their own code on two screens."""
    before = everything_of(alice)
    assert {code_of(one) for one in pair(alice, alice)} <= {"own-code", "they-stopped"}
    assert everything_of(alice) == before


# --- the code ------------------------------------------------------------------------------------------------


def test_a_wrong_code_is_one_guess(alice: Person, ben: Person) -> None:
    """It ends the meeting for both, nothing was told, and the right one is good for nothing afterwards."""
    place, before = Place(), [everything_of(person) for person in (alice, ben)]
    wrong = SpokenCode("7", ("crossover", "zulu"))
    outcome = place.meet(lambda: whispering(place, "aa"), lambda: whispering(place, "bb", wrong))
    assert [code_of(one) for one in outcome] == ["wrong-code", "wrong-code"]
    assert {one.phase for one in place.messages} == {"pake", "version"}
    assert code_of(place.meet(lambda: whispering(place, "cc"))[0]) == "wrong-code"
    assert [everything_of(person) for person in (alice, ben)] == before


def test_nobody_comes() -> None:
    """That is told, and nothing else happens."""
    place = Place()
    assert code_of(place.meet(lambda: whispering(place, "aa"))[0]) == "nobody-came"


# --- on the way ----------------------------------------------------------------------------------------------


def _flipped(message: Message) -> list[Message]:
    body = bytearray(message.body)
    body[len(body) // 2] ^= 1
    return [replace(message, body=bytes(body))]


_TWISTS: dict[str, Callable[[Message], list[Message]]] = {
    "lost": lambda _message: [],
    "changed": _flipped,
    "huge": lambda message: [replace(message, body=b"\x00" * 2_000_000)],
    "repeated": lambda message: [message, message],
    "reflected": lambda message: [replace(message, side="bb" if message.side == "aa" else "aa"), message],
    "repeated as the next": lambda message: [message, replace(message, phase=_after(message.phase))],
    "said by a third": lambda message: [replace(message, side="cc"), message],
    "after a flood": lambda message: [*(replace(message, phase=f"x{n}") for n in range(200)), message],
}
_HARMLESS = {"repeated", "after a flood"}
_PHASES = ("pake", "version", "0", "1", "2")


def _after(phase: str) -> str:
    return {"pake": "version", "version": "0"}.get(phase) or str(int(phase) + 1)


@pytest.mark.parametrize("twist", _TWISTS)
def test_whoever_carries_it_can_only_stop_it(twist: str, people: Callable[[], dict[str, Person]]) -> None:
    """Each has the other's real key, or is as before; and meeting again puts right what is not right for both."""
    for phase in _PHASES:
        alice, ben, _ = people().values()
        before = [everything_of(person) for person in (alice, ben)]
        place = Place(lambda message, phase=phase: _TWISTS[twist](message) if message.phase == phase else [message])
        outcome = pair(alice, ben, place)
        for person, other, unchanged, one in zip((alice, ben), (ben, alice), before, outcome, strict=True):
            if isinstance(one, Peer):
                assert one.public == key_of(other.name).public, phase
            else:
                assert code_of(one) in _STOPPED, phase
                assert everything_of(person) == unchanged, phase
        if twist in _HARMLESS or phase == "2":
            assert are_paired(outcome), phase
        else:
            assert are_paired(pair(alice, ben)), phase
        assert_paired(alice, ben)
        assert_paired(ben, alice)


_STOPPED = {"nobody-came", "no-answer-in-time", "meeting-disturbed", "wrong-code", "they-stopped"}


def test_where_only_one_yes_arrives_meeting_again_puts_it_right(alice: Person, ben: Person) -> None:
    """Ben has both, Alice has not; she is told what may have happened."""
    place = Place(lambda message: [] if (message.side, message.phase) == ("bb", "1") else [message])
    before = everything_of(alice)
    first, _ = pair(alice, ben, place)
    assert code_of(first) == "no-answer-in-time"
    assert "they count you as paired" in first.untouched
    assert everything_of(alice) == before
    assert read_config(ben.runtime).peers["alice"].is_accepted
    assert are_paired(pair(alice, ben))
    assert_paired(alice, ben)
    assert_paired(ben, alice)


# --- on the other side ---------------------------------------------------------------------------------------


def _hello(we: Person, session: str, **other: object) -> bytes:
    document = introduction(ours(we), HELLO, "*", we.runtime) | {"session": session, **other}
    return documents.signed(document, key_of(we.name))


def _said(kind: str, **fields: object) -> bytes:
    return json.dumps({"type": kind, "from": "mallory", "to": "alice", **fields}).encode()


def _other_key(mallory: Person, channel: Whisper) -> bytes:
    said = json.loads(_hello(mallory, channel.session))
    pem = key_of("ben").public.pem().decode().splitlines()
    return json.dumps({**said, "public_key": "".join(pem[1:-1])}).encode()


_HELLOS: dict[str, Callable[[Person, Whisper], bytes]] = {
    "a key that did not sign": _other_key,
    "what somebody has said in another meeting": lambda m, _c: _hello(m, "0" * 64),
    "no meeting at all": lambda m, _c: documents.signed(introduction(ours(m), HELLO, "*", m.runtime), key_of(m.name)),
    "an address that runs a program": lambda m, c: _hello(m, c.session, relay="ext::sh -c id"),
    "an address with a password": lambda m, c: _hello(m, c.session, relay="https://a:b@example.org/r"),
    "a handle that is a path": lambda m, c: _hello(m, c.session, **{"from": "../../etc"}),
    "a handle that is an escape code": lambda m, c: _hello(m, c.session, **{"from": "\x1b[31mben"}),
    "a number for an address": lambda m, c: _hello(m, c.session, relay=7),
    "not signed": lambda m, _c: json.dumps(introduction(ours(m), HELLO, "*", m.runtime)).encode(),
    "another document": lambda _m, _c: _said(DONE),
    "no JSON": lambda _m, _c: b"\xff\xfe",
    "nothing": lambda _m, _c: b"",
    "far too deep": lambda _m, _c: b'{"type": "pairing-hello", "from": "a", "to": "b", "x": ' + b"[" * 9000,
    "far too long": lambda m, c: _hello(m, c.session, relay="x" * 100_000),
    "our own words": lambda _m, c: c.receive(SECONDS),
    "that they stop": lambda _m, _c: _said(STOP, why="declined"),
    "a reason of their own": lambda _m, _c: _said(STOP, why="\x1b]0;owned\x07"),
}


@pytest.mark.parametrize("what", _HELLOS)
def test_whoever_has_the_code_can_bring_nothing_but_themselves(what: str, alice: Person, mallory: Person) -> None:
    """A hello that is not good is refused before anybody is asked, and nothing is changed."""
    place, before = Place(), everything_of(alice)

    def act() -> None:
        channel = whispering(place, "bb")
        channel.send(_HELLOS[what](mallory, channel))
        channel.receive(SECONDS)

    outcome, _ = place.meet(lambda: become(alice, whispering(place, "aa")), act)
    assert code_of(outcome) in {"not-theirs", "bad-document", "own-code", "they-stopped"}
    assert "owned" not in str(outcome)
    assert everything_of(alice) == before


_CONSENTS: dict[str, bytes] = {
    "a folder that is a path": _said(CONSENT, inbox="../../keys"),
    "a folder that is a device": _said(CONSENT, inbox="con"),
    "no folder": _said(CONSENT),
    "a number": _said(CONSENT, inbox=7),
    "from somebody else": _said(CONSENT, inbox="alice", **{"from": "carol"}),
    "for somebody else": _said(CONSENT, inbox="alice", to="carol"),
    "another document": _said(DONE),
    "no JSON": b"{",
    "a no": _said(STOP, why="declined"),
}


@pytest.mark.parametrize("what", _CONSENTS)
def test_a_yes_that_is_none_changes_nothing(what: str, alice: Person, mallory: Person) -> None:
    """Also where the hello was good."""
    place, before = Place(), everything_of(alice)

    def act() -> None:
        channel = whispering(place, "bb")
        channel.send(_hello(mallory, channel.session))
        channel.send(_CONSENTS[what])

    outcome, _ = place.meet(lambda: become(alice, whispering(place, "aa")), act)
    assert code_of(outcome) in {"bad-document", "they-stopped"}
    assert everything_of(alice) == before


@pytest.mark.parametrize("login", ["x" * 101, "\x1b[1m", "a\nb", 7, None, [], ""])
def test_a_login_that_cannot_be_one_is_none(login: object, alice: Person, mallory: Person) -> None:
    """What it is at the host is for the host to say; here it is kept from the screen and from addresses."""
    place = Place()

    def act() -> None:
        channel = whispering(place, "bb")
        channel.send(_hello(mallory, channel.session))
        channel.send(_said(CONSENT, inbox="alice", login=login))

    def hear() -> object:
        met = Meeting(whispering(place, "aa"), ours(alice), alice.runtime)
        met.introduce()
        return met.consent("mallory", None, seconds=SECONDS)

    outcome, _ = place.meet(hear, act)
    if isinstance(outcome, meeting.Consent):
        assert outcome.login is None
    else:  # it is in no document
        assert code_of(outcome) == "bad-document"


def test_what_one_has_heard_cannot_be_passed_on(alice: Person, ben: Person) -> None:
    """Mallory meets Ben and Alice at once, and repeats to Alice what Ben says: it was not said in this meeting."""
    with_ben, with_alice = Place(), Place()
    before = everything_of(alice)

    def between() -> None:
        heard: list[bytes] = []
        with_ben.meet(
            lambda: heard.append(whispering(with_ben, "bb").receive(SECONDS)),
            lambda: Meeting(whispering(with_ben, "aa"), ours(ben), ben.runtime).introduce(),
        )
        channel = whispering(with_alice, "bb")
        channel.send(heard[0])
        channel.receive(SECONDS)

    outcome, _ = with_alice.meet(lambda: become(alice, whispering(with_alice, "aa")), between)
    assert code_of(outcome) == "not-theirs"
    assert everything_of(alice) == before


def test_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not taken for a wrong code."""
    place, send = Place(), Whisper._send

    def of_another_version(self: Whisper, phase: str, data: bytes) -> None:
        is_theirs = phase == "version" and self._box.side == "bb"
        send(self, phase, json.dumps({"app_versions": {APP: 2}}).encode() if is_theirs else data)

    monkeypatch.setattr(Whisper, "_send", of_another_version)
    outcome, _ = place.meet(lambda: whispering(place, "aa"), lambda: whispering(place, "bb"))
    assert code_of(outcome) == "other-version"


def test_a_relay_that_cannot_be_written_to_leaves_what_is_repaired(alice: Person, ben: Person) -> None:
    """The key is pinned, the other is told, and meeting again does the rest."""
    away = alice.relay_folder.rename(alice.base / "away")
    outcome = pair(alice, ben)
    assert code_of(outcome[0]) == "relay-missing"
    away.rename(alice.relay_folder)
    assert are_paired(pair(alice, ben))
    assert_paired(alice, ben)
    assert (alice.relay_folder / "keys" / "peers" / "ben.pem").exists()
