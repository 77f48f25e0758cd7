"""What makes a release: one version in one place, steps that tell what is done, and checks that can fail."""

import io
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import alive_p2p
from release import check
from release.smoke import Failure
from release.steps import ROOT, steps

SECTION = "# Changes\n\n## 9.9.9 ({})\n\n- x\n"


def test_the_version_stands_in_one_place() -> None:
    """The project file takes it from the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert "version" not in project["project"]
    assert check.version() == alive_p2p.__version__


def test_this_version_has_a_section_among_the_changes() -> None:
    """The first one: what was done since the last release belongs to the next."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changes.partition("\n## ")[2].startswith(f"{alive_p2p.__version__} (")


def test_the_steps_say_what_is_done() -> None:
    """As far as can be seen."""
    assert "[-] 2." in "\n".join(steps("9.9.9", SECTION.format("unreleased"), frozenset()))
    assert "[x] 2." in "\n".join(steps("9.9.9", SECTION.format("2026-01-02"), frozenset()))
    assert "[-] 1." in "\n".join(steps("9.9.9", SECTION.format("2026-01-02"), frozenset({"v9.9.9"})))


def _wheel(folder: Path, *, drop: str = "", add: str = "", metadata: str = "") -> Path:
    """A wheel that is as it should be, but for this."""
    about = "alive_p2p-9.9.9.dist-info"
    said = (
        "Metadata-Version: 2.4\nName: alive-p2p\nVersion: 9.9.9\nSummary: x\nLicense-Expression: MIT\nAuthor: x\n"
        "License-File: LICENSE\nRequires-Python: >=3.11\nKeywords: x\nClassifier: x\nRequires-Dist: click\n"
        "Description-Content-Type: text/markdown\n\n# alive-p2p\n"
    )
    names = {
        "alive_p2p/__init__.py",
        "alive_p2p/py.typed",
        *(f"{about}/{name}" for name in ("WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")),
        "alive_p2p-9.9.9.data/data/share/man/man1/alive-p2p.1",
    }
    with zipfile.ZipFile(folder / "x.whl", "w") as archive:
        for name in sorted((names | {add}) - {drop, ""}):
            archive.writestr(name, "")
        archive.writestr(f"{about}/METADATA", said.replace(metadata, "") if metadata else said)
    return folder / "x.whl"


TRACKED = {"src/alive_p2p/__init__.py", "src/alive_p2p/py.typed", "tests/x.py"}


def test_a_sound_wheel_passes(tmp_path: Path) -> None:
    """Or the refusals below would show nothing."""
    check._check_wheel(_wheel(tmp_path), TRACKED, "9.9.9")


@pytest.mark.parametrize(
    "change",
    [
        {"drop": "alive_p2p/py.typed"},
        {"drop": "alive_p2p-9.9.9.data/data/share/man/man1/alive-p2p.1"},
        {"add": "tests/x.py"},
        {"add": "alive_p2p/stray.txt"},
        {"metadata": "License-Expression: MIT\n"},
        {"metadata": "Requires-Python: >=3.11\n"},
        {"metadata": "# alive-p2p"},
    ],
)
def test_a_wheel_that_is_not_is_refused(change: dict[str, str], tmp_path: Path) -> None:
    """Something is missing, or does not belong there."""
    with pytest.raises(Failure):
        check._check_wheel(_wheel(tmp_path, **change), TRACKED, "9.9.9")


@pytest.mark.parametrize("names", [["src/a.py"], ["src/a.py", "PKG-INFO", "tests/b.py", "stray"]])
def test_an_sdist_is_what_git_knows_of(names: list[str], tmp_path: Path) -> None:
    """Nothing is missing that `make test` needs, and nothing lay about."""
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"alive_p2p-9.9.9/{name}"), io.BytesIO())
    with pytest.raises(Failure):
        check._check_sdist(tmp_path / "x.tar.gz", {"src/a.py", "tests/b.py"})
