"""Becoming peers while both are there: what is said over a channel that only the two can use (relay.md §5).

Three turns, each taken by both: a *hello* (who I am and where my relay is, signed with my key for this very meeting), a
*consent* (a person has said yes; this folder of my relay is yours), and *done*. Whoever has both consents pins. A break
before that changes nothing; after it one side may count the other as paired alone, and meeting again puts that right.
What the two end up with is what an invitation and its answer make (`answers.confirm`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alive_p2p.errors import RelayError, UsageError
from alive_p2p.keys.peers import check_name
from alive_p2p.relay import documents
from alive_p2p.relay.answers import Answer, Introduction, introduced, introduction
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.whisper import ANSWER_SECONDS
from alive_p2p.runtime import Runtime
from alive_p2p.text import has_unsafe_character

HELLO = "pairing-hello"
CONSENT = "pairing-consent"
DONE = "pairing-done"
STOP = "pairing-stop"

DONE_SECONDS = 180.0
"""Writing to a relay that others are writing to is tried again for up to two minutes."""

_MOST_LOGIN = 100

_WHY = {
    "declined": "they said no",
    "interrupted": "they stopped it",
    "refused": "their program could not go on, and tells them why",
}


class Channel(Protocol):
    """What the two speak over; every method raises `RelayError`."""

    @property
    def session(self) -> str:
        """What only the two know, and no other meeting has."""

    def send(self, data: bytes) -> None:
        """Say something."""

    def receive(self, seconds: float) -> bytes:
        """What the other says next; an error (`no-answer-in-time`) where nothing comes in this time."""


@dataclass(frozen=True)
class Consent:
    """The other's yes.

    Attributes:
        inbox: our folder in their relay.
        login: who they are at the host of our relay, as they say; None where they do not.
    """

    inbox: str
    login: str | None


class Meeting:
    """One meeting, from our side.

    Args:
        channel: to the other.
        we: who we are.
        runtime: the surroundings.
    """

    def __init__(self, channel: Channel, we: Ourselves, runtime: Runtime) -> None:
        self._channel = channel
        self._we = we
        self._runtime = runtime
        self._other: Introduction | None = None

    def introduce(self) -> Introduction:
        """Say who we are, and hear who the other is.

        Their key has signed what they say for this meeting, so it is theirs and not one that they have seen.

        Raises:
            RelayError: `not-theirs`: it has not; `own-code`: it is ourselves; `bad-document`; or they have stopped.
        """
        hello = introduction(self._we, HELLO, "*", self._runtime) | {"session": self._channel.session}
        self._channel.send(documents.signed(hello, self._we.key))
        said = self._hear(HELLO, ANSWER_SECONDS)
        other = introduced(said)
        if other is None or said.get("session") != self._channel.session:
            raise RelayError(
                "not-theirs",
                "the other side brings a key, and does not show that it is theirs",
                untouched="everything; the key was not used",
                hint="ask them which program they use",
            )
        if other.public.fingerprint == self._we.key.public.fingerprint:
            raise RelayError(
                "own-code", "this is yourself, with your own code", untouched="everything", hint="tell it to your peer"
            )
        self._other = other
        return other

    def consent(self, folder: str, login: str | None, *, seconds: float) -> Consent:
        """Say yes, and wait for theirs.

        Args:
            folder: theirs in our relay.
            login: who we are at the host of their relay, where it has logins.
            seconds: how long to wait: a person is asked there.

        Raises:
            RelayError: they have stopped, do not answer, or do not say what a yes says.
        """
        self._say(CONSENT, {"inbox": folder} | ({"login": login} if login is not None else {}))
        try:
            said = self._hear(CONSENT, seconds)
        except RelayError as error:
            if error.code not in {"they-stopped", "bad-document"}:
                error.untouched = (
                    "everything here; if they have said yes meanwhile, they count you as paired, and running it "
                    "together once more puts that right"
                )
            raise
        inbox, their_login = said.get("inbox"), said.get("login")
        try:
            if not isinstance(inbox, str):
                raise _bad("it names no folder of their relay")
            check_name(inbox)
        except UsageError:
            raise _bad("it names no folder of their relay") from None
        return Consent(inbox, their_login if _can_be_login(their_login) else None)

    def finish(self, *, lets_in: bool) -> None:
        """Say that we have done our part, and wait until they have done theirs.

        Args:
            lets_in: the host of our relay knows of them.

        Raises:
            RelayError: they have stopped, or do not answer.
        """
        self._say(DONE, {"lets_in": lets_in})
        self._hear(DONE, DONE_SECONDS)

    def stop(self, why: str) -> None:
        """Tell the other that we go no further.

        Args:
            why: `declined`, `interrupted`, or `refused`.

        Raises:
            RelayError: that cannot be told any more.
        """
        self._say(STOP, {"why": why})

    def _say(self, kind: str, fields: Mapping[str, Any]) -> None:
        to = self._other.handle if self._other is not None else "*"
        document = {"type": kind, "from": self._we.handle, "to": to, **fields}
        self._channel.send(json.dumps(document, ensure_ascii=False).encode())

    def _hear(self, kind: str, seconds: float) -> documents.Document:
        data = self._channel.receive(seconds)
        try:
            said = documents.read(data, kind)
        except RelayError:
            if (stopped := _stop_in(data)) is not None:
                raise stopped from None
            raise
        if self._other is not None and (said["from"], said["to"]) != (self._other.handle, self._we.handle):
            raise _bad("it is from somebody else, or for somebody else")
        return said


def as_answer(name: str, other: Introduction, consent: Consent) -> Answer:
    """The other, in the form in which answers to invitations are pinned (`answers.confirm`).

    Args:
        name: what we call them.
        other: who they are.
        consent: theirs.
    """
    return Answer(name, other.handle, other.url, consent.inbox, other.public, other.accepts, is_proven=True)


def _can_be_login(text: object) -> bool:
    """Whether somebody can be called so at some host; what the host makes of it is for the host to say."""
    return isinstance(text, str) and 0 < len(text) <= _MOST_LOGIN and not has_unsafe_character(text)


def _stop_in(data: bytes) -> RelayError | None:
    """What is to be said where the other has stopped."""
    try:
        why = documents.read(data, STOP).get("why")
    except RelayError:
        return None
    return RelayError(
        "they-stopped",
        f"the other side has stopped: {_WHY.get(str(why), _WHY['refused'])}",
        untouched="everything",
        hint="begin again with a new code, when you both want to",
    )


def _bad(why: str) -> RelayError:
    return RelayError(
        "bad-document",
        f"what the other side says cannot be used: {why}",
        untouched="everything",
        hint="begin again with a new code; if it stays so, use `alive-p2p relay invite`",
    )
