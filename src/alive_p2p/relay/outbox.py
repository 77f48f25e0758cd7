"""What is still to be sent: packages that are ready and could not be delivered yet (relay.md §2, §6).

`outbox/<8 hex>.walnut` with its `.note` (sealed) and its `.json` (for whom it is, and the name it gets in the relay).
The `.json` is written last and removed first, so that whatever ends the program, an entry is whole or is none. The name
is fixed from the beginning: to deliver twice is to find the package there.
"""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.locks import walnut_lock
from alive_p2p.relay import documents, following, mailbox
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports.base import Progress, Put, Transport
from alive_p2p.relay.wrapping import wrap
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister, change_register

_LIMIT = 1 << 16
WAIT_SECONDS = 120.0
"""How long a push waits while another process is sending."""
_ABANDONED_SECONDS = 24 * 3600
DELIVERY = "delivery"
_ABOUT_THE_RELAY = frozenset(
    [
        "git-missing",
        "git-too-old",
        "relay-busy",
        "relay-denied",
        "relay-host-changed",
        "relay-host-unknown",
        "relay-hostile",
        "relay-missing",
        "relay-unreachable",
    ]
)
"""What goes wrong with a whole relay: nothing else is tried there in the same run."""


@dataclass(frozen=True)
class Outgoing:
    """A package in the outbox.

    Attributes:
        id: 8 hex digits.
        peer: whom it is for.
        deposit: the name it gets in their relay.
        import_id: of what is inside.
        walnut: what it is of.
        size: of the sealed file, in bytes.
        queued_at: since when it is there.
    """

    id: str
    peer: str
    deposit: str
    import_id: str
    walnut: str
    size: int
    queued_at: str


@dataclass(frozen=True)
class Delivered:
    """What came of one package in the outbox; `error` says why it is still there."""

    outgoing: Outgoing
    bytes_sent: int = 0
    error: AliveP2PError | None = None


def folder_of(runtime: Runtime) -> Path:
    """Where it lies."""
    return runtime.alive_home / "relay" / "outbox"


def waiting(runtime: Runtime) -> list[Outgoing]:
    """What is in the outbox, oldest first.

    Raises:
        FileSystemError: it cannot be read.
    """
    folder = folder_of(runtime)
    if not files.is_folder(folder):
        return []
    found = []
    with files.translating("read", folder):
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    for path in paths:
        try:
            document = json.loads(files.read_bytes(path, limit=_LIMIT))
            found.append(Outgoing(**{**document, "id": path.stem}))
        except (ValueError, TypeError, RecursionError):
            raise AliveP2PError(
                "broken-outbox",
                f"'{path}' in the outbox cannot be used",
                untouched="everything",
                hint="mend it, or move it away",
            ) from None
    return sorted(found, key=lambda one: (one.queued_at, one.id))


def queue(package: Path, peer: Peer, we: Ourselves, runtime: Runtime, progress: Progress | None = None) -> Outgoing:
    """Make a package ready for a peer and put it into the outbox.

    Raises:
        AliveP2PError: it cannot be sent to this peer.
    """
    inbox = inbox_at(peer.name, we)
    folder = folder_of(runtime)
    files.ensure_private_folder(folder)
    _sweep(folder, runtime)
    identity = runtime.random_hex(8)
    place = folder / f"{identity}.walnut"
    try:
        wrapped = wrap(package, peer, we, place, runtime, progress)
        note = {
            "type": DELIVERY,
            "from": we.handle,
            "to": peer.handle or peer.name,
            "file_sha256": wrapped.sha256,
            "import_id": wrapped.import_id,
            "sent_at": runtime.timestamp(),
        }
        sealed = documents.sealed_for(documents.signed(note, we.key), peer)
        files.replace_file(place.with_suffix(".note"), sealed, mode=0o600)
        deposit = mailbox.new_deposit(inbox, runtime)
        at = runtime.timestamp()
        outgoing = Outgoing(identity, peer.name, deposit, wrapped.import_id, wrapped.walnut, wrapped.size, at)
        files.replace_file(place.with_suffix(".json"), _note_of(outgoing), mode=0o600)
    except BaseException:
        _remove(place)
        raise
    return outgoing


def inbox_at(name: str, we: Ourselves) -> str:
    """Our folder in a peer's relay.

    Raises:
        RelayError: the two are not paired.
    """
    known = we.config.peers.get(name)
    if known is None or not known.is_accepted or known.url is None or known.inbox is None:
        raise RelayError(
            "not-paired",
            f"you and '{name}' are not paired",
            untouched="everything",
            hint=f"invite them with `alive-p2p relay invite {name}`",
        )
    return known.inbox


def deliver(
    we: Ourselves,
    runtime: Runtime,
    reach: Reach,
    *,
    only: Callable[[Outgoing], bool] = lambda _: True,
    first: Collection[str] = (),
    wait_seconds: float = WAIT_SECONDS,
    enough_after: float | None = None,
    progress: Progress | None = None,
) -> list[Delivered]:
    """Leave what is in the outbox in the relays of those it is for; what cannot be delivered now stays.

    A relay that cannot be reached is tried once: what else is for it waits, and is told with the same reason.

    Args:
        we: who we are.
        runtime: the surroundings.
        reach: gives access to relays.
        only: which of it.
        first: the peers who come before all others.
        wait_seconds: how long to wait while another process is sending.
        enough_after: seconds after which nothing more is begun; None for never.
        progress: called with bytes done and bytes in all.

    Raises:
        BusyError: another process is sending.
        AliveP2PError: the outbox cannot be read.
    """
    found = sorted(filter(only, waiting(runtime)), key=lambda one: one.peer not in first)
    if not found:
        return []
    done: list[Delivered] = []
    failed: dict[str | None, AliveP2PError] = {}
    with walnut_lock(folder_of(runtime), "relay", runtime, wait_seconds=wait_seconds):
        there = {one.id for one in waiting(runtime)}  # somebody else may have delivered some of it meanwhile
        begun = runtime.monotonic()
        for one in found:
            if enough_after is not None and runtime.monotonic() - begun > enough_after:
                break
            url = _url_of(one, we)
            if one.id not in there:
                continue
            if url in failed:
                done.append(Delivered(one, error=failed[url]))
                continue
            done.append(_deliver(one, we, runtime, reach, progress))
            if (error := done[-1].error) is not None and error.code in _ABOUT_THE_RELAY:
                failed[url] = error
    return done


def _url_of(one: Outgoing, we: Ourselves) -> str | None:
    known = we.config.peers.get(one.peer)
    return known.url if known is not None else None


def _deliver(one: Outgoing, we: Ourselves, runtime: Runtime, reach: Reach, progress: Progress | None) -> Delivered:
    place = folder_of(runtime) / f"{one.id}.walnut"
    try:
        inbox_at(one.peer, we)
        SentRegister.read(runtime)  # what is delivered has to be written down
        if we.keyring.peer(one.peer).status == "revoked":
            raise RelayError(
                "revoked-peer",
                f"the key of '{one.peer}' was revoked",
                untouched="everything",
                hint="ask the person, over another channel, for the key that they use now",
            )
        following.refuse_disputed(one.peer, read_state(runtime))
        relay = reach(str(_url_of(one, we)))
        refuse_too_large(one.size, relay, one.peer)
        note = files.read_bytes(place.with_suffix(".note"), limit=documents.SEALED_BYTES)
        sent = _put(one, note, place, relay, progress)
    except AliveP2PError as error:
        return Delivered(one, error=error)
    _record(one, runtime)
    _remove(place)
    return Delivered(one, sent)


def _put(one: Outgoing, note: bytes, place: Path, relay: Transport, progress: Progress | None) -> int:
    """Leave a package and its note; what got there before we were ended is not left twice. Raises `RelayError`."""
    name = mailbox.note_of(one.deposit)
    try:
        return relay.change([Put(name, note), Put(one.deposit, place)], progress=progress).sent
    except RelayError as error:
        if error.code != "relay-taken":
            raise
    if one.deposit in relay.list(one.deposit.rpartition("/")[0]).entries:
        return 0
    return relay.change([Put(name, note, replaces=True), Put(one.deposit, place)], progress=progress).sent


def rename(name: str, new: str, runtime: Runtime) -> None:
    """What waits for a peer goes out under its new name here. Raises `AliveP2PError`."""
    for one in waiting(runtime):
        if one.peer == name:
            place = folder_of(runtime) / f"{one.id}.json"
            files.replace_file(place, _note_of(replace(one, peer=new)), mode=0o600)


def _note_of(one: Outgoing) -> bytes:
    return json.dumps({key: value for key, value in asdict(one).items() if key != "id"}, indent=1).encode() + b"\n"


def discard(one: Outgoing, runtime: Runtime) -> None:
    """Take a package out of the outbox, unsent."""
    _remove(folder_of(runtime) / f"{one.id}.walnut")


def refuse_too_large(size: int, relay: Transport, peer: str) -> None:
    """Refuse what the host of a relay would refuse, before it is sent.

    Raises:
        RelayError: `relay-rejected`.
    """
    most = relay.sizes.most
    if most is not None and size > most:
        raise RelayError(
            "relay-rejected",
            f"the package has {size:,} bytes, and the relay of '{peer}' takes files of up to {most:,}",
            untouched="everything",
            hint="share single bundles, or send the file by another way",
        )


def _record(one: Outgoing, runtime: Runtime) -> None:
    at = runtime.timestamp()
    entry: Mapping[str, Any] = {
        "peer": one.peer,
        "import_id": one.import_id,
        "walnut": one.walnut,
        "deposit": one.deposit,
        "at": at,
        "status": "sent",
        "status_at": at,
    }

    def change(register: SentRegister) -> SentRegister:
        if any(known.get("deposit") == one.deposit and known.get("peer") == one.peer for known in register.deliveries):
            return register
        return replace(register, deliveries=(*register.deliveries, dict(entry)))

    change_register(runtime, change)


def _sweep(folder: Path, runtime: Runtime) -> None:
    """Remove what a killed process had not finished putting there; only what is old enough to be nobody's any more."""
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            is_old = path.lstat().st_mtime < runtime.now().timestamp() - _ABANDONED_SECONDS
            if is_old and not files.is_taken(path.with_suffix(".json")):
                if files.is_folder(path):
                    files.remove_tree(path)
                else:
                    files.remove_file(path)


def _remove(place: Path) -> None:
    for path in (place.with_suffix(".json"), place, place.with_suffix(".note")):
        with suppress(OSError):
            files.remove_file(path)
