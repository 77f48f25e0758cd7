"""Writing into a bucket: new files, files that may be replaced, large ones, and removing (relay.md §8).

Every write says what it expects to find there, as far as the store and our rights allow it.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from alive_p2p import files
from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.base import Put
from alive_p2p.relay.transports.s3_bucket import PART, Bucket
from alive_p2p.relay.transports.s3_errors import Kind, StoreProblem
from alive_p2p.runtime import Runtime

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 6.0
_READ_SECONDS = 10.0
_FEW_TRIES = 3
"""So often something is tried that may work the next time; where others are only faster, as long as the time lasts."""

_COMPARED = 1 << 20
"""A file that may be replaced and is not larger is compared with what is there."""

_ONE_BY_ONE = 8
"""So many are removed in their order; more at the same time."""

_T = TypeVar("_T")
_random = random.SystemRandom()


class Patience:
    """How long something is tried again, with growing pauses that are others than everybody else's.

    Args:
        runtime: the surroundings.
        seconds: how long.

    Attributes:
        is_unclear: one of the tries may have done it.
    """

    def __init__(self, runtime: Runtime, seconds: float) -> None:
        self._runtime = runtime
        self._until = runtime.monotonic() + seconds
        self._tries = 0
        self.is_unclear = False

    def wait_after(self, problem: StoreProblem, *, is_race: bool = False) -> None:
        """Wait before the next try; raises the problem where there is to be none, as unclear where it is that in all.

        Args:
            problem: what went wrong.
            is_race: somebody was faster.
        """
        self._tries += 1
        self.is_unclear = self.is_unclear or problem.kind is Kind.UNCLEAR
        is_early = self._runtime.monotonic() < self._until
        is_worth_it = is_early and (
            is_race or problem.kind is Kind.BUSY or (problem.kind is Kind.UNCLEAR and self._tries < _FEW_TRIES)
        )
        if not is_worth_it:
            if self.is_unclear and problem.kind is not Kind.TAKEN:
                problem.kind = Kind.UNCLEAR
            raise problem
        self._runtime.sleep(_random.uniform(0.2, 1) * min(_LONGEST_PAUSE, _FIRST_PAUSE * 1.5**self._tries))


class Writer:
    """Writes into one bucket.

    Args:
        bucket: the bucket.
        runtime: the surroundings.
        seconds: how long something is tried where others are always faster, or the store is busy.
    """

    def __init__(self, bucket: Bucket, runtime: Runtime, seconds: float) -> None:
        self._bucket = bucket
        self._runtime = runtime
        self._give_up = seconds

    def put(self, put: Put, tell: Callable[[int], None]) -> bool:
        """Write one file; whether it is new, so that it can be taken back.

        Args:
            put: the file.
            tell: called with the bytes that are done, for a large one.

        Raises:
            StoreProblem: it was not written, or nobody knows; `Kind.TAKEN`: something is there that may not give way.
            FileSystemError: it cannot be read here.
        """
        key = self._bucket.address.key(put.name)
        with files.translating("read", str(put.content) if not isinstance(put.content, bytes) else put.name):
            size = put.size
            if size > PART:
                self._put_large(key, put, size, tell)
            else:
                with put.open() as stream:
                    data = stream.read()
                if put.replaces:
                    self._replace(key, data)
                else:
                    self._create(key, data)
        return not put.replaces

    def _create(self, key: str, data: bytes) -> None:
        """Write a file that must not be there. Raises `StoreProblem`."""
        patience = Patience(self._runtime, self._give_up)
        while True:
            try:
                self._bucket.put(key, data, is_new=True)
            except StoreProblem as problem:
                if problem.kind is Kind.TAKEN and patience.is_unclear and self._holds(key, data):
                    return  # it was us: the store took it, and its answer got lost
                patience.wait_after(problem)
            else:
                return

    def _holds(self, key: str, data: bytes) -> bool:
        with suppress(StoreProblem):
            return self._bucket.whole(key, None, len(data))[1] == data
        return False

    def _replace(self, key: str, data: bytes) -> None:
        """Write a file over another one, or anew; the same content again is no change. Raises `StoreProblem`."""
        patience = Patience(self._runtime, self._give_up)
        is_conditional = True
        while True:
            try:
                version, there = self._look(key)
                if there == data:
                    return
                is_seen = version is not None and is_conditional
                self._bucket.put(
                    key, data, over=version if is_seen else None, is_new=version is None and is_conditional
                )
            except StoreProblem as problem:
                if problem.kind is Kind.NOT_OFFERED and is_conditional:
                    is_conditional = False
                    continue
                if problem.kind is Kind.TAKEN:  # we may not look at what is there, or somebody was faster
                    is_conditional = False
                elif problem.kind is not Kind.CHANGED:
                    patience.wait_after(problem)
                    continue
                patience.wait_after(problem, is_race=True)
            else:
                return

    def _look(self, key: str) -> tuple[str | None, bytes | None]:
        """What is there now: its version and its content, as far as it is there and we may see it."""
        try:
            return self._bucket.whole(key, None, _COMPARED)
        except StoreProblem as problem:
            if problem.kind in {Kind.GONE, Kind.DENIED}:
                return None, None
            raise

    def _put_large(self, key: str, put: Put, size: int, tell: Callable[[int], None]) -> None:
        """Write a file that does not fit into memory. Raises `StoreProblem`.

        A store takes parts without any condition, so whether the name is free is looked at before.
        """
        if not put.replaces:
            try:
                self.again(lambda: self._bucket.version(key))
            except StoreProblem as problem:
                if problem.kind not in {Kind.GONE, Kind.DENIED}:  # we may not look: its name is made by chance
                    raise
            else:
                raise StoreProblem(Kind.TAKEN, "relay-taken", "it is in the bucket already", "run it again")
        patience = Patience(self._runtime, self._give_up)
        while True:
            try:
                with put.open() as source:
                    self._bucket.put_parts(key, source, size, tell)
            except StoreProblem as problem:
                patience.wait_after(problem)
            else:
                return

    def take_back(self, names: Sequence[str]) -> bool:
        """Remove what a change has written that is not going to be whole; whether that was possible."""
        with suppress(StoreProblem):
            self._bucket.remove([self._bucket.address.key(name) for name in names])
            return True
        return False

    def remove(self, names: Sequence[str]) -> None:
        """Remove files; what is not there is passed over. Raises `RelayError`."""
        keys = [self._bucket.address.key(name) for name in names]
        if len(keys) <= _ONE_BY_ONE:
            for key in keys:
                self._remove_one(key)
            return
        found = self._bucket.together([lambda key=key: self._remove_one(key) for key in keys])  # type: ignore[misc]
        if (problem := next((one for one in found if isinstance(one, RelayError)), None)) is not None:
            raise problem

    def _remove_one(self, key: str) -> None:
        try:
            self.again(lambda: self._bucket.remove([key]))
        except StoreProblem as problem:
            raise problem.error("what has not been removed yet") from None

    def again(self, call: Callable[[], _T]) -> _T:
        """Do something that does no harm twice, and again where it may work the next time. Raises `StoreProblem`."""
        patience = Patience(self._runtime, min(self._give_up, _READ_SECONDS))
        while True:
            try:
                return call()
            except StoreProblem as problem:
                patience.wait_after(problem)
