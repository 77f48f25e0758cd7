"""The world that the skills speak of: alice's, with a peer, mail, and something of every kind."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.relay import outbox
from relay.people import Person, key_of
from worlds import NOVA, pack, plant

PREFERENCES = """discovery_hints: false
p2p:
  auto_receive: true
  share_presets:
    outside:
      exclude_patterns:
        - "**/pricing*"
        - "contracts/"
"""
HEALTH = {
    "_kernel/key.md": b"---\ntype: life\ngoal: Stay well\n---\n\n# Health\n",
    "_kernel/log.md": b"---\nwalnut: health\nlast-entry: 2026-04-01T09:00:00Z\nentry-count: 0\n---\n",
    "blood-tests/context.manifest.yaml": b"goal: Keep the values\nsensitivity: restricted\npii: true\n",
    "blood-tests/2026.md": b"# Values\n",
}


def walnut(name: str, **files: bytes) -> dict[str, bytes]:
    """A small walnut of this name."""
    return {
        "_kernel/key.md": f"---\ntype: experiment\ngoal: {name}\n---\n\n# {name}\n".encode(),
        "_kernel/log.md": f"---\nwalnut: {name}\nlast-entry: 2026-04-01T09:00:00Z\nentry-count: 0\n---\n".encode(),
        "notes/context.manifest.yaml": b"goal: Notes\n",
        "notes/notes.md": b"# Notes\n",
        **files,
    }


@dataclass(frozen=True)
class SkillWorld:
    """Where alice's things are, and what has names made by chance."""

    base: Path
    sent: str
    waiting: str
    import_id: str

    @property
    def world(self) -> Path:
        """The current folder of every command."""
        return self.base / "alice" / "world"

    def copied(self, base: Path) -> "SkillWorld":
        """The same somewhere else, with relays of its own."""
        shutil.copytree(self.base, base, symlinks=True)
        for name in ("alice", "ben"):
            config = base / name / ".alive" / "relay" / "relay.json"
            config.write_text(config.read_text(encoding="utf-8").replace(str(self.base), str(base)), encoding="utf-8")
        return replace(self, base=base)


def make(base: Path) -> SkillWorld:
    """Make it."""
    alice, ben = (Person(name, base).set_up() for name in ("alice", "ben"))
    alice.pair(ben)
    world, inbox = alice.world, alice.world / "03_Inbox"
    (world / ".alive" / "preferences.yaml").write_text(PREFERENCES, encoding="utf-8")
    nova = plant(world / "04_Ventures" / "nova-station", NOVA)
    plant(world / "02_Life" / "health", HEALTH)

    def packed(person: Person, root: Path, output: Path, **options: object) -> Path:
        runtime = replace(person.runtime, environ={**person.runtime.environ, "ALIVE_P2P_TESTING": "1"})
        return pack(root, output, runtime, sender=person.name, signing_key=key_of(person.name), **options)

    # Ben has alice's walnut, and sends of it what he has changed and what he has added.
    sent = packed(alice, nova, base / "nova.walnut")
    copy = ben.world / "nova-station"
    receive(ReceiveRequest(sent, target=copy), ben.runtime)
    (copy / "shielding-review" / "draft.md").write_bytes(b"# Shielding review\n\nWater wins.\n")
    plant(copy / "dust-study", {"context.manifest.yaml": b"goal: Dust\n", "dust.md": b"# Dust\n"})
    packed(ben, copy, inbox / "review.walnut", scope="bundle", bundles=("shielding-review",))
    packed(ben, copy, inbox / "dust.walnut", scope="bundle", bundles=("dust-study",))
    # And of his own.
    packed(ben, plant(ben.world / "tide-gauge", walnut("tide-gauge")), inbox / "tide-gauge.walnut")
    garden = packed(ben, plant(ben.world / "garden", walnut("garden")), base / "garden.walnut")
    result = receive(ReceiveRequest(garden, target=world / "05_Experiments" / "garden"), _in(world, alice))
    old = {"bundles/notes/context.manifest.yaml": b"goal: Notes\n", "bundles/notes/tasks.md": b"- [ ] Water\n"}
    tree = {key: text for key, text in walnut("old-notes").items() if not key.startswith("notes/")}
    plant(world / "unpacked", {**tree, **old})
    packed(ben, plant(ben.world / "old-notes", {**tree, **old}), inbox / "old-notes.walnut", source_layout="v2")
    # One package is under way in each direction.
    ben.push("alice", packed(ben, plant(ben.world / "kites", walnut("kites")), base / "kites.walnut"))
    alice.push("ben", sent)
    alice.probe()
    (waiting,) = (alice.relay_folder / "inbox" / "ben").glob("*.walnut")
    (theirs,) = (ben.relay_folder / "inbox" / "alice").glob("*.walnut")
    assert not outbox.waiting(alice.runtime)
    return SkillWorld(base, theirs.name, waiting.name, result.plan.manifest.import_id)


def _in(world: Path, person: Person):
    (world / "05_Experiments").mkdir(exist_ok=True)
    return replace(person.runtime, cwd=world)
