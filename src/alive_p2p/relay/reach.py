"""From an address to the relay that lies there (relay.md §1, §8)."""

import re
from collections.abc import Callable
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import RelayError, UsageError
from alive_p2p.relay.config import read_config
from alive_p2p.relay.transports import s3_address
from alive_p2p.relay.transports.base import Transport
from alive_p2p.relay.transports.folder import SCHEME as FOLDER
from alive_p2p.relay.transports.folder import FolderTransport
from alive_p2p.relay.transports.git import GitTransport
from alive_p2p.runtime import Runtime
from alive_p2p.text import has_unsafe_character

Reach = Callable[[str], Transport]
"""Gives access to the relay at an address."""

_SCP_LIKE = re.compile(r"(?!-)[A-Za-z0-9._-]+@(?!-)[A-Za-z0-9.\-]+:(?!-)[^\s:][^\s]*")
_LOGIN = re.compile(r"://[^/\s]*@")
"""Where a password would stand."""
_GIT = re.compile(r"(?:https|ssh|file)://[^\s]+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?/[^\s]*")


def reach(url: str, runtime: Runtime, *, timeout_seconds: float | None = None, is_ours: bool = False) -> Transport:
    """Access to the relay at an address, as it stands in `relay.json` or in a code.

    Args:
        url: `folder:/path`, a bucket (`s3://…`), or a git address: `https://…`, `ssh://…`, `git@host:path`,
            `file:///path`.
        runtime: the surroundings.
        timeout_seconds: how long one exchange with a host may take; by default as long as it gets on.
        is_ours: whoever uses the program has just said themselves that this is where their relay is to be.

    Raises:
        RelayError: `bad-address`: nothing that we carry, or something that only looks like it; `git-missing`,
            `git-too-old`; `s3-missing`, `s3-no-login`, `s3-other-login`, `s3-settings`.
    """
    refuse_bad_address(url)
    if s3_address.is_bucket(url):
        from alive_p2p.relay.transports.s3 import S3Transport

        is_our_place = is_ours or _lies_with_ours(url, runtime)
        return S3Transport(url, runtime, timeout_seconds=timeout_seconds, is_our_place=is_our_place)
    if url.startswith(FOLDER):
        return FolderTransport(Path(url.removeprefix(FOLDER)), runtime)
    return GitTransport(url, runtime, timeout_seconds=timeout_seconds)


def _lies_with_ours(url: str, runtime: Runtime) -> bool:
    """Whether our own relay lies at the same store as this bucket."""
    own = read_config(runtime).url
    if own is None or not s3_address.is_bucket(own):
        return False
    return s3_address.parse(own).endpoint == s3_address.parse(url).endpoint


def refuse_bad_address(url: str) -> None:
    """Refuse what is no address of a relay: git would run a program for some of it.

    Raises:
        RelayError: `bad-address`.
    """
    if s3_address.is_bucket(url):
        if s3_address.parse(url).url != url:
            raise RelayError(
                "bad-address",
                "the address of a bucket is not in its one form",
                untouched="everything",
                hint="ask for it once more",
            )
        return
    if holds_login(url):
        raise RelayError(
            "bad-address",
            "the address holds a login, and it would be seen by everybody who gets it",
            untouched="everything",
            hint="leave it out; git asks your credential helper, and `gh auth setup-git` makes one",
        )
    is_folder = url.startswith(FOLDER) and Path(url.removeprefix(FOLDER)).is_absolute()
    if has_unsafe_character(url) or not (is_folder or is_git_address(url)):
        raise RelayError(
            "bad-address",
            f"'{_LOGIN.sub('://', url)[:200]}' is not the address of a relay",
            untouched="everything",
            hint="use `https://…`, `ssh://…`, `git@host:path`, `file:///path`, `s3://…`, or a folder with `--folder`",
        )


def holds_login(url: str) -> bool:
    """Whether an address holds more than the name that ssh needs."""
    parts = url.partition("://")
    user, at, _ = parts[2].partition("/")[0].rpartition("@")
    return bool(parts[1] and at) and (":" in user or parts[0] != "ssh")


def is_git_address(url: str) -> bool:
    """Whether git is to carry it; addresses that make git run a program (`ext::`) or that are options are none."""
    return bool(_GIT.fullmatch(url) or _SCP_LIKE.fullmatch(url)) and "://-" not in url


def git_address(text: str, runtime: Runtime) -> str:
    """The address of a git relay as somebody has typed it; a path becomes `file://…`.

    Raises:
        UsageError: it is neither an address nor a folder.
    """
    if is_git_address(text):
        refuse_bad_address(text)
        return text
    place = (runtime.cwd / text).resolve()
    if "://" not in text and place.is_dir():
        return place.as_uri()
    raise UsageError(
        "bad-address",
        f"'{text}' is neither the address of a git repository nor a folder",
        untouched="everything",
        hint="check the address; a folder has to be there already",
    )


def bucket_address(text: str, runtime: Runtime) -> str:
    """The address of a bucket as somebody has typed it; their settings for S3 say what it does not.

    Raises:
        RelayError: it is none, or the settings cannot be used.
    """
    from alive_p2p.relay.transports.s3_login import typed_address

    return typed_address(text, runtime).url


def address_of(text: str, runtime: Runtime) -> str | None:
    """The address of somebody's relay, as a person has typed it: as it stands in a code, or the path to it.

    Returns:
        None for what is neither an address nor a path.

    Raises:
        RelayError: `bad-address`: it is an address, and of nothing that we carry.
        UsageError: `no-such-path`: it can only be a path, and nothing is there.
    """
    if text.startswith(FOLDER):
        path = text.removeprefix(FOLDER)
        refuse_bad_address(folder_address(Path(path), runtime) if path else text)
        return folder_address(Path(path), runtime)
    if s3_address.is_bucket(text):
        return bucket_address(text, runtime)
    if "://" in text or is_git_address(text):
        refuse_bad_address(text)
        return text
    place = runtime.cwd / text
    if files.is_folder(place):
        return place.resolve().as_uri() if _is_bare(place) else folder_address(place, runtime)
    if "/" in text or "\\" in text:
        raise UsageError(
            "no-such-path", f"there is no relay at '{text}'", untouched="everything", hint="check the path"
        )
    return None


def _is_bare(place: Path) -> bool:
    """Whether a folder is a git repository without a working copy, by what git itself looks for."""
    return files.is_file(place / "HEAD") and all(files.is_folder(place / name) for name in ("objects", "refs"))


def folder_address(path: Path, runtime: Runtime) -> str:
    """The address of a folder as a relay."""
    return f"{FOLDER}{(runtime.cwd / path).resolve()}"
