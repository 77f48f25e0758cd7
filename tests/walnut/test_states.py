"""What was sent and received of a bundle, and which of it is common to two walnuts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.walnut.ledger import LISTS_KEPT, Ledger
from alive_p2p.walnut.states import MOST_SENT, SENT_FOLDER, SentState, based_on, newest, read_sent, write_sent

OTHER = "f" * 64


def identity(number: int) -> str:
    return f"{number:016x}".ljust(64, "0")


def sent(number: int, content: str = "a", *, onto: tuple[str, ...] = ()) -> SentState:
    rows = {"draft.md": content * 64}
    return SentState((identity(number),), f"2026-04-{number:02}T00:00:00Z", onto, {"review": ("review", rows)})


def write(root: Path, *states: SentState) -> None:
    for state in states:
        write_sent(root, state, read_sent(root))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """All of it, oldest first, with the tasks."""
    (tmp_path / "_kernel").mkdir()
    first, second = sent(1), sent(2, "b", onto=(identity(1),))
    tasks = {"review": {"tasks.json": {"t001": {"id": "t001", "title": "ü"}}}}
    first = SentState(first.ids, first.at, first.based_on, first.groups, tasks)
    second = SentState(second.ids, second.at, second.based_on, second.groups, {"review": {}})
    write(tmp_path, second, first)
    assert read_sent(tmp_path) == [first, second]
    state = first.of("review")
    assert state is not None
    assert state.tasks["tasks.json"]["t001"]["title"] == "ü"
    assert first.of("other") is None


def test_the_same_content_again_adds_an_id(tmp_path: Path) -> None:
    """One file, known under both names."""
    (tmp_path / "_kernel").mkdir()
    again = SentState((OTHER,), "2026-05-01T00:00:00Z", (), sent(1).groups)
    write(tmp_path, sent(1), again)
    (only,) = read_sent(tmp_path)
    assert set(only.ids) == {identity(1), OTHER}


def test_only_the_last_are_kept(tmp_path: Path) -> None:
    """However often is sent."""
    (tmp_path / "_kernel").mkdir()
    write(tmp_path, *(sent(number, "abcdef0123456789"[number % 16]) for number in range(1, 14)))
    assert [int(one.ids[0][:16], 16) for one in read_sent(tmp_path)] == list(range(14 - MOST_SENT, 14))


@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.text(max_size=3) | st.integers(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["version", "ids", "at", "based_on", "groups", "folder", "files", "tasks", "x"]),
                    inner,
                    max_size=6,
                )
            ),
            max_leaves=9,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_anything_else_is_no_state(data: bytes) -> None:
    """Nothing but `ValueError` for what somebody has damaged."""
    try:
        SentState.parse(data)
    except ValueError:
        return


def test_a_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    """The others are read."""
    (tmp_path / "_kernel").mkdir()
    write(tmp_path, sent(1))
    (tmp_path / SENT_FOLDER / "0.json").write_bytes(b"{")
    assert len(read_sent(tmp_path)) == 1


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="no symbolic links here")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither when reading nor when writing."""
    root, other = tmp_path / "walnut", tmp_path / "other"
    (root / "_kernel").mkdir(parents=True)
    (other / "sent").mkdir(parents=True)
    (root / "_kernel" / ".p2p").symlink_to(other, target_is_directory=True)
    assert read_sent(root) == []
    with pytest.raises(Exception, match="symbolic link"):
        write_sent(root, sent(1), [])
    assert list((other / "sent").iterdir()) == []


def test_the_newest_are_those_nothing_was_made_from() -> None:
    """A chain has one; two branches have two; a state that closes them is the only one."""
    first, second = sent(1).of("review"), sent(2, "b", onto=sent(1).ids).of("review")
    third = sent(3, "c", onto=sent(1).ids).of("review")
    both = sent(4, "d", onto=(*sent(2).ids, *sent(3).ids)).of("review")
    assert first is not None
    assert second is not None
    assert third is not None
    assert both is not None
    assert newest([first, second]) == [second]
    assert newest([first, second, third]) == [second, third]
    assert newest([first, both, second, third]) == [both]


def test_a_package_names_what_it_was_made_from() -> None:
    """What was received and what was sent of its bundles; not what was sent with just this content."""
    entry = {"import_id": OTHER, "files": {"review": {}}, "applied_bundles": ["review"]}
    ledger = Ledger.parse(json.dumps({"imports": [entry, {"import_id": "e" * 64, "files": {"other": {}}}]}).encode())
    was = [sent(1), sent(2, "b")]
    assert based_on(ledger, was, {"review": {"draft.md": "c" * 64}}) == tuple(sorted([OTHER, *was[0].ids, *was[1].ids]))
    assert based_on(ledger, was, {"review": {"draft.md": "b" * 64}}) == tuple(sorted([OTHER, *was[0].ids]))
    assert based_on(Ledger(), [], {"review": {}}) == ()


def test_the_ledger_forgets_old_lists_and_nothing_else() -> None:
    """Entries stay for good; the lists of files only of the last receives of a bundle."""
    ledger = Ledger()
    for number in range(LISTS_KEPT + 3):
        rows = {"review/draft.md": f"{number:064x}"}
        ledger = ledger.with_entry({"import_id": str(number), "files": {"review": rows}, "applied_bundles": ["review"]})
    ledger = Ledger.parse(ledger.serialise())
    assert [entry.import_id for entry in ledger.entries] == [str(n) for n in range(LISTS_KEPT + 3)]
    assert [bool(entry.files) for entry in ledger.entries] == [False, False] + [True] * (LISTS_KEPT + 1)
    row = ledger.entries[-1].files["review"]["review/draft.md"]
    assert (row.installed, row.installed_sha256) == ("review/draft.md", row.sha256)
