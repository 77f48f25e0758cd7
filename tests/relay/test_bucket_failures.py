"""What fails at a bucket is an error of ours that says what, what was left, and what to do (relay.md §8)."""

import io
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alive_p2p.errors import RelayError
from alive_p2p.installer import how_to_install
from alive_p2p.relay.reach import reach
from alive_p2p.relay.transports import s3_bucket
from alive_p2p.relay.transports.base import Entry, Put, Stoppable, Transport
from alive_p2p.relay.transports.s3 import S3Transport
from alive_p2p.runtime import Runtime
from relay import bucket
from relay.serving import refusing_proxy

_TOKEN = "TOKENTOKENTOKEN"
_SECRETS = (bucket.ADMIN.access, bucket.ADMIN.secret, _TOKEN)


class Beside:
    """A relay at a store, or at a wire with nobody behind it."""

    def __init__(self, url: str, base: Path, **environ: str) -> None:
        self.prefix = bucket.fresh()
        self.url = bucket.address(self.prefix, url)
        self.slept: list[float] = []
        self.runtime = Runtime(
            environ={"HOME": str(base), "AWS_ENDPOINT_URL_S3": url, **bucket.ADMIN.environ, **environ},
            cwd=base,
            monotonic=lambda: sum(self.slept),
            sleep=self.slept.append,
        )

    def reach(self, url: str | None = None, **options: float) -> Transport:
        return reach(url or self.url, self.runtime, timeout_seconds=options.get("timeout_seconds"))


def refusal_of(call: object) -> RelayError:
    with pytest.raises(RelayError) as refused:
        call()  # type: ignore[operator]
    error = refused.value
    told = " ".join([error.message, error.hint or "", error.untouched or "", *error.details])
    assert not any(secret in told for secret in _SECRETS)
    assert error.untouched
    assert error.hint
    return error


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[bucket.Front]:
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        yield front


def answer(code: str, message: str = "said the store", more: str = "") -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (404, answer("NoSuchBucket"), "relay-missing", "there is no bucket 'relays'"),
        (403, answer("AccessDenied"), "relay-denied", "does not let you do this in the bucket 'relays'"),
        (403, "", "relay-denied", "does not let you do this"),
        (403, answer("InvalidAccessKeyId"), "relay-denied", "does not know your access key, from AWS_ACCESS_KEY_ID"),
        (403, answer("SignatureDoesNotMatch"), "relay-denied", "its secret and its access key are not a pair"),
        (400, answer("ExpiredToken"), "relay-denied", "counts no longer"),
        (401, "", "relay-denied", "counts no longer"),
        (403, answer("RequestTimeTooSkewed"), "relay-denied", "clock"),
        (301, answer("PermanentRedirect"), "relay-missing", "does not lie in the region 'us-east-1'"),
        (
            400,
            answer("AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"),
            "relay-missing",
            "but in 'eu-west-1'",
        ),
        (503, answer("SlowDown"), "relay-unreachable", "asks us to slow down"),
        (429, "", "relay-unreachable", "asks us to slow down"),
        (500, answer("InternalError"), "relay-unreachable", "has a problem of its own"),
        (400, answer("RequestTimeout"), "relay-unreachable", "has waited too long for what we sent"),
        (502, "<html>a proxy</html>", "relay-unreachable", "has a problem of its own"),
        (409, answer("OperationAborted"), "relay-busy", "others were always faster"),
        (400, answer("EntityTooLarge"), "relay-rejected", "larger than it takes"),
        (403, answer("QuotaExceeded"), "relay-rejected", "is used up"),
        (507, answer("XMinioStorageFull"), "relay-rejected", "is used up"),
        (400, answer("KeyTooLongError"), "relay-rejected", "a name is longer than it takes"),
        (501, answer("NotImplemented"), "relay-rejected", "does not do what a relay needs"),
        (400, answer("InvalidBucketName"), "bad-address", "cannot be the name of a bucket"),
        (418, answer("Teapot"), "relay-unreachable", "cannot be used"),
    ],
)
def test_what_a_store_refuses_is_told_in_our_words(
    wire: bucket.Front, tmp_path: Path, status: int, body: str, code: str, words: str
) -> None:
    """For listing, writing and removing alike; and what the store has said is shown in one line, without our login."""
    beside = Beside(wire.url, tmp_path, AWS_SESSION_TOKEN=_TOKEN)
    body = body.replace("said the store", f"said the store of {' '.join(_SECRETS)}\x1b[31m")
    wire.wire.fail("*", ".*", status, body, times=None)
    relay = beside.reach()
    for call in (
        relay.list,
        lambda: relay.change([Put("inbox/ben/a.note", b"n")]),
        lambda: relay.change([Put("keys/a.pem", b"n", replaces=True)]),
        lambda: relay.change(removes=["inbox/ben/a.note"]),
    ):
        error = refusal_of(call)
        assert (error.code, words in error.message) == (code, True), error.message
        if "said the store" in body and status != 301:  # of that the library gives nothing
            assert "said the store of ***" in error.details[0]
            assert "\x1b" not in error.details[0]


@pytest.mark.parametrize("body", ["", "sign in first", "<ListBucketResult><Contents></Contents></ListBucketResult>"])
def test_what_answers_in_another_way_is_no_store(wire: bucket.Front, tmp_path: Path, body: str) -> None:
    """The page of a login, or of something else altogether: the endpoint is what there is to look at."""
    wire.wire.fail("GET", ".*", 200, body, times=None)
    error = refusal_of(Beside(wire.url, tmp_path).reach().list)
    assert (error.code, "does not answer as a store does" in error.message) == ("relay-hostile", True)
    assert error.hint == "check the endpoint in the address"


def test_a_proxy_that_lets_nobody_through_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the store that does not answer."""
    pytest.importorskip("obstore")
    with refusing_proxy() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        error = refusal_of(Beside("https://store.example.org", tmp_path).reach().list)
    assert (error.code, "the proxy on the way to store.example.org" in error.message) == ("relay-unreachable", True)
    assert error.hint == "check HTTPS_PROXY and NO_PROXY"


def test_a_login_of_a_container_that_is_not_there_is_told(tmp_path: Path) -> None:
    """What the container was told of its role leads nowhere: the bucket was not even asked."""
    pytest.importorskip("obstore")
    role = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "none"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}
    runtime = Runtime(environ={"HOME": str(tmp_path), "PATH": "", **role}, cwd=tmp_path)
    error = refusal_of(reach("s3://relays?region=us-east-1", runtime).list)
    assert error.code == "s3-no-login"
    assert error.message == "the login for Amazon S3, from the role of this container, cannot be had"


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    """No host of that name, nobody at the port, no TLS there; each within a moment."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        url = front.url
        secure = refusal_of(Beside(url.replace("http:", "https:"), tmp_path).reach().list)
        assert (secure.code, "does not speak TLS there" in secure.message) == ("relay-unreachable", True)
    nobody = refusal_of(Beside(url, tmp_path).reach().list)
    assert (nobody.code, "does not answer" in nobody.message) == ("relay-unreachable", True)
    nowhere = refusal_of(Beside("https://no-such-host.invalid", tmp_path).reach().list)
    assert (nowhere.code, "no host of the name" in nowhere.message) == ("relay-unreachable", True)


def test_a_certificate_counts_if_somebody_vouches_for_it(tmp_path: Path) -> None:
    """Else there is no connection; an authority of one's own is named with AWS_CA_BUNDLE."""
    store = bucket.store()
    certificate = bucket.tls_files(tmp_path)
    with bucket.Front(store, certificate) as front:
        beside = Beside(front.url, tmp_path)
        error = refusal_of(beside.reach().list)
        assert (error.code, "its certificate is not in order" in error.message) == ("relay-unreachable", True)
        assert front.wire.log == []
        trusting = Beside(front.url, tmp_path, AWS_CA_BUNDLE=str(certificate))
        assert trusting.reach().list().entries == {}
        (tmp_path / "none.pem").write_text("no certificate", encoding="ascii")
        refusal_of(Beside(front.url, tmp_path, AWS_CA_BUNDLE=str(tmp_path / "none.pem")).reach)


def test_a_real_store_refuses_in_words_that_are_known(tmp_path: Path) -> None:
    """A wrong key, a wrong secret, no such bucket, and rights to read only."""
    store = bucket.store()
    stranger = {"AWS_ACCESS_KEY_ID": "NOBODY00000000000000"}
    assert "does not know your access key" in refusal_of(Beside(store.url, tmp_path, **stranger).reach().list).message
    wrong = {"AWS_SECRET_ACCESS_KEY": "x" * 40}
    assert "are not a pair" in refusal_of(Beside(store.url, tmp_path, **wrong).reach().list).message
    beside = Beside(store.url, tmp_path)
    none = beside.reach(bucket.address("x", store.url, "no-such-bucket"))
    assert refusal_of(none.list).code == "relay-missing"
    assert refusal_of(lambda: none.change([Put("a", b"1")])).code == "relay-missing"
    arn = f"arn:aws:s3:::{bucket.BUCKET}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": [arn, f"{arn}/*"]}],
    }
    beside.reach().change([Put("keys/alice.pem", b"k")])
    reader = Beside(store.url, tmp_path, **store.person("reader", policy).environ).reach(beside.url)
    assert list(reader.list().entries) == ["keys/alice.pem"]
    for refused in (
        lambda: reader.change([Put("a", b"1")]),
        lambda: reader.change([Put("keys/alice.pem", b"2", replaces=True)]),
        lambda: reader.change(removes=["keys/alice.pem"]),
    ):
        assert refusal_of(refused).code == "relay-denied"
    assert store.keys_below(beside.prefix) == [f"{beside.prefix}/keys/alice.pem"]


def test_a_clock_that_is_wrong_is_told(tmp_path: Path) -> None:
    """The real store compares the time in a request with its own."""
    store = bucket.store()
    at = datetime.now(UTC) - timedelta(hours=3)
    status, said = store.ask("GET", "", query={"list-type": "2"}, at=at)
    assert (status, b"RequestTimeTooSkewed" in said) == (403, True)


def test_what_is_worth_it_is_tried_again(tmp_path: Path) -> None:
    """A store that is busy, a connection that breaks off: the second try does it, and nothing comes twice."""
    store = bucket.store()
    with bucket.Front(store) as front:
        beside = Beside(front.url, tmp_path)
        front.wire.fail("PUT", ".*", 503, answer("SlowDown"), times=2)
        beside.reach().change([Put("inbox/ben/a.note", b"n")])
        assert len(beside.slept) == 2
        front.wire.fail("GET", ".*", 500, answer("InternalError"))
        front.wire.cut("GET", ".*", after=20)
        assert list(beside.reach().list().entries) == ["inbox/ben/a.note"]


def test_a_lost_answer_is_not_taken_for_somebody_elses_file(tmp_path: Path) -> None:
    """The store took it, and the connection broke before it could say so: what the next try finds is ours."""
    store = bucket.store()
    with bucket.Front(store) as front:
        beside = Beside(front.url, tmp_path)
        front.wire.cut("PUT", ".*/a.note")
        front.lose_answers(1)
        beside.reach().change([Put("inbox/ben/a.note", b"n"), Put("inbox/ben/a.walnut", b"w")])
        assert sorted(beside.reach().list().entries) == ["inbox/ben/a.note", "inbox/ben/a.walnut"]
        front.lose_answers(1)
        store.put(f"{beside.prefix}/inbox/ben/b.note", b"of somebody else")
        error = refusal_of_taken(lambda: beside.reach().change([Put("inbox/ben/b.note", b"n")]))
        assert error.code == "relay-taken"


def test_a_package_that_may_be_there_keeps_its_note(tmp_path: Path) -> None:
    """The store took it and never got to say so: nothing is taken back, and the next try finds both."""
    store = bucket.store()
    with bucket.Front(store) as front:
        beside = Beside(front.url, tmp_path)
        deposit = [Put("inbox/ben/a.note", b"n"), Put("inbox/ben/a.walnut", b"w")]
        front.wire.meanwhile("PUT", r".*/a\.walnut", lambda: front.lose_answers(1), times=None)
        error = refusal_of(lambda: beside.reach().change(deposit))
        assert (error.code, "is seen with the next try" in str(error.untouched)) == ("relay-unreachable", True)
        assert sorted(beside.reach().list().entries) == ["inbox/ben/a.note", "inbox/ben/a.walnut"]
        front.wire.heal()
        assert refusal_of_taken(lambda: beside.reach().change(deposit)).code == "relay-taken"
        assert sorted(beside.reach().list().entries) == ["inbox/ben/a.note", "inbox/ben/a.walnut"]


def refusal_of_taken(call: object) -> RelayError:
    with pytest.raises(RelayError) as refused:
        call()  # type: ignore[operator]
    return refused.value


def test_what_cannot_be_whole_is_taken_back(tmp_path: Path) -> None:
    """The note goes again where its package is refused; where it cannot, that is said."""
    store = bucket.store()
    with bucket.Front(store) as front:
        beside = Beside(front.url, tmp_path)
        deposit = [Put("inbox/ben/a.note", b"n"), Put("inbox/ben/a.walnut", b"w")]
        front.wire.fail("PUT", r".*/a\.walnut", 403, answer("QuotaExceeded"), times=None)
        error = refusal_of(lambda: beside.reach().change(deposit))
        assert (error.code, error.untouched) == ("relay-rejected", "everything; nothing was changed there")
        assert store.keys_below(beside.prefix) == []
        front.wire.fail("DELETE", ".*", 403, answer("AccessDenied"), times=None)
        error = refusal_of(lambda: beside.reach().change(deposit))
        assert "what was written so far counts for nothing" in str(error.untouched)
        assert store.keys_below(beside.prefix) == [f"{beside.prefix}/inbox/ben/a.note"]


def test_a_store_without_conditional_replacing_is_used_without(tmp_path: Path) -> None:
    """`If-Match` is asked for where a file is replaced, and left out where the store does not know it."""
    store = bucket.store()
    with bucket.Front(store) as front:
        beside = Beside(front.url, tmp_path)
        put = ".alive-relay/relay.json"
        beside.reach().change([Put(put, b"1", replaces=True)])
        front.wire.fail("PUT", ".*", 501, answer("NotImplemented"))
        beside.reach().change([Put(put, b"2", replaces=True)])
        assert store.ask("GET", f"{beside.prefix}/{put}")[1] == b"2"


def test_whoever_was_faster_is_seen_before_a_file_is_replaced(tmp_path: Path) -> None:
    """Between our look and our write another version came: it is looked at again, and then replaced."""
    store = bucket.store()
    with bucket.Front(store) as front:
        beside = Beside(front.url, tmp_path)
        key = f"{beside.prefix}/keys/alice.pem"
        for before in (b"first", b"second"):
            front.wire.meanwhile("PUT", ".*", lambda before=before: store.put(key, before))
            beside.reach().change([Put("keys/alice.pem", b"mine", replaces=True)])
            assert store.ask("GET", key)[1] == b"mine"


def test_nothing_is_waited_for_without_end(tmp_path: Path) -> None:
    """A store that keeps silent, and one whose list never comes to its end although it says little."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        beside = Beside(front.url, tmp_path)
        page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        front.wire.fail("GET", ".*", 200, f"{page}</ListBucketResult>", times=None)
        error = refusal_of(beside.reach(timeout_seconds=0.5).list)
        assert (error.code, "kept us waiting" in error.message) == ("relay-unreachable", True)
        front.wire.heal()
        front.wire.slow("*", ".*", seconds=30, times=None)
        error = refusal_of(beside.reach(timeout_seconds=0.3).list)
        assert (error.code, "kept us waiting" in error.message) == ("relay-unreachable", True)
        entry = Entry("a", "1")
        assert refusal_of(lambda: beside.reach(timeout_seconds=0.3).read(entry, io.BytesIO(), limit=9)).code


def test_what_is_stopped_from_outside_ends_at_once(tmp_path: Path) -> None:
    """Also what would be begun later, or tried again."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        front.wire.slow("*", ".*", seconds=30, times=None)
        relay = Beside(front.url, tmp_path).reach()
        assert isinstance(relay, Stoppable)
        threading.Timer(0.3, relay.stop).start()
        assert "kept us waiting" in refusal_of(relay.list).message
        assert "kept us waiting" in refusal_of(lambda: relay.change([Put("a", b"1")])).message


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings it."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    error = refusal_of(Beside("http://127.0.0.1:9", tmp_path).reach)
    assert (error.code, error.hint) == ("s3-missing", f"install it with {how_to_install('s3')}")


def test_the_library_takes_nothing_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither another endpoint, nor leave to skip checks: what counts is the address, and what we say."""
    store = bucket.store()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_REGION": "eu-west-9",
        "AWS_SESSION_TOKEN": _TOKEN,
        "AWS_ALLOW_INVALID_CERTIFICATES": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_ACCESS_KEY_ID": "OTHER000000000000000",
    }.items():
        monkeypatch.setenv(name, value)
    with bucket.Front(store) as front:
        assert Beside(front.url, tmp_path).reach().list().entries == {}
        assert not any("x-amz-security-token" in headers for headers in front.headers)
    with bucket.Front(store, bucket.tls_files(tmp_path)) as front:
        assert "certificate" in refusal_of(Beside(front.url, tmp_path).reach().list).message


def test_threads_that_were_given_up_do_not_stay(tmp_path: Path) -> None:
    """When the store goes away, so do they."""
    pytest.importorskip("obstore")
    with bucket.Front(None) as front:
        front.wire.slow("*", ".*", seconds=30, times=None)
        refusal_of(Beside(front.url, tmp_path).reach(timeout_seconds=0.2).list)
        waiting = [one for one in threading.enumerate() if one.name == s3_bucket.THREAD_NAME]
        assert waiting
    for one in waiting:
        one.join(timeout=10)
        assert not one.is_alive()


def test_a_transport_says_its_address_in_one_form(tmp_path: Path) -> None:
    """Whatever was left out of it by whoever has typed it is in it."""
    pytest.importorskip("obstore")
    runtime = Runtime(environ={"HOME": str(tmp_path), **bucket.ADMIN.environ}, cwd=tmp_path)
    assert S3Transport("s3://our-bucket", runtime).url == "s3://our-bucket?region=us-east-1"
