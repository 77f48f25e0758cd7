"""Whether the machine has what is needed: the program and its parts, git, `gh`, room on the disk, and the time."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path

from alive_p2p import __version__
from alive_p2p.api.doctor.check import Check, failed, note, ok, problem
from alive_p2p.errors import AliveP2PError
from alive_p2p.installer import EXTRAS, how_to_install, installed_by, present_extras
from alive_p2p.relay.config import RelayConfig, read_config
from alive_p2p.relay.hosting.github_gh import Gh
from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.relay.reach import is_git_address
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports.git_command import installed_git
from alive_p2p.relay.transports.s3_address import is_bucket
from alive_p2p.runtime import Runtime, parse_timestamp
from alive_p2p.walnut.preferences import TOKEN_ENV, load_preferences
from alive_p2p.walnut.world import find_world

_LIBRARIES = {
    "bcrypt": "bcrypt",
    "click": "click",
    "cryptography": "cryptography.hazmat.primitives.serialization",
    "google-re2": "re2",
    "pyrage": "pyrage",
    "pyyaml": "yaml",
    "questionary": "questionary",
    "zlib-ng": "zlib_ng",
}
"""What the program cannot do without: each distribution, and what is imported of it."""

_SCARCE = 1_000_000_000
"""Bytes: a package at its limit is half of it, and is unpacked beside its target before it is put there."""
_FULL = 20_000_000

_EARLIEST = "2026-01-01T00:00:00Z"
"""Older than this program no clock is that is right."""


def program(runtime: Runtime) -> Iterator[Check]:
    """Python, the version, and whether the program is found by its name."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield ok("python", f"alive-p2p {__version__}, with Python {version}")
    if shutil.which("alive-p2p", path=runtime.environ.get("PATH")) is None:
        yield note(
            "path",
            "the PATH does not lead to `alive-p2p`",
            "it has to be called by its whole path, and the hook of the plugin does not find it",
            f"{installed_by()[1]}, then open a new terminal",
        )


def libraries(_: Runtime) -> Iterator[Check]:
    """The libraries that are always needed."""
    missing = [name for name, module in _LIBRARIES.items() if not _can_import(module)]
    if missing:
        yield problem(
            "libraries",
            f"cannot be loaded: {', '.join(missing)}",
            "packages cannot be made or read without them",
            how_to_install(),
        )
    else:
        shown = ", ".join(f"{name} {_version(name)}" for name in ("cryptography", "pyrage"))
        yield ok("libraries", f"all {len(_LIBRARIES)} can be loaded, such as {shown}")


def extras(runtime: Runtime) -> Iterator[Check]:
    """What can be installed besides; a problem where a relay of ours or of a peer needs it."""
    present = present_extras()
    missing = [name for name in EXTRAS if name not in present]
    if present:
        yield ok("extras", f"installed: {', '.join(present)}")
    if "s3" in missing and any(map(is_bucket, _addresses(runtime))):
        missing.remove("s3")
        mend = how_to_install("s3")
        yield problem("extras", "'s3' is not installed", "a relay of yours or of a peer is a bucket", mend)
    if missing:
        what = ", ".join(f"{name} ({EXTRAS[name][1]})" for name in missing)
        yield note("extras", f"not installed: {what}", "nothing else needs them", how_to_install(*missing))


def git(runtime: Runtime) -> Iterator[Check]:
    """The program that carries relays in repositories; a problem where one of ours or of a peer is one."""
    try:
        path, version = installed_git(runtime)
    except AliveP2PError as error:
        if any(map(is_git_address, _addresses(runtime))):
            yield failed("git", error, "a relay of yours or of a peer cannot be reached")
        else:
            what = error.message.partition(",")[0]
            yield note("git", what, "needed for a relay at GitHub or in another git repository", error.hint)
    else:
        yield ok("git", f"git {'.'.join(map(str, version))} in '{path}'")


def gh(runtime: Runtime, seconds: float) -> Iterator[Check]:
    """The program that keeps a login at GitHub; it says what is in its own files, and nobody is asked over a network.

    What is missing is a problem nowhere: git has a login of its own.

    Args:
        runtime: the surroundings.
        seconds: how long it may take.
    """
    try:
        site = Site.of(runtime)
    except AliveP2PError as error:
        yield failed("gh", error, "nothing can be asked of that host")
        return
    if Gh.find(site, runtime, seconds) is not None:
        yield ok("gh", f"`gh` is logged in at {site.name}")
        return
    variable = _token_variable(runtime)
    if runtime.environ.get(variable):
        yield ok("gh", f"a token is in {variable}")
        return
    if (url := _config(runtime).url) is not None and site.place(url) is None:
        yield ok("gh", f"no login at {site.name}, and your relay needs none")
        return
    need = f"needed only to make a relay at {site.name} and to let peers in there"
    if shutil.which("gh", path=runtime.environ.get("PATH")) is None:
        yield note("gh", "`gh` is not installed", need, f"https://cli.github.com, then `{_login(site)}`")
    else:
        yield note("gh", f"`gh` has no login at {site.name}, or does not answer", need, _login(site))


def _login(site: Site) -> str:
    return "gh auth login" if site.name == "GitHub" else f"gh auth login --hostname {site.host}"


def disk(
    runtime: Runtime, free: Callable[[Path], int] = lambda place: shutil.disk_usage(place).free
) -> Iterator[Check]:
    """Room where this program writes: our own folder, the world, and what is temporary.

    Args:
        runtime: the surroundings.
        free: gives the free bytes where a folder lies. Raises `OSError`.
    """
    world = find_world(runtime.cwd)
    wanted = [runtime.alive_home, Path(tempfile.gettempdir()), *([world] if world is not None else [])]
    sizes: dict[Path, int] = {}
    for place in wanted:
        there = next(folder for folder in (place, *place.parents) if folder.is_dir() or folder == folder.parent)
        sizes[place] = free(there)
    place = min(sizes, key=lambda one: sizes[one])
    size = sizes[place]
    if size < _FULL:
        yield problem("disk", f"{_mb(size)} are free at '{place}'", "hardly anything can be written", "make room there")
    elif size < _SCARCE:
        meaning = "a large package may not find room; nothing is left half done where it does not"
        yield note("disk", f"{_mb(size)} are free at '{place}'", meaning, "make room there")
    else:
        yield ok("disk", f"{_mb(size)} are free, where there is least")


def clock(runtime: Runtime) -> Iterator[Check]:
    """Whether the time can be right: it stands in packages, and tells a relay's old news from new."""
    now = runtime.timestamp()
    seen = None
    try:
        seen = read_state(runtime).last_probe
        parse_timestamp(seen or now)
    except (AliveP2PError, ValueError):
        seen = None  # told where that file is looked at
    if now < _EARLIEST:
        yield problem("clock", f"it is {now}, by this machine", "packages get wrong dates", "set the machine's clock")
    elif seen is not None and seen > now:
        meaning = f"the relays were looked at {seen}: the clock is wrong, or was wrong then"
        yield note("clock", f"it is {now}, by this machine", meaning, "set the clock; `alive-p2p relay probe`")
    else:
        yield ok("clock", f"it is {now}, by this machine")


# --- below ------------------------------------------------------------------------------------------------------


def _can_import(module: str) -> bool:
    try:
        import_module(module)
    except Exception:  # noqa: BLE001  (a library for another machine fails in its own way)
        return False
    return True


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "of an unknown version"


def _config(runtime: Runtime) -> RelayConfig:
    try:
        return read_config(runtime)
    except AliveP2PError:
        return RelayConfig(Path())  # told where that file is looked at


def _addresses(runtime: Runtime) -> Sequence[str]:
    """Where our relay and those of our peers lie, as far as that can be read."""
    config = _config(runtime)
    urls = [config.url, *(peer.url for peer in config.peers.values())]
    return [url for url in urls if url is not None]


def _token_variable(runtime: Runtime) -> str:
    try:
        return load_preferences(find_world(runtime.cwd)).relay_token_env
    except AliveP2PError:
        return TOKEN_ENV


def _mb(size: int) -> str:
    return f"{size // 1_000_000:,} MB" if size < 10_000_000_000 else f"{size // 1_000_000_000:,} GB"
