"""A second reader of packages, written from docs/format.md alone: archive, manifest, identity, signature.

It shows that the page is complete, so it uses nothing of the program and no YAML library, and is as plain as it can be.
"""

import base64
import binascii
import hashlib
import json
import re
import unicodedata
import zlib
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

MIB = 1 << 20
MAX_FILES, MAX_BYTES = 10_000, 500 * MIB
Fields = dict[str, Any]


class Refused(Exception):  # noqa: N818  (that is what it is)
    """Why a package is refused."""


def need(holds: object, why: str) -> None:
    """Refuse unless something holds."""
    if not holds:
        raise Refused(why)


# --- §2 the archive -------------------------------------------------------------------------------------------


def gunzip(data: bytes, most: int = MAX_BYTES + 64 * MIB) -> bytes:
    """What is in a gzip stream of one or more members."""
    out = bytearray()
    need(data[:2] == b"\x1f\x8b", "no gzip")
    while data:
        need(data[:2] == b"\x1f\x8b", "something follows")
        stream = zlib.decompressobj(wbits=31)
        try:
            out += stream.decompress(data, most - len(out) + 1)
        except zlib.error as error:
            raise Refused("damaged") from error
        need(len(out) <= most, "over a limit")
        need(stream.eof, "cut off")
        data = stream.unused_data
    return bytes(out)


_DRAWN = {*map(chr, range(0x600, 0x606)), *"\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd", *"\u200c\u200d"}
_UNSEEN = set("\ufffe\uffff\u115f\u1160\u3164\uffa0\u17b4\u17b5")


def check_path(path: str) -> None:
    """Rules 1, 2, 5, 6 and 8."""
    need(path and not path.startswith("/") and not re.match("[A-Za-z]:", path), "absolute, or empty")
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    need("\\" not in path, "a backslash")
    need(all(c in _DRAWN or unicodedata.category(c) not in bad for c in path), "a character")
    need(_UNSEEN.isdisjoint(path), "a character that nobody sees")
    need(len(path.encode()) <= 1024, "too long")
    for segment in path.split("/"):
        need(segment not in {"", ".", ".."}, "a segment")
        need(len(segment.encode()) <= 255 and not segment.casefold().startswith(".alive-receive"), "a segment")


def number(field: bytes) -> int:
    """Octal text, or base 256."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip(b" ")
    need(re.fullmatch(b"[0-7]*", text), "no number")
    return int(text or b"0", 8)


def pax(data: bytes) -> dict[str, str]:
    """The records of an extended header."""
    found: dict[str, str] = {}
    while data:
        match = re.match(rb"([0-9]{1,7}) ", data)
        need(match, "no record")
        assert match is not None
        record, data = data[: int(match[1])], data[int(match[1]) :]
        key, equals, value = record[match.end() :].partition(b"=")
        need(len(record) == int(match[1]) and equals and value.endswith(b"\n"), "no record")
        name = key.decode("utf-8", "surrogateescape")
        need(name not in found and len(found) < 256, "a record twice, or too many")
        found[name] = value[:-1].decode("utf-8", "surrogateescape")
        need(not name.startswith(("GNU.sparse.", "SCHILY.realsize")), "sparse")
    return found


def untar(data: bytes) -> tuple[dict[str, bytes], set[str], set[str]]:
    """The files of an archive, which of them are executable, and the folders."""
    files: dict[str, bytes] = {}
    executable: set[str] = set()
    folders: set[str] = set()
    needed: set[str] = set()
    named: str | None = None
    size_here: int | None = None
    pending = False
    at = total = 0
    while True:
        block = data[at : at + 512]
        need(len(block) == 512, "no end")
        if block == bytes(512):
            break
        need(block[257:263] in {b"ustar\0", b"ustar "}, "no tar")
        need(number(block[148:156]) == sum(block[:148]) + 256 + sum(block[156:]), "checksum")
        kind, size = chr(block[156]), number(block[124:136])
        if kind in "xgLK":
            need(size <= 64 << 10, "over a limit")
            text = data[at + 512 : at + 512 + size]
            at += 512 + size + -size % 512
            if kind in "xL":
                need(not pending, "two of them")
                pending = True
            if kind in "xg":
                records = pax(text)
                need(kind == "x" or {"path", "linkpath", "size"}.isdisjoint(records), "a global record")
                if kind == "x":
                    named = records.get("path")
                    size_here = int(records["size"]) if "size" in records else None
            elif kind == "L":
                named = text.split(b"\0")[0].decode("utf-8", "surrogateescape")
            continue
        raw = block[:100].split(b"\0")[0]
        prefix = block[345:500].split(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        own = (prefix + b"/" + raw if prefix else raw).decode("utf-8", "surrogateescape")
        name, size = own if named is None else named, size if size_here is None else size_here
        need(not (kind == "\0" and own.endswith("/") and not name.endswith("/")), "file and folder")
        named, size_here, pending = None, None, False
        need(kind in "0\x005", "a type")
        is_folder = kind == "5" or name.endswith("/")
        content = data[at + 512 : at + 512 + size]
        at += 512 + size + -size % 512
        if is_folder and name in {".", "./"}:
            continue
        path = name.removeprefix("./")
        path = path.removesuffix("/") if is_folder else path
        check_path(path)
        need(path not in files and path not in folders, "twice")
        need(is_folder or path not in needed, "a file where a folder is")
        parts = path.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        need(above.isdisjoint(files), "a file where a folder is needed")
        needed |= above | ({path} if is_folder else set())
        need(not (is_folder and size), "a folder with content")
        total += 0 if path == "manifest.yaml" else size
        need(total <= MAX_BYTES and len(files) + len(folders) <= MAX_FILES, "over a limit")
        need(len(needed) <= 2 * MAX_FILES, "over a limit")
        need(is_folder or len(content) == size, "cut off")
        if is_folder:
            folders.add(path)
        else:
            files[path] = content
            if number(block[100:108]) & 0o100:
                executable.add(path)
    need(not pending, "a record of no member")
    rest = data[at + 512 :]
    need(512 <= len(rest) <= MIB and not any(rest), "what follows the end")
    return files, executable, folders


# --- §3 the manifest ------------------------------------------------------------------------------------------

_ESCAPES = {"\\": "\\", '"': '"', "/": "/", "n": "\n", "r": "\r", "t": "\t", "0": "\0", "e": "\x1b"}


def _unquoted(text: str) -> tuple[str, str]:
    """A text in quotes at the start, and what follows it."""
    if text[0] == "'":
        match = re.match(r"'((?:[^']|'')*)'", text)
        need(match, "no end of a text")
        assert match is not None
        return match[1].replace("''", "'"), text[match.end() :]
    match = re.match(r'"((?:[^"\\]|\\.)*)"', text)
    need(match, "no end of a text")
    assert match is not None

    def unescaped(found: re.Match[str]) -> str:
        code = found[1]
        need(len(code) > 1 or code in _ESCAPES, "an escape")
        return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPES[code]

    escape = r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)"
    return re.sub(escape, unescaped, match[1]), text[match.end() :]


def check_text(text: str) -> str:
    """One line."""
    odd = {"Cc", "Zl", "Zp", "Cs"}
    need(not any(unicodedata.category(c) in odd or c in "\ufffe\uffff" for c in text), "no single line")
    return text


def _scalar(text: str) -> Any:  # a value that stands on one line
    if text in {"[]", "{}"}:
        return [] if text == "[]" else {}
    if text[0] in "\"'":
        value, rest = _unquoted(text)
        need(not rest.split("#")[0].strip(), "something after a text")
        return check_text(value)
    need(re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < 1 << 63, "a value that is neither text nor number")
    return int(text)


def _key(text: str) -> tuple[str, str]:
    if text[0] in "\"'":
        key, rest = _unquoted(text)
    else:
        key, _, rest = text.partition(":")
        rest = ":" + rest
        need(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", key), "no name of a field")
    need(rest.startswith(":") and (len(rest) == 1 or rest[1] == " "), "no field")
    need(len(key) <= 255, "a long name")
    return check_text(key), rest[1:].strip()


def _block(lines: list[tuple[int, str]], at: int, depth: int) -> tuple[Any, int]:
    need(depth <= 4, "too deep")
    indent = lines[at][0]
    listed: list[Any] = []
    fields: Fields = {}
    is_list = lines[at][1].startswith("-")
    while at < len(lines) and lines[at][0] == indent:
        text = lines[at][1]
        if is_list:
            need(text.startswith("- "), "no entry")
            inner = text[2:].lstrip()
            if inner[0] not in "\"'[{" and not inner.isdigit():
                lines[at] = (indent + len(text) - len(inner), inner)
                value, at = _block(lines, at, depth + 1)
            else:
                value, at = _scalar(inner), at + 1
            listed.append(value)
            continue
        if text.startswith("-"):
            break  # a list that stands no further in than its field has ended
        key, rest = _key(text)
        need(key not in fields, "a key twice")
        at += 1
        if rest:
            value = _scalar(rest)
        else:
            is_more = at < len(lines) and (lines[at][0] > indent or lines[at] == (indent, lines[at][1]))
            need(is_more and (lines[at][0] > indent or lines[at][1].startswith("- ")), "no value")
            value, at = _block(lines, at, depth + 1)
        fields[key] = value
    need(at == len(lines) or lines[at][0] < indent or not is_list, "an odd indentation")
    return (listed if is_list else fields), at


def parse(data: bytes) -> Fields:
    """A manifest's fields."""
    need(len(data) <= 16 * MIB, "over a limit")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Refused("no UTF-8") from error
    lines = []
    for number_, line in enumerate(text.replace("\r\n", "\n").split("\n")):
        bare = line.strip(" ")
        if not bare or bare.startswith("#") or (line == "---" and not lines):
            continue
        need(not line.startswith(("%", "---", "...")), f"line {number_ + 1}")
        lines.append((len(line) - len(line.lstrip(" ")), bare))
    need(lines, "empty")
    fields, at = _block(lines, 0, 1)
    need(at == len(lines) and isinstance(fields, dict), "no list of fields")
    found: Fields = fields
    return found


def payload_sha256(entries: list[Fields]) -> str:
    """The hash over the list of files."""
    lines = [f"{e['path']}\0{e['sha256']}\0{e['size']}\n" for e in sorted(entries, key=lambda e: e["path"].encode())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def manifest(data: bytes) -> Fields:
    """A manifest that is valid."""
    m = parse(data)
    need(re.fullmatch(r"2\.[0-9]+(\.[0-9]+)?", str(m.get("format_version"))), "another version")
    for name in ("scope", "created", "files", "source", "payload_sha256"):
        need(name in m, f"no {name}")
    need(m["scope"] in {"full", "bundle", "snapshot"} and isinstance(m["source"], dict), "scope, source")
    try:
        datetime.strptime(m["created"], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007  (only whether it is one)
    except ValueError as error:
        raise Refused("created") from error
    need(m.get("encryption", "none") in {"none", "passphrase", "rsa", "age"}, "encryption")
    paths = [entry["path"] for entry in m["files"]]
    for entry in m["files"]:
        check_path(entry["path"])
        need(re.fullmatch("[0-9a-f]{64}", entry["sha256"]) and isinstance(entry["size"], int), "a file")
    need(len(set(paths)) == len(paths) and "manifest.yaml" not in paths, "a path twice")
    need(set(m.get("executables", [])) <= set(paths), "executables")
    for folder in m.get("empty_dirs", []):
        check_path(folder)
        need(folder not in paths, "empty_dirs")
    need(m["scope"] != "bundle" or m.get("bundles"), "no bundles")
    need(payload_sha256(m["files"]) == m["payload_sha256"], "payload_sha256")
    return m


# --- §4 identity, §5 signature --------------------------------------------------------------------------------


def canonical(m: Fields) -> bytes:
    """What is hashed and signed."""
    said = {name: value for name, value in m.items() if name != "signature"}
    for name in ("files", "substitutions_applied"):
        if name in said:
            said[name] = sorted(said[name], key=lambda entry: entry["path"])
    for name in ("bundles", "exclusions_applied"):
        if name in said:
            said[name] = sorted(said[name])
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def import_id(m: Fields) -> str:
    """The identity of a package."""
    return hashlib.sha256(canonical(m)).hexdigest()


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """Of a public key, whole."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def outcome(block: Any, data: bytes, form: str, sender: str, known: dict[str, rsa.RSAPublicKey]) -> str:
    """What becomes of a signature; `known` are keys by handle."""
    if not isinstance(block, dict) or not re.fullmatch("[0-9a-f]{16}", str(block.get("pubkey_id"))):
        return "invalid"
    try:
        signature = base64.b64decode(block["sig_b64"], validate=True)
    except (binascii.Error, ValueError, TypeError, KeyError):
        return "invalid"
    if block.get("algo") != "rsa-pss-sha256" or block.get("signed_bytes") != form:
        return "invalid"
    for handle, key in known.items():
        if fingerprint(key)[:16] == block["pubkey_id"]:
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
            try:
                key.verify(signature, data, pss, hashes.SHA256())
            except InvalidSignature:
                return "invalid"
            return "valid" if handle == sender else "other-signer"
    return "unknown"


def signature_of(m: Fields, known: dict[str, rsa.RSAPublicKey]) -> str:
    """What becomes of a manifest's signature."""
    if "signature" not in m:
        return "unsigned"
    return outcome(m["signature"], canonical(m), "manifest-canonical-json-v1", m.get("sender", ""), known)


def compare(m: Fields, files: dict[str, bytes]) -> None:
    """Every listed file is there, and every file that is there is listed."""
    there = {path: (hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()}
    need(there == {entry["path"]: (entry["sha256"], entry["size"]) for entry in m["files"]}, "altered")
