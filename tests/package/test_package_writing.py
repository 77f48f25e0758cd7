"""Writing a package: normalised, deterministic, and readable by every tar (format.md §1)."""

import gzip
import io
import random
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from package_building import (
    CREATED,
    KEY,
    SMALL,
    check,
    entry,
    manifest_for,
    opener,
    pieces_for,
    sha256,
    unpacked,
    written,
)

from alive_p2p.errors import FileSystemError, PackageError
from alive_p2p.package import paths
from alive_p2p.package.compression import GzipSource
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.package.tar import TarReader
from alive_p2p.package.tar_headers import HeaderWriter
from alive_p2p.package.writer import ChangedError, Piece, write_package

_MOMENT = 1_775_556_900  # CREATED, in seconds

_LONG = {
    "ascii-99": "a" * 99,
    "ascii-100": "a" * 100,
    "ascii-101": "a" * 101,
    "prefix-255": "d" * 154 + "/" + "f" * 100,
    "prefix-256": "d" * 155 + "/" + "f" * 100,
    "no-split": "d" * 156 + "/" + "f" * 101,
    "ascii-1024": "/".join(["d" * 127] * 8),
    "unicode-99": "é" * 49 + "a",
    "unicode-255": "日" * 85,
    "unicode-1024": "/".join(["é" * 63 + "a"] * 8),
}
_ODD = {
    "unicode": "ünïcödé/日本語/🥜.md",
    "emoji": "👩\u200d💻 notes.md",
    "decomposed": "e\u0301.md",
    "leading-dash": "-rf",
    "leading-space": " a /b ",
    "quotes": 'it\'s "quoted".md',
    "dollar": "$(touch x);`id`.md",
    "glob": "*?[a].md",
    "colon": "12:30.md",
    "hidden": ".hidden",
    "percent": "%s%n.md",
    "manifest-below": "a/manifest.yaml",
}


def _contents() -> dict[str, bytes]:
    names = [*_LONG.values(), *_ODD.values()]
    return {KEY: b"key", "empty": b"", "block": b"x" * 512, **{name: name.encode() for name in names}}


@pytest.fixture(scope="module")
def package() -> bytes:
    """A package with every kind of name, executables and empty folders."""
    return written(_contents(), executables=[_ODD["unicode"], "block"], empty_dirs=["leer", "ä/é", "d" * 200])


def test_pythons_tarfile_reads_the_same(package: bytes) -> None:
    """Names, content, modes and types; in the order of the path's bytes, the manifest first."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        infos = archive.getmembers()
        found = {i.name: archive.extractfile(i).read() for i in infos if i.isfile()}  # type: ignore[union-attr]
    expected = _contents()
    assert found.pop("manifest.yaml").startswith(b'format_version: "2.1.0"\n')
    assert found == expected
    assert [i.name for i in infos if i.isdir()] == sorted(["leer", "ä/é", "d" * 200], key=str.encode)
    names = [i.name for i in infos]
    assert names == ["manifest.yaml", *sorted([*expected, "leer", "ä/é", "d" * 200], key=str.encode)]
    assert {i.name for i in infos if i.isfile() and i.mode == 0o755} == {_ODD["unicode"], "block"}
    assert {i.mode for i in infos if i.isfile()} == {0o644, 0o755}


def test_nothing_of_the_senders_machine_is_in_the_headers(package: bytes) -> None:
    """No owner, no group, no time but the package's own, no record that could carry one."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for info in archive:
            assert (info.uid, info.gid, info.uname, info.gname) == (0, 0, "", "")
            assert info.mtime == _MOMENT
            assert set(info.pax_headers) <= {"path"}


def test_a_name_that_is_not_ascii_has_a_record_and_a_plain_one_has_none(package: bytes) -> None:
    """ustar where it suffices."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for info in archive:
            assert info.name.isascii() or "path" in info.pax_headers
            if info.name.isascii() and len(info.name) <= 100:
                assert not info.pax_headers


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar command")
def test_the_tar_command_unpacks_the_same(package: bytes, tmp_path: Path) -> None:
    """What a person without this program does: names, content, executable bits, empty folders."""
    into = tmp_path / "into"
    into.mkdir()
    (tmp_path / "p").write_bytes(package)
    subprocess.run(["tar", "xzf", str(tmp_path / "p"), "-C", str(into)], check=True, capture_output=True)
    for name, content in _contents().items():
        assert (into / name).read_bytes() == content
        assert bool((into / name).stat().st_mode & 0o100) == (name in {_ODD["unicode"], "block"})
    for name in ("leer", "ä/é", "d" * 200):
        assert (into / name).is_dir()
    count = sum(1 for path in into.rglob("*") if path.is_file())
    assert count == len(_contents()) + 1


def test_our_own_reader_reads_the_same(package: bytes, tmp_path: Path) -> None:
    """Round trip, with folders and bits."""
    found = unpacked(tmp_path, package)
    assert found == {**_contents(), "leer": None, "ä/é": None, "d" * 200: None}
    assert check(tmp_path, package).executables == {_ODD["unicode"], "block"}


_NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=150,
).filter(lambda name: paths.refusal(name) is None and name != "manifest.yaml")


@settings(max_examples=40)
@given(st.dictionaries(_NAMES, st.binary(max_size=1100), max_size=5), st.booleans())
def test_any_files_survive_the_round_trip(tmp_path: Path, contents: dict[str, bytes], reproducible: bool) -> None:
    """Any names and contents that do not stand in each other's way."""
    for name in list(contents):
        if any(folder in contents for folder in paths.ancestors(name)):
            del contents[name]
    package = written(contents, reproducible=reproducible)
    walked = check(tmp_path, package).manifest
    assert {one.path: one.sha256 for one in walked.files} == {name: sha256(data) for name, data in contents.items()}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        assert set(archive.getnames()) == {"manifest.yaml", *contents}


def test_two_writes_give_the_same_bytes() -> None:
    """With the reproducible backend, whatever order the pieces come in."""
    manifest, pieces = manifest_for(_contents()), pieces_for(_contents())
    results = set()
    for seed in range(3):
        output = io.BytesIO()
        write_package(output, manifest, random.Random(seed).sample(pieces, len(pieces)), reproducible=True)
        results.add(output.getvalue())
    assert len(results) == 1


def test_both_backends_give_the_same_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed bytes may differ; the tar inside, and so every hash, does not."""
    fast, fixed = written(_contents(), reproducible=False), written(_contents(), reproducible=True)
    assert gzip.decompress(fast) == gzip.decompress(fixed)
    monkeypatch.setitem(sys.modules, "zlib_ng", None)
    assert gzip.decompress(written(_contents(), reproducible=False)) == gzip.decompress(fixed)


@pytest.mark.parametrize(
    "created", ["1970-01-01T00:00:00Z", "2242-03-16T12:56:31Z", "2242-03-16T12:56:32Z", "9999-12-31T23:59:59Z"]
)
def test_every_moment_can_be_written(created: str, tmp_path: Path) -> None:
    """From the first second that tar knows to beyond what eleven octal digits hold."""
    package = written(SMALL, created=created)
    assert check(tmp_path, package).manifest.created == created
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        assert len({info.mtime for info in archive}) == 1


def test_a_file_beyond_eight_gibibytes_has_its_size_in_a_record() -> None:
    """The header is written and read without a byte of content."""
    size = 9 << 30
    block = HeaderWriter(0).header("big.bin", size)
    reader = TarReader(io.BytesIO(block), type(DEFAULT_LIMITS)(max_bytes=size))
    assert next(reader.members()).size == size
    assert tarfile.TarInfo.frombuf(block[-512:], "utf-8", "strict").name == "big.bin"


def test_a_package_may_be_empty() -> None:
    """No files at all: the manifest alone."""
    reader = TarReader(GzipSource(io.BytesIO(written({})), 1 << 20), DEFAULT_LIMITS)
    assert [one.path for one in reader.members()] == ["manifest.yaml"]


def test_progress_is_reported_up_to_the_whole() -> None:
    """In bytes of content, never going back."""
    seen: list[tuple[int, int]] = []
    write_package(
        io.BytesIO(),
        manifest_for(SMALL),
        pieces_for(SMALL),
        reproducible=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    total = sum(map(len, SMALL.values()))
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


@pytest.mark.parametrize(
    "now",
    [b"", b"hell", b"hellO\n", b"hello\n\n", b"x" * 1_000_000],
    ids=["emptied", "cut", "altered", "grown", "much"],
)
def test_a_file_that_changed_since_it_was_planned_stops_the_writing(now: bytes) -> None:
    """Shorter, longer, or the same length with other content: the error names the file."""
    pieces = [Piece(FileEntry(**entry(path, content)), opener(content)) for path, content in SMALL.items()]
    pieces[1] = Piece(pieces[1].entry, opener(now))
    with pytest.raises(ChangedError) as caught:
        write_package(io.BytesIO(), manifest_for(SMALL), pieces, reproducible=False)
    assert caught.value.path == "notes.md"
    assert caught.value.code == "changed"
    assert isinstance(caught.value, PackageError)


def test_a_file_that_vanished_stops_the_writing(tmp_path: Path) -> None:
    """As does one that became a folder."""
    for name in ("gone", "."):
        piece = Piece(FileEntry(**entry("notes.md", b"x")), partial((tmp_path / name).open, "rb"))
        with pytest.raises(ChangedError):
            write_package(io.BytesIO(), manifest_for({"notes.md": b"x"}), [piece], reproducible=True)


class _Full(io.BytesIO):
    def write(self, _data: object, /) -> int:
        raise OSError(28, "No space left on device")


class _Failing(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_full_disk_is_an_error_of_ours() -> None:
    """Never an `OSError`."""
    with pytest.raises(FileSystemError) as caught:
        write_package(_Full(), manifest_for(SMALL), pieces_for(SMALL), reproducible=True)
    assert caught.value.code == "disk-full"


def test_a_file_that_cannot_be_read_is_an_error_of_ours() -> None:
    """It names the file."""
    pieces = [Piece(FileEntry(**entry("notes.md", b"x")), _Failing)]
    with pytest.raises(FileSystemError, match=r"read 'notes\.md'"):
        write_package(io.BytesIO(), manifest_for({"notes.md": b"x"}), pieces, reproducible=True)


def test_the_fixed_moment_is_the_manifests() -> None:
    """The constant above is what the manifest says."""
    assert manifest_for({}).created == CREATED
    assert HeaderWriter(_MOMENT).header("a", 0)[136:147] == b"15165154444"


@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=100),
    size=st.one_of(st.integers(0, 0o77777777777), st.sampled_from([0, 0o77777777777])),
    is_executable=st.booleans(),
    is_folder=st.booleans(),
    mtime=st.integers(0, 1 << 32),
)
def test_a_short_header_is_what_the_library_makes(
    path: str, size: int, is_executable: bool, is_folder: bool, mtime: int
) -> None:
    """Byte for byte, for every name, size, time and kind."""
    path = path[:99] + "/" if is_folder else path
    info = tarfile.TarInfo(path)
    info.size, info.mtime = size, mtime
    info.mode = 0o755 if is_executable or is_folder else 0o644
    info.type = tarfile.DIRTYPE if is_folder else tarfile.REGTYPE
    made = HeaderWriter(mtime).header(path, size, is_executable=is_executable, is_folder=is_folder)
    assert made == info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
