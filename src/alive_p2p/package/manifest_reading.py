"""Reading the text of a manifest (format.md §2, "Reading").

Its list of files is written in one fixed form, three lines for each, and may be long. Where it stands there in just
this form it is taken as it is, forty times as fast as the YAML reader would; everything else is that reader's, and
whatever it says is what is said.
"""

import re

from alive_p2p import safe_yaml
from alive_p2p.safe_yaml import Dialect, UnsafeYamlError, Value

_HEAD = re.compile(r"^files:\n", re.MULTILINE)
_ENTRY = re.compile(
    r'  - path: "([^"\\\n]*)"\n'
    r'    sha256: "([0-9a-f]{64})"\n'
    r"    size: (0|[1-9][0-9]{0,17})\n"
)
_VALUES_OF_ENTRY = 7
"""An entry with its three keys and three values, as `Dialect.max_scalars` counts them."""


def read_fields(text: str, dialect: Dialect) -> Value:
    """What a manifest's text says; a mapping, if it is a manifest.

    Raises:
        UnsafeYamlError: not YAML, or outside the dialect; with the line.
    """
    quick = _with_listed_files(text, dialect)
    return quick if quick is not None else safe_yaml.load(text, dialect).value


def _with_listed_files(text: str, dialect: Dialect) -> Value:
    """The same where the list of files is in the usual form; None where it is not, or anything is out of order."""
    head = _HEAD.search(text)
    if head is None or len(text) > dialect.max_size:
        return None
    entries: list[Value] = []
    at = head.end()
    while (entry := _ENTRY.match(text, at)) is not None:
        path, sha256, size = entry.groups()
        if not path.isprintable():  # what YAML writes in two ways, breaks lines at, or does not have is its reader's
            return None
        entries.append({"path": path, "sha256": sha256, "size": int(size)})
        at = entry.end()
    left = dialect.max_scalars - _VALUES_OF_ENTRY * len(entries)
    if not entries or left <= 0 or text[at : at + 1] in {" ", "#", "\t"}:
        return None
    rest = f"{text[: head.start()]}files: []\n{text[at:]}"
    try:
        fields = safe_yaml.load(rest, Dialect(dialect.max_size, dialect.max_depth, left, strict=dialect.strict)).value
    except UnsafeYamlError:
        return None
    if not isinstance(fields, dict) or fields.get("files") != []:
        return None
    fields["files"] = entries
    return fields
