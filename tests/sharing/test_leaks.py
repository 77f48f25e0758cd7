"""What must not leave, in every position a mistake can put it."""

import os
from pathlib import Path

import pytest

from alive_p2p.package.reader import PackageReader
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import Reason, ShareRequest
from worlds import MARK, NOVA, bytes_in, pack, plant


@pytest.mark.parametrize("scope", ["full", "bundle"])
@pytest.mark.parametrize(
    "path",
    [
        "shielding-review/.env",
        "shielding-review/.secret/notes.md",
        "shielding-review/deploy.pem",
        "shielding-review/raw/id_ed25519",
        "shielding-review/raw/deeper/credentials.json",
        "shielding-review/node_modules/x/index.js",
        "shielding-review/.git/config",
        "shielding-review/raw/.GIT/config",
        "shielding-review/client/_kernel/key.md",
        "shielding-review/client/_kernel/log.md",
        "shielding-review/client/contract.md",
        "shielding-review/old.walnut",
        "shielding-review/._draft.md",
    ],
)
def test_private_things_inside_a_bundle_stay(path: str, scope: str, tmp_path: Path, runtime: Runtime) -> None:
    """Hidden files, credentials, repositories and nested walnuts stay, also deep inside a bundle."""
    tree = {**NOVA, path: MARK}
    if "client/" in path:
        tree["shielding-review/client/_kernel/key.md"] = MARK
    source = plant(tmp_path / "nova", tree)
    bundles = ("shielding-review",) if scope == "bundle" else ()
    package = pack(source, tmp_path / "p.walnut", runtime, scope=scope, bundles=bundles)
    assert MARK not in bytes_in(package)


@pytest.mark.parametrize(
    "path",
    [
        ".obsidian/workspace.json",
        ".env.local",
        "id_rsa",
        "vault.kdbx",
        "build/out.md",
        "raw/interview.md",
        "_archive/old.md",
        "node_modules/x.md",
        "clients/acme/_kernel/insights.md",
        "_kernel/now.json",
        "_kernel/history/2025.md",
        "_kernel/people.yaml",
        "_kernel/links.yaml",
        "_kernel/_generated/x.json",
        "_kernel/.p2p/undo/x",
        "_kernel/whatever.md",
        "data.sqlite-wal",
    ],
)
def test_private_things_beside_the_bundles_stay_and_are_listed(path: str, tmp_path: Path, runtime: Runtime) -> None:
    """Nothing of this leaves with a full share, and nothing disappears silently."""
    tree = {**NOVA, path: MARK}
    if "acme" in path:
        tree["clients/acme/_kernel/key.md"] = MARK
    source = plant(tmp_path / "nova", tree)
    plan = plan_share(ShareRequest(source, "full"), runtime)
    assert any(path == one.path or path.startswith(one.path + "/") for one in plan.left_out)
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime))


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege here")
@pytest.mark.parametrize("place", ["link.md", "shielding-review/link.md", "folder-link", "shielding-review/raw/up"])
def test_a_link_is_never_followed(place: str, tmp_path: Path, runtime: Runtime) -> None:
    """A symbolic link to a file or folder outside brings nothing of it along."""
    outside = plant(tmp_path / "outside", {"private.md": MARK})
    source = plant(tmp_path / "nova", NOVA)
    (source / place).symlink_to(outside if "." not in place else outside / "private.md")
    plan = plan_share(ShareRequest(source, "full"), runtime)
    assert [one.reason for one in plan.left_out if one.path == place] == [Reason.LINK]
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime))


@pytest.mark.skipif(os.name != "posix", reason="FIFOs are POSIX")
def test_a_fifo_neither_blocks_nor_travels(tmp_path: Path, runtime: Runtime) -> None:
    """A FIFO in a bundle is listed as not a regular file."""
    source = plant(tmp_path / "nova", NOVA)
    os.mkfifo(source / "shielding-review" / "pipe")
    plan = plan_share(ShareRequest(source, "full"), runtime)
    assert [one.path for one in plan.left_out if one.reason is Reason.SPECIAL] == ["shielding-review/pipe"]


def test_a_nested_walnut_taken_along_has_no_history_and_names_nobody(tmp_path: Path, runtime: Runtime) -> None:
    """`--include-nested` takes the files, with the same stubs and the same reduced key as the outer walnut."""
    nested = {
        "clients/acme/_kernel/key.md": b"---\npeople: [PRIVATE-MARKER]\n---\n# Acme\n\n## People\nPRIVATE-MARKER\n",
        "clients/acme/_kernel/log.md": MARK,
        "clients/acme/_kernel/insights.md": MARK,
        "clients/acme/_kernel/now.json": MARK,
        "clients/acme/_kernel/imports.json": MARK,
        "clients/acme/offer.md": b"an offer",
    }
    source = plant(tmp_path / "nova", {**NOVA, **nested})
    content = bytes_in(pack(source, tmp_path / "p.walnut", runtime, nested=True))
    assert MARK not in content
    assert b"an offer" in content


def test_include_brings_back_what_it_names_and_no_more(tmp_path: Path, runtime: Runtime) -> None:
    """`--include .github` brings the folder back, but not the credentials inside it."""
    source = plant(
        tmp_path / "nova",
        {**NOVA, ".github/ci.yml": b"on: push", ".github/.env": MARK, ".github/x.pem": MARK, ".other": MARK},
    )
    plan = plan_share(ShareRequest(source, "full", includes=(".github",)), runtime)
    leaving = {one.entry.path for one in plan.files}
    assert ".github/ci.yml" in leaving
    assert not {".github/.env", ".github/x.pem", ".other"} & leaving


def test_include_of_one_file_in_a_hidden_folder(tmp_path: Path, runtime: Runtime) -> None:
    """Naming a file inside a folder that stays brings back that file only; the rest is listed."""
    source = plant(tmp_path / "nova", {**NOVA, ".config/app.toml": b"a", ".config/token": MARK})
    plan = plan_share(ShareRequest(source, "full", includes=(".config/app.toml",)), runtime)
    assert ".config/app.toml" in {one.entry.path for one in plan.files}
    assert ".config/token" in {one.path for one in plan.left_out}


@pytest.mark.parametrize("pattern", [".git", ".git/**", "**", ".alive", "**/.git/config"])
def test_include_never_brings_a_repository_or_a_world(pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """`.git` and `.alive` stay whatever is asked."""
    source = plant(tmp_path / "nova", {**NOVA, ".git/config": MARK, ".alive/preferences.yaml": b"p2p:\n  sign: true\n"})
    plan = plan_share(ShareRequest(source, "full", includes=(pattern,)), runtime)
    assert not [one for one in plan.files if one.entry.path.startswith((".git/", ".alive/"))]


def test_active_sessions_stay_also_in_nested_bundles(tmp_path: Path, runtime: Runtime) -> None:
    """Who is working on what right now is nobody else's business, at any depth."""
    manifest = b"goal: x\nactive_sessions:\n  - session: PRIVATE-MARKER\n"
    source = plant(
        tmp_path / "nova",
        {
            **NOVA,
            "alpha/context.manifest.yaml": manifest,
            "alpha/sub/context.manifest.yaml": manifest,
            "docs/b/context.manifest.yaml": manifest,
        },
    )
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime))


def test_names_that_every_receiver_refuses_are_left_out_and_listed(tmp_path: Path, runtime: Runtime) -> None:
    """A file name with a line break, an escape code or a backslash stays, named in the plan."""
    bad = ["a\nb.md", "a\x1b[31m.md", "a\\b.md", "zero\u200bwidth.md", ".alive-receive-x", "manifest.yaml"]
    source = plant(tmp_path / "nova", {**NOVA, **dict.fromkeys(bad, b"x")})
    plan = plan_share(ShareRequest(source, "full"), runtime)
    listed = {one.path: one.reason for one in plan.left_out}
    assert {listed[name] for name in bad} == {Reason.UNSAFE_NAME}


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_name_that_is_not_utf8_is_left_out_and_listed(tmp_path: Path, runtime: Runtime) -> None:
    """A Latin-1 file name cannot travel and is not lost silently."""
    source = plant(tmp_path / "nova", NOVA)
    (Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9.md"))).write_bytes(b"x")
    plan = plan_share(ShareRequest(source, "full"), runtime)
    assert Reason.NOT_UTF8 in {one.reason for one in plan.left_out}
    pack(source, tmp_path / "p.walnut", runtime)


def test_the_package_lists_every_pattern_but_those_kept_for_a_peer(tmp_path: Path, runtime: Runtime) -> None:
    """A peer must not learn from the manifest what exactly is kept from it."""
    source = plant(tmp_path / "nova", NOVA)
    package = pack(
        source, tmp_path / "p.walnut", runtime, excludes=("notes.md",), peer_excludes={"ben": ("**/salary*", "ring.md")}
    )
    with PackageReader(package) as reader:
        manifest = reader.read_manifest()
    assert manifest.exclusions == ("(per-peer)", "notes.md")
    assert b"salary" not in bytes_in(package)
    assert "engineering/ring.md" not in {entry.path for entry in manifest.files}
