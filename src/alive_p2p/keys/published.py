"""The SSH public keys that a person publishes at their git host (relay.md §7).

They are a claim of the host, so they are shown with their fingerprints before they are used. What a host answers
is hostile until it was read: it has so much time, so much room, and no say in where the keys come from.
"""

import http.client
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.public import KeyProblem, PublicKey, load_public_keys
from alive_p2p.runtime import Runtime

DEADLINE_SECONDS = 20.0
"""For the whole answer, from looking the host's name up to the last byte."""

THREAD_NAME = "fetch-published-keys"

_LIMIT = 1 << 20
_POLL_SECONDS = 0.05
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Host:
    """A git host: its name, where it publishes, the variable that names another place, and what a login looks like."""

    name: str
    address: str
    variable: str
    login: re.Pattern[str]


HOSTS = {
    "github": Host(
        "GitHub", "https://github.com", "ALIVE_P2P_GITHUB_URL", re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
    ),
    "gitlab": Host(
        "GitLab", "https://gitlab.com", "ALIVE_P2P_GITLAB_URL", re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
    ),
}
"""The hosts by the word before the colon; `<address>/<login>.keys` is the same at both."""


def is_published_name(text: str) -> bool:
    """Whether a recipient is written as `host:login`."""
    return text.split(":", 1)[0] in HOSTS and ":" in text


def fetch_published_keys(text: str, runtime: Runtime) -> list[PublicKey]:
    """Fetch the keys that somebody publishes and that a package can be sealed for with age, each once (relay.md §7).

    Args:
        text: `github:LOGIN` or `gitlab:LOGIN`.
        runtime: for another address of the host (an Enterprise server, or a test's), and for the time that passes.

    Raises:
        UsageError: the login cannot be one, nobody has it, they publish no key that can be used, or the address is
            not one that keys are fetched from.
        AliveP2PError: the host cannot be reached, answers too slowly or something else (`host-unreachable`), or
            what it publishes is not a list of keys (`bad-published-keys`).
    """
    word, login = text.split(":", 1)
    host = HOSTS[word]
    if not host.login.fullmatch(login):
        raise UsageError(
            "bad-login",
            f"'{login}' cannot be a login at {host.name}",
            untouched="everything",
            hint=f"write it as `{word}:LOGIN`, as in the address of their page",
        )
    address = runtime.environ.get(host.variable) or host.address
    data = _Download(f"{address.rstrip('/')}/{login}.keys", host, login).run(runtime)
    keys = _read_keys(data, host, login)
    usable = [key for key in keys if _age_can_use(key)]
    if not usable:
        lines = [line for line in map(bytes.strip, data.splitlines()) if line and not line.startswith(b"#")]
        why = f": none of the {len(lines)} there is of a kind or size that age encrypts to" if lines else ""
        raise UsageError(
            "no-published-keys",
            f"{login} publishes no key at {host.name} that can be used{why}",
            untouched="everything",
            hint="ask them for an ssh-ed25519, ssh-rsa or age key, and give it with `--to-keys FILE`",
        )
    return usable


def _read_keys(data: bytes, host: Host, login: str) -> list[PublicKey]:
    try:
        if data.lstrip().startswith(b"<"):
            raise KeyProblem("bad-key", "it is a web page")
        return load_public_keys(data)
    except KeyProblem as problem:
        raise AliveP2PError(
            "bad-published-keys",
            f"what {host.name} gives as the keys of '{login}' cannot be used: {problem.message}",
            untouched="everything",
            hint="ask them for a key, and give it with `--to-keys FILE`",
        ) from None


def _age_can_use(key: PublicKey) -> bool:
    try:
        key.age_recipient()
    except KeyProblem:
        return False
    return True


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are answers like any other: they would lead to another place's keys, or another login's."""

    def http_error_302(self, *_: object) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302  # type: ignore[assignment]


class _Download:
    """One download, in a thread that can be given up on.

    A name look-up, or a header that comes drop by drop, is ended in no other way.
    """

    def __init__(self, url: str, host: Host, login: str) -> None:
        self._url = url
        self._host = host
        self._login = login
        self._outcome: bytes | BaseException | None = None
        self._is_given_up = False

    def run(self, runtime: Runtime) -> bytes:
        """What the host answers. Raises `AliveP2PError`."""
        self._check_address()
        deadline = runtime.monotonic() + DEADLINE_SECONDS
        thread = threading.Thread(target=self._keep_outcome, name=THREAD_NAME, daemon=True)
        thread.start()
        while thread.is_alive() and runtime.monotonic() < deadline:
            thread.join(_POLL_SECONDS)
        outcome = self._outcome  # taken before the thread is told to stop, which ends an answer early
        self._is_given_up = True
        if outcome is None:
            raise self._unreachable(f"it took longer than {DEADLINE_SECONDS:g} seconds")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _check_address(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self._url)
            is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
        except ValueError:
            is_safe = False
        if not is_safe:
            raise UsageError(
                "not-https",
                f"keys are only fetched over https, and {self._host.variable} is another address",
                untouched="everything",
            )

    def _keep_outcome(self) -> None:
        try:
            self._outcome = self._download()
        except BaseException as error:  # noqa: BLE001  (raised again by whoever waits)
            self._outcome = error

    def _download(self) -> bytes:
        request = urllib.request.Request(self._url, headers={"User-Agent": "alive-p2p"})  # noqa: S310  (checked)
        try:
            opener = urllib.request.build_opener(_NoRedirects)
            with opener.open(request, timeout=DEADLINE_SECONDS) as answer:
                return self._body(answer)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(error.code) from None
        except http.client.IncompleteRead:
            raise self._unreachable("its answer was cut off") from None
        except http.client.HTTPException:
            raise self._unreachable("it does not answer as a web server does") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None)
            raise self._unreachable(str(reason or type(error).__name__)) from None

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        if answer.status != 200:
            raise self._refused(answer.status)
        promised = answer.length  # None where the host does not say
        data = b""
        while not self._is_given_up and (piece := answer.read1(1 << 16)):
            data += piece
            if len(data) > _LIMIT:
                raise self._unreachable("its answer is larger than a megabyte")
        if promised is not None and len(data) < promised:
            raise self._unreachable("its answer was cut off")
        return data

    def _refused(self, code: int) -> AliveP2PError:
        if code == 404:
            what = f"nobody at {self._host.name} is called '{self._login}'"
            return UsageError(
                "no-such-login", what, untouched="everything", hint="ask them how their name is spelt there"
            )
        if 300 <= code < 400:
            return self._unreachable(f"it sends us somewhere else ({code}); is '{self._login}' still their login?")
        return self._unreachable(f"it answered {code}")

    def _unreachable(self, why: str) -> AliveP2PError:
        return AliveP2PError(
            "host-unreachable",
            f"the keys could not be fetched from {self._host.name}: {why}",
            untouched="everything",
            hint="try again later, or save the page of keys and give it with `--to-keys FILE`",
        )
