"""What a person has set up for S3: the environment, and the files in `~/.aws` (relay.md §8)."""

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.relay.transports.s3_address import endpoint_of
from alive_p2p.runtime import Runtime

NOT_OURS = "an endpoint that relays do not use"
"""Stands for an endpoint that cannot be one here: a login for it is a login for nothing else."""

_LIMIT = 1 << 20


@dataclass(frozen=True)
class Profile:
    """A profile in `~/.aws`, with what its two files say.

    Attributes:
        name: `default`, or another.
        said: by name.
        endpoint: the store it is for; None for Amazon's.
    """

    name: str
    said: Mapping[str, str] = field(repr=False)
    endpoint: str | None = None


@dataclass(frozen=True)
class Settings:
    """What this person has set up for S3.

    Attributes:
        endpoint: the store that is meant where none is named, from the environment or the chosen profile.
        region: likewise.
        profiles: by name.
        chosen: the name of the profile that counts.
        is_from_environ: the endpoint stands in the environment.
    """

    endpoint: str | None
    region: str | None
    profiles: Mapping[str, Profile]
    chosen: str
    is_from_environ: bool = False


def read_settings(runtime: Runtime) -> Settings:
    """Read what is set up.

    Raises:
        RelayError: `s3-settings`: a file cannot be used.
    """
    environ = runtime.environ
    chosen = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    profiles = _profiles(runtime)
    said = profiles.get(chosen, Profile(chosen, {}))
    given = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    endpoint = _usable(given) if given else said.endpoint
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or said.said.get("region")
    return Settings(endpoint, region, profiles, chosen, is_from_environ=bool(given))


def _profiles(runtime: Runtime) -> dict[str, Profile]:
    """Every profile, from both files; in `credentials` its keys stand, in `config` everything else."""
    environ = runtime.environ
    config = _sections(_path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config", runtime))
    secret = _sections(_path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", runtime))
    found: dict[str, dict[str, str]] = {}
    for section, said in config.items():
        kind, _, name = section.partition(" ")
        if section == "default" or (kind == "profile" and name.strip()):
            found.setdefault(name.strip() or "default", {}).update(said)
    for section, said in secret.items():
        found.setdefault(section, {}).update(said)
    return {name: Profile(name, said, _endpoint_in(said, config)) for name, said in found.items()}


def _path(text: str, runtime: Runtime) -> Path:
    return runtime.home / text[2:] if text.startswith("~/") else runtime.cwd / text


def _sections(path: Path) -> dict[str, dict[str, str]]:
    data = files.read_bytes_if_present(path, limit=_LIMIT)
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="\n")
    try:
        parser.read_string((data or b"").decode("utf-8-sig"))
    except (configparser.Error, UnicodeDecodeError):
        raise RelayError(
            "s3-settings",
            f"your settings for S3 in '{path}' cannot be used",
            untouched="everything",
            hint="mend the file",
        ) from None
    return {name: dict(parser[name]) for name in parser.sections()}


def _endpoint_in(said: Mapping[str, str], config: Mapping[str, Mapping[str, str]]) -> str | None:
    """The endpoint of a profile: its own, or the one for S3 of the services that it names."""
    services = config.get(f"services {said.get('services', '')}".strip(), {})
    ours = re.search(r"^\s*endpoint_url\s*=\s*(\S+)\s*$", services.get("s3", ""), re.MULTILINE)
    given = ours[1] if ours is not None else said.get("endpoint_url")
    return _usable(given) if given else None


def _usable(endpoint: str) -> str:
    try:
        return endpoint_of(endpoint)
    except AliveP2PError:
        return NOT_OURS
