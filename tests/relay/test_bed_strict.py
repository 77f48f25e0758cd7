"""A host of one's own: what the hook for owners lets through and refuses, with real git and a real sshd."""

import ast
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from relay.persons import Person, make_person
from relay.strict import HOOK, StrictHost

RELAY = {
    ".alive-relay/relay.json": b"{}\n",
    "inbox/ben/first.walnut": b"first",
    "inbox/cleo/hers.walnut": b"hers",
    "keys/ada.pem": b"key",
}


@dataclass
class Relay:
    """A relay behind the hook, as one person sees it; commits are made from objects, without a working tree.

    Attributes:
        folder: that person's bare repository.
        url: where the relay is.
    """

    person: Person
    folder: Path
    url: str

    def fetch(self) -> str:
        """The relay's last commit, fetched."""
        if not self.folder.exists():
            self.person.git("init", "--quiet", "--bare", self.folder)
        self.git("fetch", "--quiet", "--depth=1", "--filter=blob:none", self.url, "main")
        return self.git("rev-parse", "FETCH_HEAD")

    def git(self, *arguments: object, data: bytes = b"", **environ: str) -> str:
        return self.person.git(*arguments, cwd=self.folder, data=data, **environ)

    def commit(self, changes: Mapping[str, tuple[str, bytes] | bytes | None], *parents: str) -> str:
        """A commit on top of its first parent: files set, with a mode or as ordinary ones, and files taken away."""
        index = {"GIT_INDEX_FILE": str(self.folder / "an-index")}
        self.git("read-tree", *(parents[:1] or ["--empty"]), **index)
        lines = []
        for path, value in changes.items():
            mode, content = ("100644", value) if isinstance(value, bytes) else value or ("0", b"0" * 40)
            is_blob = mode.startswith(("10", "12"))
            blob = self.git("hash-object", "-w", "--stdin", data=content) if is_blob else content.decode()
            lines.append(f"{mode} {blob}\t{path}\0")
        lines.sort(key=lambda line: not line.startswith("0 "))  # what is taken away makes room
        self.git("update-index", "-z", "--index-info", data="".join(lines).encode(), **index)
        tree = self.git("write-tree", "--missing-ok", **index)
        return self.git("commit-tree", tree, *(part for parent in parents for part in ("-p", parent)), "-m", "x")

    def push(self, *refs: str) -> None:
        self.git("push", "--quiet", self.url, *refs)

    def refused(self, *arguments: str) -> str:
        """A push that has to be refused, and how."""
        return self.person.git_fails("push", *arguments[:-1], self.url, arguments[-1], cwd=self.folder)


@pytest.fixture
def relays(strict: StrictHost, tmp_path: Path) -> dict[str, Relay]:
    """The same relay as its owner Ada sees it, and Ben, who may deposit."""
    people = {name: strict.person(name, tmp_path) for name in ("ada", "ben")}
    made = {name: Relay(person, person.home / "relay.git", strict.url) for name, person in people.items()}
    ada = made["ada"]
    ada.person.git("init", "--quiet", "--bare", ada.folder)
    ada.push(f"{ada.commit(RELAY)}:refs/heads/main")
    return made


@pytest.fixture
def local(tmp_path: Path) -> Relay:
    """The same without ssh: Ben pushes to a path, and what the forced command says is in his environment."""
    return _make_local(tmp_path)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Relay:
    """The same for tests that change nothing."""
    return _make_local(tmp_path_factory.mktemp("unchanged"))


def _make_local(folder: Path) -> Relay:
    person = make_person(folder, "ben")
    host = folder / "relay.git"
    person.git("init", "--quiet", "--bare", "--template=", host)
    person.git("config", "relay.owner", "ada", cwd=host)
    (host / "hooks").mkdir()
    shutil.copy(HOOK, host / "hooks" / "update")
    relay = Relay(person, folder / "ben.git", str(host))
    person.git("init", "--quiet", "--bare", relay.folder)
    person.environ["RELAY_USER"] = "ada"
    relay.push(f"{relay.commit(RELAY)}:refs/heads/main")
    person.environ["RELAY_USER"] = "ben"
    return relay


def test_a_deposit_arrives_over_ssh(strict: StrictHost, relays: dict[str, Relay]) -> None:
    """Added to one's own folder, on top of a shallow fetch without the relay's content."""
    ben = relays["ben"]
    ben.push(f"{ben.commit({'inbox/ben/second.walnut': b'second'}, ben.fetch())}:refs/heads/main")
    assert strict.git("show", "main:inbox/ben/second.walnut") == "second"
    assert set(strict.git("ls-tree", "-r", "--name-only", "main").splitlines()) == {*RELAY, "inbox/ben/second.walnut"}


def test_a_refusal_over_ssh_is_in_gits_words(relays: dict[str, Relay]) -> None:
    """What the hook says, and which reference was not taken."""
    ben = relays["ben"]
    commit = ben.commit({"keys/ada.pem": b"mine"}, ben.fetch())
    said = ben.refused(f"{commit}:refs/heads/main")
    assert "remote: relay: 'keys/ada.pem' is not directly in 'inbox/ben/'" in said
    assert "! [remote rejected]" in said
    assert "(hook declined)" in said


def test_the_owner_may_do_everything(strict: StrictHost, relays: dict[str, Relay]) -> None:
    """Also fold the history by force, make branches, and remove them; the hook knows her by her key."""
    ada = relays["ada"]
    ada.fetch()
    ada.push(f"+{ada.commit({**RELAY, 'inbox/ben/first.walnut': b'folded'})}:refs/heads/main")
    assert strict.git("rev-list", "--count", "main") == "1"
    ada.push(f"{ada.fetch()}:refs/heads/other")
    ada.push(":refs/heads/other")
    assert strict.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_key_is_asked_for(strict: StrictHost, relays: dict[str, Relay], tmp_path: Path) -> None:
    """A key that the host does not know, or no longer, gets nothing."""
    stranger = strict.person("stranger", tmp_path, is_known=False)
    assert "Permission denied (publickey)" in stranger.git_fails("ls-remote", strict.url)
    strict.forbid("ben")
    assert "Permission denied (publickey)" in relays["ben"].person.git_fails("ls-remote", strict.url)
    assert relays["ada"].person.git("ls-remote", strict.url)


def test_nobody_gets_past_the_hook(strict: StrictHost, relays: dict[str, Relay]) -> None:
    """What would switch it off is a command of its own, and the host runs only what serves git."""
    ben = relays["ben"]
    commit = ben.commit({"keys/ada.pem": b"mine"}, ben.fetch())
    around = "--receive-pack=git -c core.hooksPath=/dev/null receive-pack"
    assert "fatal: unrecognized command" in ben.refused(around, f"{commit}:refs/heads/main")
    ssh = ben.person.environ["GIT_SSH_COMMAND"].split()
    done = ben.person.run(*ssh, "-p", strict.port, "127.0.0.1", "RELAY_USER=ada; id", code=None)
    assert done.code != 0
    assert "uid=" not in done.out


def test_a_name_cannot_be_sent_along(strict: StrictHost, relays: dict[str, Relay]) -> None:
    """The variable comes from the line of the key, whatever the client wants to set."""
    ben = relays["ben"]
    ssh = f"{ben.person.environ['GIT_SSH_COMMAND']} -o SetEnv=RELAY_USER=ada"
    commit = ben.commit({"keys/ada.pem": b"mine"}, ben.fetch())
    said = ben.person.git_fails("push", strict.url, f"{commit}:refs/heads/main", cwd=ben.folder, GIT_SSH_COMMAND=ssh)
    assert "hook declined" in said


ALLOWED: dict[str, Mapping[str, tuple[str, bytes] | bytes | None]] = {
    "added": {"inbox/ben/a.walnut": b"a", "inbox/ben/a.note": b"n"},
    "replaced": {"inbox/ben/first.walnut": b"other"},
    "removed": {"inbox/ben/first.walnut": None},
    "renamed": {"inbox/ben/first.walnut": None, "inbox/ben/renamed.walnut": b"first"},
    "odd names": {'inbox/ben/ \t"\\ü\n:100755.walnut': b"a", "inbox/ben/-rf": b"a", "inbox/ben/…": b"a"},
    "nothing": {},
}


@pytest.mark.parametrize("changes", ALLOWED.values(), ids=ALLOWED)
def test_a_peer_may(local: Relay, changes: Mapping[str, tuple[str, bytes] | bytes | None]) -> None:
    """Whatever concerns ordinary files in the own folder."""
    commit = local.commit(changes, local.fetch())
    local.push(f"{commit}:refs/heads/main")
    assert local.git("ls-remote", local.url, "refs/heads/main").startswith(commit)


FORBIDDEN: dict[str, Mapping[str, tuple[str, bytes] | bytes | None]] = {
    "a file at the root": {"a.walnut": b"a"},
    "a file in somebody else's folder": {"inbox/cleo/a.walnut": b"a"},
    "removing what is somebody else's": {"inbox/cleo/hers.walnut": None},
    "replacing what is somebody else's": {"inbox/cleo/hers.walnut": b"mine"},
    "moving what is somebody else's": {"inbox/cleo/hers.walnut": None, "inbox/ben/hers.walnut": b"hers"},
    "moving into somebody else's": {"inbox/ben/first.walnut": None, "inbox/cleo/first.walnut": b"first"},
    "the relay's own file": {".alive-relay/relay.json": b"[]"},
    "a key": {"keys/peers/ben.pem": b"key"},
    "a receipt": {"receipts/ben/12345678.sealed": b"r"},
    "attributes": {".gitattributes": b"* filter=x"},
    "a file instead of the folder": {"inbox/ben/first.walnut": None, "inbox/ben": b"x"},
    "a file instead of all folders": {**dict.fromkeys(RELAY), "inbox": b"x"},
    "a folder in the own folder": {"inbox/ben/deeper/a.walnut": b"a"},
    "a folder that begins alike": {"inbox/ben2/a.walnut": b"a", "inbox/be/a.walnut": b"a"},
    "another case": {"inbox/Ben/a.walnut": b"a"},
    "what can be run": {"inbox/ben/a": ("100755", b"#!/bin/sh\n")},
    "a change of mode": {"inbox/ben/first.walnut": ("100755", b"first")},
    "a symbolic link": {"inbox/ben/a.walnut": ("120000", b"../cleo/hers.walnut")},
    "a symbolic link instead of a file": {"inbox/ben/first.walnut": ("120000", b"/etc/passwd")},
    "a submodule": {"inbox/ben/a": ("160000", b"1234567890" * 4)},
    "a submodule elsewhere": {"a": ("160000", b"1234567890" * 4)},
    "one right and one wrong": {"inbox/ben/a.walnut": b"a", "inbox/cleo/a.walnut": b"a"},
    "a line's end before the folder": {"\ninbox/ben/a.walnut": b"a"},
    "a folder's name inside another": {"x/inbox/ben/a.walnut": b"a"},
}


@pytest.mark.parametrize("changes", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_peer_may_not(unchanged: Relay, changes: Mapping[str, tuple[str, bytes] | bytes | None]) -> None:
    """Anything else; nothing of it is taken."""
    base = unchanged.fetch()
    commit = unchanged.commit(changes, base)
    said = unchanged.refused(f"{commit}:refs/heads/main")
    assert "remote: relay: " in said
    assert "(hook declined)" in said
    assert unchanged.git("ls-remote", unchanged.url).split()[0] == base


def test_a_peer_may_not_rewrite_or_remove(local: Relay) -> None:
    """History, branches and tags are the owner's."""
    base = local.fetch()
    mine = local.commit({"inbox/ben/a.walnut": b"a"}, base)
    orphan = local.commit({**RELAY, "inbox/ben/a.walnut": b"a"})
    assert "only the owner rewrites history" in local.refused(f"+{orphan}:refs/heads/main")
    assert "(deletion of the current branch prohibited)" in local.refused(":refs/heads/main")
    for ref in ("refs/heads/other", "refs/tags/one", "refs/replace/" + base, "refs/notes/x"):
        assert "only the owner makes or changes" in local.refused(f"{mine}:{ref}")
    assert local.git("ls-remote", local.url, "refs/*").split() == [base, "refs/heads/main"]


def test_what_is_not_ordinary_is_the_owners(local: Relay) -> None:
    """A peer neither makes an ordinary file of it nor takes it away."""
    local.person.environ["RELAY_USER"] = "ada"
    base = local.commit({"inbox/ben/tool": ("100755", b"tool")}, local.fetch())
    local.push(f"{base}:refs/heads/main")
    local.person.environ["RELAY_USER"] = "ben"
    for change in (b"tool", None):
        commit = local.commit({"inbox/ben/tool": change}, base)
        assert "'inbox/ben/tool' has to be an ordinary file" in local.refused(f"{commit}:refs/heads/main")


def test_a_peer_does_not_begin_the_relay(local: Relay) -> None:
    """While it is empty, its first commit is the owner's."""
    local.person.git("update-ref", "-d", "refs/heads/main", cwd=Path(local.url))
    commit = local.commit({"inbox/ben/a.walnut": b"a"})
    assert "only the owner makes or removes the branch" in local.refused(f"{commit}:refs/heads/main")


def test_a_merge_counts_by_what_it_changes(local: Relay) -> None:
    """Two deposits merged are two deposits; a merge that brings in something else is refused."""
    base = local.fetch()
    one, two = (local.commit({f"inbox/ben/{name}.walnut": b"a"}, base) for name in "ab")
    merged = local.commit({"inbox/ben/b.walnut": b"a"}, one, two)
    local.push(f"{merged}:refs/heads/main")
    stranger = local.commit({"inbox/cleo/evil.walnut": b"x"})
    quiet = local.commit({"inbox/ben/c.walnut": b"x"}, merged, stranger)
    loud = local.commit({"inbox/cleo/evil.walnut": b"x"}, merged, stranger)
    taking = local.commit({}, stranger, merged)
    assert "is not directly in" in local.refused(f"{loud}:refs/heads/main")
    assert "is not directly in" in local.refused(f"{taking}:refs/heads/main")
    local.push(f"{quiet}:refs/heads/main")


@pytest.mark.parametrize("name", ["", ".", "..", "../ben", "ben/", "Ben", "-x", "ben\n", "*", None])
def test_a_name_that_is_none_is_refused(unchanged: Relay, monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """A line of the owner's without a name, or with a wrong one, makes nobody the owner."""
    commit = unchanged.commit({"inbox/ben/a.walnut": b"a"}, unchanged.fetch())
    monkeypatch.delitem(unchanged.person.environ, "RELAY_USER")
    if name is not None:
        monkeypatch.setitem(unchanged.person.environ, "RELAY_USER", name)
    assert "it is not known who you are" in unchanged.refused(f"{commit}:refs/heads/main")


def test_without_an_owner_nobody_is_the_owner(local: Relay) -> None:
    """A relay in which that was not set keeps its rules."""
    local.person.git("config", "--unset", "relay.owner", cwd=Path(local.url))
    commit = local.commit({"keys/ada.pem": b"a"}, local.fetch())
    assert "is not directly in" in local.refused(f"{commit}:refs/heads/main")


def _tree(relay: Relay, like: str, entry: str) -> str:
    """A tree with one entry in place of what had its name."""
    name = entry.partition("\t")[2]
    lines = [line for line in relay.git("ls-tree", like).splitlines() if not line.endswith(f"\t{name}")]
    return relay.git("mktree", "--missing", data="".join(f"{line}\n" for line in [*lines, entry]).encode())


def test_a_parent_of_the_folder_in_a_tree_is_refused(local: Relay) -> None:
    """A tree made by hand can have entries that no file system has."""
    base = local.fetch()
    blob = local.git("hash-object", "-w", "--stdin", data=b"x")
    raw = b"100644 ..\0" + bytes.fromhex(blob) + b"100644 first.walnut\0" + bytes.fromhex(blob)
    folder = local.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=raw)
    inbox = _tree(local, f"{base}:inbox", f"040000 tree {folder}\tben")
    tree = _tree(local, base, f"040000 tree {inbox}\tinbox")
    commit = local.git("commit-tree", tree, "-p", base, "-m", "x")
    assert "is not directly in" in local.refused(f"{commit}:refs/heads/main")


def test_the_hook_is_ready_to_be_copied() -> None:
    """It can be run as it is, and by the oldest Python that a host may have."""
    assert os.access(HOOK, os.X_OK)
    text = HOOK.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env python3\n")
    ast.parse(text, feature_version=(3, 6))


def test_the_server_is_gone_afterwards(strict: StrictHost) -> None:
    """Nothing is left running, nor reachable."""
    strict.stop()
    assert strict._process.returncode is not None
    assert not strict._answers()
