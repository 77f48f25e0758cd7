"""What is missing is installed by the very command that the hint names, however the program came here."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from alive_p2p import installer
from alive_p2p.installer import how_to_install, installed_by, present_extras


def origin(url: str, **more: object) -> str:
    return json.dumps({"url": url, **more})


def command(said: str) -> list[str]:
    assert said.startswith("`")
    return shlex.split(said[1 : said.rindex("`")])


@pytest.fixture(autouse=True)
def _nothing_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    """No extra is installed, unless a test says so."""
    monkeypatch.setattr(installer, "present_extras", list)


@pytest.mark.parametrize(
    ("mark", "begins"),
    [("uv-receipt.toml", "uv tool install --force"), ("pipx_metadata.json", "pipx install --force")],
)
def test_it_is_in_the_words_of_what_has_installed_us(mark: str, begins: str, tmp_path: Path) -> None:
    """Both leave a mark beside their Python; elsewhere it is that Python's own pip."""
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / mark).touch()
    assert installed_by(str(tmp_path / "with"))[0] == begins
    assert "pip" in installed_by(str(tmp_path))[0]
    assert how_to_install("s3", prefix=str(tmp_path / "with"), origin="").startswith(f"`{begins} ")


@pytest.mark.skipif(sys.platform == "win32", reason="quoted for a POSIX shell")
def test_it_comes_from_where_the_program_came_from(tmp_path: Path) -> None:
    """A clone, a clone to work on, a repository, a file, an index; and a clone that has gone is said to be one."""
    clone = tmp_path / "a clone"
    clone.mkdir()
    url = clone.as_uri()
    git = {"vcs": "git", "requested_revision": "v1", "commit_id": "0" * 40}
    for known, ends in (
        (origin(url, dir_info={}), [f"{clone}[s3]"]),
        (origin(url, dir_info={"editable": True}), ["--editable", f"{clone}[s3]"]),
        (origin("https://host/a", vcs_info=git), ["alive-p2p[s3] @ git+https://host/a@v1"]),
        (origin("file:///x.whl", archive_info={}), ["alive-p2p[s3] @ file:///x.whl"]),
        ("", ["alive-p2p[s3]"]),
        ("{", ["alive-p2p[s3]"]),
        ('{"url": 3}', ["alive-p2p[s3]"]),
    ):
        said = how_to_install("s3", origin=known)
        assert (command(said)[2:], said[-1]) == (ends, "`")
    clone.rmdir()
    said = how_to_install("s3", origin=origin(url, dir_info={}))
    assert (command(said)[-1], said.partition("` ")[2]) == (".[s3]", "in a clone of the project")


def test_what_is_here_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that installs anew would drop it."""
    monkeypatch.setattr(installer, "present_extras", lambda: ["pair", "mcp"])
    assert "alive-p2p[mcp,pair,s3]" in how_to_install("s3", origin="")
    assert "alive-p2p[mcp,pair]" in how_to_install(origin="")


def test_every_extra_is_one_of_the_project() -> None:
    """By its name, and with what is imported of it."""
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f"\n{name} = [" in pyproject for name in installer.EXTRAS)
    assert f"[{','.join(installer.EXTRAS)}]" in pyproject
    assert set(present_extras()) <= set(installer.EXTRAS)
