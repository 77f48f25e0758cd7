"""Archives that were tampered with by somebody who knows the format: refused, or exactly what everybody else reads.

Every accepted archive is compared with Python's own `tarfile`: a package on which two readers disagree can show
one thing to a scanner and install another.
"""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from package_building import (
    END,
    KEY,
    SMALL,
    archive,
    check,
    gnu_long,
    header,
    manifest_for,
    padded,
    pax,
    save,
    tree,
    with_checksum,
    written,
)

from alive_p2p.errors import PackageError
from alive_p2p.package import paths
from alive_p2p.package.limits import Limits
from alive_p2p.package.reader import PackageReader
from alive_p2p.package.tar import TarReader

_LIMITS = Limits(max_files=20, max_bytes=100_000)
_TEXTS = [
    "a",
    "b",
    "a/b",
    "a/",
    "./a",
    "./",
    ".",
    "..",
    "/a",
    "a//b",
    "a\\b",
    "C:a",
    "é",
    "a\0b",
    "manifest.yaml",
    "x" * 120,
]
_KINDS = [b"0", b"\0", b"5", b"1", b"2", b"3", b"6", b"7", b"S", b"x", b"g", b"L", b"K", b"Z"]
_SIZES = [
    None,
    None,
    None,
    b"\x80" + bytes(10) + b"\3",
    b"\xff" * 12,
    b"-0000000001\0",
    b"77777777777\0",
    b"\0" * 12,
    b" 5 ".ljust(12),
]


@st.composite
def _parts(draw: st.DrawFn) -> bytes:
    """A header block with anything in its fields and a correct checksum, its content, and what may come before it."""
    content = draw(st.sampled_from([b"", b"", b"x", b"hello", b"y" * 513]))
    fields: dict[str, Any] = {
        "prefix": draw(st.sampled_from([b"", b"", b"", b"p", b"..", b"/etc"])),
        "magic": draw(st.sampled_from([b"ustar\x0000", b"ustar\x0000", b"ustar  \0", b"ustar\0\0\0", bytes(8)])),
        "size_field": draw(st.sampled_from(_SIZES)),
        "mode": draw(st.sampled_from([b"0000644\0", b"0000755\0", b"\x80" + bytes(6) + b"\x40"])),
    }
    if fields["magic"].startswith(b"ustar "):
        fields["prefix"] = b""  # GNU keeps other things there and Python reads them as a name: readers differ anyway
    before = draw(
        st.one_of(
            st.just(b""),
            st.just(b""),
            st.dictionaries(
                st.sampled_from(["path", "size", "linkpath", "mtime", "GNU.sparse.major", "hdrcharset"]),
                st.sampled_from([*_TEXTS, "3", "0", "-1", "5"]),
                min_size=1,
                max_size=2,
            ).flatmap(lambda records: st.sampled_from([pax(records), pax(records, b"g")])),
            st.sampled_from(_TEXTS).map(gnu_long),
        )
    )
    kind = draw(st.sampled_from([*_KINDS, *[b"0"] * 10, *[b"5"] * 3]))
    return before + header(draw(st.sampled_from(_TEXTS)), len(content), kind, **fields) + padded(content)


def _ours(data: bytes) -> dict[str, bytes | None] | None:
    """Path to content, None for a folder; or None altogether where it is refused."""
    reader = TarReader(io.BytesIO(data), _LIMITS)
    try:
        return {one.path: None if one.is_folder else b"".join(reader.content()) for one in reader.members()}
    except PackageError:
        return None


def _theirs(data: bytes) -> dict[str, bytes] | None:
    """Path to content, or None where Python's reader refuses the archive.

    Folders are left without a difference to empty files: `a/` of the type of a file is one or the other, and what
    the manifest says decides.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
            for info in opened:
                stream = opened.extractfile(info) if info.isreg() else None
                name = info.name.removeprefix("./").rstrip("/")
                if name not in {"", "."}:
                    found[name] = stream.read() if stream is not None else b""
    except tarfile.TarError:
        return None
    return found


@settings(max_examples=300)
@given(st.lists(_parts(), max_size=4))
@example([header("a") + padded(b"")])
@example([pax({"path": "a"}) + header("a/", 1, b"\0") + padded(b"x")])
@example([gnu_long("a") + header("a/", 1, b"\0") + padded(b"x")])
@example([header("a", 3, b"L") + padded(b"hello") + header("a")])
def test_a_made_up_archive_is_refused_or_read_as_everybody_reads_it(parts: list[bytes]) -> None:
    """Never another error, and never another name or content than Python's reader finds."""
    data = archive(*parts)
    found = _ours(data)
    if found is not None:
        theirs = _theirs(data)
        assert theirs is None or theirs == {path: content or b"" for path, content in found.items()}
        assert all(paths.refusal(path) is None for path in found)


@settings(max_examples=300)
@given(st.data())
def test_a_package_with_an_altered_header_is_refused_or_exact(tmp_path: Path, data: st.DataObject) -> None:
    """Any bytes in any field, with the checksum made right again: what is accepted is what the manifest lists."""
    blocks = bytearray(gzip.decompress(written({**SMALL, "ünï.md": b"u"}, executables=["notes.md"])))
    starts = [at for at in range(0, len(blocks), 512) if blocks[at + 257 : at + 262] == b"ustar"]
    start = data.draw(st.sampled_from(starts))
    for _ in range(data.draw(st.integers(1, 3))):
        at, width = data.draw(
            st.sampled_from([(0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155)])
        )
        piece = data.draw(
            st.binary(max_size=min(width, 12))
            | st.sampled_from([bytes(width), b"\xff" * width, b"\x80" + bytes(width - 1)])
        )
        offset = data.draw(st.integers(0, width - len(piece)))
        blocks[start + at + offset : start + at + offset + len(piece)] = piece
    blocks[start : start + 512] = with_checksum(bytes(blocks[start : start + 512]))
    path = save(tmp_path, gzip.compress(bytes(blocks), 1))
    into = tmp_path / "into"
    try:
        with PackageReader(path) as reader:
            contents = reader.check()
            assert contents.executables == {"notes.md"}
            assert {one.path for one in contents.manifest.files} == {*SMALL, "ünï.md"}
    except PackageError:
        assert not into.exists()


@settings(max_examples=150)
@given(st.lists(_parts(), min_size=1, max_size=3), st.integers(0, 3))
def test_a_member_smuggled_into_a_package_is_never_installed(tmp_path: Path, parts: list[bytes], where: int) -> None:
    """Put between, before or after the listed ones: refused, or without any effect."""
    listed = [padded(header("manifest.yaml", len(text := manifest_for(SMALL).to_yaml())) + text)]
    listed += [padded(header(name, len(content)) + content) for name, content in SMALL.items()]
    data = gzip.compress(b"".join([*listed[:where], *parts, *listed[where:]]) + END, 1)
    try:
        contents = check(tmp_path, data)
    except PackageError:
        return
    assert {one.path: one.size for one in contents.manifest.files} == {name: len(text) for name, text in SMALL.items()}
    assert contents.executables == frozenset()
    assert contents.empty_dirs == frozenset()


@given(st.binary(max_size=3000))
def test_any_bytes_as_an_archive_end_in_our_error(data: bytes) -> None:
    """Without a manifest nothing can be accepted."""
    _ours(data)


@given(st.binary(max_size=600))
def test_any_bytes_as_an_extended_header_end_in_our_error(body: bytes) -> None:
    """Whatever lengths, keys and values it claims."""
    _ours(archive(header("PaxHeader", len(body), b"x") + padded(body), header("a")))


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_as_a_package_file_end_in_our_error(tmp_path: Path, body: bytes) -> None:
    """With and without the magic of gzip before them."""
    for start in (b"", b"\x1f\x8b\x08\0\0\0\0\0\0\3"):
        try:
            check(tmp_path, start + body)
        except PackageError:
            continue
        raise AssertionError("it was accepted")


def test_the_folders_of_these_tests_stay_empty(tmp_path: Path) -> None:
    """Checking writes nothing but the package that the test itself saved."""
    check(tmp_path, written({KEY: b"k"}))
    assert set(tree(tmp_path)) == {"p.walnut"}
