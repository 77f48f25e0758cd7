"""Our relay and those of our peers, for programs (relay.md §6; cli.md, "Python").

What needs a person is not here: setting up, pairing, and changing whom or which key we trust. Nobody's answer to an
invitation is taken on the way, nobody is followed to a new key, and nothing but what was asked for is sent.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.api.mailboxes import open_mailbox
from alive_p2p.errors import RelayError
from alive_p2p.keys.keyring import Keyring, Peer
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.receiving.inbox import inbox_of
from alive_p2p.receiving.inspection import inspect
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.relay import following, outbox, pulling
from alive_p2p.relay import probe as probing
from alive_p2p.relay.ourselves import Ourselves, ourselves
from alive_p2p.relay.outbox import Delivered
from alive_p2p.relay.probe import Probe
from alive_p2p.relay.pulling import Pull, Pulling
from alive_p2p.relay.reach import reach
from alive_p2p.relay.state import read_state
from alive_p2p.relay.status import Status
from alive_p2p.relay.status import status as gather
from alive_p2p.relay.transports.base import Progress, Transport
from alive_p2p.relay.wrapping import refuse_from_others
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister

Delivery = Mapping[str, Any]
"""One package that was left in a peer's relay, as `sent.json` has it: `peer`, `walnut`, `import_id`, `deposit`, `at`,
`status`, `status_at`, `bundles`."""


@dataclass(frozen=True)
class PlannedPush:
    """A package that was looked at and can be left in a peer's relay.

    Attributes:
        package: the file.
        sha256, size: of the file.
        peer: whom it is for; `pubkey_id` is their pinned key.
        walnut, scope, bundles, sensitivity: what is inside; only the first two where it is sealed.
        import_id: of what is inside.
        is_sealed: whether the file goes as it is; else it is signed by us and sealed for the peer.
        is_ours: whether it lies in our outbox, made to be pushed, and is of no use afterwards.
    """

    package: Path
    sha256: str
    size: int
    peer: str
    pubkey_id: str
    walnut: str
    scope: str
    bundles: tuple[str, ...]
    sensitivity: str | None
    import_id: str
    is_sealed: bool
    is_ours: bool


class Relay:
    """Everything that a program does with relays.

    Args:
        runtime: the surroundings; by default those of this process.
        timeout_seconds: how long one exchange with a host may take; None for as long as it gets on.
    """

    def __init__(self, runtime: Runtime | None = None, *, timeout_seconds: float | None = None) -> None:
        self.runtime = runtime or Runtime.from_process()
        self._timeout_seconds = timeout_seconds

    # -- looking -----------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What is known, without asking anybody. Raises `AliveP2PError`: one of our own files cannot be used."""
        return gather(self.runtime, Keyring.load(self.runtime))

    def probe(self) -> Probe:
        """Look at our relay and our peers': what waits, and which receipts have come. Raises `AliveP2PError`."""
        return probing.probe(self._we(), self.runtime, self._reach)

    def deliveries(self) -> tuple[Delivery, ...]:
        """What was left in peers' relays, and what became of it, oldest first. Raises `AliveP2PError`."""
        return SentRegister.read(self.runtime).deliveries

    # -- pull --------------------------------------------------------------------------------------------------

    def fetch(
        self,
        world: Path,
        *,
        peer: str | None = None,
        deposits: Collection[str] = (),
        may_write: Callable[[Path], object] = lambda _: None,
        progress: Progress | None = None,
    ) -> Pull:
        """Fetch what waits in our relay into a world's inbox, and leave it in the relay as well.

        What is not received by itself (nobody's, without a note that counts, declined before) is not fetched either.
        Senders learn that theirs was fetched, or that it never will be.

        Args:
            world: whose inbox.
            peer: only what is from this peer.
            deposits: only these, by their whole name or its last part.
            may_write: looks at every folder that is written to, and raises to stop.
            progress: called with bytes done and bytes in all.

        Raises:
            AliveP2PError: the relay cannot be read, or there is no such peer or package.
        """
        we = self._we()
        if peer is not None:
            we.config.peer(peer)
        mailbox = open_mailbox(we, self._reach, world, self.runtime)
        found = mailbox.waiting(None if peer is None else [peer], deposits)
        picked = pulling.chosen(found, deposits) if deposits else found
        ready, rest = [[one for one in picked if (one.problem is None) is is_ready] for is_ready in (True, False)]
        how = Pulling(
            inbox_of(world), ReceiveRequest(Path()), only_fetch=True, limit=mailbox.quota.most_bytes, progress=progress
        )
        for name in dict.fromkeys(one.peer.name for one in ready if one.peer is not None):
            may_write(how.inbox / name)
        fetched = mailbox.pull(ready, how)
        held = mailbox.pull(rest, replace(how, only_fetch=False))
        done = {one.waiting.deposit.name: one for one in (*fetched.packages, *held.packages)}
        return Pull(tuple(done[one.deposit.name] for one in picked), fetched.untold or held.untold)

    # -- push --------------------------------------------------------------------------------------------------

    def plan_push(self, package: Path, peer: str) -> PlannedPush:
        """Look at a package that is to be left in a peer's relay; sends nothing.

        Raises:
            AliveP2PError: it is not a package, is sealed for somebody else or not by us, or the two are not paired.
        """
        we = self._we()
        pinned = self._paired(peer, we)
        found = inspect(package)
        with files.translating("read", package):
            sha256, size = files.hash_file(package)
        manifest = found.manifest
        if found.envelope is Envelope.PLAIN and manifest is not None:
            refuse_from_others(manifest, we)
            walnut, scope, bundles, import_id = (manifest.walnut, manifest.scope, manifest.bundles, manifest.import_id)
            sensitivity = manifest.sensitivity
        else:
            walnut, scope, bundles, import_id = _sent_before(package, pinned, self.runtime)
            sensitivity = None
        return PlannedPush(
            package,
            sha256,
            size,
            peer,
            pinned.public.pubkey_id,
            walnut,
            scope,
            bundles,
            sensitivity,
            import_id,
            is_sealed=found.envelope is not Envelope.PLAIN,
            is_ours=package.parent == outbox.folder_of(self.runtime),
        )

    def push(self, planned: PlannedPush, progress: Progress | None = None, *, is_last: bool = True) -> Delivered:
        """Leave a package in a peer's relay; what cannot be sent now stays in the outbox (`Delivered.error`).

        Args:
            planned: what somebody has looked at.
            progress: called with bytes done and bytes in all.
            is_last: whether a file that was only made to be pushed is removed afterwards.

        Raises:
            AliveP2PError: the file, or the peer's key, is not as it was (`changed-meanwhile`); or it cannot be sent.
        """
        we = self._we()
        pinned = self._paired(planned.peer, we)
        if pinned.public.pubkey_id != planned.pubkey_id:
            raise _changed(f"the key of '{planned.peer}'")
        with files.translating("read", planned.package):
            if files.hash_file(planned.package)[0] != planned.sha256:
                raise _changed("the package")
        outgoing = outbox.queue(planned.package, pinned, we, self.runtime, progress)
        if not self._is_as_planned(outgoing, planned):
            outbox.discard(outgoing, self.runtime)
            raise _changed("the package")
        found = outbox.deliver(we, self.runtime, self._reach, only=lambda one: one.id == outgoing.id, progress=progress)
        if planned.is_ours and is_last:
            files.remove_file(planned.package)
        return found[0] if found else Delivered(outgoing)

    def _is_as_planned(self, outgoing: outbox.Outgoing, planned: PlannedPush) -> bool:
        """Whether what lies ready in the outbox is what was looked at, whatever became of the file meanwhile."""
        if outgoing.import_id != planned.import_id:
            return False
        ready = outbox.folder_of(self.runtime) / f"{outgoing.id}.walnut"
        with files.translating("read", ready):
            return not planned.is_sealed or files.hash_file(ready)[0] == planned.sha256

    # -- below -------------------------------------------------------------------------------------------------

    def _we(self) -> Ourselves:
        return ourselves(self.runtime)

    def _reach(self, url: str) -> Transport:
        return reach(url, self.runtime, timeout_seconds=self._timeout_seconds)

    def _paired(self, name: str, we: Ourselves) -> Peer:
        """A peer to whom something may be sent; one whose new key nobody has followed yet is sent to as before."""
        we.config.peer(name)
        outbox.inbox_at(name, we)
        following.refuse_disputed(name, read_state(self.runtime))
        pinned = we.keyring.peer(name)
        if pinned.status != "paired":
            raise RelayError(
                "not-paired",
                f"the key of '{name}' is {pinned.status}",
                untouched="everything",
                hint=f"compare fingerprints, then run `alive-p2p relay peers trust {name}` at a terminal",
            )
        return pinned


def _sent_before(package: Path, peer: Peer, runtime: Runtime) -> tuple[str, str, tuple[str, ...], str]:
    """What our own records say of a sealed package; whether it is sealed for the peer is seen when it is sent."""
    for share in reversed(SentRegister.read(runtime).shares):
        keys = [one.get("pubkey_id") for one in share.get("recipients") or [] if isinstance(one, dict)]
        if share.get("package") == str(package) and peer.public.pubkey_id in keys:
            bundles = share.get("bundles")
            names = tuple(map(str, bundles)) if isinstance(bundles, list) else ()
            return str(share.get("walnut")), str(share.get("scope")), names, str(share.get("import_id"))
    raise RelayError(
        "not-known",
        f"'{package.name}' is sealed, and it is not known here as a package that you have made for '{peer.name}'",
        untouched="everything",
        hint=f"share it with `alive-p2p share --to {peer.name}`",
    )


def _changed(what: str) -> RelayError:
    return RelayError(
        "changed-meanwhile",
        f"{what} changed while you were looking",
        untouched="everything",
        hint="look at it again",
    )
