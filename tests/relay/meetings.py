"""Two people who meet: a box in memory, and what `pair` does on both sides of it, each side in a thread of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from alive_p2p.errors import RelayError
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.relay import answers, whisper
from alive_p2p.relay.config import read_config
from alive_p2p.relay.meeting import Meeting, as_answer
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.pairing import proposed_name, refuse_name
from alive_p2p.relay.spoken import SpokenCode
from alive_p2p.relay.whisper import Message, Whisper
from relay.people import Person, key_of

CODE = SpokenCode("7", ("crossover", "clockwork"))
SECONDS = 600.0
"""Never passed; see `Place`."""


@dataclass
class Place:
    """What an honest rendezvous server is for two who meet; `twist` makes it another one.

    Time passes only when everybody who is there waits: then nothing can come any more, and one of them gives up.

    Attributes:
        twist: what becomes of each message on its way in.
        messages: all that were left.
    """

    twist: Callable[[Message], list[Message]] = lambda message: [message]
    messages: list[Message] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _present: int = 0
    _waiting: list[int] = field(default_factory=list)

    def meet(self, *acts: Callable[[], Any]) -> list[Any]:
        """Do things at the same time; what each gives, or the error that it ends with."""

        def kept(act: Callable[[], Any]) -> Any:
            try:
                return act()
            except Exception as error:  # noqa: BLE001  (the test looks at it)
                return error
            finally:
                with self._changed:
                    self._present -= 1
                    self._changed.notify_all()

        self._present = len(acts)
        with ThreadPoolExecutor(len(acts)) as pool:
            return [future.result() for future in [pool.submit(kept, act) for act in acts]]

    def leave(self, message: Message) -> None:
        with self._changed:
            self.messages += self.twist(message)
            self._changed.notify_all()

    def wait(self, seen: int) -> Message | None:
        """The message after those that were seen."""

        def is_over() -> bool:
            nothing_left = all(one == len(self.messages) for one in self._waiting)
            return len(self.messages) > seen or (nothing_left and len(self._waiting) >= self._present)

        with self._changed:
            self._waiting.append(seen)
            self._changed.notify_all()
            self._changed.wait_for(is_over)
            self._waiting.remove(seen)
            return self.messages[seen] if len(self.messages) > seen else None


@dataclass
class MemoryBox:
    """The honest twin of `rendezvous.Rendezvous`."""

    place: Place
    side: str
    seen: int = 0

    def send(self, phase: str, body: bytes) -> None:
        self.place.leave(Message(self.side, phase, body))

    def receive(self, seconds: float) -> Message | None:  # noqa: ARG002  (time is the place's)
        message = self.place.wait(self.seen)
        self.seen += message is not None
        return message

    def release(self) -> None:
        pass

    def close(self, mood: str) -> None:
        pass


def whispering(place: Place, side: str, code: SpokenCode = CODE) -> Whisper:
    """One side's channel."""
    return whisper.meet(MemoryBox(place, side), code, monotonic, seconds=SECONDS)


def ours(person: Person) -> Ourselves:
    """Who somebody is, without opening the private key, which takes half a second."""
    config = read_config(person.runtime)
    return Ourselves(person.name, key_of(person.name), Keyring.load(person.runtime), config, person.url)


def become(person: Person, channel: Whisper, name: str | None = None) -> Peer:
    """One side of pairing, as the command does it."""
    we = ours(person)
    meeting = Meeting(channel, we, person.runtime)
    try:
        other = meeting.introduce()
        called = name or proposed_name(other.handle, other.public, we)
        refuse_name(called, other.public, we)
        folder = we.config.peers[called].folder if called in we.config.peers else called
        consent = meeting.consent(folder, None, seconds=SECONDS)
        peer = answers.confirm(as_answer(called, other, consent), we, person.relay, person.runtime)
    except Exception:
        meeting.stop("refused")
        raise
    with suppress(RelayError):  # told as a warning
        meeting.finish(lets_in=False)
    return peer


def pair(one: Person, two: Person, place: Place | None = None, **names: str) -> list[Any]:
    """Both sides; the peer that each has, or the error that each ends with."""
    where = place or Place()
    return where.meet(
        lambda: become(one, whispering(where, "aa"), names.get(one.name)),
        lambda: become(two, whispering(where, "bb"), names.get(two.name)),
    )
