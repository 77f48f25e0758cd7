"""Kills a push, a pull, a rotation or pairing at every durable operation, and then does what the next command does.

Prints what is wrong. A process of its own with a single thread, so that it can fork: `python killed.py
push|pull|rotate|pair FOLDER`.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from alive_p2p import files
from alive_p2p.keys.keyring import Keyring
from alive_p2p.relay import answers, outbox, own_relay, rotating
from alive_p2p.relay.config import read_config
from alive_p2p.relay.meeting import Consent, as_answer
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.sharing.sent import SentRegister
from alive_p2p.transactions.recovery import settle
from relay.people import Person, key_of
from worlds import Clock, ledger_of, tree_of

MOST = 400
LONG = 40_000
"""Days: a moment later than anything on this disk, whose files have the real time."""


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Do something in a child that is killed at this operation; whether it came that far."""
    child = os.fork()
    if child == 0:
        count = 0

        def watcher(_operation: str, _paths: tuple[Path, ...]) -> None:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

        files.watch(watcher)
        try:
            act()
        except BaseException:  # noqa: BLE001  (the parent reads it)
            import traceback

            traceback.print_exc()
            os._exit(70)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise AssertionError(f"ended with {code}")
    return code != 0


def expect(what: str, *, holds: bool) -> None:
    if not holds:
        raise AssertionError(what)


def after_push(alice: Person, ben: Person) -> None:
    """What was in the outbox is delivered by the next command, once; what was not made ready is gone, or will be."""
    outbox.deliver(alice.we, alice.runtime, alice.reach)
    deposits = sorted((ben.relay_folder / "inbox").glob("*/*.walnut"))
    expect(f"delivered {len(deposits)} times", holds=len(deposits) <= 1)
    expect("a package without its note", holds=all(path.with_suffix(".note").exists() for path in deposits))
    known = SentRegister.read(alice.runtime).deliveries
    expect(f"{len(deposits)} delivered, {len(known)} known", holds=len(known) == len(deposits))
    expect("something stays in the outbox", holds=outbox.waiting(alice.runtime) == [])
    if deposits:
        statuses = [one.status for one in ben.pull()]
        expect(f"pulled: {statuses}", holds=statuses == ["received"])
    alice.clock.moment += timedelta(days=LONG)  # whatever is in the outbox is old by then
    alice.push("ben")
    left = list(outbox.folder_of(alice.runtime).iterdir())
    expect(f"left in the outbox: {left}", holds=left == [])


def after_pull(alice: Person, ben: Person) -> None:
    """The next pull receives it, or finds it here; it was applied once, and the sender is told so once."""
    settle(ben.runtime)
    statuses = [one.status for one in ben.pull()]
    expect(f"pulled: {statuses}", holds=statuses in ([], ["received"], ["here"]))
    walnut = ben.world / "03_Inbox" / "nova"
    expect("it is not here", holds=(walnut / "notes.md").exists())
    expect("it was applied twice", holds=len(ledger_of(walnut)["imports"]) == 1)  # type: ignore[arg-type]
    expect("it is still in the relay", holds=list((ben.relay_folder / "inbox").glob("*/*.walnut")) == [])
    expect(
        "it has no receipt, or two", holds=len(list((ben.relay_folder / "receipts" / "alice").glob("*.sealed"))) == 1
    )
    expect("the sender is not told", holds=[one["status"] for one in alice.probe().advanced] == ["applied"])
    ben.clock.moment += timedelta(days=LONG)  # whatever was left half done is nobody's by then
    alice.push("ben")
    ben.pull()
    expect("a note is still in the relay", holds=list((ben.relay_folder / "inbox").glob("*/*")) == [])
    left = [path for path in ben.base.rglob(".alive-*") if path.name != ".alive-relay"]
    expect(f"left over: {left}", holds=left == [])


def after_rotate(alice: Person, ben: Person) -> None:
    """Setting up finishes what was begun: either the old key counts, or the new one does and the peer is led to it."""
    known = ben.we.keyring.peer("alice").public
    own_relay.setup(alice.url, alice.runtime, alice.reach)
    has_rotated = alice.we.key.public != known
    expect("the peer is led elsewhere", holds=ben.follow("alice") == has_rotated)
    expect("the peer has another key", holds=ben.we.keyring.peer("alice").public == alice.we.key.public)
    expect("it is not finished", holds=not own_relay.setup(alice.url, alice.runtime, alice.reach).made)
    problems = [one.problem for one in alice.waiting()]
    expect(f"what was under way: {problems}", holds=problems == [None])
    alice.push("ben")
    problems = [one.problem for one in ben.waiting()]
    expect(f"what the key that counts has signed: {problems}", holds=problems == [None])


def pin(alice: Person, ben: Person) -> None:
    """What pairing does on one side once both have said yes."""
    config = read_config(alice.runtime)
    we = Ourselves("alice", key_of("alice"), Keyring.load(alice.runtime), config, alice.url)
    other = answers.Introduction("ben", ben.url, key_of("ben").public, ("age", "rsa"))
    answers.confirm(as_answer("ben", other, Consent("alice", None)), we, alice.relay, alice.runtime)


def after_pair(alice: Person, ben: Person) -> None:
    """Doing it again makes what was never interrupted makes, and once more changes nothing."""
    pin(alice, ben)
    peer, known = Keyring.load(alice.runtime).peers["ben"], read_config(alice.runtime).peers["ben"]
    expect("the key is not pinned", holds=(peer.public, peer.status) == (key_of("ben").public, "paired"))
    expect("they are not paired", holds=(known.is_accepted, known.url, known.inbox) == (True, ben.url, "alice"))
    expect("it has no date", holds=bool(known.added_at))
    copy = alice.relay_folder / "keys" / "peers" / "ben.pem"
    expect("the relay does not have the key", holds=copy.read_bytes() == peer.public.pem())
    before = tree_of(alice.base)
    pin(alice, ben)
    expect("doing it again changes something", holds=tree_of(alice.base) == before)


AFTER = {"push": after_push, "pull": after_pull, "rotate": after_rotate, "pair": after_pair}


def at_every_operation(
    folder: Path,
    base: Path,
    act_of: Callable[[Person, Person, Path], Callable[[], object]],
    after: Callable[[Person, Person], None],
) -> dict[str, object]:
    """Do something from the same beginning again and again, killed one operation later each time.

    Args:
        folder: where there is room.
        base: the beginning: a folder with Alice, Ben and their relays.
        act_of: what is done, by both and the folder that they are in then.
        after: what is done then, and has to hold.
    """
    failures: list[str] = []
    for number in range(1, MOST):
        run = folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(base, run)
        for path in run.rglob("relay.json"):
            path.write_bytes(path.read_bytes().replace(os.fsencode(base), os.fsencode(run)))
        alice, ben = (Person.at(name, run) for name in ("alice", "ben"))
        if not killed_at(number, act_of(alice, ben, run)):
            return {"points": number - 1, "failures": failures}
        try:
            after(alice, ben)
        except Exception as error:  # noqa: BLE001  (told by the test)
            failures.append(f"at operation {number}: {type(error).__name__}: {error}")
    return {"points": MOST, "failures": [*failures, "it does not end"]}


def main(what: str, folder: Path) -> dict[str, object]:
    base = folder / "beginning"
    first, second = (Person(name, base, Clock()).set_up() for name in ("alice", "ben"))
    package = first.packed()
    if what != "pair":
        first.pair(second)
    if what == "pull":
        first.push("ben", package)
    if what == "rotate":
        second.push("alice")
        new = key_of("new")
        rotating.generate_private_key = lambda: new

    def acts(alice: Person, ben: Person, run: Path) -> Callable[[], object]:
        return {
            "push": partial(alice.push, "ben", run / package.name),
            "pull": ben.pull,
            "rotate": alice.rotate,
            "pair": partial(pin, alice, ben),
        }[what]

    return at_every_operation(folder, base, acts, AFTER[what])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
