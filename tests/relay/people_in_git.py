"""People whose relays are in git, on this machine or at a GitHub of our own, for tests below the command line."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from alive_p2p.keys.keyring import Keyring
from alive_p2p.relay.own_relay import setup
from alive_p2p.relay.reach import reach
from alive_p2p.runtime import Runtime
from relay.git_relays import fill, pending
from relay.github import GitHub
from relay.people import Person, key_of
from relay.persons import make_person

if TYPE_CHECKING:
    from collections.abc import Iterable


class InGit(Person):
    """Somebody whose relay is a bare repository on this machine."""

    @property
    def url(self) -> str:
        return self.relay_folder.as_uri()

    def set_up(self) -> "InGit":
        plain = make_person(self.base / "maker", self.name)
        plain.git("init", "--quiet", "--bare", "--initial-branch=main", self.relay_folder)
        self.runtime = Runtime({"PATH": os.environ["PATH"], **self.runtime.environ}, self.world, clock=self.clock)
        setup(self.url, self.runtime, self.reach)
        return self


class AtGitHub(Person):
    """Somebody with an account, and a repository `<name>/relay` that everybody named may write to."""

    def __init__(self, name: str, site: GitHub, base: Path, peers: "Iterable[str]" = ()) -> None:
        super().__init__(name, base)
        account = site.person(name, base / "accounts", has_gh=False)
        self.runtime = Runtime({**account.environ, "GH_USER": name}, self.world, clock=self.clock)
        self.reach = lambda url: reach(url, self.runtime)
        Keyring.load(self.runtime).install(key_of(name))
        self.site = site
        self.repository = site.create(f"{name}/relay", peers)

    @property
    def url(self) -> str:
        return self.site.clone_url(f"{self.name}/relay")

    def fill(self, folders: int, each: int, size: int = 1000) -> None:
        """Let deposits of many others wait in the relay."""
        fill(self.repository.path, pending(folders, each, size))

    def fill_folder(self, folder: str, number: int) -> None:
        """Let deposits with notes wait in a folder of the relay, and receipts in another."""
        names = [f"inbox/{folder}/20260101-000000-{one:08x}" for one in range(number)]
        kinds = ((".walnut", 999), (".note", 400))
        files = [(f"{name}{end}", os.urandom(size)) for name in names for end, size in kinds]
        files += [(f"receipts/{folder}/{one:08x}.sealed", os.urandom(900)) for one in range(number)]
        fill(self.repository.path, files)
