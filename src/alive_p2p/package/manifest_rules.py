"""What makes a manifest valid; every defect is found and reported together (format.md §2, "Reading")."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alive_p2p import safe_yaml
from alive_p2p.errors import PackageError
from alive_p2p.package import paths
from alive_p2p.package.entries import FileEntry, payload_sha256
from alive_p2p.package.limits import MIB, Limits
from alive_p2p.runtime import parse_timestamp
from alive_p2p.text import breaks_the_line

Fields = Mapping[str, Any]

SUPPORTED = "2.x"
SCOPES = ("full", "bundle", "snapshot")
_REQUIRED = ("format_version", "scope", "created", "files", "source", "payload_sha256")
_ENTRY = frozenset(["path", "sha256", "size"])
MAX_DEPTH = 4
"""Collections inside collections; what the format has is three deep."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_PROBLEMS = 50


def refuse_other_versions(version: object) -> None:
    """A package of another generation is refused by its version and not by its details.

    Raises:
        PackageError: the major version is not 2; the message says what to do.
    """
    match = re.match(r"([0-9]{1,4})(?:\.|\Z)", version) if isinstance(version, str) and version.isascii() else None
    if match and match[1] != "2":
        raise PackageError(
            "unsupported-version",
            f"the package has format version {version}; this version of alive-p2p reads {SUPPORTED}",
            untouched="everything",
            hint="upgrade alive-p2p" if int(match[1]) > 2 else "ask the sender to make it again with a current version",
        )


class Validation:
    """Finds every defect of a manifest's fields.

    Args:
        fields: as they were parsed, or as they are to be written.
        limits: the limits in force.
    """

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
        elif depth >= MAX_DEPTH:
            self._say(where(), f"it is nested more than {MAX_DEPTH} levels deep")
        elif isinstance(value, Mapping):
            if _is_usual_entry(value):  # nearly everything that a manifest holds
                return
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
            if not isinstance(entry, (dict, Mapping)):
                self._say(f"files[{index}]", "it needs path, sha256 and size")
                continue
            self._check_path(index, entry.get("path"), seen)
            digest, size = entry.get("sha256"), entry.get("size")
            if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
                self._say(f"files[{index}].sha256", "it has to be 64 lower-case hex digits")
            if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
                total += size
            else:
                self._say(f"files[{index}].size", "it has to be a whole number")
        if total > self.limits.max_bytes:
            self._say("files", f"together they are larger than {self.limits.max_bytes / MIB:,.0f} MiB")
        self._check_modes_and_folders(seen)
        self._check_amounts(seen)
        if not any(problem.startswith("files[") for problem in self.found):
            self._check_payload_hash(entries)

    def _check_path(self, index: int, path: object, seen: set[str]) -> None:
        if not isinstance(path, str):
            self._say(f"files[{index}].path", "it has to be text")
        elif reason := paths.refusal(path):
            self._say(f"files[{index}].path", reason)
        elif path == paths.MANIFEST:
            self._say(f"files[{index}].path", "the manifest cannot list itself")
        elif path in seen:
            self._say(f"files[{index}].path", "it is listed twice")
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
        folders = paths.folders_of((*listed, *empty)) | empty
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
            if reason := paths.bundle_name_refusal(name):
                self._say("bundles", f"'{name}': {reason}")


def _is_usual_entry(value: Mapping[object, object]) -> bool:
    """Whether a group of fields is an entry of the list of files with nothing odd in it."""
    if value.keys() != _ENTRY:
        return False
    path, digest, size = value["path"], value["sha256"], value["size"]
    return (
        isinstance(path, str)
        and isinstance(digest, str)
        and type(size) is int
        and 0 <= size <= safe_yaml.MAX_INTEGER
        and not breaks_the_line(path)
        and not breaks_the_line(digest)
    )


def invalid(problems: Sequence[str]) -> PackageError:
    """The error for a manifest with these defects."""
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
