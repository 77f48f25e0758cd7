"""The page of a plan in a real browser: on screens of every width, on paper, with a keyboard (share.md §6)."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import IS_HERE, Browser
from plans import hostile, large, with_paths

from alive_p2p.cli.page import page
from alive_p2p.sharing.plan import SharePlan

Make = Callable[[SharePlan], SharePlan]
_OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
_WIDEST = """(() => {
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
  return [document.documentElement.scrollWidth, innerWidth, wide.slice(0, 5).map(e => e.outerHTML.slice(0, 200))];
})()"""


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("make", [lambda plan: plan, hostile, large], ids=["rich", "hostile", "large"])
def test_nothing_is_wider_than_the_screen(width: int, make: Make, rich: SharePlan, browser: Browser) -> None:
    """Also on the narrowest phone, with every folder open."""
    browser.show(page(make(rich)), width=width)
    for _ in range(2):
        scroll, inner, wide = browser.ask(_WIDEST)
        assert inner == width
        assert scroll <= width, wide
        assert wide == []
        browser.ask(_OPEN_ALL)


def test_a_printed_page_hides_nothing(rich: SharePlan, ready: SharePlan, browser: Browser) -> None:
    """On paper every folder is open, also those that are closed on the screen."""
    many = [f"letters/letter-{n:04}.md" for n in range(300)]
    plan = with_paths(rich, [one.entry.path for one in rich.files] + many, list(rich.left_out))
    flat = "[...document.querySelectorAll('li, p, tr, summary:not(.more)')]"
    hidden = f"{flat}.filter(e => !e.checkVisibility({{contentVisibilityAuto: true}}) || !e.getClientRects().length)"
    shown = f"{hidden}.filter(e => !e.closest('nav') && e.className != 'old-print').length"
    browser.show(page(plan))
    assert browser.ask(shown) > 300
    assert _pages(browser.print()) > 6
    browser.show(page(plan), media="print")
    assert browser.ask(shown) == 0
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    browser.show(page(ready))
    assert _pages(browser.print()) <= 2


def _pages(pdf: bytes) -> int:
    assert pdf.startswith(b"%PDF-")
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_a_keyboard_is_enough(rich: SharePlan, browser: Browser) -> None:
    """Tab goes through links and folders, each with an outline, and Enter opens a folder."""
    browser.show(page(rich))

    def press(key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            browser("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra)

    seen = []
    for _ in range(12):
        press("Tab", 9)
        seen.append(browser.ask("document.activeElement.localName"))
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen[:4] == ["a"] * 4
    assert "summary" in seen
    before = browser.ask("document.activeElement.parentElement.open")
    press("Enter", 13, "\r")
    assert browser.ask("document.activeElement.parentElement.open") is not before


def test_a_browser_leaves_nothing_behind(tmp_path: Path) -> None:
    """These tests end every process they start."""
    if not IS_HERE:
        pytest.skip("no Chromium on this machine")
    mark = str(tmp_path / "profile")
    found = Browser(tmp_path / "profile")
    found.show("<p>hello</p>")
    assert found.ask("document.body.innerText") == "hello"
    found.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _processes_of(mark):
        time.sleep(0.1)
    assert not _processes_of(mark)


def _processes_of(mark: str) -> list[str]:
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = one.read_bytes()
        except OSError:
            continue
        if mark.encode() in line:
            found.append(str(one))
    return found
