"""The SSH public keys that a person publishes at their git host (relay.md §7).

They are a claim of the host, so they are shown with their fingerprints before they are used.
"""

import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.public import PublicKey, load_public_keys
from alive_p2p.runtime import Runtime

_SECONDS = 20
_LIMIT = 1 << 20


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
    """Fetch the usable keys that somebody publishes.

    Args:
        text: `github:LOGIN` or `gitlab:LOGIN`.
        runtime: for another address of the host (an Enterprise server, or a test's).

    Raises:
        UsageError: the login cannot be one, nobody has it, or they publish no key that can be used.
        AliveP2PError: the host cannot be reached, or answers something else.
    """
    word, login = text.split(":", 1)
    host = HOSTS[word]
    if not host.login.fullmatch(login):
        raise UsageError("bad-login", f"'{login}' cannot be a login at {host.name}", untouched="everything")
    address = runtime.environ.get(host.variable) or host.address
    data = _get(f"{address.rstrip('/')}/{login}.keys", host, login)
    keys = load_public_keys(data)
    if not keys:
        raise UsageError(
            "no-published-keys",
            f"{login} publishes no key at {host.name} that can be used",
            untouched="everything",
            hint="ask them for an ssh-ed25519, ssh-rsa or age key, and give it with `--to-keys FILE`",
        )
    return keys


def _get(url: str, host: Host, login: str) -> bytes:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise UsageError("not-https", f"keys are only fetched over https, and {host.variable} is another address")
    request = urllib.request.Request(url, headers={"User-Agent": "alive-p2p"})  # noqa: S310  (the scheme was checked)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            data: bytes = answer.read(_LIMIT + 1)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            raise UsageError("no-such-login", f"nobody at {host.name} is called '{login}'") from None
        raise _unreachable(host, f"it answered {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        raise _unreachable(host, str(reason or type(error).__name__)) from None
    if len(data) > _LIMIT:
        raise _unreachable(host, "its answer is larger than a megabyte")
    return data


def _unreachable(host: Host, why: str) -> AliveP2PError:
    return AliveP2PError(
        "host-unreachable",
        f"the keys could not be fetched from {host.name}: {why}",
        untouched="everything",
        hint="try again later, or save the page of keys and give it with `--to-keys FILE`",
    )
