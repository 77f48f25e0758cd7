"""Writes the golden vectors: small packages and manifests with one defect each, and what has to become of them.

Run by hand: `python tests/vectors/make_vectors.py`. It knows nothing of the program: manifests, tar headers and hashes
are written here from docs/format.md, so that a mistake in the program cannot hide in its own vectors. What is signed
and sealed is in `sealed_vectors.py`, what lies in relays in `relay_vectors.py`, and their ciphers in `vector_keys.py`.

`data/index.json` lists every vector; README.md says what stands there.
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import relay_vectors as relay
import sealed_vectors as sealed

DATA = Path(__file__).resolve().parent / "data"
CREATED = "2026-04-07T10:15:00Z"
MTIME = 1_775_556_900
END = bytes(1024)

KEY = b"---\ntype: venture\ngoal: show what a vector is\n---\n# Vector\n"
FILES = {"_kernel/key.md": KEY, "notes.md": b"one line\n"}


# --- manifests ------------------------------------------------------------------------------------------------


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def quoted(text: str) -> str:
    """A text as the format writes it: two escapes and no other."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def payload_hash(files: dict[str, bytes]) -> str:
    """The hash over the list of files."""
    lines = [f"{path}\0{sha256(files[path])}\0{len(files[path])}\n" for path in sorted(files)]
    return sha256("".join(lines).encode())


def listed(files: dict[str, bytes]) -> str:
    """The field `files` with its entries."""
    if not files:
        return "files: []\n"
    entries = [
        f"  - path: {quoted(path)}\n    sha256: {quoted(sha256(data))}\n    size: {len(data)}\n"
        for path, data in sorted(files.items())
    ]
    return "files:\n" + "".join(entries)


def manifest(files: dict[str, bytes], *, version: str = "2.1.0", extra: str = "", payload: str | None = None) -> str:
    """A plain manifest of scope full, with `extra` at its end."""
    return (
        f'format_version: "{version}"\nsource_layout: "v3"\nmin_plugin_version: "3.1.0"\ncreated: "{CREATED}"\n'
        'scope: "full"\nsource:\n  engine: "unknown"\n  plugin_version: "3.1.0"\n  session_id: "manual"\n'
        '  walnut: "vector"\nsender: "alice"\ndescription: ""\nnote: ""\nexclusions_applied: []\n'
        f'substitutions_applied: []\npayload_sha256: "{payload or payload_hash(files)}"\n{listed(files)}'
        f'executables: []\nempty_dirs: []\nencryption: "none"\n{extra}'
    )


SOURCE = {"engine": "unknown", "plugin_version": "3.1.0", "session_id": "manual", "walnut": "vector"}


def entries(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """The list of files as values."""
    return [{"path": path, "sha256": sha256(files[path]), "size": len(files[path])} for path in sorted(files)]


def plain_fields(files: dict[str, bytes], **changes: Any) -> dict[str, Any]:
    """The values that `manifest` writes."""
    return {
        "format_version": "2.1.0",
        "source_layout": "v3",
        "min_plugin_version": "3.1.0",
        "created": CREATED,
        "scope": "full",
        "source": SOURCE,
        "sender": "alice",
        "description": "",
        "note": "",
        "exclusions_applied": [],
        "substitutions_applied": [],
        "payload_sha256": payload_hash(files),
        "files": entries(files),
        "executables": [],
        "empty_dirs": [],
        "encryption": "none",
        **changes,
    }


def goldens() -> list[tuple[str, str, dict[str, Any], str]]:
    """Manifests that are accepted: name, text, the values in canonical order, what it shows."""
    unicode_files = {
        "日本語/メモ.md": b"memo\n",
        "Ä.md": b"a",
        "e\u0301.md": b"e",
        "\U0001f95c.md": b"",
        "\uff5e.md": b"~",
    }
    odd_note = "say \"hi\" \\ back\\nslash: # [no] {flow} 'single' %d & * !"
    bundle_files = {"_kernel/key.md": KEY, "b/x.md": b"x", "a/run.sh": b"#!/bin/sh\n"}
    bundle_text = (
        f'format_version: "2.1.0"\nsource_layout: "v3"\ncreated: "{CREATED}"\nscope: "bundle"\nsource:\n'
        '  walnut: "vector"\n  walnut_id: "0b8f1c5e-93b4-4d6a-8a7c-3f1d2e4b5a69"\nsender: "bob"\n'
        'sensitivity: "private"\nexclusions_applied:\n  - "z*"\n  - "*.pem"\nsubstitutions_applied:\n'
        '  - path: "b/x.md"\n    reason: "baseline-stub"\n  - path: "_kernel/key.md"\n    reason: "key-reduced"\n'
        f'bundles:\n  - "b"\n  - "a"\npayload_sha256: "{payload_hash(bundle_files)}"\n{listed(bundle_files)}'
        'executables:\n  - "a/run.sh"\nempty_dirs:\n  - "b/leer"\nencryption: "none"\nsignature:\n'
        '  algo: "rsa-pss-sha256"\n  pubkey_id: "a1b2c3d4e5f67890"\n  sig_b64: "AAAA"\n'
        '  signed_bytes: "manifest-canonical-json-v1"\n'
    )
    bundle_fields = {
        "format_version": "2.1.0",
        "source_layout": "v3",
        "created": CREATED,
        "scope": "bundle",
        "source": {"walnut": "vector", "walnut_id": "0b8f1c5e-93b4-4d6a-8a7c-3f1d2e4b5a69"},
        "sender": "bob",
        "sensitivity": "private",
        "exclusions_applied": ["*.pem", "z*"],
        "substitutions_applied": [
            {"path": "_kernel/key.md", "reason": "key-reduced"},
            {"path": "b/x.md", "reason": "baseline-stub"},
        ],
        "bundles": ["a", "b"],
        "payload_sha256": payload_hash(bundle_files),
        "files": entries(bundle_files),
        "executables": ["a/run.sh"],
        "empty_dirs": ["b/leer"],
        "encryption": "none",
    }
    unknown_text = (
        'Aa: "upper first"\nzz:\n  "key with space": 0\n  list:\n    - "é"\n    - []\n    - 9223372036854775807\n'
    )
    unknown = {"Aa": "upper first", "zz": {"key with space": 0, "list": ["é", [], 9223372036854775807]}}
    return [
        ("manifest-plain", manifest(FILES), plain_fields(FILES), "two files, everything else empty"),
        ("manifest-no-files", manifest({}), plain_fields({}), "no files: every list is `[]`"),
        (
            "manifest-unicode",
            manifest(unicode_files).replace('note: ""', 'note: "été 日本 👩\u200d💻 می\u200cخواهم"'),
            plain_fields(unicode_files, note="été 日本 👩\u200d💻 می\u200cخواهم"),
            "every script, sorted by code point, nothing escaped",
        ),
        (
            "manifest-quotes",
            manifest({" lead.md": b" ", 'q"uote.md': b"q"}).replace('note: ""', f"note: {quoted(odd_note)}"),
            plain_fields({" lead.md": b" ", 'q"uote.md': b"q"}, note=odd_note),
            "quotes, backslashes and all that means something in YAML, inside a text",
        ),
        (
            "manifest-unknown-fields",
            manifest(FILES, extra=unknown_text),
            plain_fields(FILES, **unknown),
            "unknown fields, nested",
        ),
        (
            "manifest-bundle-signed",
            bundle_text,
            bundle_fields,
            "scope bundle; unsorted lists; a signature, which is no part of the id",
        ),
        (
            "manifest-other-writer",
            "\ufeff---\r\n# made elsewhere\r\n" + manifest(FILES).replace("\n", "\r\n").replace('"full"', "'full'"),
            plain_fields(FILES),
            "byte-order mark, CRLF, a comment, single quotes: the same values and the same id as manifest-plain",
        ),
    ]


def bad_manifests() -> list[tuple[str, str, str, str]]:
    """Manifests that are refused: name, text, code, what is wrong."""
    whole = manifest(FILES)
    bad = "bad-manifest"
    return [
        ("manifest-version-3", manifest(FILES, version="3.0.0"), "unsupported-version", "a later major version"),
        ("manifest-version-1", manifest(FILES, version="1.0.0"), "unsupported-version", "an earlier major version"),
        ("manifest-duplicate-key", whole + 'note: "again"\n', bad, "a key twice"),
        ("manifest-anchor", whole + 'zz: &a "x"\n', bad, "an anchor"),
        ("manifest-alias", whole + "zz: *a\n", bad, "an alias"),
        ("manifest-tag", whole + 'zz: !!str "x"\n', bad, "a tag"),
        ("manifest-merge-key", whole + "zz:\n  <<: {}\n", bad, "a merge key"),
        ("manifest-flow-list", whole + 'zz: ["a"]\n', bad, "a flow list that is not empty"),
        ("manifest-block-scalar", whole + "zz: |\n  text\n", bad, "a block scalar"),
        ("manifest-float", whole + "zz: 1.5\n", bad, "a float"),
        ("manifest-null", whole + "zz: null\n", bad, "null"),
        ("manifest-boolean", whole + "zz: true\n", bad, "a boolean"),
        ("manifest-negative", whole + "zz: -1\n", bad, "a negative number"),
        ("manifest-leading-zero", whole + "zz: 01\n", bad, "a number with a leading zero"),
        ("manifest-escaped-line-break", whole + 'zz: "a\\nb"\n', bad, "a line break in a text"),
        ("manifest-depth-5", whole + "zz:\n  a:\n    b:\n      c:\n        d: 1\n", bad, "five levels"),
        ("manifest-payload-hash", manifest(FILES, payload="0" * 64), bad, "a payload hash of other files"),
        ("manifest-no-scope", whole.replace('scope: "full"\n', ""), bad, "a required field is missing"),
        ("manifest-bundle-without-bundles", whole.replace('"full"', '"bundle"'), bad, "scope bundle that names none"),
        ("manifest-hash-upper", whole.replace(sha256(KEY), sha256(KEY).upper()), bad, "a hash in upper case"),
        ("manifest-two-documents", whole + "---\nzz: 1\n", bad, "two documents"),
    ]


def canonical(fields: dict[str, Any]) -> bytes:
    """The bytes that are hashed: every list is sorted already."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# --- archives -------------------------------------------------------------------------------------------------


def block(
    name: bytes, size: int, kind: bytes = b"0", link: bytes = b"", mode: int = 0o644, size_field: bytes = b""
) -> bytes:
    """One ustar header."""
    fields = [
        (name[:100], 100),
        (b"%07o" % mode, 8),
        (b"%07o" % 0, 8),
        (b"%07o" % 0, 8),
        (size_field or b"%011o" % size, 12),
        (b"%011o" % MTIME, 12),
        (b" " * 8, 8),
        (kind, 1),
        (link, 100),
        (b"ustar\x0000", 8),
    ]
    raw = b"".join(value.ljust(width, b"\0") for value, width in fields).ljust(512, b"\0")
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def member(name: str | bytes, data: bytes = b"", kind: bytes = b"0", **more: Any) -> bytes:
    """A header, its content, and the zeros that fill it up."""
    raw = name if isinstance(name, bytes) else name.encode()
    return block(raw, len(data), kind, **more) + data + bytes(-len(data) % 512)


def extended(key: str, value: bytes, kind: bytes = b"x") -> bytes:
    """A PAX header with one record."""
    tail = b" %b=%b\n" % (key.encode(), value)
    length = next(n for n in range(len(tail) + 1, len(tail) + 9) if len(str(n)) + len(tail) == n)
    return member("././@PaxHeader", str(length).encode() + tail, kind)


def package(
    *extra: bytes, files: dict[str, bytes] = FILES, present: dict[str, bytes] | None = None, text: str = ""
) -> bytes:
    """The tar of a package: the manifest of `files`, the files that are present, then extra blocks."""
    there = files if present is None else present
    parts = [member("manifest.yaml", (text or manifest(files)).encode())]
    parts += [member(path, data) for path, data in sorted(there.items())]
    return b"".join([*parts, *extra]) + END


def gz(data: bytes) -> bytes:
    """One gzip member."""
    return gzip.compress(data, 9, mtime=0)


def members() -> list[tuple[str, bytes, str, str]]:
    """The member rules, one vector each: name, tar, expectation, what it shows."""
    unsafe, damaged, over = "unsafe-member", "damaged", "over-limit"
    long_path = "/".join(["d" * 99] * 3) + "/f.md"
    long_files = {**FILES, long_path: b"deep\n"}
    return [
        ("valid", package(), "accept", "a whole package"),
        (
            "valid-leading-dot-slash",
            package(member("./x", b"x"), files={**FILES, "x": b"x"}, present=FILES),
            "accept",
            "`./x` is `x`",
        ),
        ("valid-root-folder", package(member("./", kind=b"5")), "accept", "the member `./` alone is ignored"),
        (
            "valid-pax-path",
            package(extended("path", long_path.encode()) + member("f.md", b"deep\n"), files=long_files, present=FILES),
            "accept",
            "a long name in a PAX record",
        ),
        (
            "valid-gnu-long-name",
            package(
                member("././@LongLink", long_path.encode() + b"\0", b"L") + member("f.md", b"deep\n"),
                files=long_files,
                present=FILES,
            ),
            "accept",
            "a long name in the GNU way",
        ),
        (
            "valid-foreign-bits",
            package(member("run", b"x", mode=0o7777), files={**FILES, "run": b"x"}, present=FILES),
            "accept",
            "set-uid and write bits have no effect",
        ),
        ("rule-1-dotdot", package(member("a/../b", b"x")), unsafe, "a `..` segment"),
        ("rule-1-inner-dot", package(member("a/./b", b"x")), unsafe, "an inner `.` segment"),
        ("rule-2-absolute", package(member("/etc/x", b"x")), unsafe, "an absolute path"),
        ("rule-2-drive", package(member("C:x", b"x")), unsafe, "a drive path"),
        ("rule-2-unc", package(member("\\\\host\\x", b"x")), unsafe, "a UNC path"),
        ("rule-3-symbolic-link", package(member("l", kind=b"2", link=b"notes.md")), unsafe, "a symbolic link"),
        ("rule-3-hard-link", package(member("l", kind=b"1", link=b"notes.md")), unsafe, "a hard link"),
        ("rule-4-character-device", package(member("d", kind=b"3")), unsafe, "a character device"),
        ("rule-4-block-device", package(member("d", kind=b"4")), unsafe, "a block device"),
        ("rule-4-fifo", package(member("f", kind=b"6")), unsafe, "a FIFO"),
        ("rule-4-sparse-gnu", package(member("s", kind=b"S")), unsafe, "a sparse file in the GNU way"),
        (
            "rule-4-sparse-pax",
            package(extended("GNU.sparse.major", b"1") + member("s", b"x")),
            unsafe,
            "a sparse file in a PAX record",
        ),
        ("rule-4-unknown-type", package(member("u", kind=b"Q")), unsafe, "a type that nobody knows"),
        ("rule-5-backslash", package(member("a\\b", b"x")), unsafe, "a backslash"),
        ("rule-5-nul", package(extended("path", b"a\0b") + member("a", b"x")), unsafe, "a NUL"),
        ("rule-5-control", package(member("a\x1b[2J", b"x")), unsafe, "a control character"),
        ("rule-5-bidi", package(member("a\u202eb", b"x")), unsafe, "a bidi control"),
        ("rule-5-invisible", package(member("a\u200bb", b"x")), unsafe, "an invisible format character"),
        ("rule-5-not-utf-8", package(member(b"a\xff", b"x")), unsafe, "bytes that are not UTF-8"),
        ("rule-6-empty-segment", package(member("a//b", b"x")), unsafe, "an empty segment"),
        (
            "rule-6-long-segment",
            package(extended("path", b"s" * 256) + member("s", b"x")),
            unsafe,
            "a segment of 256 bytes",
        ),
        (
            "rule-6-long-path",
            package(extended("path", b"d/" * 512 + b"f") + member("f", b"x")),
            unsafe,
            "a path of 1,025 bytes",
        ),
        ("rule-7-twice", package(member("./notes.md", b"x")), unsafe, "a path again"),
        ("rule-7-file-and-folder", package(member("notes.md/x", b"x")), unsafe, "a file where a folder is needed"),
        ("rule-8-size", package(block(b"big", 600 << 20)), over, "600 MiB of content, stated and not there"),
        (
            "rule-8-extended-header",
            package(block(b"././@PaxHeader", 180 << 20, b"x")),
            over,
            "a PAX record of 180 MiB, stated and not there",
        ),
        (
            "rule-8-long-name",
            package(block(b"././@LongLink", 65_537, b"L")),
            over,
            "a GNU long name of a byte over 64 KiB",
        ),
        ("rule-8-global-path", package(extended("path", b"x", b"g")), damaged, "a global record with a path"),
        ("rule-8-global-size", package(extended("size", b"1", b"g")), damaged, "a global record with a size"),
        ("rule-8-staging", package(member("a/.alive-receive-1", b"x")), unsafe, "a name of the transaction"),
        ("negative-size", package(block(b"n", 0, size_field=b"\xff" * 12)), damaged, "a negative size"),
        (
            "altered-content",
            package(present={**FILES, "notes.md": b"two line\n"}),
            "altered",
            "other content of the same length",
        ),
        ("altered-size", package(present={**FILES, "notes.md": b"one line more\n"}), "altered", "longer content"),
        ("file-missing", package(present={"_kernel/key.md": KEY}), "altered", "a listed file is not there"),
        ("file-not-listed", package(member("extra.md", b"x")), "altered", "a file that is not listed"),
        ("no-manifest", member("notes.md", b"x") + END, "not-a-package", "an archive without a manifest"),
        (
            "manifest-in-a-folder",
            member("p/manifest.yaml", manifest({}).encode()) + END,
            "no-manifest",
            "everything one folder down",
        ),
        (
            "legacy-members",
            package(member("payload.enc", b"x"), present={}),
            "sealed",
            "the members of a sealed package of format 2.0",
        ),
        ("tar-no-end", package()[: -len(END)], damaged, "no end-of-archive mark"),
        ("tar-cut-in-content", package()[:1000], damaged, "cut off in a member"),
        ("tar-trailing-member", package() + member("late", b"x") + END, damaged, "a member after the end"),
        ("tar-padding", package() + bytes(9 * 1024), "accept", "zeros after the end"),
    ]


def containers() -> list[tuple[str, bytes, str, str]]:
    """What is around the archive: name, bytes, expectation, what it shows."""
    tar = package()
    whole = gz(tar)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.yaml"), manifest({}))
    damaged, none = "damaged", "not-a-package"
    crc = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    size = whole[:-1] + bytes([whole[-1] ^ 1])
    return [
        ("gzip-members", gz(tar[:700]) + gz(tar[700:]), "accept", "several gzip members in a row"),
        ("gzip-empty-member", gz(b"") + gz(tar) + gz(b""), "accept", "empty gzip members around it"),
        ("gzip-truncated", whole[:-20], damaged, "cut off in the compressed data"),
        ("gzip-truncated-trailer", whole[:-1], damaged, "cut off in the trailer"),
        ("gzip-header-only", whole[:10], damaged, "nothing but the header"),
        ("gzip-bad-checksum", crc, damaged, "a wrong checksum"),
        ("gzip-bad-size", size, damaged, "a wrong size"),
        ("gzip-trailing-bytes", whole + b"trailing", damaged, "bytes after the compressed data"),
        (
            "gzip-trailing-package",
            whole + gz(member("late", b"x") + END),
            damaged,
            "a second archive in a second gzip member",
        ),
        ("uncompressed-tar", tar, none, "a tar that is not compressed"),
        ("bzip2", bz2.compress(tar), none, "bzip2"),
        ("xz", lzma.compress(tar), none, "xz"),
        ("zip", zipped.getvalue(), none, "zip"),
        ("html", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", none, "a page that a browser saved"),
        ("text", b"Hello Alice,\nhere it is.\n", none, "plain text"),
        ("empty", b"", none, "an empty file"),
        ("sealed-passphrase", b"Salted__" + bytes(24), "sealed", "an envelope with a passphrase"),
        ("sealed-age", b"age-encryption.org/v1\n-> X25519 x\n", "cannot-open", "an age envelope that is cut off"),
    ]


# --- writing --------------------------------------------------------------------------------------------------


def write(folder: Path) -> None:
    """Write every vector and the index into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, Any]] = []

    def add(name: str, ending: str, data: bytes, **entry: Any) -> None:
        (folder / (name + ending)).write_bytes(data)
        index.append({"name": name, "file": name + ending, **entry})

    for name, text, fields, what in goldens():
        data = canonical(fields)
        (folder / f"{name}.canonical.json").write_bytes(data)
        ids = {
            "import_id": sha256(data),
            "payload_sha256": fields["payload_sha256"],
            "canonical": f"{name}.canonical.json",
        }
        add(name, ".yaml", text.encode(), kind="manifest", expect="accept", what=what, **ids)
    for name, text, code, what in bad_manifests():
        add(name, ".yaml", text.encode(), kind="manifest", expect=code, what=what)
    for name, tar, code, what in members():
        add(name, ".tar.gz", gz(tar), kind="package", expect=code, what=what)
    for name, data, code, what in containers():
        add(name, ".bin", data, kind="package", expect=code, what=what)
    signed_data = canonical(plain_fields(FILES))
    for name, text, entry in sealed.signatures(manifest(FILES), signed_data):
        add(name, ".yaml", text.encode(), kind="signature", **entry)
    inside = b"".join(member(path, data) for path, data in sorted(FILES.items())) + END
    for name, data, entry in sealed.envelopes(package(), inside, manifest(FILES).encode(), member):
        add(name, ".bin", data, kind="sealed", import_id=sha256(signed_data), **entry)
    write_relay(add)
    about: dict[str, Any] = {"kind": "rotation", "pinned": "keys/alice.pem", "handle": "alice"}
    index.extend({**about, **entry} for entry in relay.successions())
    for name, data in relay.rotations():
        (folder / f"rotation-{name}.json").write_bytes(data)
    (folder / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_relay(add: Callable[..., None]) -> None:
    """Write the vectors of what lies in relays."""
    for name, data, entry in relay.documents():
        add(name, ".json", data, kind="document", **entry)
    for name, data, entry in relay.sealed_documents(member):
        add(name, ".bin", data, kind="sealed-document", **entry)
    for name, data, entry in relay.answers():
        add(name, ".json", data, kind="answer", secret_hex=relay.SECRET.hex(), **entry)
    for name, text, entry in relay.codes():
        add(name, ".txt", text.encode(), kind="code", **entry)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
