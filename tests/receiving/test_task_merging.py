"""Task files merged by id: nothing is lost, and both sides come to the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.receiving.task_merging import CONFLICTS_WITH, merge_tasks

Task = dict[str, Any]


def listing(*tasks: Task, **more: Any) -> bytes:
    return json.dumps({**more, "tasks": list(tasks)}).encode()


def task(identity: str, title: str = "a", **more: Any) -> Task:
    return {"id": identity, "title": title, "status": "todo", **more}


def merged(ours: bytes, theirs: bytes, *bases: list[Task]) -> list[Task]:
    result = merge_tasks(ours, theirs, [{one["id"]: one for one in base} for base in bases], "tasks.json")
    assert result is not None
    tasks: list[Task] = json.loads(result.data)["tasks"]
    return tasks


def test_each_side_changes_another_task() -> None:
    """Both changes are there."""
    base = [task("t-001"), task("t-002", "b")]
    ours, theirs = listing(task("t-001", "ours"), base[1]), listing(base[0], task("t-002", "theirs"))
    assert [one["title"] for one in merged(ours, theirs, base)] == ["ours", "theirs"]


def test_each_side_changes_another_field() -> None:
    """Of one task."""
    base = [task("t-001")]
    result = merged(listing(task("t-001", "ours")), listing(task("t-001", due="friday")), base)
    assert result == [task("t-001", "ours", due="friday")]


def test_the_same_field_changed_on_both_sides() -> None:
    """Ours stays; theirs is a task of its own that says with which it disagrees."""
    base = [task("t-001")]
    first, second = merged(listing(task("t-001", "ours")), listing(task("t-001", "theirs")), base)
    assert first == task("t-001", "ours")
    assert second == task("t-002", "theirs", **{CONFLICTS_WITH: "t-001"})


def test_an_id_that_is_new_on_both_sides_is_two_tasks() -> None:
    """Theirs gets the next free id."""
    base = [task("t-001")]
    ours, theirs = listing(*base, task("t-002", "ours")), listing(*base, task("t-002", "theirs"), task("t-003", "x"))
    assert [(one["id"], one["title"]) for one in merged(ours, theirs, base)] == [
        ("t-001", "a"),
        ("t-002", "ours"),
        ("t-003", "x"),
        ("t-004", "theirs"),
    ]


def test_removed_on_one_side() -> None:
    """It goes where it was not changed, and stays where it was."""
    base = [task("t-001"), task("t-002", "b")]
    assert merged(listing(), listing(*base, task("t-003", "new")), base) == [task("t-003", "new")]
    changed = task("t-001", "changed")
    assert merged(listing(changed, base[1]), listing(), base) == [changed]
    assert merged(listing(), listing(changed), base) == [changed]


def test_where_one_side_says_it_all_its_bytes_stay() -> None:
    """However it is formatted."""
    base = [task("t-001")]
    theirs = b'{ "tasks" : [' + json.dumps(task("t-001", "new")).encode() + b"]}"
    result = merge_tasks(listing(*base), theirs, [{"t-001": base[0]}], "tasks.json")
    assert result is not None
    assert result.data == theirs


@pytest.mark.parametrize("broken", [b"", b"[]", b'{"tasks": [1]}', b'{"tasks": [{}]}', b"\xff", b'{"tasks": {}}'])
def test_what_is_no_list_of_tasks_is_not_merged(broken: bytes) -> None:
    """Neither here nor there; it is put beside."""
    assert merge_tasks(broken, listing(task("t-001")), [], "tasks.json") is None
    assert merge_tasks(listing(task("t-001")), broken, [], "tasks.json") is None


def test_tasks_with_one_id_twice_are_not_merged() -> None:
    """Which of them is meant cannot be told."""
    assert merge_tasks(listing(task("t"), task("t", "b")), listing(), [], "tasks.json") is None


def test_an_id_that_was_used_again() -> None:
    """What stood under it stays, wherever the other side has put it."""
    base = [task("t-001", "first")]
    ours = listing(task("t-001", "first"), task("t-002", "second"))
    theirs = listing(task("t-002", "first"), task("t-001", "third"))
    assert {one["title"] for one in merged(ours, theirs, base)} == {"first", "second", "third"}


_tasks = st.lists(
    st.builds(
        task, st.sampled_from(["t-001", "t-002", "t-003", "x"]), st.sampled_from("abc"), due=st.sampled_from("12")
    ),
    unique_by=lambda one: one["id"],
    max_size=4,
)


@given(_tasks, _tasks, _tasks)
def test_nothing_that_was_written_is_lost(base: list[Task], ours: list[Task], theirs: list[Task]) -> None:
    """Every value that one side wrote and the other did not overwrite knowingly is in the result; ids are unique."""
    result = merged(listing(*ours), listing(*theirs), base)
    ids = [one["id"] for one in result]
    assert len(ids) == len(set(ids))
    known = {one["id"]: one for one in base}
    titles = {one["title"] for one in result}
    for one in (*ours, *theirs):
        was = known.get(one["id"])
        if was is None or one["title"] != was["title"]:
            assert one["title"] in titles


@given(_tasks, _tasks, _tasks)
def test_it_converges(base: list[Task], ours: list[Task], theirs: list[Task]) -> None:
    """Exchanged to and fro with nobody editing, both sides soon have the same bytes."""
    here, there = listing(*ours), listing(*theirs)
    bases: list[list[Task]] = [base]
    for _ in range(6):
        if here == there:
            return
        sent = json.loads(here)["tasks"]
        result = merge_tasks(there, here, [{one["id"]: one for one in known} for known in bases], "tasks.json")
        assert result is not None
        there, here, bases = here, result.data, [sent]
        there, here = here, there
        here, there = there, here
    assert here == there


def test_two_tasks_of_one_id_are_told_apart_for_ever() -> None:
    """Each side knows the other's under another id; what one changes is changed in that one on the other side."""
    alice, ben = task("t-001", "a"), task("t-001", "b")
    at_alice = merged(listing(alice), listing(ben))
    at_ben = merged(listing(ben), listing(alice))
    assert [(one["id"], one["title"]) for one in at_alice] == [("t-001", "a"), ("t-002", "b")]
    assert [(one["id"], one["title"]) for one in at_ben] == [("t-001", "b"), ("t-002", "a")]
    bases = [[alice], [ben]]
    edited = [{**one, "title": "a, edited"} if one["title"] == "a" else one for one in at_alice]
    result = merged(listing(*at_ben), listing(*edited), *bases)
    assert sorted(one["title"] for one in result) == ["a, edited", "b"]
    closed = [one for one in at_ben if one["title"] != "a"]
    result = merged(listing(*at_alice), listing(*closed), *bases)
    assert [one["title"] for one in result] == ["b"]


def test_many_tasks_are_merged_in_good_time() -> None:
    """Five thousand on each side, with a base: linear, not each with each."""
    base = [task(f"t-{number:04d}", f"task {number}") for number in range(5000)]
    ours = [{**one, "status": "done"} for one in base[:2500]] + base[2500:]
    theirs = base[:2500] + [{**one, "title": one["title"] + "!"} for one in base[2500:]]
    result = merged(listing(*ours), listing(*theirs), base)
    assert [one.get("status") for one in result[:2500]] == ["done"] * 2500
    assert all(one["title"].endswith("!") for one in result[2500:])
