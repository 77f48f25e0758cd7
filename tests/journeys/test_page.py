"""The page of a plan, read by a parser (share.md §6)."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from page_reading import paths_in, read
from plans import BEN, large, make_rich, with_paths

from alive_p2p.cli.page import page
from alive_p2p.cli.preview import key_form
from alive_p2p.cli.substitutions import substitution_text
from alive_p2p.keys.private import load_private_key
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.gate import Decision, Outcome, Ruling
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import LeftOut, Reason, SharePlan, ShareRequest
from alive_p2p.text import escape
from worlds import KEY, NOVA, plant


def test_every_path_is_there_once(rich: SharePlan) -> None:
    """What leaves is under what leaves, what stays under what stays, and nothing is missing or there twice."""
    document = page(rich)
    leaving = [one.entry.path for one in rich.files] + [f"{path}/" for path in rich.manifest.empty_dirs or ()]
    assert "engineering/drafts/" in leaving
    assert sorted(paths_in(document, "leaves")) == sorted(leaving)
    assert sorted(paths_in(document, "stays")) == sorted(one.path for one in rich.left_out)
    assert len(rich.left_out) > 8


def _paths(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    few = st.sampled_from(["a", "b", "_kernel", "letters"])
    return st.lists(few | st.text(characters, min_size=1, max_size=12), min_size=1, max_size=12).map("/".join)


_path = _paths(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]))
_path_here = _paths(st.characters(exclude_characters="/\0"))


@given(
    leaving=st.sets(_path, max_size=25), staying=st.lists(st.tuples(_path_here, st.sampled_from(Reason)), max_size=25)
)
def test_every_path_of_any_plan_is_there_once(
    leaving: set[str], staying: list[tuple[str, Reason]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However folders are nested and named; a plan gives the same bytes every time, and they are UTF-8."""
    template = _template(tmp_path_factory)
    files = [p for p in leaving if not any(other.startswith(f"{p}/") for other in leaving)]
    plan = with_paths(template, files, [LeftOut(path, reason) for path, reason in staying], empty_dirs=[])
    document = page(plan)
    assert sorted(paths_in(document, "leaves")) == sorted(map(escape, files))
    assert sorted(paths_in(document, "stays")) == sorted(escape(path) for path, _ in staying)
    assert page(plan).encode() == document.encode()


_templates: list[SharePlan] = []


def _template(factory: pytest.TempPathFactory) -> SharePlan:
    if not _templates:
        folder = factory.mktemp("template")
        source = plant(folder / "nova", {"_kernel/key.md": KEY})
        runtime = Runtime(environ={"HOME": str(folder)}, cwd=folder)
        _templates.append(plan_share(ShareRequest(source, "snapshot"), runtime))
    return _templates[0]


def test_a_page_says_what_the_terminal_says(rich: SharePlan) -> None:
    """The same facts in the same words: the two faces of one plan."""
    shown = " ".join(read(page(rich)).text.split())
    for reason in rich.manifest.substitutions.values():
        assert substitution_text(reason) in shown
    assert key_form(rich) in shown
    assert rich.readers in shown
    for ruling in rich.gate.rulings:
        assert ruling.why.replace("`", "") in shown
    for finding in rich.findings:
        assert finding.id in shown
        assert finding.excerpt in shown
        assert finding.path in shown
    for finding in rich.blocking_findings:
        assert f"--allow-finding {finding.id}" in shown
    for warning in rich.warnings:
        assert warning.replace("`", "") in shown
    for one in rich.left_out:
        assert one.reason.explanation.replace("`", "") in shown
    for bundle in rich.bundles:
        assert bundle.tasks.describe() in shown
    for use in rich.exclusions:
        assert f"{use.pattern}{use.origin}{use.matched}" in shown
    for person in rich.request.recipients:
        assert person.pubkey_id in shown
    assert rich.manifest.import_id in shown
    assert rich.blocking_findings
    assert rich.gate.blocks
    assert rich.included


def test_the_verdict_is_the_gates(rich: SharePlan, ready: SharePlan) -> None:
    """Blocked, asked, or ready; a number of things that is true."""

    def verdict(plan: SharePlan) -> str:
        found = read(page(plan)).first("h1")
        assert found
        return found.text

    blocks = len(rich.gate.blocks) + len(rich.blocking_findings)
    assert verdict(rich) == f"May not leave: {blocks} things to settle"
    one = Ruling("walnut", Outcome.REFUSED, "no")
    assert verdict(replace(ready, gate=Decision(ready.gate.audience, (one,)))) == "May not leave: 1 thing to settle"
    asks = Ruling("walnut", Outcome.ASKS, "the walnut is private")
    assert verdict(replace(ready, gate=Decision(ready.gate.audience, (asks,)))) == "Will ask before it leaves"
    assert verdict(ready) == "Ready to leave"


def test_an_allowed_secret_is_not_in_the_way(rich: SharePlan) -> None:
    """It moves to what was decided by hand."""
    ids = tuple(one.id for one in rich.blocking_findings)
    allowed = replace(rich, request=replace(rich.request, allowed_findings=ids), gate=Decision(rich.gate.audience, ()))
    shown = read(page(allowed)).text
    assert "Decided by hand" in shown
    assert "To settle" not in shown
    assert "--allow-finding" not in shown


def test_the_page_names_nothing_outside_the_walnut(rich: SharePlan, tmp_path: Path) -> None:
    """It may be sent to somebody: neither the home folder nor the world is on it."""
    assert str(tmp_path) not in page(rich)
    assert "04_Ventures" not in page(rich)


def test_a_bundle_of_an_older_layout_says_where_it_lies(tmp_path: Path, runtime: Runtime) -> None:
    """What travels under another path is shown with the one it has here, once for the whole folder."""
    source = plant(tmp_path / "nova", {"_kernel/key.md": KEY, **{f"bundles/review/{n}.md": b"x" for n in range(3)}})
    (source / "bundles/review/context.manifest.yaml").write_bytes(b"goal: x\n")
    found = read(page(plan_share(ShareRequest(source, "full"), runtime))).first("section", id="leaves")
    assert found
    assert found.text.count("from bundles/review") == 1


def test_however_deep_folders_lie(ready: SharePlan) -> None:
    """The deepest path a package can hold, with a file at every level: all there, and the nesting has an end."""
    leaving = ["/".join(["d"] * depth + ["f"]) for depth in range(511)]
    document = page(with_paths(ready, leaving, empty_dirs=["/".join(["d"] * 500 + ["e"])]))
    assert sorted(paths_in(document, "leaves")) == sorted([*leaving, "d/" * 500 + "e/"])
    assert document.count("<details") < 20


def test_bundles_are_counted_and_named(tmp_path: Path, runtime: Runtime) -> None:
    """With scope bundle the headline says how many, and the facts which."""
    source = plant(tmp_path / "nova", NOVA)
    request = ShareRequest(source, "bundle", bundles=("shielding-review", "launch-window"))
    shown = read(page(plan_share(request, runtime))).text
    assert "nova, 2 bundles, for everybody who gets the file" in shown
    assert "bundle: launch-window, shielding-review" in shown


def test_many_people_and_a_signature(tmp_path: Path, runtime: Runtime) -> None:
    """Everybody is listed, the first by name in the headline; and whose signature it is, with the id of the key."""
    people = tuple(replace(BEN, name=f"peer {n}", pubkey_id=f"{n:016x}") for n in range(20))
    made = rsa.generate_private_key(65537, 2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = load_private_key(pem, label="test")
    root = read(page(make_rich(tmp_path, runtime, recipients=people, signing_key=key)))
    shown = " ".join(root.text.split())
    assert "for peer 0, peer 1, peer 2 and 17 more" in shown
    assert all(one.pubkey_id in shown for one in people)
    assert f"by alice {key.public.pubkey_id}" in shown


def test_an_empty_folder_and_a_file_that_gets_its_name_back(ready: SharePlan) -> None:
    """Both are rows of their own; the file says what it is called here."""
    plan = with_paths(ready, ["notes.md"], empty_dirs=["drafts", "inner/empty"])
    origin = plan.root / "notes.md.received"
    plan = replace(plan, files=(replace(plan.files[0], origin=origin),))
    document = page(plan)
    assert sorted(paths_in(document, "leaves")) == ["drafts/", "inner/empty/", "notes.md"]
    assert "from notes.md.received" in read(document).text


def test_headings_and_landmarks_are_in_order(rich: SharePlan) -> None:
    """One first heading, no level skipped, each section named by its heading, and a table with scopes."""
    root = read(page(rich))
    levels = [int(node.tag[1]) for node in root.walk() if re.fullmatch("h[1-6]", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = [node.attributes["id"] for node in root.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    sections = [node for node in root.walk() if node.tag == "section"]
    assert all(node.attributes["aria-labelledby"] in ids for node in sections)
    links = [node.attributes["href"] for node in root.walk() if node.tag == "a"]
    assert links
    assert all(link and link.startswith("#") and link[1:] in ids for link in links)
    assert all(node.attributes.get("scope") for node in root.walk() if node.tag == "th")
    assert [n.tag for n in root.walk() if n.tag in {"header", "main", "footer"}] == ["header", "main", "footer"]
    assert [node.attributes["lang"] for node in root.walk() if node.tag == "html"] == ["en"]


def test_ten_thousand_files_stay_a_small_page(ready: SharePlan) -> None:
    """Every path is on it, and it is below two megabytes; the folders that would flood it begin closed."""
    plan = large(ready)
    assert len(plan.files) == 10_000
    document = page(replace(plan, left_out=()))
    assert len(document.encode()) < 2_000_000
    assert sorted(paths_in(document, "leaves")) == [one.entry.path for one in plan.files]
    opened = [node for node in read(document).walk() if node.tag == "details" and "open" in node.attributes]
    assert len(opened) == 1
