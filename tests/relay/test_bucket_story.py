"""Two people with a relay in a bucket each, who may do there what was granted (relay.md §5, §6)."""

import json
import subprocess
from pathlib import Path

import pytest

from alive_p2p.errors import RelayError
from alive_p2p.relay.granting import grant_for
from relay import bucket
from relay.people import Person
from worlds import NOVA

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "relay.md"


class Two:
    """Alice and Ben: each owns a part of the bucket, and may do in the other's what was granted."""

    def __init__(self, base: Path) -> None:
        store = bucket.store()
        self.store = store
        self.prefixes = {name: f"{bucket.fresh()}/{name}" for name in ("alice", "ben")}
        urls = {name: bucket.address(prefix, store.url) for name, prefix in self.prefixes.items()}
        self.people = []
        for name, other in (("alice", "ben"), ("ben", "alice")):
            grant = grant_for(urls[other], name)
            assert grant is not None
            arn = f"arn:aws:s3:::{bucket.BUCKET}"
            own = [
                {"Effect": "Allow", "Action": "s3:*", "Resource": f"{arn}/{self.prefixes[name]}/*"},
                {
                    "Effect": "Allow",
                    "Action": "s3:ListBucket",
                    "Resource": arn,
                    "Condition": {"StringLike": {"s3:prefix": f"{self.prefixes[name]}/*"}},
                },
            ]
            policy = {**grant.policy, "Statement": [*grant.policy["Statement"], *own]}
            keys = store.person(f"{name}-{bucket.fresh()}", policy)
            environ = {**keys.environ, "AWS_ENDPOINT_URL_S3": store.url}
            self.people.append(Person(name, base, place=urls[name], environ=environ).set_up())


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_a_package_goes_by_buckets_and_its_receipt_comes_back(two: Two) -> None:
    """With no right beyond what was granted, on either side; afterwards nothing of it is left in the bucket."""
    alice, ben = two.people
    alice.pair(ben)
    (delivered,) = alice.push("ben")
    assert delivered.error is None
    assert ben.probe().peers["alice"]["pending_packages"] == 1
    assert alice.probe().peers["ben"]["undelivered"] == 1
    (pulled,) = ben.pull()
    assert (pulled.status, pulled.error) == ("received", None)
    assert (ben.world / "03_Inbox" / "nova" / "notes.md").read_bytes() == NOVA["notes.md"]
    assert [one["status"] for one in alice.probe().advanced] == ["applied"]
    left = two.store.keys_below(two.prefixes["ben"])
    assert [key for key in left if "/inbox/" in key] == []
    assert len([key for key in left if "/receipts/alice/" in key]) == 1


def test_a_peer_can_do_nothing_beyond_the_grant(two: Two) -> None:
    """They see no other peer's folder, and change nothing outside their own."""
    alice, ben = two.people
    alice.pair(ben)
    theirs = ben.reach(alice.url)
    two.store.put(f"{two.prefixes['alice']}/inbox/carl/a.walnut", b"for alice alone")
    for forbidden in (
        theirs.list,
        lambda: theirs.list("inbox"),
        lambda: theirs.list("inbox/carl"),
        lambda: theirs.change(removes=["keys/alice.pem"]),
        lambda: theirs.change(removes=["inbox/carl/a.walnut"]),
    ):
        with pytest.raises(RelayError) as refused:
            forbidden()
        assert refused.value.code == "relay-denied"
    assert f"{two.prefixes['alice']}/inbox/carl/a.walnut" in two.store.keys_below(two.prefixes["alice"])


def test_the_grant_in_the_documentation_is_the_one_that_works() -> None:
    """What a reader copies is what `relay invite` says and what the story above was told with."""
    text = REFERENCE.read_text(encoding="utf-8").partition("## A bucket")[2]
    written = json.loads(text.partition("```json\n")[2].partition("```")[0])
    grant = grant_for("s3://our-bucket/mailbox-of-alice?region=eu-central-1", "ben")
    assert grant is not None
    assert written == grant.policy


def test_the_program_says_what_to_grant_and_that_is_enough(program: str, tmp_path: Path) -> None:
    """From setting up to being paired, through the commands."""
    store, prefix = bucket.store(), bucket.fresh()

    def run(name: str, keys: bucket.Keys, *arguments: str, code: int = 0) -> tuple[str, str]:
        home = Person(name, tmp_path).world
        done = subprocess.run(
            [program, "relay", *arguments],
            cwd=home,
            env={"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL_S3": store.url, **keys.environ, "HOME": str(home.parent)},
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    run("alice", bucket.ADMIN, "setup", "--s3", f"s3://{bucket.BUCKET}/{prefix}", "--username", "alice")
    out, _ = run("alice", bucket.ADMIN, "invite", "ben", "--json")
    invited = json.loads(out)
    _, err = run("alice", bucket.ADMIN, "invite", "ben")
    assert f"write, delete {prefix}/inbox/ben/" in err
    ben = store.person(f"ben-{prefix}", invited["policy"])
    where = ["--folder", str(tmp_path / "mailbox"), "--username", "ben"]
    _, err = run("ben", bucket.Keys(ben.access, "not-the-secret"), "accept", invited["code"], *where, code=1)
    assert "are not a pair" in err
    assert "not-the-secret" not in err
    run("ben", ben, "accept", invited["code"])
    out, _ = run("alice", bucket.ADMIN, "peers", "confirm", "ben")
    assert "you and ben are paired" in out
