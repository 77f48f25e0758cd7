"""Makes the golden data of `test_reduced_keys.py` anew: `uv run python tests/sharing/make_reduced_keys.py`.

`reduced_keys/NAME.key.md` is written by hand, apart from those whose bytes an editor would spoil: these are here.
`NAME.reduced.md` is what the program makes of it, and a person reads the difference before it is committed. The keys
called `leak-…` gave something away once.
"""

import sys
from pathlib import Path

from alive_p2p.sharing.reduced_key import reduced_key
from alive_p2p.walnut.key import read_key

FOLDER = Path(__file__).parent / "reduced_keys"
WALNUT = "harbour"
"""The folder's name, which a key without a name gets."""

_PLAIN = """---
type: venture
name: Ferry
goal: Cross the sound
people:
  - Ann Quill <ann.quill@example.org>
sensitivity: restricted
---

# Ferry

Every hour.

## Crew

Ann Quill
"""

UNTYPEABLE: dict[str, bytes] = {
    "empty": b"",
    "crlf": _PLAIN.replace("\n", "\r\n").encode(),
    "cr-only": _PLAIN.replace("\n", "\r").encode(),
    "cr-only-body": b"# Ferry\r\rEvery hour.\r\r## Crew\r\rAnn Quill\r",
    "mixed-endings": b"---\r\nname: Ferry\npeople: Quill\r\n---\n# Ferry\r\rEvery hour.\r\n\n## Crew\rQuill\n",
    "bom": b"\xef\xbb\xbf" + _PLAIN.encode(),
    "bom-without-frontmatter": "\ufeff# Ferry\n\nEvery hour.\n\n## Crew\n\nAnn Quill\n".encode(),
    "two-boms": b"\xef\xbb\xbf\xef\xbb\xbf" + _PLAIN.encode(),
    "utf-16-little": b"\xff\xfe" + _PLAIN.encode("utf-16-le"),
    "utf-16-big": _PLAIN.encode("utf-16-be"),
    "latin-1": _PLAIN.replace("Ferry", "Fähre").encode("latin-1"),
    "separators-in-fields": (
        "---\nname: Ferry\ngoal: Cross\u0085people: Ann Quill\u2028links: https://quill.example.org\u2029---\n# Ferry\n"
    ).encode(),
    "separators-in-quoted-fields": (
        '---\nname: "Fer\u2028ry"\ngoal: "Cross\u0085the\u2029sound"\nrepo: quill\n---\n# Ferry\n'
    ).encode(),
    "trailing-blanks": b"---  \nname: Ferry   \npeople: Quill\n--- \t\n# Ferry  \n\nHourly.  \n\n \n## Crew  \nQuill\n",
    "huge-fields": (
        f"---\nname: {'ferry ' * 50}\ngoal: {'cross the sound ' * 400}\n"
        f"tags: [{', '.join(f'tag-{number}' for number in range(100))}]\npeople: [{'Quill, ' * 5000}]\n---\n# Ferry\n"
    ).encode(),
    "control-characters": b"---\nname: Ferry\npeople: Quill \x07\n---\n# Ferry\n\nEvery hour.\n\n## Crew\nQuill\n",
    "direction-marks": '---\nname: "\u202eyrreF\u202c"\ngoal: Cross \u200fit\nowner: Quill\n---\n# Ferry\n'.encode(),
    "leak-wide-blank-after-the-hashes": (
        "---\nname: Ferry\n---\n# Ferry\n\nEvery hour.\n\n##\u00a0Crew\n\nQuill\n"
    ).encode(),
    "leak-unseen-before-the-hashes": (
        "---\nname: Ferry\n---\n# Ferry\n\nEvery hour.\n\n\u200b## Crew\n\nAnn Quill\n"
    ).encode(),
    "leak-line-separators": (
        "---\nname: Ferry\n---\n# Ferry\u2028\u2028Every hour.\u2028\u2028## Crew\u2028\u2028Ann Quill\n"
    ).encode(),
}


def main() -> int:
    """Write everything that is not written by hand."""
    for name, data in UNTYPEABLE.items():
        (FOLDER / f"{name}.key.md").write_bytes(data)
    for path in sorted(FOLDER.glob("*.key.md")):
        name = path.name.removesuffix(".key.md")
        (FOLDER / f"{name}.reduced.md").write_bytes(reduced_key(read_key(path.read_bytes()), WALNUT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
