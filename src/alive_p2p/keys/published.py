"""The SSH public keys that a person publishes at their git host (relay.md §7).

They are a claim of the host, so they are shown with their fingerprints before they are used. What a host answers
is hostile until it was read: it has so much time, so much room, and no say in where the keys come from.
"""

import re
from dataclasses import dataclass

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.public import KeyProblem, PublicKey, bad_key, load_public_keys
from alive_p2p.runtime import Runtime

DEADLINE_SECONDS = 20.0
"""For the whole answer, from looking the host's name up to the last byte."""


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
            raise bad_key("it is a web page")
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


class _Download:
    """One download of keys."""

    def __init__(self, url: str, host: Host, login: str) -> None:
        self._url = url
        self._host = host
        self._login = login

    def run(self, runtime: Runtime) -> bytes:
        """What the host answers. Raises `AliveP2PError`."""
        from alive_p2p.web import Question, WebError, ask_host, is_safe_address

        if not is_safe_address(self._url):
            raise UsageError(
                "not-https",
                f"keys are only fetched over https, and {self._host.variable} is another address",
                untouched="everything",
                hint=f"unset {self._host.variable}, or give it an address that begins with `https://`",
            )
        try:
            answer = ask_host(Question(self._url), runtime, seconds=DEADLINE_SECONDS)
        except WebError as problem:
            raise self._unreachable(problem.message) from None
        if answer.status != 200:
            raise self._refused(answer.status)
        return answer.body

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
            hint="run it again later, or save the page of keys and give it with `--to-keys FILE`",
        )
