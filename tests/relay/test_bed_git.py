"""What git itself does, and a transport relies on or has to know: shown with whatever git is installed."""

import os
from pathlib import Path

import pytest

from relay.github import GitHub
from relay.persons import Person

PENDING = {f"inbox/peer-{peer}/{number}.walnut": 20_000 for peer in range(3) for number in range(4)}


class Relay:
    """A relay as one person sees it, fetched into a new repository each time, under a name given with the command."""

    def __init__(self, site: GitHub, person: Person) -> None:
        self.site, self.person, self.url = site, person, site.clone_url("ada/relay")
        self.folder = person.home / "none"

    def fetch(self, what: str, *, into: str, is_promisor: bool = False) -> str:
        """The tip, fetched without content; unless `is_promisor`, git forgets that the rest could be had there."""
        self.folder = self.person.home / into
        self.person.git("init", "--quiet", "--bare", "--template=", self.folder)
        self.git("fetch", "--quiet", "--depth=1", "--no-tags", f"--filter={what}", "relay", "main")
        if not is_promisor:
            self.git("config", "--remove-section", "remote.relay")
        return self.git("rev-parse", "--verify", "FETCH_HEAD^{commit}")

    def git(self, *arguments: object, data: str | bytes = b"") -> str:
        return self.person.git("-c", f"remote.relay.url={self.url}", *arguments, cwd=self.folder, data=data)

    def with_entry(self, like: str, entry: str) -> str:
        """A tree with one entry more, or in place of what had its name; nothing that it names has to be here."""
        lines = self.git("ls-tree", "-z", like).split("\0")[:-1] if like else []
        kept = [line for line in lines if line.partition("\t")[2] != entry.partition("\t")[2]]
        return self.git("mktree", "-z", "--missing", data="".join(f"{line}\0" for line in [*kept, entry]))

    def commit(self, tip: str, peer: str, name: str, content: bytes) -> str:
        """A deposit on top of the tip, from the trees on its path alone."""
        blob = self.git("hash-object", "-w", "--no-filters", "--stdin", data=content)
        folder = f"{tip}:inbox/{peer}" if self.git("ls-tree", f"{tip}:inbox", peer) else ""
        folder = self.with_entry(folder, f"100644 blob {blob}\t{name}")
        inbox = self.with_entry(f"{tip}:inbox", f"040000 tree {folder}\t{peer}")
        return self.git("commit-tree", self.with_entry(tip, f"040000 tree {inbox}\tinbox"), "-p", tip, "-m", "deposit")

    def push(self, commit: str, code: int = 0):
        """What became of a push."""
        command = (
            "git",
            "-c",
            f"remote.relay.url={self.url}",
            "push",
            "--porcelain",
            "relay",
            f"{commit}:refs/heads/main",
        )
        return self.person.run(*command, cwd=self.folder, code=code)

    @property
    def fetched(self) -> int:
        """How many bytes came down with objects since it was last asked."""
        down = self.site.wire.traffic("upload-pack").down
        self.site.wire.forget()
        return down


@pytest.fixture
def relay(github: GitHub, tmp_path: Path) -> Relay:
    """Ada's, with deposits of three peers."""
    ada = github.person("ada", tmp_path)
    repository = github.create("ada/relay")
    stream = b"commit refs/heads/main\ncommitter ada <ada@example.org> 1775000000 +0000\ndata 1\n.\n" + b"".join(
        b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), size, os.urandom(size)) for path, size in PENDING.items()
    )
    repository.git("fast-import", "--quiet", data=stream)
    return Relay(github, ada)


def test_after_a_filtered_fetch_asking_is_downloading(relay: Relay) -> None:
    """Git remembers where the rest can be had, and gets it for a question about its size."""
    tip = relay.fetch("blob:none", into="a.git", is_promisor=True)
    assert relay.fetched < 10_000
    relay.git("cat-file", "-s", f"{tip}:inbox/peer-0/0.walnut")
    assert relay.fetched > 20_000
    relay.git("ls-tree", "-l", f"{tip}:inbox/peer-1")
    assert relay.fetched > 4 * 20_000


def test_without_that_memory_nothing_is_downloaded(relay: Relay) -> None:
    """What is missing is missing, at once; and a push asks for nothing, not even what it replaces."""
    tip = relay.fetch("blob:none", into="a.git")
    assert relay.fetched < 10_000
    command = ("git", "-c", f"remote.relay.url={relay.url}", "cat-file", "-e", f"{tip}:inbox/peer-0/0.walnut")
    assert relay.person.run(*command, cwd=relay.folder, code=None).code != 0
    relay.push(relay.commit(tip, "peer-0", "0.walnut", os.urandom(20_000)))
    assert relay.fetched == 0


def test_a_deposit_needs_only_the_trees_on_its_path(relay: Relay) -> None:
    """Two levels, and the peer's own folder by its name: whatever else waits in the relay costs nothing."""
    tip = relay.fetch("tree:2", into="a.git")
    folder = relay.git("ls-tree", f"{tip}:inbox", "peer-1").split()[2]
    relay.git(
        "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "relay", folder
    )
    relay.git("config", "--remove-section", "remote.relay")
    assert relay.fetched < 10_000
    relay.push(relay.commit(tip, "peer-1", "new.walnut", b"new"))
    assert relay.fetched == 0
    host = relay.site.repository("ada/relay")
    assert set(host.git("ls-tree", "-r", "--name-only", "main").split()) == {*PENDING, "inbox/peer-1/new.walnut"}
    assert host.git("fsck", "--connectivity-only") == ""


def test_a_whole_folder_comes_without_what_is_large(relay: Relay) -> None:
    """A tree fetched by name, with a limit that the host keeps.

    Without a depth, git would find the tree here already, and ask for nothing.
    """
    tip = relay.fetch("tree:2", into="a.git")
    relay.push(relay.commit(tip, "cleo", "small.note", b"small"))
    tip = relay.fetch("blob:none", into="b.git")
    relay.fetched  # noqa: B018  (from here)
    tree = relay.git("rev-parse", f"{tip}:inbox")
    relay.git(
        "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--filter=blob:limit=10k", "relay", tree
    )
    relay.git("config", "--remove-section", "remote.relay")
    assert relay.fetched < 10_000
    assert relay.git("cat-file", "blob", f"{tip}:inbox/cleo/small.note") == "small"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (("GET", r"/ada/relay.git/info/refs\?service=git-receive-pack"), "[rejected] (fetch first)"),
        (("POST", "/ada/relay.git/git-receive-pack"), "[remote rejected] "),
    ],
    ids=["before the references", "after the references"],
)
def test_a_lost_race_is_told_in_one_line(relay: Relay, when: tuple[str, str], said: str) -> None:
    """What a program reads is on the output; which lock it was, the host says on the screen."""
    first = Relay(relay.site, relay.person)
    commit = first.commit(first.fetch("blob:none", into="first.git"), "peer-1", "first.walnut", b"first")
    commit_of_mine = relay.commit(relay.fetch("blob:none", into="mine.git"), "peer-2", "mine.walnut", b"mine")
    relay.site.wire.meanwhile(*when, lambda: first.push(commit))
    done = relay.push(commit_of_mine, code=1)
    (line,) = [line for line in done.out.splitlines() if line.startswith("!")]
    assert line.startswith(f"!\t{commit_of_mine}:refs/heads/main\t{said}")
    assert ("cannot lock ref 'refs/heads/main'" in done.err) == said.startswith("[remote")
