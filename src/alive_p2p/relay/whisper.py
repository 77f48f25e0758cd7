"""What two people say to each other so that nobody between them can hear or change it: SPAKE2, and boxes under it.

It is magic-wormhole's protocol, message for message: `pake`, `version`, and then numbered phases, each sealed with a
key of its own that depends on who sends it and as which. Two who know the same code end up with one key; whoever does
not gets one guess, because a wrong one ends the meeting, and with it the code. What carries the messages (`Box`) may
lose, keep, repeat, swap or invent them, and learns their sizes.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from alive_p2p.errors import RelayError, UsageError
from alive_p2p.installer import how_to_install
from alive_p2p.relay.spoken import SpokenCode

if TYPE_CHECKING:
    from spake2 import SPAKE2_Symmetric

APP = "alive-p2p/pair"
"""What tells our meetings at a rendezvous server from those of other programs; part of what the key is made from."""

VERSION = 1
"""Of what is said once the two have met."""

MOST_BYTES = 64 << 10
"""No message needs more: the longest brings a public key and a signature."""

ANSWER_SECONDS = 60.0
"""How long a program may take that has nobody to ask."""

_MOST_PHASES = 8
_PAKE_BYTES = 33
_KEY_BYTES = 32


@dataclass(frozen=True)
class Message:
    """A message in a box: who says it, as what, and its bytes; all of it as the carrier has it."""

    side: str
    phase: str
    body: bytes


class Box(Protocol):
    """Where two leave messages for each other. Every method raises `RelayError`."""

    @property
    def side(self) -> str:
        """What we are called there."""

    def send(self, phase: str, body: bytes) -> None:
        """Leave a message."""

    def receive(self, seconds: float) -> Message | None:
        """The next message, of either side; None where none comes in this time."""

    def release(self) -> None:
        """Nobody else needs to find this place: the two have met."""

    def close(self, mood: str) -> None:
        """Leave; never raises.

        Args:
            mood: `happy`, `lonely` (nobody came), `errory`, or `scary` (the codes differ), for the server's counts.
        """


class Whisper:
    """A channel to whoever knows the same code; made by `meet`.

    Attributes:
        session: a text that only the two know and that no other meeting has; 64 hex digits.
    """

    def __init__(self, box: Box, theirs: str, key: bytes, heard: dict[str, bytes], clock: Callable[[], float]) -> None:
        self._box = box
        self._theirs = theirs
        self._key = key
        self._heard = heard
        self._clock = clock
        self._said = 0
        self._next = 0
        self.session = _derived(key, b"alive-p2p:session").hex()

    def send(self, data: bytes) -> None:
        """Say something. Raises `RelayError`."""
        self._send(str(self._said), data)
        self._said += 1

    def receive(self, seconds: float) -> bytes:
        """What the other says next.

        Args:
            seconds: how long to wait for it.

        Raises:
            RelayError: `no-answer-in-time`: nothing comes; `meeting-disturbed`: something that the other has not said.
        """
        data = self._receive(str(self._next), seconds)
        if data is None:
            raise RelayError(
                "no-answer-in-time",
                "the other side does not answer any more",
                untouched="everything",
                hint="begin again with a new code",
            )
        self._next += 1
        return data

    def _send(self, phase: str, data: bytes) -> None:
        from nacl.secret import SecretBox

        key = _phase_key(self._key, self._box.side, phase)
        self._box.send(phase, bytes(SecretBox(key).encrypt(data)))

    def _receive(self, phase: str, seconds: float) -> bytes | None:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox

        body = _wait(self._box, self._heard, phase, seconds, self._clock, theirs=self._theirs)
        if body is None:
            return None
        try:
            return bytes(SecretBox(_phase_key(self._key, self._theirs, phase)).decrypt(body))
        except (CryptoError, ValueError):
            raise RelayError(
                "meeting-disturbed",
                "what came is not what the other side has said: somebody between you disturbs it",
                untouched="everything",
                hint="meet at another rendezvous server, with `--via URL`",
            ) from None

    def agree_on_version(self) -> None:
        """Show that both know the code, and speak the same version. Raises `RelayError`."""
        self._send("version", json.dumps({"app_versions": {APP: VERSION}}).encode())
        try:
            data = self._receive("version", ANSWER_SECONDS)
        except RelayError as error:
            if error.code != "meeting-disturbed":
                raise
            raise RelayError(
                "wrong-code",
                "the two codes are not the same: one of you has mistyped it, or somebody else was guessing",
                untouched="everything; nothing was told to the other side, and the code is used up",
                hint="begin again with a new code",
            ) from None
        if data is None:
            raise RelayError(
                "no-answer-in-time",
                "the other side came, and said nothing more",
                untouched="everything",
                hint="begin again with a new code",
            )
        if _version_in(data) != VERSION:
            raise RelayError(
                "other-version",
                "the other side's program speaks another version of this",
                untouched="everything",
                hint="update alive-p2p on both sides, or use `alive-p2p relay invite`",
            )


def meet(box: Box, code: SpokenCode, clock: Callable[[], float], *, seconds: float) -> Whisper:
    """Meet whoever knows the same code.

    Args:
        box: where.
        code: what both know.
        clock: seconds that only run forward.
        seconds: how long to wait for them to come.

    Raises:
        RelayError: `nobody-came`; `wrong-code`: they know another one, and neither learns which; `other-version`.
    """
    from spake2 import SPAKE2_Symmetric

    spake = SPAKE2_Symmetric(str(code).encode(), idSymmetric=APP.encode())
    ours = spake.start()
    box.send("pake", json.dumps({"pake_v1": ours.hex()}).encode())
    heard: dict[str, bytes] = {}
    first = _first(box, heard, clock, seconds)
    if first is None:
        raise RelayError("nobody-came", "nobody came", untouched="everything", hint="begin again with a new code")
    box.release()
    whisper = Whisper(box, first.side, _finished(spake, ours, first.body), heard, clock)
    whisper.agree_on_version()
    return whisper


def require_libraries() -> None:
    """Look whether the libraries are there, before anything is asked or made.

    Raises:
        UsageError: `no-pair-extra`.
    """
    try:
        import nacl.secret  # noqa: F401
        import spake2  # noqa: F401
        import websockets.sync.client  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "no-pair-extra",
            "pairing by a spoken code needs libraries that are not installed",
            untouched="everything",
            hint=f"install them with {how_to_install('pair')}; or pair by `alive-p2p relay invite`, which needs none",
        ) from error


def _finished(spake: "SPAKE2_Symmetric", ours: bytes, body: bytes) -> bytes:
    try:
        theirs = bytes.fromhex(json.loads(body)["pake_v1"])
        if len(theirs) != _PAKE_BYTES or theirs[:1] != ours[:1] or theirs == ours:
            raise ValueError("not from another side")
        return bytes(spake.finish(theirs))
    except Exception:  # noqa: BLE001  (the library says in many ways that it is no point on its curve)
        raise RelayError(
            "meeting-disturbed",
            "whoever came does not speak as this program does",
            untouched="everything; the code is used up",
            hint="begin again with a new code, at another rendezvous server if it stays so (`--via URL`)",
        ) from None


def _first(box: Box, heard: dict[str, bytes], clock: Callable[[], float], seconds: float) -> Message | None:
    """The first words of whoever comes first: from then on only that side is listened to."""
    ends = clock() + seconds
    early: list[Message] = []
    while (message := box.receive(ends - clock())) is not None:
        if message.side == box.side:
            continue
        if message.phase != "pake":
            early = [*early, message][-2 * _MOST_PHASES :]  # what was left in the box is not always in order
            continue
        for one in early:
            if one.side == message.side and _is_phase(one.phase):
                heard.setdefault(one.phase, one.body)
        return message
    return None


def _wait(
    box: Box, heard: dict[str, bytes], phase: str, seconds: float, clock: Callable[[], float], *, theirs: str
) -> bytes | None:
    """The message of a phase; the first of each counts, and what cannot be one is not kept."""
    ends = clock() + seconds
    while phase not in heard:
        message = box.receive(ends - clock())
        if message is None:
            return None
        if message.side == theirs and _is_phase(message.phase):
            heard.setdefault(message.phase, message.body)
    return heard[phase]


def _is_phase(phase: str) -> bool:
    return phase == "version" or phase in map(str, range(_MOST_PHASES))


def _version_in(data: bytes) -> Any:  # noqa: ANN401  (what the other side says)
    try:
        return json.loads(data)["app_versions"][APP]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _phase_key(key: bytes, side: str, phase: str) -> bytes:
    by_whom, as_what = (hashlib.sha256(text.encode()).digest() for text in (side, phase))
    return _derived(key, b"wormhole:phase:" + by_whom + as_what)


def _derived(key: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(key)
