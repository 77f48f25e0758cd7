"""The manual page: what the commands say, and nothing that a formatter complains about."""

import shutil
import subprocess

import pytest

from alive_p2p import __version__
from release.outline import parameters
from release.pages import PAGES, ROOT

PAGE = ROOT / "release" / "alive-p2p.1"


def test_the_page_is_what_the_commands_say() -> None:
    """`make pages` writes it anew."""
    assert PAGE.read_text(encoding="ascii") == PAGES[PAGE](), "run `make pages`"
    assert f"alive\\-p2p {__version__}" in PAGE.read_text(encoding="ascii")


def test_it_names_every_command() -> None:
    """Those within groups too, except what an agent's hook calls by itself."""
    text = PAGE.read_text(encoding="ascii")
    commands = {path for path, _ in parameters()} - {"", "hook probe"}
    assert len(commands) > 30
    assert [path for path in commands if f'.SS "{path}"'.replace("-", "\\-") not in text] == []


@pytest.mark.parametrize(
    "command",
    [
        ["man", "--warnings", "--local-file", "--troff", str(PAGE)],
        ["groff", "-man", "-Tutf8", "-ww", str(PAGE)],
        ["mandoc", "-Tlint", "-Wwarning", str(PAGE)],
    ],
    ids=lambda command: command[0],
)
def test_formatters_have_nothing_to_say(command: list[str]) -> None:
    """Only that a version which is not released has no date."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stderr + (done.stdout if command[0] == "mandoc" else b"")
    assert [line for line in said.decode().splitlines() if "missing date" not in line] == []
    assert len(done.stdout) > 10_000 or command[0] == "mandoc"
