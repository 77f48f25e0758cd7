"""`manifest.yaml`: what a package says about itself (format.md §2 and §3).

There is one reader and one writer. `Manifest` wraps the fields as they were parsed, so that unknown ones take
part in the canonical bytes and survive a round trip.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from alive_p2p import safe_yaml
from alive_p2p.package import paths
from alive_p2p.package.entries import FileEntry, payload_sha256
from alive_p2p.package.limits import Limits
from alive_p2p.package.manifest_reading import read_fields
from alive_p2p.package.manifest_rules import MAX_DEPTH, Validation, invalid, refuse_other_versions
from alive_p2p.package.manifest_text import to_yaml
from alive_p2p.safe_yaml import Dialect, UnsafeYamlError

FORMAT_VERSION = "2.1.0"

Fields = Mapping[str, Any]

SKELETON = "empty-skeleton"
"""Why a kernel file that the sender does not have is in a package: it is empty (format.md §6)."""


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
        dialect = Dialect(limits.max_manifest_bytes, MAX_DEPTH, limits.max_manifest_scalars, strict=True)
        try:
            value = read_fields(safe_yaml.decode(data), dialect)
        except UnsafeYamlError as error:
            where = f"line {error.line}: " if error.line else ""
            raise invalid([f"{where}{error.message}"]) from None
        if not isinstance(value, dict):
            raise invalid(["it is not a list of fields"])
        refuse_other_versions(value.get("format_version"))
        if problems := Validation(value, limits).problems():
            raise invalid(problems)
        return cls(value)

    @classmethod
    def build(cls, fields: Fields, limits: Limits) -> "Manifest":
        """Make a manifest from fields; `payload_sha256` is computed here.

        Raises:
            PackageError: a field would be refused by a reader.
        """
        entries = [FileEntry(e["path"], e["sha256"], e["size"]) for e in fields["files"]]
        complete = {**fields, "payload_sha256": payload_sha256(entries)}
        if problems := Validation(complete, limits).problems():
            raise invalid(problems)
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
    def based_on(self) -> tuple[str, ...]:
        """The import ids of the packages it was made from, as far as its sender knows them (receive.md §5)."""
        value = self.fields.get("based_on")
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()

    @property
    def bundles(self) -> tuple[str, ...]:
        """The bundle names inside; only with scope `bundle`."""
        return tuple(self.fields.get("bundles", ()))

    @property
    def exclusions(self) -> tuple[str, ...]:
        """The patterns that were in force when it was made."""
        return tuple(self.fields.get("exclusions_applied", ()))

    @cached_property
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
    def hashes(self) -> Mapping[str, str]:
        """The SHA-256 of every listed file, by its path."""
        return {entry.path: entry.sha256 for entry in self.files}

    def below(self, folder: str) -> Sequence[FileEntry]:
        """The listed files in a folder of the top level, or of the one below it, at any depth."""
        return self._by_folder.get(folder, ())

    @cached_property
    def _by_folder(self) -> Mapping[str, Sequence[FileEntry]]:
        held: defaultdict[str, list[FileEntry]] = defaultdict(list)
        for entry in self.files:
            end = entry.path.find("/")
            if end > 0:
                held[entry.path[:end]].append(entry)
                end = entry.path.find("/", end + 1)
                if end > 0:
                    held[entry.path[:end]].append(entry)
        return dict(held)

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

    @cached_property
    def total_size(self) -> int:
        """The content of all files together, in bytes."""
        return sum(entry.size for entry in self.files)

    @cached_property
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
        return to_yaml(self.fields)
