"""What a tool takes: one declaration, from which its schema is made and by which its arguments are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from alive_p2p.errors import UsageError
from alive_p2p.mcp.outside import outside
from alive_p2p.text import nearest

MOST_TEXT = 4096
"""Characters of one argument."""
MOST_TEXTS = 200
"""Entries of an argument that is a list."""

_OF = {"text": "a text", "texts": "a list of texts", "flag": "true or false"}


@dataclass(frozen=True)
class Argument:
    """One argument of a tool.

    Attributes:
        name: as callers write it.
        help: what it means; written here, never made from anything outside.
        kind: a text, a list of texts, or a flag.
        choices: the only texts there are; any, where there are none.
        is_required: whether it has to be given; else it is empty, or false.
    """

    name: str
    help: str
    kind: Literal["text", "texts", "flag"] = "text"
    choices: tuple[str, ...] = ()
    is_required: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        text: dict[str, Any] = {"type": "string", "maxLength": MOST_TEXT}
        if self.choices:
            text = {"type": "string", "enum": list(self.choices)}
        if self.kind == "text":
            return {**text, "description": self.help}
        if self.kind == "texts":
            return {"type": "array", "items": text, "maxItems": MOST_TEXTS, "description": self.help}
        return {"type": "boolean", "default": False, "description": self.help}

    def read(self, given: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a text, a list or a flag)
        """Its value.

        Raises:
            UsageError: it is missing, or not of its kind.
        """
        if self.name not in given:
            if self.is_required:
                raise _wrong(f"`{self.name}` is missing")
            return {"text": "", "texts": (), "flag": False}[self.kind]
        value = given[self.name]
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise _wrong(f"`{self.name}` is not {_OF[self.kind]}")
            return value
        texts = value if self.kind == "texts" else [value]
        if not isinstance(texts, list) or len(texts) > MOST_TEXTS or not all(map(_is_text, texts)):
            raise _wrong(f"`{self.name}` is not {_OF[self.kind]}, or is too long")
        if other := [one for one in texts if self.choices and one not in self.choices]:
            raise _wrong(f"`{self.name}` is '{outside(other[0], limit=60)}'; it can be {', '.join(self.choices)}")
        return tuple(texts) if self.kind == "texts" else value


def schema_of(arguments: Iterable[Argument]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments."""
    every = tuple(arguments)
    return {
        "type": "object",
        "properties": {one.name: one.schema for one in every},
        "required": [one.name for one in every if one.is_required],
        "additionalProperties": False,
    }


def read(arguments: Iterable[Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a tool's arguments, by name.

    Raises:
        UsageError: one is missing, not of its kind, or unknown.
    """
    every = tuple(arguments)
    known = [one.name for one in every]
    for name in given:
        if name not in known:
            close = nearest(name, known)
            meant = f"; did you mean `{close}`?" if close is not None else ""
            raise _wrong(f"there is no argument `{outside(name, limit=60)}`{meant}")
    return {one.name: one.read(given) for one in every}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT


def _wrong(what: str) -> UsageError:
    return UsageError("usage", what, untouched="everything", hint="see what the tool takes")
