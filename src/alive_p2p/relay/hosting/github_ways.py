"""The ways of asking GitHub: over HTTPS with a token, here, or through `gh` (`github_gh`; relay.md §8).

Both ask once, and give what was answered whatever its status. What fails on the way is a `NoAnswerError`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.runtime import Runtime
from alive_p2p.web import Question, WebError, ask_host

SECONDS = 20.0
"""For one answer."""

MEGABYTES = 4
"""A hundred invitations, the longest page of a list, are about one."""

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


@dataclass(frozen=True)
class Reply:
    """What GitHub answered.

    Attributes:
        status: of HTTP.
        headers: by name in lower case.
        document: what the body says; None where it says nothing, or is not JSON.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Any = None

    @classmethod
    def read(cls, status: int, headers: Mapping[str, str], body: bytes) -> "Reply":
        """Take an answer apart."""
        try:
            return cls(status, headers, json.loads(body) if body.strip() else None)
        except (ValueError, RecursionError):
            return cls(status, headers)

    def at(self, *keys: str) -> Any:  # noqa: ANN401  (whatever the host says; whoever uses it checks it)
        """What stands in the document at a place, or None."""
        return at(self.document, *keys)


def at(document: Any, *keys: str) -> Any:  # noqa: ANN401  (as above)
    """What stands at a place in what a host said, or None."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


class NoAnswerError(Exception):
    """There is no answer, or none that was read to its end; `kind` is one of `WebError`'s codes, or `no-login`."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


class Way(Protocol):
    """A way of asking."""

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Reply:
        """Ask once. Raises `NoAnswerError`.

        Args:
            method: GET and so on.
            path: below the API's address, without a slash in front.
            body: what is sent along as JSON.
        """

    @property
    def prefers_ssh(self) -> bool:
        """Whether the person uses git over ssh there."""

    @property
    def new_login(self) -> str:
        """What to do where the login, or the token, is not accepted any more."""

    def more_rights(self, scope: str) -> str:
        """What to do where the login, or the token, may too little."""


class Rest:
    """Over HTTPS, with a token.

    Args:
        site: whom.
        token: what is shown instead of a password.
        variable: the environment variable it came from.
        runtime: the surroundings.
    """

    prefers_ssh = False

    def __init__(self, site: Site, token: str, variable: str, runtime: Runtime) -> None:
        self._site = site
        self._token = token.strip()
        self._variable = variable
        self._runtime = runtime

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Reply:
        """Ask once."""
        if not re.fullmatch(r"[!-~]+", self._token):
            raise NoAnswerError("no-login", f"what {self._variable} holds is not a token")
        headers = {**HEADERS, "Authorization": f"Bearer {self._token}"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        question = Question(f"{self._site.api}/{path}", method, headers, data)
        try:
            answer = ask_host(question, self._runtime, seconds=SECONDS, megabytes=MEGABYTES)
        except WebError as error:
            raise NoAnswerError(error.code, error.message) from None
        return Reply.read(answer.status, answer.headers, answer.body)

    @property
    def new_login(self) -> str:
        """What to do where the token is not accepted."""
        return f"make another token and put it into {self._variable}, or install `gh` and run `gh auth login`"

    def more_rights(self, scope: str) -> str:
        """What to do where the token may too little."""
        return f"give the token in {self._variable} the scope `{scope}`; with `gh`, run `gh auth refresh -s {scope}`"
