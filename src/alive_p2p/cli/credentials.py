"""Passphrases and keys from the command line: never from an argument, never shown (cli.md, "Conventions")."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alive_p2p import files
from alive_p2p.cli.options import FOLDER, Call
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.nearby import name_beside

if TYPE_CHECKING:
    from alive_p2p.keys.private import Ask, PrivateKey

_MAX_PASSPHRASE = 4096
MAX_KEY = 1 << 20
"""No key file has a megabyte."""


@dataclass(frozen=True)
class PassphraseFrom:
    """Where a passphrase comes from: a variable, a file, or the person."""

    env: str | None
    file: Path | None

    def is_given(self) -> bool:
        """Whether an option says where."""
        return self.env is not None or self.file is not None

    def read(self, call: Call) -> bytes:
        """The passphrase that an option points to.

        Raises:
            UsageError: the variable is not set, or both are given.
            AliveP2PError: the file cannot be read, or it is empty.
        """
        if self.env is not None and self.file is not None:
            raise UsageError("usage", "give `--passphrase-env` or `--passphrase-file`, not both")
        if self.env is not None:
            value = call.runtime.environ.get(self.env)
            if value is None:
                raise UsageError(
                    "no-passphrase",
                    f"the variable {self.env} is not set",
                    untouched="everything",
                    hint=f"set {self.env}, or name another variable with `--passphrase-env NAME`",
                )
            return checked(value.encode("utf-8", "surrogateescape"))
        path = call.runtime.cwd / (self.file or "")
        if not path.exists():
            raise no_such_file(path)
        with files.translating("read", path), path.open("rb") as stream:  # also a descriptor such as /dev/fd/3
            data = stream.read(_MAX_PASSPHRASE + 1)
        line = data.removesuffix(b"\n").removesuffix(b"\r")
        if b"\n" in line:
            raise AliveP2PError(
                "long-passphrase",
                f"'{path}' has more than one line, and a passphrase is one",
                untouched="everything",
                hint="keep only the line of the passphrase",
            )
        return checked(line)


def checked(passphrase: bytes) -> bytes:
    """A passphrase that can be used.

    Raises:
        AliveP2PError: it is empty or far too long.
    """
    if not passphrase:
        raise AliveP2PError(
            "empty-passphrase",
            "the passphrase is empty",
            untouched="everything",
            hint="choose one that is hard to guess",
        )
    if len(passphrase) > _MAX_PASSPHRASE:
        raise AliveP2PError(
            "long-passphrase",
            f"the passphrase is longer than {_MAX_PASSPHRASE:,} bytes",
            untouched="everything",
            hint="choose a shorter one",
        )
    return passphrase


def passphrase_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--passphrase-env` and `--passphrase-file`."""
    command = click.option(
        "--passphrase-file", type=FOLDER, metavar="FILE", help="Read the passphrase from a file or descriptor."
    )(command)
    return click.option("--passphrase-env", metavar="NAME", help="Read the passphrase from a variable.")(command)


def no_such_file(path: Path) -> UsageError:
    """The error for a file that somebody named and that is not there."""
    guess = name_beside(path)
    return UsageError(
        "no-such-file",
        f"there is no file '{path}'",
        untouched="everything",
        hint="check the path" + (f"; did you mean '{guess}'?" if guess else ""),
    )


_INSTEAD = "give it with `--passphrase-env NAME` or `--passphrase-file FILE`"


def ask(call: Call, prompt: str, *, instead: str = _INSTEAD) -> bytes:
    """Ask for a secret on the terminal, without echo.

    Args:
        call: the call.
        prompt: what is asked for.
        instead: what to do where there is no terminal.

    Raises:
        AliveP2PError: there is no terminal to ask on.
    """
    if not call.screen.is_interactive:
        raise AliveP2PError(
            "no-terminal",
            f"there is no terminal to ask on: {prompt}",
            untouched="everything",
            hint=instead,
        )
    import getpass

    try:
        with call.screen.without_bar():
            return getpass.getpass(f"{prompt}: ").encode()
    except EOFError:
        raise KeyboardInterrupt from None
    except UnicodeError:
        raise AliveP2PError(
            "bad-passphrase",
            "what was typed is not UTF-8",
            untouched="everything",
            hint="check the terminal's encoding",
        ) from None


def new_passphrase(call: Call, for_what: str) -> bytes:
    """Ask for a passphrase that does not exist yet, twice, so that a slip of the finger locks nobody out.

    Raises:
        AliveP2PError: there is no terminal, it is empty or far too long, or the two differ.
    """
    first = checked(ask(call, f"passphrase for {for_what}"))
    if ask(call, "the same passphrase again") != first:
        raise AliveP2PError(
            "passphrases-differ",
            "the two passphrases are not the same",
            untouched="everything",
            hint="run it again, and type the same one twice",
        )
    return first


def ask_for_key(call: Call) -> "Ask":
    """Asks for the passphrase of a private key, which no option can give."""
    return lambda prompt: ask(call, prompt, instead="run it in a terminal")


def load_named_key(call: Call, path: Path) -> "PrivateKey":
    """The private key in a file that somebody named.

    Raises:
        UsageError: there is no such file.
        AliveP2PError: it is not a private key, or its passphrase is wrong or cannot be asked for.
    """
    from alive_p2p.keys.private import load_private_key

    full = call.runtime.cwd / path
    if not files.exists(full):
        raise no_such_file(full)
    data = files.read_bytes(full.resolve(), limit=MAX_KEY)
    return load_private_key(data, label=str(path), ask=ask_for_key(call))
