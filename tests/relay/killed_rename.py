"""Kills a rename of a peer at every durable operation, and then does what the next command does; prints what is wrong.

A process of its own with a single thread, so that it can fork: `python killed_rename.py FOLDER`.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from alive_p2p.keys.keyring import Keyring
from alive_p2p.relay import outbox
from alive_p2p.relay.config import change_config, kept_from, read_config
from alive_p2p.relay.renaming import finish_renaming, rename
from alive_p2p.relay.state import read_state
from alive_p2p.sharing.sent import SentRegister
from relay.killed import at_every_operation, expect, killed_at
from relay.people import Person
from worlds import Clock

KEPT = ("secret/**",)


def after_rename(alice: Person, number: int) -> str:
    """The peer has one name everywhere, which is returned; what is kept from it was never forgotten meanwhile."""
    known = Keyring.load(alice.runtime).peers
    expect(f"what is kept is forgotten: {list(known)}", holds=set(_kept(alice, *known).values()) == {KEPT})
    killed_at(number % 7 + 1, partial(finish_renaming, alice.runtime))
    known = Keyring.load(alice.runtime).peers
    expect(f"and by the repair: {list(known)}", holds=set(_kept(alice, *known).values()) == {KEPT})
    finish_renaming(alice.runtime)
    keyring, config = Keyring.load(alice.runtime), read_config(alice.runtime)
    (name,) = keyring.peers
    expect(f"in relay.json {list(config.peers)}", holds=list(config.peers) == [name])
    expect("it is not over", holds=config.renaming is None)
    expect("it has another folder", holds=config.peers[name].folder == "ben")
    expect(f"warnings: {keyring.warnings}", holds=keyring.warnings == ())
    left = [path.name for path in (keyring.folder / "peers").glob("*.pem")]
    expect(f"keys: {left}", holds=left == [f"{name}.pem"])
    seen = read_state(alice.runtime).raw["peers"]
    expect(f"in state.json {seen}", holds=list(seen) == [name] and seen[name]["undelivered"] == 1)
    expect("in the outbox", holds=[one.peer for one in outbox.waiting(alice.runtime)] == [name])
    expect("in sent.json", holds=[one["peer"] for one in SentRegister.read(alice.runtime).deliveries] == [name])
    if number % 8 == 0:  # opening our key is what costs most
        errors = [one.error for one in outbox.deliver(alice.we, alice.runtime, alice.reach)]
        expect(f"delivering: {errors}", holds=errors == [None])
    return name


def _kept(alice: Person, *names: str) -> dict[str, tuple[str, ...]]:
    return kept_from(alice.runtime, names, exclude_from=())


def main(folder: Path) -> dict[str, object]:
    base = folder / "beginning"
    first, second = (Person(name, base, Clock()).set_up() for name in ("alice", "ben"))
    first.pair(second)
    change_config(first.runtime, lambda now: now.with_peer("ben", {"exclude_patterns": list(KEPT)}))
    first.push("ben")
    first.probe()
    we = first.we
    outbox.queue(first.packed("second.walnut"), we.keyring.peer("ben"), we, first.runtime)
    names: list[str] = []

    def acts(alice: Person, _ben: Person, _run: Path) -> Callable[[], object]:
        return partial(rename, "ben", "benjamin", alice.runtime)

    def after(alice: Person, _ben: Person) -> None:
        names.append(after_rename(alice, len(names) + 1))

    report = at_every_operation(folder, base, acts, after)
    if names != sorted(names) or set(names) != {"ben", "benjamin"}:
        return {**report, "failures": [report["failures"], f"it begins once, and goes on from there: {names}"]}
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
