"""How a manifest is written: fixed order, block style, strings in double quotes (format.md §2)."""

import re
from collections.abc import Mapping
from typing import Any

from alive_p2p.errors import AliveP2PError
from alive_p2p.text import breaks_the_line

Fields = Mapping[str, Any]

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
_ENTRY = {"path": None, "sha256": None, "size": None}.keys()
"""What is said of a listed file, in the order in which it is written."""

_YAML_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def to_yaml(fields: Fields) -> bytes:
    """The text of a manifest; unknown fields follow the known ones by name.

    Raises:
        AliveP2PError: a value cannot be written.
    """
    known = [name for name in FIELD_ORDER if name in fields]
    unknown = sorted(name for name in fields if name not in FIELD_ORDER)
    lines: list[str] = []
    for name in known + unknown:
        _emit(lines, f"{_key(name)}:", fields[name], indent=0)
    return ("\n".join(lines) + "\n").encode()


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


def _is_nested(value: object) -> bool:
    return isinstance(value, (Mapping, list))


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
    if isinstance(item, Mapping) and item.keys() == _ENTRY and not any(map(_is_nested, item.values())):
        # Nearly all of them are listed files.
        path, sha256, size = (_scalar(item[name]) for name in _ENTRY)
        lines += (f"{pad}- path: {path}", f"{pad}  sha256: {sha256}", f"{pad}  size: {size}")
    elif isinstance(item, Mapping) and item:
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
