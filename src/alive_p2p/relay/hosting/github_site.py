"""Which GitHub: the one on the web or an Enterprise server, and what addresses of repositories look like there.

What a host says is checked here before it becomes part of a path or an address, and what a person typed as well.
"""

import re
from dataclasses import dataclass

from alive_p2p.errors import RelayError
from alive_p2p.runtime import Runtime
from alive_p2p.web import is_safe_address

GITHUB = "github.com"

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")
_REPOSITORY = r"(?P<owner>[^/\s]+)/(?P<name>[^/\s]+?)(?:\.git)?/?"
_ADDRESSES = (
    re.compile(rf"(?i:https)://(?P<host>[^/@\s]+)/{_REPOSITORY}"),
    re.compile(rf"(?i:ssh)://git@(?P<ssh>[^/@\s]+)/{_REPOSITORY}"),
    re.compile(rf"git@(?P<ssh>[^/@:\s]+):/?{_REPOSITORY}"),
)


@dataclass(frozen=True)
class Place:
    """A repository by name; both parts are safe in a path."""

    owner: str
    name: str

    @property
    def full_name(self) -> str:
        """As it is spoken of."""
        return f"{self.owner}/{self.name}"

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"repos/{self.owner}/{self.name}"

    def is_called(self, owner: object, full_name: object) -> bool:
        """Whether it is the one that a host calls so; without regard to case, and no look-alike letters."""
        return is_same(owner, self.owner) and is_same(full_name, self.full_name)


@dataclass(frozen=True)
class Site:
    """A GitHub.

    Attributes:
        host: its name, in lower case, with a port where it has one of its own.
        api: what the addresses of its API begin with; by default where GitHub has it.
    """

    host: str = GITHUB
    api: str = ""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise RelayError(
                "bad-host",
                f"'{self.host}' is not the name of a host",
                untouched="everything",
                hint="mend GH_HOST (or ALIVE_P2P_GITHUB_URL)",
            )
        if not self.api:
            object.__setattr__(self, "api", _api(self.host))
        if not is_safe_address(self.api):
            raise RelayError(
                "bad-host",
                f"the API at '{self.api}' is not asked: it is not https",
                untouched="everything",
                hint="unset ALIVE_P2P_GITHUB_URL, or give it an address that begins with `https://`",
            )

    @classmethod
    def of(cls, runtime: Runtime) -> "Site":
        """The one that the environment names: `ALIVE_P2P_GITHUB_URL`, else `GH_HOST`, else GitHub on the web.

        An address on this machine stands in for GitHub on the web: its API is asked there, and the addresses of
        repositories stay what they are.

        Raises:
            RelayError: `bad-host`.
        """
        address = runtime.environ.get("ALIVE_P2P_GITHUB_URL", "").rstrip("/")
        if address.startswith("http:"):
            return cls(api=f"{address}/api/v3")
        host = (address or runtime.environ.get("GH_HOST", "")).lower().removeprefix("https://")
        return cls() if host in {"", "www.github.com", "api.github.com"} else cls(host)

    @property
    def name(self) -> str:
        """As it is spoken of."""
        return "GitHub" if self.host == GITHUB else self.host

    @property
    def is_on_the_web(self) -> bool:
        """Whether a token for GitHub is meant for it; an Enterprise server is somebody else's."""
        return self.host == GITHUB or self.host.endswith(".ghe.com")

    def place(self, url: str) -> Place | None:
        """The repository at an address; None where it is no address of a repository here."""
        match = next(filter(None, (pattern.fullmatch(url) for pattern in _ADDRESSES)), None)
        if match is None or not is_login(match["owner"]) or not is_name(match["name"]):
            return None
        parts = match.groupdict()
        if (host := parts.get("host")) is not None:
            is_here = host.lower().removesuffix(":443") == self.host
        else:
            # Over ssh a host has other ports than its own; GitHub has another name besides, for networks that close 22.
            bare = str(parts["ssh"]).lower().partition(":")[0]
            is_here = bare == self._bare or (self.host == GITHUB and bare == "ssh.github.com")
        return Place(match["owner"], match["name"]) if is_here else None

    def url(self, place: Place, *, is_ssh: bool = False) -> str:
        """The address of a repository for git."""
        return f"git@{self._bare}:{place.full_name}.git" if is_ssh else f"https://{self.host}/{place.full_name}.git"

    @property
    def _bare(self) -> str:
        return self.host.partition(":")[0]


def _api(host: str) -> str:
    if host == GITHUB or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"


def is_login(text: object) -> bool:
    """Whether somebody, or an organisation, can be called so."""
    return isinstance(text, str) and bool(_LOGIN.fullmatch(text))


def is_same(text: object, name: str) -> bool:
    """Whether a host means this name: letters of either case are the same, those that only look like it are not."""
    return isinstance(text, str) and text.isascii() and text.lower() == name.lower()


def is_name(text: object) -> bool:
    """Whether a repository can be called so."""
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        return False
    return text.strip(".") != "" and not text.lower().endswith(".git")
