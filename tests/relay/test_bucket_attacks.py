"""Whatever lies in a bucket, and whatever address somebody sends, does no harm (relay.md §4)."""

import io
import json
from pathlib import Path

import pytest

from alive_p2p.errors import RelayError
from alive_p2p.relay.reach import reach, refuse_bad_address
from alive_p2p.relay.transports import s3_bucket, s3_listing
from alive_p2p.relay.transports.base import Put, Transport
from alive_p2p.runtime import Runtime
from relay import bucket

_BIG = 1 << 30


def runtime(base: Path, **environ: str) -> Runtime:
    return Runtime(environ={"HOME": str(base), **environ}, cwd=base, sleep=lambda _: None)


class Beside:
    """A relay in a store, and by hand what no honest peer would put there."""

    def __init__(self, base: Path, url: str | None = None) -> None:
        self.store = bucket.store()
        self.prefix = bucket.fresh()
        url = url or self.store.url
        self.url = bucket.address(self.prefix, url)
        self._runtime = runtime(base, AWS_ENDPOINT_URL_S3=url, **bucket.ADMIN.environ)

    def reach(self, timeout_seconds: float | None = None) -> Transport:
        return reach(self.url, self._runtime, timeout_seconds=timeout_seconds)

    def put(self, name: str, content: bytes = b"1") -> None:
        self.store.put(f"{self.prefix}/{name}", content)


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    return Beside(tmp_path)


def refusal_of(call: object) -> RelayError:
    with pytest.raises(RelayError) as refused:
        call()  # type: ignore[operator]
    return refused.value


def content(relay: Transport, name: str, limit: int = _BIG) -> bytes:
    output = io.BytesIO()
    relay.read(relay.list().entries[name], output, limit=limit)
    return output.getvalue()


# -- what lies there -------------------------------------------------------------------------------------------


def test_names_that_nobody_accepts_are_told_and_passed_over(beside: Beside) -> None:
    """Everything else is there."""
    beside.put("inbox/ben/a.walnut")
    for name in (".git/config", "inbox/ben/\u202ex", "inbox/C:/x\u200bx", "inbox/.alive-receive-x/a"):
        beside.put(name)
    found = beside.reach().list()
    assert list(found.entries) == ["inbox/ben/a.walnut"]
    assert len(found.oddities) == 4
    assert content(beside.reach(), "inbox/ben/a.walnut") == b"1"


def test_a_name_that_the_library_refuses_costs_its_own_folder_only(beside: Beside) -> None:
    """Who may write into one folder keeps nobody from the others: not the owner, and not the other peers."""
    for name in (
        "keys/alice.pem",
        "inbox/ben/a.walnut",
        "inbox/ben/a.note",
        "receipts/ben/1.sealed",
        ".alive-relay/relay.json",
    ):
        beside.put(name)
    beside.put("inbox/mallory/a\nb.walnut")
    beside.put("inbox/mallory/c.walnut")
    for folder in range(30):
        beside.put(f"inbox/ben/deep/{folder}/x")
    found = beside.reach().list()
    assert list(found.entries) == [
        ".alive-relay/relay.json",
        "inbox/ben/a.note",
        "inbox/ben/a.walnut",
        "keys/alice.pem",
        "receipts/ben/1.sealed",
    ]
    assert [one for one in found.oddities if one.startswith("'inbox/mallory/'")]
    assert list(beside.reach().list("keys", "inbox/ben").entries)
    error = refusal_of(lambda: beside.reach().list("inbox/mallory"))  # nothing in it would look like empty
    assert (error.code, "hides all others" in error.message) == ("relay-hostile", True)


@pytest.mark.parametrize("name", ["a//b", "a/./b", "a/../b", "inbox/ben//x"])
def test_names_that_no_file_system_has_are_passed_over(tmp_path: Path, name: str) -> None:
    """As Amazon keeps them, and as the library does not take them."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        prefix = bucket.fresh()
        relay = reach(
            bucket.address(prefix, front.url), runtime(tmp_path, AWS_ENDPOINT_URL_S3=front.url, **bucket.ADMIN.environ)
        )
        bucket.serve_names(front, [f"{prefix}/keys/alice.pem", f"{prefix}/{name}"])
        found = relay.list()
        assert list(found.entries) == ["keys/alice.pem"]
        assert found.oddities


def test_marks_of_folders_hide_nothing(beside: Beside) -> None:
    """Consoles leave an empty object with a slash at its end for a folder."""
    beside.put("inbox/ben/a.walnut", b"package")
    assert beside.store.ask("PUT", f"{beside.prefix}/inbox/carl/")[0] == 200
    found = beside.reach().list()
    assert content(beside.reach(), "inbox/ben/a.walnut") == b"package"
    assert [name for name in found.entries if name.endswith(".walnut")] == ["inbox/ben/a.walnut"]


def test_more_files_than_a_relay_has_are_not_read(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing stops there."""
    monkeypatch.setattr(s3_listing, "MOST_ENTRIES", 3)
    for number in range(5):
        beside.put(f"inbox/ben/{number}.walnut")
    assert refusal_of(lambda: beside.reach().list()).code == "relay-hostile"


def test_a_list_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that goes on telling of objects is asked no further than a relay is large."""
    monkeypatch.setattr(s3_listing, "MOST_ENTRIES", 2500)
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        prefix = bucket.fresh()
        bucket.serve_names(front, [f"{prefix}/inbox/ben/{number:04}.walnut" for number in range(1000)], is_endless=True)
        relay = reach(
            bucket.address(prefix, front.url), runtime(tmp_path, AWS_ENDPOINT_URL_S3=front.url, **bucket.ADMIN.environ)
        )
        error = refusal_of(relay.list)
        assert (error.code, "more than" in error.message) == ("relay-hostile", True)
        assert front.wire.traffic().requests <= 5


def test_an_object_that_is_larger_than_it_was_said_to_be_is_left(tmp_path: Path) -> None:
    """It was listed as small; what comes is cut off at the limit, whatever the store says of its size."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        prefix = bucket.fresh()
        relay = reach(
            bucket.address(prefix, front.url), runtime(tmp_path, AWS_ENDPOINT_URL_S3=front.url, **bucket.ADMIN.environ)
        )
        bucket.serve_names(front, [f"{prefix}/a"], body="x" * 3_000_000)
        (entry,) = relay.list().entries.values()
        assert entry.size == 1
        output = io.BytesIO()
        assert refusal_of(lambda: relay.read(entry, output, limit=100_000)).code == "relay-over-limit"
        assert output.getvalue() == b""
        relay.read(entry, output, limit=3_000_000)
        assert len(output.getvalue()) == 3_000_000


def test_a_file_that_was_put_in_the_place_of_another_is_not_read(beside: Beside) -> None:
    """Not even when the two were listed together, and the first has come already."""
    relay = beside.reach()
    for number in range(4):
        beside.put(f"inbox/ben/{number}.note", b"%d" % number)
    entries = relay.list().entries
    beside.put("inbox/ben/2.note", b"other")
    for number in (0, 1, 3):
        output = io.BytesIO()
        relay.read(entries[f"inbox/ben/{number}.note"], output, limit=100)
        assert output.getvalue() == b"%d" % number
    assert refusal_of(lambda: relay.read(entries["inbox/ben/2.note"], io.BytesIO(), limit=100)).code == "relay-gone"


def test_twenty_at_once_all_arrive(beside: Beside) -> None:
    """And one name is given to one of them only."""
    relays = [beside.reach() for _ in range(20)]
    tasks = []
    for number, relay in enumerate(relays):

        def deposit(_: object, relay: Transport = relay, number: int = number) -> str:
            relay.change([Put(f"inbox/p{number}/a.note", b"n"), Put(f"inbox/p{number}/a.walnut", b"%d" % number)])
            try:
                relay.change([Put("inbox/all/one.walnut", b"%d" % number)])
            except RelayError as error:
                return error.code
            return "mine"

        tasks.append(s3_bucket._Task(deposit))
    for task in tasks:
        task.begin()
    outcomes = [task.result(60) for task in tasks]
    assert sorted(outcomes) == ["mine", *["relay-taken"] * 19]
    assert len(beside.reach().list().entries) == 41
    winner = outcomes.index("mine")
    assert content(beside.reach(), "inbox/all/one.walnut") == b"%d" % winner


# -- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://b",
        "s3://bucket?endpoint=http://example.org",
        "s3://bucket?endpoint=http://10.0.0.1:9000",
        "s3://bucket?endpoint=http://169.254.169.254",
        "s3://bucket?endpoint=https://169.254.169.254",
        "s3://bucket?endpoint=https://[fe80::1]",
        "s3://bucket?endpoint=https://[::ffff:169.254.169.254]",
        "s3://bucket?endpoint=https://2852039166",
        "s3://bucket?endpoint=https://0xa9fea9fe",
        "s3://bucket?endpoint=https://0251.0376.0251.0376",
        "s3://bucket?endpoint=https://0.0.0.0",
        "s3://bucket?endpoint=https://example.org/../x",
        "s3://bucket?endpoint=https://example.org?x=y",
        "s3://bucket?endpoint=file:///etc/passwd",
        "s3://bucket?endpoint=",
        "s3://bucket?endpoint=https://EXAMPLE.org",
        "s3://bucket?endpoint=https://example.org:443",
        "s3://bucket?endpoint=https://example.org:0",
        "s3://bucket?endpoint=https://example.org&endpoint=https://other.org",
        "s3://bucket?region=evil.example.org/",
        "s3://bucket?region=x.evil.org%23",
        "s3://bucket?region=us-east-1&allow_http=true",
        "s3://bucket?region=us-east-1#x",
        "s3://bucket",
        "s3://bucket/?region=us-east-1",
        "s3://Bucket?region=us-east-1",
        "s3://bucket..x?region=us-east-1",
        "s3://10.0.0.1?region=us-east-1",
        "s3://bucket/a/../b?region=us-east-1",
        "s3://bucket/a//b?region=us-east-1",
        "s3://bucket/.git/b?region=us-east-1",
        "s3://bucket/a%2fb?region=us-east-1",
        "s3://bucket/a b?region=us-east-1",
        "S3://bucket?region=us-east-1",
        "s3://bucket/\x1b[31m?region=us-east-1",
        f"s3://bucket/{'a' * 3000}?region=us-east-1",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Above all what would have a host asked that nobody has meant, or what is not in the one form that is compared."""
    assert refusal_of(lambda: refuse_bad_address(url)).code == "bad-address"


@pytest.mark.parametrize(
    "url",
    [
        "s3://KEY:HUSH@bucket?region=us-east-1",
        "s3://HUSH@bucket?region=us-east-1",
        "s3://bucket?endpoint=https://KEY:HUSH@example.org",
        "s3://bucket?aws_secret_access_key=HUSH",
        "s3://bucket?X-Amz-Signature=HUSH",
        "s3://bucket?token=HUSH&region=us-east-1",
    ],
)
def test_a_login_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    """It would be seen by everybody who gets the address."""
    error = refusal_of(lambda: refuse_bad_address(url))
    assert (error.code, "holds a login" in error.message) == ("bad-address", True)
    assert "HUSH" not in f"{error.message}{error.hint}{error.details}"


def test_an_address_of_somebody_elses_store_gets_nothing_of_us(tmp_path: Path) -> None:
    """No request at all: what is signed for it could be handed on to the store that our login is for."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as evil:
        url = bucket.address("x", evil.url)
        for environ in (
            bucket.ADMIN.environ,
            {**bucket.ADMIN.environ, "AWS_ENDPOINT_URL_S3": "https://s3.example.org"},
            {**bucket.ADMIN.environ, "AWS_ENDPOINT_URL": "https://s3.example.org"},
        ):
            error = refusal_of(lambda environ=environ: reach(url, runtime(tmp_path, **environ)).list())  # type: ignore[misc]
            assert error.code == "s3-other-login"
            assert evil.url in str(error.hint)
        assert evil.wire.log == []


def test_our_own_store_is_ours_because_we_have_said_so(tmp_path: Path) -> None:
    """A login without an endpoint is for Amazon, and for the store at which our own relay lies; for no third."""
    pytest.importorskip("obstore")
    home = tmp_path / ".alive" / "relay"
    home.mkdir(parents=True)
    own = {"version": 1, "relay": {"url": "s3://ours?endpoint=https://s3.example.org"}, "peers": {}}
    (home / "relay.json").write_text(json.dumps(own), encoding="utf-8")
    we = runtime(tmp_path, **bucket.ADMIN.environ)
    assert reach("s3://theirs?endpoint=https://s3.example.org", we).url
    assert reach("s3://theirs?region=eu-west-1", we).url
    assert refusal_of(lambda: reach("s3://theirs?endpoint=https://s3.example.org:8443", we)).code == "s3-other-login"
    assert reach("s3://new?endpoint=https://other.example.org", we, is_ours=True).url


def test_a_redirect_takes_no_access_key_along(tmp_path: Path) -> None:
    """Where a store sends us elsewhere, nothing is there to be signed with."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as there, bucket.Front(None) as front:
        front.wire.fail("*", ".*", 307, "", {"Location": f"{there.url}/x"}, times=None)
        relay = reach(
            bucket.address("x", front.url), runtime(tmp_path, AWS_ENDPOINT_URL_S3=front.url, **bucket.ADMIN.environ)
        )
        refusal_of(relay.list)
        assert not any("authorization" in headers for headers in there.headers)
