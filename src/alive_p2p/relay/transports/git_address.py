"""The address of a git relay, taken apart: what git is told, what is shown, and what nobody may see."""

import base64
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

Protocol = Literal["https", "http", "ssh", "file"]

_SCP_LIKE = re.compile(r"(?P<user>[^@:/]+)@(?P<host>[^:/]+):.*")
_LONGEST_LOGIN = 39
_TOKEN = re.compile(rf"gh[a-z]_.*|github_pat_.*|glpat-.*|.{{{_LONGEST_LOGIN + 1},}}")
"""A user in an address that is no name but a token: hosts take it without any password."""
_GITHUB = re.compile(r"(?:.*\.)?(?:github\.com|ghe\.com)", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where a git relay is.

    Attributes:
        url: for git and for everybody's eyes: without a password or a token.
        protocol: how it is reached.
        host: its name, without a port; empty for a path.
        login: as whom the address says to log in, `user@host`, or the host alone.
        authorization: what is to be sent along over HTTP, where the address held a password or a token. It goes into a
            private file instead of a command line, which everybody on the machine can read.
        secrets: what must not be shown, in every form in which it may turn up.
    """

    url: str
    protocol: Protocol
    host: str
    login: str
    authorization: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_github(self) -> bool:
        """Whether it is at GitHub, or at a GitHub of a company's own."""
        return _GITHUB.fullmatch(self.host) is not None

    @property
    def is_this_machine(self) -> bool:
        """Whether what runs at the other side runs here."""
        return self.protocol == "file" or self.host in {"localhost", "::1"} or self.host.startswith("127.")

    @property
    def place(self) -> str:
        """What is spoken of where the host is meant."""
        return self.host or self.url

    def without_secrets(self, text: str) -> str:
        """A text in which nothing of the password is left."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def parse(url: str) -> Address:
    """Take an address apart that `reach.refuse_bad_address` lets through."""
    if match := _SCP_LIKE.fullmatch(url):
        return Address(url, "ssh", match["host"], f"{match['user']}@{match['host']}")
    parts = urlsplit(url)
    host = parts.hostname or ""
    user, password = parts.username, parts.password
    if parts.scheme == "file":
        return Address(url, "file", "", "")
    if parts.scheme == "ssh":
        return Address(_with_user(parts, user), "ssh", host, f"{user}@{host}" if user else host, None, _forms(password))
    protocol: Protocol = "http" if parts.scheme == "http" else "https"
    if password is None and (user is None or not _TOKEN.fullmatch(unquote(user))):
        return Address(_with_user(parts, user), protocol, host, f"{user}@{host}" if user else host)
    if password in {None, "x-oauth-basic"}:  # the user is the token; every host takes it as a password as well
        user, password = "x-access-token", user
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    encoded = base64.b64encode(pair.encode()).decode()
    return Address(
        _with_user(parts, None),
        protocol,
        host,
        host,
        f"Basic {encoded}",
        (encoded, *_forms(password)),
    )


def _with_user(parts: SplitResult, user: str | None) -> str:
    rest = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}@{rest}" if user else rest).geturl()


def _forms(secret: str | None) -> tuple[str, ...]:
    return tuple({secret, unquote(secret)}) if secret else ()
