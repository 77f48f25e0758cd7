"""age for keys: the age library, which handles whole files, as streams in constant memory (format.md §5).

The library reads or writes a whole file in one call, so it works in a thread behind a small bounded pipe. Its errors
carry text and nothing else; those of the streams it works on are kept aside and come out as they went in.
"""

import contextlib
import io
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package.envelopes.age_errors import CannotOpenAgeError
from alive_p2p.package.envelopes.age_header import AgeHeader, read_header
from alive_p2p.package.envelopes.age_pipe import AbortedError, Pipe, PipeReader, PipeWriter, stop
from alive_p2p.package.envelopes.base import NO_CREDENTIALS, Addressees, Readable, Sealer, not_for_us

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer

_CHUNK = 1 << 16
_NO_MATCH = "No matching keys found"
"""All by which the library tells this from damage; pinned by a test."""


class _Outcome:
    """How the worker ended.

    Attributes:
        done: whether all of it succeeded.
        foreign: what the stream it works on raised, if that is why it ended.
        told: what the library said, otherwise.
    """

    def __init__(self) -> None:
        self.done = False
        self.foreign: BaseException | None = None
        self.told = ""


class _Output:
    """The package as the worker writes it; remembers why that failed."""

    def __init__(self, output: io.BufferedIOBase, outcome: _Outcome) -> None:
        self._output = output
        self._outcome = outcome

    def write(self, data: bytes, /) -> int:
        try:
            self._output.write(data)
        except BaseException as error:
            self._outcome.foreign = error
            raise
        return len(data)

    def flush(self) -> None:
        """Whoever owns the output flushes it."""


class _Input:
    """An age file as the worker reads it: the header that was checked, then the rest; remembers why that failed."""

    def __init__(self, header: AgeHeader, outcome: _Outcome) -> None:
        self._stream = header.payload
        self._ahead = memoryview(header.raw)
        self._outcome = outcome

    def read(self, size: int, /) -> bytes:
        if not self._ahead:
            try:
                self._ahead = memoryview(self._stream.read(_CHUNK))
            except BaseException as error:
                self._outcome.foreign = error
                raise
        piece = bytes(self._ahead[:size])
        self._ahead = self._ahead[size:]
        return piece


def _seal(pipe: Pipe, output: io.BufferedIOBase, recipients: list[object], outcome: _Outcome) -> None:
    import pyrage  # type: ignore[import-untyped,unused-ignore]

    try:
        pyrage.encrypt_io(PipeReader(pipe), _Output(output, outcome), recipients)
        # The library's own buffer swallows what the output raises for the last bytes.
        outcome.done = outcome.foreign is None
    except BaseException as error:  # noqa: BLE001  (kept for the other thread, which raises it)
        outcome.told = str(error)
    finally:
        pipe.abort()  # whoever still puts must not wait for a reader that has gone


def _open(pipe: Pipe, header: AgeHeader, identities: list[object], outcome: _Outcome) -> None:
    import pyrage  # type: ignore[import-untyped,unused-ignore]

    try:
        pyrage.decrypt_io(_Input(header, outcome), PipeWriter(pipe), identities)
        outcome.done = True
    except BaseException as error:  # noqa: BLE001  (kept for the other thread, which raises it)
        outcome.told = str(error)
    with contextlib.suppress(AbortedError):
        pipe.end()


class KeySealer(Sealer):
    """Seals what is written for one or more keys (format.md §5).

    The file is complete only after `finish` or `close`; one that was left alone or aborted cannot be opened. `output`
    is written to by another thread: it must not be used otherwise before `finish` or `abort`.

    Args:
        output: where the package goes; it is left open.
        recipients: the age library's recipients (`pyrage.ssh.Recipient`, `pyrage.x25519.Recipient`), at least one.
    """

    def __init__(self, output: io.BufferedIOBase, recipients: Sequence[object]) -> None:
        super().__init__(output)
        self._pipe = Pipe()
        self._outcome = _Outcome()
        self._over = False
        # The worker knows the pipe and not this object, so that it ends also when this is simply forgotten.
        self._worker = threading.Thread(
            target=_seal,
            args=(self._pipe, output, list(recipients), self._outcome),
            name="age-seal",
            daemon=True,
        )
        weakref.finalize(self, self._pipe.abort)
        self._worker.start()

    def write(self, data: "ReadableBuffer", /) -> int:
        """Seal a piece.

        Raises:
            OSError: the output raised it, maybe for an earlier piece; nothing more can be written.
            AliveP2PError: it cannot be sealed for these recipients.
        """
        if self._over:
            message = "nothing can be written any more"
            raise ValueError(message)
        view = memoryview(data)
        try:
            self._pipe.put(view)
        except AbortedError:
            self._over = True
            self._worker.join()
            raise self._failure() from None
        return view.nbytes

    def finish(self) -> None:
        """Complete the file; nothing may be written after it. Raises as `write`."""
        if self._over:
            return
        self._over = True
        with contextlib.suppress(AbortedError):  # the worker tells why
            self._pipe.end()
        self._worker.join()
        if not self._outcome.done:
            raise self._failure()

    def abort(self) -> None:
        """End without completing it, and without waiting: what was written can never be taken for a package."""
        self._over = True
        stop(self._pipe, self._worker)

    def close(self) -> None:
        """`finish`, unless it was done or aborted."""
        if not self.closed:
            try:
                self.finish()
            finally:
                super().close()

    def __exit__(self, kind: object, error: BaseException | None, traceback: "TracebackType | None") -> None:
        if error is not None:
            self.abort()
        self.close()

    def __del__(self) -> None:
        """Collecting it must not complete a package that its maker gave up, as the base class would."""

    def _failure(self) -> BaseException:
        foreign = self._outcome.foreign
        if isinstance(foreign, OSError | AliveP2PError):
            return foreign
        return AliveP2PError(
            "cannot-seal",
            f"the package cannot be encrypted for these recipients: {self._outcome.told or foreign}",
            hint="check the recipients' keys",
        )


class KeySource:
    """Opens an age file with private keys (format.md §5).

    Every byte that comes out was authenticated, but that nothing is missing is known only at the end: what was read
    is to be discarded when `read` raises. To be closed also when it is not read to its end.

    Args:
        stream: the age file from its start, binary or armored. Another thread reads it until the end or `close`.
        identities: the age library's identities (`pyrage.ssh.Identity`, `pyrage.x25519.Identity`).
        header: the header if it was read already; then `stream` is not touched, only the header's `payload`.
        refusal: makes the error for when none of the identities fits.
    """

    def __init__(
        self,
        stream: Readable,
        identities: Sequence[object],
        *,
        header: AgeHeader | None = None,
        refusal: Callable[[], PackageError] = lambda: not_for_us(NO_CREDENTIALS, Addressees()),
    ) -> None:
        self._stream = stream
        self._refusal = refusal
        self._header = header
        self._identities = list(identities)
        self._pipe = Pipe()
        self._reader = PipeReader(self._pipe)
        self._outcome = _Outcome()
        self._worker: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._closed = False
        # The worker knows the pipe and not this object, so that it ends also when this is simply forgotten.
        weakref.finalize(self, self._pipe.abort)

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none only at the end, when the last chunk was found whole.

        Raises:
            PackageError: none of the identities is among its recipients (what `refusal` makes).
            CannotOpenAgeError: it is malformed, altered or cut off; again at every further call.
            AgeHeaderOverLimitError: its header is larger than any real one.
            OSError: the stream raised it.
        """
        if self._closed:
            message = "it is closed"
            raise ValueError(message)
        if self._failure is not None:
            raise self._failure
        try:
            worker = self._worker or self._start()
            piece = self._reader.read(size) if size else b""
        except AliveP2PError as error:
            self._failure = error
            raise
        if piece or not size:
            return piece
        worker.join()
        if not self._outcome.done:
            self._failure = self._why()
            raise self._failure
        return b""

    def close(self) -> None:
        """End the worker, wherever it is. The stream is left open."""
        self._closed = True
        if self._worker is not None:
            stop(self._pipe, self._worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> threading.Thread:
        # The library would take any size of header and parse it again with every block that comes in.
        header = self._header or read_header(self._stream)
        self._worker = threading.Thread(
            target=_open,
            args=(self._pipe, header, self._identities, self._outcome),
            name="age-open",
            daemon=True,
        )
        self._worker.start()
        return self._worker

    def _why(self) -> BaseException:
        if self._outcome.foreign is not None:
            return self._outcome.foreign
        if _NO_MATCH in self._outcome.told:
            return self._refusal()
        return CannotOpenAgeError()
