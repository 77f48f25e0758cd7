"""`_kernel/key.md`: who or what a walnut is about, and how private it is (share.md §4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from alive_p2p.safe_yaml import Value
from alive_p2p.text import nearest, one_line
from alive_p2p.walnut import frontmatter
from alive_p2p.walnut.frontmatter import Frontmatter
from alive_p2p.walnut.mentions import mentioned


class Sensitivity(IntEnum):
    """How private something is; a higher one wins. Shown and stored by its lower-case name."""

    OPEN = 0
    PRIVATE = 1
    RESTRICTED = 2

    @property
    def word(self) -> str:
        """The word as it stands in files and messages."""
        return self.name.lower()


@dataclass(frozen=True)
class Key:
    """A `key.md`, read.

    Attributes:
        data: the file's bytes.
        block: its frontmatter.
        sensitivity: the walnut's sensitivity; `private` where unset or unknown.
        sensitivity_reason: why, in words, for the preview.
    """

    data: bytes
    block: Frontmatter
    sensitivity: Sensitivity
    sensitivity_reason: str

    @property
    def mentions(self) -> frozenset[str]:
        """The words about privacy that its frontmatter says, whether they count or not."""
        return mentioned(self.block.yaml_of(self.data), self.fields) if self.block.problem is None else frozenset()

    @property
    def fields(self) -> Mapping[str, Value]:
        """The parsed frontmatter; empty where there is none or it cannot be parsed."""
        return self.block.fields

    def text_field(self, name: str) -> str:
        """A frontmatter field as text; empty where it is absent or not a scalar."""
        value = self.fields.get(name)
        return "" if value is None or isinstance(value, (list, dict)) else str(value)


def read_key(data: bytes) -> Key:
    """Read a `key.md`. Never raises: what cannot be understood counts as private."""
    block = frontmatter.read(data)
    sensitivity, reason = read_sensitivity(block.fields, data, block.problem)
    return Key(data, block, sensitivity, reason)


UNKNOWN = "is no known sensitivity and counts as private"
"""What the reason says where somebody may have mistyped a word."""


def read_sensitivity(fields: Mapping[str, Value], raw: bytes, problem: str | None) -> tuple[Sensitivity, str]:
    """Decide the sensitivity that some YAML fields declare, and say why (share.md §4).

    Unset or unknown means private. Where the YAML could not be parsed (`problem`), the word `restricted` anywhere in
    `raw` counts, and it is never less than private.
    """
    if problem is not None:
        if b"restricted" in raw.replace(b"\0", b"").lower():  # without NULs UTF-16 reads like ASCII
            return Sensitivity.RESTRICTED, "it says restricted, in YAML that cannot be parsed"
        return Sensitivity.PRIVATE, f"its YAML cannot be parsed: {problem}"
    declared = [value for name, value in fields.items() if str(name).strip().casefold() == "sensitivity"]
    if not declared:
        return Sensitivity.PRIVATE, "none is set, and private is the default"
    return max((_judged(value) for value in declared), key=lambda one: one[0])


def _judged(declared: Value) -> tuple[Sensitivity, str]:
    """What one value says."""
    if declared is None:
        return Sensitivity.PRIVATE, "none is set, and private is the default"
    word = str(declared).strip().lower()
    if "restricted" in word and word != "restricted":
        return Sensitivity.RESTRICTED, "it says something with restricted in it"
    known = {one.word: one for one in Sensitivity}
    if word in known:
        return known[word], f"it says {word}"
    if word in {"normal", "shared"}:
        return Sensitivity.PRIVATE, f"it says {word}, which counts as private"
    closest = nearest(word, list(known))
    meant = f" (did you mean {closest}?)" if closest is not None else ""
    return Sensitivity.PRIVATE, f"it says '{one_line(word, limit=40)}', which {UNKNOWN}{meant}"
