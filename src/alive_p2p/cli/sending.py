"""The end of a share: what was packed for peers goes into their mailboxes (share.md §8, relay.md §6)."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from alive_p2p import files
from alive_p2p.cli.options import Call
from alive_p2p.cli.relaying import Desk
from alive_p2p.errors import UsageError
from alive_p2p.relay import outbox
from alive_p2p.relay.config import read_config
from alive_p2p.sharing.plan import ShareRequest, ShareResult


def confirm_invited(call: Call, names: Iterable[str]) -> None:
    """Where somebody is named who was invited, look whether they have answered: then they are a peer from now on.

    Raises:
        AliveP2PError: our relay cannot be read, or somebody who is named has not answered.
    """
    named = set(names)
    if not named:
        return
    invited = {name for name, peer in read_config(call.runtime).peers.items() if peer.invitation is not None}
    if named & invited:
        desk = Desk(call)
        desk.confirm()
        call.forget_keyring()
        desk.refuse_unanswered(named)


@dataclass(frozen=True)
class Sending:
    """Which peers get a package by their relay. As a context manager it takes away a file that nobody asked for.

    Attributes:
        call: the call.
        names: the peers.
        output: the file to make; None for where a share puts it by itself.
        keeps_file: whether somebody is to have the file: it was named, or not everybody gets it by a relay.
    """

    call: Call
    names: tuple[str, ...]
    output: Path | None
    keeps_file: bool

    @classmethod
    def of(cls, call: Call, request: ShareRequest, output: Path | None, *, is_wanted: bool) -> Self:
        """Decide it, before anything is packed.

        Raises:
            UsageError: it would go through a relay, and is not signed.
            AliveP2PError: `relay.json` cannot be used.
        """
        peers = [one.name for one in request.recipients if one.is_peer]
        if not is_wanted or not peers:
            return cls(call, (), output, keeps_file=True)
        config = read_config(call.runtime)
        names = tuple(name for name in peers if name in config.peers and config.peers[name].is_accepted)
        if names and config.url is not None and request.signing_key is None:
            raise UsageError(
                "unsigned",
                "what goes through a relay is always signed, and this would not be",
                untouched="everything",
                hint="leave out `--no-sign`, or make only the file with `--no-push`",
            )
        if names and config.url is not None and request.sender != config.username:
            raise UsageError(
                "other-username",
                f"your peers know you as '{config.username}', and this would be from '{request.sender}'",
                untouched="everything",
                hint="unset GH_USER, or make only the file with `--no-push`",
            )
        if not names or config.url is None:
            return cls(call, (), output, keeps_file=True)
        if output is not None or len(names) < len(request.recipients):
            return cls(call, names, output, keeps_file=True)
        folder = outbox.folder_of(call.runtime)
        files.ensure_private_folder(folder)
        return cls(call, names, folder / f"made-{call.runtime.random_hex(8)}.walnut", keeps_file=False)

    def send(self, result: ShareResult) -> Sequence[dict[str, Any]]:
        """Leave the package in the relays of the peers; what cannot be sent now stays in the outbox.

        Raises:
            AliveP2PError: it could not be made ready.
        """
        if not self.names:
            return ()
        desk = Desk(self.call)
        desk.try_to_confirm()
        we = desk.we
        with self.call.screen.working("sealing") as progress:
            queued = [
                outbox.queue(result.path, we.keyring.peer(name), we, self.call.runtime, progress) for name in self.names
            ]
        found = {one.outgoing.id: one for one in desk.deliver(first=self.names)}
        documents = []
        for one in queued:
            done = found.get(one.id)
            is_queued = done is None or done.error is not None
            error = None if done is None or done.error is None else done.error.message
            documents.append({"peer": one.peer, "deposit": one.deposit, "queued": is_queued, "error": error})
        return documents

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.keeps_file and self.output is not None:
            with suppress(OSError):
                self.output.unlink(missing_ok=True)
