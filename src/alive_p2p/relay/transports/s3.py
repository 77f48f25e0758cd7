"""A relay in a bucket, at Amazon or at any store that speaks its protocol (relay.md §1, §8).

A bucket knows no change of several things at once. So a change is written in its order, a note before the package that
it is about, and an object appears when it is complete: whoever sees the package finds the note. What was written is
taken back where the rest cannot be; what a killed process has left is one note without a package, which whoever sends
again replaces, and which the owner's pulls clear away.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.relay.transports import s3_address
from alive_p2p.relay.transports.base import (
    Entry,
    Listing,
    Progress,
    Put,
    SizeLimits,
    Traffic,
    checked_name,
    gone,
    over_limit,
    refusal,
    taken,
)
from alive_p2p.relay.transports.s3_bucket import MOST_PARTS, PART, Bucket
from alive_p2p.relay.transports.s3_errors import Kind, StoreProblem
from alive_p2p.relay.transports.s3_listing import listing
from alive_p2p.relay.transports.s3_login import find_login
from alive_p2p.relay.transports.s3_small import SMALL, ReadAhead
from alive_p2p.relay.transports.s3_writing import Writer
from alive_p2p.runtime import Runtime

GIVE_UP_SECONDS = 120.0
_NOTHING = "everything; nothing was changed there"
_SOMETHING = "what was there before; what was written so far counts for nothing, and goes with the next try"
_UNCLEAR = "what was there before; whether all of it was written is seen with the next try"


class S3Transport:
    """One person's access to a relay in a bucket.

    Args:
        url: its address, already looked at by `reach.refuse_bad_address`.
        runtime: the surroundings; the person's login for S3 is looked for there.
        timeout_seconds: how long one exchange may take; None for as long as it gets on.
        is_our_place: our own relay lies at the same store, so that our login is meant for it.

    Raises:
        RelayError: `s3-missing`: the library is not installed; or there is no login for this store.
    """

    sizes = SizeLimits(most=PART * MOST_PARTS)

    def __init__(
        self, url: str, runtime: Runtime, *, timeout_seconds: float | None = None, is_our_place: bool = False
    ) -> None:
        self._address = s3_address.parse(url)
        self._runtime = runtime
        login = find_login(self._address, runtime, is_our_place=is_our_place)
        self._bucket = Bucket(self._address, login, runtime, timeout_seconds)
        patience = GIVE_UP_SECONDS if timeout_seconds is None else min(GIVE_UP_SECONDS, timeout_seconds)
        self._writer = Writer(self._bucket, runtime, patience)
        self._ahead = ReadAhead(self._fetch_small)
        self.url = self._address.url

    # -- reading -----------------------------------------------------------------------------------------------

    def list(self, *folders: str) -> Listing:
        """What lies below these folders, or everywhere."""
        try:
            found = listing(self._bucket, folders, self._writer.again)
        except StoreProblem as problem:
            raise problem.error() from None
        self._ahead.learn(found.entries.values())
        return found

    def read(self, entry: Entry, output: BinaryIO, *, limit: int, progress: Progress | None = None) -> None:
        """Fetch what `list` has told of: this version, or nothing."""
        if refusal(entry.name) is not None:
            raise gone(entry)
        if limit <= SMALL and (data := self._ahead.content(entry)) is not None:
            if len(data) > limit:
                raise over_limit(entry, limit)
            output.write(data)
            if progress is not None:
                progress(len(data), len(data))
            return
        done = 0
        try:
            for piece in self._pieces(entry, limit):
                done += len(piece)
                if done > limit or not piece:
                    raise over_limit(entry, limit)
                output.write(piece)
                if progress is not None:
                    progress(done, entry.size or done)
        except StoreProblem as problem:
            if problem.kind in {Kind.GONE, Kind.CHANGED}:
                raise gone(entry) from None
            raise problem.error() from None

    def _pieces(self, entry: Entry, limit: int) -> Iterator[bytes]:
        """The pieces of a file; tried again where the first does not come. Raises `StoreProblem`."""

        def begin() -> tuple[Iterator[bytes], bytes | None]:
            pieces = self._bucket.read(self._address.key(entry.name), entry.version, limit)
            return pieces, next(pieces, None)

        pieces, first = self._writer.again(begin)
        if first is not None:
            yield first
            yield from pieces

    def _fetch_small(self, entries: Sequence[Entry]) -> Sequence[bytes | None]:
        def fetch(entry: Entry) -> bytes | None:
            return self._bucket.whole(self._address.key(entry.name), entry.version, SMALL)[1]

        found = self._bucket.together([lambda entry=entry: fetch(entry) for entry in entries])  # type: ignore[misc]
        return [None if isinstance(one, Exception) else one for one in found]

    def stop(self) -> None:
        """End what is under way."""
        self._bucket.stop()

    # -- writing -----------------------------------------------------------------------------------------------

    def change(
        self, puts: Sequence[Put] = (), removes: Sequence[str] = (), *, progress: Progress | None = None
    ) -> Traffic:
        """Write, then remove, in the order given; where something cannot be written, what is new is taken back."""
        names = [checked_name(put.name) for put in puts]
        unwanted = [checked_name(name) for name in removes if name not in names]
        total = 0
        for put in puts:
            with files.translating("read", str(put.content) if not isinstance(put.content, bytes) else put.name):
                total += put.size
        new: list[str] = []
        sent = 0
        for put in puts:

            def tell(done: int, before: int = sent) -> None:
                if progress is not None:
                    progress(before + done, total)

            try:
                if self._writer.put(put, tell):
                    new.append(put.name)
            except StoreProblem as problem:
                if problem.kind is Kind.UNCLEAR:  # the package may be there: then it needs its note
                    raise problem.error(_UNCLEAR) from None
                is_clean = self._writer.take_back(new)
                if problem.kind is Kind.TAKEN:
                    raise taken(put.name) from None
                raise problem.error(_NOTHING if is_clean else _SOMETHING) from None
            except AliveP2PError:
                self._writer.take_back(new)
                raise
            sent += put.size
            tell(put.size)
        self._writer.remove(unwanted)
        return Traffic(sent=sent)
