"""Manifest, identity and signature of docs/format.md §3 to §5, read from that page alone, without a YAML library."""

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from interop.other_archive import MAX_BYTES, MAX_FILES, MIB, Refused, check_path, need

Fields = dict[str, Any]

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
        need(key[:1] not in "&*!|>%@`?-[]{},#" and " #" not in key and key != "<<", "no name of a field")
    need(rest.startswith(":") and (len(rest) == 1 or rest[1] == " "), "no field")
    need(len(key) <= 255, "a long name")
    return check_text(key), rest[1:].strip()


def _is_entry(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _begins_fields(text: str) -> bool:
    """Whether a line is a field, and no value that stands for itself."""
    if text[0] in "\"'":
        return _unquoted(text)[1].startswith(":")
    return text[0] not in "[{" and ":" in text


def _entry(lines: list[tuple[int, str]], at: int, depth: int) -> tuple[Any, int]:
    """One entry of a list, and the line after it."""
    indent, text = lines[at]
    inner = text[1:].lstrip()
    if not inner:
        need(at + 1 < len(lines) and lines[at + 1][0] > indent, "no value")
        return _block(lines, at + 1, depth)
    if _is_entry(inner) or _begins_fields(inner):
        lines[at] = (indent + len(text) - len(inner), inner)
        return _block(lines, at, depth)
    return _scalar(inner), at + 1


def _block(lines: list[tuple[int, str]], at: int, depth: int) -> tuple[Any, int]:
    """A list or a group of fields, and the line after it."""
    need(depth <= 4, "too deep")
    indent = lines[at][0]
    listed: list[Any] = []
    fields: Fields = {}
    is_list = _is_entry(lines[at][1])
    while at < len(lines) and lines[at][0] == indent and _is_entry(lines[at][1]) is is_list:
        if is_list:
            value, at = _entry(lines, at, depth + 1)
            listed.append(value)
            continue
        key, rest = _key(lines[at][1])
        need(key not in fields, "a key twice")
        at += 1
        if rest:
            fields[key] = _scalar(rest)
            continue
        need(at < len(lines), "no value")
        inner, text = lines[at]
        need(inner > indent or (inner == indent and _is_entry(text)), "no value")
        fields[key], at = _block(lines, at, depth + 1)
    need(at == len(lines) or lines[at][0] <= indent, "an odd indentation")
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
        need(not re.match(r"%|(---|\.\.\.)( |$)", line), f"line {number_ + 1}")
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


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _above(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:n]) for n in range(1, len(parts))}


def _check_files(m: Fields) -> None:
    entries = m["files"]
    need(isinstance(entries, list) and len(entries) <= MAX_FILES, "files")
    for entry in entries:
        need(isinstance(entry, dict) and isinstance(entry.get("path"), str), "a file")
        check_path(entry["path"])
        need(re.fullmatch("[0-9a-f]{64}", str(entry.get("sha256"))) and type(entry.get("size")) is int, "a file")
    paths = {entry["path"] for entry in entries}
    need(len(paths) == len(entries) and "manifest.yaml" not in paths, "a path twice")
    need(sum(entry["size"] for entry in entries) <= MAX_BYTES, "over a limit")
    executable, empty = m.get("executables", []), m.get("empty_dirs", [])
    need(_texts(executable) and len(set(executable)) == len(executable) and paths.issuperset(executable), "executables")
    need(_texts(empty) and len(set(empty)) == len(empty), "empty_dirs")
    for folder in empty:
        check_path(folder)
        need((paths | {"manifest.yaml"}).isdisjoint(_above(folder) | {folder}), "empty_dirs")
    folders = set(empty).union(*(_above(path) for path in [*paths, *empty]))
    need(len(paths) + len(empty) <= MAX_FILES and len(folders) <= 2 * MAX_FILES, "over a limit")
    need(payload_sha256(entries) == m["payload_sha256"], "payload_sha256")


def manifest(data: bytes) -> Fields:
    """A manifest that is valid."""
    m = parse(data)
    need(re.fullmatch(r"2\.[0-9]{1,4}(\.[0-9]{1,4})?", str(m.get("format_version"))), "another version")
    for name in ("scope", "created", "files", "source", "payload_sha256"):
        need(name in m, f"no {name}")
    choices = {
        "scope": ["full", "bundle", "snapshot"],
        "sensitivity": ["open", "private", "restricted"],
        "encryption": ["none", "passphrase", "rsa", "age"],
    }
    for name, allowed in choices.items():
        need(m.get(name, allowed[0]) in allowed, name)
    for name in ("source_layout", "min_plugin_version", "sender", "description", "note", "created", "format_version"):
        need(isinstance(m.get(name, ""), str), name)
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", m["created"], re.ASCII), "created")
    try:
        datetime.strptime(m["created"], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007  (only whether it is one)
    except ValueError as error:
        raise Refused("created") from error
    source = m["source"]
    need(isinstance(source, dict), "source")
    for name in ("walnut", "session_id", "engine", "plugin_version"):
        need(isinstance(source.get(name, ""), str), f"source.{name}")
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    need("walnut_id" not in source or re.fullmatch(uuid, str(source["walnut_id"])), "source.walnut_id")
    need("key_sha256" not in source or re.fullmatch("[0-9a-f]{64}", str(source["key_sha256"])), "source.key_sha256")
    need(_texts(m.get("exclusions_applied", [])), "exclusions_applied")
    replaced = m.get("substitutions_applied", [])
    need(isinstance(replaced, list), "substitutions_applied")
    for one in replaced:
        need(isinstance(one, dict) and _texts([one.get("path"), one.get("reason")]), "substitutions_applied")
    _check_files(m)
    bundles = m.get("bundles", [])
    need(_texts(bundles), "bundles")
    if m["scope"] == "bundle":
        need(bundles and len(set(bundles)) == len(bundles), "bundles")
        for name in bundles:
            check_path(name)
            reserved = {"_kernel", "bundles", "_core"}
            need("/" not in name and _fold(name) not in reserved and not name.startswith("."), "a bundle's name")
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
