"""Writing gzip: what comes out is the content, whatever it is, however it is cut, and small (format.md §1)."""

import gzip
import io
import os
import random
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.package import gzip_writer
from alive_p2p.package.compression import GzipSource
from alive_p2p.package.gzip_writer import BLOCK, GzipWriter

_WORDS = [b"hull", b"of", b"the", b"station", b"turns", b"once", b"a", b"day", b"and", b"nobody", b"feels", b"it"]


def _text(size: int, seed: int) -> bytes:
    """Text that deflates well, and in no two places the same way."""
    generator = random.Random(seed)
    return b" ".join(generator.choices(_WORDS, k=size // 4))[:size]


def _written(data: bytes, *, cut: int = 1 << 18, reproducible: bool = False) -> bytes:
    output = io.BytesIO()
    with GzipWriter(output, reproducible=reproducible) as writer:
        for start in range(0, len(data), cut):
            writer.write(data[start : start + cut])
    assert not output.closed
    return output.getvalue()


@pytest.mark.usefixtures("backend")
@given(
    pieces=st.lists(st.tuples(st.sampled_from(["text", "noise", "zeros"]), st.integers(0, 300)), max_size=12),
    cut=st.integers(1, 999),
    reproducible=st.booleans(),
)
def test_what_is_written_is_what_is_read(pieces: list[tuple[str, int]], cut: int, reproducible: bool) -> None:
    """By the standard library and by our own reader, over any number of blocks and pieces of any kind and size."""
    makers = {"text": lambda n: _text(n, n), "noise": lambda n: random.Random(n).randbytes(n), "zeros": bytes}
    data = b"".join(makers[kind](size) for kind, size in pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip_writer, "BLOCK", 256)
        written = _written(data, cut=cut, reproducible=reproducible)
    assert gzip.decompress(written) == data
    assert GzipSource(io.BytesIO(written), 1 << 30).read(1 << 30) == data


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_every_border_of_a_block(size: int) -> None:
    """Nothing is lost and nothing is there twice, and `gzip` itself has no objection."""
    data = _text(size, 1)
    written = _written(data)
    assert gzip.decompress(written) == data
    assert subprocess.run(["gzip", "-dc"], input=written, capture_output=True, check=True).stdout == data


@pytest.mark.usefixtures("backend")
def test_cutting_into_blocks_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a hundredth more than in one piece."""
    data = _text(4 * BLOCK + 5, 2)
    cut = len(_written(data))
    monkeypatch.setattr(gzip_writer, "BLOCK", len(data))
    assert cut < len(_written(data)) * 1.01


@pytest.mark.usefixtures("backend")
def test_what_does_not_get_smaller_is_stored() -> None:
    """It grows by the headers of the stored parts and by nothing else; text beside it is deflated all the same."""
    noise = random.Random(3).randbytes(2 * BLOCK)
    written = _written(noise)
    assert gzip.decompress(written) == noise
    assert noise[1000:1100] in written
    assert len(written) < len(noise) * 1.001
    assert len(_written(noise + bytes(2 * BLOCK))) < len(noise) * 1.01


@pytest.mark.parametrize("reproducible", [True, False])
def test_the_bytes_depend_on_the_data_alone(reproducible: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on the number of processors, and not on how the data was cut."""
    data = _text(2 * BLOCK + 77, 4) + random.Random(5).randbytes(BLOCK)
    once = _written(data, reproducible=reproducible)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert _written(data, cut=777_777, reproducible=reproducible) == once


@pytest.mark.parametrize("reproducible", [True, False])
def test_the_writer_leaves_no_trace_in_the_header(reproducible: bool) -> None:
    """No name, no time, no system."""
    assert _written(b"x", reproducible=reproducible)[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_a_failure_ends_every_thread_and_writes_no_end() -> None:
    """Whoever reads what is there sees that it is cut off."""
    before = threading.active_count()
    output = io.BytesIO()

    def fail() -> None:
        with GzipWriter(output, reproducible=False) as writer:
            writer.write(_text(5 * BLOCK, 6))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert threading.active_count() == before
    with pytest.raises(EOFError):
        gzip.decompress(output.getvalue())


def test_an_output_that_refuses_is_heard() -> None:
    """A full disk is an error of the writing, at the latest when it ends."""

    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:
            if self.tell() > 100:
                raise OSError(28, "no space")
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(OSError, match="no space"), GzipWriter(Full(), reproducible=False) as writer:
        writer.write(random.Random(7).randbytes(6 * BLOCK))
