"""Relays in git for tests: Ada's, at a host that counts what goes over the wire, or in a folder."""

import io
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.relay.transports.base import Entry
from alive_p2p.relay.transports.git import GitTransport
from alive_p2p.runtime import Runtime
from relay.github import GitHub
from relay.persons import Person

BIG = 1 << 30


class HttpRelay:
    """Ada's relay `ada/relay` at a host for tests; its peers are collaborators there."""

    def __init__(self, site: GitHub, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.ada = site.person("ada", folder, has_gh=False)
        self.repository = site.create("ada/relay")
        self.url = site.clone_url("ada/relay")

    def reach(self, person: Person | None = None, url: str = "", **options: Any) -> GitTransport:
        """Somebody's access, Ada's by default."""
        environ = (person or self.ada).environ
        return GitTransport(url or self.url, Runtime(environ=environ, cwd=self.folder), **options)

    def fill(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Put files there, in one commit more, past every check."""
        fill(self.repository.path, contents)

    @property
    def names(self) -> set[str]:
        """What lies there, as the host sees it."""
        return set(self.repository.git("ls-tree", "-r", "-z", "--name-only", "main").split("\0")) - {""}

    def wire(self) -> tuple[int, int, int]:
        """Bytes of everything, of what came down with objects, and requests, since it was last asked."""
        everything, fetched = self.site.wire.traffic(), self.site.wire.traffic("upload-pack").down
        self.site.wire.forget()
        return everything.up + everything.down, fetched, everything.requests


class PathRelay:
    """A relay in a bare repository on this machine, and somebody who uses it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.path = folder / "relay.git"
        self.home = folder / "home-path"
        self.home.mkdir()
        self.environ = {"HOME": str(self.home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", *options, self.path],
            check=True,
            env=self.environ,
        )
        self.url = self.path.as_uri()

    def reach(self, **options: Any) -> GitTransport:
        return GitTransport(self.url, Runtime(environ=self.environ, cwd=self.home), **options)

    def git(self, *arguments: object, data: bytes = b"") -> str:
        """Run git in it, as whoever owns it."""
        return git_in(self.path, *arguments, data=data)

    def commit(self, tree: str) -> None:
        """Let the branch stand for a commit of any tree."""
        self.git("update-ref", "refs/heads/main", self.git("commit-tree", tree, "-m", "x"))

    def tree(self, *entries: tuple[str, str, bytes]) -> str:
        """A tree of anything, in git's order: mode, object and name of each entry."""
        in_order = sorted(entries, key=lambda entry: entry[2] + (b"/" if entry[0] == "40000" else b""))
        raw = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(sha)) for mode, sha, name in in_order)
        return self.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=raw)

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data)


def git_in(path: Path, *arguments: object, data: bytes = b"") -> str:
    """Run git in a repository of a host; what it printed."""
    environ = {
        "HOME": str(path.parent),
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "host" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    command = ["git", f"--git-dir={path}", *(str(each) for each in arguments)]
    done = subprocess.run(command, cwd=path, env=environ, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def fill(path: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    """Put files into a repository of a host, in one commit more."""
    has_branch = git_in(path, "for-each-ref", "refs/heads/main")
    stream = b"commit refs/heads/main\ncommitter ada <ada@example.org> 1775000000 +0000\ndata 1\n.\n"
    stream += b"from refs/heads/main^0\n" if has_branch else b""
    stream += b"".join(
        b'M 100644 inline "%s"\ndata %d\n%s\n' % (name.encode(), len(data), data) for name, data in contents
    )
    git_in(path, "fast-import", "--quiet", data=stream)


def pending(peers: int, each: int, size: int) -> list[tuple[str, bytes]]:
    """Deposits of several peers, with notes, of nothing that can be packed."""
    return [
        entry
        for peer in range(peers)
        for number in range(each)
        for entry in (
            (f"inbox/peer-{peer}/{number:04}.walnut", os.urandom(size)),
            (f"inbox/peer-{peer}/{number:04}.note", os.urandom(400)),
        )
    ]


def read(transport: GitTransport, name: str, limit: int = BIG) -> bytes:
    """What a file in a relay holds."""
    output = io.BytesIO()
    transport.read(transport.list().entries[name], output, limit=limit)
    return output.getvalue()


def read_entry(transport: GitTransport, entry: Entry, limit: int = BIG) -> bytes:
    output = io.BytesIO()
    transport.read(entry, output, limit=limit)
    return output.getvalue()


def refusal_of(call: Any) -> AliveP2PError:
    """The error that something ends with."""
    with pytest.raises(AliveP2PError) as refused:
        call()
    return refused.value
