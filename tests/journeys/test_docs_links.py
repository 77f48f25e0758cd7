"""No dead link in the documentation, no room of the house that it does not show, no word for an error that is none."""

import re
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_SOURCE = _ROOT / "src" / "alive_p2p"
_PAGES = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md"), *(_ROOT / "tests").rglob("README.md")])

_FENCED = re.compile(r"^(```+).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*#*$", re.MULTILINE)


def _name(page: Path) -> str:
    return page.relative_to(_ROOT).as_posix()


@cache
def _prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def _anchors(page: Path) -> frozenset[str]:
    """The anchors that a page has: made from its headings, with a number after one that was there before."""
    found: dict[str, int] = {}
    anchors = set()
    for heading in _HEADING.findall(_prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        before = found.get(slug, 0)
        found[slug] = before + 1
        anchors.add(f"{slug}-{before}" if before else slug)
    return frozenset(anchors)


def test_there_are_links_of_both_kinds() -> None:
    """Or this file would show nothing."""
    links = [link for page in _PAGES for link in _LINK.findall(_prose(page))]
    assert sum("#" in link for link in links) > 20
    assert len(links) > 100


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of this project, and where it names one to a heading in it; other hosts are nobody's here."""
    dead = []
    for link in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(_ROOT):
            dead.append(link)
        elif anchor and anchor not in _anchors(target):
            dead.append(f"{link} (there is no such heading)")
    assert not dead


def test_every_page_is_on_the_map() -> None:
    """docs/README.md leads to every page of its folder."""
    table = _prose(_ROOT / "docs" / "README.md")
    linked = {link.partition("#")[0] for link in _LINK.findall(table)}
    assert {page.name for page in (_ROOT / "docs").glob("*.md")} - {"README.md"} <= linked


def test_the_index_of_decisions_is_whole() -> None:
    """One row for each, in order, under its own number."""
    folder = _ROOT / "docs" / "adr"
    rows = re.findall(r"^\| \[(\d+)\]\(([^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for _, name in rows] == sorted(page.name for page in folder.glob("0*.md"))
    for number, name in rows:
        assert int(name[:4]) == int(number)
        assert (folder / name).read_text(encoding="utf-8").startswith(f"# {number}. ")


def test_the_picture_shows_every_room() -> None:
    """Every folder and module at the top of the source; and no module is told of that is not there."""
    text = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    picture = blocks[0]
    folders = {f"{path.name}/" for path in _SOURCE.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in _SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert not [room for room in sorted(folders | modules) if room not in picture]
    there = {path.name for folder in ("src", "plugin", "fuzz") for path in (_ROOT / folder).rglob("*.py")}
    told = set(re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", text))
    former = {"archive.py"}  # named as what others took the place of
    assert told - there - former == set()


def test_the_words_for_errors_exist() -> None:
    """A code that the page on trouble names is one that the program gives."""
    text = _prose(_ROOT / "docs" / "troubleshooting.md")
    told = set(re.findall(r"\(`([a-z]+(?:-[a-z]+)*)`\)", text)) | set(re.findall(r", `([a-z]+(?:-[a-z]+)+)`\)", text))
    source = "".join(path.read_text(encoding="utf-8") for path in _SOURCE.rglob("*.py"))
    assert len(told) > 30
    assert not [word for word in sorted(told) if f'"{word}"' not in source]
