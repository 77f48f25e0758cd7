"""The plugin's own files: manifest, hook, launcher and template (agents.md §1)."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from alive_p2p.runtime import PLUGIN_VERSION
from alive_p2p.walnut.preferences import _KNOWN, Preferences, load_preferences
from worlds import make_world

PLUGIN = Path(__file__).resolve().parents[2] / "plugin"
RUN = ["bin/alive-p2p", "hooks/scripts/relay-check.sh"]


def _json(path: str) -> dict[str, object]:
    document: dict[str, object] = json.loads((PLUGIN / path).read_bytes())
    return document


def test_the_manifest_says_what_skills_are_called_by_and_whose_conventions_packages_follow() -> None:
    """A skill is `/NAME:FOLDER`; what a package says it was made with, and what is installed, are one version."""
    manifest = _json(".claude-plugin/plugin.json")
    assert manifest["version"] == PLUGIN_VERSION
    assert manifest["name"] == "alive"
    assert manifest["description"]
    assert set(manifest) <= {"name", "version", "description", "author", "license", "keywords"}


def test_a_clone_can_be_added_as_a_marketplace() -> None:
    """That is how it is installed; the version stands in one place."""
    market = json.loads((PLUGIN.parent / ".claude-plugin" / "marketplace.json").read_bytes())
    (entry,) = market["plugins"]
    assert (PLUGIN.parent / entry["source"]).resolve() == PLUGIN
    assert entry["name"] == _json(".claude-plugin/plugin.json")["name"]
    assert "version" not in entry


def test_the_hook_is_called_when_a_session_starts_and_when_one_goes_on() -> None:
    """By its place in the plugin, quoted; and nothing is counted that would be wrong one day."""
    hooks = _json("hooks/hooks.json")
    assert not re.search(r"\d", str(hooks["description"]))
    events = hooks["hooks"]
    assert isinstance(events, dict)
    assert set(events) == {"SessionStart"}
    assert [one["matcher"] for one in events["SessionStart"]] == ["startup", "resume"]
    for entry in events["SessionStart"]:
        (hook,) = entry["hooks"]
        assert hook["type"] == "command"
        match = re.fullmatch(r'"\$\{CLAUDE_PLUGIN_ROOT\}/([\w./-]+)"', hook["command"])
        assert match is not None
        assert match[1] in RUN


@pytest.mark.skipif(os.name != "posix", reason="run bits are POSIX")
@pytest.mark.parametrize("path", RUN)
def test_what_is_run_can_be_run(path: str) -> None:
    """By every POSIX shell; the system's `sh` reads it, and its bits are set, here and in git."""
    file = PLUGIN / path
    assert os.access(file, os.X_OK)
    assert file.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert b"\r" not in file.read_bytes()
    assert subprocess.run(["sh", "-n", file], check=False).returncode == 0


# --- the launcher -----------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="the launcher is a shell script")


def _tool(folder: Path, words: str = "found") -> Path:
    file = folder / "alive-p2p"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\n\necho {words} "$#" "$@"\n', encoding="utf-8")
    file.chmod(0o755)
    return file


def _launch(*arguments: str, path: str, home: Path, program: Path = PLUGIN / "bin" / "alive-p2p"):
    return subprocess.run(
        [program, *arguments],
        cwd=home,
        env={"PATH": path, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@posix
def test_the_launcher_hands_everything_to_the_tool(tmp_path: Path) -> None:
    """Arguments as they are, with blanks and stars and all; its own folder stands first in the PATH."""
    _tool(tmp_path / "b in")
    done = _launch("a b", "*", "", path=f"{PLUGIN / 'bin'}:{tmp_path / 'b in'}:/usr/bin:/bin", home=tmp_path)
    assert done.stdout == "found 3 a b * \n"
    assert done.returncode == 0


@posix
def test_the_launcher_finds_the_tool_where_installers_put_it(tmp_path: Path) -> None:
    """An agent that was started from a desktop has a short PATH."""
    _tool(tmp_path / ".local" / "bin")
    assert _launch(path="/usr/bin:/bin", home=tmp_path).stdout == "found 0\n"


@posix
def test_launchers_do_not_call_each_other(tmp_path: Path) -> None:
    """Two versions of the plugin, or a link to one, are not the tool."""
    other = tmp_path / "other"
    shutil.copytree(PLUGIN / "bin", other)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "alive-p2p").symlink_to(PLUGIN / "bin" / "alive-p2p")
    path = f"{other}:{tmp_path / 'link'}:{PLUGIN / 'bin'}:/usr/bin:/bin"
    done = _launch("--version", path=path, home=tmp_path, program=other / "alive-p2p")
    if done.returncode == 0:
        pytest.skip("the tool is installed for everybody on this machine")
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr.startswith("alive-p2p is not installed")
    assert done.stderr.count("\n") == 1


@posix
def test_the_launcher_takes_nothing_from_the_folder_of_the_session(tmp_path: Path) -> None:
    """The folder may be anybody's: neither `.` nor an empty part of the PATH counts."""
    _tool(tmp_path, "trap")
    _tool(tmp_path / "real")
    done = _launch(path=f".::bin:{tmp_path / 'real'}:/usr/bin:/bin", home=tmp_path)
    assert done.stdout == "found 0\n"


# --- the template -----------------------------------------------------------------------------------------------

_TEMPLATE = PLUGIN / "templates" / "preferences.p2p.yaml"


def _loaded(tmp_path: Path, text: str) -> Preferences:
    world = tmp_path / "world"
    if not world.exists():
        make_world(world)
    (world / ".alive" / "preferences.yaml").write_text(text, encoding="utf-8")
    return load_preferences(world)


def test_the_template_changes_nothing_as_it_is(tmp_path: Path) -> None:
    """All of it is off, so that copying it is no decision."""
    from dataclasses import replace

    assert replace(_loaded(tmp_path, _TEMPLATE.read_text(encoding="utf-8")), path=None) == Preferences()


def test_the_template_has_every_setting_and_none_besides(tmp_path: Path) -> None:
    """With the marks taken away it can be read, and says of everything what counts without it."""
    lines = [
        re.sub(r"^(\s*)# ", r"\1", line)
        for line in _TEMPLATE.read_text(encoding="utf-8").splitlines()
        if not re.match(r"\s*# [A-Z]", line)
    ]
    loaded = _loaded(tmp_path, "\n".join(lines) + "\n")
    assert loaded.warnings == ()
    names = {match[1] for line in lines if (match := re.match(r"\s*([a-z0-9_]+):", line))}
    assert {name for section in _KNOWN.values() for name in section} <= names
    default = Preferences()
    for name in ("discovery_hints", "auto_receive", "require_signature", "sign", "relay_url", "relay_token_env"):
        assert getattr(loaded, name) == getattr(default, name)
    assert loaded.share_presets == {"outside": ("**/pricing*", "contracts/")}
