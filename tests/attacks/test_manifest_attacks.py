"""Manifests that attack the receiver: every field missing, doubled, of another type; lists, scopes and names that lie.

The archive around them is exactly what they list, and `payload_sha256` is made right again, so that only the rule in
question stands against them (format.md §2, receive.md §3).
"""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from arena import Arena, Ended
from forging import BUNDLE, FULL, KEY, MANIFEST, SNAPSHOT, V2, Draft, Raw, entry, sha256

_REQUIRED = ("format_version", "created", "scope", "source", "payload_sha256", "files")
_OPTIONAL = (
    "source_layout",
    "min_plugin_version",
    "sender",
    "description",
    "note",
    "sensitivity",
    "exclusions_applied",
    "substitutions_applied",
    "executables",
    "empty_dirs",
    "encryption",
)
_LISTS = frozenset(["files", "exclusions_applied", "substitutions_applied", "executables", "empty_dirs", "bundles"])
_TEXT = "some text"
_TYPES: dict[str, object] = {
    "text": _TEXT,
    "empty-text": "",
    "number": 7,
    "huge-number": Raw("9" * 4000),
    "negative-number": Raw("-1"),
    "fraction": Raw("1.5"),
    "exponent": Raw("1e400"),
    "octal": Raw("0o17"),
    "underscored": Raw("1_000"),
    "infinity": Raw(".inf"),
    "null": None,
    "nothing-at-all": Raw(""),
    "true": True,
    "yes": Raw("yes"),
    "date": Raw("2026-04-07"),
    "plain-text": Raw("full"),
    "empty-list": [],
    "list-of-texts": ["a", "b"],
    "list-of-lists": [["a"], [["b"]]],
    "list-of-numbers": [1, 2],
    "empty-mapping": {},
    "mapping": {"path": "a", "reason": "b"},
    "deep": {"a": {"b": {"c": {"d": {"e": "f"}}}}},
    "flow-list": Raw("[a, b]"),
    "flow-mapping": Raw("{a: b}"),
    "anchor": Raw('&a "x"'),
    "alias": Raw("*a"),
    "tag": Raw('!!python/object/apply:os.system ["true"]'),
    "binary-tag": Raw('!!binary "AAAA"'),
    "block-text": Raw("|\n  a\n  b"),
    "folded-text": Raw(">\n  a\n  b"),
    "two-lines": Raw('"a\n  b"'),
    "escaped-line-feed": "a\nb",
    "escaped-control": "\x1b[2J",
    "escaped-zero": "a\0b",
    "escaped-surrogate": "\ud800",
    "line-separator": "a\u2028b",
    "two-values": Raw('"a" "b"'),
    "merge": Raw("{<<: *a}"),
}
_ALWAYS_REFUSED = frozenset(_TYPES) - {
    "text",
    "empty-text",
    "number",
    "empty-list",
    "list-of-texts",
    "list-of-lists",
    "list-of-numbers",
    "empty-mapping",
    "mapping",
    "yes",
    "plain-text",
}
"""What no field may hold: the others are the right type somewhere."""


def _receive(arena: Arena, draft: Draft) -> Ended:
    return arena.receive(draft.package(), scope=draft.get("scope"))


def _refused(arena: Arena, draft: Draft, *codes: str) -> None:
    ended = _receive(arena, draft)
    assert ended.code in (codes or ("bad-manifest",)), ended


# --- fields ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _REQUIRED)
def test_a_manifest_without_a_field_that_is_required_is_refused(arena: Arena, name: str) -> None:
    """Each of the six on its own, and all of them together."""
    draft = Draft()
    draft.remove(name)
    _refused(arena, draft)
    for other in _REQUIRED:
        draft.remove(other)
    _refused(arena, draft)


@pytest.mark.parametrize("name", _OPTIONAL)
def test_a_manifest_without_a_field_that_is_optional_is_received(arena: Arena, name: str) -> None:
    """Packages of other implementations leave some of them out."""
    draft = Draft()
    draft.remove(name)
    assert _receive(arena, draft).accepted


@pytest.mark.parametrize("name", [*_REQUIRED, *_OPTIONAL, "bundles"])
def test_a_field_that_is_there_twice_is_refused(arena: Arena, name: str) -> None:
    """With the same value or another, right behind the first or at the end: two readers could choose differently."""
    for same, far in itertools.product((True, False), (True, False)):
        draft = Draft.of_bundles() if name == "bundles" else Draft()
        at = [n for n, _ in draft.fields].index(name)
        second = (name, draft.get(name) if same else _TEXT)
        draft.fields.insert(len(draft.fields) if far else at + 1, second)
        assert not _receive(arena, draft).accepted


@pytest.mark.parametrize("name", [*_REQUIRED, *_OPTIONAL, "bundles", "signature"])
def test_a_field_of_another_type_is_refused(arena: Arena, name: str) -> None:
    """Every type of YAML in every place; accepted only where the value is one that the field may have."""
    for kind, value in _TYPES.items():
        draft = Draft.of_bundles() if name == "bundles" else Draft()
        draft.set(name, value)
        draft.rehash = name != "payload_sha256"
        ended = _receive(arena, draft)
        if name == "source" and isinstance(value, dict) and kind != "deep":
            assert ended.accepted
        elif kind in _ALWAYS_REFUSED or name in _REQUIRED or name in {"bundles", "signature"}:
            assert not ended.accepted, (name, kind)
        elif ended.accepted:
            is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
            assert is_list if name in _LISTS else isinstance(value, str), (name, kind)


@pytest.mark.parametrize("place", ["top", "source", "entry", "below"])
@pytest.mark.parametrize("kind", sorted(_ALWAYS_REFUSED))
def test_a_field_that_nobody_knows_obeys_the_same_rules(arena: Arena, place: str, kind: str) -> None:
    """Unknown fields survive and take part in the id, so what may not stand anywhere may not stand there either."""
    draft = Draft()
    value = _TYPES[kind]
    if place == "top":
        draft.set("unknown", value)
    elif place == "source":
        draft.set("source", {**draft.get("source"), "unknown": value})
    elif place == "entry":
        first, *others = draft.get("files")
        draft.set("files", [{**first, "unknown": value}, *others])
    else:
        draft.set("unknown", {"list": [value]})
    _refused(arena, draft)


def test_unknown_fields_of_the_right_kind_are_received(arena: Arena) -> None:
    """Also with names that mean something to JavaScript, Python or a shell."""
    draft = Draft()
    for name in ("__proto__", "constructor", "__class__", "$HOME", "a b", "é", "-", "k" * 255, "0"):
        draft.set(name, {"x": ["y", 0, 2**63 - 1]})
    assert _receive(arena, draft).accepted


@pytest.mark.parametrize("name", ["", "k" * 256, "a\nb", "\x1b[2J", "<<", "k" * 2000])
def test_a_field_whose_name_is_not_one_short_line_is_refused(arena: Arena, name: str) -> None:
    """The merge key in quotes is an ordinary name; the empty one and the longest that is allowed are as well."""
    draft = Draft()
    draft.set(name, _TEXT)
    assert _receive(arena, draft).accepted == (name in {"", "<<"})


@pytest.mark.parametrize("name", ["description", "note", "sender", "min_plugin_version", "source_layout"])
def test_a_text_that_is_far_too_long_does_no_harm(arena: Arena, name: str) -> None:
    """A megabyte on one line is refused or received, and what is kept of it in log and ledger is short."""
    draft = Draft()
    draft.set(name, "x" * (1 << 20))
    ended = _receive(arena, draft)
    assert len(ended.installed.get("_kernel/log.md", b"")) < 10_000


@pytest.mark.parametrize(
    "version", ["3.0.0", "1.0.0", "2", "2.", "2.1.0.0", "2.-1", " 2.1.0", "2.1.0\n", "٢.1.0", "20.1", ""]
)
def test_another_version_is_refused(arena: Arena, version: str) -> None:
    """Other generations by their number, and what is no version at all."""
    _refused(arena, Draft(format_version=version), "unsupported-version", "bad-manifest")


@pytest.mark.parametrize(
    "created",
    [
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-04-07T24:00:00Z",
        "2026-04-07T10:15:61Z",
        "2026-04-07 10:15:00",
        "2026-04-07T10:15:00+00:00",
        "２026-04-07T10:15:00Z",
        "../../evil",
        "",
    ],
)
def test_a_time_that_never_was_is_refused(arena: Arena, created: str) -> None:
    """Days and hours that do not exist, and every other form."""
    _refused(arena, Draft(created=created))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0",
        b"- a\n- b\n",
        b'"a text"\n',
        b"7\n",
        b"[]\n",
        b"{}\n",
        b"---\n",
        b"# nothing\n",
        b"%YAML 1.1\n---\n",
        b"\xff\xfe" + "format_version: x\n".encode("utf-16-le"),
        b"format_version: \xff\n",
        b"\xef\xbb\xbf\xef\xbb\xbfa: 0\n",
        b"? a\n: 0\n? [b]\n: 0\n",
        b"<html></html>\n",
        b'{"format_version": "2.1.0"}\n',
        b"a: 0\n\tb: 0\n",
        b"a: 0\n...\nb: 0\n",
        b"\x85a: 0\n",
    ],
)
def test_what_is_no_mapping_of_fields_is_refused(arena: Arena, text: bytes) -> None:
    """Whatever stands where the manifest should."""
    draft = Draft()
    draft.manifest_text = text
    _refused(arena, draft)


# --- the list of files ----------------------------------------------------------------------------------------


def _with_entry(**changes: object) -> Draft:
    """The entry of `notes.md` with some of its fields changed, or gone where they are None."""
    draft = Draft()
    changed = {**entry("notes.md", FULL["notes.md"]), **changes}
    kept = {name: value for name, value in changed.items() if value is not None}
    draft.set("files", [kept if one["path"] == "notes.md" else one for one in draft.get("files")])
    return draft


_NOTES = sha256(FULL["notes.md"])
_BAD_ENTRIES: dict[str, dict[str, object]] = {
    "no-path": {"path": None},
    "no-hash": {"sha256": None},
    "no-size": {"size": None},
    "number-as-path": {"path": 7},
    "list-as-path": {"path": ["notes.md"]},
    "number-as-hash": {"sha256": 7},
    "text-as-size": {"size": "9"},
    "list-as-size": {"size": [9]},
    "fraction-as-size": {"size": Raw("9.0")},
    "size-with-zeros": {"size": Raw("009")},
    "size-with-plus": {"size": Raw("+9")},
    "negative-size": {"size": Raw("-9")},
    "size-beyond-64-bits": {"size": 1 << 64},
    "size-of-8-eb": {"size": (1 << 63) - 1},
    "size-of-600-mib": {"size": 600 << 20},
    "size-one-more": {"size": 10},
    "size-one-less": {"size": 8},
    "other-hash": {"sha256": sha256(b"other")},
    "hash-in-capitals": {"sha256": _NOTES.upper()},
    "short-hash": {"sha256": _NOTES[:63]},
    "long-hash": {"sha256": _NOTES + "0"},
    "hash-with-a-space": {"sha256": _NOTES + " "},
    "hash-of-wide-digits": {"sha256": "０" * 64},
    "empty-hash": {"sha256": ""},
    "path-out": {"path": "../evil.md"},
    "path-absolute": {"path": "/etc/passwd"},
    "path-drive": {"path": "C:evil"},
    "path-with-dot": {"path": "./notes.md"},
    "path-in-capitals": {"path": "NOTES.md"},
    "path-with-slash": {"path": "notes.md/"},
    "path-empty": {"path": ""},
    "path-of-the-manifest": {"path": MANIFEST},
    "path-of-another": {"path": "run.sh"},
    "path-of-staging": {"path": ".alive-receive-x/notes.md"},
    "path-too-long": {"path": "e" * 5000},
    "path-with-escape-code": {"path": "\x1b]0;evil\x07"},
}


@pytest.mark.parametrize("name", _BAD_ENTRIES)
def test_an_entry_that_is_not_what_is_there_is_refused(arena: Arena, name: str) -> None:
    """One field of one entry, everything else as it should be."""
    _refused(arena, _with_entry(**_BAD_ENTRIES[name]), "bad-manifest", "altered")


def test_entries_that_are_no_entries_are_refused(arena: Arena) -> None:
    """Texts, numbers, lists, and an entry beside the right ones."""
    for odd in ("notes.md", 7, ["notes.md"], [], {}, {"path": "x"}):
        draft = Draft()
        draft.set("files", [*draft.get("files"), odd])
        _refused(arena, draft)


def test_a_list_of_files_in_any_order_is_the_same_package(arena: Arena) -> None:
    """The order on disk means nothing; each entry may know more than we do."""
    draft = Draft()
    draft.set("files", [{**one, "more": "x"} for one in reversed(draft.get("files"))])
    assert _receive(arena, draft).accepted


def test_a_payload_hash_that_does_not_match_is_refused(arena: Arena) -> None:
    """Of another list, in capitals, empty or of no length at all."""
    for value in (sha256(b""), sha256(b"").upper(), "", "0" * 64, "0" * 63):
        draft = Draft(payload_sha256=value)
        draft.rehash = False
        _refused(arena, draft)


@pytest.mark.parametrize("name", ["executables", "empty_dirs"])
@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "/etc",
        "C:",
        "",
        ".",
        "nobody",
        "notes.md/x",
        MANIFEST,
        f"{MANIFEST}/x",
        ".alive-receive-x",
        "a//b",
        "a\\b",
    ],
)
def test_executables_and_empty_folders_name_only_what_they_can(arena: Arena, name: str, path: str) -> None:
    """A listed file, and a folder that may exist; anything else is refused. A folder that is new is simply made."""
    draft = Draft()
    draft.set(name, [path])
    if (name, path) == ("empty_dirs", "nobody"):
        assert "nobody/" in _receive(arena, draft).installed
    else:
        _refused(arena, draft)


def test_an_empty_folder_in_the_kernel_is_refused_and_one_in_git_is_dropped(arena: Arena) -> None:
    """The rules for files hold for folders, whether the manifest names them or the archive alone has them."""
    for path, is_refused in (("_kernel/evil", True), ("_Kernel", True), (".git/hooks", False), ("x/.alive", False)):
        named, there = Draft(empty_dirs=[path]), Draft()
        there.remove("empty_dirs")
        there.add(path, b"", kind=b"5", listed=False)
        for draft in (named, there):
            ended = _receive(arena, draft)
            assert ended.code == "bad-shape" if is_refused else ended.accepted
            assert not any(path.casefold() in found for found in ended.installed)


def test_a_manifest_cannot_make_the_key_disappear(arena: Arena) -> None:
    """Whatever is claimed to be the primer, only the two names that a primer has are left out."""
    for path in ("_kernel/key.md", "notes.md", "review/context.manifest.yaml", "../../evil.md"):
        ended = _receive(arena, Draft(substitutions_applied=[{"path": path, "reason": "package-readme"}]))
        assert ended.accepted
        assert FULL.keys() <= ended.installed.keys()


# --- scopes and shapes ----------------------------------------------------------------------------------------

_TREES = {"full": FULL, "bundle": BUNDLE, "snapshot": SNAPSHOT}


@pytest.mark.parametrize("tree", _TREES)
@pytest.mark.parametrize("scope", [*_TREES, "FULL", "update", "", "../full"])
def test_a_package_with_another_scope_than_its_shape_is_refused(arena: Arena, tree: str, scope: str) -> None:
    """Only a full walnut may hold less than it could; a bundle or a snapshot with more in it is refused."""
    draft = Draft(_TREES[tree], tree)
    draft.set("scope", scope)
    ended = _receive(arena, draft)
    assert ended.accepted == (scope in {tree, "full"}), ended


@pytest.mark.parametrize("tree", _TREES)
def test_a_package_without_its_key_is_refused(arena: Arena, tree: str) -> None:
    """Every scope needs it, under exactly its name."""
    without = {path: content for path, content in _TREES[tree].items() if path != "_kernel/key.md"}
    for files in (without, {**without, "_kernel/KEY.md": KEY}, {**without, "key.md": KEY}):
        assert not _receive(arena, Draft(files, tree)).accepted


@pytest.mark.parametrize(
    "extra",
    [
        "evil.md",
        "evil/x.md",
        "_kernel/log.md",
        "_kernel/insights.md",
        "_kernel/history/x.md",
        "bundles/x.md",
        "REVIEW/x.md",
    ],
)
def test_a_bundle_package_with_anything_besides_its_bundles_is_refused(arena: Arena, extra: str) -> None:
    """It would be installed into a walnut that is there already."""
    draft = Draft.of_bundles()
    draft.add(extra)
    _refused(arena, draft, "bad-shape")


_BAD_BUNDLES = (
    "_kernel",
    "_KERNEL",
    "_\u212aernel",
    "bundles",
    "Bundles",
    "_core",
    "_CORE",
    ".x",
    ".git",
    ".alive-receive-x",
    ".",
    "..",
    "",
    "/",
    "a/b",
    "review/raw",
    "../nova",
    "/etc",
    "a\\b",
    "C:",
    "a\nb",
    "a\u202eb",
    "a\u200bb",
    "e" * 256,
    "\x1b[2J",
)


@pytest.mark.parametrize("name", _BAD_BUNDLES)
def test_a_bundle_with_a_name_that_is_not_its_own_to_take_is_refused(arena: Arena, name: str) -> None:
    """Reserved names in any case, hidden ones, paths, and what no name may hold; with and without such a folder."""
    named = Draft.of_bundles(bundles=["review", "window", name])
    there = Draft.of_bundles(bundles=["review", "window", name])
    there.add(f"{name}/context.manifest.yaml", b"goal: evil\n")
    for draft in (named, there):
        _refused(arena, draft, "bad-manifest", "unsafe-member", "bad-shape")


@pytest.mark.parametrize(
    "name", ["-rf", "$(touch evil)", "%s", "~", "raw", "01_Archive", "imports.json", "é", " ", "ab:c"]
)
def test_a_bundle_with_an_odd_name_arrives_under_it(arena: Arena, name: str) -> None:
    """What only looks dangerous is a name like any other."""
    tree = {"_kernel/key.md": KEY, f"{name}/context.manifest.yaml": b"goal: odd\n"}
    ended = _receive(arena, Draft(tree, "bundle"))
    assert ended.accepted, ended.error
    assert ended.installed[f"{name}/context.manifest.yaml"] == b"goal: odd\n"


@pytest.mark.parametrize(
    "bundles",
    [
        [],
        ["review"],
        ["review", "window", "third"],
        ["review", "review", "window"],
        ["Review", "window"],
        ["window", 7],
    ],
)
def test_a_bundle_package_that_names_other_bundles_than_it_holds_is_refused(arena: Arena, bundles: list[Any]) -> None:
    """None, too few, too many, one twice, in another case, and a number."""
    _refused(arena, Draft.of_bundles(bundles=bundles), "bad-manifest", "bad-shape")


def test_bundles_never_take_the_place_of_what_is_there(arena: Arena) -> None:
    """Not of a bundle, not of a file, and under every name of the kernel; the walnut stays as it is."""
    for name in ("launch", "notes.md"):
        tree = {"_kernel/key.md": KEY, f"{name}/context.manifest.yaml": b"goal: evil\n"}
        _refused(arena, Draft(tree, "bundle"), "name-taken")
        ended = arena.receive(Draft(tree, "bundle").package(), scope="bundle", rename=True)
        assert ended.accepted
        assert ended.installed["notes.md"] == b"mine\n"


def test_bundles_of_another_walnut_are_refused_whatever_they_claim(arena: Arena) -> None:
    """Another key, with ids and hashes that are wrong, malformed, or of nobody."""
    tree = {**BUNDLE, "_kernel/key.md": b"---\ntype: venture\n---\n# Another\n"}
    for more in ({}, {"walnut_id": "0b8f1c5e-93b4-4d6a-8a7c-3f1d2e4b5a69"}, {"key_sha256": "0" * 64}):
        _refused(arena, Draft(tree, "bundle", source={"walnut": "nova", **more}), "other-walnut")
    for bad in ({"walnut_id": "*"}, {"walnut_id": ["x"]}, {"key_sha256": ""}, {"key_sha256": 7}, {"walnut": ["nova"]}):
        _refused(arena, Draft(BUNDLE, "bundle", source={"walnut": "nova", **bad}))


@pytest.mark.parametrize(
    "walnut", ["..", ".", "", "/etc", "a/b", "../../evil", "C:x", "CON", ".hidden", "a\\b", "x" * 300, "x "]
)
def test_a_walnut_name_never_leads_out_of_the_inbox(arena: Arena, walnut: str) -> None:
    """Without `--target` the name in the package would be the folder's name: used only if it is one safe segment."""
    arena.package.write_bytes(Draft(source={"walnut": walnut}).package())
    before = arena.look()
    assert arena.receive(None, into_inbox=True).code == "bad-name"
    assert arena.look() == before


# --- the older layout -----------------------------------------------------------------------------------------

_MOVES: dict[str, Callable[[Draft], object]] = {
    "onto-a-file": lambda d: (d.add("review"), d.add("review-imported")),
    "onto-a-folder": lambda d: (d.add("review/x"), d.add("review-imported/x")),
    "in-another-case": lambda d: (d.add("Review/x"), d.add("REVIEW-IMPORTED/x")),
}


@pytest.mark.parametrize("move", _MOVES)
def test_a_bundle_that_would_be_moved_onto_something_is_refused(arena: Arena, move: str) -> None:
    """Both its own name and the one that it would get instead are taken."""
    draft = Draft.of_layout_v2()
    _MOVES[move](draft)
    _refused(arena, draft, "migration-collision", "bad-shape")


@pytest.mark.parametrize(
    "name",
    [
        "bundles/_kernel/key.md",
        "bundles/_KERNEL/imports.json",
        "bundles/.git/hooks/post-checkout",
        "bundles/.alive/x",
        "bundles/__MACOSX/x",
        "bundles/CLAUDE.md",
        "bundles/.mcp.json",
        "bundles/bundles/x",
        "bundles/imports.json",
    ],
)
def test_what_is_moved_to_the_root_is_judged_where_it_comes_to_lie(arena: Arena, name: str) -> None:
    """Moving a file up must not make it the kernel, a repository's hook or an agent's instruction."""
    draft = Draft.of_layout_v2()
    draft.add(name, b"EVIL")
    ended = _receive(arena, draft)
    for path, content in ended.installed.items():
        if content == b"EVIL":
            assert not path.startswith("_kernel/")
            assert path.casefold() not in {"claude.md", ".mcp.json"}
    assert ended.installed.get("_kernel/key.md", KEY) == KEY


def test_every_tree_under_every_layout_is_refused_or_arrives(arena: Arena) -> None:
    """What the manifest says of the layout, and what it does not say, never moves a byte out of the target."""
    for tree, layout in itertools.product((FULL, BUNDLE, SNAPSHOT, V2), ("v1", "v2", "v3", "agnostic", "", "../v2")):
        for scope in ("full", "bundle", "snapshot"):
            _receive(arena, Draft(tree, scope, source_layout=layout))


# --- signatures -----------------------------------------------------------------------------------------------

_BLOCK: dict[str, object] = {
    "algo": "rsa-pss-sha256",
    "pubkey_id": "a1b2c3d4e5f67890",
    "sig_b64": "AAAA",
    "signed_bytes": "manifest-canonical-json-v1",
}


@pytest.mark.parametrize("name", _BLOCK)
def test_a_signature_that_lacks_or_bends_a_field_is_refused(arena: Arena, name: str) -> None:
    """It is invalid and not unsigned: an attacker must not get round a signature by spoiling it."""
    _refused(arena, Draft(signature={k: v for k, v in _BLOCK.items() if k != name}), "bad-signature")
    for value in (7, "x", [], {}, ["rsa-pss-sha256"], "RSA-PSS-SHA256", "é", "A1B2C3D4E5F6789 ", "../../key"):
        _refused(arena, Draft(signature={**_BLOCK, name: value}), "bad-signature", "bad-manifest")


def test_a_signature_of_nobody_we_know_is_only_a_claim(arena: Arena) -> None:
    """Received as unsigned would be, and refused where a valid one is required."""
    draft = Draft(signature=_BLOCK)
    assert _receive(arena, draft).accepted
    assert arena.receive(draft.package(), require_signature=True).code == "signature-required"
    assert arena.receive(Draft().package(), require_signature=True).code == "signature-required"
