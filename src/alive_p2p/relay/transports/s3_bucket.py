"""One bucket, asked through the library within limits of ours: nothing is waited for without end (relay.md §8).

Every request is made in a thread that can be given up on. The library's own asynchronous functions are not used: with
them one process in ten is aborted by its runtime when Python ends.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar

from alive_p2p import files
from alive_p2p.errors import RelayError
from alive_p2p.installer import how_to_install
from alive_p2p.relay.transports.s3_address import Address
from alive_p2p.relay.transports.s3_errors import Kind, StoreProblem, overtime, problem_of
from alive_p2p.relay.transports.s3_login import Login
from alive_p2p.runtime import Runtime

if TYPE_CHECKING:
    from obstore.store import S3Store

PART = 8 << 20
"""So much of a file is in memory at a time; what is larger is sent in parts of this size."""

MOST_PARTS = 10_000
MOST_AT_ONCE = 16
"""Requests at the same time."""

_READING = {"read_timeout": "30s", "timeout": "24h"}
"""So long nothing may arrive. While something is sent nothing does, so this is for reading only."""

_WRITING = {"timeout": "10min"}
"""So long one part may take: a line that is slower than 14 KB/s is not waited for."""

_LIST_SECONDS = 60.0
_SMALL_SECONDS = 60.0
_SLOWEST = 4 << 10
"""Bytes per second; what comes or goes slower than this in all is given up."""

_PAGE = 1000
_MOST_CERTIFICATES = 4 << 20

_TAG = re.compile(r"[\w+/=.:-]{1,200}", re.ASCII)

THREAD_NAME = "ask-a-bucket"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Stored:
    """An object: its whole name in the bucket, the text that is another one whenever its content is, and its size."""

    key: str
    version: str | None
    size: int


class Bucket:
    """A bucket, for one person.

    Args:
        address: where it is.
        login: who we are there.
        runtime: the surroundings.
        timeout_seconds: how long one exchange may take; None for as long as it gets on.

    Raises:
        RelayError: `s3-missing`: the library is not installed.
    """

    def __init__(self, address: Address, login: Login, runtime: Runtime, timeout_seconds: float | None) -> None:
        self.address = address
        self._login = login
        self._runtime = runtime
        self._seconds = timeout_seconds
        self._is_stopped = False
        self._running: set[_Task[Any]] = set()
        self._reading = _store(address, login, runtime, _READING)

    @cached_property
    def _writing(self) -> "S3Store":
        return _store(self.address, self._login, self._runtime, _WRITING)

    def below(self, prefix: str, most: int) -> list[Stored]:
        """What begins with a prefix that ends in a slash or is empty; at most one more than `most`.

        Raises:
            StoreProblem: it cannot be listed; `Kind.BAD_NAME` where one of the names is none.
        """

        def pages(task: _Task[list[Stored]]) -> list[Stored]:
            found: list[Stored] = []
            for page in self._reading.list(prefix.rstrip("/") or None, chunk_size=_PAGE):
                found += map(_stored, page)
                if len(found) > most or task.is_given_up:
                    break
            return found[: most + 1]

        return self._within(pages, _LIST_SECONDS)

    def folder(self, prefix: str) -> tuple[list[Stored], list[str]]:
        """What lies right below a prefix, and the prefixes of what lies deeper.

        Raises:
            StoreProblem: as for `below`.
        """
        found = self._within(lambda _: self._reading.list_with_delimiter(prefix.rstrip("/") or None), _LIST_SECONDS)
        return [*map(_stored, found["objects"])], [f"{one.rstrip('/')}/" for one in found["common_prefixes"]]

    def version(self, key: str) -> str | None:
        """The version of an object, without its content. Raises `StoreProblem`."""
        return _unquoted(self._within(lambda _: self._reading.head(key), _SMALL_SECONDS)["e_tag"])

    def read(self, key: str, version: str | None, limit: int) -> Iterator[bytes]:
        """The content of an object, in pieces; one more than the limit at most.

        Args:
            key: its name.
            version: only this one; None for whichever is there.
            limit: bytes. What is larger is not fetched: then there is one empty piece, and nothing more.

        Raises:
            StoreProblem: it cannot be read; `Kind.GONE` or `Kind.CHANGED` where it is not there.
        """
        options: Any = {} if version is None else {"if_match": f'"{version}"'}
        answer = self._within(lambda _: self._reading.get(key, options=options), _SMALL_SECONDS)
        size = answer.meta["size"]
        if size > limit:
            yield b""
            return
        stream = iter(answer.stream(min_chunk_size=files.CHUNK))
        left = _SMALL_SECONDS + size / _SLOWEST
        done = 0
        while done <= limit:
            begun = self._runtime.monotonic()
            piece = self._within(lambda _: next(stream, None), left)
            left = max(1.0, left - (self._runtime.monotonic() - begun))
            if piece is None:
                return
            done += len(piece)
            yield bytes(piece)

    def whole(self, key: str, version: str | None, limit: int) -> tuple[str | None, bytes | None]:
        """The content of a small object in one go, and its version; no content where it is larger than the limit.

        Raises:
            StoreProblem: as for `read`.
        """
        options: Any = {} if version is None else {"if_match": f'"{version}"'}

        def fetch(_: object) -> tuple[str | None, bytes | None]:
            answer = self._reading.get(key, options=options)
            found = _unquoted(answer.meta["e_tag"])
            if answer.meta["size"] > limit:
                return found, None
            data = b""
            for piece in answer.stream(min_chunk_size=files.CHUNK):
                data += bytes(piece)
                if len(data) > limit:
                    return found, None
            return found, data

        return self._within(fetch, _SMALL_SECONDS)

    def put(self, key: str, data: bytes, *, over: str | None = None, is_new: bool = False) -> None:
        """Write an object of up to one part.

        Args:
            key: its name.
            data: its content.
            over: write only where it has this version.
            is_new: write only where it is not there.

        Raises:
            StoreProblem: it was not written, or nobody knows; `Kind.TAKEN`, `Kind.CHANGED`.
        """
        mode: Any = "create" if is_new else {"e_tag": f'"{over}"'} if over is not None else "overwrite"
        seconds = _SMALL_SECONDS + len(data) / _SLOWEST
        self._within(lambda _: self._writing.put(key, data, mode=mode, use_multipart=False), seconds)

    def put_parts(self, key: str, source: BinaryIO, size: int, on_read: Callable[[int], None]) -> None:
        """Write a large object, which appears when its last part has been sent.

        Args:
            key: its name.
            source: its content.
            size: how much that is.
            on_read: called with the bytes that were read so far, in another thread.

        Raises:
            StoreProblem: it was not written, or nobody knows.
            OSError: the source cannot be read.
        """

        def pieces(task: _Task[Any]) -> Iterator[bytes]:
            done = 0
            while not task.is_given_up and (piece := source.read(files.CHUNK)):
                done += len(piece)
                yield piece
                on_read(done)
            if done != size:
                raise OSError("the file has changed while it was sent")

        self._within(
            lambda task: self._writing.put(key, pieces(task), use_multipart=True, chunk_size=PART, max_concurrency=2),
            _SMALL_SECONDS + size / _SLOWEST,
        )

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects, one after the other; what is not there is passed over. Raises `StoreProblem`."""
        for key in keys:
            try:
                self._within(lambda _, key=key: self._writing.delete(key), _SMALL_SECONDS)  # type: ignore[misc]
            except StoreProblem as problem:
                if problem.kind is not Kind.GONE:
                    raise

    def together(self, calls: Sequence[Callable[[], _T]]) -> list[_T | StoreProblem | RelayError]:
        """Make several requests at the same time; what came of each."""
        found: list[_T | StoreProblem | RelayError] = []
        for at in range(0, len(calls), MOST_AT_ONCE):
            tasks = [_Task(lambda _, call=call: call()) for call in calls[at : at + MOST_AT_ONCE]]  # type: ignore[misc]
            for task in tasks:
                task.begin()
            for task in tasks:
                try:
                    found.append(task.result(None))
                except (StoreProblem, RelayError) as problem:
                    found.append(problem)
        return found

    def stop(self) -> None:
        """Wait no longer for what is under way in other threads, and let nothing begin any more."""
        self._is_stopped = True
        for task in list(self._running):
            task.give_up()

    def _within(self, call: "Callable[[_Task[_T]], _T]", seconds: float) -> _T:
        """Make a request that has so long, or so long as the caller has. Raises `StoreProblem`."""
        limit = seconds if self._seconds is None else min(seconds, self._seconds)
        task = _Task(call)
        self._running.add(task)
        try:
            if self._is_stopped:
                raise _OvertimeError
            task.begin()
            return task.result(limit)
        except _OvertimeError:
            raise overtime(self.address, None if self._is_stopped else limit) from None
        except StoreProblem:
            raise
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                raise  # it is about a file of ours
            raise problem_of(error, self.address, self._login) from None
        finally:
            self._running.discard(task)


class _OvertimeError(Exception):
    """It did not end in time."""


class _Task(Generic[_T]):
    """Something that is done in a thread of its own, which is left behind where it does not end.

    Attributes:
        is_given_up: nobody waits for it any more; it is to stop where it can.
    """

    def __init__(self, call: "Callable[[_Task[_T]], _T]") -> None:
        self.is_given_up = False
        self._call = call
        self._ended = threading.Event()
        self._is_done = False
        self._value: list[_T] = []
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Begin; to be called once."""
        threading.Thread(target=self._run, name=THREAD_NAME, daemon=True).start()

    def result(self, seconds: float | None) -> _T:
        """What came of it. Raises what it has raised, or `_OvertimeError`."""
        try:
            self._ended.wait(seconds)
        finally:
            self.is_given_up = not self._is_done
        if not self._is_done:
            raise _OvertimeError
        if self._error is not None:
            raise self._error
        return self._value[0]

    def give_up(self) -> None:
        """Let whoever waits for it wait no longer."""
        self.is_given_up = True
        self._ended.set()

    def _run(self) -> None:
        try:
            self._value.append(self._call(self))
        except BaseException as error:  # noqa: BLE001  (raised again by whoever waits)
            self._error = error
        self._is_done = True
        self._ended.set()


def _store(address: Address, login: Login, runtime: Runtime, limits: Mapping[str, str]) -> "S3Store":
    """The library's access to a bucket; what it would take from the environment by itself is said instead."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise RelayError(
            "s3-missing",
            "a relay in a bucket needs a library that is not installed",
            untouched="everything",
            hint=f"install it with {how_to_install('s3')}",
        ) from None
    config: Any = {
        "bucket": address.bucket,
        "endpoint": address.base,
        "aws_endpoint_url_s3": address.base,
        "region": address.region,
        "virtual_hosted_style_request": False,
        "skip_signature": False,
        "conditional_put": "etag",
        "disable_bulk_delete": True,
        "s3_express": False,
        "unsigned_payload": False,
    }
    provider: Any = None
    if "access_key_id" in login.settings:
        keys = {"expires_at": None, "token": None, **login.settings}
        keys["token"] = keys.pop("session_token", None)
        provider = lambda: keys  # noqa: E731  (so that a token in the environment is not taken along)
    else:
        config |= login.settings
    client: Any = {
        "allow_http": address.base.startswith("http:"),
        "allow_invalid_certificates": False,
        "connect_timeout": "10s",
        "user_agent": "alive-p2p",
        **limits,
    }
    if bundle := runtime.environ.get("AWS_CA_BUNDLE"):
        client["root_certificate"] = files.read_bytes(runtime.cwd / bundle, limit=_MOST_CERTIFICATES)
    try:
        return S3Store(
            config=config, client_options=client, retry_config={"max_retries": 0}, credential_provider=provider
        )
    except Exception as error:  # noqa: BLE001  (the library has no one root for its own)
        raise problem_of(error, address, login).error() from None


def _stored(found: Mapping[str, Any]) -> Stored:
    return Stored(found["path"], _unquoted(found["e_tag"]), found["size"])


def _unquoted(tag: str | None) -> str | None:
    """A version as text; None where the store gives none, or one that nobody could ask for."""
    tag = (tag or "").strip('"')
    return tag if _TAG.fullmatch(tag) else None
