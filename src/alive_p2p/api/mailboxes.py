"""Our relay as it was when it was looked at, and a package in it that is received as planned (agents.md §2)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.api.two_steps import PlannedReceive, refuse_other_plan
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.receiving.inbox import inbox_of
from alive_p2p.receiving.plan import ReceiveResult
from alive_p2p.relay import compacting, pulling, settling
from alive_p2p.relay.collecting import MOST_BYTES, MOST_FILES, Quota, Waiting, waiting
from alive_p2p.relay.config import read_config
from alive_p2p.relay.ourselves import Ourselves, ourselves
from alive_p2p.relay.pulling import Pull, Pulled, Pulling
from alive_p2p.relay.reach import reach
from alive_p2p.relay.transports.base import Listing, Progress, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.walnut.preferences import load_preferences


@dataclass(frozen=True)
class Received:
    """What came of a package that waited in our relay; `warning` says what of it could not be done afterwards."""

    result: ReceiveResult
    file: Path | None
    warning: str | None


@dataclass(frozen=True)
class Mailbox:
    """Our relay, as it was when it was looked at; `runtime` is in the world whose inbox is fetched into."""

    we: Ourselves
    relay: Transport
    listing: Listing
    quota: Quota
    runtime: Runtime

    def waiting(self, peers: Collection[str] | None = None, names: Collection[str] = ()) -> list[Waiting]:
        """What waits from these peers, or all, and of these names, or any. Raises `AliveP2PError`."""
        seen = settling.seen_before(self.we, self.runtime)
        return waiting(self.we, self.relay, self.listing, peers=peers, names=names or None, quota=self.quota, seen=seen)

    def pull(self, picked: Sequence[Waiting], how: Pulling) -> Pull:
        """Fetch, and where `how` says so receive, what was picked. Raises `AliveP2PError`."""
        found = pulling.pull(picked, how, self.we, self.relay, self.listing, self.runtime)
        pulling.note_waiting(self.listing, pulling.taken(found.packages), self.we, self.runtime)
        return found


def open_mailbox(we: Ourselves, reached: Callable[[str], Transport], world: Path, runtime: Runtime) -> Mailbox:
    """Look at our relay.

    Args:
        we: whose.
        reached: makes the transport of an address.
        world: whose inbox is fetched into.
        runtime: the surroundings.

    Raises:
        AliveP2PError: it cannot be read.
    """
    relay = reached(we.url)
    preferences = load_preferences(world)
    quota = Quota(preferences.inbox_files or MOST_FILES, preferences.inbox_bytes or MOST_BYTES)
    return Mailbox(we, relay, relay.list(), quota, replace(runtime, cwd=world))


def find_deposit(package: Path, world: Path, runtime: Runtime) -> str | None:
    """The name in our relay of a package that was fetched from it; None where it did not come that way.

    Raises:
        AliveP2PError: the relay, or the file, cannot be read.
    """
    inbox = Path(inbox_of(world).resolve())
    if package.parent.parent != inbox or read_config(runtime).url is None:
        return None
    with files.translating("read", package):
        sha256, _ = files.hash_file(package)
    for one in _opened(world, runtime).waiting():
        if one.problem is None and one.note is not None and one.note.file_sha256 == sha256:
            return one.deposit.name
    return None


def receive_deposit(
    deposit: str, planned: PlannedReceive, world: Path, runtime: Runtime, progress: Progress | None = None
) -> Received:
    """Receive a package that was fetched, exactly as planned; then remove it from our relay, with a receipt.

    Args:
        deposit: its name in our relay.
        planned: what somebody has looked at.
        world: whose inbox it was fetched into.
        runtime: the surroundings.
        progress: called with bytes done and bytes in all.

    Raises:
        AliveP2PError: it cannot be received, or is not as it was; it stays in the relay.
    """
    mailbox = _opened(world, runtime)
    picked = pulling.chosen(mailbox.waiting(names=[deposit]), [deposit])
    how = Pulling(
        inbox_of(world),
        planned.request,
        lambda plan: refuse_other_plan(planned, plan),
        limit=mailbox.quota.most_bytes,
        progress=progress,
    )
    (done,) = mailbox.pull(picked, how).packages
    if done.result is None:
        raise done.failure or RelayError(
            "held",
            done.error or "it is not received by itself",
            untouched="everything; it is still in the relay",
            hint="run `alive-p2p relay pull` in a terminal, and decide",
        )
    return Received(done.result, done.file, done.error or _count(done, mailbox.relay, runtime))


def _opened(world: Path, runtime: Runtime) -> Mailbox:
    return open_mailbox(ourselves(runtime), lambda url: reach(url, runtime), world, runtime)


def _count(done: Pulled, relay: Transport, runtime: Runtime) -> str | None:
    """Count what was received, so that the relay's past is folded in time."""
    try:
        size = done.file.stat().st_size if done.file is not None else 0
        compacting.count(size, relay, runtime)
    except (AliveP2PError, OSError):
        return "your relay could not be compacted; `alive-p2p relay compact` does it"
    return None
