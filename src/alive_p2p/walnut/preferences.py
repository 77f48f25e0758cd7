"""`<world>/.alive/preferences.yaml`: the settings of a world (cli.md, "Preferences").

A missing file or section means the defaults. A value of the wrong type is an error that names the key, the file
and the line: a setting that is silently ignored could be the one that was meant to keep something private.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from alive_p2p import files, safe_yaml
from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.globs import Pattern
from alive_p2p.safe_yaml import KeyPath, UnsafeYamlError, Value
from alive_p2p.text import nearest, one_line
from alive_p2p.walnut import kernel

TOKEN_ENV = "GH_TOKEN"  # noqa: S105  (the name of a variable)
"""The variable with the token for a relay's host, where the preferences name no other one."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(r"(?:gh[a-z]|github_pat|glpat)[_-]")
"""How tokens of git hosts begin: one that was written where the name of its variable belongs is not shown."""


@dataclass(frozen=True)
class Preferences:
    """What a world's settings say, with defaults for what they do not.

    Attributes:
        path: the file; None where there is none.
        discovery_hints: whether hints may be shown.
        share_presets: exclusion patterns by the name of their preset.
        max_files, max_bytes: raised (or lowered) limits of a package, or None for the defaults.
        auto_receive: whether `--auto` may receive with nobody looking.
        agent_files: further names of files that agents obey on sight.
        sensitive_names: further patterns of names that are told before they leave.
        require_signature: refuse packages without a valid signature of a known peer.
        sign: whether packages are signed where there is a key.
        signing_key_path: another key to sign with than the relay's.
        inbox_files, inbox_bytes: how many packages of one peer a pull looks at, and how many bytes of theirs it fetches
            in all; None for the defaults.
        relay_url: where our relay is to be, where it is not asked for otherwise.
        relay_token_env: the environment variable with the token for the relay's host, where the host's own program
            has no login.
        pair_mailbox: the rendezvous server that pairing by a spoken code proposes.
        warnings: unknown settings, with the nearest known one.
    """

    path: Path | None = None
    discovery_hints: bool = True
    share_presets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_files: int | None = None
    max_bytes: int | None = None
    auto_receive: bool = False
    agent_files: tuple[str, ...] = ()
    sensitive_names: tuple[str, ...] = ()
    require_signature: bool = False
    sign: bool = True
    signing_key_path: str | None = None
    inbox_files: int | None = None
    inbox_bytes: int | None = None
    relay_url: str | None = None
    relay_token_env: str = TOKEN_ENV
    pair_mailbox: str | None = None
    warnings: tuple[str, ...] = ()


_KNOWN = {
    (): ["discovery_hints", "p2p"],
    ("p2p",): [
        "share_presets",
        "relay",
        "pair",
        "auto_receive",
        "signing_key_path",
        "require_signature",
        "limits",
        "sensitive_names",
        "agent_files",
        "sign",
    ],
    ("p2p", "relay"): ["url", "token_env"],
    ("p2p", "pair"): ["mailbox"],
    ("p2p", "limits"): ["max_files", "max_bytes", "inbox_files", "inbox_bytes"],
}


def load_preferences(world: Path | None) -> Preferences:
    """Read the settings of a world.

    Raises:
        WalnutError: the file is not YAML, or a value has the wrong type; with key, file and line.
        FileSystemError: it cannot be read.
    """
    if world is None:
        return Preferences()
    path = world / kernel.WORLD_MARK / "preferences.yaml"
    data = files.read_bytes_if_present(path, limit=safe_yaml.RELAXED.max_size)
    if data is None:
        return Preferences()
    try:
        document = safe_yaml.load_mapping(data)
    except UnsafeYamlError as error:
        place = f", line {error.line}" if error.line else ""
        raise WalnutError(
            "bad-preferences",
            f"the preferences in '{path}'{place} cannot be read: {error.message}",
            untouched="everything",
            hint="mend the file, or move it away to use the defaults",
        ) from None
    return _Reader(path, document.value, document.lines).read()


class _Reader:
    """Reads settings by their key path and knows on which line each stands."""

    def __init__(self, path: Path, root: Value, lines: Mapping[KeyPath, int]) -> None:
        self.path = path
        self.root = root
        self.lines = lines

    def read(self) -> Preferences:
        for section in _KNOWN:
            if section:
                self._mapping(section)
        return Preferences(
            path=self.path,
            discovery_hints=self._boolean(("discovery_hints",), default=True),
            share_presets=self._presets(),
            max_files=self._count(("p2p", "limits", "max_files")),
            max_bytes=self._count(("p2p", "limits", "max_bytes")),
            auto_receive=self._boolean(("p2p", "auto_receive"), default=False),
            agent_files=self._texts(("p2p", "agent_files")),
            sensitive_names=self._patterns(("p2p", "sensitive_names")) if self._get(("p2p", "sensitive_names")) else (),
            require_signature=self._boolean(("p2p", "require_signature"), default=False),
            sign=self._boolean(("p2p", "sign"), default=True),
            signing_key_path=self._text(("p2p", "signing_key_path")),
            inbox_files=self._count(("p2p", "limits", "inbox_files")),
            inbox_bytes=self._count(("p2p", "limits", "inbox_bytes")),
            relay_url=self._text(("p2p", "relay", "url")) or None,
            relay_token_env=self._variable(("p2p", "relay", "token_env")) or TOKEN_ENV,
            pair_mailbox=self._text(("p2p", "pair", "mailbox")) or None,
            warnings=tuple(self._unknown_keys()),
        )

    def _text(self, path: KeyPath) -> str | None:
        value = self._get(path)
        if value is not None and not isinstance(value, str):
            self._wrong(path, "text")
        return value

    def _variable(self, path: KeyPath) -> str | None:
        value = self._text(path)
        if value and (not _VARIABLE.fullmatch(value) or _TOKEN.match(value)):
            self._wrong(path, "the name of an environment variable, and not the token itself")
        return value

    def _texts(self, path: KeyPath) -> tuple[str, ...]:
        value = self._get(path)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(path, "a list of texts")
        return tuple(str(item) for item in value)

    def _get(self, path: KeyPath) -> Value:
        value = self.root
        for step in path:
            value = value.get(str(step)) if isinstance(value, dict) else None
        return value

    def _wrong(self, path: KeyPath, expected: str) -> NoReturn:
        line = self.lines.get(path, 0)
        raise WalnutError(
            "bad-preferences",
            f"the preference '{'.'.join(map(str, path))}' has to be {expected} ('{self.path}', line {line})",
            untouched="everything",
            hint=f"mend line {line} and run it again",
        )

    def _mapping(self, path: KeyPath) -> dict[str, Value]:
        value = self._get(path)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong(path, "a group of settings")
        return value

    def _boolean(self, path: KeyPath, *, default: bool) -> bool:
        value = self._get(path)
        if value is None:
            return default
        if not isinstance(value, bool):
            self._wrong(path, "true or false")
        return value

    def _count(self, path: KeyPath) -> int | None:
        value = self._get(path)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self._wrong(path, "a whole number above zero")
        return value

    def _presets(self) -> dict[str, tuple[str, ...]]:
        base: KeyPath = ("p2p", "share_presets")
        presets: dict[str, tuple[str, ...]] = {}
        for name in self._mapping(base):
            here: KeyPath = (*base, name)
            preset = self._mapping(here)
            unknown = [key for key in preset if key != "exclude_patterns"]
            if unknown:
                # An error and not a warning: a preset whose patterns are misspelt keeps nothing back.
                self._wrong((*here, unknown[0]), "called 'exclude_patterns'; a preset has no other setting")
            presets[name] = self._patterns((*here, "exclude_patterns"))
        return presets

    def _patterns(self, path: KeyPath) -> tuple[str, ...]:
        value = self._get(path)
        if not isinstance(value, list):  # also where it is empty: a preset that keeps nothing back is a mistake
            self._wrong(path if value is not None else path[:-1], "given a list of patterns")
        patterns: list[str] = []
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self._wrong((*path, index), "a pattern in quotes")
            try:
                Pattern.parse(item)
            except UsageError as error:
                self._wrong((*path, index), f"a pattern of the exclusion language: {error.message}")
            patterns.append(item)
        return tuple(patterns)

    def _unknown_keys(self) -> list[str]:
        found = []
        for section, known in _KNOWN.items():
            if not section:
                continue  # other programs keep their own settings at the top level
            for key in self._mapping(section):
                if key not in known:
                    guess = nearest(key, known)
                    line = self.lines.get((*section, key), 0)
                    found.append(
                        f"the preference '{'.'.join(section)}.{one_line(key)}' (line {line}) is not known"
                        + (f"; did you mean '{guess}'?" if guess else "")
                    )
        return found
