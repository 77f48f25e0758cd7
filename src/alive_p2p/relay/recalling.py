"""Taking back what was sent and is not fetched yet (relay.md §6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from alive_p2p.errors import RelayError
from alive_p2p.relay import mailbox, outbox
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.reach import Reach
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister, change_register


@dataclass(frozen=True)
class Recalled:
    """A package that was taken back.

    Attributes:
        peer: whom it was for.
        deposit: its name in their relay.
        is_fetched: whether they have told that they had fetched it before.
    """

    peer: str
    deposit: str
    is_fetched: bool = False


def recall(
    name: str, we: Ourselves, runtime: Runtime, reach: Reach, approve: Callable[[str], None] = lambda _: None
) -> Recalled:
    """Take a package of ours back, from a peer's relay or from the outbox.

    Args:
        name: of the package in the relay, whole or its last part.
        we: who we are.
        runtime: the surroundings.
        reach: gives access to relays.
        approve: called with the peer whom it is for, once it is known what is meant; raises where it is not to be.

    Raises:
        RelayError: `no-such-deposit`: nothing of that name was sent; `relay-gone`: it is not there any more; or the
            host does not let us.
    """
    for one in outbox.waiting(runtime):
        if name in _names(one.deposit):
            approve(one.peer)
            outbox.discard(one, runtime)
            return Recalled(one.peer, one.deposit)
    delivery = next(
        (one for one in reversed(SentRegister.read(runtime).deliveries) if name in _names(str(one.get("deposit")))),
        None,
    )
    if delivery is None:
        raise RelayError(
            "no-such-deposit",
            f"nothing was sent under the name '{name}'",
            untouched="everything",
            hint="`alive-p2p relay status` tells what you have sent",
        )
    peer, deposit = str(delivery.get("peer")), str(delivery.get("deposit"))
    url = we.config.peer(peer).url
    if url is None:
        raise RelayError(
            "not-paired",
            f"'{peer}' has no relay that is known",
            untouched="everything",
            hint=f"invite them with `alive-p2p relay invite {peer}`",
        )
    approve(peer)
    relay = reach(url)
    if deposit not in relay.list(deposit.rpartition("/")[0]).entries:
        raise RelayError(
            "relay-gone",
            f"it is not in the relay of '{peer}' any more: they have fetched it, or removed it",
            untouched="everything",
            hint="ask them to remove it, over another channel",
        )
    relay.change(removes=[deposit, mailbox.note_of(deposit)])
    _note(deposit, peer, runtime)
    return Recalled(peer, deposit, delivery.get("status") in {"received", "refused"})


def _names(deposit: str) -> set[str]:
    return {deposit, deposit.rpartition("/")[2]}


def _note(deposit: str, peer: str, runtime: Runtime) -> None:
    def changed(one: Mapping[str, object]) -> dict[str, object]:
        is_it = one.get("deposit") == deposit and one.get("peer") == peer
        return {**one, "status": "recalled", "status_at": runtime.timestamp()} if is_it else dict(one)

    def change(register: SentRegister) -> SentRegister:
        return replace(register, deliveries=tuple(map(changed, register.deliveries)))

    change_register(runtime, change)
