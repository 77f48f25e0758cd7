"""What a package is made of: manifest, names, archive, compression (format.md §1 to §3)."""

import gzip
import io
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from alive_p2p import safe_yaml
from alive_p2p.errors import AliveP2PError
from alive_p2p.package import paths, signature
from alive_p2p.package.compression import GzipSource
from alive_p2p.package.entries import FileEntry, payload_sha256
from alive_p2p.package.envelopes.base import HEAD_BYTES, Envelope, recognise
from alive_p2p.package.limits import MIB, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.manifest_reading import read_fields
from alive_p2p.package.manifest_rules import MAX_DEPTH
from alive_p2p.package.reader import PackageReader
from alive_p2p.package.signature import Outcome
from alive_p2p.package.tar import TarReader
from alive_p2p.package.tar_headers import END, HeaderWriter, padding
from alive_p2p.safe_yaml import Dialect, UnsafeYamlError
from alive_p2p.text import has_unsafe_character
from fuzz.surroundings import Dribble, Target, certain, credentials, drained, folder, outcome, placed, quick_passphrases
from fuzz.tar_mending import gzipped, mended

LIMITS = Limits(max_files=200, max_bytes=4 * MIB)
_DIALECT = Dialect(LIMITS.max_manifest_bytes, MAX_DEPTH, LIMITS.max_manifest_scalars, strict=True)
PLACEHOLDER = b"0" * 64
"""Where a manifest states this as its `payload_sha256`, the right one is put there."""


def _with_payload_hash(data: bytes) -> bytes:
    if PLACEHOLDER not in data:
        return data
    try:
        fields = safe_yaml.load(safe_yaml.decode(data), _DIALECT).value
        assert isinstance(fields, dict)
        listed = fields["files"]
        assert isinstance(listed, list)
        entries = [FileEntry(str(e["path"]), str(e["sha256"]), int(e["size"])) for e in listed]  # type: ignore[index,call-overload,arg-type]
    except (AliveP2PError, AssertionError, KeyError, TypeError, ValueError):
        return data
    return data.replace(PLACEHOLDER, payload_sha256(entries).encode(), 1)


def _outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except UnsafeYamlError:
        return None  # which no manifest is


def _assert_read_alike(data: bytes) -> None:
    """The list of files that is taken at once is what the YAML reader gives, and nothing where that one refuses."""
    try:
        text = safe_yaml.decode(data)
    except UnsafeYamlError:
        return
    assert _outcome(lambda: read_fields(text, _DIALECT)) == _outcome(lambda: safe_yaml.load(text, _DIALECT).value)


def manifest(data: bytes) -> None:
    """What parses is written, parses again to the same, and is written again as the same bytes; so is its identity."""
    _assert_read_alike(_with_payload_hash(data))
    parsed = Manifest.parse(_with_payload_hash(data), LIMITS)
    with certain("a manifest that was read cannot be written and read again"):
        written = parsed.to_yaml()
        again = Manifest.parse(written, LIMITS)
    assert again.fields == parsed.fields
    assert again.to_yaml() == written
    assert again.canonical_bytes == parsed.canonical_bytes
    assert again.import_id == parsed.import_id
    everything = (parsed.files, parsed.executables, parsed.empty_dirs, parsed.substitutions, parsed.primer)
    assert len(parsed.files) == len(everything[0])
    assert parsed.total_size <= LIMITS.max_bytes
    for entry in parsed.files:
        assert paths.refusal(entry.path) is None
    for text in (parsed.sender, parsed.description, parsed.note, parsed.walnut, parsed.created, parsed.format_version):
        assert "\n" not in text
    assert parsed.scope in {"full", "bundle", "snapshot"}
    unsigned = parsed.signature is None
    assert (signature.check(parsed, lambda _: None).outcome is Outcome.UNSIGNED) == unsigned


def member_paths(data: bytes) -> None:
    """A name that is not refused stays inside, can be seen, and comes out of an archive as it went in."""
    names = data.decode("utf-8", "surrogateescape").split("\n")
    for group in paths.colliding(names):
        assert len(group) > 1
    for name in names:
        _one_path(name)


def _one_path(name: str) -> None:
    paths.windows_refusal(name)
    if paths.bundle_name_refusal(name) is None:
        assert "/" not in name
        assert not name.startswith(".")
    if paths.is_safe_segment(name):
        assert paths.refusal(name) is None
        assert name not in {".", ".."}
    if paths.refusal(name) is not None:
        return
    pure = PurePosixPath(name)
    assert not pure.is_absolute()
    assert ".." not in pure.parts
    assert str(pure) == name
    assert not has_unsafe_character(name)
    assert all(0 < len(part.encode()) <= 255 for part in pure.parts)
    assert all(paths.refusal(above) is None for above in paths.ancestors(name))
    if name == paths.MANIFEST:
        return
    headers = HeaderWriter(0)
    archive = headers.header(name, 1) + b"x" + padding(1) + END
    with certain("a name that is not refused cannot be read back"):
        (member,) = TarReader(io.BytesIO(archive), LIMITS).members()
        (made,) = TarReader(io.BytesIO(headers.header(name + "/", 0, is_folder=True) + END), LIMITS).members()
    assert (member.path, member.size, member.is_folder) == (name, 1, False)
    assert (made.path, made.is_folder) == (name, True)


def recognition(data: bytes) -> None:
    """The head of any file is one of five things or refused; more of the file changes nothing."""
    kind = recognise(data[:HEAD_BYTES])
    assert kind in Envelope
    assert kind is not Envelope.LEGACY  # that takes a look inside


def tar_archive(data: bytes) -> None:
    """Any bytes as the tar inside: what the reader yields is clean, each once, and of the stated size."""
    seen: set[str] = set()
    reader = TarReader(io.BytesIO(mended(data)), LIMITS)
    for member in reader.members():
        assert paths.refusal(member.path) is None
        assert (member.path, member.is_folder) not in {(path, member.is_folder) for path in seen}
        seen.add(member.path)
        assert sum(map(len, reader.content())) == member.size
        assert not (member.is_folder and member.size)


def _built(data: bytes) -> tuple[bytes, dict[str, bytes]] | None:
    """A package of whatever an archive holds, with a manifest that lists it; and its files."""
    tar = mended(data)
    reader = TarReader(io.BytesIO(tar), LIMITS)
    found: dict[str, bytes] = {}
    empty = []
    for member in reader.members():
        if member.is_folder:
            empty.append(member.path)
        else:
            found[member.path] = b"".join(reader.content())
    if any(path.split("/")[0] == paths.MANIFEST for path in (*found, *empty)):
        return None
    import hashlib

    fields = {
        "format_version": "2.1.0",
        "scope": "full",
        "created": "2026-04-07T10:15:00Z",
        "source": {"walnut": "nova"},
        "files": [
            {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for path, content in found.items()
        ],
    }
    text = Manifest.build(fields, LIMITS).to_yaml()
    return HeaderWriter(0).header(paths.MANIFEST, len(text)) + text + padding(len(text)) + tar, found


def package(data: bytes) -> None:
    """A package made around any archive the reader takes passes every check, and unpacks to exactly its files."""
    built = _built(data)
    if built is None:
        return
    tar, found = built
    path = placed("built", gzipped(tar))
    target = folder() / "unpacked"
    with certain("a package that is what its manifest says is refused"), PackageReader(path, LIMITS) as reader:
        contents = reader.check()
        assert reader.read_manifest() == contents.manifest
        names = {name: f"f{number}" for number, name in enumerate([*sorted(found), *sorted(contents.empty_dirs)])}
        target.mkdir()
        try:
            reader.unpack(contents, target, names)
            assert {name: (target / names[name]).read_bytes() for name in found} == found
            assert {item.name for item in target.iterdir()} == set(names.values())
        finally:
            shutil.rmtree(target)


def package_file(data: bytes) -> None:
    """Any file as a package, with every credential at hand: what passes has exactly the files it lists."""
    _check(placed("file", data))


def package_tar(data: bytes) -> None:
    """The same of any tar in sound compression."""
    _check(placed("file", gzipped(mended(data))))


def _check(path: Path) -> None:
    with quick_passphrases(), PackageReader(path, LIMITS, credentials()) as reader:
        assert reader.addressees is not None
        seen: dict[str, int] = {}

        def watch(name: str) -> "_Counter":
            return _Counter(seen, name)

        contents = reader.check(watch=watch)
        assert seen == {entry.path: entry.size for entry in contents.manifest.files if entry.size} | {
            entry.path: 0 for entry in contents.manifest.files if not entry.size
        }
        assert contents.executables <= seen.keys()
        assert contents.empty_dirs.isdisjoint(seen)
        with certain("a package that was checked has no manifest"):
            assert reader.read_manifest().import_id == contents.manifest.import_id


class _Counter:
    """Counts the bytes of one file."""

    def __init__(self, seen: dict[str, int], name: str) -> None:
        self._seen = seen
        self._name = name
        assert name not in seen
        seen[name] = 0

    def __call__(self, piece: bytes) -> None:
        self._seen[self._name] += len(piece)


def gzip_source(data: bytes) -> None:
    """What comes out does not depend on how it is read, and where it is whole the standard library says the same."""
    limit = 4 * MIB
    at_once = outcome(lambda: drained(GzipSource(io.BytesIO(data), limit).read))
    dribbled = outcome(lambda: drained(GzipSource(Dribble(data), limit).read, 7 if len(data) < 256 else 997))
    assert at_once == dribbled
    source = GzipSource(io.BytesIO(data), limit)
    assert source.ends_well() == isinstance(at_once, bytes)
    if isinstance(at_once, bytes):
        assert gzip.decompress(data) == at_once
        assert len(at_once) <= limit


_MANIFEST_WORDS = (
    b'format_version: "2.1.0"\n', b"scope: ", b'"full"', b'"bundle"', b'"snapshot"', b"created: ", b"files:\n",
    b"files: []\n", b"  - path: ", b"    sha256: ", b"    size: ", b"source:\n", b"  walnut: ", b"payload_sha256: ",
    PLACEHOLDER, b"executables:\n", b"empty_dirs:\n", b"bundles:\n", b"exclusions_applied:\n",
    b"substitutions_applied:\n", b"    reason: ", b"signature:\n", b"  pubkey_id: ", b"  sig_b64: ", b"{}", b"[]",
    b"\\u2028", b"\\ud800", b"\\x85", b"\xef\xbb\xbf", b"9223372036854775807", b"? ", b"- - ", b"<<: ", b"\xc2\x85",
    b'"package-readme"', b'"README.md"', b"'", b"\r\n",
)  # fmt: skip
_TAR_WORDS = (
    b"ustar\x0000", b"ustar  \0", b"././@LongLink", b"PaxHeader", b"manifest.yaml", b"path=", b"size=", b"linkpath=",
    b"GNU.sparse.name=", b"SCHILY.realsize=", b"rsa-envelope-v1.json", b"payload.enc", b"payload.key", b"0000644\0",
    b"0000755\0", b"\x80\0\0\0\0\0\0\0\0\0\0\x01", b"../", b"./", b"_kernel/key.md", bytes(512), b"11 path=a/\n",
)  # fmt: skip
_PATH_WORDS = (
    b"../", b"./", b"//", b"/", b"\\", b"C:", b"CON", b"com1.", b".alive-receive", b"_kernel", b"bundles",
    b"\xe2\x80\x8b", b"\xcc\x81", b"\xc4\xb0", b"\xc3\x9f", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xff",
    b"manifest.yaml", b"a" * 255, b"\n",
)  # fmt: skip

TARGETS = (
    Target("manifest", manifest, _MANIFEST_WORDS),
    Target("member-paths", member_paths, _PATH_WORDS),
    Target("recognition", recognition, (*_TAR_WORDS, b"Salted__", b"age-encryption.org/v1\n", b"PK\x03\x04", b"<html")),
    Target("tar-archive", tar_archive, _TAR_WORDS, 8192),
    Target("package", package, _TAR_WORDS, 8192),
    Target("package-tar", package_tar, (*_TAR_WORDS, *_MANIFEST_WORDS), 8192),
    Target("package-file", package_file, (*_TAR_WORDS, b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"Salted__"), 8192),
    Target("gzip-source", gzip_source, (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\x03\0\0\0\0\0\0\0\0\0", b"\x04", b"\x02")),
)
