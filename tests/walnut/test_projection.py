"""`_kernel/now.json` (receive.md §10): computed from the rest, tolerantly, and always valid JSON."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p.walnut.projection import project
from alive_p2p.walnut.walnut import Walnut

AT = "2026-04-07T10:16:00Z"


def put(root: Path, path: str, text: str | bytes = "") -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode())


def now(root: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = project(Walnut(root), at=AT, session="abc")
    assert data.endswith(b"}\n")
    document = json.loads(data.decode("utf-8"), parse_constant=refuse)
    assert list(document) == [
        *["phase", "updated", "squirrel", "next", "bundles", "unscoped_tasks", "recent_sessions", "children"],
        *["blockers", "context"],
    ]
    return dict(document)


def test_a_bare_walnut_has_every_field(tmp_path: Path) -> None:
    """The shape is the same when there is nothing to say."""
    put(tmp_path, "_kernel/key.md", "")
    zeros = {"urgent": 0, "active": 0, "todo": 0, "blocked": 0, "done": 0}
    assert now(tmp_path) == {
        "phase": "active",
        "updated": AT,
        "squirrel": "abc",
        "next": None,
        "bundles": {"active": {}, "recent": [], "summary": {"total": 0, "active": 0}},
        "unscoped_tasks": zeros,
        "recent_sessions": [],
        "children": {},
        "blockers": [],
        "context": "",
    }


def test_a_walnut_is_projected(tmp_path: Path) -> None:
    """Bundles, tasks, sessions, children and blockers are what the files say."""
    put(tmp_path, "_kernel/key.md", '---\nphase: building\ngoal: "Build a\\nstation"\n---\n')
    put(tmp_path, "_kernel/tasks.json", '{"tasks": [{"title": "own"}, {"title": "stuck", "status": "blocked"}]}')
    put(
        tmp_path,
        "_kernel/log.md",
        "---\na: b\n---\n\n## T2 - squirrel:two\n\nSecond.\n\n## T1 - squirrel:one\n\nFirst.\n",
    )
    put(tmp_path, "review/context.manifest.yaml", "goal: review it\nstatus: draft\n")
    put(tmp_path, "review/tasks.json", '[{"title": "burning", "priority": "urgent"}, {"title": "x", "status": "done"}]')
    put(tmp_path, "old/context.manifest.yaml", "status: Done\n")
    put(tmp_path, "review/inner/context.manifest.yaml", "goal: not top-level\n")
    put(tmp_path, "parts/engine/_kernel/key.md", "---\ngoal: thrust\n---\n")
    os.utime(tmp_path / "old" / "context.manifest.yaml", (1, 1))
    read = now(tmp_path)
    assert read["phase"] == "building"
    assert read["context"] == "Build a station"
    assert read["next"] == "burning (review)"
    assert read["blockers"] == ["stuck"]
    assert read["unscoped_tasks"] == {"urgent": 0, "active": 0, "todo": 1, "blocked": 1, "done": 0}
    assert list(read["bundles"]["active"]) == ["review"]
    assert read["bundles"]["active"]["review"]["goal"] == "review it"
    assert read["bundles"]["active"]["review"]["tasks"]["urgent"] == 1
    assert read["bundles"]["recent"] == ["review", "old"]
    assert read["bundles"]["summary"] == {"total": 2, "active": 1}
    assert read["recent_sessions"] == [
        {"at": "T2", "squirrel": "two", "summary": "Second."},
        {"at": "T1", "squirrel": "one", "summary": "First."},
    ]
    assert read["children"] == {"parts/engine": {"goal": "thrust"}}


def test_what_has_an_unexpected_shape_contributes_nothing(tmp_path: Path) -> None:
    """Folders, links, FIFOs and broken files where files are expected are passed over, without waiting."""
    put(tmp_path, "_kernel/key.md", "---\ngoal: [a]\nphase: {b: c}\n---\n")
    (tmp_path / "_kernel" / "tasks.json").mkdir()
    (tmp_path / "_kernel" / "log.md").symlink_to("nowhere")
    put(tmp_path, "a/context.manifest.yaml", "goal: {x: y}\nstatus: [done]\n")
    os.mkfifo(tmp_path / "a" / "tasks.json")
    put(tmp_path, "b/context.manifest.yaml", "broken: [")
    put(tmp_path, "child/_kernel/key.md")
    (tmp_path / "child" / "_kernel" / "key.md").unlink()
    (tmp_path / "child" / "_kernel" / "key.md").symlink_to(tmp_path / "_kernel" / "key.md")
    read = now(tmp_path)
    assert read["context"] == ""
    assert read["phase"] == "active"
    assert read["children"] == {}
    assert set(read["bundles"]["active"]) == {"a", "b"}


_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("\ud800")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["tasks", "status", "priority", "title", "goal", "phase"]), inner, max_size=4),
    ),
    max_leaves=8,
)
_tasks = st.lists(st.dictionaries(st.sampled_from(["title", "status", "priority"]), _json), max_size=3)
_content = st.one_of(
    st.binary(max_size=40),
    _json.map(lambda value: json.dumps(value).encode()),
    _tasks.map(lambda value: json.dumps({"tasks": value}).encode()),
    _json.map(lambda value: b"---\ngoal: " + json.dumps(value).encode() + b"\n---\n## x - squirrel:y\n"),
    _json.map(lambda value: b"status: " + json.dumps(value).encode()),
    st.sampled_from([b"goal: 1.0e999\n", b"---\ngoal: .inf\nphase: 1.0e999\n---\n", b"## \x1b[2J\n", b"## a\r## b\r"]),
)


@settings(max_examples=60)
@given(_content, _content, _content, _content, _content)
def test_any_content_gives_valid_json(key: bytes, tasks: bytes, log: bytes, manifest: bytes, own: bytes) -> None:
    """Whatever the files hold, and whatever a folder is called."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, "_kernel/key.md", key)
        put(root, "_kernel/tasks.json", own)
        put(root, "_kernel/log.md", log)
        put(root, os.fsdecode(b"caf\xe9/context.manifest.yaml"), manifest)
        put(root, os.fsdecode(b"caf\xe9/tasks.json"), tasks)
        put(root, os.fsdecode(b"child\xff/_kernel/key.md"), key)
        now(root)
