"""Kills a push, or a pull, at every write to a bucket, and then does what the next command does; prints what is wrong.

A process of its own with a single thread, so that it can fork: `python killed_bucket.py push|pull FOLDER ENDPOINT
PREFIX`, with Alice and Ben at home in the folder. Only its children talk to the bucket; which request is fatal stands
in a file that whoever hands requests on looks at.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from alive_p2p.keys import own
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey
from alive_p2p.relay import outbox
from alive_p2p.sharing.sent import SentRegister
from relay import bucket
from relay.people import Person
from worlds import Clock, ledger_of

MOST = 40


def expect(what: str, *, holds: bool) -> None:
    if not holds:
        raise AssertionError(what)


def keep_keys(*people: Person) -> None:
    """Load everybody's key once, for all children: to load one takes longer than to push."""
    load, known = own.load_private_key, {}

    def loaded(data: bytes, **options: Any) -> PrivateKey:
        if data not in known:
            known[data] = load(data, **options)
        return known[data]

    own.load_private_key = loaded  # type: ignore[assignment]
    for person in people:
        Keyring.load(person.runtime).own()


def in_child(act: Callable[[], object]) -> int:
    """Do something in a child; its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001  (the parent reads it)
            traceback.print_exc()
            os._exit(70)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Story:
    """Alice, who pushes to Ben, who has a relay in a bucket."""

    def __init__(self, base: Path, endpoint: str, prefix: str) -> None:
        self.base = base
        self.fatal = base / "fatal"
        self.place = bucket.address(prefix, endpoint)
        self.environ = {"AWS_ENDPOINT_URL_S3": endpoint, **bucket.ADMIN.environ}
        self.days = 0

    def person(self, name: str) -> Person:
        clock = Clock()
        clock.moment += timedelta(days=self.days)
        place = self.place if name == "ben" else None
        return Person(name, self.base, clock, place=place, environ=self.environ)

    def begin(self) -> None:
        alice, ben = (self.person(name).set_up() for name in ("alice", "ben"))
        alice.pair(ben)
        alice.packed()

    def push(self) -> None:
        self.person("alice").push("ben", self.base / "alice-p.walnut")

    def pull(self) -> None:
        self.person("ben").pull()

    def killed(self, act: Callable[[], object], number: int) -> bool:
        """Do something that is killed after so many writes; whether it came as far."""

        def doomed() -> None:
            self.fatal.write_text(json.dumps({"pid": os.getpid(), "number": number}), encoding="ascii")
            act()

        code = in_child(doomed)
        self.fatal.unlink()
        expect(f"ended with {code}", holds=code in {0, -9})
        return code != 0

    def after_push(self) -> None:
        """The next command delivers it, once, and with its note; then Ben gets it."""
        alice, ben = self.person("alice"), self.person("ben")
        outbox.deliver(alice.we, alice.runtime, alice.reach)
        names = [name for name in ben.relay.list("inbox").entries if name.endswith((".walnut", ".note"))]
        expect(f"there are {names}", holds=len(names) == 2)
        expect("a package without its note", holds=len({name.rpartition(".")[0] for name in names}) == 1)
        expect("something stays in the outbox", holds=outbox.waiting(alice.runtime) == [])
        expect("it is not known as sent", holds=len(SentRegister.read(alice.runtime).deliveries) == self.days + 1)
        statuses = [one.status for one in ben.pull()]
        expect(f"pulled: {statuses}", holds=statuses in (["received"], ["here"]))

    def after_pull(self) -> None:
        """The next pull receives it, or finds it here; it was applied once, and the sender is told so."""
        alice, ben = self.person("alice"), self.person("ben")
        statuses = [one.status for one in ben.pull()]
        expect(f"pulled: {statuses}", holds=statuses in ([], ["received"], ["here"]))
        expect("it was applied twice", holds=len(ledger_of(ben.world / "03_Inbox" / "nova")["imports"]) == 1)  # type: ignore[arg-type]
        left = [name for name in ben.relay.list("inbox").entries if name.endswith(".walnut")]
        expect(f"it is still in the relay: {left}", holds=left == [])
        advanced = {one["deposit"]: one["status"] for one in alice.probe().advanced}
        expect(f"the sender is told {advanced}", holds=set(advanced.values()) == {"applied"})
        self.days += 2  # whatever was left half done is nobody's by then
        ben = self.person("ben")
        ben.pull()
        left = [name for name in ben.relay.list("inbox").entries if not name.endswith("answer.json")]
        expect(f"left over: {left}", holds=left == [])


def main(what: str, base: Path, endpoint: str, prefix: str) -> dict[str, object]:
    story = Story(base, endpoint, prefix)
    keep_keys(story.person("alice"), story.person("ben"))
    expect("the beginning fails", holds=in_child(story.begin) == 0)
    failures, points = [], 0
    for number in range(MOST):  # 0: before the first
        if what == "pull":
            expect("nothing to pull", holds=in_child(story.push) == 0)
        was_killed = story.killed(story.push if what == "push" else story.pull, number)
        if in_child(story.after_push if what == "push" else story.after_pull):
            failures.append(f"at write {number}")
        if not was_killed:
            return {"points": points, "failures": failures}
        points += 1
        story.days += 1 if what == "push" else 3
    return {"points": points, "failures": [*failures, "it does not end"]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])))
