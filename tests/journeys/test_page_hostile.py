"""The page of a plan whose words come from somebody who wants to break out of it (share.md §6)."""

import re

from browser import Browser
from page_reading import ATTRIBUTES, TAGS, read
from plans import HOSTILE, hostile, with_paths

from alive_p2p.cli.page import POLICY, page
from alive_p2p.sharing.plan import SharePlan
from alive_p2p.text import escape


def test_hostile_words_stay_words(ready: SharePlan) -> None:
    """No name, reason, excerpt or note makes an element or an attribute, and none hides in invisible characters."""
    document = page(hostile(ready))
    document.encode()
    root = read(document)
    assert {node.tag for node in root.walk()} <= TAGS
    for node in root.walk():
        assert set(node.attributes) <= ATTRIBUTES
        assert "style" not in node.attributes
        for attribute, value in node.attributes.items():
            assert attribute in {"http-equiv", "content"} or not any(name in str(value) for name in HOSTILE)
    shown = root.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff\x1b\x07]", document)
    assert "\\u{202e}" in shown
    assert "\\xff" in shown
    for name in HOSTILE:
        assert escape(name.replace("/", "∕")) in shown, name
    assert root.first("title").text.endswith(escape(hostile(ready).root.name))  # type: ignore[union-attr]


def test_a_browser_makes_nothing_of_hostile_words(ready: SharePlan, browser: Browser) -> None:
    """No script, no image, no handler, no request, and no complaint that the policy had to step in."""
    browser.show(page(hostile(ready)))
    tags, attributes = browser.ask(
        "[[...new Set([...document.querySelectorAll('*')].map(e => e.localName))],"
        " [...new Set([...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()))]]"
    )
    assert set(tags) <= TAGS
    assert set(attributes) <= ATTRIBUTES
    assert [url for url in browser.requests() if not url.startswith("data:,")] == [
        (browser.folder / "page.html").as_uri()
    ]
    said = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}
    assert [event for event in browser.events if event.get("method") in said] == []


def test_the_last_part_of_a_name_stands_last(ready: SharePlan, browser: Browser) -> None:
    """Also where the letters run from right to left: what looks like the ending is the ending."""
    browser.show(page(with_paths(ready, ["מסמך.exe", "مرحبا.md", "plain.md"])))
    sides = browser.ask(
        """[...document.querySelectorAll('.tree > li > bdi')].map(bdi => {
          const at = n => { const r = new Range(); r.setStart(bdi.firstChild, n); r.setEnd(bdi.firstChild, n + 1);
            return r.getBoundingClientRect().left; };
          return at(bdi.textContent.length - 1) > at(bdi.textContent.lastIndexOf('.') - 1);
        })"""
    )
    assert sides == [True] * 3


def test_the_policy_holds_where_all_else_fails(ready: SharePlan, browser: Browser) -> None:
    """Were there a hole in the escaping, what came through it would still neither run nor ask for anything."""
    hole = "<script>window.ran=1</script><img src='https://evil.example/a.png' onerror='window.ran=2'>"
    browser.show(page(ready).replace("</main>", f"{hole}</main>"))
    assert browser.ask("typeof window.ran") == "undefined"
    blocked = [e["params"] for e in browser.events if e.get("method") == "Network.loadingFailed"]
    assert all(one.get("blockedReason") == "csp" for one in blocked)
    assert browser.ask("document.querySelector('meta[http-equiv]').content") == POLICY
