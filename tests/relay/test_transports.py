"""One contract, run over every transport (relay.md §8): what a relay has to be able to do."""

import io
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.relay.looking import Sight, look
from alive_p2p.relay.transports.base import Entry, Put, Transport
from alive_p2p.relay.transports.folder import FolderTransport
from alive_p2p.relay.transports.git import GitTransport
from alive_p2p.relay.transports.memory import MemoryTransport, Store
from alive_p2p.relay.transports.s3 import S3Transport
from alive_p2p.runtime import Runtime
from relay import bucket
from relay.github import GitHub
from relay.strict import StrictHost, require_sshd
from worlds import plant

_BIG = 1 << 30


@dataclass
class Relay:
    """A relay that is made anew for a test: `reach()` gives one more person's access to it."""

    reach: Callable[[], Transport]
    is_atomic: bool = True


def _memory(_: Path) -> Iterator[Relay]:
    store = Store()
    yield Relay(lambda: MemoryTransport(store))


def _folder(base: Path) -> Iterator[Relay]:
    root = base / "relay"
    root.mkdir()
    yield Relay(lambda: FolderTransport(root), is_atomic=False)


def _git_path(base: Path) -> Iterator[Relay]:
    path = base / "relay.git"
    subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    home = base / "home"
    home.mkdir()
    runtime = Runtime(environ={"HOME": str(home), "PATH": os.environ["PATH"]}, cwd=base)
    yield Relay(lambda: GitTransport(path.as_uri(), runtime))


def _git_http(base: Path) -> Iterator[Relay]:
    if os.name != "posix":
        pytest.skip("git over HTTP is served through POSIX process groups")
    with GitHub(base) as site:
        site.create("ada/relay")
        ada = site.person("ada", base, has_gh=False)
        runtime = Runtime(environ=ada.environ, cwd=base)
        yield Relay(lambda: GitTransport(site.clone_url("ada/relay"), runtime))


def _git_ssh(base: Path) -> Iterator[Relay]:
    require_sshd()
    with StrictHost(base, owner="ada") as host:
        runtime = Runtime(environ=host.person("ada", base).environ, cwd=base)
        yield Relay(lambda: GitTransport(host.url, runtime))


def _bucket(base: Path) -> Iterator[Relay]:
    store, prefix = bucket.store(), bucket.fresh()
    environ = {"HOME": str(base), "AWS_ENDPOINT_URL_S3": store.url, **bucket.ADMIN.environ}
    runtime = Runtime(environ=environ, cwd=base)
    yield Relay(lambda: S3Transport(bucket.address(prefix, store.url), runtime))


KINDS: dict[str, Callable[[Path], Iterator[Relay]]] = {
    "memory": _memory,
    "folder": _folder,
    "git on a path": _git_path,
    "git over HTTP": _git_http,
    "git over ssh": _git_ssh,
    "bucket": _bucket,
}


_SLOW = frozenset(["git over ssh"])


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.slow] if kind in _SLOW else []) for kind in KINDS])
def relay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Relay]:
    yield from KINDS[request.param](tmp_path)


def content(transport: Transport, name: str, limit: int = _BIG) -> bytes:
    output = io.BytesIO()
    transport.read(transport.list().entries[name], output, limit=limit)
    return output.getvalue()


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(AliveP2PError) as refused:
        call()
    return refused.value.code


def test_a_new_relay_holds_nothing(relay: Relay) -> None:
    """It can be listed all the same."""
    assert relay.reach().list().entries == {}


def test_what_one_puts_there_the_other_finds(relay: Relay, tmp_path: Path) -> None:
    """Names in any script, empty and binary content, from memory and from a file."""
    (tmp_path / "large").write_bytes(bytes(range(256)) * 8192)
    mine, yours = relay.reach(), relay.reach()
    puts = [
        Put("inbox/ben/20260407-101500-a1b2c3d4.walnut", tmp_path / "large"),
        Put("inbox/ben/20260407-101500-a1b2c3d4.note", b"\x00\xff\r\n"),
        Put("keys/žofie é.pem", b""),
    ]
    mine.change(puts)
    listing = yours.list()
    assert list(listing.entries) == sorted(put.name for put in puts)
    assert content(yours, puts[0].name) == (tmp_path / "large").read_bytes()
    assert content(yours, puts[1].name) == b"\x00\xff\r\n"
    assert content(yours, puts[2].name) == b""
    assert [one.name for one in listing.below("keys")] == ["keys/žofie é.pem"]
    assert list(yours.list("inbox/ben").entries) == sorted(put.name for put in puts[:2])
    assert list(yours.list("inbox/be").entries) == []
    assert list(yours.list("inbox/ben", "keys").entries) == sorted(put.name for put in puts)
    assert list(yours.list("keys", "receipts/ben").entries) == [puts[2].name]


def test_some_places_can_be_looked_at_alone(relay: Relay) -> None:
    """What lies there is what a whole listing has; what has not changed since need not be told again."""
    relay.reach().change(
        [Put(name, b"1") for name in ("a/b/1", "a/b/2", "a/c/d/3", "a/4", "e/f.pem", "e/g/h.pem", "i")]
    )
    whole = relay.reach().list()
    folders, files = ["a/b", "a/c", "no", "a/none"], ["e/f.pem", "a/b2", "i"]
    looked = look(relay.reach(), Sight("x"), folders, files)
    expected = ["a/b/1", "a/b/2", "a/c/d/3", "e/f.pem", "i"]
    assert looked.listing.entries == {name: whole.entries[name] for name in expected}
    assert looked.unchanged == frozenset()
    again = look(relay.reach(), looked.sight, folders, files)
    assert again.unchanged in (frozenset(), frozenset([*folders, *files]))
    relay.reach().change([Put("a/c/d/5", b"1"), Put("x/y/z", b"1")], ["a/none"])
    after = look(relay.reach(), looked.sight, folders, files, always=["no"])
    assert after.listing.entries["a/c/d/5"] == relay.reach().list().entries["a/c/d/5"]
    assert after.unchanged in (frozenset(), {"a/b", "a/none", "a/b2"})
    assert {"a/b/1", "a/b/2"} & after.listing.entries.keys() == (set() if after.unchanged else {"a/b/1", "a/b/2"})
    assert {"e/f.pem", "i"} < after.listing.entries.keys()
    assert look(relay.reach(), Sight("x"), []).listing.entries == {}


def test_a_name_in_use_is_refused(relay: Relay) -> None:
    """And nothing else of the same change happens, where the transport can do several things at once."""
    relay.reach().change([Put("inbox/ben/a.walnut", b"first")])
    refused = [Put("inbox/ben/b.note", b"note"), Put("inbox/ben/a.walnut", b"second")]
    assert code_of(lambda: relay.reach().change(refused)) == "relay-taken"
    assert content(relay.reach(), "inbox/ben/a.walnut") == b"first"
    if relay.is_atomic:
        assert list(relay.reach().list().entries) == ["inbox/ben/a.walnut"]


def test_a_file_that_may_be_replaced_is(relay: Relay) -> None:
    """Its version is another one then; the same content again is no change."""
    one, other = relay.reach(), relay.reach()
    one.change([Put(".alive-relay/relay.json", b"1", replaces=True)])
    before = other.list().entries[".alive-relay/relay.json"]
    one.change([Put(".alive-relay/relay.json", b"2", replaces=True)])
    after = other.list().entries[".alive-relay/relay.json"]
    assert before.version != after.version
    assert content(other, after.name) == b"2"
    one.change([Put(".alive-relay/relay.json", b"2", replaces=True)])
    assert other.list().entries[after.name].version == after.version


def test_putting_and_removing_in_one(relay: Relay) -> None:
    """A deposit that was received gives way to its receipt; what is not there any more does not matter."""
    relay.reach().change([Put("inbox/ben/a.walnut", b"a"), Put("inbox/ben/a.note", b"n"), Put("keys/alice.pem", b"k")])
    removes = ["inbox/ben/a.walnut", "inbox/ben/a.note", "inbox/ben/gone.walnut"]
    relay.reach().change([Put("receipts/ben/0a1b2c3d.sealed", b"r")], removes)
    assert list(relay.reach().list().entries) == ["keys/alice.pem", "receipts/ben/0a1b2c3d.sealed"]
    relay.reach().change(removes=removes)
    relay.reach().change()
    assert list(relay.reach().list().entries) == ["keys/alice.pem", "receipts/ben/0a1b2c3d.sealed"]


def test_the_last_file_can_be_removed(relay: Relay) -> None:
    """An empty relay is one like any other."""
    relay.reach().change([Put("inbox/ben/a.walnut", b"a")])
    relay.reach().change(removes=["inbox/ben/a.walnut"])
    assert relay.reach().list().entries == {}
    relay.reach().change([Put("inbox/ben/b.walnut", b"b")])
    assert content(relay.reach(), "inbox/ben/b.walnut") == b"b"


def test_what_was_removed_or_replaced_is_gone(relay: Relay) -> None:
    """Reading gives what was listed, or says that it is not there any more."""
    reader = relay.reach()
    reader.change([Put("a", b"1"), Put("b", b"1")])
    entries = reader.list().entries
    relay.reach().change([Put("a", b"22", replaces=True)], ["b"])
    reader.list()
    for name in ("a", "b"):
        output = io.BytesIO()
        try:
            reader.read(entries[name], output, limit=_BIG)
        except RelayError as error:
            assert error.code == "relay-gone"  # noqa: PT017  (either is right)
        else:
            assert output.getvalue() == b"1"


def test_what_never_was_there_is_gone(relay: Relay) -> None:
    """A listing that was made up reads nothing else."""
    reader = relay.reach()
    reader.change([Put("a", b"1")])
    version = "0" * len(reader.list().entries["a"].version)
    assert code_of(lambda: reader.read(Entry("a", version), io.BytesIO(), limit=_BIG)) == "relay-gone"


def test_no_more_than_the_limit_is_fetched(relay: Relay) -> None:
    """One byte more is an error, and the file stays where it is."""
    relay.reach().change([Put("a", bytes(100_000))])
    assert content(relay.reach(), "a", limit=100_000) == bytes(100_000)
    assert code_of(lambda: content(relay.reach(), "a", limit=99_999)) == "relay-over-limit"
    assert list(relay.reach().list().entries) == ["a"]


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../b", "a//b", "a/./b", "C:a", "a\\b", "a\nb", "a\x1b[31m", "a/.git/config", ".GIT/x"]
)
def test_a_name_that_nobody_accepts_is_not_written(relay: Relay, name: str) -> None:
    """Before anything is sent."""
    assert code_of(lambda: relay.reach().change([Put("ok", b"1"), Put(name, b"1")])) == "relay-hostile"
    assert relay.reach().list().entries == {}


def test_a_file_that_is_not_there_is_our_error(relay: Relay, tmp_path: Path) -> None:
    """Nothing is changed."""
    with pytest.raises(AliveP2PError):
        relay.reach().change([Put("a", tmp_path / "missing")])
    assert relay.reach().list().entries == {}


def test_many_at_once_lose_nothing(relay: Relay) -> None:
    """Each of them deposits something, and all of it arrives once."""
    relay.reach().change([Put("keys/alice.pem", b"k")])
    problems: list[BaseException] = []

    def deposit(number: int) -> None:
        try:
            relay.reach().change(
                [Put(f"inbox/p{number}/a.walnut", b"%d" % number), Put(f"inbox/p{number}/a.note", b"n")]
            )
        except BaseException as error:  # noqa: BLE001  (told by the test)
            problems.append(error)

    threads = [threading.Thread(target=deposit, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    here = relay.reach()
    assert len(here.list().entries) == 13
    assert all(content(here, f"inbox/p{number}/a.walnut") == b"%d" % number for number in range(6))


def test_a_folder_without_end_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody fills it: it is told, instead of taking all memory."""
    root = plant(tmp_path / "relay", {f"inbox/ben/{number}": b"" for number in range(11)})
    monkeypatch.setattr("alive_p2p.relay.transports.folder.MOST_ENTRIES", 11)
    assert len(FolderTransport(root).list().entries) == 11
    (root / "inbox" / "ben" / "one more").touch()
    with pytest.raises(RelayError, match="more than 11 files in the relay") as caught:
        FolderTransport(root).list()
    assert (caught.value.code, caught.value.untouched) == ("relay-hostile", "everything")
    assert "who else may write there" in str(caught.value.hint)
