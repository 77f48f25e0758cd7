"""Receiving what waits in our relay: fetched, received, and only then removed, with a receipt (relay.md §6).

What stays is told as well: `received` where it lies in the inbox and no walnut has it yet, `refused` where it never can
be received. All of that is told at the end, at once; a pull that is ended before has removed nothing that it had not
received, and the next one tells the rest.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.package.reader import PackageReader
from alive_p2p.package.signature import Outcome
from alive_p2p.receiving.automatic import NEEDS_A_PERSON
from alive_p2p.receiving.inbox import put_away
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.receiving.targets import received_before
from alive_p2p.relay import arrivals, mailbox, settling
from alive_p2p.relay.collecting import MOST_BYTES, Note, TooLarge, Waiting, names_of
from alive_p2p.relay.fetching import Allowance, fetch
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.refusals import NOT_AS_NOTED, reason_of
from alive_p2p.relay.state import RelayState, change_state
from alive_p2p.relay.transports.base import Listing, Progress, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line

_MOST_HELD = 200
_LEFT = {"over-quota", "relay-over-limit"}
"""Nothing that has failed: it is left as the quota wants it."""


@dataclass(frozen=True)
class Pulled:
    """What came of one package.

    Attributes:
        waiting: what it was.
        status: `received` (applied), `here` (everything in it is here already), `fetched` (only fetched), `held` (it is
            not received by itself), `refused` (it never will be), or `failed`; all but the first two are still in the
            relay.
        file: where it lies now, where it was fetched.
        import_id: of what is inside, as far as that is known.
        result: what receiving it did.
        error: why not.
        reason: the word that its sender is told for that, where it is refused.
        failure: the error that it was, where it was one.
    """

    waiting: Waiting
    status: str
    file: Path | None = None
    import_id: str | None = None
    result: ReceiveResult | None = None
    error: str | None = None
    reason: str | None = None
    failure: AliveP2PError | None = None


@dataclass(frozen=True)
class Pulling:
    """How packages are received.

    Attributes:
        inbox: the world's `03_Inbox`.
        request: what every receive is asked for; its package and credentials are filled in.
        approve: looks at each plan, and raises to stop.
        only_fetch: leave them in the inbox, and in the relay.
        limit: bytes that are fetched of one peer in all.
        progress: called with bytes done and bytes in all.
    """

    inbox: Path
    request: ReceiveRequest
    approve: Callable[[ReceivePlan], None] | None = None
    only_fetch: bool = False
    limit: int = MOST_BYTES
    progress: Progress | None = None


@dataclass(frozen=True)
class Pull:
    """What came of all of them.

    Attributes:
        packages: one after the other.
        untold: why senders could not be told of what stays; the next pull tells them.
    """

    packages: tuple[Pulled, ...]
    untold: str | None = None


def pull(
    found: Sequence[Waiting], how: Pulling, we: Ourselves, relay: Transport, listing: Listing, runtime: Runtime
) -> Pull:
    """Receive packages, one after the other; what goes wrong with one does not stop the others.

    Args:
        found: the packages.
        how: how they are received.
        we: who we are.
        relay: ours.
        listing: what lay there when they were found.
        runtime: the surroundings.
    """
    return _Puller(how, we, relay, listing, runtime).run(found)


class _Puller:
    """One pull."""

    def __init__(self, how: Pulling, we: Ourselves, relay: Transport, listing: Listing, runtime: Runtime) -> None:
        self._how, self._we, self._relay, self._listing, self._runtime = how, we, relay, listing, runtime
        self._news = settling.News(we, listing)
        self._allowances: dict[str, Allowance] = {}

    def run(self, found: Sequence[Waiting]) -> Pull:
        """Receive all of it, then tell what stays."""
        done = [self._one(one) for one in found]
        untold = None
        try:
            self._news.send(self._relay)
        except AliveP2PError as error:
            untold = error.message
        self._remember(done)
        return Pull(tuple(done), untold)

    def _one(self, one: Waiting) -> Pulled:
        if one.problem is not None and not (self._how.only_fetch and one.peer is not None):
            if one.refusal is not None:
                self._news.add(one, "refused", self._runtime, reason=one.refusal)
            return Pulled(one, "held", error=one.problem, reason=one.refusal)
        folder = self._how.inbox / (one.peer.name if one.peer is not None else one.deposit.folder)
        allowance = self._allowances.setdefault(one.deposit.folder, Allowance(self._how.limit))
        try:
            file = fetch(one, self._relay, folder, self._runtime, allowance=allowance, progress=self._how.progress)
        except AliveP2PError as error:
            return Pulled(one, "held" if error.code in _LEFT else "failed", error=error.message, failure=error)
        if self._how.only_fetch or one.note is None or one.peer is None:
            self._news.add(one, "received", self._runtime)
            return Pulled(one, "fetched", file, one.note.import_id if one.note is not None else None, error=one.problem)
        return self._receive(one, file, one.note, one.peer)

    def _receive(self, one: Waiting, file: Path, note: Note, peer: Peer) -> Pulled:
        def approve(plan: ReceivePlan) -> None:
            _refuse_other_package(plan, note.import_id, peer)
            if self._how.approve is not None:
                self._how.approve(plan)

        request = replace(
            self._how.request,
            package=file,
            credentials=self._we.credentials,
            find_signer=self._we.find_signer,
            require_signature=True,
        )
        if request.target is None:
            request = replace(request, target=self._where_it_is(request, note))
        try:
            result = receive(request, self._runtime, approve=approve, progress=self._how.progress)
            if result.plan.is_noop:
                _refuse_other_package(result.plan, note.import_id, peer)
        except AliveP2PError as error:
            return self._not_received(one, file, note, error)
        pulled = Pulled(one, "here" if result.status == "noop" else "received", file, note.import_id, result)
        bundles = [fate.folder for fate in result.plan.bundles]
        try:
            settling.settle(one, "applied", self._we, self._relay, self._listing, self._runtime, bundles=bundles)
        except AliveP2PError as error:  # it was received; the next pull finds it here, and removes it
            return replace(pulled, error=f"it could not be taken out of the relay: {error.message}")
        return replace(pulled, file=put_away(file, self._how.inbox))

    def _where_it_is(self, request: ReceiveRequest, note: Note) -> Path | None:
        """The walnut that has this very package already: it was moved since, or a pull into it was interrupted."""
        found = received_before(note.import_id, self._runtime)
        if found is None:
            return None
        try:
            with PackageReader(request.package, credentials=request.credentials) as reader:
                return found if reader.read_manifest().import_id == note.import_id else None
        except AliveP2PError:
            return None  # what is wrong with it is for the receive to say

    def _not_received(self, one: Waiting, file: Path, note: Note, error: AliveP2PError) -> Pulled:
        """A receive that was refused: for good, where the reason lies in the very bytes that were sent.

        What only a person may decide has not failed: it is held.
        """
        told = f"{error.message}; {error.hint}" if error.hint else error.message
        if error.code == NEEDS_A_PERSON:
            self._news.add(one, "received", self._runtime)  # it lies in the inbox, and more has not happened
            return Pulled(one, "held", file, note.import_id, error=told, failure=error)
        reason = reason_of(error)
        if reason is not None and _is_as_sent(file, note):
            self._news.add(one, "refused", self._runtime, reason=reason)
            return Pulled(one, "refused", file, note.import_id, error=told, reason=reason, failure=error)
        self._news.add(one, "received", self._runtime)
        return Pulled(one, "failed", file, note.import_id, error=told, failure=error)

    def _remember(self, done: Sequence[Pulled]) -> None:
        """Keep in `state.json` why packages are still in the relay, and what need not be tried again."""
        refused = {
            one.waiting.deposit.name: (one.waiting.note.file_sha256, one.reason)
            for one in done
            if one.status == "refused" and one.waiting.note is not None and one.reason is not None
        }
        too_large: dict[str, TooLarge] = {}
        for allowance in self._allowances.values():
            too_large |= allowance.too_large
        decided = settling.remember(refused, too_large, self._listing)

        def change(state: RelayState) -> RelayState:
            fetched = [one.waiting for one in done if one.file is not None]
            return arrivals.with_fetched(_with_held(decided(state), done, self._listing), fetched)

        with suppress(AliveP2PError):  # it only says what was seen; the receive is told all the same
            change_state(self._runtime, change)


def _refuse_other_package(plan: ReceivePlan, import_id: str, peer: Peer) -> None:
    """What is inside has to be what the note is about, and signed by the same peer.

    Raises:
        RelayError: `not-as-noted`.
    """
    if plan.manifest.import_id != import_id:
        why = "it is another package than its delivery note says"
    elif plan.verdict.outcome is not Outcome.VALID or plan.verdict.signer != peer.name:
        why = f"it is not signed by '{peer.name}', who has delivered it"
    else:
        return
    raise RelayError(
        NOT_AS_NOTED,
        why,
        untouched="everything; it is still in the relay",
        hint="ask the sender to send it again, and look who else may write to your relay",
    )


def _is_as_sent(file: Path, note: Note) -> bool:
    """Whether a file on our disk is still the one that was sent."""
    try:
        return files.hash_file(file)[0] == note.file_sha256
    except OSError:
        return False


def taken(done: Sequence[Pulled]) -> frozenset[str]:
    """The packages that a pull has taken out of our relay."""
    return frozenset(one.waiting.deposit.name for one in done if one.status in {"received", "here"})


def note_waiting(listing: Listing, gone: Collection[str], we: Ourselves, runtime: Runtime) -> None:
    """Write down how many packages of each peer still wait, so that nobody is told of what was just received.

    Args:
        listing: what lay in our relay before.
        gone: the packages that were taken out of it since.
        we: who we are.
        runtime: the surroundings.
    """

    def change(state: RelayState) -> RelayState:
        for name, peer in we.config.peers.items():
            left = sum(1 for deposit in mailbox.deposits(listing, peer.folder) if deposit.name not in gone)
            if left != state.peer(name).get("pending_packages"):
                # Something may have come since: the next look counts again, whatever was seen here meanwhile.
                state = state.with_peer(name, {"pending_packages": left, "seen_here": None})
        return state

    with suppress(AliveP2PError):  # the next look at the relay says it as well
        change_state(runtime, change)


def _with_held(state: RelayState, done: Sequence[Pulled], listing: Listing) -> RelayState:
    """By peer, why packages are still in the relay; what lies there no more is forgotten."""
    for peer in {one.waiting.peer.name for one in done if one.waiting.peer is not None}:
        theirs = [one for one in done if one.waiting.peer is not None and one.waiting.peer.name == peer]
        before = state.peer(peer).get("held")
        tried = {one.waiting.deposit.name for one in theirs}
        known = before.items() if isinstance(before, dict) else ()
        held = {name: why for name, why in known if name not in tried and name in listing.entries}
        held |= {
            one.waiting.deposit.name: one_line(one.error or "", limit=300)
            for one in theirs
            if one.status in {"held", "refused", "failed"}
        }
        if held or before:
            state = state.with_peer(peer, {"held": dict(list(held.items())[-_MOST_HELD:])})
    return state


def chosen(found: Sequence[Waiting], names: Collection[str]) -> list[Waiting]:
    """The packages of these names, whole or only their last part.

    Raises:
        RelayError: `no-such-deposit`: one of them is not there; `which`: there are several of that name.
    """
    picked: list[Waiting] = []
    for name in names:
        match = [one for one in found if name in names_of(one.deposit.name)]
        if not match:
            raise RelayError(
                "no-such-deposit",
                f"there is no package '{name}' in your relay",
                untouched="everything",
                hint="`alive-p2p relay status` tells what waits",
            )
        if len(match) > 1:
            raise RelayError(
                "which",
                f"there are several packages of the name '{name}'",
                untouched="everything",
                hint="name one whole",
                details=[one.deposit.name for one in match],
            )
        picked += [one for one in match if one not in picked]
    return picked
