"""`doctor` finds what is wrong, says what mends it, and changes nothing (cli.md, "Commands")."""

import json
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alive_p2p.api import doctor
from alive_p2p.api.doctor import Check, examine, here, machine
from alive_p2p.api.doctor.check import Level
from alive_p2p.keys.keyring import Keyring
from alive_p2p.locks import lock_path
from alive_p2p.relay.config import change_config
from alive_p2p.relay.state import change_state
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.registry import register
from relay.people import Person, key_of
from worlds import make_world

needs_posix = pytest.mark.skipif(os.name != "posix", reason="it is about POSIX permissions, or stands in by a script")


def _everything(folder: Path) -> dict[str, object]:
    """Every path below a folder: what it is, its mode, when it was changed, and what it holds."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(state.st_mode) else None
        found[str(path)] = (state.st_mode, state.st_mtime_ns, content)
    return found


def _examined(runtime: Runtime, folder: Path, seconds: float = 10) -> tuple[Check, ...]:
    """What `doctor` finds; nothing below the folder has changed by it."""
    before = _everything(folder)
    found = examine(runtime, seconds=seconds)
    assert _everything(folder) == before
    assert all(one.meaning is not None for one in found if one.level != "ok")
    return found


def _of(found: tuple[Check, ...], name: str, level: Level) -> Check:
    """The one check of this name and level."""
    (one,) = (one for one in found if one.name == name and one.level == level)
    return one


def _problems(found: tuple[Check, ...]) -> list[Check]:
    return [one for one in found if one.level == "problem"]


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    """Somebody with a world, a mailbox and a peer."""
    alice, ben = Person("alice", tmp_path).set_up(), Person("ben", tmp_path).set_up()
    alice.pair(ben)
    return alice


def _keys(alice: Person) -> Path:
    return Keyring.load(alice.runtime).folder


def _relay_file(alice: Person, name: str) -> Path:
    return alice.runtime.alive_home / "relay" / name


def test_where_all_is_well_there_is_no_problem(alice: Person, tmp_path: Path) -> None:
    """Two people who are paired and reach each other."""
    found = _examined(alice.runtime, tmp_path)
    assert _problems(found) == []
    told = {one.name: one.found for one in found if one.level == "ok"}
    assert told["mailbox"] == "your mailbox answers, and holds your key"
    assert told["peer-relay"] == "1 of 1 answer"
    assert told["sender"] == "you are 'alice'"
    assert key_of("alice").public.pubkey_id in told["key"]


def test_whoever_has_set_up_nothing_has_no_problem(tmp_path: Path) -> None:
    """What is not there yet is a note, and each says what makes it."""
    found = _examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert _problems(found) == []
    assert _of(found, "key", "note").mend == "alive-p2p keys generate"
    assert _of(found, "relay", "note").mend == "alive-p2p relay setup"
    assert "mkdir .alive" in str(_of(found, "world", "note").mend)


def test_a_world_right_below_is_named(tmp_path: Path) -> None:
    """Whoever stands beside their world is told the way in."""
    world = make_world(tmp_path / "my world")
    found = _examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert _of(found, "world", "note").mend == f"cd '{world}'"


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
    (_lose_mailbox, "mailbox", "connect the drive"),
    (_other_key_in_mailbox, "mailbox", "alive-p2p relay setup"),
    (_no_key_in_mailbox, "mailbox", "alive-p2p relay setup"),
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
    found = _examined(alice.runtime, tmp_path)
    assert mend in str(_of(found, name, "problem").mend)
    assert {"python", "git", "locks"} <= {one.name for one in found}
    assert not any("not foreseen" in one.found for one in found)


@needs_posix
def test_what_doctor_says_of_permissions_mends_them(alice: Person, tmp_path: Path) -> None:
    """The command it gives, as it stands."""
    _open_keys(alice)
    _open_folder(alice)
    mend = _of(_examined(alice.runtime, tmp_path), "permissions", "problem").mend
    assert os.system(str(mend)) == 0
    assert _of(_examined(alice.runtime, tmp_path), "permissions", "ok")


def test_what_doctor_says_of_a_mailbox_without_our_key_mends_it(alice: Person, program: str, tmp_path: Path) -> None:
    """`relay setup` as it stands, without saying again where the mailbox is."""
    _other_key_in_mailbox(alice)
    words = str(_of(_examined(alice.runtime, tmp_path), "mailbox", "problem").mend).split()
    alice.types(program, *words[1:], "--yes")
    assert _problems(_examined(alice.runtime, tmp_path)) == []


# --- who we are -----------------------------------------------------------------------------------------------


def _as(alice: Person, **environ: str | None) -> Runtime:
    """The same person with other settings; None takes one away."""
    merged = {**alice.runtime.environ, **environ}
    return replace(alice.runtime, environ={name: value for name, value in merged.items() if value is not None})


def test_a_key_without_a_name_is_a_problem(tmp_path: Path) -> None:
    """What is shared would not be signed, and nobody would see why."""
    person = Person("alice", tmp_path)
    found = _examined(_as(person, GH_USER=None, PATH=str(tmp_path)), tmp_path)
    assert "GH_USER" in str(_of(found, "sender", "problem").mend)


def test_another_name_than_that_of_the_mailbox_is_a_problem(alice: Person, tmp_path: Path) -> None:
    """Peers take nothing from a name that they do not know."""
    assert _of(_examined(_as(alice, GH_USER="alicia"), tmp_path), "sender", "problem").mend == "unset GH_USER"


def test_a_key_under_a_passphrase_is_not_asked_for(tmp_path: Path) -> None:
    """It is there, and whose it is can be told."""
    person = Person("alice", tmp_path)
    Keyring.load(person.runtime).install(key_of("alice"), passphrase=b"a long one", overwrite=True)
    found = _examined(person.runtime, tmp_path)
    assert "under a passphrase" in _of(found, "key", "ok").found


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    """And everything that would lie in it is passed over."""
    (tmp_path / ".alive").write_text("not a folder", encoding="utf-8")
    found = _examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert "not a folder" in _of(found, "home", "problem").found


# --- other programs -------------------------------------------------------------------------------------------


def _script(folder: Path, name: str, text: str) -> str:
    """A program of this name; the PATH that leads to it and to nothing else of the kind."""
    folder.mkdir(exist_ok=True)
    place = folder / name
    place.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    place.chmod(0o755)
    return str(folder)


def test_git_is_needed_where_a_relay_is_a_repository(alice: Person, tmp_path: Path) -> None:
    """Elsewhere its absence is a note."""
    (tmp_path / "empty").mkdir()
    runtime = _as(alice, PATH=str(tmp_path / "empty"))
    assert "git is not installed" in _of(_examined(runtime, tmp_path), "git", "note").found
    change_config(alice.runtime, lambda now: now.with_relay((tmp_path / "r.git").as_uri(), "alice", ""))
    found = _examined(runtime, tmp_path)
    assert "install git" in str(_of(found, "git", "problem").mend)
    assert "git is not installed" in _of(found, "mailbox", "problem").found


@needs_posix
def test_an_old_git_is_named(alice: Person, tmp_path: Path) -> None:
    """With what it has to be."""
    found = _examined(_as(alice, PATH=_script(tmp_path / "bin", "git", "echo git version 2.20.1")), tmp_path)
    assert "git is 2.20" in _of(found, "git", "note").found


@needs_posix
def test_a_login_of_gh_is_found_and_its_token_not_shown(alice: Person, tmp_path: Path) -> None:
    """It is asked for nothing but whether there is one."""
    path = _script(tmp_path / "bin", "gh", '[ "$1 $2" = "auth token" ] && echo gho_SECRET || exit 1')
    found = _examined(_as(alice, PATH=path), tmp_path)
    assert _of(found, "gh", "ok").found == "`gh` is logged in at GitHub"
    assert "SECRET" not in repr(found)


@needs_posix
def test_a_gh_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Also where what it has started goes on."""
    person = Person("alice", tmp_path)
    path = _script(tmp_path / "bin", "gh", "/bin/sleep 4 & exec /bin/sleep 4")
    found = _examined(_as(person, PATH=path, GH_USER=None), tmp_path, seconds=0.2)
    assert "does not answer" in _of(found, "gh", "note").found
    assert _of(found, "sender", "problem")


@needs_posix
def test_a_check_that_does_not_end_ends_by_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is that keeps it; the others follow."""
    monkeypatch.setattr(doctor, "_MORE_SECONDS", 0.0)
    monkeypatch.setattr(machine, "_LIBRARIES", {"click": "click"})  # what loads slowly is not what is meant
    path = _script(tmp_path / "bin", "git", "exec /bin/sleep 2")
    found = _examined(Runtime({"HOME": str(tmp_path), "PATH": path}, tmp_path), tmp_path, seconds=0.5)
    assert "no answer within 0.5 seconds" in _of(found, "git", "problem").found
    assert found[-1].name == "locks"


def test_what_nobody_has_foreseen_stops_no_other_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a problem by itself, with no traceback."""
    monkeypatch.setattr(here, "worlds", lambda _: 1 // 0)
    found = _examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert "not foreseen (ZeroDivisionError)" in _of(found, "world", "problem").found
    assert found[-1].name == "locks"


def test_a_missing_library_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is loaded to see it: half of an installation is none."""
    monkeypatch.setitem(machine._LIBRARIES, "pyrage", "pyrage_that_is_not_here")
    found = _examined(Runtime({"HOME": str(tmp_path)}, tmp_path), tmp_path)
    assert "pyrage" in _of(found, "libraries", "problem").found


@pytest.mark.parametrize(
    ("mark", "command"),
    [("uv-receipt.toml", "uv tool install --force"), ("pipx_metadata.json", "pipx install --force")],
)
def test_what_is_to_be_installed_is_said_in_the_words_of_what_has_installed_us(
    mark: str, command: str, tmp_path: Path
) -> None:
    """Both leave a mark beside their Python; elsewhere it is that Python's own pip."""
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / mark).touch()
    assert machine._installer(str(tmp_path / "with"))[0] == command
    assert "pip" in machine._installer(str(tmp_path))[0]


@pytest.mark.parametrize(("free", "level"), [(10**6, "problem"), (10**8, "note"), (10**11, "ok")])
def test_a_full_disk_is_told(free: int, level: str, runtime: Runtime) -> None:
    """The place where there is least counts."""
    (one,) = machine.disk(runtime, lambda _: free)
    assert one.level == level


def test_a_clock_that_stands_before_the_last_look_is_told(alice: Person, tmp_path: Path) -> None:
    """And one from before this program was written is a problem."""
    change_state(alice.runtime, lambda now: now.with_probe("2031-01-01T00:00:00Z"))
    assert "2031" in str(_of(_examined(alice.runtime, tmp_path), "clock", "note").meaning)
    alice.clock.moment = alice.clock.moment.replace(year=1980)
    assert _of(_examined(alice.runtime, tmp_path), "clock", "problem")


# --- relays ---------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_relays_that_hang_are_waited_for_together_and_not_for_long(alice: Person, silent: int, tmp_path: Path) -> None:
    """Ours is a problem, a peer's is a note."""
    url = f"http://127.0.0.1:{silent}/relay.git"

    change_config(alice.runtime, lambda now: now.with_relay(url, "alice", "").with_peer("ben", {"url": url}))
    found = _examined(alice.runtime, tmp_path, seconds=0.5)
    assert "0.5 seconds" in _of(found, "mailbox", "problem").found
    assert "outbox" in str(_of(found, "peer-relay", "note").meaning)


def test_a_peers_relay_that_is_gone_is_a_note(alice: Person, tmp_path: Path) -> None:
    """What is sent meanwhile waits."""
    shutil.rmtree(tmp_path / "relay-of-ben")
    found = _examined(alice.runtime, tmp_path)
    assert "'ben'" in _of(found, "peer-relay", "note").found
    assert _problems(found) == []


def test_a_password_in_an_address_is_not_shown(alice: Person, tmp_path: Path) -> None:
    """Neither ours nor a peer's, whatever somebody has written into `relay.json`."""
    url = "https://alice:SECRET@example.org/relay.git"
    change_config(alice.runtime, lambda now: now.with_relay(url, "alice", "").with_peer("ben", {"url": url}))
    found = _examined(alice.runtime, tmp_path)
    assert len([one for one in found if one.name == "relay" and one.level == "problem"]) == 2
    assert "SECRET" not in repr(found)


def test_what_waits_is_told(alice: Person, tmp_path: Path) -> None:
    """In the outbox, in our mailbox and in the world's inbox, each with the command that goes on with it."""
    (tmp_path / "relay-of-ben").rename(tmp_path / "away")
    alice.push("ben")
    change_state(alice.runtime, lambda now: now.with_peer("ben", {"pending_packages": 2}))
    shutil.copy(alice.packed("q.walnut"), alice.world / "03_Inbox" / "q.walnut")
    found = _examined(alice.runtime, tmp_path)
    assert _of(found, "outbox", "note").found == "1 still to be sent: to ben"
    assert _of(found, "waiting", "note").mend == "alive-p2p relay pull --peer ben"
    assert _of(found, "inbox", "note").mend == "alive-p2p receive --inbox"


# --- what others have left ------------------------------------------------------------------------------------


def test_locks_are_told_and_left_alone(alice: Person, tmp_path: Path) -> None:
    """One that somebody holds, and one that was left by a process that is gone."""
    nova = alice.walnut()
    lock = lock_path(nova, alice.runtime)
    holder = {"pid": os.getpid(), "action": "receive", "since": "2026-04-07T10:15:00Z"}
    place = lock if os.name == "posix" else lock / "holder"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(holder), encoding="utf-8")
    assert f"process {os.getpid()} works in '{nova}'" in _of(_examined(alice.runtime, tmp_path), "locks", "note").found
    place.write_text(json.dumps({**holder, "pid": (1 << 22) + 1}), encoding="utf-8")  # no system gives this number
    gone = _of(_examined(alice.runtime, tmp_path), "locks", "note")
    assert gone.mend == f"alive-p2p unlock --walnut {nova}"
    place.write_text(json.dumps({**holder, "pid": 10**40}), encoding="utf-8")
    assert _of(_examined(alice.runtime, tmp_path), "locks", "ok")


def test_a_registration_that_was_cut_off_stays(alice: Person, tmp_path: Path) -> None:
    """Nothing was made for it yet, and tidying up is for others."""
    folder = alice.runtime.alive_home / "transactions"
    folder.mkdir()
    (folder / "0123456789abcdef.json").write_bytes(b'{"act')
    assert _of(_examined(alice.runtime, tmp_path), "interrupted", "ok")


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
    assert [one["name"] for one in told["checks"] if one["level"] == "problem"] == ["mailbox"]


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
