"""The interactive flow in a pseudo-terminal: questions, the look at it, editing, shipping, stopping (share.md §8)."""

import json
import sys
from pathlib import Path

import pytest
from flow import (
    CTRL_C,
    CTRL_D,
    DOWN,
    ENTER,
    SECRET,
    SPACE,
    Host,
    Run,
    Terminal,
    ended,
    press,
    public_half,
    world_to_share,
)
from people import Person, make_ssh_key

from worlds import plant, tree_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A world with one walnut and a preset."""
    return world_to_share(tmp_path)


def test_some_bundles_for_everybody(terminal: Terminal, world: Path, tmp_path: Path) -> None:
    """What, for whom, a preset, the preview, and off it goes."""
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "-o", tmp_path / "out")
    press(child, "what of it", ENTER)
    child.expect("which bundles")
    child.expect("shielding-review — private; 1 active, 1 todo")
    child.send(DOWN + SPACE + ENTER)
    press(child, "for whom", DOWN, DOWN, ENTER)
    press(child, "a preset", ENTER)
    child.expect("would pack 'nova'")
    child.expect("asks +the bundle 'shielding-review' is private")
    press(child, "and now", ENTER)
    code, said = ended(child)
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
    press(child, "what of it", DOWN, ENTER)
    child.expect("for whom")
    child.expect(rf"ben \({ben.pubkey_id}, unpaired\)")
    child.send(ENTER)
    press(child, "a preset", DOWN, ENTER)
    child.expect(r"sealed +for ben")
    child.expect(r"engineering/ +\(preset outside\): 1 file")
    press(child, "and now", ENTER)
    code, said = ended(child)
    assert code == 0, said
    (made,) = (tmp_path / "out").iterdir()
    assert ben("verify", made).code == 0
    sent = json.loads((alice.home / ".alive" / "relay" / "sent.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in sent["shares"][0]["recipients"]] == ["ben"]


_ROADS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "everybody": [
        ("what of it", (ENTER,)),
        ("which bundles", (SPACE, ENTER)),
        ("for whom", (DOWN, DOWN, ENTER)),
        ("a preset", (ENTER,)),
        ("and now", ()),
    ],
    "somebody": [
        ("what of it", (DOWN, ENTER)),
        ("for whom", (ENTER,)),
        ("where", (ENTER,)),
        ("their name at GitHub", ("carla", ENTER)),
        ("a preset", (ENTER,)),
        ("seal it for github:carla", ("y", ENTER)),
        ("and now", ()),
    ],
    "passphrase": [
        ("what of it", (DOWN, ENTER)),
        ("for whom", (DOWN, ENTER)),
        ("a preset", (ENTER,)),
        ("passphrase for the package", (SECRET, ENTER)),
        ("the same passphrase again", (SECRET, ENTER)),
        ("and now", ()),
    ],
}


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
@pytest.mark.parametrize(
    ("road", "step"), [(road, step) for road, asked in _ROADS.items() for step in range(len(asked))]
)
def test_stopping_at_any_question_leaves_nothing(
    road: str, step: int, key: str, terminal: Terminal, world: Path, tmp_path: Path, home: Path, host: Host
) -> None:
    """Neither in the walnut nor beside it, whoever it was for."""
    nova = world / "04_Ventures" / "nova"
    address, answers = host
    answers["/carla.keys"] = (200, public_half(make_ssh_key(tmp_path / "carla", "ed25519")))
    before = tree_of(world)
    child = terminal("share", "--walnut", nova, "-o", tmp_path / "out", ALIVE_P2P_GITHUB_URL=address)
    for question, keys in _ROADS[road][:step]:
        press(child, question, *keys)
    press(child, _ROADS[road][step][0], key)
    code, said = ended(child)
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
    press(child, "and now", DOWN, ENTER)
    press(child, "what to leave out", "!x", ENTER)
    child.expect("negation|not")
    press(child, "what to leave out", "notes.md", ENTER)
    child.expect(r"notes.md +\(given by hand\): 1 file")
    press(child, "and now", DOWN, ENTER)
    press(child, "what to leave out", "context.manifest.yaml", ENTER)
    child.expect("that stays as it was")
    press(child, "and now", DOWN, DOWN, ENTER)
    code, said = ended(child)
    assert (code, "stopped, as you asked" in said) == (1, True)
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
    press(child, "and now", ENTER)
    code, said = ended(child)
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
    press(child, "and now", ENTER)
    code, said = ended(child)
    assert code == 0, said
    assert secret not in said
    (made,) = (tmp_path / "out").iterdir()
    assert secret.encode() not in made.read_bytes()


def test_without_a_terminal_it_says_which_flags_to_use(run: Run, world: Path, tmp_path: Path) -> None:
    """With all of them it needs nobody."""
    nova = world / "04_Ventures" / "nova"
    given: list[object] = ["share", "--walnut", nova]
    for answer in (["--scope", "bundle"], ["--bundle", "shielding-review"], ["--to-nobody"]):
        ran = run(*given)
        assert (ran.code, "no terminal" in ran.err, f"`{answer[0]}" in ran.err) == (1, True, True), ran.err
        given += answer
    flags = ("--walnut", nova, "--scope", "full", "--to-nobody", "--preset", "outside", "-o", tmp_path / "out")
    assert run("share", *flags).code == 1
    done = run("share", *flags, "--yes", "--json")
    assert json.loads(done.out)["status"] in {"ok", "warn"}
    assert run("share", *flags, "--to", "ben").code == 2


def test_a_preset_is_asked_for_and_never_needed(run: Run, world: Path, tmp_path: Path) -> None:
    """With `--yes`, or with nobody to ask, there is none unless one is named; which there are is said."""
    flags = (
        "share",
        "--walnut",
        world / "04_Ventures" / "nova",
        "--scope",
        "full",
        "--to-nobody",
        "-o",
        tmp_path / "out",
    )
    for more, code in ((("--dry-run",), 0), ((), 1), (("--yes",), 0)):
        ran = run(*flags, *more)
        assert (ran.code, "`--preset NAME` takes one: outside" in ran.err) == (code, True), ran.err
    document = json.loads(run(*flags, "--yes", "--json").out)
    assert document["exclusions_applied"] == []
    named = run(*flags, "--preset", "outside", "--yes", "--json")
    assert json.loads(named.out)["exclusions_applied"] == ["engineering/"]
    assert "NAME" not in named.err


def test_with_yes_a_person_is_not_asked_for_a_preset(terminal: Terminal, world: Path, tmp_path: Path) -> None:
    """Nor for anything else that has an answer."""
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "--scope", "full", "--to-nobody", "-o", tmp_path / "out", "--yes")
    code, said = ended(child)
    assert (code, "packed 'nova'" in said) == (0, True), said


def test_the_walnut_around_the_current_folder_is_meant(run: Run, world: Path, tmp_path: Path) -> None:
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
    assert ended(child)[0] == 130
