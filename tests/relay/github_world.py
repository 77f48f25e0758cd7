"""Who is at the host of `relay.github`, what they have there, and the git repositories it is kept in."""

import itertools
import os
import secrets
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

LARGEST_FILE = 100 << 20
"""GitHub's limit for a file; one in a test is smaller."""

_LIMIT = r"""#!/bin/sh
# What GitHub says to a file over its limit: the sizes of all that is new, before any of it counts.
while read -r old new ref; do
  case $new in *[!0]*) git rev-list --objects "$new" --not --all ;; esac
done | git cat-file --batch-check='%(objecttype) %(objectsize) %(rest)' | awk -v limit="$BED_LARGEST_FILE" '
  $1 == "blob" && $2 > limit {
    size = $2; sub(/^[^ ]* [^ ]* /, "")
    if (!found++) print "error: See https://gh.io/lfs for more information."
    printf "error: File %s is %.2f MB; this exceeds GitHub\047s file size limit of %.2f MB\n", \
      $0, size / 1048576, limit / 1048576
  }
  END {
    if (found) {
      printf "error: GH001: Large files detected. You may want to try Git Large File Storage"
      print " - https://git-lfs.github.com."
    }
    exit found > 0
  }' >&2
"""

_ADOPT = """#!/bin/sh
# In a repository that was empty, the first branch that is pushed becomes the default, as at GitHub.
git show-ref --quiet --verify "$(git symbolic-ref HEAD)" && exit
first=$(git for-each-ref --count=1 --format='%(refname)' refs/heads)
if [ -n "$first" ]; then git symbolic-ref HEAD "$first"; fi
"""

_CONFIG = """[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	fsckObjects = true
	autogc = false
[gc]
	auto = 0
"""
"""As GitHub: filters, and any object for whoever knows its name. Nothing is protected; git itself keeps the default
branch from being deleted, and so does GitHub."""


def now() -> str:
    """The present, as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class User:
    """Somebody with an account."""

    id: int
    login: str
    keys: list[str] = field(default_factory=list)
    requests: int = 0


@dataclass(frozen=True)
class Token:
    """What a person shows instead of a password."""

    text: str
    user: User
    scopes: frozenset[str]


@dataclass
class Invitation:
    """Somebody was asked to a repository, and has not said yes."""

    id: int
    invitee: User
    inviter: User
    created_at: str = field(default_factory=now)


@dataclass
class Repository:
    """A repository: who may, and where it lies.

    Attributes:
        collaborators: who said yes, by id; the owner is not among them.
    """

    id: int
    owner: User
    name: str
    private: bool
    path: Path
    collaborators: dict[int, User] = field(default_factory=dict)
    invitations: dict[int, Invitation] = field(default_factory=dict)
    created_at: str = field(default_factory=now)
    pushed_at: str = field(default_factory=now)

    @property
    def full_name(self) -> str:
        """As it is spoken of."""
        return f"{self.owner.login}/{self.name}"

    def git(self, *arguments: str, data: bytes | None = None) -> str:
        """Run git in it, at the host, past every rule of the API; what it printed, without the last line's end."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environment(), input=data, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace").rstrip("\n")

    @property
    def default_branch(self) -> str:
        """What HEAD stands for, whether it has a commit or not."""
        return self.git("symbolic-ref", "--short", "HEAD")

    @property
    def size(self) -> int:
        """Of what is kept in it, in KiB."""
        return sum(path.stat().st_size for path in (self.path / "objects").rglob("*") if path.is_file()) // 1024

    def is_open_to(self, user: User | None, *, writing: bool = False) -> bool:
        """Whether somebody may read it, or push to it: anything, anywhere, also by force."""
        if user and (user.id == self.owner.id or user.id in self.collaborators):
            return True
        return not self.private and not writing


def environment(**more: str) -> dict[str, str]:
    """What git at the host sees: nothing of the person who runs the tests."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
        **{f"GIT_{who}_{what}": "GitHub" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        **more,
    }


class World:
    """Everything the host knows. Names of people and repositories are told apart without regard to case."""

    def __init__(self, folder: Path) -> None:
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.folder = folder / "repositories"
        self._ids = itertools.count(1001)
        self._template = folder / "template"
        (self._template / "hooks").mkdir(parents=True)
        for name, text in (("pre-receive", _LIMIT), ("post-receive", _ADOPT)):
            hook = self._template / "hooks" / name
            hook.write_text(text, encoding="ascii")
            hook.chmod(0o755)
        self.folder.mkdir()

    def next_id(self) -> int:
        """A number nothing else has."""
        return next(self._ids)

    def add_user(self, login: str, keys: Iterable[str] = ()) -> User:
        """Somebody, made if they are new; with the SSH keys they publish."""
        with self.lock:
            user = self.users.setdefault(login.lower(), User(self.next_id(), login))
            user.keys.extend(keys)
            return user

    def add_token(self, login: str, scopes: Iterable[str]) -> str:
        """A new token of somebody's."""
        with self.lock:
            token = Token(f"gho_{secrets.token_hex(18)}", self.add_user(login), frozenset(scopes))
            self.tokens[token.text] = token
            return token.text

    def find(self, owner: str, name: str) -> Repository | None:
        """A repository by name, with or without `.git`."""
        return self.repositories.get((owner.lower(), name.lower().removesuffix(".git")))

    def create(self, owner: User, name: str, *, private: bool, auto_init: bool = False) -> Repository:
        """A new repository, without a commit unless it is asked for."""
        with self.lock:
            number = self.next_id()
            path = self.folder / f"{number}.git"
            repository = Repository(number, owner, name, private, path)
            path.mkdir()
            repository.git("init", "--quiet", "--bare", "--initial-branch=main", f"--template={self._template}", ".")
            with (path / "config").open("a", encoding="ascii") as config:
                config.write(_CONFIG)
            if auto_init:
                blob = repository.git("hash-object", "-w", "--stdin", data=f"# {name}".encode())
                tree = repository.git("mktree", data=f"100644 blob {blob}\tREADME.md\n".encode())
                repository.git(
                    "update-ref", "refs/heads/main", repository.git("commit-tree", tree, "-m", "Initial commit")
                )
            self.repositories[owner.login.lower(), name.lower()] = repository
            return repository
