"""Words about privacy that some YAML says where they do not count: a level too deep, in a comment, in another field.

Nothing is decided by them. Somebody may have meant them, so they are told (share.md §4).
"""

import re
from collections.abc import Mapping

from alive_p2p.safe_yaml import Value

RESTRICTED = "restricted"
_PERSONAL = frozenset(["pii", "personal_data"])
_WORDS = re.compile(rb"(?<![a-z0-9])(restricted|pii|personal_data)(?![a-z0-9])")
_NO = frozenset(["none", "", "false", "no", "off", "0", "n", "~"])


def says_yes(value: Value) -> bool:
    """Whether a value is anything but a plain no."""
    return bool(value) if isinstance(value, list | dict) else str(value).strip().lower() not in _NO


def mentioned(yaml: bytes, fields: Mapping[str, Value]) -> frozenset[str]:
    """The words about privacy in some YAML: `restricted`, `pii`, `personal_data`.

    Args:
        yaml: the text itself, without the prose that may follow it.
        fields: what a reader makes of it; where that plainly says that there is nothing personal, it is believed.
    """
    found = {word.decode() for line in yaml.lower().splitlines() if not _is_a_choice(line) for word in _words(line)}
    answers = [value for name, value in fields.items() if name.strip().casefold() in _PERSONAL]
    if answers and not any(map(says_yes, answers)):
        found -= _PERSONAL
    return frozenset(found)


def overlooked(words: frozenset[str], *, is_restricted: bool, has_pii: bool) -> tuple[str, ...]:
    """Which of the words that are mentioned made no difference."""
    counted = (frozenset([RESTRICTED]) if is_restricted else frozenset()) | (_PERSONAL if has_pii else frozenset())
    return tuple(sorted(words - counted))


def _words(line: bytes) -> list[bytes]:
    return _WORDS.findall(line)


def _is_a_choice(line: bytes) -> bool:
    """Whether a line only lists what there is to choose from, as templates do."""
    return all(word in line for word in (b"open", b"private", RESTRICTED.encode()))
