"""`completion`: proposals when TAB is pressed, for bash, zsh and fish (cli.md, "Conventions")."""

from contextlib import suppress
from pathlib import Path

import click

from alive_p2p import files
from alive_p2p.cli import shells
from alive_p2p.cli.options import Call, common
from alive_p2p.errors import AliveP2PError

_MOST_BYTES = 4 << 20
"""A script or start file that is larger is not one."""
_SHELL = click.argument("shell", type=click.Choice(shells.SHELLS), required=False)


@click.group(
    epilog="\b\nExamples:\n  alive-p2p completion install bash\n  alive-p2p completion show zsh",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def completion() -> None:
    """Complete commands and names when you press TAB.

    Commands, options and their values, the bundles of a walnut, your peers, your presets, and packages.
    """


@completion.command(epilog="\b\nExample:\n  alive-p2p completion install bash")
@_SHELL
@common
def install(call: Call, /, *, shell: str | None) -> None:
    """Set completion up for your shell, or for the one you name.

    It writes one file, which it names. Where the shell has to be told of it, it shows the lines and asks before it adds
    them to the file that your shell starts with.
    """
    place = shells.place(shell or shells.find_shell(call.runtime), call.runtime)
    script, before = shells.script(place.shell), _ours(place.path)
    if before != script:
        with files.translating("create", place.path.parent):
            place.path.parent.mkdir(parents=True, exist_ok=True)
        files.replace_file(place.path, script)
    call.screen.say(f"wrote {place.path}" if before != script else f"{place.path} is up to date")
    start_file = _tell(call, place)
    if start_file == "left":
        call.screen.note(f"{place.start_file} was left as it is; completion works where those lines are read")
    else:
        call.screen.note(f"completion works in every {place.shell} that starts from now on")
    if place.shell == "bash" and start_file == "not-needed":
        call.screen.note(f"if TAB does nothing there, add this to ~/.bashrc: {place.load}")
    done = before != script or start_file == "added"
    call.screen.document(
        {
            "status": "ok" if done else "noop",
            "shell": place.shell,
            "path": str(place.path),
            "start_file": start_file,
            "lines": place.block,
        }
    )
    call.finish(())


@completion.command(epilog="\b\nExample:\n  alive-p2p completion remove bash")
@_SHELL
@common
def remove(call: Call, /, *, shell: str | None) -> None:
    """Take away what `completion install` has written for a shell.

    Where it has added lines to the file that the shell starts with, it asks before it takes them out.
    """
    place = shells.place(shell or shells.find_shell(call.runtime), call.runtime)
    was_there = _ours(place.path) is not None
    if was_there:
        files.remove_file(place.path)
        if place.path.parent.name == "alive-p2p":
            with suppress(AliveP2PError):  # somebody has put something there
                files.remove_empty_folder(place.path.parent)
    text = _start_file(place)
    rest = shells.without_block(text)
    if rest != text:
        call.screen.note(f"in {place.start_file} these lines are ours:", is_asked_about=True)
        call.screen.lines(place.block.splitlines(), result=False, is_asked_about=True)
        call.approve("take them out?", untouched=f"{place.start_file}, where they do no harm")
        _write_start_file(place, rest)
    done = was_there or rest != text
    call.screen.say(f"completion for {place.shell} is removed" if done else f"there is no completion for {place.shell}")
    call.screen.document({"status": "ok" if done else "noop", "shell": place.shell, "path": str(place.path)})
    call.finish(())


@completion.command(epilog="\b\nExample:\n  alive-p2p completion show fish")
@click.argument("shell", type=click.Choice(shells.SHELLS))
@common
def show(call: Call, /, *, shell: str) -> None:
    """Print the script for a shell, for those who keep their settings themselves."""
    text = shells.script(shell).decode("utf-8")
    if call.screen.as_json:
        call.screen.document({"status": "ok", "shell": shell, "script": text})
    else:
        click.echo(text, nl=False)
    call.finish(())


def _ours(path: Path) -> bytes | None:
    """The script that lies there, None where none does; what is not ours is not touched."""
    if not files.is_taken(path):
        return None
    found = files.read_bytes_if_present(path, limit=_MOST_BYTES) if files.is_file(path) else None
    if found is None or shells.MARK not in found:
        raise AliveP2PError(
            "not-ours",
            f"'{path}' was not written by `alive-p2p completion install`",
            untouched="everything",
            hint="move it away and run it again",
        )
    return found


def _tell(call: Call, place: shells.Place) -> str:
    """Have the shell told of its script: "not-needed", "there" already, "added", or "left" to the person."""
    if shells.loads_by_itself(place.shell):
        return "not-needed"
    text = _start_file(place)
    if place.block.encode() in text:
        return "there"
    call.screen.note(f"{place.shell} has to be told of it, by these lines in {place.start_file}:", is_asked_about=True)
    call.screen.lines(place.block.splitlines(), result=False, is_asked_about=True)
    question = "add them at its end?"
    if not call.screen.can_ask:
        call.approve(question, untouched=str(place.start_file))
    elif not call.yes and not call.screen.confirm(question):
        return "left"
    _write_start_file(place, shells.with_block(text, place.block))
    return "added"


def _start_file(place: shells.Place) -> bytes:
    if place.start_file is None:
        return b""
    return files.read_bytes_if_present(place.start_file.resolve(), limit=_MOST_BYTES) or b""


def _write_start_file(place: shells.Place, text: bytes) -> None:
    """Replace a start file; one that is a link stays one, and what it points at is replaced."""
    if place.start_file is not None:
        files.replace_file(place.start_file.resolve(), text)
