"""People with a home, a world and a relay each, for tests below the command line.

Their keys are made once for a test session: making one takes a second.
"""

import json
import os
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.keys.private import PrivateKey, generate_private_key
from alive_p2p.keys.public import PublicKey
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.relay import collecting, following, outbox, pairing, peers, probe, pulling, rotating, settling
from alive_p2p.relay.code import Code
from alive_p2p.relay.collecting import Quota, Waiting
from alive_p2p.relay.ourselves import Ourselves, ourselves
from alive_p2p.relay.outbox import Delivered
from alive_p2p.relay.own_relay import setup
from alive_p2p.relay.peers import Confirmed
from alive_p2p.relay.probe import Probe
from alive_p2p.relay.pulling import Pulled, Pulling
from alive_p2p.relay.reach import folder_address, reach
from alive_p2p.relay.rotation import Succession
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports.base import Transport
from alive_p2p.runtime import Runtime
from worlds import NOVA, Clock, make_world, pack, plant

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def key_of(_name: str) -> PrivateKey:
    """A key for everybody of this name in this session."""
    return generate_private_key()


@dataclass
class Person:
    """Somebody, and what they can do with relays; `reach` may be replaced to disturb them.

    Their relay lies in a folder, or at `place`; `environ` is what they have set besides.
    """

    name: str
    base: Path
    clock: Clock = field(default_factory=Clock)
    place: str | None = None
    environ: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        home = self.base / self.name
        is_new = not home.exists()
        home.mkdir(parents=True, exist_ok=True)
        environ = {"HOME": str(home), "GH_USER": self.name, **self.environ}
        self.world = make_world(home / "world") if is_new else home / "world"
        self.runtime = Runtime(environ=environ, cwd=self.world, clock=self.clock)
        self.relay_folder = self.base / f"relay-of-{self.name}"
        self.reach: Callable[[str], Transport] = lambda url: reach(url, self.runtime)
        if is_new:
            Keyring.load(self.runtime).install(key_of(self.name))

    @classmethod
    def at(cls, name: str, base: Path) -> "Person":
        """Somebody who is there already."""
        return cls(name, base, Clock())

    @property
    def url(self) -> str:
        return self.place or folder_address(self.relay_folder, self.runtime)

    @property
    def we(self) -> Ourselves:
        return ourselves(self.runtime)

    @property
    def relay(self) -> Transport:
        return self.reach(self.url)

    def set_up(self) -> "Person":
        if self.place is None:
            self.relay_folder.mkdir(exist_ok=True)
        setup(self.url, self.runtime, self.reach)
        return self

    def invite(self, name: str) -> Code:
        return pairing.invite(name, self.runtime)

    def accept(self, code: Code, **options: Any) -> Peer:
        return pairing.accept(code, self.runtime, self.reach, **options)

    def confirm(self) -> list[Confirmed]:
        relay = self.relay
        return peers.confirm_proven(self.we, relay, relay.list(), self.runtime)[0]

    def pair(self, other: "Person") -> None:
        """Become peers, each under their own name."""
        other.accept(self.invite(other.name))
        self.confirm()

    def walnut(self, tree: dict[str, bytes] = NOVA) -> Path:
        place = self.world / "04_Ventures" / "nova"
        return place if place.exists() else plant(place, tree)

    def packed(self, name: str = "p.walnut", **options: Any) -> Path:
        output = self.base / f"{self.name}-{name}"
        return pack(self.walnut(), output, self.runtime, **{"sender": self.name, **options})

    def push(self, to: str, package: Path | None = None) -> list[Delivered]:
        we = self.we
        outbox.queue(package or self.packed(), we.keyring.peer(to), we, self.runtime)
        return outbox.deliver(we, self.runtime, self.reach)

    def rotate(self, **options: Any) -> PublicKey:
        """Take a new key, and publish it."""
        public = rotating.rotate(self.we, self.runtime, **options)
        setup(self.url, self.runtime, self.reach)
        return public

    def succession(self, name: str) -> Succession | None:
        """Where the pinned key of a peer leads, by what lies in their relay."""
        relay = self.reach(str(self.we.config.peers[name].url))
        return following.look(self.we.keyring.peer(name), read_state(self.runtime), relay, relay.list())

    def follow(self, name: str) -> bool:
        """Pin the successor of a peer's key, as if a person had said yes; whether there is one."""
        found = following.successor(self.we.keyring.peer(name), self.succession(name))
        if found is not None:
            following.follow(found, self.runtime)
        return found is not None

    def waiting(self, **options: Any) -> list[Waiting]:
        relay, we = self.relay, self.we
        seen = settling.seen_before(we, self.runtime)
        return collecting.waiting(we, relay, relay.list(), **{"seen": seen, **options})

    def pull(self, names: list[str] | None = None, quota: Quota | None = None, **options: Any) -> list[Pulled]:
        relay, we = self.relay, self.we
        listing = settling.tidy(we, relay, relay.list(), self.runtime)
        seen = settling.seen_before(we, self.runtime)
        found = collecting.waiting(we, relay, listing, names=names, quota=quota, seen=seen)
        how = Pulling(self.world / "03_Inbox", **{"request": ReceiveRequest(Path()), **options})
        return list(pulling.pull(found, how, we, relay, listing, self.runtime).packages)

    def decline(self, note: str | None = None) -> bool:
        """Decline the one package that waits; whether anybody is told."""
        relay = self.relay
        (one,) = self.waiting()
        return settling.decline(one, note, self.we, relay, relay.list(), self.runtime)

    def probe(self, **options: Any) -> Probe:
        return probe.probe(self.we, self.runtime, self.reach, **options)

    def types(self, program: str, *arguments: str, code: int | None = 0, data: str = "") -> "Typed":
        """Run the installed program as this person, in their world; it has to end with `code`, None lets it."""
        done = subprocess.run(
            [program, *arguments],
            cwd=self.world,
            env={"PATH": os.environ["PATH"], **self.runtime.environ},
            input=data.encode(),
            capture_output=True,
            check=False,
            timeout=120,
        )
        typed = Typed(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in typed.err
        assert code in (None, typed.code), f"{arguments} ended with {typed.code}: {typed.err}{typed.out}"
        return typed


@dataclass(frozen=True)
class Typed:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """What it printed with `--json`."""
        return json.loads(self.out)
