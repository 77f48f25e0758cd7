"""The address of a bucket: `s3://bucket/prefix?endpoint=https://host:port&region=…` (relay.md §1, §8).

An address is handed on in codes and answers, so it holds no login, and it has one form only, which both sides compare.
Without an endpoint the bucket lies at Amazon. An endpoint is reached over https; over http on this machine only.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.base import refusal

SCHEME = "s3://"
AMAZON = "Amazon S3"
DEFAULT_REGION = "us-east-1"
"""What requests are signed for where nothing is said; most stores that are not Amazon's do not mind."""

FORM = "s3://bucket/prefix?endpoint=https://host:port&region=name"

_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+(?:\.\d+){3}$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_LONGEST_PREFIX = 512
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A host's name. Its last part begins with a letter: what does not, such as `2130706433`, is read as an IP address."""
_PATH = re.compile(r"(?:/[A-Za-z0-9._-]+)*")
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2000


@dataclass(frozen=True)
class Address:
    """Where a bucket is.

    Attributes:
        bucket: its name.
        prefix: what every name in it begins with, without slashes at its ends; empty for the whole bucket.
        endpoint: the store, as `https://host`; None for Amazon's.
        region: what requests are signed for.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = DEFAULT_REGION

    @property
    def url(self) -> str:
        """The address in its one form."""
        said = [f"endpoint={self.endpoint}"] if self.endpoint is not None else []
        if self.endpoint is None or self.region != DEFAULT_REGION:
            said.append(f"region={self.region}")
        return f"{SCHEME}{self.bucket}{'/' if self.prefix else ''}{self.prefix}?{'&'.join(said)}"

    @property
    def base(self) -> str:
        """What is asked."""
        if self.endpoint is not None:
            return self.endpoint
        return f"https://s3.{self.region}.amazonaws.com{'.cn' if self.region.startswith('cn-') else ''}"

    @property
    def place(self) -> str:
        """What is spoken of where the store is meant."""
        return AMAZON if self.endpoint is None else self.endpoint.partition("://")[2]

    def key(self, name: str) -> str:
        """What a file of the relay is called in the bucket; for an empty name, what all of them begin with."""
        return f"{self.prefix}/{name}" if self.prefix else name


def is_bucket(text: str) -> bool:
    """Whether a text means to be the address of a bucket."""
    return text[: len(SCHEME)].lower() == SCHEME


def parse(text: str) -> Address:
    """Take an address apart, in whatever form somebody has typed it.

    Raises:
        RelayError: `bad-address`: it is none, or holds a login. What it holds is not repeated.
    """
    if len(text) > _LONGEST or not (text.isascii() and text.isprintable()) or " " in text:
        raise _bad("it is too long, or has characters that no address has")
    try:
        parts = urlsplit(text)
        said = (
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=4) if parts.query else []
        )
    except ValueError:
        raise _bad(f"it is not of the form `{FORM}`") from None
    options = dict(said)
    _refuse_login(parts.netloc, options)
    if (
        parts.scheme != "s3"
        or parts.fragment
        or len(options) != len(said)
        or not options.keys() <= {"endpoint", "region"}
    ):
        raise _bad(f"it is not of the form `{FORM}`")
    if not _BUCKET.fullmatch(parts.netloc):
        raise _bad("what stands in the place of the bucket's name cannot be one")
    prefix = parts.path.strip("/")
    is_name = len(prefix) <= _LONGEST_PREFIX and _PREFIX.fullmatch(prefix) and refusal(prefix) is None
    if prefix and not is_name:
        raise _bad("the part behind the bucket may have letters, digits, `.`, `_`, `-` and single slashes")
    region = options.get("region", DEFAULT_REGION)
    if not _REGION.fullmatch(region):
        raise _bad("what stands in the place of the region's name cannot be one")
    endpoint = options.get("endpoint")
    return Address(parts.netloc, prefix, None if endpoint is None else endpoint_of(endpoint), region)


def endpoint_of(text: str) -> str:
    """The one form of an endpoint: `https://host`, with a port where it is not the usual one.

    Raises:
        RelayError: `bad-address`: it is none that is asked.
    """
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise _bad("its endpoint is not of the form `https://host:port`") from None
    _refuse_login(parts.netloc, {})
    path = parts.path.rstrip("/")
    if scheme not in _PORTS or port == 0 or parts.query or parts.fragment or not _PATH.fullmatch(path) or ".." in path:
        raise _bad("its endpoint is not of the form `https://host:port`")
    if not _is_host(host):
        raise _bad("its endpoint names no host that a relay may lie at")
    if scheme == "http" and host not in _THIS_MACHINE:
        raise _bad("its endpoint is not `https`, and it is not on this machine")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}{'' if port in {None, _PORTS[scheme]} else f':{port}'}{path}"


def _is_host(host: str) -> bool:
    """Whether a host may be asked: a name, or an IP address that somebody can have."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return _NAME.fullmatch(host) is not None and len(host) <= 253
    if host in _THIS_MACHINE:
        return True
    within = getattr(ip, "ipv4_mapped", None)
    return within is None and not (
        ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved or "%" in host
    )


def _refuse_login(netloc: str, options: dict[str, str]) -> None:
    if "@" in netloc or any(
        re.search(r"key|secret|token|password|signature|credential", name, re.IGNORECASE) for name in options
    ):
        raise RelayError(
            "bad-address",
            "the address holds a login, and it would be seen by everybody who gets it",
            untouched="everything",
            hint="leave it out; a login is taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from ~/.aws",
        )


def _bad(why: str) -> RelayError:
    return RelayError(
        "bad-address",
        f"this is not the address of a bucket: {why}",
        untouched="everything",
        hint=f"use `{FORM}`; without an endpoint it lies at Amazon",
    )
