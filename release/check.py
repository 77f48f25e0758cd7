"""Whether what would be released can be: `python -m release.check` (or `make release-check`).

It looks at the last commit, in temporary folders, with nothing but Python, git and a package index:

- wheel and sdist are built twice, each in an isolated environment, in different folders, with other times, time zones
  and permissions; they are the same to the byte;
- the wheel holds the package, the manual page and nothing else, the sdist what git knows of;
- both are installed into empty environments, and do there what they are for.

`--keep FOLDER` leaves the two files there.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from pathlib import Path

from release import smoke
from release.smoke import Failure, run

ROOT = Path(__file__).resolve().parents[1]
_MADE_BY_BUILDING = {"PKG-INFO"}
_PAGE = "share/man/man1/alive-p2p.1"


def main(arguments: Sequence[str]) -> int:
    """Check everything, and say what was seen; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m release.check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave wheel and sdist in this folder")
    keep: Path | None = parser.parse_args(arguments).keep
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="alive-p2p-release-") as folder:
        try:
            made = _check(Path(folder).resolve())
        except Failure as failure:
            print(f"error: {failure}", file=sys.stderr)
            return 1
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            for path in made:
                shutil.copyfile(path, keep / path.name)
                _say(f"left {keep / path.name}")
    _say(f"all is well, after {time.monotonic() - began:.0f} seconds")
    return 0


def _check(folder: Path) -> list[Path]:
    tracked = set(_git("ls-tree", "-r", "--name-only", "-z", "HEAD").rstrip("\0").split("\0"))
    if _git("status", "--porcelain").strip():
        _say("note: what is not committed is not looked at")
    first, second = _built_twice(folder)
    for one, other in zip(first, second, strict=True):
        if one.name != other.name or one.read_bytes() != other.read_bytes():
            raise Failure(f"two builds of {one.name} differ")
    sdist, wheel = first
    _say(f"built twice, the same to the byte: {wheel.name}, {sdist.name}")
    number = version()
    _check_wheel(wheel, tracked, number)
    _check_sdist(sdist, tracked)
    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(_install, folder / path.suffix[1:], path, number) for path in (wheel, sdist)]:
            _say(each.result())
    return first


# -- building --------------------------------------------------------------------------------------------------


def _built_twice(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sdist and wheel of two builds that have nothing in common but the commit."""
    builder = _environment(folder / "builder")
    run([builder, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "build"])
    archive = folder / "head.tar"
    archive.write_bytes(subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout)
    epoch = _git("log", "-1", "--format=%ct").strip()
    one, other = folder / "one", folder / "another folder" / "two"
    for place in (one, other):
        with tarfile.open(archive) as tar:
            tar.extractall(place, filter="data")
    for path in other.rglob("*"):
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o700 | 0o600)
            os.utime(path, (1_000_000_000, 1_000_000_000))
    with ThreadPoolExecutor() as pool:
        builds = [
            pool.submit(_build, builder, place, epoch, zone)
            for place, zone in ((one, "UTC"), (other, "Pacific/Kiritimati"))
        ]
        return builds[0].result(), builds[1].result()


def _build(python: str, source: Path, epoch: str, zone: str) -> list[Path]:
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "TZ": zone}
    run([python, "-m", "build", "--outdir", str(source / "dist"), str(source)], environ=environ)
    return [_only(source / "dist", "*.tar.gz"), _only(source / "dist", "*.whl")]


# -- what lies in them -----------------------------------------------------------------------------------------


def _check_wheel(wheel: Path, tracked: set[str], version: str) -> None:
    inside = f"alive_p2p-{version}"
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    expected = {path.removeprefix("src/") for path in tracked if path.startswith("src/")}
    expected |= {f"{inside}.dist-info/{name}" for name in about} | {f"{inside}.data/data/{_PAGE}"}
    with zipfile.ZipFile(wheel) as archive:
        _same("the wheel", set(archive.namelist()), expected)
        metadata = BytesParser().parsebytes(archive.read(f"{inside}.dist-info/METADATA"))
    wanted = {
        "Name": "alive-p2p",
        "Version": version,
        "License-Expression": "MIT",
        "License-File": "LICENSE",
        "Requires-Python": ">=3.11",
        "Description-Content-Type": "text/markdown",
    }
    wrong = [name for name, value in wanted.items() if metadata[name] != value]
    wrong += [name for name in ("Summary", "Author", "Keywords", "Classifier", "Requires-Dist") if not metadata[name]]
    if wrong or not str(metadata.get_payload()).lstrip().startswith("# alive-p2p"):
        raise Failure(f"the metadata of the wheel is not complete: {', '.join(wrong) or 'the description'}")
    if "alive_p2p/py.typed" not in expected:
        raise Failure("py.typed is missing")
    _say(f"the wheel holds the package and the manual page, {len(expected)} files, and its metadata is complete")


def _check_sdist(sdist: Path, tracked: set[str]) -> None:
    with tarfile.open(sdist) as archive:
        found = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    _same("the sdist", found, tracked | _MADE_BY_BUILDING)
    _say(f"the sdist holds all that git knows of, {len(found)} files")


def _same(what: str, found: set[str], expected: set[str]) -> None:
    for said, names in (("lacks", expected - found), ("also holds", found - expected)):
        if names:
            raise Failure(f"{what} {said} {', '.join(sorted(names)[:10])}")


# -- installing ------------------------------------------------------------------------------------------------


def _install(folder: Path, distribution: Path, version: str) -> str:
    python = _environment(folder)
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(distribution)])
    run([python, "-m", "pip", "check", "--disable-pip-version-check"])
    with _temporary_home(folder) as home:
        smoke.check(Path(python), version, home)
    if not (folder / _PAGE).is_file():
        raise Failure(f"{distribution.name} does not install {_PAGE}")
    return f"{distribution.name} installs into an empty environment and works there"


@contextlib.contextmanager
def _temporary_home(folder: Path) -> Iterator[Path]:
    home = folder.with_name(folder.name + "-home")
    home.mkdir()
    yield home
    shutil.rmtree(home)


def _environment(folder: Path) -> str:
    """An empty environment; its Python."""
    venv.create(folder, with_pip=True)
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise Failure(f"building left {len(found)} files {pattern}")
    return found[0]


def version() -> str:
    """The version, where it stands."""
    for line in (ROOT / "src" / "alive_p2p" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__ = "):
            return line.partition('"')[2].rstrip('"')
    raise Failure("__init__.py names no version")


def _git(*arguments: str) -> str:
    return run(["git", *arguments], cwd=ROOT)


_say: Callable[[str], None] = print

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
