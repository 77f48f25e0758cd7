"""Meeting at a rendezvous server: a real one, and ones that are hostile (relay.md §5)."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from alive_p2p.errors import RelayError, UsageError
from alive_p2p.relay import rendezvous, whisper
from alive_p2p.relay.rendezvous import Rendezvous, at_server, refuse_bad_server
from alive_p2p.relay.spoken import SpokenCode, new_code, read_code
from alive_p2p.relay.whisper import APP, Message, Whisper
from alive_p2p.runtime import Runtime
from relay.rendezvous_server import real_server

for _library in ("spake2", "nacl", "websockets"):
    pytest.importorskip(_library, reason="the extra [pair] is not installed")

SAYS = [b"one", b"\x00\xff" * 900, b"three"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real rendezvous server."""
    with real_server() as address:
        yield address


def runtime() -> Runtime:
    return Runtime(environ={}, cwd=Path())


def met(box: Rendezvous, code: SpokenCode, seconds: float = 20) -> Whisper:
    return whisper.meet(box, code, monotonic, seconds=seconds)


def said_and_heard(channel: Whisper) -> list[bytes]:
    for data in SAYS:
        channel.send(data)
    return [channel.receive(20) for _ in SAYS]


# --- a real server -------------------------------------------------------------------------------------------


def test_two_meet_at_a_real_server(server: str) -> None:
    """Both hear what the other says; a third who comes to the same place is not let in, and does not disturb them."""
    with (
        at_server(server, runtime()) as one,
        at_server(server, runtime()) as two,
        at_server(server, runtime()) as three,
    ):
        code = new_code(one.allocate())
        one.claim(code.number)
        two.claim(code.number)
        with pytest.raises(RelayError, match="already"):
            three.claim(code.number)
        heard: list[Any] = []
        thread = threading.Thread(target=lambda: heard.append(said_and_heard(met(one, code))))
        thread.start()
        heard.append(said_and_heard(met(two, code)))
        thread.join()
        assert heard == [SAYS, SAYS]
        for box in (one, two):
            box.close("happy")


def test_a_wrong_code_ends_it_at_a_real_server(server: str) -> None:
    """For both, with one message each that tells nothing."""
    with at_server(server, runtime()) as one, at_server(server, runtime()) as two:
        code = new_code(one.allocate())
        one.claim(code.number)
        two.claim(code.number)
        problems: list[str] = []

        def meet(box: Rendezvous, words: tuple[str, str]) -> None:
            with pytest.raises(RelayError) as caught:
                met(box, SpokenCode(code.number, words))
            problems.append(caught.value.code)

        thread = threading.Thread(target=meet, args=(one, ("crossover", "clockwork")))
        thread.start()
        meet(two, ("crossover", "zulu"))
        thread.join()
        assert problems == ["wrong-code", "wrong-code"]


@pytest.mark.parametrize("who_is_first", ["we", "they"])
def test_it_is_magic_wormholes_protocol(who_is_first: str, server: str) -> None:
    """Somebody with that project's own library and our program's name understands us, and we them."""
    if find_spec("wormhole") is None:
        pytest.skip("magic-wormhole is not installed; `pip install magic-wormhole` brings it")
    client = [sys.executable, str(Path(__file__).with_name("wormhole_client.py")), server, APP]
    with at_server(server, runtime()) as box:
        code = new_code(box.allocate()) if who_is_first == "we" else None
        if code is not None:
            client.append(str(code))
        with subprocess.Popen(client, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            code = code or read_code(process.stdout.readline())
            box.claim(code.number)
            assert said_and_heard(met(box, code)) == SAYS
            box.close("happy")
            theirs = json.loads(process.stdout.read().splitlines()[-1])
    assert [bytes.fromhex(one) for one in theirs["heard"]] == SAYS
    assert theirs["versions"] == {APP: 1}


# --- hostile servers -----------------------------------------------------------------------------------------


@contextmanager
def serving(act: Callable[[Any], None], **options: Any) -> Iterator[str]:
    """A server that does something with whoever comes; its address."""
    from websockets.sync.server import serve

    def quietly(connection: Any) -> None:
        with suppress(Exception):  # whoever was there has gone
            act(connection)

    with serve(quietly, "127.0.0.1", 0, compression=None, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1"
        server.shutdown()
        thread.join()


def _says(*messages: object) -> Callable[[Any], None]:
    """Says these things, whatever it is told, and then listens without a word."""

    def act(connection: Any) -> None:
        for message in messages:
            connection.send(message if isinstance(message, str | bytes) else json.dumps(message))
        for _ in connection:
            pass

    return act


_WELCOME = {"type": "welcome", "welcome": {"motd": "\x1b[31mbuy something\x07"}}
_NUMBER = {"type": "allocated", "nameplate": "7"}
_PLACE = {"type": "claimed", "mailbox": "abc"}
_LEFT = {"type": "message", "side": "them", "phase": "pake", "body": "00"}

_HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "says nothing": (_says(), "rendezvous-slow"),
    "says nothing more": (_says(_WELCOME), "rendezvous-slow"),
    "lets nobody in": (_says({"type": "welcome", "welcome": {"error": "go\x1b[2J away"}}), "rendezvous-refused"),
    "welcomes oddly": (_says({"type": "welcome", "welcome": 7}), "rendezvous-slow"),
    "no JSON": (_says("{"), "rendezvous-nonsense"),
    "bytes": (_says(b"\xff\xfe\x00"), "rendezvous-nonsense"),
    "a list": (_says([]), "rendezvous-nonsense"),
    "too deep": (_says("[" * 100_000), "rendezvous-nonsense"),
    "too large": (_says('"' + "x" * 5_000_000 + '"'), "rendezvous-lost"),
    "hangs up": (lambda connection: connection.close(), "rendezvous-lost"),
    "a flood": (_says(_WELCOME, *[{"type": "ack"}] * 500), "rendezvous-slow"),
    "an error": (_says(_WELCOME, {"type": "error", "error": {"a": ["\x1b[31m"]}}), "rendezvous-refused"),
    "a number that is none": (_says(_WELCOME, {"type": "allocated", "nameplate": "7; rm"}), "rendezvous-nonsense"),
    "a number that is a list": (_says(_WELCOME, {"type": "allocated", "nameplate": [7]}), "rendezvous-nonsense"),
    "a place that is none": (_says(_WELCOME, _NUMBER, {"type": "claimed", "mailbox": "a\nb"}), "rendezvous-nonsense"),
    "full": (_says(_WELCOME, _NUMBER, {"type": "error", "error": "crowded"}), "rendezvous-crowded"),
    "no words": (_says(_WELCOME, _NUMBER, _PLACE, _LEFT), "meeting-disturbed"),
    "a word twice": (_says(_WELCOME, _NUMBER, _PLACE, _LEFT, _LEFT), "meeting-disturbed"),
    "odd words": (
        _says(
            _WELCOME,
            _NUMBER,
            _PLACE,
            {**_LEFT, "body": "zz"},
            {**_LEFT, "body": 7},
            {**_LEFT, "side": "\ud800"},
            {**_LEFT, "side": None},
            {**_LEFT, "phase": "\n"},
            {**_LEFT, "phase": "0"},
            {**_LEFT, "body": "00" * 70_000},
        ),
        "nobody-came",
    ),
}


def _meet_at(address: str) -> None:
    with at_server(address, runtime()) as box:
        spoken = new_code(box.allocate())
        box.claim(spoken.number)
        met(box, spoken, seconds=0.3)


@pytest.mark.parametrize("what", _HOSTILE)
def test_a_hostile_server_can_only_refuse(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it says or does not say, it ends soon and with an error of ours, without its codes for terminals."""
    monkeypatch.setattr(rendezvous, "_ANSWER_SECONDS", 0.3)
    act, code = _HOSTILE[what]
    with serving(act) as address, pytest.raises(RelayError) as caught:
        _meet_at(address)
    assert caught.value.code == code
    assert caught.value.untouched
    assert "\x1b" not in f"{caught.value}"


def test_a_hostile_server_cannot_send_us_elsewhere() -> None:
    """A redirect is no answer: only the server that was named is asked."""
    came: list[object] = []

    def redirect(connection: Any, request: Any) -> Any:
        response = connection.respond(302, "")
        response.headers["Location"] = elsewhere
        return response

    def refused(address: str) -> RelayError:
        with pytest.raises(RelayError) as caught, at_server(address, runtime()):
            pass
        return caught.value

    with serving(came.append) as elsewhere, serving(came.append, process_request=redirect) as address:
        error = refused(address)
    assert (error.code, came) == ("rendezvous-unreachable", [])
    assert "302" in error.message
    assert refused(address).code == "rendezvous-unreachable"  # nobody listens there any more


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org",
        "example.org:4000",
        "ws://",
        "ws://user:secret@example.org/v1",
        "ws://exa mple.org/",
        "ws://example.org:99999/",
        "ws://example.org/\x1b[31m",
        "ws://exämple.org/",
        "wss://example.org/v1#x",
        "file:///etc/passwd",
        "",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(UsageError) as caught:
        refuse_bad_server(address)
    assert caught.value.code == "bad-rendezvous"
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("address", [rendezvous.PUBLIC, "wss://example.org/v1", "ws://[::1]:4000/v1", "ws://127.0.0.1"])
def test_what_is_an_address_is_taken(address: str) -> None:
    """With and without TLS: what is said is sealed from the server itself."""
    refuse_bad_server(address)


def test_a_message_of_a_hostile_size_is_not_kept() -> None:
    """Nor one whose name is longer than any phase's."""
    body = {"type": "message", "side": "a", "phase": "0", "body": "00"}
    assert rendezvous._message_in(body) == Message("a", "0", b"\x00")
    assert rendezvous._message_in({**body, "phase": "x" * 101}) is None
    assert rendezvous._message_in({**body, "body": "00" * (whisper.MOST_BYTES + 1)}) is None
