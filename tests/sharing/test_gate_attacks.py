"""Mistakes a person can make, and names that were made to confuse: nothing private gets past the gate by them."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import alive_p2p
from alive_p2p import AliveP2PError
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.writer import ChangedError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.gate import Outcome
from alive_p2p.sharing.pipeline import plan_share, share, write_share
from alive_p2p.sharing.plan import SharePlan, ShareRequest
from alive_p2p.sharing.stubs import manifest_from_companion
from worlds import KEY, MARK, NOVA, OPEN_KEY, bytes_in, plant

OPEN = {**NOVA, "_kernel/key.md": OPEN_KEY}
RESTRICTED = b"sensitivity: restricted\n"
SEALED = Seal(Envelope.PASSPHRASE, b"p")
MANIFEST = "context.manifest.yaml"


def _plan(root: Path, runtime: Runtime, **options: Any) -> SharePlan:
    return plan_share(ShareRequest(root, options.pop("scope", "full"), **options), runtime)


def _rulings(plan: SharePlan, *outcomes: Outcome) -> set[str]:
    return {one.name for one in plan.gate.of(*outcomes)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["walnut", "key", "history"])
def test_a_bundle_with_a_word_of_the_gates_is_judged_on_its_own(
    name: str, seed: int, program: str, tmp_path: Path
) -> None:
    """Whatever order a set happens to have."""
    root = plant(tmp_path / "nova", {**OPEN, f"{name}/{MANIFEST}": RESTRICTED, f"{name}/s": MARK})
    command = [program, "create", "--scope", "full", "--walnut", root, "-o", tmp_path / "p.walnut", "--yes"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert (done.returncode, (tmp_path / "p.walnut").exists()) == (1, False)


def test_one_word_acknowledges_one_thing(tmp_path: Path, runtime: Runtime) -> None:
    """Where several have the same last name, or one has a word of the gate's, the whole path is needed."""
    tree = {
        **NOVA,
        "_kernel/key.md": KEY.replace(b"type:", b"sensitivity: restricted\ntype:"),
        f"a/notes/{MANIFEST}": b"pii: true\n",
        f"b/notes/{MANIFEST}": RESTRICTED,
        f"people/walnut/{MANIFEST}": b"pii: true\n",
        f"key/{MANIFEST}": RESTRICTED,
    }
    root = plant(tmp_path / "nova", tree)
    words = ("walnut", "notes", "key")
    plan = _plan(root, runtime, acknowledged=words, key="full", seal=SEALED)
    assert _rulings(plan, Outcome.ACKNOWLEDGED) == {"walnut", "key"}
    assert _rulings(plan, Outcome.NEEDS_ACKNOWLEDGE) == {"a/notes", "b/notes", "people/walnut", "key/"}
    exact = _plan(root, runtime, acknowledged=("a/notes", "key/", "people/walnut"), seal=SEALED)
    assert _rulings(exact, Outcome.ACKNOWLEDGED) == {"a/notes", "key/", "people/walnut"}


@pytest.mark.parametrize(
    "manifest",
    [
        b"Sensitivity: restricted\n",
        b'"sensitivity ": restricted\n',
        b"SENSITIVITY: Restricted\n",
        b"sensitivity: open\nSensitivity: restricted\n",
        b"PII: true\n",
        b"pii: names and addresses\n",
        b"pii: [names]\n",
        b"a: 1\na: 2\npii:           true\n",
        b'a: 1\na: 2\n"pii":  [ "names" ]\n',
        b"a: 1\na: 2\npii:\n    - names\n",
        "pii: true\n".encode("utf-16"),
    ],
)
def test_a_manifest_in_any_spelling_says_what_it_says(manifest: bytes, tmp_path: Path, runtime: Runtime) -> None:
    """Never without a seal."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/sub/{MANIFEST}": manifest, "docs/sub/s": MARK})
    plan = _plan(root, runtime, excludes=("docs/sub/context.manifest.yaml",))
    assert _rulings(plan, Outcome.REFUSED) == {"docs/sub"}


@pytest.mark.parametrize("name", ["context.manifest.yml", "Context.Manifest.yaml", "Companion.md"])
def test_a_manifest_under_another_name_counts(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """It is a bundle for the gate, though it is not one that can be shared on its own."""
    text = b"---\nsensitivity: restricted\n---\n" if name.endswith("md") else RESTRICTED
    root = plant(tmp_path / "nova", {**OPEN, f"docs/sub/{name}": text, "docs/sub/s": MARK})
    assert _rulings(_plan(root, runtime), Outcome.REFUSED) == {"docs/sub"}


def test_the_strictest_of_two_manifests_counts(tmp_path: Path, runtime: Runtime) -> None:
    """A receiver may go by either; one that is a link may say anything."""
    tree = {f"b/{MANIFEST}": b"sensitivity: open\n", "b/companion.md": b"---\npii: true\n---\n"}
    root = plant(tmp_path / "nova", {**OPEN, **tree, "c/companion.md": b"---\nsensitivity: open\n---\n"})
    if os.name == "posix":
        (root / "c" / MANIFEST).symlink_to(tmp_path / "elsewhere")
        assert "c" in _rulings(_plan(root, runtime), Outcome.REFUSED)
    assert "b" in _rulings(_plan(root, runtime), Outcome.REFUSED)


@pytest.mark.parametrize("pattern", ["*.md", "**", "_core/*"])
def test_an_old_kernel_is_not_brought_back(pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """It holds the real key and the real history."""
    root = plant(tmp_path / "nova", {**NOVA, "_core/key.md": MARK, "_core/log.md": MARK, "sub/_core/key.md": MARK})
    plan = _plan(root, runtime, includes=(pattern,))
    assert MARK not in bytes_in(write_share(plan, runtime, agreed=True, output=tmp_path / "p.walnut").path)


def test_a_nested_walnut_hides_behind_nothing(tmp_path: Path, runtime: Runtime) -> None:
    """Neither behind an excluded key nor behind a broken one."""
    root = plant(tmp_path / "nova", {**OPEN, "n/_kernel/key.md": KEY, "n/_kernel/log.md": MARK})
    options: dict[str, Any] = {"nested": True, "full_history": True, "excludes": ("n/_kernel/key.md",)}
    assert "history" in _rulings(_plan(root, runtime, **options), Outcome.REFUSED)
    (root / "n" / "_kernel" / "key.md").unlink()
    (root / "n" / "_kernel" / "key.md").mkdir()
    assert "n" in {one.path for one in _plan(root, runtime).left_out}


@pytest.mark.parametrize("pattern", ["*.*", ".*", "[!x]*", "**", "*", "?env"])
def test_a_sweeping_include_brings_back_no_credential(pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """A credential has to be meant."""
    tree = {"docs/.env": MARK, "docs/.netrc": MARK, "docs/server.pem": MARK, "docs/vault.kdbx": MARK}
    root = plant(tmp_path / "nova", {**OPEN, **tree})
    assert not [one for one in _plan(root, runtime, includes=(pattern,)).files if one.entry.path in tree]
    meant = _plan(root, runtime, includes=("*.pem", ".env"))
    assert {one.entry.path for one in meant.files} >= {"docs/.env", "docs/server.pem"}


@pytest.mark.parametrize("pattern", ["bundles/b/secret.md", "b/secret.md", "secret.md", "bundles/b/"])
def test_a_pattern_may_name_the_place_in_the_walnut(pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """Also where an older layout puts it elsewhere in the package."""
    root = plant(tmp_path / "nova", {**OPEN, f"bundles/b/{MANIFEST}": b"goal: x\n", "bundles/b/secret.md": MARK})
    assert not [one for one in _plan(root, runtime, excludes=(pattern,)).files if "secret" in one.entry.path]


@pytest.mark.parametrize("change", ["manifest", "nested", "key"])
def test_what_is_said_of_sensitivity_while_somebody_looks_stops_the_share(
    change: str, tmp_path: Path, runtime: Runtime
) -> None:
    """Also where the file that says it does not leave itself."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/sub/{MANIFEST}": b"sensitivity: open\n", "docs/sub/s": MARK})
    plan = _plan(root, runtime, excludes=(f"docs/sub/{MANIFEST}",))
    if change == "manifest":
        (root / "docs" / "sub" / MANIFEST).write_bytes(RESTRICTED)
    elif change == "nested":
        plant(root / "docs" / "sub", {"_kernel/key.md": b"---\nsensitivity: restricted\n---\n"})
    else:
        (root / "_kernel" / "key.md").write_bytes(KEY)
    with pytest.raises((ChangedError, AliveP2PError)):
        write_share(plan, runtime, agreed=True, output=tmp_path / "p.walnut")
    assert not (tmp_path / "p.walnut").exists()


def test_words_that_somebody_gives_are_looked_through(tmp_path: Path, runtime: Runtime) -> None:
    """A token in the description, the note, or a file's name stops it as well."""
    token = "ghp_" + "a1B2c3D4e5" * 4
    root = plant(tmp_path / "nova", OPEN)
    for options in ({"description": f"see {token}"}, {"note": token}):
        plan = _plan(root, runtime, **options)
        assert [one.path for one in plan.blocking_findings] == ["manifest.yaml"]
    plant(root, {f"{token}.md": b"x"})
    assert _plan(root, runtime).is_blocked


def test_an_override_that_cannot_be_recorded_does_not_happen(tmp_path: Path, runtime: Runtime) -> None:
    """The seat belt's record is part of it; a plain share only warns."""
    root = plant(tmp_path / "nova", {**OPEN, f"b/{MANIFEST}": RESTRICTED})
    register = plant(runtime.alive_home / "relay", {"sent.json": b"{"}) / "sent.json"
    request = ShareRequest(root, "full", acknowledged=("b",), seal=SEALED)
    with pytest.raises(AliveP2PError, match=r"sent\.json"):
        share(request, runtime, output=tmp_path / "p.walnut")
    assert not (tmp_path / "p.walnut").exists()
    assert register.read_bytes() == b"{"
    plain = share(ShareRequest(root, "snapshot"), runtime, output=tmp_path / "s.walnut")
    assert any("not recorded" in warning for warning in plain.warnings)


def test_one_text_is_not_a_list_of_texts(tmp_path: Path, runtime: Runtime) -> None:
    """It would be taken letter by letter, and keep nothing back."""
    root = plant(tmp_path / "nova", OPEN)
    for wrong in (
        {"exclude": "secret"},
        {"acknowledge": "b"},
        {"peer_excludes": {"ben": "secret"}},
        {"scope": "everything"},
        {"encrypt": "AGE"},
        {"key": "whole"},
    ):
        with pytest.raises(AliveP2PError):
            alive_p2p.share(root, yes=True, output=tmp_path / "p.walnut", runtime=runtime, **wrong)
    assert not (tmp_path / "p.walnut").exists()


def test_an_empty_folder_of_a_restricted_bundle_is_part_of_it(tmp_path: Path, runtime: Runtime) -> None:
    """Its name says something too."""
    root = plant(tmp_path / "nova", {**OPEN, f"docs/b/{MANIFEST}": RESTRICTED, "docs/b/patient-x/": b""})
    plan = _plan(root, runtime, excludes=(f"docs/b/{MANIFEST}",))
    assert _rulings(plan, Outcome.REFUSED) == {"docs/b"}


@pytest.mark.parametrize("companion", [b"---\npii: true\n---\n", b"---\na: 1\na: 2\nPII:   yes\n---\n"])
def test_a_generated_manifest_says_what_the_companion_says(companion: bytes) -> None:
    """A receiver goes by the manifest, and must not take personal data for anything else."""
    made = manifest_from_companion(companion.replace(b"---\n", b"---\nSensitivity: restricted\n", 1), "b")
    assert b"pii: true" in made
    assert b"restricted" in made
