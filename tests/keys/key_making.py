"""Other programs, called: the interoperability tests check against them."""

import subprocess
from pathlib import Path

PASSPHRASE = "correct horse"


def run(*command: str | Path, data: bytes = b"") -> bytes:
    """Run a command, give it `data`, and return what it says."""
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def asks_once(answer: str = PASSPHRASE):
    """An `ask` that gives an answer and remembers what it was asked."""
    prompts: list[str] = []

    def ask(prompt: str) -> bytes:
        prompts.append(prompt)
        return answer.encode()

    ask.prompts = prompts
    return ask
