"""What becomes of packages in our relay once it is decided: they are removed, and their senders are told (relay.md §6).

Every step can be done again. A receipt has one name for a package and a status (`receipts.make_receipt`); what is
declined is written down before the relay is touched, and finished by the next pull. What was decided is remembered in
`state.json` by the hash of the file: what somebody puts back is known again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.relay import following, mailbox
from alive_p2p.relay.collecting import Seen, TooLarge, Waiting, orphans, waiting
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.receipts import Told, is_told, make_receipt
from alive_p2p.relay.refusals import REASONS
from alive_p2p.relay.state import RelayState, change_state, read_state
from alive_p2p.relay.transports.base import Listing, Put, Transport
from alive_p2p.runtime import Runtime

_DECLINED = "declined"
_DECLINING = "declining"
_REFUSED = "refused"
_TOO_LARGE = "too_large"
_MOST_DECLINED = 1000
_MOST_REMEMBERED = 1000


# --- one package ----------------------------------------------------------------------------------------------


def settle(
    one: Waiting,
    status: str,
    we: Ourselves,
    relay: Transport,
    listing: Listing,
    runtime: Runtime,
    *,
    bundles: Sequence[str] = (),
    note: str | None = None,
) -> bool:
    """Take a package out of our relay, and leave a receipt for whoever has signed for it.

    Args:
        one: the package.
        status: `applied` or `declined`.
        we: who we are.
        relay: ours.
        listing: what lay there when it was looked at.
        runtime: the surroundings.
        bundles: names as they are now.
        note: words for the sender, as `receipts.checked_note` gives them.

    Returns:
        Whether there is somebody who is told.

    Raises:
        RelayError: the relay cannot be written to.
    """
    told = _told(one, status, bundles=bundles, note=note)
    puts = [make_receipt(told, we, runtime)] if told is not None and not is_told(told, we, listing.entries) else []
    _change(relay, puts, [one.deposit.name, mailbox.note_of(one.deposit.name)])
    return told is not None


def decline(
    one: Waiting, note: str | None, we: Ourselves, relay: Transport, listing: Listing, runtime: Runtime
) -> bool:
    """Take a package out of our relay unread; it is not received either where somebody puts it back.

    Args:
        one: the package.
        note: words for the sender, as `receipts.checked_note` gives them.
        we: who we are.
        relay: ours.
        listing: what lay there when it was looked at.
        runtime: the surroundings.

    Returns:
        Whether there is somebody who is told.

    Raises:
        AliveP2PError: the relay cannot be written to, or `state.json` not be used; nothing has changed then.
    """
    name, sha256 = one.deposit.name, one.note.file_sha256 if one.note is not None else None
    before = read_state(runtime)

    def begin(state: RelayState) -> RelayState:
        hashes = [*_texts(state, _DECLINED), *([sha256] if sha256 is not None else [])]
        state = state.with_field(_DECLINED, list(dict.fromkeys(hashes))[-_MOST_DECLINED:])
        return state.with_field(_DECLINING, {**_by_name(state, _DECLINING), name: {"sha256": sha256, "note": note}})

    change_state(runtime, begin)
    try:
        is_somebody_told = settle(one, "declined", we, relay, listing, runtime, note=note)
    except AliveP2PError:
        was_declined = sha256 in _texts(before, _DECLINED)

        def take_back(state: RelayState) -> RelayState:
            hashes = [text for text in _texts(state, _DECLINED) if was_declined or text != sha256]
            return _without(state.with_field(_DECLINED, hashes), _DECLINING, name)

        change_state(runtime, take_back)
        raise
    change_state(runtime, lambda state: _without(_without(state, _DECLINING, name), _REFUSED, name))
    return is_somebody_told


def _told(
    one: Waiting, status: str, *, bundles: Sequence[str] = (), note: str | None = None, reason: str | None = None
) -> Told | None:
    """What is told of a package; None where nobody has signed for it whom we are paired with."""
    sender = one.sender
    if sender is None:
        return None
    return Told(
        sender,
        one.deposit.folder,
        one.deposit.name,
        one.note.file_sha256 if one.note is not None else "",
        one.note.import_id if one.note is not None else "",
        status,
        tuple(bundles),
        note,
        reason,
    )


def _change(relay: Transport, puts: Sequence[Put], removes: Sequence[str]) -> None:
    """Change our relay; a receipt that has come there meanwhile is ours, and says the same."""
    try:
        relay.change(puts, removes)
    except RelayError as error:
        if error.code != "relay-taken":
            raise
        there = relay.list("receipts").entries
        relay.change([put for put in puts if put.name not in there], removes)


# --- what a pull tells ----------------------------------------------------------------------------------------


@dataclass
class News:
    """What a pull has to tell senders, all at once at its end; whatever ends it before, the next one tells it."""

    we: Ourselves
    listing: Listing
    _puts: dict[str, Put] = field(default_factory=dict)

    def add(self, one: Waiting, status: str, runtime: Runtime, *, reason: str | None = None) -> None:
        """Something of a package that stays in the relay: `received` or `refused`."""
        told = _told(one, status, reason=reason)
        if told is not None and not is_told(told, self.we, self.listing.entries):
            put = make_receipt(told, self.we, runtime)
            self._puts[put.name] = put

    def send(self, relay: Transport) -> None:
        """Leave it in our relay. Raises `RelayError`."""
        if self._puts:
            _change(relay, list(self._puts.values()), [])
            self._puts.clear()


# --- what is remembered ---------------------------------------------------------------------------------------


def seen_before(we: Ourselves, runtime: Runtime) -> Seen:
    """What was decided and noticed before, about packages and about keys.

    Args:
        we: who we are.
        runtime: the surroundings.

    Raises:
        AliveP2PError: `state.json` cannot be used.
    """
    state = read_state(runtime)
    refused = {
        name: (str(one.get("sha256")), str(one.get("reason")))
        for name, one in _by_name(state, _REFUSED).items()
        if one.get("reason") in REASONS
    }
    too_large = {
        name: TooLarge(str(one.get("version")), limit)
        for name, one in _by_name(state, _TOO_LARGE).items()
        if isinstance(limit := one.get("limit"), int)
    }
    disputed = following.disputed(state, we.config.peers)
    return Seen(frozenset(_texts(state, _DECLINED)), refused, too_large, disputed)


def remember(
    refused: Mapping[str, tuple[str, str]], too_large: Mapping[str, TooLarge], listing: Listing
) -> Callable[[RelayState], RelayState]:
    """The change to `state.json` that keeps what was found out; what lies in the relay no more is forgotten.

    Args:
        refused: by deposit, the hash of the file and the word for why.
        too_large: by deposit, what was more than may be fetched.
        listing: what lay in our relay.
    """
    new: dict[str, dict[str, Any]] = {
        _REFUSED: {name: {"sha256": one[0], "reason": one[1]} for name, one in refused.items()},
        _TOO_LARGE: {name: {"version": one.version, "limit": one.limit} for name, one in too_large.items()},
    }

    def change(state: RelayState) -> RelayState:
        for key, found in new.items():
            before = _by_name(state, key)
            there = {name: one for name, one in {**before, **found}.items() if name in listing.entries}
            if there or before:
                state = state.with_field(key, dict(list(there.items())[-_MOST_REMEMBERED:]))
        return state

    return change


def was_declined(sha256: str, state: RelayState) -> bool:
    """Whether a file of this hash was declined."""
    return sha256 in _texts(state, _DECLINED)


def _texts(state: RelayState, key: str) -> list[str]:
    known = state.raw.get(key)
    return [one for one in known if isinstance(one, str)] if isinstance(known, list) else []


def _by_name(state: RelayState, key: str) -> dict[str, dict[str, Any]]:
    known = state.raw.get(key)
    return {name: one for name, one in known.items() if isinstance(one, dict)} if isinstance(known, dict) else {}


def _without(state: RelayState, key: str, name: str) -> RelayState:
    known = _by_name(state, key)
    return state.with_field(key, {other: one for other, one in known.items() if other != name}) if known else state


# --- what was interrupted -------------------------------------------------------------------------------------


def tidy(we: Ourselves, relay: Transport, listing: Listing, runtime: Runtime) -> Listing:
    """Finish what was declined and interrupted, and remove what interrupted pulls have left in our relay.

    Returns:
        What lies there then.

    Raises:
        AliveP2PError: the relay cannot be written to, or `state.json` not be used.
    """
    begun = _by_name(read_state(runtime), _DECLINING)
    halves = (mailbox.note_of(name) for name in begun if name not in listing.entries)
    gone = {*orphans(listing, runtime), *(name for name in halves if name in listing.entries)}
    if gone:
        relay.change(removes=sorted(gone))
    for one in waiting(we, relay, listing, names=begun) if begun else ():
        known = begun[one.deposit.name]
        if known.get("sha256") != (one.note.file_sha256 if one.note is not None else None):
            continue  # somebody has put something else in its place
        note = known.get("note")
        settle(one, "declined", we, relay, listing, runtime, note=note if isinstance(note, str) else None)
        gone |= {one.deposit.name, mailbox.note_of(one.deposit.name)}
    if begun:

        def end(state: RelayState) -> RelayState:
            left = {name: one for name, one in _by_name(state, _DECLINING).items() if name not in begun}
            return state.with_field(_DECLINING, left)

        change_state(runtime, end)
    return Listing({name: one for name, one in listing.entries.items() if name not in gone}, listing.oddities)
