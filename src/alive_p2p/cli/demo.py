"""`demo`: two people, two worlds, and the whole road between them, in a temporary folder with the real program."""

import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from alive_p2p import files
from alive_p2p.cli.options import Call, common
from alive_p2p.cli.screen import Screen
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime

_NOVA = "04_Ventures/nova-station"
_ALICE = {
    ".alive/preferences.yaml": """\
p2p:
  share_presets:
    outside:
      exclude_patterns:
        - "**/pricing*"
""",
    "03_Inbox/.keep": "",
    f"{_NOVA}/_kernel/key.md": """\
---
type: venture
goal: A crewed station at the lunar south pole
created: 2025-11-02
rhythm: weekly
tags: [space, hardware]
people:
  - name: Ben Okafor
    email: ben@example.org
---

# Nova Station

A place to live and work where the sun never quite sets.

## People

Ben runs the shielding work.
""",
    f"{_NOVA}/_kernel/log.md": """\
---
walnut: nova-station
created: 2025-11-02
last-entry: 2026-04-01T09:00:00Z
entry-count: 1
---

## 2026-04-01T09:00:00Z - squirrel:spring

The bank said no. Nobody else knows yet.

signed: squirrel:spring
""",
    f"{_NOVA}/_kernel/insights.md": "---\nwalnut: nova-station\n---\n\n## Strategy\n\nSell water first.\n",
    f"{_NOVA}/_kernel/tasks.json": """\
{"tasks": [{"id": "t-1", "title": "book the test bench", "status": "todo"}]}
""",
    f"{_NOVA}/shielding-review/context.manifest.yaml": """\
goal: Choose the shielding for the habitat ring
status: draft
sensitivity: private
active_sessions:
  - session: spring-17
    engine: claude
""",
    f"{_NOVA}/shielding-review/draft.md": "# Shielding review\n\nRegolith, two metres, or water, forty centimetres.\n",
    f"{_NOVA}/shielding-review/raw/dose-table.csv": "material,cm,mSv/year\nregolith,200,48\nwater,40,52\n",
    f"{_NOVA}/shielding-review/tasks.json": """\
{"tasks": [
  {"id": "t-1", "title": "check the dose table", "status": "active", "priority": "urgent"},
  {"id": "t-2", "title": "ask the reviewer", "status": "blocked"}
]}
""",
    f"{_NOVA}/board-minutes/context.manifest.yaml": "goal: What the board decided\nsensitivity: restricted\n",
    f"{_NOVA}/board-minutes/april.md": "# April\n\nWe sell in autumn.\n",
    # Shaped like a token and made up; in pieces, so that nobody's scanner takes this file for a leak.
    f"{_NOVA}/engineering/deploy.md": "# Deploying\n\ntoken: " + "gh" + "p_" + "demoDEMO0123456789" * 2 + "\n",
    f"{_NOVA}/engineering/ring.md": "# Ring\n\nSix segments, one spare.\n",
    f"{_NOVA}/pricing-2026.md": "What we could ask for a kilo of water.\n",
    f"{_NOVA}/deploy.pem": "not a real key, but it is called like one\n",
    f"{_NOVA}/suppliers/acme/_kernel/key.md": "---\ntype: company\nsensitivity: restricted\n---\n\n# Acme\n",
}
_BEN = {".alive/preferences.yaml": "discovery_hints: false\n", "03_Inbox/.keep": "", "04_Ventures/.keep": ""}
_MAIL = "../../mailbox"
"""Where the mailboxes lie, seen from either world."""


@dataclass
class _Stage:
    """Where the story plays: a folder with a home and a world for each person."""

    folder: Path
    screen: Screen
    environ: dict[str, str]
    steps: list[dict[str, object]]

    def make(self, person: str, tree: dict[str, str]) -> Path:
        world = self.folder / person / "world"
        for path, text in tree.items():
            place = world / path
            place.parent.mkdir(parents=True, exist_ok=True)
            files.write_new(place, text.encode())
        return world

    def tell(self, text: str) -> None:
        self.screen.say()
        self.screen.say(text)

    def run(self, person: str, command: str, *, expected: int = 0, typed: str | None = None) -> str:
        """Run one command line as a person, in their world, show what it prints, and return it."""
        home = self.folder / person
        environ = {**self.environ, "HOME": str(home), "GH_USER": person, "ALIVE_SESSION_ID": "demo"}
        self.screen.say()
        self.screen.say(f"  {person}$ alive-p2p {command}")
        done = subprocess.run(
            [sys.executable, "-m", "alive_p2p", *shlex.split(command)],
            cwd=home / "world",
            env=environ,
            input=b"" if typed is None else typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = done.stdout.decode("utf-8", "replace").replace(str(self.folder), "…")
        for line in output.splitlines():
            self.screen.say(f"    {line}")
        self.steps.append({"person": person, "command": command, "exit_code": done.returncode, "output": output})
        if done.returncode != expected:
            raise AliveP2PError(
                "demo-failed",
                f"the demo stopped: `alive-p2p {command}` ended with {done.returncode}, not {expected}",
                hint="run it again with `--keep` and look at the folder",
            )
        return output


@click.command(epilog="\b\nExample:\n  alive-p2p demo --keep")
@click.option("--keep", is_flag=True, help="Leave the folder for a look.")
@common
def demo(call: Call, /, *, keep: bool) -> None:
    """Show the whole road between two worlds in a temporary folder.

    Every line is printed by the real program. Nothing outside the folder is touched.
    """
    folder = Path(tempfile.mkdtemp(prefix="alive-p2p-demo-")).resolve()
    stage = _Stage(folder, call.screen, _environment(call.runtime), [])
    try:
        _tell_the_story(stage)
        call.screen.document({"status": "ok", "folder": str(folder) if keep else None, "steps": stage.steps})
        if keep:
            call.screen.say()
            call.screen.say(f"the two worlds are in {folder}")
    finally:
        if not keep:
            files.remove_tree(folder)


def _environment(runtime: Runtime) -> dict[str, str]:
    """What the program needs of ours: how to start Python, and nothing that points into a real home."""
    kept = ("PATH", "LANG", "LC_ALL", "TERM", "NO_COLOR", "SYSTEMROOT", "PYTHONPATH", "TMPDIR", "TEMP", "VIRTUAL_ENV")
    return {name: runtime.environ[name] for name in kept if name in runtime.environ}


def _tell_the_story(stage: _Stage) -> None:
    alice = stage.make("alice", _ALICE)
    ben = stage.make("ben", _BEN)
    nova = _NOVA

    stage.tell("Alice makes a mailbox and invites Ben. What she sends him is one line, by any channel.")
    stage.run("alice", f"relay setup --folder {_MAIL}-of-alice")
    invited = stage.run("alice", "relay invite ben")
    code = next(line for line in invited.splitlines() if line.startswith("alive1-"))

    stage.tell("Ben pastes it. He has no mailbox yet, so that is made first. That was all: the two are peers.")
    stage.run("ben", f"relay accept - --folder {_MAIL}-of-ben", typed=code)

    stage.tell("Alice looks at what would leave if she sent Ben a whole walnut.")
    whole = f"share --scope full --walnut {nova} --to ben --preset outside"
    stage.run("alice", f"{whole} --dry-run")

    stage.tell("A secret and a restricted bundle stop it; a yes does not get past them.")
    stage.run("alice", f"{whole} --yes", expected=1)

    stage.tell("She leaves both out. Her history stays as well. It is signed, sealed for Ben, and in his mailbox.")
    stage.run("alice", f"{whole} --exclude board-minutes/ --exclude deploy.md --yes")

    stage.tell("Ben sees that something has come, and receives it.")
    stage.run("ben", "relay probe")
    stage.run("ben", f"relay pull --target {nova} --yes")

    stage.tell("Alice sees that it has arrived.")
    stage.run("alice", "relay probe")

    stage.tell(
        "Both go on working, on the same bundle and on their keys. Alice sends it again; Ben takes what changed."
    )
    review = "shielding-review"
    _write(alice / nova / review / "draft.md", "# Shielding review\n\nWater, says Alice.\n")
    _write(alice / nova / review / "costs.md", "# Costs\n\nWater pays for itself.\n")
    _write(ben / nova / review / "draft.md", "# Shielding review\n\nRegolith, says Ben.\n")
    for world, line in ((alice, "\nAlice's own line.\n"), (ben, "\nBen's own line.\n")):
        key = world / nova / "_kernel" / "key.md"
        files.replace_file(key, key.read_bytes() + line.encode())
    stage.run("alice", f"share --scope bundle --bundle {review} --walnut {nova} --to ben --preset outside --yes")
    stage.run("ben", "relay pull --update --yes")

    stage.tell("Nothing of either is lost: what both have changed lies side by side. And Ben could take it all back.")
    stage.run("ben", f"undo --walnut {nova} --dry-run")

    stage.tell("Where everything came from can always be told.")
    stage.run("ben", f"info --walnut {nova}")

    stage.tell("A package that was damaged on its way is refused, and nothing is touched.")
    received = max((ben / "03_Inbox" / ".received").glob("*.walnut")).read_bytes()
    files.write_new(ben / "damaged.walnut", received[: len(received) * 2 // 3])
    stage.run("ben", "receive damaged.walnut --yes", expected=1)

    stage.tell("Ben's log says what came, from whom, and when.")
    log = (ben / nova / "_kernel" / "log.md").read_text(encoding="utf-8")
    for line in log[log.index("\n## ") :].strip().splitlines():
        stage.screen.say(f"    {line}")
    stage.tell("And this is how it stands between the two.")
    stage.run("alice", "relay status")


def _write(path: Path, text: str) -> None:
    files.replace_file(path, text.encode(), mode=0o644)
