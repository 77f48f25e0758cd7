"""Pages of plans as a parser reads them, and all that may be on one."""

import html.parser
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TAGS = frozenset(
    re.findall(
        r"\w+",
        """html head meta link title style body header main footer section nav h1 h2 h3 p ul li a b strong em span bdi
        code wbr dl div dt dd details summary table thead tbody tr th td time""",
    )
)
"""The elements a page is made of; there is no other, whatever the plan says."""

ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "charset http-equiv content name rel href lang id class aria-label aria-labelledby open scope datetime",
    )
)
"""The attributes they have."""

_VOID = {"meta", "link", "wbr"}


@dataclass
class Node:
    """An element that was read, with its text and elements in order."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: "list[Node | str]" = field(default_factory=list)

    @property
    def elements(self) -> "list[Node]":
        return [child for child in self.children if isinstance(child, Node)]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def walk(self) -> "Iterator[Node]":
        for child in self.elements:
            yield child
            yield from child.walk()

    def first(self, tag: str, **attributes: str) -> "Node | None":
        return next(
            (n for n in self.walk() if n.tag == tag and attributes.items() <= n.attributes.items()),
            None,
        )


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        assert len(node.attributes) == len(attrs)
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(document: str) -> Node:
    """The document as elements; every one is closed where it has to be."""
    reader = _Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def _rows(rows: Node, above: str = "") -> Iterator[str]:
    """The paths of a list: those of its rows, and of the lists in rows that open."""
    for row in rows.elements:
        assert row.tag == "li"
        if row.attributes.get("class") != "folder":
            label = row.elements[0]
            assert label.tag == "bdi"
            yield above + label.text
            continue
        summary, inner = row.elements[0].elements
        name = summary.elements[0]
        yield from _rows(inner, above + name.text if name.tag == "bdi" else above)


def paths_in(document: str, anchor: str) -> list[str]:
    """Every path in one section of the page."""
    found = read(document).first("section", id=anchor)
    assert found
    return [path for node in found.walk() if node.attributes.get("class") == "tree" for path in _rows(node)]
