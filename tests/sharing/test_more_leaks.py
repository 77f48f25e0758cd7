"""Ways out that were found by attacking the share; each stays closed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, UsageError, WalnutError
from alive_p2p.package.reader import PackageReader
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.gate import Outcome
from alive_p2p.sharing.pipeline import plan_share, share
from alive_p2p.sharing.plan import Reason, SharePlan, ShareRequest
from alive_p2p.walnut.key import Sensitivity
from worlds import KEY, MARK, NOVA, bytes_in, pack, plant, tree_of

posix = pytest.mark.skipif(os.name != "posix", reason="links need no privilege here")


def _leaving(source: Path, runtime: Runtime, **options: object) -> set[str]:
    plan = plan_share(ShareRequest(source, "full", **options), runtime)  # type: ignore[arg-type]
    return {one.entry.path for one in plan.files}


def test_config_can_be_excluded(tmp_path: Path, runtime: Runtime) -> None:
    """`config.yaml` is not protected; the pattern is counted and the file listed."""
    source = plant(tmp_path / "nova", {**NOVA, "_kernel/config.yaml": MARK})
    plan = plan_share(ShareRequest(source, "full", excludes=("config.yaml",)), runtime)
    assert "_kernel/config.yaml" not in {one.entry.path for one in plan.files}
    assert [use.matched for use in plan.exclusions] == [1]
    assert not plan.warnings


@pytest.mark.parametrize(
    "key",
    [
        b"\n---\ntype: x\nsensitivity: restricted\npeople:\n  - PRIVATE-MARKER\n---\n# T\n",
        b"---\ntype: x\nsensitivity: restricted\npeople:\n  - PRIVATE-MARKER\n# T\n",
        b"--- # key\nsensitivity: restricted\npeople: [PRIVATE-MARKER]\n---\n# T\n",
        b"---\rsensitivity: restricted\rpeople: [PRIVATE-MARKER]\r---\r# T\r",
        "---\nsensitivity: restricted\npeople: [PRIVATE-MARKER]\n---\n# T\n".encode("utf-16"),
        b"---\nsensitivity: restricted\npeople: [PRIVATE-MARKER\n# PRIVATE-MARKER\n---\n# T\n",
        b"---\n# PRIVATE-MARKER: [\nsensitivity: restricted\n",
    ],
)
def test_a_key_whose_frontmatter_is_hidden_gives_nothing_away(key: bytes, tmp_path: Path, runtime: Runtime) -> None:
    """Where the parts cannot be told apart nothing is kept, and `restricted` counts wherever it stands."""
    source = plant(tmp_path / "nova", {**NOVA, "_kernel/key.md": key})
    plan = plan_share(ShareRequest(source, "snapshot"), runtime)
    assert plan.sensitivity is Sensitivity.RESTRICTED
    content = bytes_in(pack(source, tmp_path / "p.walnut", runtime, scope="snapshot"))
    assert MARK not in content
    assert MARK.decode().encode("utf-16-le") not in content


@posix
def test_a_kernel_that_is_a_link_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    """Neither is another walnut's kernel packed, nor anything written into it."""
    other = plant(tmp_path / "other", NOVA)
    nova = plant(tmp_path / "nova", {"notes.md": b"n"})
    (nova / "_kernel").symlink_to(other / "_kernel")
    package = pack(other, tmp_path / "p.walnut", runtime, scope="bundle", bundles=("launch-window",))
    before = tree_of(other)
    with pytest.raises(WalnutError, match="symbolic link"):
        plan_share(ShareRequest(nova, "full"), runtime)
    with pytest.raises(WalnutError, match="symbolic link"):
        receive(ReceiveRequest(package, target=nova), runtime)
    assert tree_of(other) == before


@posix
@pytest.mark.parametrize("link", ["_core/_capsules", "_core", "bundles"])
def test_a_linked_container_is_not_walked(link: str, tmp_path: Path, runtime: Runtime) -> None:
    """Also not when `--include` would bring back what is in it."""
    outside = plant(tmp_path / "outside", {"plan.md": MARK, "b/context.manifest.yaml": MARK})
    source = plant(tmp_path / "nova", NOVA)
    (source / link).parent.mkdir(exist_ok=True)
    (source / link).symlink_to(outside)
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime, includes=("*.md", "**")))


@pytest.mark.parametrize("place", [".hidden/acme", "dist/acme", "bundles/acme", "_core/acme", "raw/deep/acme"])
@pytest.mark.parametrize("pattern", ["*.md", "acme", "**"])
def test_include_does_not_take_nested_walnuts_along(place: str, pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """Only `--include-nested` does, wherever they lie."""
    nested = {f"{place}/_kernel/key.md": MARK, f"{place}/notes.md": MARK}
    source = plant(tmp_path / "nova", {**NOVA, **nested, "bundles/b/context.manifest.yaml": b"goal: x\n"})
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime, includes=(pattern,)))


@pytest.mark.parametrize("pattern", ["**", "*", ".config/*", ".config/**", "**/*"])
def test_a_sweeping_include_does_not_bring_credentials(pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """A credential has to be named; `*` names nothing."""
    hidden = {".config/.env": MARK, ".config/id_rsa": MARK, ".config/app.toml": b"x", "deploy.pem": MARK}
    source = plant(tmp_path / "nova", {**NOVA, **hidden})
    assert not {".config/.env", ".config/id_rsa", "deploy.pem"} & _leaving(source, runtime, includes=(pattern,))
    assert "deploy.pem" in _leaving(source, runtime, includes=("*.pem",))


def test_the_primer_does_not_name_what_is_kept_back(tmp_path: Path, runtime: Runtime) -> None:
    """A bundle that is excluded, for whatever reason, is nowhere in the package."""
    source = plant(tmp_path / "nova", {**NOVA, "secret-merger/context.manifest.yaml": b"goal: x\n"})
    options = {"peer_excludes": {"ben": ("secret-merger/",)}}
    assert b"secret-merger" not in bytes_in(pack(source, tmp_path / "p.walnut", runtime, **options))
    plan = plan_share(ShareRequest(source, "full", **options), runtime)  # type: ignore[arg-type]
    assert "secret-merger" not in {bundle.name for bundle in plan.bundles}


def test_a_nested_kernel_gives_no_more_than_the_outer_one(tmp_path: Path, runtime: Runtime) -> None:
    """Only the files that can leave the root kernel, and its sensitivity counts."""
    nested = {
        "child/_kernel/key.md": b"---\nsensitivity: restricted\n---\n",
        "child/_kernel/log.md.bak": MARK,
        "child/_kernel/private.md": MARK,
        "child/_kernel/deep/x.md": MARK,
    }
    source = plant(tmp_path / "nova", {**NOVA, **nested})
    plan = plan_share(ShareRequest(source, "full", nested=True), runtime)
    assert plan.sensitivity is Sensitivity.RESTRICTED
    assert {one.entry.path for one in plan.files if one.entry.path.startswith("child/_kernel/")} == {
        "child/_kernel/key.md"
    }
    assert [(one.name, one.outcome) for one in plan.gate.blocks] == [("child", Outcome.REFUSED)]


@pytest.mark.parametrize("place", ["docs/build/sub", "docs/raw", "shielding-review/raw/inner", "a/b/c/d"])
def test_the_sensitivity_of_every_bundle_that_leaves_counts(place: str, tmp_path: Path, runtime: Runtime) -> None:
    """Also of one that lies where bundles are not looked for."""
    source = plant(tmp_path / "nova", {**NOVA, f"{place}/context.manifest.yaml": b"sensitivity: restricted\n"})
    assert plan_share(ShareRequest(source, "full"), runtime).sensitivity is Sensitivity.RESTRICTED


def test_build_output_at_the_root_stays_also_when_it_looks_like_a_bundle(tmp_path: Path, runtime: Runtime) -> None:
    """`raw` and `build` at the root are listed, not packed."""
    tree = {"raw/context.manifest.yaml": MARK, "build/context.manifest.yaml": MARK}
    source = plant(tmp_path / "nova", {**NOVA, **tree})
    plan = plan_share(ShareRequest(source, "full"), runtime)
    assert {one.path for one in plan.left_out if one.reason is Reason.BUILD_OUTPUT} == {"raw", "build"}


def test_active_sessions_spelt_with_an_escape_stay(tmp_path: Path, runtime: Runtime) -> None:
    """`active\\u005fsessions` is the same key to a YAML reader."""
    manifest = b'goal: x\n"active\\u005fsessions": [PRIVATE-MARKER]\n'
    source = plant(tmp_path / "nova", {**NOVA, "alpha/context.manifest.yaml": manifest})
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime))


def test_a_key_that_becomes_restricted_after_the_preview_stops_the_share(tmp_path: Path, runtime: Runtime) -> None:
    """Although the key itself leaves reduced."""
    source = plant(tmp_path / "nova", NOVA)

    def approve(_plan: SharePlan) -> bool:
        (source / "_kernel" / "key.md").write_bytes(KEY.replace(b"type:", b"sensitivity: restricted\ntype:"))
        return True

    with pytest.raises(AliveP2PError, match="changed"):
        share(ShareRequest(source, "full"), runtime, agreed=True, approve=approve, output=tmp_path / "p.walnut")


# --- and what was refused or lost without need ----------------------------------------------------------------


@posix
@pytest.mark.parametrize("name", ["config.yaml", "tasks.json", "completed.json"])
def test_a_linked_kernel_file_is_left_out_and_the_share_goes_on(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """It is listed; for tasks the empty skeleton takes its place."""
    outside = plant(tmp_path / "outside", {"x": MARK})
    source = plant(tmp_path / "nova", NOVA)
    (source / "_kernel" / name).unlink(missing_ok=True)
    (source / "_kernel" / name).symlink_to(outside / "x")
    plan = plan_share(ShareRequest(source, "full"), runtime)
    assert (f"_kernel/{name}", Reason.LINK) in {(one.path, one.reason) for one in plan.left_out}
    assert MARK not in bytes_in(pack(source, tmp_path / "p.walnut", runtime))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_listed(tmp_path: Path, runtime: Runtime) -> None:
    """The rest is shared."""
    source = plant(tmp_path / "nova", {**NOVA, "locked/x.md": b"x"})
    (source / "locked").chmod(0)
    try:
        plan = plan_share(ShareRequest(source, "full"), runtime)
    finally:
        (source / "locked").chmod(0o755)
    assert ("locked", Reason.UNREADABLE) in {(one.path, one.reason) for one in plan.left_out}


@pytest.mark.skipif(os.name != "posix", reason="needs setpriv")
def test_a_folder_that_may_not_be_entered_is_listed_without_roots_powers(program: str, tmp_path: Path) -> None:
    """The same, in a process that has given up root's right to read everything."""
    import shutil
    import subprocess

    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only needed where the tests run as root, with setpriv")
    source = plant(tmp_path / "nova", {**NOVA, "locked/x.md": b"x"})
    (source / "locked").chmod(0)
    caps = "-dac_override,-dac_read_search"
    command = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}", program, "create", "--scope", "full"]
    done = subprocess.run(
        [*command, "--walnut", str(source), "--dry-run", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    (source / "locked").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert {"path": "locked", "reason": "unreadable", "detail": ""} in json.loads(done.stdout)["left_out"]


@pytest.mark.parametrize(
    ("files", "empty", "limit"),
    [(3, 3, {"max_files": 10}), (5, 0, {"max_files": 10}), (1, 0, {"max_bytes": 2000})],
)
def test_what_is_made_can_be_read_with_the_same_limits(
    files: int, empty: int, limit: dict[str, int], tmp_path: Path, runtime: Runtime
) -> None:
    """At the very limit: either the share refuses, or a receiver with the same limits reads it."""
    from alive_p2p.package.limits import Limits

    tree = {f"f{n}": b"x" * 50 for n in range(files)} | {f"e{n}/": b"" for n in range(empty)}
    kernel = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}
    source = plant(tmp_path / "nova", {**kernel, **tree})
    for more in range(8):
        (source / f"more{more}").write_bytes(b"y" * 200)
        try:
            package = pack(source, tmp_path / "p.walnut", runtime, **limit)
        except WalnutError:
            break
        with PackageReader(package, Limits(**limit)) as reader:
            reader.check()
    else:
        pytest.fail("the limit was never reached")


def test_a_chain_of_deep_folders_is_counted_on_both_sides(tmp_path: Path, runtime: Runtime) -> None:
    """What implies more folders than a receiver makes is not packed."""
    deep = {f"{n}/" + "a/" * 30 + "x": b"" for n in range(3)}
    source = plant(tmp_path / "nova", {**NOVA, **deep})
    with pytest.raises(WalnutError, match="folders"):
        plan_share(ShareRequest(source, "full", max_files=40), runtime)


def test_a_received_agent_file_gets_its_name_back(tmp_path: Path, runtime: Runtime) -> None:
    """`CLAUDE.md` arrives as `CLAUDE.md.received` and is shared on as `CLAUDE.md`; both sides agree on the content."""
    source = plant(tmp_path / "nova", {**NOVA, "launch-window/CLAUDE.md": b"words", "launch-window/.mcp.json": b"{}"})
    full = pack(source, tmp_path / "f.walnut", runtime, includes=(".mcp.json",))
    receive(ReceiveRequest(full, target=tmp_path / "there"), runtime)
    assert (tmp_path / "there" / "launch-window" / "CLAUDE.md.received").read_bytes() == b"words"
    assert not (tmp_path / "there" / "launch-window" / ".mcp.json").exists()
    back = _leaving(tmp_path / "there", runtime)
    assert "launch-window/CLAUDE.md" in back
    assert "launch-window/CLAUDE.md.received" not in back
    (tmp_path / "there" / "launch-window" / "CLAUDE.md").write_bytes(b"my own")
    with pytest.raises(WalnutError, match="same place"):
        _leaving(tmp_path / "there", runtime)


@pytest.mark.parametrize("name", ["bundles", "_core", "_Core"])
def test_a_bundle_that_nobody_can_receive_is_not_packed(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """The message says to rename the folder."""
    source = plant(tmp_path / "nova", {**NOVA, f"{name}/context.manifest.yaml": b"goal: x\n"})
    with pytest.raises(UsageError, match="cannot be received"):
        plan_share(ShareRequest(source, "bundle", (name,)), runtime)


@pytest.mark.parametrize("name", ["credentials-rotation", "id_cards"])
def test_a_bundle_is_not_taken_for_a_credential(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """What its folder is called does not keep a bundle at home; a file of such a name does stay."""
    tree = {f"{name}/context.manifest.yaml": b"goal: x\n", f"{name}/id_rsa": MARK}
    source = plant(tmp_path / "nova", {**NOVA, **tree})
    leaving = _leaving(source, runtime)
    assert f"{name}/context.manifest.yaml" in leaving
    assert f"{name}/id_rsa" not in leaving


def test_an_id_in_upper_case_is_kept(tmp_path: Path, runtime: Runtime) -> None:
    """It is the same id; one that is none stops nothing and is never overwritten."""
    upper = "EB3A1C2D-0000-4000-8000-ABCDEFABCDEF"
    source = plant(tmp_path / "nova", {**NOVA, "_kernel/imports.json": json.dumps({"walnut_id": upper}).encode()})
    with PackageReader(pack(source, tmp_path / "p.walnut", runtime)) as reader:
        assert reader.read_manifest().walnut_id == upper.lower()
    odd = plant(tmp_path / "odd", {**NOVA, "_kernel/imports.json": b'{"walnut_id": "mine"}'})
    plan = plan_share(ShareRequest(odd, "full"), runtime)
    assert plan.manifest.walnut_id is None
    assert any("walnut_id" in warning for warning in plan.warnings)


def test_a_folder_name_is_written_as_it_is(tmp_path: Path, runtime: Runtime) -> None:
    """Spaces at its ends and doubled ones are part of the name."""
    source = plant(tmp_path / " nova  station ", NOVA)
    assert plan_share(ShareRequest(source, "full"), runtime).manifest.walnut == " nova  station "


def test_a_v2_bundle_beside_an_empty_folder_of_its_name_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    """Flattened, both would take the same place."""
    source = plant(tmp_path / "nova", {**NOVA, "bundles/x/context.manifest.yaml": b"goal: x\n", "x/": b""})
    with pytest.raises(WalnutError, match="same place"):
        plan_share(ShareRequest(source, "full"), runtime)


def test_no_id_is_recorded_when_the_package_cannot_be_written(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that failed leaves the walnut as it was."""
    from alive_p2p.sharing import pipeline

    source = plant(tmp_path / "nova", NOVA)
    before = tree_of(source)

    def fail(*_arguments: object, **_options: object) -> None:
        raise AliveP2PError("disk-full", "cannot write it: the disk is full")

    monkeypatch.setattr(pipeline, "write_package", fail)
    with pytest.raises(AliveP2PError, match="disk is full"):
        pack(source, tmp_path / "p.walnut", runtime)
    assert tree_of(source) == before


def test_force_replaces_only_what_output_names(tmp_path: Path, make_runtime: Callable[..., Runtime]) -> None:
    """A folder with `--force` does not overwrite the file of the default name, and a device is never replaced."""
    runtime = make_runtime()
    source = plant(tmp_path / "nova", NOVA)
    out = plant(tmp_path / "out", {"nova-full-2026-04-07.walnut": b"mine"})
    assert share(ShareRequest(source, "full"), runtime, agreed=True, output=out, force=True).path.name.endswith(
        "-2.walnut"
    )
    assert (out / "nova-full-2026-04-07.walnut").read_bytes() == b"mine"
    if os.name == "posix":
        os.mkfifo(out / "pipe")
        with pytest.raises(UsageError, match="not a file"):
            share(ShareRequest(source, "full"), runtime, agreed=True, output=out / "pipe", force=True)
