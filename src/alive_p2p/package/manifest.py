"""`manifest.yaml`: what a package says about itself (format.md §2 and §3).

There is one reader and one writer. `Manifest` wraps the fields as they were parsed, so that unknown ones take
part in the canonical bytes and survive a round trip.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from alive_p2p import safe_yaml
from alive_p2p.errors import AliveP2PError, PackageError
from alive_p2p.package import paths
from alive_p2p.package.limits import MIB, Limits
from alive_p2p.runtime import parse_timestamp
from alive_p2p.safe_yaml import Dialect, UnsafeYamlError
from alive_p2p.text import fold

FORMAT_VERSION = "2.1.0"
SUPPORTED = "2.x"
SCOPES = ("full", "bundle", "snapshot")

FIELD_ORDER = (
    "format_version",
    "source_layout",
    "min_plugin_version",
    "created",
    "scope",
    "source",
    "sender",
    "description",
    "note",
    "sensitivity",
    "exclusions_applied",
    "substitutions_applied",
    "bundles",
    "payload_sha256",
    "files",
    "executables",
    "empty_dirs",
    "encryption",
    "signature",
)
_REQUIRED = ("format_version", "scope", "created", "files", "source", "payload_sha256")
_MAX_DEPTH = 4
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_PROBLEMS = 50
_RESERVED_BUNDLES = frozenset(["_kernel", "bundles", "_core"])
_LINE_BREAKING = frozenset(["Cc", "Zl", "Zp", "Cs"])
_YAML_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_NOT_IN_YAML = frozenset("\ufffe\uffff")

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class FileEntry:
    """One listed file: package path, SHA-256 in hex, size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """A valid manifest; `fields` holds everything, also what this version does not know."""

    fields: Fields

    @classmethod
    def parse(cls, data: bytes, limits: Limits) -> "Manifest":
        """Read and validate a manifest.

        Raises:
            PackageError: it is not a manifest; every defect that was found is in `details`, each with its field.
        """
        dialect = Dialect(limits.max_manifest_bytes, _MAX_DEPTH, limits.max_manifest_scalars, strict=True)
        try:
            value = safe_yaml.load(safe_yaml.decode(data), dialect).value
        except UnsafeYamlError as error:
            where = f"line {error.line}: " if error.line else ""
            raise _invalid([f"{where}{error.message}"]) from None
        if not isinstance(value, dict):
            raise _invalid(["it is not a list of fields"])
        _refuse_other_versions(value.get("format_version"))
        if problems := _Validation(value, limits).problems():
            raise _invalid(problems)
        return cls(value)

    @classmethod
    def build(cls, fields: Fields, limits: Limits) -> "Manifest":
        """Make a manifest from fields; `payload_sha256` is computed here.

        Raises:
            PackageError: a field would be refused by a reader.
        """
        entries = [FileEntry(e["path"], e["sha256"], e["size"]) for e in fields["files"]]
        complete = {**fields, "payload_sha256": payload_sha256(entries)}
        if problems := _Validation(complete, limits).problems():
            raise _invalid(problems)
        return cls(complete)

    # -- fields ------------------------------------------------------------------------------------------------

    @property
    def format_version(self) -> str:
        """`2.1.0` or another 2.x."""
        return str(self.fields["format_version"])

    @property
    def scope(self) -> str:
        """`full`, `bundle` or `snapshot`."""
        return str(self.fields["scope"])

    @property
    def created(self) -> str:
        """When the package was made, `2026-04-07T10:15:00Z`."""
        return str(self.fields["created"])

    @property
    def source_layout(self) -> str | None:
        """The layout it states, if any."""
        return self._text("source_layout")

    @property
    def min_plugin_version(self) -> str | None:
        """The plugin version it asks for, if any."""
        return self._text("min_plugin_version")

    @property
    def sender(self) -> str:
        """Who it claims to be from."""
        return self._text("sender") or "unknown"

    @property
    def description(self) -> str:
        """One line; may be empty."""
        return self._text("description") or ""

    @property
    def note(self) -> str:
        """One line; may be empty."""
        return self._text("note") or ""

    @property
    def sensitivity(self) -> str | None:
        """The highest sensitivity inside, if stated."""
        return self._text("sensitivity")

    @property
    def source(self) -> Fields:
        """Where it comes from: `walnut`, `session_id`, `engine`, `plugin_version`, and ours."""
        source: Fields = self.fields["source"]
        return source

    @property
    def walnut(self) -> str:
        """The folder name of the walnut it was made from."""
        return str(self.source.get("walnut", ""))

    @property
    def walnut_id(self) -> str | None:
        """The lineage, a UUID, if stated (receive.md §4)."""
        value = self.source.get("walnut_id")
        return value if isinstance(value, str) else None

    @property
    def key_sha256(self) -> str | None:
        """The hash of the sender's whole `key.md`, if stated."""
        value = self.source.get("key_sha256")
        return value if isinstance(value, str) else None

    @property
    def bundles(self) -> tuple[str, ...]:
        """The bundle names inside; only with scope `bundle`."""
        return tuple(self.fields.get("bundles", ()))

    @property
    def exclusions(self) -> tuple[str, ...]:
        """The patterns that were in force when it was made."""
        return tuple(self.fields.get("exclusions_applied", ()))

    @property
    def substitutions(self) -> Mapping[str, str]:
        """What is present but not as it is at the sender's: path to reason."""
        return {s["path"]: s["reason"] for s in self.fields.get("substitutions_applied", ())}

    @property
    def signature(self) -> object | None:
        """The signature block as it stands, unchecked; None where there is none."""
        return self.fields.get("signature")

    @cached_property
    def files(self) -> tuple[FileEntry, ...]:
        """Every listed file, in the order of the manifest."""
        return tuple(FileEntry(e["path"], e["sha256"], e["size"]) for e in self.fields["files"])

    @cached_property
    def executables(self) -> frozenset[str] | None:
        """The paths of executable files; None where the manifest does not say."""
        listed = self.fields.get("executables")
        return None if listed is None else frozenset(listed)

    @cached_property
    def empty_dirs(self) -> frozenset[str] | None:
        """The paths of empty folders; None where the manifest does not say."""
        listed = self.fields.get("empty_dirs")
        return None if listed is None else frozenset(listed)

    @property
    def total_size(self) -> int:
        """The content of all files together, in bytes."""
        return sum(entry.size for entry in self.files)

    @property
    def primer(self) -> str | None:
        """The path of the generated README, where the package records one (format.md §6)."""
        generated = (path for path, reason in self.substitutions.items() if reason == "package-readme")
        return next((path for path in generated if path in {paths.README, paths.PRIMER}), None)

    def _text(self, name: str) -> str | None:
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    # -- identity ----------------------------------------------------------------------------------------------

    @cached_property
    def canonical_bytes(self) -> bytes:
        """The bytes that are hashed and signed (format.md §3)."""
        fields = {name: value for name, value in self.fields.items() if name != "signature"}
        for name in ("files", "substitutions_applied"):
            if name in fields:
                fields[name] = sorted(fields[name], key=lambda item: item["path"])
        for name in ("bundles", "exclusions_applied"):
            if name in fields:
                fields[name] = sorted(fields[name])
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @cached_property
    def import_id(self) -> str:
        """SHA-256 of the canonical bytes, in hex."""
        return hashlib.sha256(self.canonical_bytes).hexdigest()

    # -- writing -----------------------------------------------------------------------------------------------

    def to_yaml(self) -> bytes:
        """The manifest as it is written: fixed order, block style, strings in double quotes."""
        known = [name for name in FIELD_ORDER if name in self.fields]
        unknown = sorted(name for name in self.fields if name not in FIELD_ORDER)
        lines: list[str] = []
        for name in known + unknown:
            _emit(lines, f"{_key(name)}:", self.fields[name], indent=0)
        return ("\n".join(lines) + "\n").encode()


def payload_sha256(entries: Iterable[FileEntry]) -> str:
    """The hash over a list of files, sorted by path by code point (format.md §2)."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda e: e.path):
        digest.update(f"{entry.path}\0{entry.sha256}\0{entry.size}\n".encode())
    return digest.hexdigest()


def bundle_digest(entries: Iterable[FileEntry], bundle: str) -> str:
    """The hash over one bundle's files in the manner of `payload_sha256`, its name taken off (receive.md §5)."""
    prefix = bundle + "/"
    inside = (e for e in entries if e.path.startswith(prefix))
    return payload_sha256(FileEntry(e.path.removeprefix(prefix), e.sha256, e.size) for e in inside)


def bundle_name_refusal(name: str) -> str | None:
    """Why a bundle must not be called so, or None where it may (receive.md §3)."""
    if "/" in name:
        return "it is a path"
    if reason := paths.refusal(name):
        return reason
    if fold(name) in _RESERVED_BUNDLES:
        return "the name is reserved"
    return "it begins with a dot" if name.startswith(".") else None


def breaks_the_line(text: str) -> bool:
    """Whether a text has a line break, a control character, or one that YAML cannot hold (format.md §2)."""
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(char) in _LINE_BREAKING or char in _NOT_IN_YAML for char in text)


def _invalid(problems: Sequence[str]) -> PackageError:
    shown = list(problems[:_MAX_PROBLEMS])
    if len(problems) > _MAX_PROBLEMS:
        shown.append(f"and {len(problems) - _MAX_PROBLEMS:,} more")
    first = shown[0]
    count = f" ({len(problems):,} problems)" if len(problems) > 1 else ""
    return PackageError(
        "bad-manifest",
        f"the package's manifest is not valid: {first}{count}",
        untouched="everything",
        hint="ask the sender to make it again",
        details=shown if len(shown) > 1 else (),
    )


def _refuse_other_versions(version: object) -> None:
    match = re.match(r"([0-9]{1,4})(?:\.|\Z)", version) if isinstance(version, str) and version.isascii() else None
    if match and match[1] != "2":
        raise PackageError(
            "unsupported-version",
            f"the package has format version {version}; this version of alive-p2p reads {SUPPORTED}",
            untouched="everything",
            hint="upgrade alive-p2p" if int(match[1]) > 2 else "ask the sender to make it again with a current version",
        )


class _Validation:
    """Finds every defect of a manifest's fields."""

    def __init__(self, fields: Fields, limits: Limits) -> None:
        self.fields = fields
        self.limits = limits
        self.found: list[str] = []

    def problems(self) -> list[str]:
        """Every defect, each beginning with its field."""
        for name in _REQUIRED:
            if name not in self.fields:
                self.found.append(f"{name}: it is missing")
        self._check_values(self.fields, str, 0)
        self._check_plain_fields()
        self._check_source()
        self._check_lists()
        self._check_files()
        self._check_bundles()
        return self.found

    def _say(self, where: str, problem: str) -> None:
        self.found.append(f"{where}: {problem}")

    def _check_values(self, value: object, where: Callable[[], str], depth: int) -> None:
        """Every text anywhere is one line, every number one that a reader takes, nothing deeper than it reads."""
        if isinstance(value, str):
            if breaks_the_line(value):
                self._say(where(), "it has a line break or a control character")
        elif isinstance(value, bool) or not isinstance(value, (int, Mapping, list)):
            self._say(where(), "it is neither text nor a whole number")
        elif isinstance(value, int):
            if not 0 <= value <= safe_yaml.MAX_INTEGER:
                self._say(where(), "it is not a whole number that can be read")
        elif depth >= _MAX_DEPTH:
            self._say(where(), f"it is nested more than {_MAX_DEPTH} levels deep")
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                if breaks_the_line(key) or len(key) > safe_yaml.MAX_KEY:
                    self._say(where() or "the manifest", "a field's name is not one short line")
                self._check_values(inner, lambda key=key: f"{where()}.{key}".removeprefix("."), depth + 1)  # type: ignore[misc]
        else:
            for index, inner in enumerate(value):
                self._check_values(inner, lambda index=index: f"{where()}[{index}]", depth + 1)  # type: ignore[misc]

    def _check_plain_fields(self) -> None:
        patterns = {"created": _TIMESTAMP, "payload_sha256": _SHA256, "format_version": _VERSION}
        texts = ("source_layout", "min_plugin_version", "sender", "description", "note")
        for name, value in self.fields.items():
            if name in patterns and not (isinstance(value, str) and patterns[name].fullmatch(value)):
                forms = {"created": "a time such as 2026-04-07T10:15:00Z", "format_version": "a version such as 2.1.0"}
                self._say(name, f"it has to be {forms.get(name, '64 lower-case hex digits')}")
            elif name in texts and not isinstance(value, str):
                self._say(name, "it has to be text")
        created = self.fields.get("created")
        if isinstance(created, str) and _TIMESTAMP.fullmatch(created):
            try:
                parse_timestamp(created)
            except ValueError:
                self._say("created", "there is no such day or time")
        choices = {
            "scope": SCOPES,
            "sensitivity": ("open", "private", "restricted"),
            "encryption": ("none", "passphrase", "rsa", "age"),
        }
        for name, allowed in choices.items():
            if name in self.fields and self.fields[name] not in allowed:
                self._say(name, f"it has to be one of {', '.join(allowed)}")

    def _check_source(self) -> None:
        source = self.fields.get("source", {})
        if not isinstance(source, Mapping):
            self._say("source", "it has to be a group of fields")
            return
        for name, value in source.items():
            if name in {"walnut", "session_id", "engine", "plugin_version"} and not isinstance(value, str):
                self._say(f"source.{name}", "it has to be text")
        for name, pattern in (("walnut_id", _UUID), ("key_sha256", _SHA256)):
            if name in source and not (isinstance(source[name], str) and pattern.fullmatch(source[name])):
                self._say(f"source.{name}", "it does not have the form it should have")

    def _check_lists(self) -> None:
        for name in ("exclusions_applied", "bundles", "executables", "empty_dirs"):
            value = self.fields.get(name, [])
            if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
                self._say(name, "it has to be a list of texts")
        substitutions = self.fields.get("substitutions_applied", [])
        if not isinstance(substitutions, list):
            self._say("substitutions_applied", "it has to be a list")
            return
        for index, item in enumerate(substitutions):
            if not (isinstance(item, Mapping) and all(isinstance(item.get(k), str) for k in ("path", "reason"))):
                self._say(f"substitutions_applied[{index}]", "it needs a path and a reason")

    def _check_files(self) -> None:
        entries = self.fields.get("files", [])
        if not isinstance(entries, list):
            self._say("files", "it has to be a list")
            return
        if len(entries) > self.limits.max_files:
            self._say("files", f"it lists more than {self.limits.max_files:,} files")
            return
        seen: set[str] = set()
        total = 0
        for index, entry in enumerate(entries):
            where = f"files[{index}]"
            if not isinstance(entry, Mapping):
                self._say(where, "it needs path, sha256 and size")
                continue
            self._check_path(where, entry.get("path"), seen)
            digest, size = entry.get("sha256"), entry.get("size")
            if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
                self._say(f"{where}.sha256", "it has to be 64 lower-case hex digits")
            if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
                total += size
            else:
                self._say(f"{where}.size", "it has to be a whole number")
        if total > self.limits.max_bytes:
            self._say("files", f"together they are larger than {self.limits.max_bytes / MIB:,.0f} MiB")
        self._check_modes_and_folders(seen)
        self._check_amounts(seen)
        if not any(problem.startswith("files[") for problem in self.found):
            self._check_payload_hash(entries)

    def _check_path(self, where: str, path: object, seen: set[str]) -> None:
        if not isinstance(path, str):
            self._say(f"{where}.path", "it has to be text")
        elif reason := paths.refusal(path):
            self._say(f"{where}.path", reason)
        elif path == paths.MANIFEST:
            self._say(f"{where}.path", "the manifest cannot list itself")
        elif path in seen:
            self._say(f"{where}.path", "it is listed twice")
        else:
            seen.add(path)

    def _check_modes_and_folders(self, listed: set[str]) -> None:
        for name in ("executables", "empty_dirs"):
            value = self.fields.get(name, [])
            items = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
            if len(set(items)) != len(items):
                self._say(name, "something is listed twice")
            for item in items:
                if name == "executables" and item not in listed:
                    self._say(name, f"'{item}' is not a listed file")
                if name == "empty_dirs" and self._is_no_folder(item, listed):
                    self._say(name, f"'{item}' cannot be an empty folder")

    @staticmethod
    def _is_no_folder(item: str, listed: set[str]) -> bool:
        """Whether a path cannot be an empty folder: it is refused, or a file stands there or on the way."""
        if item in listed or item == paths.MANIFEST or paths.refusal(item):
            return True
        return any(folder in listed or folder == paths.MANIFEST for folder in paths.ancestors(item))

    def _check_amounts(self, listed: set[str]) -> None:
        """Empty folders count like files, whether or not the archive has them."""
        named = self.fields.get("empty_dirs", [])
        empty = {item for item in named if isinstance(item, str)} if isinstance(named, list) else set()
        folders = {folder for path in (*listed, *empty) for folder in paths.ancestors(path)} | empty
        if excess := self.limits.excess(len(listed) + len(empty), len(folders), 0):
            self._say("files", f"with the empty folders there are {excess}")

    def _check_payload_hash(self, entries: list[Fields]) -> None:
        stated = self.fields.get("payload_sha256")
        actual = payload_sha256(FileEntry(e["path"], e["sha256"], e["size"]) for e in entries)
        if isinstance(stated, str) and stated != actual:
            self._say("payload_sha256", "it does not match the list of files")

    def _check_bundles(self) -> None:
        if self.fields.get("scope") != "bundle":
            return
        names = self.fields.get("bundles")
        if not isinstance(names, list) or not names:
            self._say("bundles", "a package of scope bundle has to name its bundles")
            return
        texts = [name for name in names if isinstance(name, str)]
        if len(set(texts)) != len(texts):
            self._say("bundles", "a bundle is named twice")
        for name in texts:
            if reason := bundle_name_refusal(name):
                self._say("bundles", f"'{name}': {reason}")


# --- the fixed layout -----------------------------------------------------------------------------------------


def _key(name: str) -> str:
    """A field name: bare where it is a plain word that no YAML reader takes for a truth value, else quoted."""
    is_plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) and name.lower() not in _YAML_WORDS
    return name if is_plain else _quoted(name)


def _quoted(text: str) -> str:
    if breaks_the_line(text):
        raise AliveP2PError("not-one-line", "a text for the manifest has a line break or a control character")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _scalar(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise AliveP2PError("not-a-manifest-value", f"a manifest cannot hold a {type(value).__name__}")
    return _quoted(value) if isinstance(value, str) else str(value)


def _emit(lines: list[str], head: str, value: object, indent: int) -> None:
    """Append `head value` and what belongs under it; `head` already stands at its indentation."""
    pad = " " * (indent + 2)
    if isinstance(value, Mapping) and value:
        lines.append(head)
        for name in _member_order(value):
            _emit(lines, f"{pad}{_key(name)}:", value[name], indent + 2)
    elif isinstance(value, list) and value:
        lines.append(head)
        for item in value:
            _emit_item(lines, item, indent + 2)
    else:
        empty = "{}" if isinstance(value, Mapping) else "[]" if isinstance(value, list) else _scalar(value)
        lines.append(f"{head} {empty}")


def _emit_item(lines: list[str], item: object, indent: int) -> None:
    pad = " " * indent
    if isinstance(item, Mapping) and item:
        inner: list[str] = []
        for name in _member_order(item):
            _emit(inner, f"{pad}  {_key(name)}:", item[name], indent + 2)
        inner[0] = f"{pad}- {inner[0][indent + 2 :]}"
        lines.extend(inner)
    elif isinstance(item, list) and item:
        inner = []
        for nested in item:
            _emit_item(inner, nested, indent + 2)
        inner[0] = f"{pad}- {inner[0][indent + 2 :]}"
        lines.extend(inner)
    else:
        _emit(lines, f"{pad}-", item, indent)


def _member_order(value: Fields) -> list[str]:
    """`path` first, then by name."""
    return sorted(value, key=lambda name: (name != "path", name))
