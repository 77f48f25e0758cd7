"""The manifest: one reader, one writer, canonical bytes (format.md §2 and §3)."""

import hashlib
import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from package_building import CREATED, entry, fields_for, manifest_for, sha256

from alive_p2p import safe_yaml
from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package import paths
from alive_p2p.package.entries import FileEntry, bundle_digest, payload_sha256
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.manifest_reading import read_fields
from alive_p2p.package.manifest_rules import MAX_DEPTH
from alive_p2p.package.manifest_text import FIELD_ORDER
from alive_p2p.package.paths import bundle_name_refusal
from alive_p2p.safe_yaml import Dialect, UnsafeYamlError
from alive_p2p.text import breaks_the_line

# U+FFFE and U+FFFF have a test of their own below.
_LINES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"), max_size=30
)
_PATHS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=20,
).filter(lambda path: paths.refusal(path) is None and path != paths.MANIFEST)
_NAMES = _LINES.filter(lambda name: name not in FIELD_ORDER)
_INTEGERS = st.integers(0, 2**63 - 1)
_UNKNOWN = st.recursive(
    _LINES | _INTEGERS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_LINES, inner, max_size=3)
        | st.fixed_dictionaries({"path": inner, "sha256": inner, "size": inner})  # as if it were a listed file
    ),
    max_leaves=6,
)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Valid manifests with text in every script, unknown fields, and everything optional there or not."""
    listed = draw(st.lists(_PATHS, max_size=5, unique=True))
    sizes = st.integers(0, 1000)
    fields: dict[str, Any] = {
        **draw(st.dictionaries(_NAMES, _UNKNOWN.filter(lambda value: _depth(value) <= 3), max_size=3)),
        "format_version": draw(st.sampled_from(["2.1.0", "2.0", "2.0.0", "2.99.7"])),
        "created": CREATED,
        "scope": draw(st.sampled_from(["full", "snapshot", "bundle"])),
        "source": {"walnut": draw(_LINES), **draw(st.dictionaries(_NAMES, _INTEGERS, max_size=1))},
        "files": [
            {
                "path": path,
                "sha256": sha256(path.encode()),
                "size": draw(sizes),
                **draw(st.just({}) | st.just({"x": "é"})),
            }
            for path in listed
        ],
    }
    fields["source"] = {k: v for k, v in fields["source"].items() if isinstance(v, str) or k not in _SOURCE_TEXTS}
    if fields["scope"] == "bundle":
        fields["bundles"] = ["a", "日本語"]
    for name in ("source_layout", "sender", "description", "note"):
        if draw(st.booleans()):
            fields[name] = draw(_LINES)
    if draw(st.booleans()):
        fields["exclusions_applied"] = draw(st.lists(_LINES, max_size=3))
        fields["substitutions_applied"] = [{"path": path, "reason": draw(_LINES)} for path in listed[:2]]
    if draw(st.booleans()):
        fields["executables"] = listed[:1]
        fields["empty_dirs"] = []
    return Manifest.build(fields, DEFAULT_LIMITS)


_SOURCE_TEXTS = {"session_id", "engine", "plugin_version", "walnut_id", "key_sha256"}


# --- round trip -----------------------------------------------------------------------------------------------


@given(manifests())
def test_what_is_written_is_read_back_the_same(manifest: Manifest) -> None:
    """Writing and parsing gives the same fields, the same bytes and the same import id; unknown fields survive."""
    text = manifest.to_yaml()
    again = Manifest.parse(text, DEFAULT_LIMITS)
    assert again == manifest
    assert again.to_yaml() == text
    assert again.canonical_bytes == manifest.canonical_bytes


@given(manifests())
def test_any_yaml_parser_reads_the_same_values(manifest: Manifest) -> None:
    """What is written is plain YAML: values mean the same to a parser that knows nothing of us."""
    read = yaml.load(manifest.to_yaml(), yaml.BaseLoader)  # every scalar as text: field names are never resolved
    assert read == _as_text(manifest.fields)


def _as_text(value: object) -> object:
    if isinstance(value, dict):
        return {name: _as_text(inner) for name, inner in value.items()}
    return [_as_text(inner) for inner in value] if isinstance(value, list) else str(value)


@pytest.mark.parametrize("char", ["\ufffe", "\uffff"])
def test_a_file_name_that_can_be_written_can_be_read(char: str) -> None:
    """Either such a name is refused when the manifest is made, or the manifest can be read."""
    try:
        manifest = manifest_for({f"a{char}b.md": b"x"})
    except PackageError:
        return
    assert Manifest.parse(manifest.to_yaml(), DEFAULT_LIMITS) == manifest


def test_an_escaped_noncharacter_is_refused_or_survives() -> None:
    r"""`"\uFFFE"` passes the YAML parser although the character itself does not."""
    text = manifest_for({}).to_yaml() + b'zz: "\\uFFFE"\n'
    try:
        manifest = Manifest.parse(text, DEFAULT_LIMITS)
    except PackageError:
        return
    assert Manifest.parse(manifest.to_yaml(), DEFAULT_LIMITS) == manifest


def test_a_very_long_field_name_is_refused_or_survives() -> None:
    """YAML allows such a name only in its explicit form (`? name`), which is never written."""
    text = manifest_for({}).to_yaml() + b'? "' + b"k" * 2000 + b'"\n: 1\n'
    try:
        manifest = Manifest.parse(text, DEFAULT_LIMITS)
    except PackageError:
        return
    assert Manifest.parse(manifest.to_yaml(), DEFAULT_LIMITS) == manifest


@pytest.mark.parametrize("value", [b"[]", b"{}"])
def test_a_manifest_of_countless_empty_collections_is_refused(value: bytes) -> None:
    """Lists and groups cost as much as texts do, and count as much: 16 MiB hold more than three million."""
    limits = Limits(max_files=10)
    text = manifest_for({}).to_yaml() + b"zz:\n" + b"  - %b\n" % value * (2 * limits.max_manifest_scalars)
    with pytest.raises(PackageError):
        Manifest.parse(text, limits)


def test_the_message_of_a_refusal_is_short() -> None:
    """A package cannot fill the screen or a log with its error message."""
    name = b'? "' + b"k" * 100_000 + b'"\n: 1\n'
    with pytest.raises(PackageError) as caught:
        Manifest.parse(manifest_for({}).to_yaml() + name + name, DEFAULT_LIMITS)
    assert len(caught.value.message) < 2_000


def test_the_order_on_disk_is_the_specifications() -> None:
    """Known fields in the order of the table, unknown ones after them by name; `path` first in an entry."""
    fields = fields_for({"a.md": b"x"}, zz="last", aa="first", bundles=[], signature={"algo": "x"}, sensitivity="open")
    shuffled = dict(sorted(fields.items(), key=lambda item: sha256(item[0].encode())))
    text = Manifest.build(shuffled, DEFAULT_LIMITS).to_yaml().decode()
    top = [line.split(":")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert top == [*FIELD_ORDER, "aa", "zz"]
    assert "files:\n  - path: " in text


def test_text_is_quoted_with_two_escapes_only() -> None:
    """Backslash and quote are escaped; everything else stands as it is."""
    text = manifest_for({}, note='a "b" \\n c: [d] # é 🥜').to_yaml().decode()
    assert 'note: "a \\"b\\" \\\\n c: [d] # é 🥜"\n' in text
    assert Manifest.parse(text.encode(), DEFAULT_LIMITS).note == 'a "b" \\n c: [d] # é 🥜'


def test_escapes_are_decoded_in_one_pass() -> None:
    r"""`\\n` is a backslash and an n, never a line break."""
    text = manifest_for({}).to_yaml().replace(b'note: ""', b'note: "a\\\\nb\\\\\\"c"')
    assert Manifest.parse(text, DEFAULT_LIMITS).note == 'a\\nb\\"c'


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_other_writers_quotes_line_ends_and_marks_are_read(quote: str, ending: str, mark: str) -> None:
    """Single quotes, CRLF, a byte-order mark and comments change nothing."""
    manifest = manifest_for({"a.md": b"x"})
    text = "---\n# a comment\n" + manifest.to_yaml().decode().replace('"', quote) + "...\n"
    assert Manifest.parse((mark + text.replace("\n", ending)).encode(), DEFAULT_LIMITS) == manifest


# --- identity -------------------------------------------------------------------------------------------------


@given(manifests(), st.randoms(use_true_random=False))
def test_the_import_id_does_not_depend_on_the_order_of_lists(manifest: Manifest, shuffler: random.Random) -> None:
    """Files, bundles, exclusions, substitutions and fields in any order have the same canonical bytes."""
    fields = dict(manifest.fields)
    for name in ("files", "bundles", "exclusions_applied", "substitutions_applied"):
        if name in fields:
            fields[name] = shuffler.sample(fields[name], len(fields[name]))
    names = shuffler.sample(sorted(fields), len(fields))
    assert (
        Manifest.build({name: fields[name] for name in names}, DEFAULT_LIMITS).canonical_bytes
        == manifest.canonical_bytes
    )


@given(manifests())
def test_the_import_id_does_not_depend_on_the_signature(manifest: Manifest) -> None:
    """Signing, or signing again, is the same package; any other field is not."""
    signed = Manifest.build({**manifest.fields, "signature": {"algo": "rsa-pss-sha256"}}, DEFAULT_LIMITS)
    assert signed.import_id == manifest.import_id
    other = Manifest.build({**manifest.fields, "note": manifest.note + "!"}, DEFAULT_LIMITS)
    assert other.import_id != manifest.import_id


@given(manifests())
def test_canonical_bytes_are_what_the_specification_says(manifest: Manifest) -> None:
    """Recomputed here from the parsed fields in three lines."""
    fields = {name: value for name, value in manifest.fields.items() if name != "signature"}
    for name, key in {
        "files": "path",
        "substitutions_applied": "path",
        "bundles": "",
        "exclusions_applied": "",
    }.items():
        if name in fields:
            fields[name] = sorted(fields[name], key=lambda item, key=key: item[key] if key else item)
    expected = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")
    assert manifest.canonical_bytes == expected
    assert manifest.import_id == hashlib.sha256(expected).hexdigest()


def test_the_payload_hash_is_sorted_by_code_point() -> None:
    """Path, NUL, hash, NUL, size, line feed: upper case before lower, and beyond the first plane last."""
    files = [FileEntry(path, sha256(path.encode()), 3) for path in ("b", "\U0001f95c", "a", "B", "\uff5e")]
    lines = "".join(f"{path}\0{sha256(path.encode())}\0003\n" for path in ("B", "a", "b", "\uff5e", "\U0001f95c"))
    assert payload_sha256(files) == sha256(lines.encode())
    assert payload_sha256([]) == sha256(b"")


def test_a_bundles_digest_does_not_depend_on_its_name() -> None:
    """The same files under another name are the same bundle; files beside it do not count."""
    content = FileEntry("x/a.md", sha256(b"1"), 1)
    renamed = FileEntry("y/a.md", sha256(b"1"), 1)
    beside = FileEntry("xx/a.md", sha256(b"2"), 1)
    assert bundle_digest([content, beside], "x") == bundle_digest([renamed], "y")


# --- what is read ---------------------------------------------------------------------------------------------


def test_optional_fields_may_be_absent() -> None:
    """Packages of others have only the required ones; absent modes and folders are told from empty ones."""
    text = f"""format_version: "2.0.0"
scope: "snapshot"
created: "{CREATED}"
source: {{}}
files: []
payload_sha256: "{sha256(b"")}"
"""
    manifest = Manifest.parse(text.encode(), DEFAULT_LIMITS)
    assert manifest.executables is None
    assert manifest.empty_dirs is None
    assert (manifest.sender, manifest.description, manifest.note, manifest.walnut) == ("unknown", "", "", "")
    assert manifest.source_layout is manifest.min_plugin_version is manifest.sensitivity is manifest.signature is None
    assert manifest.walnut_id is manifest.key_sha256 is manifest.primer is None
    assert (manifest.bundles, manifest.exclusions, manifest.substitutions, manifest.total_size) == ((), (), {}, 0)


def test_fields_are_handed_out_as_they_were_written() -> None:
    """Every property shows its field."""
    contents = {"_kernel/key.md": b"k", "README.md": b"primer!", "a/run.sh": b"#!"}
    uuid = "0b8f1c5e-93b4-4d6a-8a7c-3f1d2e4b5a69"
    manifest = manifest_for(
        contents,
        scope="bundle",
        bundles=["a"],
        source={"walnut": "acme", "walnut_id": uuid, "key_sha256": sha256(b"k")},
        sensitivity="private",
        exclusions_applied=["*.pem"],
        substitutions_applied=[{"path": "README.md", "reason": "package-readme"}],
        executables=["a/run.sh"],
        empty_dirs=["a/empty"],
        signature={"algo": "x"},
    )
    assert (manifest.format_version, manifest.scope, manifest.created) == ("2.1.0", "bundle", CREATED)
    assert (manifest.walnut, manifest.walnut_id, manifest.key_sha256) == ("acme", uuid, sha256(b"k"))
    assert (manifest.sensitivity, manifest.bundles, manifest.exclusions) == ("private", ("a",), ("*.pem",))
    assert (manifest.primer, manifest.total_size) == ("README.md", 10)
    assert manifest.executables == {"a/run.sh"}
    assert manifest.empty_dirs == {"a/empty"}
    assert manifest.signature == {"algo": "x"}
    assert (manifest.source_layout, manifest.min_plugin_version) == ("v3", "3.1.0")


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.1.0", "2.99.1"])
def test_every_2_x_is_read(version: str) -> None:
    """`2.x` and `2.x.y`."""
    assert manifest_for({}, format_version=version).format_version == version


@pytest.mark.parametrize("version", ["3.0.0", "3.0", "10.1.0", "1.0.0"])
def test_another_major_version_is_refused_by_name(version: str) -> None:
    """The message names the version, says what is read, and what to do; nothing else is complained about."""
    text = manifest_for({}).to_yaml().replace(b'"2.1.0"', f'"{version}"'.encode()).replace(b'"full"', b'"everything"')
    with pytest.raises(PackageError) as caught:
        Manifest.parse(text, DEFAULT_LIMITS)
    error = caught.value
    assert error.code == "unsupported-version"
    assert version in error.message
    assert "2.x" in error.message
    assert error.hint
    assert ("upgrade" in error.hint) == (version[0] != "1" or version.startswith("10"))


@pytest.mark.parametrize("version", ["3", "3.0.0-rc1", "3.0.0.1"])
def test_a_3_of_any_form_is_refused_by_name(version: str) -> None:
    """Whatever a later version calls itself, the advice is to upgrade."""
    text = manifest_for({}).to_yaml().replace(b'"2.1.0"', f'"{version}"'.encode())
    with pytest.raises(PackageError) as caught:
        Manifest.parse(text, DEFAULT_LIMITS)
    assert caught.value.code == "unsupported-version"


@pytest.mark.parametrize("version", ['"2"', '"2.1.0 "', '"2.1.0.0"', '"v2.1"', '"2.-1"', '"２.1.0"', "2", '""'])
def test_a_version_of_another_form_is_refused(version: str) -> None:
    """Full-width digits, a number instead of text, spaces."""
    text = manifest_for({}).to_yaml().decode().replace('"2.1.0"', version, 1)
    with pytest.raises(PackageError) as caught:
        Manifest.parse(text.encode(), DEFAULT_LIMITS)
    assert caught.value.code == "bad-manifest"


# --- defects --------------------------------------------------------------------------------------------------

_BAD_FIELDS = {
    "scope-unknown": ({"scope": "everything"}, "scope"),
    "scope-list": ({"scope": ["full"]}, "scope"),
    "scope-missing": ({"scope": None}, "scope"),
    "created-missing": ({"created": None}, "created"),
    "created-form": ({"created": "2026-04-07"}, "created"),
    "created-offset": ({"created": "2026-04-07T10:15:00+00:00"}, "created"),
    "created-no-such-day": ({"created": "2026-02-30T10:15:00Z"}, "created"),
    "created-year-zero": ({"created": "0000-01-01T10:15:00Z"}, "created"),
    "created-arabic-digits": ({"created": "٢٠٢٦-04-07T10:15:00Z"}, "created"),
    "source-missing": ({"source": None}, "source"),
    "source-text": ({"source": "acme"}, "source"),
    "source-walnut-number": ({"source": {"walnut": 3}}, "source.walnut"),
    "source-id": ({"source": {"walnut_id": "not-a-uuid"}}, "source.walnut_id"),
    "source-key": ({"source": {"key_sha256": "ABC"}}, "source.key_sha256"),
    "sender-number": ({"sender": 5}, "sender"),
    "note-list": ({"note": ["a"]}, "note"),
    "note-two-lines": ({"note": "a\nb"}, "note"),
    "note-escape-code": ({"note": "a\x1b[31m"}, "note"),
    "note-separator": ({"note": "a\u2028b"}, "note"),
    "nested-control": ({"zz": {"deep": ["a\x07"]}}, "zz.deep[0]"),
    "name-control": ({"zz": {"a\x07": "x"}}, "zz"),
    "sensitivity": ({"sensitivity": "secret"}, "sensitivity"),
    "encryption": ({"encryption": "rot13"}, "encryption"),
    "exclusions-text": ({"exclusions_applied": "*.md"}, "exclusions_applied"),
    "exclusions-number": ({"exclusions_applied": [1]}, "exclusions_applied"),
    "substitutions-text": ({"substitutions_applied": ["a"]}, "substitutions_applied[0]"),
    "substitutions-no-reason": ({"substitutions_applied": [{"path": "a"}]}, "substitutions_applied[0]"),
    "substitutions-map": ({"substitutions_applied": {}}, "substitutions_applied"),
    "bundles-absent": ({"scope": "bundle"}, "bundles"),
    "bundles-empty": ({"scope": "bundle", "bundles": []}, "bundles"),
    "bundles-twice": ({"scope": "bundle", "bundles": ["a", "a"]}, "bundles"),
    "bundles-path": ({"scope": "bundle", "bundles": ["a/b"]}, "bundles"),
    "bundles-dotdot": ({"scope": "bundle", "bundles": [".."]}, "bundles"),
    "bundles-hidden": ({"scope": "bundle", "bundles": [".git"]}, "bundles"),
    "bundles-kernel": ({"scope": "bundle", "bundles": ["_KERNEL"]}, "bundles"),
    "bundles-number": ({"bundles": [1]}, "bundles"),
    "executables-unlisted": ({"executables": ["run.sh"]}, "executables"),
    "executables-twice": ({"executables": ["a.md", "a.md"]}, "executables"),
    "executables-text": ({"executables": "a.md"}, "executables"),
    "empty-dirs-file": ({"empty_dirs": ["a.md"]}, "empty_dirs"),
    "empty-dirs-dotdot": ({"empty_dirs": ["../up"]}, "empty_dirs"),
    "empty-dirs-absolute": ({"empty_dirs": ["/etc"]}, "empty_dirs"),
    "empty-dirs-twice": ({"empty_dirs": ["d", "d"]}, "empty_dirs"),
    "files-missing": ({"files": None}, "files"),
}


def _parse_without_building(fields: dict[str, Any]) -> Manifest:
    """Write fields as JSON-like YAML of our own making, so that nothing refuses them before the reader does."""
    return Manifest.parse(_yaml(fields).encode("utf-8", "surrogatepass"), DEFAULT_LIMITS)


def _yaml(value: Any, indent: str = "") -> str:
    if isinstance(value, dict) and value:
        return "".join(f"\n{indent}{json.dumps(name)}: {_yaml(inner, indent + ' ')}" for name, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"\n{indent}- {_yaml(inner, indent + ' ')}" for inner in value)
    return json.dumps(value)


def _with_hash(changes: dict[str, Any]) -> dict[str, Any]:
    fields = fields_for({"a.md": b"x"}, **changes)
    return {**fields, "payload_sha256": payload_sha256([FileEntry(**entry("a.md", b"x"))])}


def test_the_writer_of_these_tests_makes_valid_manifests() -> None:
    """Otherwise everything below would be refused for the wrong reason."""
    assert _parse_without_building(_with_hash({})).files == (FileEntry(**entry("a.md", b"x")),)


@pytest.mark.parametrize(("changes", "where"), _BAD_FIELDS.values(), ids=_BAD_FIELDS.keys())
def test_a_field_that_breaks_a_rule_is_refused_when_read(changes: dict[str, Any], where: str) -> None:
    """The message begins with the field's path."""
    with pytest.raises(PackageError) as caught:
        _parse_without_building(_with_hash(changes))
    assert caught.value.code == "bad-manifest"
    assert f"not valid: {where}: " in caught.value.message
    assert caught.value.untouched


@pytest.mark.parametrize("name", [name for name in _BAD_FIELDS if name != "files-missing"])
def test_a_field_that_breaks_a_rule_is_refused_when_written(name: str) -> None:
    """The same rules hold for who makes a package."""
    changes, where = _BAD_FIELDS[name]
    with pytest.raises(PackageError) as caught:
        Manifest.build(fields_for({"a.md": b"x"}, **changes), DEFAULT_LIMITS)
    assert where in caught.value.message


_HASH = sha256(b"x")
_BAD_ENTRIES = {
    "text": ("a.md", "files[0]"),
    "path-missing": ({"sha256": _HASH, "size": 1}, "files[0].path"),
    "path-number": ({"path": 7, "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-dotdot": ({"path": "../a", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-dot-slash": ({"path": "./a", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-absolute": ({"path": "/a", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-backslash": ({"path": "a\\b", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-folder": ({"path": "a/", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-empty": ({"path": "", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-manifest": ({"path": "manifest.yaml", "sha256": _HASH, "size": 1}, "files[0].path"),
    "path-staging": ({"path": "x/.alive-receive-1/a", "sha256": _HASH, "size": 1}, "files[0].path"),
    "hash-missing": ({"path": "a", "size": 1}, "files[0].sha256"),
    "hash-upper": ({"path": "a", "sha256": _HASH.upper(), "size": 1}, "files[0].sha256"),
    "hash-short": ({"path": "a", "sha256": _HASH[:63], "size": 1}, "files[0].sha256"),
    "hash-full-width": ({"path": "a", "sha256": _HASH[:63] + "１", "size": 1}, "files[0].sha256"),
    "hash-line-feed": ({"path": "a", "sha256": _HASH + "\n", "size": 1}, "files[0].sha256"),
    "size-missing": ({"path": "a", "sha256": _HASH}, "files[0].size"),
    "size-text": ({"path": "a", "sha256": _HASH, "size": "1"}, "files[0].size"),
    "size-list": ({"path": "a", "sha256": _HASH, "size": []}, "files[0].size"),
    "size-over-the-limit": ({"path": "a", "sha256": _HASH, "size": 2**62}, "files"),
}


@pytest.mark.parametrize(("listed", "where"), _BAD_ENTRIES.values(), ids=_BAD_ENTRIES.keys())
def test_a_listed_file_that_breaks_a_rule_is_refused(listed: Any, where: str) -> None:
    """The message begins with the entry's place in the list."""
    with pytest.raises(PackageError) as caught:
        _parse_without_building(_with_hash({"files": [listed]}))
    assert f"{where}: " in "\n".join([caught.value.message, *caught.value.details])


def test_a_path_listed_twice_is_refused() -> None:
    """Also where hash and size are the same."""
    one = entry("a.md", b"x")
    with pytest.raises(PackageError, match=r"files\[1\].path: it is listed twice"):
        _parse_without_building(_with_hash({"files": [one, one]}))


@pytest.mark.parametrize("files", ["a.md", {"a.md": "x"}, 3])
def test_files_that_are_no_list_are_refused(files: Any) -> None:
    """Text, a group of fields, a number."""
    with pytest.raises(PackageError, match="files: it has to be a list"):
        _parse_without_building(_with_hash({"files": files}))


def test_a_payload_hash_of_other_files_is_refused() -> None:
    """What it covers is recomputed."""
    with pytest.raises(PackageError, match="payload_sha256: it does not match"):
        _parse_without_building({**_with_hash({}), "payload_sha256": sha256(b"other")})


def test_a_wrong_payload_hash_is_reported_beside_another_defect() -> None:
    """All errors found are reported together."""
    with pytest.raises(PackageError) as caught:
        _parse_without_building({**_with_hash({}), "payload_sha256": sha256(b"other"), "scope": "everything"})
    assert any(line.startswith("payload_sha256") for line in caught.value.details)


def test_every_defect_is_reported_at_once() -> None:
    """One line for each, with the field's path, so that the sender mends all of them in one go."""
    fields = _with_hash(
        {
            "scope": "everything",
            "created": None,
            "note": "a\nb",
            "source": {"walnut": 1},
            "sensitivity": "x",
            "exclusions_applied": [2],
            "files": [{"path": "../a", "sha256": "no", "size": "1"}, entry("b", b""), entry("b", b"")],
            "executables": ["missing"],
        }
    )
    with pytest.raises(PackageError) as caught:
        _parse_without_building(fields)
    said = [line.split(": ")[0] for line in caught.value.details]
    assert sorted(said) == [
        "created",
        "exclusions_applied",
        "executables",
        "files[0].path",
        "files[0].sha256",
        "files[0].size",
        "files[1].path" if "files[1].path" in said else "files[2].path",
        "note",
        "scope",
        "sensitivity",
        "source.walnut",
    ]
    assert "11 problems" in caught.value.message


def test_countless_defects_are_counted_and_not_all_shown() -> None:
    """Ten thousand bad paths do not make ten thousand lines."""
    limits = Limits(max_files=200)
    text = _yaml(_with_hash({"files": [{"path": f"../{n}", "sha256": _HASH, "size": 1} for n in range(200)]}))
    with pytest.raises(PackageError) as caught:
        Manifest.parse(text.encode(), limits)
    assert "200 problems" in caught.value.message
    assert len(caught.value.details) == 51
    assert caught.value.details[-1] == "and 150 more"


_BAD_YAML = {
    "empty": b"",
    "text": b"hello\n",
    "list": b"- a\n",
    "json": b'{"format_version": "2.1.0"}\n',
    "binary": b"\xff\xfe\0\0",
    "nul": b'zz: "a\0b"\n',
    "not-utf-8": b'zz: "\xff"\n',
    "utf-16": 'zz: "a"\n'.encode("utf-16"),
    "surrogates": b'zz: "\xed\xa0\x80"\n',
    "escaped-surrogate": b'zz: "\\ud800"\n',
    "escaped-line-feed": b'zz: "a\\nb"\n',
    "escaped-nul": b'zz: "a\\0b"\n',
    "alias": b"zz: &a []\nyy: *a\n",
    "anchor": b'zz: &a "x"\n',
    "tag": b'zz: !!str "x"\n',
    "local-tag": b'zz: !x "x"\n',
    "bare-tag": b'zz: ! "x"\n',
    "python-tag": b'zz: !!python/object/apply:os.system ["true"]\n',
    "merge-key": b"zz:\n  <<: {}\n",
    "directive": b"%YAML 1.1\n---\nzz: 1\n",
    "two-documents": b"---\nzz: 1\n---\nyy: 1\n",
    "bare-text": b"zz: hello\n",
    "null": b"zz: null\n",
    "nothing": b"zz:\n",
    "boolean": b"zz: true\n",
    "float": b"zz: 1.5\n",
    "negative": b"zz: -1\n",
    "plus": b"zz: +1\n",
    "leading-zero": b"zz: 007\n",
    "hex": b"zz: 0x10\n",
    "underscore": b"zz: 1_000\n",
    "too-large": b"zz: 9223372036854775808\n",
    "date": b"zz: 2026-01-01\n",
    "block-scalar": b"zz: |\n  text\n",
    "folded-scalar": b"zz: >\n  text\n",
    "two-line-quotes": b'zz: "a\n  b"\n',
    "flow-list": b'zz: ["a"]\n',
    "flow-map": b'zz: {"a": "b"}\n',
    "tab-indent": b'zz:\n\ta: "b"\n',
    "list-key": b"? - a\n: 1\n",
    "map-key": b"? {}\n: 1\n",
    "duplicate-key": b"zz: 1\nzz: 1\n",
    "duplicate-quoted-key": b'zz: 1\n"zz": 1\n',
    "duplicate-nested-key": b"zz:\n  a: 1\n  a: 1\n",
    "depth-5": b"zz:\n  a:\n    b:\n      c:\n        d: 1\n",
    "deep-flow": b"zz: " + b"[" * 50_000,
    "deep-lists": b"zz:\n  " + b"- " * 50_000,
    "unclosed": b'zz: "a',
    "stray": b"zz: 1\n  yy: 2\n",
}


@pytest.mark.parametrize("text", _BAD_YAML.values(), ids=_BAD_YAML.keys())
def test_yaml_outside_the_dialect_is_refused(text: bytes) -> None:
    """Appended to a manifest that is otherwise whole, so that nothing else can be the reason."""
    whole = manifest_for({}).to_yaml()
    alone = text[:1] not in (b"z", b"?")
    with pytest.raises(PackageError) as caught:
        Manifest.parse(text if alone else whole + text, DEFAULT_LIMITS)
    assert caught.value.code == "bad-manifest"
    assert "it is missing" not in caught.value.message


def test_depth_4_is_still_read() -> None:
    """An unknown field may hold three levels of its own."""
    text = manifest_for({}).to_yaml() + b"zz:\n  a:\n    - b: []\n"
    with pytest.raises(PackageError, match="nested"):
        Manifest.parse(text, DEFAULT_LIMITS)
    text = manifest_for({}).to_yaml() + b"zz:\n  a:\n    - {}\n"
    assert Manifest.parse(text, DEFAULT_LIMITS).fields["zz"] == {"a": [{}]}


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "a", "sha256": "b", "size": 1},
        {"size": "a", "path": 2, "sha256": "b"},
        {"path": {"a": 1}, "sha256": ["b"], "size": []},
        {"path": 'a"b\\', "sha256": {}, "size": 0},
    ],
)
def test_what_only_looks_like_a_listed_file_is_kept_as_it_is(entry: dict[str, object]) -> None:
    """Written and read again, wherever it stands and whatever it holds."""
    fields = {**fields_for({"a.md": b"a"}), "zz": [entry, entry]}
    assert Manifest.parse(Manifest.build(fields, DEFAULT_LIMITS).to_yaml(), DEFAULT_LIMITS).fields["zz"] == [
        entry,
        entry,
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "a\nb", "sha256": "b", "size": 1},
        {"path": "a", "sha256": "b\x00", "size": 1},
        {"path": "a", "sha256": "b", "size": -1},
        {"path": "a", "sha256": "b", "size": True},
        {"path": "a", "sha256": "b", "size": 2**63},
    ],
)
def test_what_looks_like_a_listed_file_is_held_to_the_rules_all_the_same(entry: dict[str, object]) -> None:
    """One line of text, whole numbers that a reader takes."""
    with pytest.raises(PackageError) as caught:
        Manifest.build({**fields_for({"a.md": b"a"}), "zz": [entry]}, DEFAULT_LIMITS)
    assert "zz[0]" in caught.value.message


def test_a_manifest_over_its_size_is_refused_unparsed() -> None:
    """The cap comes before the parser."""
    too_long = manifest_for({}).to_yaml() + b"#" * DEFAULT_LIMITS.max_manifest_bytes
    with pytest.raises(PackageError, match="longer than"):
        Manifest.parse(too_long, DEFAULT_LIMITS)


def test_more_values_than_files_could_need_are_refused() -> None:
    """Counted while parsing, before anything is kept."""
    limits = Limits(max_files=1)
    text = manifest_for({}).to_yaml() + b"zz:\n" + b"  - 1\n" * limits.max_manifest_scalars
    with pytest.raises(PackageError, match="more than 1,008 values"):
        Manifest.parse(text, limits)


def test_more_files_than_the_limit_are_refused() -> None:
    """When written as well as when read."""
    limits = Limits(max_files=2)
    fields = fields_for({"a": b"", "b": b"", "c": b""})
    with pytest.raises(PackageError, match="more than 2 files"):
        Manifest.build(fields, limits)
    with pytest.raises(PackageError, match="more than 2 files"):
        Manifest.parse(Manifest.build(fields, DEFAULT_LIMITS).to_yaml(), limits)


def test_more_content_than_the_limit_is_refused() -> None:
    """The sum of what is listed, before any content is read."""
    with pytest.raises(PackageError, match="together they are larger"):
        Manifest.build(fields_for({"a": b"123", "b": b"45"}), Limits(max_bytes=4))
    assert Manifest.build(fields_for({"a": b"123", "b": b"4"}), Limits(max_bytes=4)).total_size == 4


@pytest.mark.parametrize("value", [1.5, None, True, b"x", object()])
def test_a_value_that_no_manifest_holds_is_not_written(value: object) -> None:
    """An error of ours, not a manifest that nobody can read."""
    with pytest.raises(AliveP2PError):
        Manifest.build({**fields_for({}), "zz": value}, DEFAULT_LIMITS).to_yaml()


@pytest.mark.parametrize("value", [-1, 2**63, {"a": {"b": {"c": {"d": 1}}}}], ids=["negative", "large", "deep"])
def test_an_unknown_field_that_no_reader_takes_is_not_written(value: object) -> None:
    """What can be written can be read."""
    try:
        text = Manifest.build({**fields_for({}), "zz": value}, DEFAULT_LIMITS).to_yaml()
    except AliveP2PError:
        return
    assert Manifest.parse(text, DEFAULT_LIMITS).fields["zz"] == value


@pytest.mark.parametrize("text", ["plain", "日本語", "a\u200db", "tab-free", ""])
def test_a_line_is_a_line(text: str) -> None:
    """Joiners and every script are allowed in free text."""
    assert not breaks_the_line(text)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\t", "\0", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_what_breaks_a_line_is_told(text: str) -> None:
    """Line breaks of every kind, control characters, half a surrogate pair."""
    assert breaks_the_line(text)


@pytest.mark.parametrize("name", ["_kernel", "_Kernel", "bundles", "_core", ".git", "a/b", "..", "a\nb", ""])
def test_a_bundle_name_that_is_refused(name: str) -> None:
    """Reserved, hidden, or no name at all."""
    assert bundle_name_refusal(name)


def test_a_bundle_name_that_is_taken() -> None:
    """Words in any script."""
    assert bundle_name_refusal("shielding-review") is None
    assert bundle_name_refusal("資料") is None


# --- the list of files, read at once -------------------------------------------------------------------------

_DIALECT = Dialect(1 << 20, MAX_DEPTH, 1000, strict=True)
_ONE = '  - path: "ä b"\n    sha256: "' + "0" * 64 + '"\n    size: 7\n'
_LISTED = _ONE.replace("ä b", "a").replace("7", "0") + _ONE


def assert_read_alike(text: str) -> None:
    """The quick reader gives what the YAML reader gives, and nothing where that one refuses."""
    try:
        expected = safe_yaml.load(text, _DIALECT).value
    except UnsafeYamlError:
        with pytest.raises(UnsafeYamlError):
            read_fields(text, _DIALECT)
    else:
        assert read_fields(text, _DIALECT) == expected


@given(manifests())
def test_every_manifest_is_read_alike(manifest: Manifest) -> None:
    """At once, or value by value; with fields that nobody knows and names in every script as well."""
    assert_read_alike(manifest.to_yaml().decode())


@pytest.mark.parametrize(
    "before",
    [
        "",
        "a: 1\n",
        "a:\n",
        "a: [\n",
        'a: "\n',
        "a: |\n",
        "# a\n",
        "--- \n",
        "...\n",
        "  a: 1\n",
        "- 1\n",
        "files: []\n",
        "%x\n",
        "{\n",
        "'",
    ],
)
@pytest.mark.parametrize(
    "after",
    [
        "",
        "b: 2\n",
        "\n\nb: 2\n",
        " b: 2\n",
        "    b: 2\n",
        "  - x\n",
        "- x\n",
        "# b\n",
        "---\n",
        "...\n",
        "files: 1\n",
        "]\n",
        '"\n',
        "}",
        "'",
        ": 1\n",
        "\ufeff",
        "\x85",
    ],
)
def test_whatever_stands_around_the_list_it_is_read_alike(before: str, after: str) -> None:
    """Inside a text or a collection, after the end of a document, twice, with more under an entry."""
    assert_read_alike(f"{before}files:\n{_LISTED}{after}")


@pytest.mark.parametrize("old", ["path", "sha256", "size: 7", "  - ", "\n", '"', '0"', "a", "b"])
@pytest.mark.parametrize(
    "new",
    [
        "",
        " ",
        "\t",
        "\\",
        "\\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\u200b",
        "\ud800",
        "\x7f",
        "\r\n",
        "size: 07",
        "size: 9" * 4,
        "size: -1",
        "😀",
        "&x ",
        "!!str ",
        "'",
    ],
)
def test_a_list_in_any_other_form_is_read_alike(old: str, new: str) -> None:
    """Other characters, quotes, numbers, line ends: the YAML reader has the word."""
    assert_read_alike(f"a: 1\nfiles:\n{_LISTED.replace(old, new)}")
    assert_read_alike(f"a: 1\nfiles:\n{_LISTED.replace(old, new, 1)}b: 1\n")


def test_a_list_of_more_values_than_allowed_is_refused_alike() -> None:
    """Counted as if each had been read by itself."""
    for count in (140, 141, 142, 143, 200):
        assert_read_alike(f"a: 1\nfiles:\n{_ONE * count}")


# --- mutated text ---------------------------------------------------------------------------------------------

_SEED = (
    manifest_for(
        {"_kernel/key.md": b"k", "ä/b c.md": b"x"},
        scope="bundle",
        bundles=["ä"],
        exclusions_applied=["*.pem", 'q"q'],
        substitutions_applied=[{"path": "ä/b c.md", "reason": "baseline-stub"}],
        executables=["ä/b c.md"],
        empty_dirs=["ä/leer"],
        zz={"a": ["1", 2]},
    )
    .to_yaml()
    .decode()
)
_SNIPPETS = [
    "- ",
    ": ",
    '"',
    "'",
    "[]",
    "{}",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "\n",
    "  ",
    "\t",
    "#",
    "0",
    "-1",
    "\\",
    "|",
    "? ",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cut", "insert", "double", "swap"]), st.integers(0, len(_SEED)), st.sampled_from(_SNIPPETS)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_mutated_manifest_is_refused_or_survives_a_round_trip(mutations: list[tuple[str, int, str]]) -> None:
    """Lines doubled and swapped, YAML's special characters put anywhere: our error, or a manifest that holds."""
    text = _SEED
    for kind, where, snippet in mutations:
        lines = text.split("\n")
        row = where % len(lines)
        if kind == "cut":
            text = text[:where] + text[where + 1 + len(snippet) :]
        elif kind == "insert":
            text = text[:where] + snippet + text[where:]
        elif kind == "double":
            text = "\n".join([*lines[:row], *lines[row : row + 1] * 2, *lines[row + 1 :]])
        else:
            text = "\n".join([*lines[:row], *reversed(lines[row : row + 2]), *lines[row + 2 :]])
    assert_read_alike(text)
    try:
        manifest = Manifest.parse(text.encode(), DEFAULT_LIMITS)
    except PackageError:
        return
    again = Manifest.parse(manifest.to_yaml(), DEFAULT_LIMITS)
    assert again == manifest
    assert again.import_id == manifest.import_id
