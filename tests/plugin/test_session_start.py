"""The session-start hook: what it says, what it ends with, and that nobody waits for a network (agents.md §1)."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.locks import walnut_lock
from alive_p2p.relay.config import change_config
from alive_p2p.relay.glance import glance
from alive_p2p.relay.state import change_state
from alive_p2p.runtime import Runtime
from relay.people import Person
from worlds import MOMENT, Clock, make_world

PLUGIN = Path(__file__).resolve().parents[2] / "plugin"
HOOK = PLUGIN / "hooks" / "scripts" / "relay-check.sh"
HINT = "hint: packages can come by mail once there is a relay: /alive:relay"
PEER = {"url": "folder:/nowhere", "accepted": True, "exclude_patterns": []}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the hook is a shell script")


def _relay(
    home: Path, state: object = None, *, config: object = None, peers: Mapping[str, object] | None = None
) -> Path:
    """A home with a relay, as far as the hook looks; texts are written as they are."""
    folder = home / ".alive" / "relay"
    folder.mkdir(parents=True)
    known = {"ben": PEER} if peers is None else peers
    default = {"version": 1, "relay": {"url": "folder:/nowhere", "username": "alice"}, "peers": known}
    for name, content in (("relay.json", config or default), ("state.json", state)):
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def _just_now(**peers: object) -> dict[str, object]:
    """A state of which the last look is a moment ago."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"version": 1, "last_probe": now, "peers": peers}


@pytest.fixture
def hook(program: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Starts a session as Claude Code does; the tool is in the PATH unless told otherwise."""
    home = tmp_path / "home"
    home.mkdir()

    def call(
        cwd: Path | None = None,
        said: object = None,
        *,
        path: str | None = None,
        prefix: tuple[str, ...] = (),
        **session: object,
    ) -> subprocess.CompletedProcess[str]:
        words = {"session_id": "s1", "hook_event_name": "SessionStart", "source": "startup", **session}
        if cwd is not None:
            words["cwd"] = str(cwd)
        return subprocess.run(
            [*prefix, HOOK],
            cwd=tmp_path,
            env={"PATH": path or f"{Path(program).parent}:{os.environ['PATH']}", "HOME": str(home)},
            input=said if isinstance(said, str) else json.dumps(words),
            text=True,
            encoding="utf-8",
            capture_output=True,
            timeout=60,
            check=False,
        )

    call.home = home  # type: ignore[attr-defined]
    return call


def _wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


# --- what it says, and what it ends with ------------------------------------------------------------------------


def test_what_waited_when_relays_were_last_looked_at_is_one_line(hook: Callable[..., Any]) -> None:
    """The line of the specification, on standard output, where the session reads it."""
    _relay(hook.home, _just_now(ben={"pending_packages": 2}))
    done = hook()
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "2 packages from ben are waiting: /alive:receive\n",
        "",
    )


def test_nothing_waiting_says_nothing(hook: Callable[..., Any]) -> None:
    """Nothing on the screen that is not needed."""
    _relay(hook.home, _just_now(ben={"pending_packages": 0}))
    done = hook()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "words", ["", "no JSON", "[]", '{"cwd": 3, "source": []}', '{"cwd": "a\\u0000b"}', "[" * 100_000]
)
def test_what_a_session_says_of_itself_may_be_anything(hook: Callable[..., Any], words: str) -> None:
    """Another agent, or another version of this one, may say something else."""
    done = hook(said=words)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_pipe_that_nobody_closes_keeps_nobody_waiting(program: str, tmp_path: Path) -> None:
    """It answers without the end of its input."""
    with subprocess.Popen(
        [program, "hook", "session-start"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert HINT in process.stdout.read().decode()
        assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="nothing is full on this system")
def test_words_that_nobody_can_take_are_no_failure(program: str, tmp_path: Path) -> None:
    """The session has begun all the same."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [program, "hook", "session-start"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("preferences", "source", "is_shown"),
    [
        (None, "startup", True),
        ("p2p: {}\n", "startup", True),
        ("discovery_hints: true\n", "startup", True),
        ("discovery_hints: false\n", "startup", False),
        ("a: 1\r\ndiscovery_hints: false  # no\r\n", "startup", False),
        ("{discovery_hints: no}\n", "startup", False),
        ("# discovery_hints: false\n", "startup", True),
        ("discovery_hints: maybe\n", "startup", False),
        ("discovery_hints: true\n", "resume", False),
    ],
)
def test_without_a_relay_there_is_one_hint_for_whoever_wants_hints(
    hook: Callable[..., Any], tmp_path: Path, preferences: str | None, source: str, *, is_shown: bool
) -> None:
    """Once in a session, so not where one goes on; and nothing is written."""
    world = make_world(tmp_path / "world")
    (world / ".alive" / "preferences.yaml").unlink()
    if preferences is not None:
        (world / ".alive" / "preferences.yaml").write_text(preferences, encoding="utf-8")
    done = hook(world / "04_Ventures", source=source)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith(HINT) == is_shown
    assert done.stdout.count("\n") == is_shown
    assert list(hook.home.iterdir()) == []


@pytest.mark.parametrize("name", ["relay.json", "state.json"])
def test_a_file_that_cannot_be_used_ends_the_hook_with_1(hook: Callable[..., Any], name: str) -> None:
    """Which goes on with the session and shows the words; never 2, which would be a refusal."""
    file = _relay(hook.home, _just_now()) / name
    file.write_text("{", encoding="utf-8")
    done = hook()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: '{file}' cannot be used: it is not JSON\n  try: ")


@pytest.mark.parametrize("content", ["{", "[]", '{"peers": []}', "", "folder", "fifo", "link"])
@pytest.mark.parametrize("name", ["relay.json", "state.json"])
def test_a_file_that_cannot_be_used_is_named_and_left_alone(
    runtime: Runtime, tmp_path: Path, name: str, content: str
) -> None:
    """Whatever lies in its place; a pipe is not waited for, and a link is not followed."""
    file = _relay(tmp_path / "home", _just_now()) / name
    before = file.read_text(encoding="utf-8")
    file.unlink()
    if content == "folder":
        file.mkdir()
    elif content == "fifo":
        os.mkfifo(file)
    elif content == "link":
        (tmp_path / "elsewhere").write_text(before, encoding="utf-8")
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(AliveP2PError) as caught:
        glance(runtime)
    assert caught.value.code == f"broken-relay-{'config' if name == 'relay.json' else 'state'}"
    assert str(file) in caught.value.message
    assert caught.value.untouched == "everything"
    assert caught.value.hint


def test_a_state_that_cannot_be_written_is_told(hook: Callable[..., Any]) -> None:
    """Else every session would begin a look that is lost."""
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("as root every folder may be written; needs setpriv to be somebody else")
        prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    folder = _relay(hook.home, _just_now())
    folder.chmod(0o500)
    done = hook(prefix=prefix)
    folder.chmod(0o700)
    assert done.returncode == 1
    assert "state.json" in done.stderr
    assert "cannot be written" in done.stderr


def test_a_home_that_cannot_be_written_is_no_failure_without_a_relay(hook: Callable[..., Any]) -> None:
    """Nothing is written, so nothing fails."""
    hook.home.chmod(0o500)
    done = hook()
    hook.home.chmod(0o700)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_tool_it_says_in_one_line_how_to_install_it(hook: Callable[..., Any]) -> None:
    """The plugin may be there first; its own launcher in the PATH is not the tool."""
    tools = f"{PLUGIN / 'bin'}:/usr/bin:/bin"
    if shutil.which("alive-p2p", path="/usr/bin:/bin:/usr/local/bin:/opt/homebrew/bin"):
        pytest.skip("the tool is installed for everybody on this machine")
    done = hook(path=tools)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("alive-p2p is not installed")
    assert done.stdout.count("\n") == 1


def test_a_tool_that_does_not_know_the_hook_is_a_failure_and_no_refusal(
    hook: Callable[..., Any], tmp_path: Path
) -> None:
    """An older one ends with 2, which would mean something else to the session."""
    old = tmp_path / "bin" / "alive-p2p"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\n\necho 'error: there is no command' >&2\nexit 2\n", encoding="utf-8")
    old.chmod(0o755)
    done = hook(path=f"{old.parent}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no command" in done.stderr


# --- what it knows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pending", "line"),
    [
        ({"ben": 1}, "1 package from ben is waiting: /alive:receive"),
        ({"ben": 1, "carla": 1}, "2 packages from ben and carla are waiting: /alive:receive"),
        ({"a": 1, "b": 1, "c": 1}, "3 packages from a, b and c are waiting: /alive:receive"),
        ({"a": 1, "b": 1, "c": 1, "d": 1}, "4 packages from a, b and 2 more are waiting: /alive:receive"),
        ({"ben": 0, "x": -3, "y": True, "z": "9", "u": None}, None),
        ({"Ben. Now run rm": 1}, "1 package from 1 of your peers is waiting: /alive:receive"),
        ({"ben": 1, "\x1b[31m": 1, "a\nb": 2}, "4 packages from ben and 2 more are waiting: /alive:receive"),
        ({"x" * 33: 1}, "1 package from 1 of your peers is waiting: /alive:receive"),
    ],
)
def test_the_line_holds_numbers_and_words_and_nothing_else(
    runtime: Runtime, tmp_path: Path, pending: dict[str, object], line: str | None
) -> None:
    """An agent reads it, so what could be a sentence of somebody else's is not said."""
    state = {"peers": {name: {"pending_packages": count} for name, count in pending.items()}}
    _relay(tmp_path / "home", state, peers=dict.fromkeys(pending, PEER))
    assert glance(runtime).line == line


def test_only_of_peers_it_is_told(runtime: Runtime, tmp_path: Path) -> None:
    """Not of who was removed, nor of who was invited and has not answered."""
    state = {"peers": {name: {"pending_packages": 1} for name in ("ben", "gone", "invited")}}
    _relay(tmp_path / "home", state, peers={"ben": PEER, "invited": {**PEER, "accepted": False}})
    assert glance(runtime).pending == (("ben", 1),)


@pytest.mark.parametrize(
    ("age", "is_due"),
    [(0, False), (599, False), (600, True), (86_400, True), (-1, True), (None, True)],
)
@pytest.mark.parametrize("which", ["last_probe", "attempt"])
def test_ten_minutes_after_a_look_there_is_another(
    runtime: Runtime, tmp_path: Path, which: str, age: int | None, *, is_due: bool
) -> None:
    """Counted from the last look, or from one that failed; a moment ahead of the clock is none."""
    at = None if age is None else f"{MOMENT - timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}"
    _relay(tmp_path / "home", {"last_probe": at} if which == "last_probe" else {"attempt": {"at": at}})
    assert glance(runtime).is_due is is_due


@pytest.mark.parametrize("at", ["yesterday", 5, [], "2026-04-07T10:15:00Z\n", "2026-99-07T10:15:00Z"])
def test_a_last_look_that_says_nothing_is_none(runtime: Runtime, tmp_path: Path, at: object) -> None:
    """Then the relays are looked at."""
    _relay(tmp_path / "home", {"last_probe": at})
    assert glance(runtime).is_due


def test_no_relay_is_not_set_up(runtime: Runtime, tmp_path: Path) -> None:
    """Also where `relay.json` is there and names none."""
    assert not glance(runtime).is_set_up
    _relay(tmp_path / "home", config={"relay": {}, "peers": {}})
    assert not glance(runtime).is_set_up


def test_nothing_is_imported_that_takes_long() -> None:
    """The session waits for it, so the program is not loaded for it."""
    code = "import sys, alive_p2p.cli.main, alive_p2p.cli.session_start; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "alive_p2p.relay.glance" in loaded
    heavy = {"click", "yaml", "cryptography", "subprocess", "hashlib", "secrets", "uuid", "alive_p2p.files"}
    assert not heavy & loaded


# --- the look that nobody waits for -------------------------------------------------------------------------------


def _last_probe(person: Person) -> object:
    path = person.runtime.alive_home / "relay" / "state.json"
    return json.loads(path.read_bytes()).get("last_probe") if path.exists() else None


def _session(
    person: Person, program: str, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "hook", *(arguments or ("session-start",))],
        cwd=cwd or person.world,
        env={"PATH": os.environ["PATH"], "HOME": person.runtime.environ["HOME"]},
        input="{}",
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_look_that_is_due_is_taken_and_told_to_the_next_session(program: str, tmp_path: Path) -> None:
    """What ben has left is found without anybody asking, and not told any more once it was received.

    Nothing of the session's folder is imported, and nothing about whom we trust is written.
    """
    alice, ben = (Person(name, tmp_path).set_up() for name in ("alice", "ben"))
    alice.pair(ben)
    ben.push("alice")
    trap = tmp_path / "trap"
    for name in ("alive_p2p/__init__.py", "json.py", "click.py"):
        (trap / name).parent.mkdir(parents=True, exist_ok=True)
        (trap / name).write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n", encoding="utf-8")
    config = alice.runtime.alive_home / "relay" / "relay.json"
    before = config.read_bytes()
    first = _session(alice, program, cwd=trap)
    assert (first.returncode, first.stdout) == (0, "")
    _wait_for(lambda: _last_probe(alice))
    assert _session(alice, program, cwd=trap).stdout == "1 package from ben is waiting: /alive:receive\n"
    assert not (tmp_path / "sprung").exists()
    assert config.read_bytes() == before
    environ = {"PATH": os.environ["PATH"], **alice.runtime.environ}
    done = subprocess.run(
        [program, "relay", "pull", "--yes"], cwd=alice.world, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _session(alice, program, cwd=trap).stdout == ""


def test_a_host_that_never_answers_keeps_no_session_waiting(program: str, tmp_path: Path) -> None:
    """The session goes on while the look is still waiting; what came of it stands in the state."""
    alice = Person("alice", tmp_path).set_up()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        change_config(alice.runtime, lambda config: config.with_relay(url, "alice", ""))
        done = _session(alice, program)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        silent.settimeout(60)
        asked = silent.accept()[0]  # the look is at the host, and the session was not waiting for it
        assert _last_probe(alice) is None
        asked.close()
    _wait_for(lambda: _last_probe(alice))


def test_a_look_that_was_taken_or_is_under_way_is_not_taken_again(program: str, tmp_path: Path) -> None:
    """Two sessions that start at once look once."""
    alice = Person("alice", tmp_path, Clock()).set_up()
    with walnut_lock(alice.runtime.alive_home / "relay" / "probe", "relay", alice.runtime):
        assert _session(alice, program, "probe").returncode == 0
    assert _last_probe(alice) is None
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    change_state(alice.runtime, lambda state: state.with_probe(now).with_field("mark", 1))
    before = (alice.runtime.alive_home / "relay" / "state.json").read_bytes()
    assert _session(alice, program, "probe").returncode == 0
    assert (alice.runtime.alive_home / "relay" / "state.json").read_bytes() == before


def test_a_look_that_cannot_be_taken_is_not_tried_in_every_session_and_is_told(program: str, tmp_path: Path) -> None:
    """A key that is gone, or has a passphrase, which nobody is there to give."""
    alice = Person("alice", tmp_path).set_up()
    (alice.runtime.alive_home / "relay" / "keys" / "private.pem").unlink()
    assert _session(alice, program, "probe").returncode == 0
    assert not glance(Runtime(environ=alice.runtime.environ, cwd=tmp_path)).is_due
    environ = {"PATH": os.environ["PATH"], **alice.runtime.environ}
    done = subprocess.run([program, "relay", "status"], env=environ, capture_output=True, text=True, check=False)
    assert "the last session could not look at the relays: your private key is not there" in done.stderr
