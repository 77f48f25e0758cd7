"""`doctor` finds what is wrong, says what mends it, and changes nothing (cli.md, "Commands")."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkup import examined, of, paired, problems, settings_of

from alive_p2p.keys.keyring import Keyring
from alive_p2p.locks import lock_path
from alive_p2p.relay.config import change_config
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.registry import register
from relay.people import Person, key_of
from worlds import make_world

needs_posix = pytest.mark.skipif(os.name != "posix", reason="it is about POSIX permissions and names")


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    """Somebody with a world, a mailbox and a peer."""
    return paired(tmp_path)


def _keys(alice: Person) -> Path:
    return Keyring.load(alice.runtime).folder


def _relay_file(alice: Person, name: str) -> Path:
    return alice.runtime.alive_home / "relay" / name


def test_where_all_is_well_there_is_no_problem(alice: Person, tmp_path: Path) -> None:
    """Two people who are paired and reach each other."""
    found = examined(alice.runtime, tmp_path)
    assert problems(found) == []
    told = {one.name: one.found for one in found if one.level == "ok"}
    assert told["own-relay"] == "your relay answers, and holds your key"
    assert told["peer-relay"] == "1 of 1 answer"
    assert told["sender"] == "you are 'alice'"
    assert key_of("alice").public.pubkey_id in told["key"]


def test_whoever_has_set_up_nothing_has_no_problem(tmp_path: Path) -> None:
    """What is not there yet is a note, and each says what makes it."""
    found = examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert problems(found) == []
    assert of(found, "key", "note").mend == "alive-p2p keys generate"
    assert of(found, "relay", "note").mend == "alive-p2p relay setup"
    assert "mkdir .alive" in str(of(found, "world", "note").mend)


def test_a_world_right_below_is_named(tmp_path: Path) -> None:
    """Whoever stands beside their world is told the way in."""
    world = make_world(tmp_path / "my world")
    found = examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert of(found, "world", "note").mend == f"cd '{world}'"


# --- what is wrong with files ---------------------------------------------------------------------------------


def _break_key(alice: Person) -> None:
    (_keys(alice) / "private.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")


def _lose_key(alice: Person) -> None:
    for name in ("private.pem", "public.pem"):
        (_keys(alice) / name).unlink()


def _lose_private_half(alice: Person) -> None:
    (_keys(alice) / "private.pem").unlink()


def _link_key(alice: Person) -> None:
    place = _keys(alice) / "private.pem"
    place.rename(place.with_name("elsewhere"))
    place.symlink_to("elsewhere")


def _other_public(alice: Person) -> None:
    (_keys(alice) / "public.pem").write_bytes(key_of("ben").public.pem())


def _junk_public(alice: Person) -> None:
    (_keys(alice) / "public.pem").write_bytes(b"junk")


def _key_of_another(alice: Person) -> None:
    (_keys(alice) / "private.pem").write_bytes(key_of("ben").pkcs8_pem(None))
    _other_public(alice)


def _open_keys(alice: Person) -> None:
    (_keys(alice) / "private.pem").chmod(0o644)


def _open_folder(alice: Person) -> None:
    _keys(alice).chmod(0o777)


def _break_index(alice: Person) -> None:
    (_keys(alice) / "index.json").write_text("{", encoding="utf-8")


def _junk_peer(alice: Person) -> None:
    (_keys(alice) / "peers" / "carol.pem").write_bytes(b"junk")


def _break_config(alice: Person) -> None:
    _relay_file(alice, "relay.json").write_text('{"peers": []}', encoding="utf-8")


def _bad_address(alice: Person) -> None:
    change_config(alice.runtime, lambda now: now.with_relay("ext::sh -c 'touch gone'", "alice", ""))


def _break_state(alice: Person) -> None:
    _relay_file(alice, "state.json").write_text("[]", encoding="utf-8")


def _break_register(alice: Person) -> None:
    _relay_file(alice, "sent.json").write_text("[]", encoding="utf-8")


def _break_outbox(alice: Person) -> None:
    alice.relay_folder.with_name("relay-of-ben").rename(alice.base / "away")
    alice.push("ben")
    (entry,) = _relay_file(alice, "outbox").glob("*.json")
    entry.write_text("{}", encoding="utf-8")


def _lose_mailbox(alice: Person) -> None:
    shutil.rmtree(alice.relay_folder)


def _other_key_in_mailbox(alice: Person) -> None:
    (alice.relay_folder / "keys" / "alice.pem").write_bytes(key_of("ben").public.pem())


def _no_key_in_mailbox(alice: Person) -> None:
    (alice.relay_folder / "keys" / "alice.pem").unlink()


def _preferences(alice: Person, text: str) -> None:
    (alice.world / ".alive" / "preferences.yaml").write_text(text, encoding="utf-8")


def _break_preferences(alice: Person) -> None:
    _preferences(alice, "p2p:\n  sign: perhaps\n")


def _no_yaml(alice: Person) -> None:
    _preferences(alice, "p2p: [\n")


def _missing_signing_key(alice: Person) -> None:
    _preferences(alice, "p2p:\n  signing_key_path: ~/nowhere.pem\n")


def _interrupt(alice: Person) -> None:
    target = alice.world / "04_Ventures" / "half done"
    staging = target.parent / ".alive-receive-0123456789abcdef"
    staging.mkdir()
    register("0123456789abcdef", target, staging, alice.runtime).close()


_PROBLEMS: list[tuple[Callable[[Person], None], str, str]] = [
    (_break_key, "key", "put your own key back"),
    (_lose_key, "key", "put your own key back"),
    (_lose_private_half, "key", "put your own key back"),
    (_other_public, "key", "rm "),
    (_junk_public, "key", "rm "),
    (_key_of_another, "key", "put your own key back"),
    (_break_index, "peers", "restore it"),
    (_junk_peer, "peers", "keys import"),
    (_break_config, "relay", "mend the file"),
    (_bad_address, "relay", "use `https://"),
    (_break_state, "records", "move it away"),
    (_break_register, "records", "move it away"),
    (_break_outbox, "outbox", "move it away"),
    (_lose_mailbox, "own-relay", "connect the drive"),
    (_other_key_in_mailbox, "own-relay", "alive-p2p relay setup"),
    (_no_key_in_mailbox, "own-relay", "alive-p2p relay setup"),
    (_break_preferences, "preferences", "mend line 2"),
    (_no_yaml, "preferences", "mend the file"),
    (_missing_signing_key, "preferences", "mend the path"),
    (_interrupt, "interrupted", "alive-p2p recover '"),
    pytest.param(_link_key, "key", "chmod 600", marks=needs_posix),  # type: ignore[list-item]
    pytest.param(_open_keys, "permissions", "chmod -R go-rwx", marks=needs_posix),  # type: ignore[list-item]
    pytest.param(_open_folder, "permissions", "chmod -R go-rwx", marks=needs_posix),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("cause", "name", "mend"), _PROBLEMS)
def test_each_problem_is_found_and_says_what_mends_it(
    cause: Callable[[Person], None], name: str, mend: str, alice: Person, tmp_path: Path
) -> None:
    """Everything else goes on being looked at, and nothing is changed."""
    cause(alice)
    found = examined(alice.runtime, tmp_path)
    assert mend in str(of(found, name, "problem").mend)
    assert {"python", "git", "locks"} <= {one.name for one in found}
    assert not any("not foreseen" in one.found for one in found)


@needs_posix
def test_what_doctor_says_of_permissions_mends_them(alice: Person, tmp_path: Path) -> None:
    """The command it gives, as it stands."""
    _open_keys(alice)
    _open_folder(alice)
    mend = of(examined(alice.runtime, tmp_path), "permissions", "problem").mend
    assert os.system(str(mend)) == 0
    assert of(examined(alice.runtime, tmp_path), "permissions", "ok")


def test_what_doctor_says_of_a_mailbox_without_our_key_mends_it(alice: Person, program: str, tmp_path: Path) -> None:
    """`relay setup` as it stands, without saying again where the mailbox is."""
    _other_key_in_mailbox(alice)
    words = str(of(examined(alice.runtime, tmp_path), "own-relay", "problem").mend).split()
    alice.types(program, *words[1:], "--yes")
    assert problems(examined(alice.runtime, tmp_path)) == []


# --- who we are -----------------------------------------------------------------------------------------------


def test_a_key_without_a_name_is_a_problem(tmp_path: Path) -> None:
    """What is shared would not be signed, and nobody would see why."""
    person = Person("alice", tmp_path)
    found = examined(settings_of(person, GH_USER=None, PATH=str(tmp_path)), tmp_path)
    assert "GH_USER" in str(of(found, "sender", "problem").mend)


def test_another_name_than_that_of_the_mailbox_is_a_problem(alice: Person, tmp_path: Path) -> None:
    """Peers take nothing from a name that they do not know."""
    assert of(examined(settings_of(alice, GH_USER="alicia"), tmp_path), "sender", "problem").mend == "unset GH_USER"


def test_a_key_under_a_passphrase_is_not_asked_for(tmp_path: Path) -> None:
    """It is there, and whose it is can be told."""
    person = Person("alice", tmp_path)
    Keyring.load(person.runtime).install(key_of("alice"), passphrase=b"a long one", overwrite=True)
    found = examined(person.runtime, tmp_path)
    assert "under a passphrase" in of(found, "key", "ok").found


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    """And everything that would lie in it is passed over."""
    (tmp_path / ".alive").write_text("not a folder", encoding="utf-8")
    found = examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert "not a folder" in of(found, "home", "problem").found


# --- what others have left ------------------------------------------------------------------------------------


def test_locks_are_told_and_left_alone(alice: Person, tmp_path: Path) -> None:
    """One that somebody holds, and one that was left by a process that is gone."""
    nova = alice.walnut()
    lock = lock_path(nova, alice.runtime)
    holder = {"pid": os.getpid(), "action": "receive", "since": "2026-04-07T10:15:00Z"}
    place = lock if os.name == "posix" else lock / "holder"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(holder), encoding="utf-8")
    assert f"process {os.getpid()} works in '{nova}'" in of(examined(alice.runtime, tmp_path), "locks", "note").found
    place.write_text(json.dumps({**holder, "pid": (1 << 22) + 1}), encoding="utf-8")  # no system gives this number
    gone = of(examined(alice.runtime, tmp_path), "locks", "note")
    assert gone.mend == f"alive-p2p unlock --walnut {nova}"
    place.write_text(json.dumps({**holder, "pid": 10**40}), encoding="utf-8")
    assert of(examined(alice.runtime, tmp_path), "locks", "ok")


def test_a_registration_that_was_cut_off_stays(alice: Person, tmp_path: Path) -> None:
    """Nothing was made for it yet, and tidying up is for others."""
    folder = alice.runtime.alive_home / "transactions"
    folder.mkdir()
    (folder / "0123456789abcdef.json").write_bytes(b'{"act')
    assert of(examined(alice.runtime, tmp_path), "interrupted", "ok")


# --- the command ----------------------------------------------------------------------------------------------


def test_the_command_ends_with_one_where_there_is_a_problem(alice: Person, program: str) -> None:
    """Else with 0; with `--strict` also notes count."""
    assert "no problem" in alice.types(program, "doctor", code=0).out
    alice.types(program, "doctor", "--strict", code=1)
    _break_preferences(alice)
    said = alice.types(program, "doctor", code=1)
    assert "problem  preferences" in said.out
    assert "try: mend line 2" in said.out
    assert "1 problem" in said.out.splitlines()[-1]


def test_json_is_one_document_with_a_list_of_checks(alice: Person, program: str) -> None:
    """Each with the same five fields."""
    _lose_mailbox(alice)
    told = alice.types(program, "doctor", "--json", code=1).told
    assert set(told) == {"status", "checks"}
    assert told["status"] == "problem"
    for one in told["checks"]:
        assert set(one) == {"name", "level", "found", "meaning", "mend"}
        assert one["level"] in {"ok", "note", "problem"}
        assert isinstance(one["found"], str)
    assert [one["name"] for one in told["checks"] if one["level"] == "problem"] == ["own-relay"]


@needs_posix
def test_what_others_have_written_is_escaped(alice: Person, program: str) -> None:
    """In names of files, in settings, and in the names of packages."""
    _preferences(alice, 'p2p:\n  "\\e[2Jgone\\u202e": 1\n')
    (_keys(alice) / "peers" / "\x1b[2J.pem").write_bytes(b"junk")
    (alice.world / "03_Inbox" / "a\x1b[2J.walnut").write_bytes(b"junk")
    said = alice.types(program, "doctor", code=1)
    assert "\x1b" not in said.out + said.err
    assert "\u202e" not in said.out
    assert "a\\x1b[2J.walnut" in said.out
