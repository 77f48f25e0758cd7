"""`_kernel/imports.json`: what was received here, kept whole whatever else is in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.walnut.ledger import BrokenLedgerError, InstalledFile, Ledger, is_walnut_id

OURS = "11111111-2222-4333-8444-555555555555"
THEIRS = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
ENTRY = {
    "import_id": "a" * 64,
    "format_version": "2.1.0",
    "scope": "bundle",
    "created": "2026-04-07T10:15:00Z",
    "applied_bundles": ["review", "safety"],
    "bundle_renames": {"review": "review-imported-20260407"},
    "source_walnut_id": THEIRS,
    "source_key_sha256": "b" * 64,
    "bundle_digests": {"review": "c" * 64},
    "files": {"review": {"notes.md": ["d" * 64, "review-imported-20260407/notes.md", "e" * 64]}},
    "ours to come": {"unknown": [1, None, {"x": "ü"}]},
}

_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.sampled_from([OURS, THEIRS, "a" * 64, "review"]),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*ENTRY, "walnut_id", "imports", "review", "x"]), inner, max_size=6),
    ),
    max_leaves=8,
)
_shaped = st.fixed_dictionaries(
    {},
    optional={
        "walnut_id": st.sampled_from([OURS, THEIRS]),
        "imports": st.lists(st.dictionaries(st.sampled_from(sorted(ENTRY)), _json, max_size=4), max_size=2),
        "later": _json,
    },
)


def parse(value: object) -> Ledger:
    return Ledger.parse(json.dumps(value).encode())


def test_an_entry_is_read() -> None:
    """Every field that a receive needs, and what is unknown is kept."""
    ledger = parse({"walnut_id": OURS, "imports": [ENTRY]})
    (entry,) = ledger.entries
    assert ledger.walnut_id == OURS
    assert (entry.import_id, entry.scope, entry.created) == ("a" * 64, "bundle", "2026-04-07T10:15:00Z")
    assert entry.applied_bundles == ("review", "safety")
    assert entry.folder_of("review") == "review-imported-20260407"
    assert entry.folder_of("safety") == "safety"
    assert entry.files == {
        "review": {"notes.md": InstalledFile("d" * 64, "review-imported-20260407/notes.md", "e" * 64)}
    }
    assert entry.raw == ENTRY
    assert ledger.known_walnut_ids() == {OURS, THEIRS}
    assert ledger.known_key_hashes() == {"b" * 64}


def test_no_file_is_an_empty_ledger() -> None:
    """A walnut that never received anything has none."""
    assert Ledger.parse(None) == Ledger()
    assert parse({}) == Ledger()
    assert Ledger().known_walnut_ids() == set()
    assert json.loads(Ledger().serialise()) == {"imports": []}


@given(_shaped)
def test_a_ledger_is_written_as_it_was_read(value: dict[str, Any]) -> None:
    """Unknown fields of the ledger and of its entries survive, also those of an unexpected type."""
    ledger = parse(value)
    assert json.loads(ledger.serialise()) == {"imports": [], **value}
    assert Ledger.parse(ledger.serialise()) == ledger
    grown = ledger.with_entry(ENTRY).with_walnut_id(OURS)
    assert json.loads(grown.serialise()) == {**value, "walnut_id": OURS, "imports": [*value.get("imports", []), ENTRY]}


@given(_json)
def test_any_json_is_a_ledger_or_a_broken_one(value: Any) -> None:
    """Nothing but `BrokenLedgerError` leaves, and what was read can be asked everything."""
    try:
        ledger = parse(value)
    except BrokenLedgerError:
        return
    ask_everything(ledger)


@given(st.one_of(st.binary(max_size=80), st.text('{}[]":,\\ud80imports1e9N', max_size=40).map(str.encode)))
def test_any_bytes_are_a_ledger_or_a_broken_one(data: bytes) -> None:
    """Also what is not JSON at all."""
    try:
        ledger = Ledger.parse(data)
    except BrokenLedgerError:
        return
    ask_everything(ledger)


def ask_everything(ledger: Ledger) -> None:
    assert all(is_walnut_id(ledger.walnut_id) for _ in [0] if ledger.walnut_id is not None)
    assert all(isinstance(one, str) for one in ledger.known_walnut_ids() | ledger.known_key_hashes())
    list(ledger.of_import("x"))
    ledger.last_of_bundle("review", None)
    for entry in ledger.entries:
        assert isinstance(entry.folder_of("review"), str)
        for rows in entry.files.values():
            assert all(isinstance(row, InstalledFile) for row in rows.values())
    assert Ledger.parse(ledger.serialise()).serialise() == ledger.serialise()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b'{"imports": null}',
        b'{"imports": {}}',
        b'{"imports": [1]}',
        b'{"imports": [{}, []]}',
        b"\xff\xfe{}",
        b'{"imports": [], "x": ' + b"9" * 5_000 + b"}",
        b'{"x": ' * 100_000,
        b"[" * 100_000,
    ],
)
def test_a_broken_ledger_says_so(data: bytes) -> None:
    """Cut off, of another shape, too deep or with numbers beyond reason: one error, with what is broken."""
    with pytest.raises(BrokenLedgerError, match=r"imports\.json"):
        Ledger.parse(data)


def test_a_byte_order_mark_is_no_obstacle() -> None:
    """Some editors write one."""
    assert Ledger.parse(b"\xef\xbb\xbf" + json.dumps({"imports": [ENTRY]}).encode()).entries[0].import_id == "a" * 64


def test_half_a_surrogate_pair_survives_being_written() -> None:
    """JSON may hold one as an escape; a ledger that was read must not be broken by writing it again."""
    ledger = Ledger.parse(b'{"imports": [], "x": "\\ud800"}')
    assert Ledger.parse(ledger.serialise()) == ledger


def test_an_id_in_capitals_is_not_lost() -> None:
    """Other programs write a UUID in capitals; losing it would make another walnut of this one."""
    assert parse({"walnut_id": THEIRS.upper(), "imports": []}).walnut_id == THEIRS
    for wrong in ("", "x", 5, [], OURS[1:]):
        with pytest.raises(BrokenLedgerError):
            parse({"walnut_id": wrong})
    assert parse({"walnut_id": None}).walnut_id is None


def test_the_latest_receive_of_a_bundle_is_found() -> None:
    """By its name in the package, from the same walnut where that is known."""
    first = {"import_id": "1", "applied_bundles": ["review"], "source_walnut_id": THEIRS}
    second = {"import_id": "2", "applied_bundles": ["review"], "source_walnut_id": OURS}
    old = {"import_id": "0", "applied_bundles": ["review"]}
    ledger = parse({"imports": [old, first, second, {"import_id": "3", "applied_bundles": ["other"]}]})

    def latest(bundle: str, walnut_id: str | None) -> str | None:
        entry = ledger.last_of_bundle(bundle, walnut_id)
        return entry and entry.import_id

    assert latest("review", None) == "2"
    assert latest("review", OURS) == "2"
    assert latest("review", THEIRS) == "1"
    assert latest("review", "another") == "0"
    assert latest("missing", None) is None
    assert [entry.import_id for entry in ledger.of_import("1")] == ["1"]


def test_fields_of_an_unexpected_type_count_as_absent() -> None:
    """One wrong field does not spoil the others."""
    wrong = {
        "import_id": 5,
        "scope": None,
        "applied_bundles": ["a", 1, None, ["b"]],
        "bundle_renames": {"a": 1, "b": "c"},
        "source_walnut_id": [],
        "bundle_digests": "x",
        "files": {"a": {"f": ["1", "2"], "g": ["1", "2", "3"], "h": ["1", 2, "3"], "i": "123"}, "b": []},
    }
    (entry,) = parse({"imports": [wrong]}).entries
    assert entry.import_id == ""
    assert entry.applied_bundles == ("a",)
    assert entry.bundle_renames == {"b": "c"}
    assert entry.source_walnut_id is None
    assert entry.bundle_digests == {}
    assert entry.files == {"a": {"g": InstalledFile("1", "2", "3")}, "b": {}}


@pytest.mark.parametrize(
    "value", [None, 1, "", OURS + "\n", OURS[:-1], OURS.replace("-", ""), "{" + OURS + "}", [OURS]]
)
def test_what_is_no_walnut_id(value: object) -> None:
    """Only the usual form of a UUID."""
    assert not is_walnut_id(value)
    assert is_walnut_id(OURS)
