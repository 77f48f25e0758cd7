"""Whether a page can be read: its colours, as the style has them and as a browser shows them (share.md §6)."""

import itertools
import re
from pathlib import Path

import pytest
from browser import Browser

from alive_p2p.cli import page_contents
from alive_p2p.cli.page import page
from alive_p2p.sharing.plan import SharePlan

_PAIRS = list(itertools.product(["ink", "quiet", "accent"], ["paper", "wash"]))
_AA = 4.5


def _schemes() -> dict[str, dict[str, str]]:
    css = Path(page_contents.__file__).with_name("page.css").read_text(encoding="utf-8")
    found = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark, paper = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in found)
    return {"light": light, "dark": {**light, **dark}, "print": {**light, **paper}}


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)


def _hex(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_can_be_read(scheme: str) -> None:
    """Every colour of text on every ground has the contrast that WCAG AA asks for."""
    colours = _schemes()[scheme]
    for text, ground in _PAIRS:
        assert _contrast(_hex(colours[text]), _hex(colours[ground])) >= _AA, (text, ground)


def test_the_style_has_no_colour_of_its_own() -> None:
    """What the test above checks is all there is: colours are named in one place, and nothing is fetched."""
    css = Path(page_contents.__file__).with_name("page.css").read_text(encoding="utf-8")
    rules = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl|gradient|url\(|@import|opacity", rules)
    assert "</" not in css


_COLOURS = """(() => {
  const seen = {};
  const clear = 'rgba(0, 0, 0, 0)';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim()) continue;
    let ground = node.parentElement;
    while (ground && getComputedStyle(ground).backgroundColor === clear) ground = ground.parentElement;
    const pair = getComputedStyle(node.parentElement).color + '|' +
      (ground ? getComputedStyle(ground).backgroundColor : 'rgb(255, 255, 255)');
    seen[pair] = node.data.trim().slice(0, 40);
  }
  return seen;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_the_browser(scheme: str, rich: SharePlan, browser: Browser) -> None:
    """The colours as they come out of the style, for every piece of text there is."""
    browser.show(page(rich), scheme=scheme)
    pairs = browser.ask(_COLOURS)
    assert len(pairs) >= 4
    for pair, text in pairs.items():
        one, other = (tuple(map(float, re.findall(r"[\d.]+", colour)[:3])) for colour in pair.split("|"))
        assert _contrast(one, other) >= _AA, (pair, text)
    ground = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert (_luminance(tuple(map(float, re.findall(r"\d+", ground)))) > 0.5) is (scheme == "light")
