"""Whoever asks somebody else shows that they wait: at a git host, at its API, for published keys, in the doctor."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.github import GitHub
from worlds import NOVA, make_world, plant

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import pexpect

Type = Callable[..., str]
ON_THE_SPOT = """
import sys
from alive_p2p.cli import bar
bar._AFTER, bar._EVERY = 0.0, 0.01
from alive_p2p.cli.program import main
sys.exit(main(sys.argv[1:]))
"""
"""The program, with a bar that does not wait: what would be shown after half a second is shown at once."""


class At:
    """Somebody at a terminal, with an account at a GitHub of our own."""

    def __init__(self, site: GitHub, login: str, folder: Path) -> None:
        person = site.person(login, folder, has_gh=False)
        self.environ = {**person.environ, "ALIVE_P2P_GITHUB_URL": site.url, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.world = make_world(person.home / "world")

    def __call__(self, *arguments: str, shows: set[str], code: int = 0) -> str:
        """Type a command; what stands there in the end, without any bar."""
        child = pexpect.spawn(
            sys.executable,
            ["-c", ON_THE_SPOT, *arguments],
            cwd=str(self.world),
            env=self.environ,  # type: ignore[arg-type]
            encoding="utf-8",
            timeout=60,
            dimensions=(24, 60),
        )
        child.expect(pexpect.EOF)
        child.close()
        text = str(child.before)
        assert child.exitstatus == code, text
        drawn = re.findall(r"\r(?:\x1b\[2K)?([^\r\n\x1b]*?) ([█░]+)(?: +\d+ %)?", text)
        assert {label for label, _ in drawn} >= shows, text
        assert all(len(f"{label} {bar} 100 %") < 60 for label, bar in drawn)
        left = [line.rpartition("\x1b[2K")[2].rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
        assert not any("█" in line for line in left), left
        return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(left))


def test_whoever_is_asked_is_waited_for_with_a_bar(tmp_path: Path) -> None:
    """From a new repository over an invitation and a key to parting; each takes its bar away and says its words."""
    with GitHub(tmp_path) as site:
        ada, ben = (At(site, login, tmp_path) for login in ("ada", "ben"))
        plant(ada.world / "04_Ventures" / "nova", {**NOVA, "large.bin": bytes(3_000_000)})
        share = ("share", "--walnut", "04_Ventures/nova", "--scope", "full", "--yes")
        site.wire.slow("*", ".*", 0.05, times=None)  # so that no answer is quicker than the bar
        ada("relay", "setup", "--github", shows={"setting up"})
        said = ada("relay", "invite", "ben", shows={"inviting"})
        code = "alive1-" + "".join(said.partition("alive1-")[2].split("\n"))
        assert "are peers" in ben("relay", "accept", code, "--github", shows={"setting up", "accepting"})
        ada("relay", "peers", "confirm", "ben", shows={"looking", "accepting"})
        ada(*share, "--to", "ben", shows={"packing", "sending"})
        ben("relay", "pull", "--yes", shows={"looking", "fetching"})
        ben("relay", "compact", shows={"compacting"})
        ada("doctor", shows={"looking"})
        ada(*share, "--to", "github:carl", shows={"fetching keys"}, code=2)
        ada("relay", "rotate", "--yes", shows={"looking", "publishing"})
        ada("relay", "peers", "remove", "ben", "--yes", shows={"parting"})
