"""More names, places and spellings by which something private left, or somebody was misled; each stays closed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alive_p2p import AliveP2PError
from alive_p2p.cli.packing import PageFile
from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.gate import Outcome
from alive_p2p.sharing.output import Destination
from alive_p2p.sharing.pipeline import plan_share, write_share
from alive_p2p.sharing.plan import Reason, SharePlan, ShareRequest
from alive_p2p.walnut.bundles import discover
from alive_p2p.walnut.sessions import without_active_sessions
from alive_p2p.walnut.walnut import Walnut
from worlds import KEY, LOG, MARK, NOVA, OPEN_KEY, bytes_in, make_world, plant, tree_of

OPEN = {**NOVA, "_kernel/key.md": OPEN_KEY}
RESTRICTED = b"sensitivity: restricted\n"
SEALED = Seal(Envelope.PASSPHRASE, b"p")
MANIFEST = "context.manifest.yaml"
TOKEN = "ghp_" + "a1B2c3D4e5" * 4
PEOPLE = b"---\nsensitivity: private\npeople: [PRIVATE-MARKER]\n---\n# N\n\n## People\n\nPRIVATE-MARKER\n"

posix = pytest.mark.skipif(os.name != "posix", reason="FIFOs and names in two cases are POSIX")


def _plan(root: Path, runtime: Runtime, **options: Any) -> SharePlan:
    return plan_share(ShareRequest(root, options.pop("scope", "full"), **options), runtime)


def _bytes(plan: SharePlan, tmp_path: Path, runtime: Runtime) -> bytes:
    return bytes_in(write_share(plan, runtime, agreed=True, output=tmp_path / "p.walnut").path)


def _leaving(plan: SharePlan) -> set[str]:
    return {one.entry.path for one in plan.files}


def _staying(plan: SharePlan) -> dict[str, Reason]:
    return {one.path: one.reason for one in plan.left_out}


def _rulings(plan: SharePlan, *outcomes: Outcome) -> set[str]:
    return {one.name for one in plan.gate.of(*outcomes)}


# --- the page -------------------------------------------------------------------------------------------------


@pytest.fixture
def create(program: str, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `create` for the walnut `nova` in an empty home."""
    plant(tmp_path / "nova", OPEN)

    def run(*options: object) -> "subprocess.CompletedProcess[str]":
        command = [program, "create", "--scope", "full", "--walnut", tmp_path / "nova", "--yes", *options]
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return subprocess.run(command, env=environ, capture_output=True, check=False, text=True, cwd=tmp_path)

    return run


@pytest.mark.parametrize("how", [["--dry-run"], [], ["--force"], ["--dry-run", "--force"]])
@pytest.mark.parametrize("place", ["nova/_kernel/key.md", "nova/new.html", "nova", "link/new.html"])
def test_a_page_is_never_written_into_the_walnut(
    place: str, how: list[str], create: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    """Neither over its key nor beside it, also with `--force` and through a link; and no package is made."""
    if place.startswith("link"):
        (tmp_path / "link").symlink_to(tmp_path / "nova")
    before = tree_of(tmp_path / "nova")
    done = create("--html", tmp_path / place, "-o", tmp_path / "p.walnut", *how)
    assert done.returncode != 0
    assert "inside the walnut" in done.stderr
    assert "`--html " in done.stderr
    assert tree_of(tmp_path / "nova") == before
    assert not (tmp_path / "p.walnut").exists()


@pytest.mark.parametrize("how", [["--dry-run"], []])
def test_a_page_replaces_nothing_without_force(
    how: list[str], create: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    """The new one is called `-2`, as a package is; with `--force` the file that `--html` names is replaced."""
    taken = plant(tmp_path / "out", {"page.html": b"mine"}) / "page.html"
    done = create("--html", taken, *how)
    assert done.returncode == 0, done.stderr
    assert taken.read_bytes() == b"mine"
    second = taken.with_name("page-2.html")
    assert b"<html" in second.read_bytes()
    assert str(second) in done.stderr + done.stdout
    assert create("--html", taken, "--force", *how).returncode == 0
    assert b"<html" in taken.read_bytes()
    assert {path.name for path in taken.parent.iterdir()} == {"page.html", "page-2.html"}


def test_a_second_look_replaces_the_page_of_the_first(tmp_path: Path, runtime: Runtime) -> None:
    """Whoever looks, leaves something out and looks again has one page, of what was looked at last."""
    root = plant(tmp_path / "nova", OPEN)
    taken = plant(tmp_path / "out", {"page.html": b"mine"}) / "page.html"
    call: Any = SimpleNamespace(runtime=runtime, screen=SimpleNamespace(note=lambda _: None))
    package = Destination(taken.parent, "nova.walnut", replaces=False)
    page = PageFile(call, ShareRequest(root, "full"), taken, force=False, apart_from=package)
    first, second = _plan(root, runtime), _plan(root, runtime, description="as it is now")
    page.write(first)
    page.write(second)
    assert {path.name for path in taken.parent.iterdir()} == {"page.html", "page-2.html"}
    assert b"as it is now" in taken.with_name("page-2.html").read_bytes()
    assert taken.read_bytes() == b"mine"


# --- nested walnuts in every spelling and layout --------------------------------------------------------------


def test_the_primer_says_no_more_than_the_reduced_key(tmp_path: Path, runtime: Runtime) -> None:
    """An address that is taken out of the goal is not in the README either; where the key is whole it may be."""
    for key, leaves in ((KEY, False), (OPEN_KEY, True)):
        goal = key.replace(b"A crewed station", b"Ask ada@lunar.example for a station")
        plan = _plan(plant(tmp_path / str(leaves), {**NOVA, "_kernel/key.md": goal}), runtime)
        assert (b"ada@lunar.example" in _bytes(plan, tmp_path, runtime)) is leaves
        (tmp_path / "p.walnut").unlink()


@posix
@pytest.mark.parametrize("key", ["_Kernel/key.md", "_kernel/Key.md", "_KERNEL/KEY.MD", "_core/key.md", "_Core/Key.md"])
@pytest.mark.parametrize("place", ["n", "docs/deep/n", "shielding-review/n"])
def test_a_nested_walnut_is_one_in_any_spelling(key: str, place: str, tmp_path: Path, runtime: Runtime) -> None:
    """It stays as a whole; taken along it has a reduced key and no history, and it is judged by what it says."""
    folder = key.partition("/")[0]
    names = ("log.md", "Insights.md", "now.json", "people.yaml", "history/1.md")
    nested = {f"{place}/{key}": PEOPLE, f"{place}/page.md": MARK} | {f"{place}/{folder}/{name}": MARK for name in names}
    root = plant(tmp_path / "nova", {**OPEN, **nested})
    assert _staying(_plan(root, runtime))[place] is Reason.NESTED_WALNUT
    (root / place / "page.md").write_bytes(b"a page")
    plan = _plan(root, runtime, nested=True)
    content = _bytes(plan, tmp_path, runtime)
    assert MARK not in content
    assert b"a page" in content
    assert {f"{place}/{key}", f"{place}/{folder}/log.md"} <= _leaving(plan)
    (root / place / key).write_bytes(b"---\nsensitivity: restricted\n---\n")
    assert place in _rulings(_plan(root, runtime, nested=True), Outcome.REFUSED)
    full = _plan(root, runtime, nested=True, full_history=True)
    assert {place, "history"} <= _rulings(full, Outcome.REFUSED)


@posix
def test_of_two_keys_the_stricter_counts(tmp_path: Path, runtime: Runtime) -> None:
    """A key of the old layout that still lies there gives nothing away of the new one, nor the other way round."""
    for one, other in (("_kernel", "_core"), ("_core", "_kernel"), ("_kernel", "_Kernel")):
        secret = PEOPLE.replace(b"private", b"restricted")
        tree = {f"n/{one}/key.md": secret, f"n/{other}/key.md": PEOPLE.replace(b"private", b"open")}
        root = plant(tmp_path / one / other / "nova", {**OPEN, **tree})
        assert "n" in _rulings(_plan(root, runtime, nested=True), Outcome.REFUSED)
        plan = _plan(root, runtime, nested=True, acknowledged=("n",), seal=SEALED)
        assert {f"n/{one}/key.md", f"n/{other}/key.md"} <= set(plan.manifest.substitutions)


@posix
def test_a_key_that_cannot_be_read_may_say_anything(tmp_path: Path, runtime: Runtime) -> None:
    """Also beside one that can be read, which then leaves reduced."""
    root = plant(tmp_path / "nova", {**OPEN, "n/_core/key.md": PEOPLE.replace(b"private", b"open"), "n/_kernel/": b""})
    (root / "n" / "_kernel" / "key.md").symlink_to(tmp_path / "elsewhere")
    assert "n" in _rulings(_plan(root, runtime, nested=True), Outcome.REFUSED)
    plan = _plan(root, runtime, nested=True, acknowledged=("n",), seal=SEALED)
    assert "n/_core/key.md" in plan.manifest.substitutions


@pytest.mark.parametrize("inside", ["tasks.json", "config.yaml", "now.json", "log.md/x.md"])
def test_a_kernel_without_a_key_is_one(inside: str, tmp_path: Path, runtime: Runtime) -> None:
    """What lies around it is a walnut that nobody can judge, so it stays, and needs more than a yes."""
    root = plant(tmp_path / "nova", {**OPEN, f"n/_kernel/{inside}": MARK, "n/page.md": MARK})
    assert _staying(_plan(root, runtime))["n"] is Reason.NESTED_WALNUT
    plan = _plan(root, runtime, nested=True)
    assert "n" in _rulings(plan, Outcome.REFUSED)
    assert "n/_kernel/log.md/x.md" not in _leaving(plan)


@posix
@pytest.mark.parametrize("name", ["_Core", "_CORE"])
def test_the_walnuts_own_old_kernel_stays_in_any_spelling(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """It holds the real key and the real history."""
    root = plant(tmp_path / "nova", {**OPEN, f"{name}/key.md": MARK, f"{name}/log.md": MARK})
    assert not [path for path in _leaving(_plan(root, runtime, includes=("*.md", "**"))) if path.startswith(name)]


@pytest.mark.parametrize("place", ["_kernel.bak", "_Kernel-old", "n/_kernel_2024", "docs/_core.bak", "_kernel copy"])
@pytest.mark.parametrize("name", ["key.md", "Log.md", "insights.md"])
def test_a_copy_of_a_kernel_stays(place: str, name: str, tmp_path: Path, runtime: Runtime) -> None:
    """It holds what the kernel itself never gives away; no pattern brings it back, nor a manifest beside it."""
    tree = {f"{place}/{name}": MARK, f"{place}/people.yaml": MARK, f"{place}/{MANIFEST}": b"sensitivity: open\n"}
    root = plant(tmp_path / "nova", {**OPEN, **tree, "n/_kernel/key.md": OPEN_KEY})
    plan = _plan(root, runtime, nested=True, includes=("**", place, f"{place}/**"))
    assert _staying(plan)[place] is Reason.KERNEL_COPY
    assert MARK not in _bytes(plan, tmp_path, runtime)
    assert place not in {bundle.relpath for bundle in discover(Walnut(root))}


@pytest.mark.parametrize("place", ["bundles/b", "b"])
def test_a_bundle_that_is_a_nested_walnut_is_a_nested_walnut(place: str, tmp_path: Path, runtime: Runtime) -> None:
    """For whoever looks for bundles, for whoever walks, and for the gate; it does not lie in itself."""
    tree = {f"{place}/{MANIFEST}": b"sensitivity: open\n", f"{place}/_core/key.md": MARK, f"{place}/page.md": MARK}
    root = plant(tmp_path / "nova", {**OPEN, **tree, f"bundles/c/{MANIFEST}": b"sensitivity: open\n"})
    assert place not in {bundle.relpath for bundle in discover(Walnut(root))}
    plan = _plan(root, runtime)
    assert _staying(plan)[place] is Reason.NESTED_WALNUT
    assert MARK not in _bytes(plan, tmp_path, runtime)
    with pytest.raises(UsageError, match="there is no bundle 'b'"):
        _plan(root, runtime, scope="bundle", bundles=("b",))
    (root / place / "_core" / "key.md").write_bytes(b"---\nsensitivity: restricted\n---\n")
    blocks = _plan(root, runtime, nested=True).gate.blocks
    assert [(one.name, "lies in" in one.why) for one in blocks] == [(place, False)]


# --- active sessions ------------------------------------------------------------------------------------------

SESSIONS = {
    MANIFEST: b"goal: x\nActive_Sessions: [PRIVATE-MARKER]\n'active_sessions ': [PRIVATE-MARKER]\nstatus: y\n",
    "context.manifest.yml": b"goal: x\nactive_sessions:\n  - PRIVATE-MARKER\nstatus: y\n",
    "Context.Manifest.yaml": b"goal: x\nACTIVE_SESSIONS: PRIVATE-MARKER\nstatus: y\n",
    "companion.md": b"---\ngoal: x\nactive_sessions:\n- PRIVATE-MARKER\nstatus: y\n---\n# Of active_sessions\n",
    "Companion.md": b"\xef\xbb\xbf---\r\ngoal: x\r\nActive_Sessions: [PRIVATE-MARKER]\r\nstatus: y\r\n---\r\n",
}


@pytest.mark.parametrize("place", ["b", "docs/deep", "bundles/b"])
@pytest.mark.parametrize("name", SESSIONS)
def test_active_sessions_stay_in_any_manifest_and_spelling(
    name: str, place: str, tmp_path: Path, runtime: Runtime
) -> None:
    """Who works on what is taken out of everything that a receiver may read as a manifest, and recorded."""
    root = plant(tmp_path / "nova", {**OPEN, f"{place}/{name}": SESSIONS[name], f"{place}/page.md": b"x"})
    plan = _plan(root, runtime)
    content = _bytes(plan, tmp_path, runtime)
    assert MARK not in content
    assert b"status: y" in content
    assert "sessions-removed" in plan.manifest.substitutions.values()


@pytest.mark.parametrize(
    "companion",
    [
        b"---\n{goal: x, Active_Sessions: [a]}\n---\n",
        b"---\nactive_sessions: &a [x]\ngoal: *a\n---\n",
        b"---\nactive_sessions: [a]\n# never closed\n",
        b"\n---\nactive_sessions: [a]\n---\n",
        "---\nactive_sessions: [a]\n---\n".encode("utf-16"),
    ],
)
def test_a_companion_whose_sessions_cannot_be_taken_out_stops_the_share(companion: bytes) -> None:
    """The file is named; where the words stand in the text only, every byte stays."""
    with pytest.raises(WalnutError, match=r"b/companion\.md"):
        without_active_sessions(companion, "b/companion.md")
    for text in (b"---\ngoal: x\n---\nactive_sessions: [a]\n", b"# About active_sessions\n", b"\xff\\ text\n"):
        assert without_active_sessions(text, "b/companion.md") == text


# --- what is looked through -----------------------------------------------------------------------------------


def test_the_name_of_an_empty_folder_is_looked_at(tmp_path: Path, runtime: Runtime) -> None:
    """A secret in it stops the share, and one that tells is pointed out as a folder."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/{TOKEN}/": b"", "docs/salary-talks/": b"", "secret-x/y/": b""})
    plan = _plan(root, runtime)
    assert [one.path for one in plan.blocking_findings] == ["manifest.yaml"]
    assert {one.path for one in plan.findings if one.kind == "name"} == {"docs/salary-talks/", "secret-x/"}


def test_the_patterns_of_a_preset_are_looked_through(tmp_path: Path, runtime: Runtime) -> None:
    """They are listed in the manifest like those given by hand; those kept for a peer are not."""
    world = make_world(tmp_path / "world")
    preferences = f"p2p:\n  share_presets:\n    outside:\n      exclude_patterns: ['{TOKEN}']\n"
    (world / ".alive" / "preferences.yaml").write_text(preferences, encoding="utf-8")
    root = plant(world / "04_Ventures" / "nova", OPEN)
    assert [one.path for one in _plan(root, runtime, presets=("outside",)).blocking_findings] == ["manifest.yaml"]
    assert not _plan(root, runtime, peer_excludes={"ben": (TOKEN,)}).is_blocked


# --- patterns that keep back less than they seem to -----------------------------------------------------------


def test_a_pattern_that_misses_what_always_leaves_says_so(tmp_path: Path, runtime: Runtime) -> None:
    """Also where it kept something else back."""
    root = plant(tmp_path / "nova", {**OPEN, f"b/{MANIFEST}": b"sensitivity: open\n", "b/tasks.json": MARK})
    warnings = _plan(root, runtime, excludes=("tasks.json",)).warnings
    assert [one for one in warnings if "'tasks.json'" in one and "_kernel/tasks.json" in one and "always" in one]
    assert not _plan(root, runtime, excludes=("b/tasks.json",)).warnings
    assert not _plan(root, runtime, scope="bundle", bundles=("b",), excludes=("tasks.json",)).warnings


@posix
def test_a_pattern_that_misses_something_by_its_case_says_so(tmp_path: Path, runtime: Runtime) -> None:
    """It names one file that leaves; nothing is said where another pattern keeps that one back."""
    root = plant(tmp_path / "nova", {**OPEN, "docs/pricing.md": b"x", "docs/Pricing-2024.md": b"x"})
    warnings = _plan(root, runtime, excludes=("pricing*",)).warnings
    assert [one for one in warnings if "'pricing*'" in one and "'docs/Pricing-2024.md'" in one]
    assert not _plan(root, runtime, excludes=("pricing*", "Pricing*")).warnings


# --- words about privacy that do not count --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        (b"meta:\n  sensitivity: restricted\n", "restricted"),
        (b"# sensitivity: restricted\ngoal: x\n", "restricted"),
        (b"sensitivity: open # Restricted until May\n", "restricted"),
        (b"meta:\n  pii: true\n", "pii"),
        (b"personal_data: yes\n", "personal_data"),
        (b"# pii: true\n", "pii"),
        (b"has_pii: true\n", "pii"),
    ],
)
def test_a_word_about_privacy_that_does_not_count_is_told(
    manifest: bytes, word: str, tmp_path: Path, runtime: Runtime
) -> None:
    """In a bundle's manifest of any name, and in the frontmatter of a key; it decides nothing."""
    block = b"---\n" + manifest + b"---\n"
    tree = {
        f"b/{MANIFEST}": manifest,
        "c/companion.md": block,
        "n/_kernel/key.md": block,
        "_kernel/key.md": block,
        "hidden/_kernel/key.md": block,
    }
    root = plant(tmp_path / "nova", {**OPEN, **tree})
    plan = _plan(root, runtime, nested=True, excludes=("hidden/",))
    told = {one.split(" says ")[0] for one in plan.warnings if f"`{word}` where it makes no difference" in one}
    assert told == {"'b'", "'c'", "'n'", "`key.md`"}
    assert not plan.gate.blocks


@pytest.mark.parametrize(
    "manifest",
    [
        b"sensitivity: restricted # restricted by Ada\npii: true # pii of patients\n",
        b"sensitivity: open  # open | private | restricted\npii: false  # whether it has pii\n",
        b"personal_data: none\n",
        b"goal: unrestricted flight of a Hawaiipii\n",
    ],
)
def test_a_word_that_counts_is_not_told_again(manifest: bytes, tmp_path: Path, runtime: Runtime) -> None:
    """Nor are templates, plain noes, and parts of other words; nor what the text below a key says."""
    prose = OPEN_KEY + b"\nAccess is restricted, and pii is not kept.\n"
    root = plant(tmp_path / "nova", {**OPEN, "_kernel/key.md": prose, f"b/{MANIFEST}": manifest})
    assert not [one for one in _plan(root, runtime).warnings if "no difference" in one]


# --- credentials by their names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "prod.env",
        "server.key.bak",
        "server.key~",
        "backup.pem.old",
        "my.kdbx.bak",
        "prod.env.orig",
        ".server.key.swp",
        "vault.kdbx.save",
        "id_rsa.bak.old",
        "Wallet.DAT",
        "kubeconfig",
        "token.json",
        "secrets.yaml",
        "secrets.yml",
        "secrets.json",
        "secrets.toml.bak",
        ".git-credentials",
    ],
)
def test_a_credential_stays_under_more_names(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """A copy that an editor or a person made is what the original is; it has to be meant to leave."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/{name}": MARK})
    for patterns in ((), ("*",), ("*.*",), ("*.bak", "*~", "*.old"), ("**", "*.json", "*.dat", "*.yaml")):
        plan = _plan(root, runtime, includes=patterns)
        assert _staying(plan)[f"docs/{name}"] is Reason.CREDENTIAL
    assert f"docs/{name}" in _leaving(_plan(root, runtime, includes=(name,)))


@pytest.mark.parametrize("name", ["notes.md.bak", "token.md", "environment.md", "secrets.md", "my.environment", "a~"])
def test_what_is_no_credential_leaves(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Names that only resemble one."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/{name}": b"x"})
    assert f"docs/{name}" in _leaving(_plan(root, runtime))


@pytest.mark.parametrize("name", ["nova.walnut.bak", "nova.walnut~", "Nova.WALNUT.old"])
def test_the_copy_of_a_package_is_an_older_package(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """It may have been made for somebody else."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/{name}": MARK})
    assert _staying(_plan(root, runtime))[f"docs/{name}"] is Reason.OLDER_PACKAGE


# --- what is no file ------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("name", ["log.md", "insights.md", "tasks.json", "completed.json", "config.yaml"])
@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_a_kernel_file_that_is_no_file_is_left_out(kind: str, name: str, tmp_path: Path, runtime: Runtime) -> None:
    """It is listed, what always leaves is there as a stub or empty, and the share goes on."""
    root = plant(tmp_path / "nova", OPEN)
    place = root / "_kernel" / name
    place.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(place)
    else:
        plant(place, {"x.md": MARK})
    plan = _plan(root, runtime, full_history=True)
    assert _staying(plan)[f"_kernel/{name}"] is Reason.SPECIAL
    assert (f"_kernel/{name}" in plan.manifest.substitutions) is (name != "config.yaml")
    content = _bytes(plan, tmp_path, runtime)
    assert MARK not in content
    assert (LOG in content) is (name != "log.md")


@pytest.mark.parametrize("name", ["", " "])
def test_an_acknowledgement_names_something(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """An empty one is a mistake, as an empty pattern is."""
    root = plant(tmp_path / "nova", OPEN)
    with pytest.raises(AliveP2PError) as caught:
        _plan(root, runtime, acknowledged=(name,))
    assert isinstance(caught.value, UsageError)
