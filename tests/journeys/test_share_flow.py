"""The interactive flow in a pseudo-terminal: questions, the look at it, editing, shipping, stopping (share.md §8)."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from people import Person

from worlds import NOVA, plant, tree_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import pexpect

Terminal = Callable[..., "pexpect.spawn[str]"]
DOWN, ENTER, SPACE, CTRL_C, CTRL_D = "\x1b[B", "\r", " ", "\x03", "\x04"

TASKS = b'{"tasks": [{"id": "t1", "title": "Ask", "status": "active"}, {"id": "t2", "title": "Do", "status": "todo"}]}'


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A world with one walnut and a preset."""
    root = plant(
        tmp_path / "world",
        {
            ".alive/preferences.yaml": b"p2p:\n  share_presets:\n    outside: {exclude_patterns: [engineering/]}\n",
            **{f"04_Ventures/nova/{path}": content for path, content in NOVA.items()},
            "04_Ventures/nova/shielding-review/tasks.json": TASKS,
        },
    )
    (tmp_path / "out").mkdir()
    return root


def _press(child: "pexpect.spawn[str]", question: str, *keys: str) -> None:
    child.expect(question)
    child.expect("Enter|:")
    for key in keys:
        child.send(key)


def _ended(child: "pexpect.spawn[str]") -> tuple[int | None, str]:
    child.expect(pexpect.EOF)
    said = child.before or ""
    child.close()
    return child.exitstatus, said


def test_some_bundles_for_everybody(terminal: Terminal, world: Path, tmp_path: Path) -> None:
    """What, for whom, a preset, the preview, and off it goes."""
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "-o", tmp_path / "out")
    _press(child, "what of it", ENTER)
    child.expect("which bundles")
    child.expect("shielding-review — private; 1 active, 1 todo")
    child.send(DOWN + SPACE + ENTER)
    _press(child, "for whom", DOWN, DOWN, ENTER)
    _press(child, "a preset", ENTER)
    child.expect("would pack 'nova'")
    child.expect("asks +the bundle 'shielding-review' is private")
    _press(child, "and now", ENTER)
    code, said = _ended(child)
    assert code == 0, said
    assert "packed 'nova'" in said
    (made,) = (tmp_path / "out").iterdir()
    assert made.name.startswith("nova-bundle-")


def test_everything_for_a_peer(terminal: Terminal, people: dict[str, Person], world: Path, tmp_path: Path) -> None:
    """Peers are shown with their fingerprints and whether anybody vouched for them."""
    alice, ben = people["alice"], people["ben"]
    alice.knows(ben)
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "-o", tmp_path / "out", HOME=str(alice.home), GH_USER="alice")
    _press(child, "what of it", DOWN, ENTER)
    child.expect("for whom")
    child.expect(rf"ben \({ben.pubkey_id}, unpaired\)")
    child.send(ENTER)
    _press(child, "a preset", DOWN, ENTER)
    child.expect(r"sealed +for ben")
    child.expect(r"engineering/ +\(preset outside\): 1 file")
    _press(child, "and now", ENTER)
    code, said = _ended(child)
    assert code == 0, said
    (made,) = (tmp_path / "out").iterdir()
    assert ben("verify", made).code == 0
    sent = json.loads((alice.home / ".alive" / "relay" / "sent.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in sent["shares"][0]["recipients"]] == ["ben"]


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
@pytest.mark.parametrize("step", range(5))
def test_stopping_at_any_question_leaves_nothing(
    step: int, key: str, terminal: Terminal, world: Path, tmp_path: Path, home: Path
) -> None:
    """Neither in the walnut nor beside it."""
    nova = world / "04_Ventures" / "nova"
    before = tree_of(world)
    child = terminal("share", "--walnut", nova, "-o", tmp_path / "out")
    for number, (question, keys) in enumerate(
        [
            ("what of it", (ENTER,)),
            ("which bundles", (SPACE, ENTER)),
            ("for whom", (DOWN, DOWN, ENTER)),
            ("a preset", (ENTER,)),
            ("and now", ()),
        ]
    ):
        if number == step:
            _press(child, question, key)
            break
        _press(child, question, *keys)
    code, said = _ended(child)
    assert code == 130, said
    assert "Traceback" not in said
    assert tree_of(world) == before
    assert list((tmp_path / "out").iterdir()) == []
    assert not (home / ".alive" / "relay" / "sent.json").exists()


def test_editing_and_looking_again(terminal: Terminal, world: Path, tmp_path: Path) -> None:
    """A pattern more, a wrong one told, and the preview again; cancelling after all of it leaves nothing."""
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "--scope", "full", "--to-nobody", "--preset", "outside")
    child.expect("would pack")
    _press(child, "and now", DOWN, ENTER)
    _press(child, "what to leave out", "!x", ENTER)
    child.expect("negation|not")
    _press(child, "what to leave out", "notes.md", ENTER)
    child.expect(r"notes.md +\(given by hand\): 1 file")
    _press(child, "and now", DOWN, ENTER)
    _press(child, "what to leave out", "context.manifest.yaml", ENTER)
    child.expect("that stays as it was")
    _press(child, "and now", DOWN, DOWN, ENTER)
    code, said = _ended(child)
    assert (code, "cancelled, as you asked" in said) == (1, True)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".walnut"] == []


def test_what_blocks_is_settled_one_by_one(terminal: Terminal, world: Path, tmp_path: Path) -> None:
    """A secret is left out with its file, a restricted bundle left out; then it may go."""
    nova = world / "04_Ventures" / "nova"
    (nova / "engineering" / "keys.md").write_text("token: " + "ghp_" + "a1B2c3D4e5" * 4 + "\n", encoding="utf-8")
    (nova / "launch-window" / "context.manifest.yaml").write_text("sensitivity: restricted\n", encoding="utf-8")
    child = terminal("share", "--walnut", nova, "--scope", "full", "--to-nobody", "--preset", "outside", "-o", "out")
    child.expect("refused +the bundle 'launch-window' is restricted")
    child.expect("leave out 'launch-window'")
    child.send(ENTER)
    child.expect(r"launch-window/ +\(given by hand\): 2 files")
    _press(child, "and now", ENTER)
    code, said = _ended(child)
    assert code == 0, said
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_secret_stops_it_until_somebody_decides(terminal: Terminal, world: Path, tmp_path: Path) -> None:
    """Left out with its file, the rest goes."""
    nova = world / "04_Ventures" / "nova"
    secret = "ghp_" + "a1B2c3D4e5" * 4
    (nova / "notes.md").write_text(f"token: {secret}\n", encoding="utf-8")
    child = terminal("share", "--walnut", nova, "--scope", "full", "--to-nobody", "--preset", "outside", "-o", "out")
    child.expect("findings")
    child.expect("leave out 'notes.md'")
    child.send(ENTER)
    child.expect(r"notes.md +\(given by hand\): 1 file")
    _press(child, "and now", ENTER)
    code, said = _ended(child)
    assert code == 0, said
    assert secret not in said
    (made,) = (tmp_path / "out").iterdir()
    assert secret.encode() not in made.read_bytes()


def test_without_a_terminal_it_says_which_flags_to_use(run: Callable[..., Any], world: Path, tmp_path: Path) -> None:
    """With all of them it needs nobody."""
    nova = world / "04_Ventures" / "nova"
    ran = run("share", "--walnut", nova)
    assert (ran.code, "no terminal" in ran.err) == (1, True)
    flags = ("--walnut", nova, "--scope", "full", "--to-nobody", "--preset", "outside", "-o", tmp_path / "out")
    assert run("share", *flags).code == 1
    done = run("share", *flags, "--yes", "--json")
    assert json.loads(done.out)["status"] in {"ok", "warn"}
    assert run("share", *flags, "--to", "ben").code == 2


def test_the_walnut_around_the_current_folder_is_meant(run: Callable[..., Any], world: Path, tmp_path: Path) -> None:
    """From a folder inside it; and in no walnut at all the message says what to do."""
    inside = world / "04_Ventures" / "nova" / "engineering"
    flags = ("--scope", "snapshot", "--to-nobody", "--preset", "outside", "-o", tmp_path / "out", "--yes")
    assert "packed 'nova'" in run("share", *flags, cwd=inside).out
    refused = run("share", *flags, cwd=tmp_path)
    assert (refused.code, "--walnut" in refused.err) == (2, True)


def test_hostile_names_do_not_reach_the_terminal(terminal: Terminal, world: Path) -> None:
    """A bundle's name with an escape sequence is shown as one."""
    nova = world / "04_Ventures" / "nova"
    plant(nova / "a\x1b[31mred", {"context.manifest.yaml": b"goal: x\n"})
    child = terminal("share", "--walnut", nova, "--scope", "bundle")
    child.expect("which bundles")
    child.expect(r"a\\x1b\[31mred")
    child.send(CTRL_C)
    assert _ended(child)[0] == 130
