"""TAB in the real shells, set up by the real command: what is inserted is what the shell then reads as one word."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worlds import NOVA, plant

if sys.platform == "win32":
    pytest.skip("these shells are POSIX", allow_module_level=True)
import pexpect

_START = {
    "bash": (["bash", "-i"], ".bashrc", "PS1='READY> '\nbind 'set enable-bracketed-paste off' 2>/dev/null\n"),
    "zsh": (["zsh", "-i"], ".zshrc", "PROMPT='READY> '\nunsetopt prompt_sp\nunset zle_bracketed_paste\n"),
    "fish": (["fish", "-i"], ".config/fish/config.fish", "function fish_prompt\n echo 'READY> '\nend\n"),
}

HOSTILE = {"shielding review", "$(touch pwned)", "it's", "`touch pwned`", "x\x1b[31mred", "-rf", "*", "öl & wasser"}


@pytest.fixture(params=list(_START))
def press(request: pytest.FixtureRequest, program: str, tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """Types the beginning of a line and TAB in one of the shells; the words of the line that is there then."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command, start_file, start = _START[shell]
    home = tmp_path / "home"
    plant(home, {start_file: start.encode()})
    path = f"{Path(program).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8", "SHELL": f"/bin/{shell}"}
    subprocess.run([program, "completion", "install", "--yes"], env=env, check=True, capture_output=True)
    if shell == "bash":  # where bash-completion is installed it has to be loaded, which a start file does
        script = home / ".local" / "share" / "bash-completion" / "completions" / "alive-p2p"
        plant(home, {start_file: start.encode() + f"source {shlex.quote(str(script))}\n".encode()})
    child = pexpect.spawn(
        command[0], command[1:], cwd=str(tmp_path), env=env, encoding="utf-8", timeout=30, dimensions=(60, 400)
    )
    child.expect_exact("READY> ")

    def line(typed: str) -> list[str]:
        # Then, from the beginning of the line: print its words instead of running it.
        child.send(f"{typed}\t\x01printf '<%s>' DONE \x05 END\r")
        child.expect(r"<DONE>((?s:.*?))<END>")
        words: list[str] = child.match.group(1)[1:-1].split("><")
        return words[1:]

    yield line
    child.close(force=True)


def test_what_tab_inserts_is_one_word(press: Callable[[str], list[str]], tmp_path: Path) -> None:
    """Commands, options, values and names, however hostile; and nothing is run by pressing TAB or ENTER."""
    plant(tmp_path / "nova", {**NOVA, **{f"{name}/context.manifest.yaml": b"goal: x\n" for name in HOSTILE}})
    plant(tmp_path, {"some thing.walnut": b"", "some other.txt": b"", "world/": b""})
    plant(tmp_path / "home" / ".alive" / "relay", {"relay.json": b'{"version": 1, "peers": {"ben": {}}}'})
    before = sorted(path.name for path in tmp_path.iterdir())
    bundle = ["create", "--walnut", "nova", "--bundle"]
    typed = {
        "comple": ["completion"],
        "relay pee": ["relay", "peers"],
        "create --dry": ["create", "--dry-run"],
        "create --scope sn": ["create", "--scope", "snapshot"],
        "create --scope=sn": ["create", "--scope=snapshot"],
        "relay push --peer b": ["relay", "push", "--peer", "ben"],
        "receive some": ["receive", "some thing.walnut"],
        "list-bundles --walnut no": ["list-bundles", "--walnut", "nova"],
        "list-bundles --walnut=no": ["list-bundles", "--walnut=nova"],
        "create --walnut nova --bundle shielding\\ ": [*bundle, "shielding review"],
        "create --walnut nova --bundle \\$": [*bundle, "$(touch pwned)"],
        "create --walnut nova --bundle \\`": [*bundle, "`touch pwned`"],
        "create --walnut nova --bundle it": [*bundle, "it's"],
        "create --walnut nova --bundle ö": [*bundle, "öl & wasser"],
        "create --walnut nova --bundle x": [*bundle, "x"],
        "no-such-command no-such-": ["no-such-command", "no-such-"],
    }
    for beginning, words in typed.items():
        pressed = press(f"alive-p2p {beginning}")
        assert [word.removesuffix("/") for word in pressed] == words, beginning  # zsh takes a folder's slash back
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_scripts_are_written_in_the_language_of_their_shell(shell: str, check: str, program: str) -> None:
    """As the shell itself says, and as `completion show` prints them."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    shown = subprocess.run([program, "completion", "show", shell], capture_output=True, check=True).stdout
    done = subprocess.run([shell, check], input=shown, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
