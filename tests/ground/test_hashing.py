"""SHA-256 beside the work: the same hash, whatever the sizes, and no thread left."""

import hashlib
import io
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p import hashing
from alive_p2p.hashing import Sha256


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 300_000)), max_size=12))
@settings(max_examples=40)
def test_the_hash_is_that_of_all_pieces_in_order(pieces: list[tuple[int, int]]) -> None:
    """Below the size from which a thread hashes, above it, and across."""
    digest, expected = Sha256(), hashlib.sha256()
    for byte, size in pieces:
        piece = bytes([byte]) * size
        digest.update(piece)
        expected.update(piece)
    assert digest.hexdigest() == expected.hexdigest()


def test_no_thread_is_left() -> None:
    """Neither when it is done nor when it is forgotten."""
    before = threading.active_count()
    digest = Sha256()
    for _ in range(40):
        digest.update(bytes(1 << 18))
    digest.hexdigest()
    assert threading.active_count() == before
    forgotten = Sha256()
    for _ in range(40):
        forgotten.update(bytes(1 << 18))
    worker = next(one for one in threading.enumerate() if one.name.startswith("hash"))
    del forgotten
    worker.join(10)
    assert not worker.is_alive()


def test_a_stream_is_hashed_to_its_end() -> None:
    data = bytes(range(256)) * 20_000
    assert hashing.hash_stream(io.BytesIO(data)) == hashlib.sha256(data).hexdigest() == hashing.sha256(data)
