"""The story of the demo: two people hand a walnut on, and what could go wrong on the way does."""

from alive_p2p.cli import demo_worlds as worlds
from alive_p2p.cli.demo_stage import Stage
from alive_p2p.cli.demo_worlds import NOVA, REVIEW, SEGMENTS, TABLES

_RELAY = "../../relay-of"
"""Where the relays lie, seen from either world."""


def tell_the_story(stage: Stage) -> None:
    """All of it, from two empty homes to a receipt.

    Raises:
        AliveP2PError: a command ended otherwise than the story has it.
    """
    worlds.plant(stage.world("alice"), worlds.ALICE)
    worlds.plant(stage.world("ben"), worlds.BEN)
    stage.narrate("two people, two worlds, a relay each; every line below a command is printed by that command")
    stage.narrate(f"all of it lies in {stage.folder}, which is shown as …")
    _pair(stage)
    _share(stage)
    _receive(stage)
    _update(stage)
    _kill(stage)
    _look_back(stage)


def _pair(stage: Stage) -> None:
    stage.chapter("pair", "Alice makes a relay and invites Ben: one line, which she sends him over any channel.")
    stage.run("alice", f"relay setup --folder {_RELAY}-alice")
    invited = stage.run("alice", "relay invite ben")
    code = next(line for line in invited.splitlines() if line.startswith("alive1-"))
    stage.tell("Ben pastes that line. He has no relay yet, so one is made. That was all: the two are peers.")
    stage.run("ben", f"relay accept - --folder {_RELAY}-ben", typed=code)


def _share(stage: Stage) -> None:
    whole = f"share --scope full --walnut {NOVA} --to ben --preset outside"
    stage.chapter("share", "Alice looks at what would leave if she sent Ben the whole walnut.")
    stage.run("alice", f"{whole} --dry-run")
    stage.tell("The gate stops a token in a file and a restricted bundle. A yes does not get past it.")
    stage.run("alice", f"{whole} --yes", expected=1)
    stage.tell("She leaves both out. It is signed, sealed for Ben, and lies in his relay, in the folder that is hers.")
    stage.run("alice", f"{whole} --exclude board-minutes/ --exclude deploy.md --yes")


def _receive(stage: Stage) -> None:
    stage.chapter("receive", "Ben sees that something waits for him, and receives it.")
    stage.run("ben", "relay probe")
    stage.run("ben", f"relay pull --target {NOVA} --yes")
    stage.tell("Alice gets a receipt, which Ben's key has signed.")
    stage.run("alice", "relay probe")


def _update(stage: Stage) -> None:
    alice, ben = (stage.world(person) / NOVA for person in ("alice", "ben"))
    stage.chapter("update", "Both go on writing, in the same draft. Alice sends the bundle again.")
    worlds.write(alice / REVIEW / "draft.md", worlds.ALICES_DRAFT)
    worlds.write(alice / REVIEW / "costs.md", worlds.COSTS)
    worlds.write(ben / REVIEW / "draft.md", worlds.BENS_DRAFT)
    worlds.add_line(alice / "_kernel" / "key.md", worlds.ALICES_LINE)
    worlds.add_line(ben / "_kernel" / "key.md", worlds.BENS_LINE)
    stage.run("alice", f"share --scope bundle --bundle {REVIEW} --walnut {NOVA} --to ben --preset outside --yes")
    stage.tell("Ben takes what has changed. What he has written himself stays.")
    stage.run("ben", "relay pull --update --yes")
    stage.tell("And he could take all of it back.")
    stage.run("ben", f"undo --walnut {NOVA} --dry-run")


def _kill(stage: Stage) -> None:
    ben = stage.world("ben") / NOVA
    many = len(SEGMENTS)
    stage.chapter("kill -9", f"Alice measures all {many} dose tables again, makes a file of them, and pushes it.")
    worlds.correct_tables(stage.world("alice") / NOVA)
    stage.run("alice", f"create --scope bundle --bundle {TABLES} --walnut {NOVA} --to ben -o tables.walnut --yes")
    stage.run("alice", "relay push --peer ben tables.walnut --yes")
    stage.tell("Ben receives it, and is not lucky: his process is held still in the midst of its work, and killed.")
    pull = "relay pull --update --yes"
    stage.run_and_kill("ben", pull, ben, after=many // 2 - 1)
    done = worlds.corrected_tables(ben)
    stage.tell(
        f"Of his {many} tables {done} are new and {many - done} are old. The next command sees to that by itself."
    )
    stage.run("ben", pull)
    done, left = worlds.corrected_tables(ben), len(list(stage.folder.rglob(".alive-receive-*")))
    stage.tell(f"Of his {many} tables {done} are new, and {left or 'no'} files of the interrupted receive are left.")


def _look_back(stage: Stage) -> None:
    stage.chapter("who has what", "Where everything came from, and what was changed here since, can always be told.")
    stage.run("ben", f"info --walnut {NOVA}")
    stage.tell("Alice looks once more for receipts; and this is how it stands between the two.")
    stage.run("alice", "relay probe")
    stage.run("alice", "relay status")
