"""How a relay in a bucket is read and written: in what order, with how much traffic, and killed at any request."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alive_p2p.relay.reach import reach
from alive_p2p.relay.transports import s3_bucket
from alive_p2p.relay.transports.base import Put, Transport
from alive_p2p.runtime import Runtime
from relay import bucket
from relay.people import Person


class Counted:
    """A relay whose requests are counted."""

    def __init__(self, base: Path, front: bucket.Front) -> None:
        self.front = front
        self.prefix = bucket.fresh()
        self._environ = {"HOME": str(base), "AWS_ENDPOINT_URL_S3": front.url, **bucket.ADMIN.environ}
        self._base = base

    def reach(self) -> Transport:
        runtime = Runtime(environ=self._environ, cwd=self._base)
        return reach(bucket.address(self.prefix, self.front.url), runtime)

    def requests(self) -> list[str]:
        """What was asked since the last time: method, and name in the relay."""
        found = [
            f"{one.method} {one.path.rpartition(self.prefix)[2].strip('/')}".strip() for one in self.front.wire.log
        ]
        self.front.wire.forget()
        return found


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    with bucket.Front(bucket.store()) as front:
        yield Counted(tmp_path, front)


def test_a_deposit_is_two_requests_its_note_first(counted: Counted) -> None:
    """And removing it two, the package first: nobody ever sees a package without its note."""
    names = ["inbox/ben/a.note", "inbox/ben/a.walnut"]
    counted.reach().change([Put(name, b"1") for name in names])
    assert counted.requests() == [f"PUT {name}" for name in names]
    counted.reach().change(removes=[*reversed(names)])
    assert counted.requests() == [f"DELETE {name}" for name in reversed(names)]


def test_a_look_at_one_folder_asks_for_no_other(counted: Counted) -> None:
    """However much waits from others; and notes come together, not one after the other."""
    store = counted.front.store
    assert store is not None
    for number in range(70):
        for ending in ("note", "walnut"):
            store.put(f"{counted.prefix}/inbox/carl/{number:03}.{ending}", b"%d" % number)
    relay = counted.reach()
    assert relay.list("inbox/ben", "keys").entries == {}
    traffic = counted.front.wire.traffic()
    assert (traffic.requests, traffic.down < 3000) == (2, True)
    entries = relay.list("inbox/carl").entries
    counted.requests()
    for number in range(70):
        output = io.BytesIO()
        relay.read(entries[f"inbox/carl/{number:03}.note"], output, limit=100)
        assert output.getvalue() == b"%d" % number
        if number == 1:
            assert len(counted.front.wire.log) > 30  # these were asked for at the same time
    assert len(counted.requests()) == 70  # and none twice


def test_the_same_content_again_is_not_sent(counted: Counted) -> None:
    """What may be replaced is looked at first."""
    put = Put("keys/alice.pem", b"k", replaces=True)
    counted.reach().change([put])
    counted.requests()
    counted.reach().change([put])
    assert counted.requests() == ["GET keys/alice.pem"]


def test_a_large_package_is_sent_in_parts_and_appears_whole(counted: Counted, tmp_path: Path) -> None:
    """Its name is looked at before, and progress is told on the way."""
    size = 3 * s3_bucket.PART + 12_345
    large = tmp_path / "large"
    large.write_bytes(os.urandom(size))
    told: list[tuple[int, int]] = []
    relay = counted.reach()
    relay.change(
        [Put("inbox/ben/a.note", b"n"), Put("inbox/ben/a.walnut", large)], progress=lambda *at: told.append(at)
    )
    assert told[-1] == (size + 1, size + 1)
    assert told == sorted(told)
    assert len(told) > 10
    methods = [one.partition(" ")[0] for one in counted.requests()]
    assert sorted(methods) == ["HEAD", "POST", "POST", "PUT", "PUT", "PUT", "PUT", "PUT"]
    output = io.BytesIO()
    entry = relay.list("inbox/ben").entries["inbox/ben/a.walnut"]
    assert entry.size == size
    relay.read(entry, output, limit=size)
    assert output.getvalue() == large.read_bytes()
    with pytest.raises(Exception, match="is in the relay already"):
        relay.change([Put("inbox/ben/a.walnut", large)])


def test_a_large_package_that_breaks_off_leaves_nothing(counted: Counted, tmp_path: Path) -> None:
    """No object, no note, and no parts that somebody pays for."""
    large = tmp_path / "large"
    large.write_bytes(bytes(2 * s3_bucket.PART + 1))
    counted.front.wire.fail("POST", r".*/a\.walnut\?uploadId=.*", 403, "", times=None)
    with pytest.raises(Exception, match="does not let you do this"):
        counted.reach().change([Put("inbox/ben/a.note", b"n"), Put("inbox/ben/a.walnut", large)])
    store = counted.front.store
    assert store is not None
    assert store.keys_below(counted.prefix) == []
    assert counted.prefix.encode() not in store.ask("GET", "", query={"uploads": ""})[1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are made by fork, which this system lacks")
@pytest.mark.parametrize("what", ["push", "pull"])
def test_killed_at_any_write_it_is_done_once(what: str, tmp_path: Path) -> None:
    """The store has carried it out, and we do not know: nothing is lost, and nothing comes twice."""
    here = Path(__file__).resolve().parent
    for name in ("alice", "ben"):
        Person(name, tmp_path)
    with bucket.Fatal(bucket.store(), tmp_path / "fatal") as front:
        done = subprocess.run(
            [sys.executable, here / "killed_bucket.py", what, tmp_path, front.url, bucket.fresh()],
            env={**os.environ, "PYTHONPATH": str(here.parent)},
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["failures"] == [], done.stderr.decode()
    assert report["points"] == (3 if what == "push" else 4)
