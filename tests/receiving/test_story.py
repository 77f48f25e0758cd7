"""Two people go on working, and send each other what they did: nothing is lost, and they come to the same.

Ten rounds of random edits on both sides and random exchanges; then nobody edits any more and they exchange until
both have the same.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from worlds import NOVA, pack, plant

REVIEW = "shielding-review"
_NAMES = ["draft.md", "notes.md", "raw/dose.csv", "deep/er/plan.md", "deep", "tasks.json"]
_LAST_EXCHANGES = 4

_edit = st.tuples(
    st.sampled_from(["write", "write", "remove", "task", "retitle", "finish"]),
    st.sampled_from(_NAMES[:5]),
    st.integers(0, 3),
)
_round = st.tuples(
    st.lists(_edit, max_size=3), st.lists(_edit, max_size=3), st.sampled_from(["both", "to ben", "to alice", "none"])
)


class World:
    """One person's copy, and everything they ever wrote into it."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.written: dict[str, str] = {}  # text to the path it was written to
        self.dropped: set[str] = set()  # texts that a person has overwritten or removed knowingly
        self.count = 0

    @property
    def bundle(self) -> Path:
        return self.root / REVIEW

    def edit(self, kind: str, name: str, number: int) -> None:
        if kind in {"write", "remove"}:
            self._edit_file(kind, name)
        else:
            self._edit_task(kind, number)

    def _text(self) -> str:
        self.count += 1
        return f"{self.name} wrote {self.count:03d}"

    def _edit_file(self, kind: str, name: str) -> None:
        path = self.bundle / name
        if path.is_dir() or any(parent.is_file() for parent in path.parents):
            return
        if path.is_file():
            self.dropped.add(path.read_text("utf-8").strip())
            path.unlink()
        if kind == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            text = self._text()
            path.write_text(text + "\n", encoding="utf-8")
            self.written[text] = name

    def _edit_task(self, kind: str, number: int) -> None:
        path = self.bundle / "tasks.json"
        tasks = json.loads(path.read_bytes())["tasks"] if path.is_file() else []
        if kind == "task" or not tasks:
            taken = {one["id"] for one in tasks}
            identity = next(f"t-{n:03d}" for n in range(1, 99) if f"t-{n:03d}" not in taken)
            tasks.append({"id": identity, "title": self._text(), "status": "todo"})
            self.written[tasks[-1]["title"]] = "tasks.json"
        elif kind == "retitle":
            one = tasks[number % len(tasks)]
            self.dropped.add(one["title"])
            one["title"] = self._text()
            self.written[one["title"]] = "tasks.json"
        else:
            gone = tasks.pop(number % len(tasks))
            self.dropped.add(gone["title"])
        path.write_text(json.dumps({"tasks": tasks}), encoding="utf-8")

    def everything(self) -> str:
        """All that can be read in the bundle."""
        return "\n".join(path.read_text("utf-8") for path in self.bundle.rglob("*") if path.is_file())

    def tree(self) -> dict[str, bytes]:
        found = {path.relative_to(self.bundle).as_posix(): path for path in self.bundle.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items()}


class Story:
    def __init__(self, base: Path, runtime: Runtime) -> None:
        self.base = base
        self.runtime = runtime
        self.count = 0
        self.alice = World(plant(base / "alice" / "nova", NOVA), "alice")
        self.ben = World(base / "ben" / "nova", "ben")
        self.ben.root.parent.mkdir()
        first = pack(self.alice.root, base / "first.walnut", runtime, scope="full")
        receive(ReceiveRequest(first, target=self.ben.root), runtime)

    def exchange(self, which: str) -> None:
        """Send both ways at once, or one way."""
        packages = []
        for sender, receiver, way in ((self.alice, self.ben, "to ben"), (self.ben, self.alice, "to alice")):
            if which in {"both", way}:
                self.count += 1
                output = self.base / f"{self.count}.walnut"
                packages.append((pack(sender.root, output, self.runtime, scope="bundle", bundles=(REVIEW,)), receiver))
        for package, receiver in packages:
            receive(ReceiveRequest(package, target=receiver.root, update=True), self.runtime)

    def check(self) -> None:
        """Whatever somebody wrote, and nobody overwrote or removed knowingly, is somewhere on both sides' disks."""
        dropped = self.alice.dropped | self.ben.dropped
        here = self.alice.everything() + self.ben.everything()
        for world in (self.alice, self.ben):
            for text in world.written.keys() - dropped:
                assert text in here, f"lost: {text} ({world.written[text]})"


def _make(base: Path, make_runtime: Callable[..., Runtime]) -> Story:
    return Story(base, make_runtime())


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole story takes longer than reading it
)
@given(rounds=st.lists(_round, min_size=1, max_size=10))
@example(
    rounds=[  # a file of theirs where ours is a folder, and beside it from before
        ([("write", "deep/er/plan.md", 0)], [("write", "deep", 0)], "both"),
        ([], [], "both"),
        ([("write", "deep", 0)], [], "to ben"),
        ([("write", "deep/er/plan.md", 0)], [], "both"),
    ]
)
@example(
    rounds=[  # under one id each has a task of their own, and both go on with both
        ([("task", "", 0), ("task", "", 0)], [("task", "", 0), ("task", "", 0)], "both"),
        ([], [("finish", "", 0)], "both"),
        ([("retitle", "", 0), ("finish", "", 1)], [("task", "", 0), ("retitle", "", 2)], "both"),
    ]
)
@example(
    rounds=[  # a file of theirs where ours is a folder that holds nothing but an empty folder
        (
            [("finish", "draft.md", 1), ("write", "deep/er/plan.md", 3), ("remove", "deep/er/plan.md", 0)],
            [("write", "deep", 2)],
            "both",
        )
    ]
)
def test_ten_rounds(make_runtime: Callable[..., Runtime], rounds: list[Any]) -> None:
    """Nothing that either side wrote is ever lost; when they stop, both come to the same."""
    with tempfile.TemporaryDirectory() as name:
        story = _make(Path(name), make_runtime)
        for ours, theirs, which in rounds:
            for edit in ours:
                story.alice.edit(*edit)
            for edit in theirs:
                story.ben.edit(*edit)
            if which != "none":
                story.exchange(which)
            story.check()
        for _ in range(_LAST_EXCHANGES):
            story.exchange("to ben")
            story.exchange("to alice")
            story.check()
            if story.alice.tree() == story.ben.tree():
                break
        assert story.alice.tree() == story.ben.tree()
