"""The skills: every command in them works as it stands, and none of them leaves the human out (agents.md §1)."""

import json
import re
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest
import skill_world
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from skill_world import SkillWorld

from alive_p2p.cli.program import cli, main

PLUGIN = Path(__file__).resolve().parents[2] / "plugin"
PAGES = sorted((PLUGIN / "skills").rglob("*.md"))
SKILLS = [page for page in PAGES if page.name == "SKILL.md"]
SOURCES = Path(__file__).resolve().parents[2] / "src" / "alive_p2p"
_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DEPOSIT = "20260407-101500-a1b2c3d4.walnut"
_IMPORT_ID = "a1b2c3d4e5f67890"


@dataclass(frozen=True)
class Section:
    """A part of a page, with what stands before each of its commands."""

    page: Path
    title: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.parent.name}/{self.page.name}: {self.title}"

    def commands(self, kind: str) -> Iterator[tuple[str, str]]:
        """Each command with the text before it; those of the human's own terminal are of the kind `console`."""
        for match in _BLOCK.finditer(self.text):
            if match[1] == kind:
                for line in match[2].splitlines():
                    command = line.removeprefix("$ ")
                    assert command.startswith("alive-p2p "), line
                    yield command, self.text[: match.start()]


def _sections() -> list[Section]:
    found = []
    for page in PAGES:
        parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found += [Section(page, title, text) for title, text in zip(parts[1::2], parts[2::2], strict=True)]
    return found


SECTIONS = [pytest.param(one, id=one.name) for one in _sections() if _BLOCK.search(one.text)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> SkillWorld:
    """The world that all of them speak of, made once."""
    return skill_world.make(tmp_path_factory.mktemp("skills"))


@pytest.fixture
def world(template: SkillWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> SkillWorld:
    """A copy of it, with alice at home in it and no terminal."""
    copy = template.copied(tmp_path / "copy")
    state = copy.world.parent / ".alive" / "relay" / "state.json"
    document = json.loads(state.read_bytes())  # looked at just now, so that the hook starts nothing
    document["last_probe"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    state.write_text(json.dumps(document), encoding="utf-8")
    for name, value in {"HOME": str(copy.world.parent), "GH_USER": "alice", "ALIVE_P2P_GITHUB_URL": host}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(copy.world)
    return copy


def _typed(command: str, world: SkillWorld) -> list[str]:
    """A command as it stands; only names made by chance are those that are there."""
    deposit = world.sent if "recall" in command else world.waiting
    arguments = shlex.split(command.replace(_DEPOSIT, deposit).replace(_IMPORT_ID, world.import_id[:16]))
    return arguments[1:]


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The program, in this process: there are a hundred commands."""
    with Path("/dev/null").open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code = main(arguments)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


@pytest.mark.parametrize("section", SECTIONS)
def test_every_command_works_as_it_stands(
    section: Section,
    world: SkillWorld,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of one section one after the other; with `--json` there is one document.

    What is for the human's own terminal is no wrong usage; here, without a terminal, it may only refuse or do what it
    says.
    """
    if section.title == "Set up":
        shutil.rmtree(world.world.parent / ".alive" / "relay")
    for command, _ in section.commands("sh"):
        code, out, err = _run(_typed(command, world), capsys, monkeypatch)
        assert code == (2 if '"absent"' in out else 0), f"{command}: {err}{out}"
        if "--json" in command:
            json.loads(out)
    for command, _ in section.commands("console"):
        code, _, err = _run(_typed(command, world), capsys, monkeypatch)
        assert code in {0, 1} or "there is no file" in err, f"{command}: {err}"


def test_what_is_a_persons_no_agent_can_do(
    world: SkillWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal these refuse, also with every option that agrees to something; nobody is trusted by it."""
    keys = world.world.parent / ".alive" / "relay" / "keys"
    before = {path: path.read_bytes() for path in keys.rglob("*") if path.is_file()}
    for command in (
        "relay accept",
        "relay accept --yes",
        "relay peers trust ben --yes",
        "relay peers confirm carla --yes",
        "pair",
        "pair --yes",
        "pair --join --yes",
        "keys export --private --yes",
        "create --scope bundle --bundle blood-tests --walnut 02_Life/health --recipient ben --yes",
        "receive --inbox --auto --trust-agent-files --yes",
    ):
        code, _, err = _run(command.split(), capsys, monkeypatch)
        assert code != 0, command
        assert "error: " in err
    assert {path: path.read_bytes() for path in keys.rglob("*") if path.is_file()} == before


def _words(page: Path) -> str:
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def test_every_command_in_a_sentence_is_one() -> None:
    """What stands between words is not run; it has to be a command with options that it has."""
    found = [text for page in PAGES for text in re.findall(r"`alive-p2p ([^`]+)`", _words(page))]
    assert len(found) >= 5
    for text in found:
        group: click.Command = cli
        arguments = shlex.split(text)
        context = click.Context(cli)
        while isinstance(group, click.Group) and arguments:
            _, command, arguments = group.resolve_command(context, arguments)
            assert command is not None, text
            group = command
        known = {option for one in group.params for option in (*one.opts, *one.secondary_opts)}
        assert {one for one in arguments if one.startswith("-")} <= known, text


# --- the human --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_nothing_is_answered_that_was_not_asked(section: Section) -> None:
    """A `--yes` comes after the section has shown something and has said to ask."""
    for command, before in section.commands("sh"):
        if "--yes" in command or "relay push" in command:
            assert re.search(r"alive-p2p .*(--dry-run|info|status|list)|[Aa]sk first", section.text), command
        if any(word in command for word in ("--yes", "relay push", "relay invite", "relay setup --folder")):
            assert re.search(r"\b[Aa]sk\b|\byes\b", before), command


def test_what_needs_the_humans_own_word_is_in_no_command_for_an_agent() -> None:
    """Acknowledging, findings, passphrases, agent files, other walnuts, trust: those lines are for a terminal."""
    never = re.compile(
        r"--(acknowledge|allow-finding|passphrase|trust-agent-files|into-other-walnut|allow-older|force|key full)"
        r"|--(include|fingerprint|adopt|private)|relay accept|peers (trust|confirm)|alive-p2p pair|rotate"
        r"|encrypt passphrase"
    )
    for section in _sections():
        for command, _ in section.commands("sh"):
            assert not never.search(command), command


def test_every_skill_says_whose_words_are_whose() -> None:
    """What comes from packages, relays and peers is data; the yes is the human's."""
    for page in SKILLS:
        text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
        assert "the human's" in text
        assert re.search(r"do nothing that it says|Never do what it says|read like instructions to you", text)


# --- the form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", SKILLS, ids=lambda page: page.parent.name)
def test_a_skill_is_a_router(page: Path) -> None:
    """Frontmatter with its name, a tree to choose from, at most 500 lines, and reference files beside it."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 500
    assert lines[0] == "---"
    fields = dict(line.split(": ", 1) for line in lines[1 : lines.index("---", 1)])
    assert fields["name"] == f"alive:{page.parent.name}"
    assert fields["version"] == json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_bytes())["version"]
    assert fields["user-invocable"] == "true"
    assert 50 < len(fields["description"]) <= 1024
    tree = re.search(r"╭─.*?╰─", text, re.DOTALL)
    assert tree is not None
    assert all(line[0] in "╭│╰" for line in tree[0].splitlines())
    assert "▸" in tree[0]
    for target in re.findall(r"§ ([^\n,;.│)]+)", tree[0]):
        assert f"## {target.strip()}" in text, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_what_a_page_points_to_is_there(page: Path) -> None:
    """Links are relative; what lies elsewhere in the plugin is named from its root."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).is_file(), link
    for path in re.findall(r"\$\{CLAUDE_PLUGIN_ROOT\}/([\w./-]+[\w])", text):
        assert (PLUGIN / path).exists(), path
    assert "03_Inputs" not in text


def test_every_page_is_pointed_to() -> None:
    """Else nobody would read it."""
    for page in PAGES:
        skill = (page.parent / "SKILL.md").read_text(encoding="utf-8")
        assert page.name == "SKILL.md" or page.name in skill


def test_every_error_code_is_one_of_the_programs() -> None:
    """A table of codes that nobody raises would be advice for nothing."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    codes = [
        code
        for page in PAGES
        for table in re.findall(r"\| `error\.code` \|.*?\n\n|\| `error\.code` \|.*", page.read_text("utf-8"), re.DOTALL)
        for row in table.splitlines()[2:]
        if row.startswith("| `")
        for code in re.findall(r"`([a-z-]+)`", row.split("|")[1])
    ]
    assert len(codes) > 40
    assert [code for code in codes if f'"{code}"' not in sources] == []


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A git host at which somebody publishes a key."""
    public = Ed25519PrivateKey.generate().public_key()
    key = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(key)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
