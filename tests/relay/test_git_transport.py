"""Relays in git: what goes over the wire, races, branches, and folding the past (relay.md §6, §8; bars.md §3, §4)."""

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.relay.transports import git as git_module
from alive_p2p.relay.transports.base import Put
from alive_p2p.runtime import Runtime
from relay.git_relays import HttpRelay, PathRelay, pending, read, read_entry, refusal_of
from relay.github import GitHub
from relay.strict import StrictHost

PACKAGE = 100 << 10
BAR = PACKAGE * 3 // 2 + (64 << 10)
RECEIVE = "/ada/relay.git/git-receive-pack"
UPLOAD = "/ada/relay.git/git-upload-pack"


@pytest.fixture
def relay(github: GitHub, tmp_path: Path) -> HttpRelay:
    return HttpRelay(github, tmp_path)


def deposit(name: str, size: int = PACKAGE) -> list[Put]:
    return [Put(f"{name}.note", os.urandom(400)), Put(f"{name}.walnut", os.urandom(size))]


# --- what goes over the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["peer-3", "new"])
def test_a_deposit_costs_what_it_is(relay: HttpRelay, folder: str) -> None:
    """However much waits in the relay, and in one's own folder of it; nothing of it is fetched."""
    relay.fill(pending(peers=10, each=20, size=4_000))
    relay.reach().change(deposit(f"inbox/{folder}/first"))
    all_bytes, fetched, requests = relay.wire()
    assert all_bytes < BAR
    assert fetched < 10_000
    assert requests <= 12
    assert {f"inbox/{folder}/first.walnut", f"inbox/{folder}/first.note"} <= relay.names
    assert len(relay.names) == 402
    assert relay.repository.git("fsck", "--connectivity-only", "--no-dangling") == ""


@pytest.mark.slow
def test_two_thousand_deposits_do_not_make_it_dearer(relay: HttpRelay) -> None:
    """The bar, with everything that ever came still waiting."""
    relay.fill(pending(peers=20, each=100, size=1_000))
    relay.reach().change(deposit("inbox/peer-3/first"))
    assert relay.wire()[0] < BAR
    assert len(relay.reach().list().entries) == 4_002


def test_what_is_replaced_or_removed_is_not_fetched(relay: HttpRelay) -> None:
    """Git would ask for it, so that it can send a difference."""
    relay.fill([("inbox/ben/a.walnut", os.urandom(200_000)), ("inbox/ben/b.walnut", os.urandom(200_000))])
    relay.reach().change([Put("inbox/ben/a.walnut", os.urandom(1000), replaces=True)], ["inbox/ben/b.walnut"])
    assert relay.wire()[0] < 20_000
    assert relay.names == {"inbox/ben/a.walnut"}


def test_listing_fetches_names_alone_and_a_folder_only_its_own(relay: HttpRelay) -> None:
    """Of 400 files without a byte of their content; of one folder without the names in others."""
    relay.fill(pending(peers=10, each=20, size=4_000))
    assert len(relay.reach().list().entries) == 400
    whole = relay.wire()[1]
    assert whole < 40_000
    assert len(relay.reach().list("inbox/peer-3").entries) == 40
    assert relay.wire()[1] < whole / 2
    assert relay.reach().list("inbox/peer-99").entries == {}
    assert relay.reach().list("inbox/peer-3/0001.walnut").entries == {}


def test_reading_fetches_one_file(relay: HttpRelay) -> None:
    """And asking whether anything has changed fetches nothing."""
    relay.fill(pending(peers=2, each=5, size=50_000))
    reader = relay.reach()
    entry = reader.list().entries["inbox/peer-1/0003.walnut"]
    relay.wire()
    assert len(read_entry(reader, entry)) == 50_000
    assert relay.wire()[1] < 55_000
    before = reader.tip()
    assert relay.wire()[0] < 5_000
    relay.reach().change([Put("a", b"1")])
    assert reader.tip() != before


def test_the_notes_of_a_folder_come_together(relay: HttpRelay) -> None:
    """Whoever reads one reads the others as well; what is large does not come with them."""
    relay.fill(pending(peers=2, each=10, size=300_000))
    reader = relay.reach()
    entries = [entry for entry in reader.list().below("inbox/peer-1") if entry.name.endswith(".note")]
    relay.wire()
    assert {len(read_entry(reader, entry, limit=80_000)) for entry in entries} == {400}
    _, fetched, requests = relay.wire()
    assert fetched < 20_000
    assert requests <= 4
    assert refusal_of(lambda: read_entry(reader, entries[0], limit=399)).code == "relay-over-limit"
    seen: list[tuple[int, int]] = []
    reader.read(entries[0], io.BytesIO(), limit=400, progress=lambda *at: seen.append(at))
    assert seen == [(400, 400)]


def test_what_was_sent_is_told(relay: HttpRelay, tmp_path: Path) -> None:
    """In bytes of content, while it goes and afterwards; and nothing where nothing had to be."""
    (tmp_path / "file").write_bytes(os.urandom(3 << 20))
    seen: list[tuple[int, int]] = []
    puts = [Put("a", tmp_path / "file", replaces=True)]
    assert relay.reach().change(puts, progress=lambda *at: seen.append(at)).sent == 3 << 20
    assert seen[-1] == (3 << 20, 3 << 20)
    assert all(0 <= done <= total for done, total in seen)
    assert relay.reach().change(puts).sent == 0
    assert relay.repository.git("rev-list", "--count", "main") == "1"
    seen.clear()
    reader = relay.reach()
    with (tmp_path / "out").open("wb") as output:
        reader.read(reader.list().entries["a"], output, limit=4 << 20, progress=lambda *at: seen.append(at))
    assert seen[-1] == (3 << 20, 3 << 20)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "file").read_bytes()


def test_a_commit_tells_nothing_of_who_made_it(relay: HttpRelay) -> None:
    """Everybody who may read the relay could read it: no name, no address, no time zone, and nothing of what it is."""
    relay.ada.environ |= {"TZ": "Asia/Tokyo", "GIT_AUTHOR_NAME": "Ada", "EMAIL": "ada@example.org"}
    relay.reach().change(deposit("inbox/ben/secret"))
    text = relay.repository.git("cat-file", "commit", "main")
    assert text.count("alive-p2p <alive-p2p@relay.invalid> ") == 2
    assert text.count(" +0000\n") == 2
    assert text.endswith("\n\ndeposit")
    assert "ada" not in text.lower()
    assert "secret" not in text


# --- races ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "when",
    [("GET", r"/ada/relay.git/info/refs\?service=git-receive-pack"), ("POST", RECEIVE)],
    ids=["before the references", "after the references"],
)
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_lost_race_is_run_again(relay: HttpRelay, when: tuple[str, str], is_empty: bool) -> None:
    """Whoever was faster keeps what they put there."""
    if not is_empty:
        relay.fill([("inbox/ben/old.walnut", b"old")])
    others = iter(range(2))
    relay.site.wire.meanwhile(*when, lambda: relay.fill([(f"inbox/ben/{next(others)}", b"x")]), times=2)
    relay.reach().change([Put("inbox/ben/mine.walnut", b"mine")])
    assert {"inbox/ben/0", "inbox/ben/1", "inbox/ben/mine.walnut"} <= relay.names


def test_a_name_that_somebody_takes_meanwhile_is_taken(relay: HttpRelay) -> None:
    """It is looked at anew each time."""
    relay.site.wire.meanwhile("POST", RECEIVE, lambda: relay.fill([("inbox/ben/mine", b"theirs")]))
    assert refusal_of(lambda: relay.reach().change([Put("inbox/ben/mine", b"mine")])).code == "relay-taken"
    assert read(relay.reach(), "inbox/ben/mine") == b"theirs"


def test_who_is_never_fast_enough_gives_up(relay: HttpRelay) -> None:
    """After two minutes, with pauses in between that grow."""
    others = iter(range(1000))
    relay.site.wire.meanwhile("POST", RECEIVE, lambda: relay.fill([(f"x/{next(others)}", b"x")]), times=None)
    pauses: list[float] = []
    # Seconds pass twelve times as fast as they are slept, so that the test has fewer of them.
    runtime = Runtime(
        environ=relay.ada.environ, cwd=relay.folder, monotonic=lambda: 12 * sum(pauses), sleep=pauses.append
    )
    busy = git_module.GitTransport(relay.url, runtime)
    error = refusal_of(lambda: busy.change([Put("inbox/ben/mine", b"mine")]))
    assert error.code == "relay-busy"
    assert error.hint
    assert "inbox/ben/mine" not in relay.names
    assert max(pauses) > pauses[0]
    assert 10 <= sum(pauses) < 20


@pytest.mark.slow
def test_twenty_senders_at_once_all_arrive(relay: HttpRelay) -> None:
    """None is lost, none is there twice."""
    relay.fill(pending(peers=20, each=2, size=1_000))
    problems: list[BaseException] = []

    def send(number: int) -> None:
        try:
            relay.reach().change(deposit(f"inbox/peer-{number}/mine", 20_000))
        except BaseException as error:  # noqa: BLE001  (told by the test)
            problems.append(error)

    _at_once([lambda number=number: send(number) for number in range(20)])
    assert problems == []
    assert {f"inbox/peer-{number}/mine.walnut" for number in range(20)} <= relay.names
    assert len(relay.names) == 80 + 40
    assert relay.repository.git("rev-list", "--count", "main") == "21"
    assert relay.repository.git("fsck", "--connectivity-only", "--no-dangling") == ""


def _at_once(actions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_answer_that_got_lost_is_looked_for(relay: HttpRelay) -> None:
    """The host has taken it, and the connection breaks before it can say so."""
    relay.fill([("a", b"1")])
    relay.site.wire.cut("POST", RECEIVE, after=0)
    assert relay.reach().change([Put("inbox/ben/mine", b"mine")]).sent == 4
    assert "inbox/ben/mine" in relay.names


# --- branches, and the past -----------------------------------------------------------------------------------


def test_another_default_branch_is_the_relay(relay: HttpRelay) -> None:
    """Where there is no `main`; and nobody makes one beside it."""
    relay.fill([("keys/ada.pem", b"k")])
    relay.repository.git("branch", "-m", "main", "trunk")
    relay.repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    relay.reach().change([Put("inbox/ben/a", b"a")])
    assert list(relay.reach().list().entries) == ["inbox/ben/a", "keys/ada.pem"]
    assert relay.reach().tip() == relay.repository.git("rev-parse", "trunk")
    assert relay.repository.git("for-each-ref", "--format=%(refname)") == "refs/heads/trunk"
    assert relay.reach(branch="main").tip() is None


def test_an_empty_repository_gets_main_whatever_its_head_says(tmp_path: Path) -> None:
    """So that everybody finds the same branch."""
    relay = PathRelay(tmp_path, "--initial-branch=master")
    assert relay.reach().tip() is None
    assert relay.reach().list("inbox/ben").entries == {}
    assert relay.reach().compact()
    relay.reach().change([Put("inbox/ben/a", b"a")])
    assert relay.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert list(relay.reach().list().entries) == ["inbox/ben/a"]


def test_the_past_can_be_folded_and_everybody_goes_on(relay: HttpRelay) -> None:
    """What waits stays, for almost nothing on the wire; who was about to send does not notice."""
    relay.fill(pending(peers=2, each=3, size=50_000))
    writer = relay.reach()
    for number in range(3):
        writer.change([Put(f"inbox/ben/{number}", b"x")])
    names, tree = relay.names, relay.repository.git("rev-parse", "main^{tree}")
    relay.wire()
    assert relay.reach().compact()
    assert relay.wire()[0] < 12_000
    assert relay.repository.git("rev-list", "--count", "main") == "1"
    assert relay.repository.git("rev-parse", "main^{tree}") == tree
    assert relay.repository.git("fsck", "--connectivity-only", "--no-dangling") == ""
    folded = relay.repository.git("rev-parse", "main")
    assert relay.reach().compact()
    assert relay.repository.git("rev-parse", "main") == folded
    relay.site.wire.meanwhile("POST", RECEIVE, lambda: relay.reach(relay.ada).compact())
    writer.change([Put("inbox/ben/later", b"x")])
    assert relay.names == names | {"inbox/ben/later"}


@pytest.mark.parametrize(
    "when", [("GET", r"/ada/relay.git/info/refs\?service=git-receive-pack"), ("POST", RECEIVE)], ids=["before", "after"]
)
def test_folding_never_loses_what_arrives_meanwhile(relay: HttpRelay, when: tuple[str, str]) -> None:
    """It is left for another time."""
    relay.fill([("a", b"1")])
    relay.fill([("b", b"1")])
    relay.site.wire.meanwhile(*when, lambda: relay.fill([("c", b"1")]))
    assert relay.reach().compact() is False
    assert relay.names == {"a", "b", "c"}
    assert relay.repository.git("rev-list", "--count", "main") == "3"


# --- hosts of other kinds -------------------------------------------------------------------------------------


def test_a_relay_whose_objects_have_long_names(tmp_path: Path) -> None:
    """SHA-256: found out when it is read, or written to."""
    relay = PathRelay(tmp_path, "--object-format=sha256")
    relay.reach().change([Put("inbox/ben/a", b"a")])
    listing = relay.reach().list()
    assert len(listing.entries["inbox/ben/a"].version) == 64
    assert read_entry(relay.reach(), listing.entries["inbox/ben/a"]) == b"a"
    relay.reach().change([Put("inbox/ben/b", b"b")], ["inbox/ben/a"])
    assert list(relay.reach().list("inbox").entries) == ["inbox/ben/b"]


@pytest.mark.parametrize("setting", ["uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"])
def test_a_host_that_gives_everything_or_nothing(strict: StrictHost, tmp_path: Path, setting: str) -> None:
    """A repository as git makes it, over ssh: no objects by name, or no filter. It takes more, and it works."""
    ada = strict.person("ada", tmp_path)
    runtime = Runtime(environ=ada.environ, cwd=tmp_path)
    strict.git("config", setting, "false")
    there = git_module.GitTransport(strict.url, runtime)
    there.change(deposit("inbox/ben/a", 2_000))
    there.change(deposit("inbox/ben/b", 2_000))
    assert len(git_module.GitTransport(strict.url, runtime).list("inbox/ben").entries) == 4
    assert len(read(git_module.GitTransport(strict.url, runtime), "inbox/ben/a.walnut")) == 2_000


def test_a_repository_at_github_takes_files_up_to_a_size(tmp_path: Path) -> None:
    """Elsewhere nothing is known of a limit, and a large file is a nuisance everywhere."""
    runtime = Runtime(environ={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    for url in ("https://github.com/ada/relay.git", "git@github.com:ada/relay.git", "ssh://git@acme.ghe.com/ada/r"):
        assert git_module.GitTransport(url, runtime).sizes.most == 100 << 20
    for url in ("https://github.com.example.org/ada/relay.git", "https://example.org/github.com", "file:///github.com"):
        assert git_module.GitTransport(url, runtime).sizes.most is None
        assert git_module.GitTransport(url, runtime).sizes.advised == 35 << 20
