"""Task lists of older layouts (receive.md §8): brought forward without losing a line."""

import json
import os
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p import files
from alive_p2p.receiving.migration import TASK_LIST_LIMIT, convert_tasks
from alive_p2p.receiving.plan import MigrationResult
from alive_p2p.receiving.tree_migration import migrate_tree
from alive_p2p.runtime import Runtime
from worlds import tree_of

Migrated = Callable[[Path], MigrationResult]


def tasks(text: str) -> list[dict[str, Any]]:
    return list(convert_tasks(text, "review").tasks)


def titles(text: str) -> list[str]:
    return [task["title"] for task in tasks(text)]


@pytest.mark.parametrize(
    ("line", "status", "priority"),
    [
        ("- [ ] x", "active", "normal"),
        ("- [~] x", "active", "high"),
        ("- [x] x", "done", "normal"),
        ("- [X] x", "done", "normal"),
        ("* [ ] x", "active", "normal"),
        ("* [~] x", "active", "high"),
        ("* [x] x", "done", "normal"),
        ("    - [x] x", "done", "normal"),
        ("\t* [ ] x", "active", "normal"),
        ("-  [ ]   x  ", "active", "normal"),
    ],
)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r"])
def test_every_marker_becomes_a_task(line: str, status: str, priority: str, ending: str) -> None:
    """Both bullets, at any depth, with any line ending."""
    converted = convert_tasks(line + ending, "review")
    assert converted.leftovers == ""
    assert converted.tasks == (
        {"id": "t-001", "title": "x", "status": status, "priority": priority, "session": None, "bundle": "review"},
    )


@pytest.mark.parametrize(
    "line",
    [
        "- [-] x",
        "- [ ]x",
        "- [ ]",
        "- [ ] ",
        "- [] x",
        "+ [ ] x",
        "1. [ ] x",
        "-[ ] x",
        "[ ] x",
        "- x",
        "-- [ ] x",
        "> - [ ] x",
        "- [xx] x",
        "- ( ) x",
        "#- [ ] x",
    ],
)
def test_a_line_that_is_no_task_is_kept(line: str) -> None:
    """Word for word, with its ending."""
    for ending in ("", "\n", "\r\n"):
        converted = convert_tasks(line + ending, "review")
        assert converted.tasks == ()
        assert converted.leftovers == line + ending


@pytest.mark.parametrize(
    ("text", "title", "session"),
    [
        ("call Ben @abc123", "call Ben", "abc123"),
        ("call Ben   @squirrel:abc-1.2_x", "call Ben", "squirrel:abc-1.2_x"),
        ("call @ben", "call", "ben"),
        ("call @ben now", "call @ben now", None),
        ("@ben", "@ben", None),
        ("mail a@b.org", "mail a@b.org", None),
        ("mail <a@b.org>", "mail <a@b.org>", None),
        ("ask @a @b", "ask @a", "b"),
        ("at @", "at @", None),
        ("at @a/b", "at @a/b", None),
        ("ask @žofie", "ask", "žofie"),
        ("x [link](y) @z", "x [link](y)", "z"),
    ],
)
def test_a_trailing_name_is_the_session(text: str, title: str, session: str | None) -> None:
    """Only at the end, and only where something else is left to be the title."""
    (task,) = tasks(f"- [ ] {text}\n")
    assert (task["title"], task["session"]) == (title, session)


DOCUMENT = """\
---
type: tasks
---
# Tasks

Intro.

## Now
- [ ] one @abc
  - [~] nested
    a note below it
* [x] done

```
- [ ] an example
```

~~~md
- [ ] another
```
~~~
- [ ] last
1. [ ] numbered
"""
LEFT = """\
---
type: tasks
---
# Tasks
Intro.
## Now
    a note below it
```
- [ ] an example
```
~~~md
- [ ] another
```
~~~
1. [ ] numbered
"""


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_document_is_taken_apart(ending: str, bom: str) -> None:
    """Tasks in order with their numbers; frontmatter, headings, notes and code blocks stay as they were."""
    converted = convert_tasks(bom + DOCUMENT.replace("\n", ending), "review")
    assert [(task["id"], task["title"]) for task in converted.tasks] == [
        ("t-001", "one"),
        ("t-002", "nested"),
        ("t-003", "done"),
        ("t-004", "last"),
    ]
    assert converted.leftovers == LEFT.replace("\n", ending)


def test_a_code_block_that_never_ends_runs_to_the_end() -> None:
    """What is in it may be an example: kept, not converted."""
    converted = convert_tasks("- [ ] a\n```\n- [ ] b\n", "review")
    assert [task["title"] for task in converted.tasks] == ["a"]
    assert converted.leftovers == "```\n- [ ] b\n"


def test_code_within_a_line_opens_no_block() -> None:
    """The tasks after it are tasks."""
    assert titles("``` make ```\n- [ ] a\n") == ["a"]


def test_a_fence_with_text_closes_no_block() -> None:
    """An example of a code block inside a code block is still code."""
    assert titles("```\n```python\n- [ ] example\n```\n- [ ] a\n") == ["a"]


def test_a_code_block_inside_an_item_is_code() -> None:
    """Below an item a code block is indented with it."""
    assert titles("- [ ] a\n\n    ```\n    - [ ] example\n    ```\n") == ["a"]


def test_a_name_after_a_tab_is_the_session() -> None:
    """Any blank stands between a title and a name."""
    (task,) = tasks("- [ ] call Ben\t@abc\n")
    assert (task["title"], task["session"]) == ("call Ben", "abc")


def test_many_tasks_keep_counting() -> None:
    """Past 999 the number grows by a digit."""
    ids = [task["id"] for task in tasks("- [ ] x\n" * 1001)]
    assert ids[0] == "t-001"
    assert ids[-2:] == ["t-1000", "t-1001"]
    assert len(set(ids)) == 1001


_line = st.one_of(
    st.sampled_from(
        ["- [ ] a", "* [x] b @c", "  - [~] d", "```", "~~~", "````", "# e", "---", "", "   ", "- [ ]", "- [x]f"]
    ),
    st.builds(lambda mark, text: f"- [{mark}] {text}", st.sampled_from(" ~xX-"), st.text(max_size=12)),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
_texts = st.tuples(st.lists(_line, max_size=14), st.sampled_from(["\n", "\r\n", "\r"])).map(lambda t: t[1].join(t[0]))


def words(text: str) -> Counter[str]:
    return Counter(text.split())


@given(_texts)
def test_no_line_is_ever_lost(text: str) -> None:
    """Every line that is not blank is a task's, or among what is left, in order and word for word."""
    converted = convert_tasks(text, "review")
    text = text.removeprefix("\ufeff")
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    left = [line for line in converted.leftovers.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    assert len(lines) == len(left) + len(converted.tasks)
    remaining = iter(lines)
    assert all(line in remaining for line in left)
    told = Counter[str]()
    for task in converted.tasks:
        told += words(task["title"])
        told += Counter(["@" + task["session"]]) if task["session"] else Counter()
    markers = Counter(
        {word: count for word, count in words(text).items() if word in {"-", "*", "[", "]", "[x]", "[X]", "[~]"}}
    )
    assert words(text) - words(converted.leftovers) - told <= markers
    assert [task["id"] for task in converted.tasks] == [f"t-{n + 1:03d}" for n in range(len(converted.tasks))]
    assert all(task["title"].strip() for task in converted.tasks)
    json.dumps(converted.tasks)


@given(_texts)
def test_converting_what_is_left_finds_nothing_more(text: str) -> None:
    """The rest holds no task: converting is done once."""
    left = convert_tasks(text, "review").leftovers
    assert convert_tasks(left, "review").tasks == ()
    assert convert_tasks(left, "review").leftovers == left


def test_a_large_list_finishes() -> None:
    """Lines that could make a search go back and forth do not."""
    for line in (
        " " * 300_000,
        "-" + " " * 300_000,
        "- [ ]" + " " * 300_000 + "x",
        "- [ ] " + "@a " * 100_000,
        "`" * 300_000,
    ):
        convert_tasks(line + "\n", "review")
    assert len(tasks("- [ ] x\n" * 30_000)) == 30_000


# --- on disk -------------------------------------------------------------------------------------------------


def put(tree: Path, path: str, text: str | bytes) -> None:
    place = tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode())


def content(tree: Path) -> dict[str, bytes]:
    return {p.relative_to(tree).as_posix(): p.read_bytes() for p in sorted(tree.rglob("*")) if p.is_file()}


@pytest.fixture
def migrated(runtime: Runtime) -> Callable[[Path], MigrationResult]:
    """Brings a tree forward."""
    return lambda tree: migrate_tree(tree, runtime)[0]


def test_a_list_becomes_a_task_file(tmp_path: Path, migrated: Migrated) -> None:
    """`tasks.json` with the bundle's name, the other lines beside it, and the old file gone."""
    tree = tmp_path / "tree"
    put(tree, "review/context.manifest.yaml", "goal: x\n")
    put(tree, "review/tasks.md", "# T\n- [ ] öne\n")
    result = migrated(tree)
    assert result.tasks_converted == 1
    assert result.warnings == ()
    assert result.actions == ("review/tasks.md → tasks.json: 1 task; 1 other line is kept in tasks.md.migrated",)
    assert sorted(content(tree)) == ["review/context.manifest.yaml", "review/tasks.json", "review/tasks.md.migrated"]
    assert content(tree)["review/tasks.md.migrated"] == b"# T\n"
    (task,) = json.loads(content(tree)["review/tasks.json"])["tasks"]
    assert (task["title"], task["bundle"]) == ("öne", "review")
    for name in ("tasks.json", "tasks.md.migrated"):
        assert stat.S_IMODE((tree / "review" / name).stat().st_mode) == files.default_mode(executable=False)
    before = content(tree)
    assert migrated(tree) == MigrationResult()
    assert content(tree) == before


def test_a_list_of_nothing_but_tasks_leaves_nothing_beside(tmp_path: Path, migrated: Migrated) -> None:
    """Blank lines are not kept in a file of their own."""
    tree = tmp_path / "tree"
    put(tree, "review/context.manifest.yaml", "goal: x\n")
    put(tree, "review/tasks.md", "\n- [ ] a\n\n- [x] b\n")
    assert migrated(tree).actions == ("review/tasks.md → tasks.json: 2 tasks",)
    assert sorted(content(tree)) == ["review/context.manifest.yaml", "review/tasks.json"]


@pytest.mark.parametrize(
    ("others", "data", "warns"),
    [
        ({"tasks.json": b"{}"}, b"- [ ] a\n", True),
        ({"Tasks.JSON": b"{}"}, b"- [ ] a\n", True),
        ({"tasks.md.migrated": b"old"}, b"# T\n- [ ] a\n", True),
        ({}, b"- [ ] caf\xe9\n", True),
        ({}, b"- [ ] a\n" * (TASK_LIST_LIMIT // 8 + 1), True),
        ({}, b"prose that only happens to be called so\n", False),
        ({}, b"", False),
    ],
    ids=["a task file is there", "in other letters", "a rest is there", "not UTF-8", "large", "prose", "empty"],
)
def test_a_list_that_cannot_be_converted_stays(
    tmp_path: Path, others: dict[str, bytes], data: bytes, migrated: Migrated, *, warns: bool
) -> None:
    """Not a byte changes, and where something was to be converted it is said."""
    tree = tmp_path / "tree"
    for name, other in {"context.manifest.yaml": b"goal: x\n", **others}.items():
        put(tree, f"review/{name}", other)
    put(tree, "review/tasks.md", data)
    before = content(tree)
    result = migrated(tree)
    assert result.tasks_converted == 0
    assert result.actions == ()
    assert bool(result.warnings) is warns
    assert content(tree) == before


def test_links_and_folders_are_no_lists(tmp_path: Path, migrated: Migrated) -> None:
    """Nothing outside the tree is read, nothing waits for a writer."""
    put(tmp_path, "outside.md", "- [ ] a\n")
    put(tmp_path, "elsewhere/context.manifest.yaml", "goal: x\n")
    put(tmp_path, "elsewhere/tasks.md", "- [ ] a\n")
    tree = tmp_path / "tree"
    for name in ("a", "b", "c"):
        put(tree, f"{name}/context.manifest.yaml", "goal: x\n")
    (tree / "a" / "tasks.md").symlink_to(tmp_path / "outside.md")
    (tree / "b" / "tasks.md").mkdir()
    os.mkfifo(tree / "c" / "tasks.md")
    (tree / "d").symlink_to(tmp_path / "elsewhere")
    before = {place: tree_of(tmp_path / place) for place in ("tree", "elsewhere")}
    assert migrated(tree) == MigrationResult()
    assert {place: tree_of(tmp_path / place) for place in before} == before
