"""What GitHub's refusals mean, and what to do about each (relay.md §8).

The codes are `host-login` (no login and no token), `host-token` (it is not accepted), `host-scope` (it may too little),
`host-two-factor` and `host-sso` (another login is wanted first), `host-rate-limit` (too many calls in an hour),
`host-slow-down` (too many at once), `host-conflict`, `host-refused` (the host does not take what was asked for),
`host-moved` (it sends us elsewhere), `host-answer` (what it answers is not its API's), and of the relay's own
`relay-denied`, `relay-missing` and `relay-unreachable`.
"""

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from alive_p2p.errors import RelayError
from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.relay.hosting.github_ways import NoAnswerError, Reply, Way, at
from alive_p2p.runtime import format_timestamp
from alive_p2p.text import has_unsafe_character, one_line

SCOPE = "repo"
"""What a token has to be good for, as GitHub calls it: private repositories, and inviting to them."""

_LONGEST_URL = 500


@dataclass(frozen=True)
class Wish:
    """What is asked for, for the words of an error.

    Attributes:
        words: follow "could not".
        untouched: what is as it was if it fails.
    """

    words: str
    untouched: str = "everything"


def no_login(site: Site, variable: str) -> RelayError:
    """The error where nothing says who we are."""
    command = "gh auth login" if site.name == "GitHub" else f"gh auth login -h {site.host}"
    return RelayError(
        "host-login",
        f"you are not logged in at {site.name}: `gh` has no login there, and {variable} is not set",
        untouched="everything",
        hint=f"install `gh` and run `{command}`, or put a token with the scope `{SCOPE}` into {variable}",
    )


def no_answer(error: NoAnswerError, site: Site, way: Way, wish: Wish, *, is_change: bool) -> RelayError:
    """The error for an exchange that came to nothing.

    Args:
        error: what came instead of an answer.
        site: who was asked.
        way: how.
        wish: what for.
        is_change: whether it may have been done without our hearing of it.
    """
    if error.kind == "no-login":
        return RelayError(
            "host-login",
            f"you are not logged in at {site.name}: {error.why}",
            untouched=wish.untouched,
            hint=way.new_login,
        )
    if error.kind in {"too-large", "not-http"}:
        return nonsense(site, wish, error.why)
    hints = {
        "no-address": "is this machine online? Then look at the spelling of GH_HOST, and run it again",
        "not-answering": "run it again later; a proxy or a firewall can be in the way as well",
        "bad-certificate": "something between you and the host may be reading along: ask whoever runs this network",
        "slow": "run it again later",
    }
    return RelayError(
        "relay-unreachable",
        f"could not {wish.words}: {site.name} cannot be reached: {error.why}",
        untouched=f"{wish.untouched} on this machine; at the host it may have been done"
        if is_change
        else wish.untouched,
        hint=hints.get(error.kind, "run it again; doing it twice is harmless"),
    )


def nonsense(site: Site, wish: Wish, why: str = "it is not what its API says") -> RelayError:
    """The error for an answer that makes no sense."""
    return RelayError(
        "host-answer",
        f"could not {wish.words}: what {site.name} answers cannot be used: {why}",
        untouched=wish.untouched,
        hint="a proxy, or the login page of a network, may have answered instead; run it again from elsewhere",
    )


def missing_scope(site: Site, way: Way, wish: Wish) -> RelayError:
    """The error where the login is not good for private repositories."""
    return RelayError(
        "host-scope",
        f"could not {wish.words}: your login at {site.name} lacks the scope `{SCOPE}`",
        untouched=wish.untouched,
        hint=way.more_rights(SCOPE),
    )


def lacks_scope(reply: Reply) -> bool:
    """Whether an answer says that the token is not good for private repositories; some tokens have no such list."""
    said = reply.headers.get("x-oauth-scopes")
    return said is not None and SCOPE not in {scope.strip() for scope in said.split(",")}


def pause_wanted(reply: Reply, now: datetime) -> float | None:
    """How many seconds GitHub wants us to wait before it is asked again; None where it does not say."""
    said = reply.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) <= 6:
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def is_slow_down(reply: Reply) -> bool:
    """Whether it is a refusal because of too much at once, or too much altogether."""
    return reply.status == 429 or (reply.status == 403 and "rate limit" in _message(reply).lower())


def refusal(reply: Reply, site: Site, way: Way, wish: Wish, now: datetime) -> RelayError:
    """The error for an answer that is not what was hoped for.

    Args:
        reply: the answer.
        site: whose.
        way: how it was asked for.
        wish: what for.
        now: the present moment.
    """
    cause, status = f"could not {wish.words}: ", reply.status

    def error(code: str, why: str, hint: str) -> RelayError:
        return RelayError(code, cause + why, untouched=wish.untouched, hint=hint)

    if status == 401 and "x-github-otp" in reply.headers:
        return error("host-two-factor", f"{site.name} wants a second factor", way.new_login)
    if status == 401:
        return error("host-token", f"{site.name} does not accept your login{_says(reply)}", way.new_login)
    if status in {403, 429} and is_slow_down(reply):
        return _limited(reply, site, wish, now)
    if status in {403, 404} and "x-github-sso" in reply.headers:
        url = _sso_url(reply, site)
        hint = f"authorise it at {url}" if url else f"authorise your token for it at {site.name}, in your settings"
        return error(
            "host-sso", f"an organisation at {site.name} wants its own login first", f"{hint}, and run it again"
        )
    if status in {403, 404} and lacks_scope(reply):
        return missing_scope(site, way, wish)
    if status == 403:
        rights = one_line(reply.headers.get("x-accepted-github-permissions", ""))
        hint = f"give the token these rights: {rights}" if rights else way.more_rights(SCOPE)
        return error("relay-denied", f"{site.name} does not allow it{_says(reply)}", hint)
    if status == 404:
        return error(
            "relay-missing", f"{site.name} does not know it, or does not show it to you", way.more_rights(SCOPE)
        )
    if status == 409:
        return error("host-conflict", f"something else is under way there{_says(reply)}", "run it again in a minute")
    if status >= 500:
        return error("relay-unreachable", f"{site.name} has a problem of its own ({status})", "run it again later")
    if 300 <= status < 400:
        return error(
            "host-moved", f"{site.name} sends us somewhere else ({status})", "ask its owner for the new address"
        )
    if status >= 400:
        return error("host-refused", f"{site.name} does not take it ({status}){_says(reply)}", "mend what it names")
    return nonsense(site, wish)


def _limited(reply: Reply, site: Site, wish: Wish, now: datetime) -> RelayError:
    pause = pause_wanted(reply, now)
    if pause is None and reply.headers.get("x-ratelimit-remaining") == "0":
        moment = _moment(reply.headers.get("x-ratelimit-reset", ""))
        until = f"; that ends at {moment}" if moment else ""
        return RelayError(
            "host-rate-limit",
            f"could not {wish.words}: you have asked {site.name} as often as it allows in an hour{until}",
            untouched=wish.untouched,
            hint=f"run it again after {moment}" if moment else "run it again in an hour",
        )
    after = "in a few minutes" if pause is None else f"after {format_timestamp(now + timedelta(seconds=pause))}"
    return RelayError(
        "host-slow-down",
        f"could not {wish.words}: {site.name} asks us to slow down",
        untouched=wish.untouched,
        hint=f"run it again {after}",
    )


def _moment(said: str) -> str | None:
    if not (said.isascii() and said.isdigit() and len(said) <= 11):
        return None
    return format_timestamp(datetime.fromtimestamp(int(said), UTC))


def _sso_url(reply: Reply, site: Site) -> str | None:
    """Where to authorise: only at the host itself, because a person is about to log in there."""
    url = reply.headers["x-github-sso"].partition("url=")[2].strip()
    try:
        parts = urllib.parse.urlsplit(url)
        is_there = parts.scheme == "https" and parts.netloc.lower() == site.host
    except ValueError:
        return None
    is_sound = url.isascii() and url.isprintable() and not set(url) & set(" `'\"<>\\") and len(url) <= _LONGEST_URL
    return url if is_there and is_sound and not has_unsafe_character(url) else None


def _message(reply: Reply) -> str:
    said = reply.at("message")
    return said if isinstance(said, str) else ""


def _says(reply: Reply) -> str:
    """What the host says about it, as a piece of a sentence; nothing where it says nothing."""
    said = [one_line(text, limit=150).rstrip(".") for text in [_message(reply), *_details(reply)]]
    said = [text for text in dict.fromkeys(said) if text]
    return f": it says '{'; '.join(said)}'" if said else ""


def _details(reply: Reply) -> Iterator[str]:
    """Up to three lines on what does not fit."""
    errors = reply.at("errors")
    for each in errors[:3] if isinstance(errors, list) else []:
        if isinstance(each, str):
            yield each
        elif isinstance(message := at(each, "message"), str):
            yield message
        elif isinstance(field := at(each, "field"), str):
            yield f"{field}: {at(each, 'code')}"
