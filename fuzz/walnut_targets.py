"""Files of a walnut that a person or another program wrote: log, frontmatter, ledger, tasks, keys to be reduced."""

import json
import re
import shutil

from alive_p2p import safe_yaml
from alive_p2p.receiving.migration import LEFTOVERS, convert_task_lists, convert_tasks, decide_list, look_at_list
from alive_p2p.safe_yaml import RELAXED, UnsafeYamlError
from alive_p2p.sharing.reduced_key import KEPT_FIELDS, REDUCED_MARK, reduced_key
from alive_p2p.sharing.stubs import manifest_from_companion
from alive_p2p.transactions.journal import JOURNAL, Journal
from alive_p2p.walnut import frontmatter, kernel
from alive_p2p.walnut.key import read_key
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.log import ImportRecord, has_entry, has_import, with_entry
from alive_p2p.walnut.markdown import Fence, line_ending, split_lines
from alive_p2p.walnut.sessions import SESSIONS, without_active_sessions
from alive_p2p.walnut.tasks import count_tasks, read_tasks
from fuzz.surroundings import Target, certain, folder, placed

RECORD = ImportRecord(
    at="2026-04-07T10:16:00Z",
    session="abc123",
    sender="ben",
    scope="bundle",
    bundles=("shielding-review", "safety"),
    source_layout="v3",
    import_id="a1b2c3d4e5f67890" + "0" * 48,
)


def log_entry(data: bytes) -> None:
    """The entry is there once more than before, and every byte but two values of the frontmatter stays."""
    edited = with_entry(data, RECORD)
    assert has_entry(edited, RECORD)
    assert has_import(edited, RECORD.import_id)
    before = frontmatter.read(data)
    after = frontmatter.read(edited) if before.is_present else before  # a block that was never closed may be now
    ending = line_ending(edited.decode("utf-8", "surrogateescape"))
    entry = RECORD.render().replace("\n", ending).encode()
    old, new = data[before.body :], edited[after.body :]
    # The entry is one stretch of the body, and only line ends may stand before it that were not there.
    start, end = _common(old, new)
    inserted = new[start : len(new) - end]
    assert start + end == len(old)
    assert len(inserted) >= len(entry)
    assert new.count(entry) == old.count(entry) + 1
    at = next(
        found
        for found in _places(new, entry)
        if old == new[: found - len(_gap(new, found, old))] + new[found + len(entry) :]
    )
    assert not new[at - len(_gap(new, at, old)) : at].strip()
    # The frontmatter has the same lines, of which two may have another value.
    head_before, head_after = data[: before.body].splitlines(), edited[: after.body].splitlines()
    assert len(head_before) == len(head_after)
    for one, other in zip(head_before, head_after, strict=True):
        if one != other:
            assert other.split(b":")[0].strip(b"'\"\t ") in {b"last-entry", b"entry-count"}
    changed = {name for name in after.fields if after.fields[name] != before.fields.get(name)}
    assert changed <= {"last-entry", "entry-count"} or repr(after.fields) == repr(before.fields)


def _common(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes they have in common at the beginning, and besides at the end."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end


def _places(data: bytes, part: bytes) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(part), data)]


def _gap(new: bytes, at: int, old: bytes) -> bytes:
    """What was put between a text and an entry behind it: nothing where the entry stands before something."""
    return new[len(old) : at] if new[:at].startswith(old) else b""


_EDITS = (("last-entry", RECORD.at), ("entry-count", "12"), ("summary", "done"))


def frontmatter_scalar(data: bytes) -> None:
    """One value changes in one place; what a reader sees changes nowhere else; doing it again changes nothing."""
    before = frontmatter.read(data)
    for key, value in _EDITS:
        edited = frontmatter.set_scalar(data, key, value)
        if edited is None:
            continue
        start, end = _common(data, edited)
        assert b"\n" not in data[start : len(data) - end]
        assert len(edited) - start - end <= len(value) + 3
        after = frontmatter.read(edited)
        assert after.problem is None
        assert str(after.fields[key]) == value
        others = {name: found for name, found in after.fields.items() if name != key}
        assert repr(others) == repr({name: found for name, found in before.fields.items() if name != key})
        assert edited[after.body :] == data[before.body :]
        assert frontmatter.set_scalar(edited, key, value) == edited


def yaml_relaxed(data: bytes) -> None:
    """What is read is of plain types, as the library's own plain loader has it, and every key stands on a line."""
    import yaml

    text = safe_yaml.decode(data)
    document = safe_yaml.load(text, RELAXED)
    library = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506  (builds nothing but texts, lists and mappings)
    assert _as_texts(document.value) == _as_texts(library)
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029") + 1
    assert all(1 <= line <= lines for line in document.lines.values())
    try:
        covered = safe_yaml.top_level_lines(text)
    except UnsafeYamlError:
        return
    if covered:
        assert isinstance(document.value, dict)
        assert covered.keys() == document.value.keys()
        assert all(0 <= first <= last < lines for first, last in covered.values())


def _as_texts(value: object) -> object:
    """The shape of a document, with the texts that no rule can have changed."""
    if isinstance(value, dict):
        return {str(key): _as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_texts(inner) for inner in value]
    is_changed = not isinstance(value, str) or re.fullmatch(r"[-+.0-9eE]*|~|[A-Za-z]{2,5}", value)
    return None if is_changed else value


def reduced(data: bytes) -> None:
    """A reduced key has only the fields that are kept, reduces to itself, and never holds the people."""
    once = reduced_key(read_key(data), "nova")
    block = frontmatter.read(once)
    assert block.is_present
    assert block.problem is None
    assert set(block.fields) <= set(KEPT_FIELDS)
    assert once.count(REDUCED_MARK.encode()) == 1
    assert reduced_key(read_key(once), "elsewhere") == once
    assert read_key(once).sensitivity is read_key(data).sensitivity
    _without_people(data)


PEOPLE = b"\npeople:\n  - name: Quill Quillson\n    email: quill@quill.example\nlinks: [quill.example]\n---\n"
SECTION = b"\n\n## People\n\n- Quill Quillson (quill@quill.example)\n"


def _without_people(data: bytes) -> None:
    """Of any frontmatter and any body around a list of people, nothing of these people is kept."""
    if b"quill" in data.replace(b"\0", b"").lower():
        return
    head, _, body = data.removeprefix(b"---\n").partition(b"\n---\n")
    if any(line.rstrip() in (b"---", b"...") for line in head.split(b"\n")):
        return  # the people would stand in the body, as text like any other
    key = reduced_key(read_key(b"---\n" + head + PEOPLE + body + SECTION), "nova")
    assert b"quill" not in key.replace(b"\0", b"").lower(), key


SESSION_LIST = b"\nactive_sessions:\n  - quill: 1\n    note: quill\n"


def active_sessions(data: bytes) -> None:
    """What is taken out is the field and nothing else, wherever the field is written; or it is refused."""
    companion = b"---\n" + data.removeprefix(b"---\n")
    with certain("a companion cannot be read"):
        made = manifest_from_companion(companion, "review")
        assert isinstance(safe_yaml.load_mapping(made).value, dict)
    edited = without_active_sessions(data, "review/context.manifest.yaml")
    _check_removal(data, edited)
    if b"quill" in data.replace(b"\0", b"").lower() or re.search(rb"[\n\r](---|\.\.\.)", b"\n" + data):
        return
    planted = without_active_sessions(data + SESSION_LIST, "review/context.manifest.yaml")
    assert b"quill" not in planted, planted
    _check_removal(data + SESSION_LIST, planted)
    inside = b"---\n" + data + SESSION_LIST + b"---\nbody\n"
    assert b"quill" not in without_active_sessions(inside, "review/companion.md")


def _check_removal(data: bytes, edited: bytes) -> None:
    left = iter(split_lines(data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")))
    for line in split_lines(edited.decode("utf-8", "surrogateescape").removeprefix("\ufeff")):
        assert line in left  # in the same order, none made up
    with certain("what was edited cannot be edited again"):
        assert without_active_sessions(edited, "review/context.manifest.yaml") == edited
    if edited == data:
        return
    before, after = safe_yaml.load_mapping(data).value, safe_yaml.load_mapping(edited).value
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    kept = {name: value for name, value in before.items() if name.strip().casefold() != SESSIONS}
    assert repr(after) == repr(kept)


def ledger(data: bytes) -> None:
    """What is read is stored and read again as the same; nothing that was in it is lost."""
    parsed = Ledger.parse(data)
    with certain("a ledger that was read cannot be stored and read again"):
        stored = parsed.serialise()
        again = Ledger.parse(stored)
    assert again.serialise() == stored
    assert len(again.entries) == len(parsed.entries)
    assert repr(again) == repr(parsed)
    more = parsed.with_entry({"import_id": "f" * 64, "applied_bundles": ["review"]})
    assert Ledger.parse(more.serialise()).entries[-1].import_id == "f" * 64
    assert more.last_of_bundle("review", None) is not None
    for used in (parsed.known_walnut_ids(), parsed.known_key_hashes(), parsed.original_names()):
        assert all(isinstance(one, str) for one in used)
    for entry in parsed.entries:
        assert list(parsed.of_import(entry.import_id))
        assert all(isinstance(entry.folder_of(name), str) for name in entry.applied_bundles)


def journal(data: bytes) -> None:
    """A journal is obeyed only where its paths stay inside and can be paths; written again it is the same."""
    staging = folder() / "staging"
    placed(f"staging/{JOURNAL}", data)
    read = Journal.read(staging)
    assert read is not None
    assert read.target.is_absolute()
    for operation in read.operations:
        for path in filter(None, (operation.src, operation.dst, operation.rest)):
            assert not path.startswith("/")
            assert ".." not in path.split("/")
    with certain("a journal that was read cannot be written and read again"):
        read.write()
        again = Journal.read(staging)
    assert repr(again) == repr(read)


def tasks_json(data: bytes) -> None:
    """Every task is counted once, whatever its fields are."""
    try:
        tasks = read_tasks(data)
    except ValueError:
        return
    counts = count_tasks(tasks)
    assert sum(counts.as_dict().values()) == len(tasks)
    assert counts.describe()


def tasks_migration(data: bytes) -> None:
    """Nothing is lost: each line that is not blank becomes a task with its words, or stays as it is."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    converted = convert_tasks(text, "review")
    kept = split_lines(converted.leftovers)
    tasks = iter(converted.tasks)
    fence = Fence(in_lists=True)
    for line in split_lines(text):
        is_code = fence.takes(line.rstrip("\r\n"))
        if not line.strip():
            continue
        if kept and kept[0] == line and (is_code or not re.match(r"[ \t]*[-*][ \t]+\[[ ~xX]\][ \t]+\S", line)):
            kept.pop(0)
            continue
        task = next(tasks)
        assert not is_code
        words = [*task["title"].split(), *([f"@{task['session']}"] if task["session"] is not None else [])]
        assert line.split("]", 1)[1].split() == words
    assert not kept
    assert not list(tasks)
    _migrate_on_disk(data)


def _migrate_on_disk(data: bytes) -> None:
    tree = folder() / "tree"
    placed(f"tree/review/{kernel.V2_BUNDLE_TASKS}", data)
    try:
        with certain("a task list cannot be migrated"):
            fate = decide_list("review", [kernel.V2_BUNDLE_TASKS], look_at_list(data))
            convert_task_lists(tree, ["review"] if fate.action else [])
        here = {path.name: path.read_bytes() for path in (tree / "review").iterdir()}
        if not fate.action:
            assert here == {kernel.V2_BUNDLE_TASKS: data}
            return
        expected = convert_tasks(data.decode("utf-8"), "review")
        assert json.loads(here.pop("tasks.json"))["tasks"] == list(expected.tasks)
        assert here == ({LEFTOVERS: expected.leftovers.encode()} if expected.leftovers else {})
    finally:
        shutil.rmtree(tree)


_YAML_WORDS = (
    b"---\n", b"...\n", b"\n---\n", b": ", b"- ", b"? ", b"|\n", b">-\n", b"'", b'"', b"{", b"}", b"[", b"]", b" #",
    b"\\u2028", b"\xe2\x80\xa8", b"\xc2\x85", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\t", b"<<: ", b"&a ", b"*a", b"!!str ",
    b"null", b"1_0", b"0o7", b".inf", b"%YAML 1.1\n",
)  # fmt: skip
_MARKDOWN_WORDS = (
    b"## ", b"# ", b"\n===\n", b"\n---\n", b"```\n", b"~~~\n", b"<!--", b"-->", b"<h2>", b"[a]: ", b"> ", b"mailto:",
    b"@", b"\xef\xbc\xa0", b"&#64;",
)  # fmt: skip
_KEY_WORDS = (
    b"type: ", b"name: ", b"goal: ", b"created: ", b"rhythm: ", b"tags: [", b"sensitivity: restricted\n", b"open",
)  # fmt: skip
_LOG_WORDS = (b"last-entry: ", b"entry-count: ", b"summary: ", b"'last-entry': ", b"## 2026-01-01T00:00:00Z - ")
_LEDGER_WORDS = (
    b'"walnut_id": "', b"01234567-89ab-cdef-0123-456789abcdef", b'"imports": [', b'"import_id": "',
    b'"applied_bundles": [', b'"bundle_renames": {', b'"files": {', b'"source_walnut_id": ', b'["a", "b", "c"]',
    b"NaN", b"1e999", b'"\\ud800"', b'"\\u0000"', b"null", b"{}", b"[]", b"\xef\xbb\xbf", b"[" * 64, b"]" * 64,
)  # fmt: skip
_JOURNAL_WORDS = (
    b'"version": 1', b'"state": "prepared"', b'"committing"', b'"done"', b'"target": "/', b'"import_id": "',
    b'"operations": [', b'"records": {', b'"src": "', b'"dst": "', b'"new_sha256": ', b'"old_sha256": ', b'"rest": ',
    b"../", b'"\\u0000"', b'"\\ud800"', b"null", b"a" * 64, b"[" * 64, b"]" * 64,
)  # fmt: skip
_TASK_WORDS = (b"- [ ] ", b"* [x] ", b"- [~] ", b"@ben", b"```", b"~~~", b"\xc2\xa0", b"\xe2\x80\xa8", b"\x0b", b"\x1c")

TARGETS = (
    Target("log-entry", log_entry, (*_LOG_WORDS, *_YAML_WORDS, *_MARKDOWN_WORDS)),
    Target("frontmatter-scalar", frontmatter_scalar, (*_LOG_WORDS, *_YAML_WORDS)),
    Target("yaml-relaxed", yaml_relaxed, _YAML_WORDS),
    Target("reduced-key", reduced, (*_KEY_WORDS, *_YAML_WORDS, *_MARKDOWN_WORDS)),
    Target("active-sessions", active_sessions, (b"active_sessions:", b"Active_Sessions", *_YAML_WORDS)),
    Target("ledger", ledger, _LEDGER_WORDS),
    Target("journal", journal, _JOURNAL_WORDS),
    Target("tasks-json", tasks_json, (b'"tasks": [', b'"status": "', b'"priority": "urgent"', *_LEDGER_WORDS)),
    Target("tasks-migration", tasks_migration, _TASK_WORDS),
)
