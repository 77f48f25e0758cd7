"""Receiving what waits in our relay: fetched, received, and only then removed, with a receipt (relay.md §6)."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.package.signature import Outcome
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.relay import collecting, mailbox
from alive_p2p.relay.collecting import Waiting
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.receipts import make_receipt
from alive_p2p.relay.state import RelayState, change_state, read_state
from alive_p2p.relay.transports.base import Listing, Progress, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line
from alive_p2p.walnut import kernel

_DECLINED = "declined"
_MOST_DECLINED = 1000
_MOST_HELD = 200
RECEIVED_FOLDER = ".received"
"""Below the inbox: where a file goes that was received."""


@dataclass(frozen=True)
class Pulled:
    """What came of one package.

    Attributes:
        waiting: what it was.
        status: `received` (applied), `here` (everything in it is here already), `fetched` (only fetched), `held` (it is
            not received by itself), or `failed`; the last two are still in the relay.
        file: where it lies now, where it was fetched.
        import_id: of what is inside, as far as that is known.
        result: what receiving it did.
        error: why not.
        failure: the same as the error that it was, where it was one.
    """

    waiting: Waiting
    status: str
    file: Path | None = None
    import_id: str | None = None
    result: ReceiveResult | None = None
    error: str | None = None
    failure: AliveP2PError | None = None


@dataclass(frozen=True)
class Pulling:
    """How packages are received.

    Attributes:
        inbox: the world's `03_Inbox`.
        request: what every receive is asked for; its package and credentials are filled in.
        approve: looks at each plan, and raises to stop.
        only_fetch: leave them in the inbox, and in the relay.
        limit: bytes that are fetched of one package.
        progress: called with bytes done and bytes in all.
    """

    inbox: Path
    request: ReceiveRequest
    approve: Callable[[ReceivePlan], None] | None = None
    only_fetch: bool = False
    limit: int = collecting.MOST_BYTES
    progress: Progress | None = None


def pull(found: Sequence[Waiting], how: Pulling, we: Ourselves, relay: Transport, runtime: Runtime) -> list[Pulled]:
    """Receive packages, one after the other; what goes wrong with one does not stop the others.

    Raises:
        AliveP2PError: what `approve` raises, other than a refusal of that package.
    """
    done = [_pull(one, how, we, relay, runtime) for one in found]
    _remember(done, runtime)
    return done


def _pull(one: Waiting, how: Pulling, we: Ourselves, relay: Transport, runtime: Runtime) -> Pulled:
    if one.problem is not None and not (how.only_fetch and one.peer is not None):
        return Pulled(one, "held", error=one.problem)
    folder = how.inbox / (one.peer.name if one.peer is not None else one.deposit.folder)
    try:
        file = collecting.fetch(one, relay, folder, runtime, limit=how.limit, progress=how.progress)
    except AliveP2PError as error:
        return Pulled(one, "failed", error=error.message, failure=error)
    if how.only_fetch or one.note is None or one.peer is None:
        return Pulled(one, "fetched", file, one.note.import_id if one.note is not None else None, error=one.problem)
    note, peer = one.note, one.peer

    def approve(plan: ReceivePlan) -> None:
        _refuse_other_package(plan, note.import_id, peer)
        if how.approve is not None:
            how.approve(plan)

    request = replace(
        how.request,
        package=file,
        credentials=we.credentials,
        find_signer=we.find_signer,
        require_signature=True,
    )
    try:
        result = receive(request, runtime, approve=approve, progress=how.progress)
        if result.plan.is_noop:
            _refuse_other_package(result.plan, note.import_id, peer)
    except AliveP2PError as error:
        return Pulled(one, "failed", file, note.import_id, error=_told(error), failure=error)
    status = "here" if result.status == "noop" else "received"
    pulled = Pulled(one, status, file, note.import_id, result)
    try:
        bundles = [fate.folder for fate in result.plan.bundles]
        settle(one, "applied", bundles, we, relay, runtime)
    except AliveP2PError as error:  # it was received; the next pull finds it here, and removes it
        return replace(pulled, error=f"it could not be taken out of the relay: {error.message}")
    return replace(pulled, file=put_away(file, how.inbox))


def _told(error: AliveP2PError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


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
    raise RelayError("not-as-noted", why, untouched="everything; it is still in the relay")


def settle(
    one: Waiting, status: str, bundles: Sequence[str], we: Ourselves, relay: Transport, runtime: Runtime
) -> None:
    """Take a package out of our relay, and leave a receipt for its sender.

    Args:
        one: the package; of somebody who is a peer.
        status: `applied`, `declined` or `refused`.
        bundles: names as they are now.
        we: who we are.
        relay: ours.
        runtime: the surroundings.

    Raises:
        RelayError: the relay cannot be written to.
    """
    puts = []
    if one.peer is not None and one.peer.status != "revoked":
        import_id = one.note.import_id if one.note is not None else ""
        puts.append(
            make_receipt(one.deposit.name, import_id, status, bundles, one.peer, one.deposit.folder, we, runtime)
        )
    if status == "declined" and one.note is not None:
        sha256 = one.note.file_sha256
        change_state(runtime, lambda state: state.with_field(_DECLINED, [*_declined(state), sha256][-_MOST_DECLINED:]))
    relay.change(puts, [one.deposit.name, mailbox.note_of(one.deposit.name)])


def declined(runtime: Runtime) -> frozenset[str]:
    """The hashes of the files that were declined: they are not received when somebody puts them back.

    Raises:
        AliveP2PError: `state.json` cannot be used.
    """
    return frozenset(_declined(read_state(runtime)))


def _declined(state: RelayState) -> list[str]:
    known = state.raw.get(_DECLINED)
    return [one for one in known if isinstance(one, str)] if isinstance(known, list) else []


def put_away(file: Path, inbox: Path) -> Path:
    """Move a file that was received below the inbox; where that does not work it stays, which is no harm."""
    folder = inbox / RECEIVED_FOLDER
    try:
        if not files.is_folder(folder):
            files.make_folder(folder)
        final, number = folder / file.name, 1
        while files.is_taken(final):
            number += 1
            final = folder / f"{file.stem}-{number}{file.suffix}"
        files.replace(file, final)
    except OSError:
        return file
    return final


def tidy(relay: Transport, listing: Listing, runtime: Runtime) -> None:
    """Remove what interrupted pulls have left in our relay. Raises `RelayError`."""
    if left := collecting.orphans(listing, runtime):
        relay.change(removes=left)


def inbox_of(world: Path) -> Path:
    """Where packages arrive in a world."""
    return world / kernel.INBOX


def _remember(done: Sequence[Pulled], runtime: Runtime) -> None:
    """Keep in `state.json`, by peer, why packages are still in the relay."""

    def change(state: RelayState) -> RelayState:
        for peer in {one.waiting.peer.name for one in done if one.waiting.peer is not None}:
            theirs = [one for one in done if one.waiting.peer is not None and one.waiting.peer.name == peer]
            before = state.peer(peer).get("held")
            tried = {one.waiting.deposit.name for one in theirs}
            held = {name: why for name, why in before.items() if name not in tried} if isinstance(before, dict) else {}
            held |= {
                one.waiting.deposit.name: one_line(one.error or "", limit=300)
                for one in theirs
                if one.status in {"held", "failed"}
            }
            if held or before:
                state = state.with_peer(peer, {"held": dict(list(held.items())[-_MOST_HELD:])})
        return state

    with suppress(AliveP2PError):  # it only says what was seen; the receive is told all the same
        change_state(runtime, change)


def chosen(found: Sequence[Waiting], names: Collection[str]) -> list[Waiting]:
    """The packages of these names, whole or only their last part.

    Raises:
        RelayError: `no-such-deposit`: one of them is not there.
    """
    picked = []
    for name in names:
        match = [one for one in found if name in {one.deposit.name, one.deposit.name.rpartition("/")[2]}]
        if not match:
            raise RelayError("no-such-deposit", f"there is no package '{name}' in your relay", untouched="everything")
        if len(match) > 1:
            raise RelayError(
                "which",
                f"there are several packages of the name '{name}'",
                untouched="everything",
                hint="name one whole",
                details=[one.deposit.name for one in match],
            )
        picked += match
    return picked
