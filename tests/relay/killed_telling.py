"""Kills what tells a sender of a package at every durable operation; prints what is wrong after the next pull.

A process of its own with a single thread, so that it can fork: `python killed_telling.py fetch|refuse|decline FOLDER`.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from relay.forging import leave, receipts_of
from relay.killed import at_every_operation, expect
from relay.people import Person
from worlds import Clock

NOTE = "not now"


def told(alice: Person, ben: Person) -> tuple[str, object, object]:
    """What the sender knows of the package in the end: there is one receipt, and no more."""
    receipts = receipts_of(ben, alice)
    expect(f"{len(receipts)} receipts", holds=len(receipts) == 1)
    (known,) = alice.probe().advanced
    return str(known["status"]), known.get("note"), known.get("reason")


def after(what: str, alice: Person, ben: Person) -> None:
    """The next pull tells what was not told yet, and nothing twice."""
    statuses = [one.status for one in ben.pull(only_fetch=what == "fetch")]
    if what == "fetch":
        expect(f"pulled: {statuses}", holds=statuses == ["fetched"])
        expect("it is not told", holds=told(alice, ben) == ("received", None, None))
        expect("it has gone", holds=len(ben.waiting()) == 1)
    elif what == "refuse":
        expect(f"pulled: {statuses}", holds=statuses in (["refused"], ["held"]))
        expect("it is not told", holds=told(alice, ben) == ("refused", None, "broken"))
        expect("it has gone", holds=len(ben.waiting()) == 1)
    else:  # either nobody had begun to decline it, or it is declined
        expect(f"pulled: {statuses}", holds=statuses in ([], ["received"]))
        wanted = ("applied", None, None) if statuses else ("declined", NOTE, None)
        found = told(alice, ben)
        expect(f"told: {found} after {statuses}", holds=found == wanted)
        left = list((ben.relay_folder / "inbox" / "alice").iterdir())
        expect(f"left in the relay: {left}", holds=left == [])


def main(what: str, folder: Path) -> dict[str, object]:
    base = folder / "beginning"
    alice, ben = (Person(name, base, Clock()).set_up() for name in ("alice", "ben"))
    alice.pair(ben)
    if what == "refuse":
        leave(alice, ben, b"junk" * 100)
    else:
        alice.push("ben")

    def acts(_alice: Person, ben: Person, _run: Path) -> Callable[[], object]:
        return {
            "fetch": partial(ben.pull, only_fetch=True),
            "refuse": ben.pull,
            "decline": partial(ben.decline, NOTE),
        }[what]

    return at_every_operation(folder, base, acts, partial(after, what))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
