"""Other programs, called: the interoperability tests check against them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

PASSPHRASE = "correct horse"

ReadKey = Callable[[str], bytes]
"""Gives the content of one of the session's key files."""


def run(*command: str | Path, data: bytes = b"") -> bytes:
    """Run a command, give it `data`, and return what it says."""
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


class AskOnce:
    """An `ask` that gives an answer and remembers what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> bytes:
        self.prompts.append(prompt)
        return self.answer.encode()


def asks_once(answer: str = PASSPHRASE) -> AskOnce:
    """Somebody who knows the passphrase, or thinks so."""
    return AskOnce(answer)
