"""The whole road with the installed program."""

import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from worlds import KEY, NOVA, make_world, nothing_left, plant, tree_of

Run = Callable[..., "object"]


def test_a_walnut_goes_from_one_world_to_another(run: Run, tmp_path: Path) -> None:
    """create, tar, info, verify, receive, receive again: each says what it should and ends with 0."""
    source = plant(tmp_path / "nova", NOVA)
    package = tmp_path / "x.walnut"
    made = run("create", "--yes", "--scope", "full", "--walnut", source, "--output", package, "--yes")
    assert (made.code, made.err) == (0, "")
    assert str(package) in made.out
    with tarfile.open(package) as archive:
        names = archive.getnames()
    assert names[0] == "manifest.yaml"
    assert names[1:] == sorted(names[1:])
    info = run("info", package)
    assert "not signed" in info.out
    assert run("verify", package).out.count(" ok ") == 6
    received = run("receive", package, "--target", tmp_path / "there", "--yes")
    assert received.code == 0, received.err
    before = tree_of(tmp_path / "there")
    again = run("receive", package, "--target", tmp_path / "there", "--yes")
    assert again.code == 0
    assert "nothing to do" in again.out
    assert tree_of(tmp_path / "there") == before
    assert nothing_left(tmp_path)


def test_a_bundle_follows_after_both_edited_their_key(run: Run, tmp_path: Path) -> None:
    """The second package finds the walnut by its id, and its world by itself."""
    source = plant(tmp_path / "nova", NOVA)
    world = make_world(tmp_path / "world")
    run("create", "--yes", "--scope", "snapshot", "--walnut", source, "-o", tmp_path / "s.walnut")
    assert run("receive", tmp_path / "s.walnut", "--yes", cwd=world).code == 0
    for root in (source, world / "03_Inbox" / "nova"):
        (root / "_kernel" / "key.md").write_bytes(KEY + str(root).encode())
    run(
        "create",
        "--yes",
        "--scope",
        "bundle",
        "--bundle",
        "launch-window",
        "--walnut",
        source,
        "-o",
        tmp_path / "b.walnut",
    )
    done = run("receive", tmp_path / "b.walnut", "--yes", "--json", cwd=world / "04_Ventures")
    document = json.loads(done.out)
    assert document["status"] == "ok"
    assert document["applied_bundles"] == ["launch-window"]
    assert document["target"] == str(world / "03_Inbox" / "nova")
    listed = json.loads(run("list-bundles", "--walnut", document["target"], "--json").out)
    assert [bundle["name"] for bundle in listed] == ["launch-window"]


def test_standard_tools_open_what_we_make(run: Run, tmp_path: Path) -> None:
    """`tar xzf` gives the files, with the names, contents and modes that the manifest lists."""
    import hashlib

    source = plant(
        tmp_path / "nova", {**NOVA, "日本語 ノート.md": b"x", "d/" * 40 + "deep.md": b"deep", "run.sh": b"#!"}
    )
    (source / "run.sh").chmod(0o755)
    run("create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "x.walnut")
    opened = tmp_path / "opened"
    opened.mkdir()
    subprocess.run(["tar", "xzf", tmp_path / "x.walnut", "-C", opened], check=True)
    listed = json.loads(run("create", "--yes", "--scope", "full", "--walnut", source, "--dry-run", "--json").out)[
        "files"
    ]
    for entry in listed:
        if entry["path"] in {"README.md", "_kernel/key.md", "_kernel/log.md", "_kernel/insights.md"}:
            continue
        data = (opened / entry["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert (opened / "run.sh").stat().st_mode & 0o100


def test_module_and_script_are_the_same_program(run: Run) -> None:
    """`python -m alive_p2p` answers as `alive-p2p` does."""
    import sys

    script = run("--version")
    module = subprocess.run([sys.executable, "-m", "alive_p2p", "--version"], capture_output=True, check=True)
    assert module.stdout.decode() == script.out
    assert script.out.startswith("alive-p2p ")


def test_a_missing_log_entry_can_be_written(run: Run, tmp_path: Path) -> None:
    """`log-import` takes what it needs from the ledger, and does not write twice."""
    source = plant(tmp_path / "nova", NOVA)
    run("create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "x.walnut", GH_USER="alice")
    received = json.loads(run("receive", tmp_path / "x.walnut", "--target", tmp_path / "there", "--yes", "--json").out)
    log = tmp_path / "there" / "_kernel" / "log.md"
    with_entry = log.read_bytes()
    assert b"Imported package from alice" in with_entry
    short_id = received["import_id"][:16]
    assert "already" in run("log-import", "--walnut", tmp_path / "there", "--import-id", short_id).out
    log.write_bytes(with_entry[: with_entry.index(b"## ")])
    assert run("log-import", "--walnut", tmp_path / "there", "--import-id", short_id).code == 0
    assert b"Imported package from alice" in log.read_bytes()
    assert b"- Bundles: launch-window, shielding-review" in log.read_bytes()
    assert run("log-import", "--walnut", tmp_path / "there", "--import-id", "nonsense").code == 2


def test_now_json_can_be_made_again(run: Run, tmp_path: Path) -> None:
    """`project` computes it from the rest."""
    source = plant(tmp_path / "nova", NOVA)
    assert run("project", "--walnut", source).code == 0
    now = json.loads((source / "_kernel" / "now.json").read_bytes())
    assert set(now["bundles"]["active"]) == {"launch-window", "shielding-review"}
    assert now["context"] == "A crewed station at the lunar south pole"


def test_an_alive_plugin_makes_now_json_where_it_is_installed(run: Run, tmp_path: Path) -> None:
    """The plugin's script runs on the walnut after the commit; if it fails, that is a warning."""
    plugin = plant(
        tmp_path / "plugin",
        {
            "scripts/project.py": b"import sys, pathlib\n"
            b"walnut = pathlib.Path(sys.argv[sys.argv.index('--walnut') + 1])\n"
            b"(walnut / '_kernel' / 'now.json').write_text('made by the plugin')\n"
        },
    )
    source = plant(tmp_path / "nova", NOVA)
    run("create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "x.walnut")
    done = run("receive", tmp_path / "x.walnut", "--target", tmp_path / "a", "--yes", CLAUDE_PLUGIN_ROOT=str(plugin))
    assert done.code == 0, done.err
    assert (tmp_path / "a" / "_kernel" / "now.json").read_text(encoding="utf-8") == "made by the plugin"
    (plugin / "scripts" / "project.py").write_text("raise SystemExit('no \\x1b[31mway')", encoding="utf-8")
    warned = run(
        "receive",
        tmp_path / "x.walnut",
        "--target",
        tmp_path / "b",
        "--yes",
        "--strict",
        CLAUDE_PLUGIN_ROOT=str(plugin),
    )
    assert warned.code == 1
    assert "alive-p2p project --walnut" in warned.err
    assert "\x1b" not in warned.err
    assert (tmp_path / "b" / "notes.md").is_file()


def test_the_projection_can_be_skipped(run: Run, tmp_path: Path) -> None:
    """ALIVE_P2P_SKIP_REGEN leaves now.json alone."""
    source = plant(tmp_path / "nova", NOVA)
    run("create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "x.walnut")
    run("receive", tmp_path / "x.walnut", "--target", tmp_path / "a", "--yes", ALIVE_P2P_SKIP_REGEN="1")
    assert not (tmp_path / "a" / "_kernel" / "now.json").exists()
