"""`_kernel/log.md`: the history of a walnut, newest entry first (receive.md §9).

An entry goes after the frontmatter and before the first entry there is. `last-entry` and `entry-count` are
updated where they stand; no other byte of the file changes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alive_p2p.text import one_line
from alive_p2p.walnut import frontmatter
from alive_p2p.walnut.markdown import headings, line_ending, split_lines


@dataclass(frozen=True)
class ImportRecord:
    """What the log says about one receive, or about taking it back. Every text is reduced to one safe line.

    Attributes:
        at: when, `2026-04-07T10:16:00Z`.
        session: the session that received it.
        sender: who the manifest says it is from.
        scope: full, bundle or snapshot.
        bundles: names as they are now.
        source_layout: the layout of the package.
        import_id: whole; its first 16 digits are shown.
        signed_by: `<peer> (<pubkey_id>)` of a valid signature, or None.
        updated: of the bundles those that were merged into what was here.
        is_taken_back: the receive was taken back.
    """

    at: str
    session: str
    sender: str
    scope: str
    bundles: Sequence[str]
    source_layout: str
    import_id: str
    signed_by: str | None = None
    updated: Sequence[str] = ()
    is_taken_back: bool = False

    def render(self) -> str:
        """The entry as Markdown, with line feeds, ending in a blank line."""
        session = one_line(self.session, limit=80) or "manual"
        did = "Took back the package" if self.is_taken_back else "Imported package"
        lines = [
            f"## {one_line(self.at)} - squirrel:{session}",
            "",
            f"{did} from {one_line(self.sender, limit=120) or 'unknown'} via P2P.",
            f"- Scope: {one_line(self.scope)}",
        ]
        for label, names in (("Bundles", self.bundles), ("Updated", self.updated)):
            if names:
                lines.append(f"- {label}: {', '.join(one_line(name, limit=255) for name in names)}")
        lines += [
            f"- source_layout: {one_line(self.source_layout)}",
            f"- import_id: {one_line(self.import_id)[:16]}",
        ]
        if self.signed_by:
            lines.append(f"- Signed by: {one_line(self.signed_by)}")
        return "\n".join([*lines, "", f"signed: squirrel:{session}", "", ""])


def fresh_log(walnut: str, at: str) -> bytes:
    """An empty log for a walnut that has none, such as one made from a snapshot."""
    name = one_line(walnut).replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'---\nwalnut: "{name}"\ncreated: {at[:10]}\nlast-entry: {at}\nentry-count: 0\nsummary: ""\n---\n\n'
    ).encode()


def with_entry(data: bytes, record: ImportRecord) -> bytes:
    """Put an entry into a log.

    Bytes that are not UTF-8 survive: only the place to insert at is looked for.
    """
    edited = _count_up(data, record.at)
    body = frontmatter.read(edited).body
    text = edited[body:].decode("utf-8", "surrogateescape")
    lines = split_lines(text)
    ending = line_ending(edited.decode("utf-8", "surrogateescape"))
    entry = record.render().replace("\n", ending)
    first = next((index for index, level in headings(lines) if level in (0, 2)), None)
    if first is None:
        new = text + _gap(text, ending) + entry
    else:
        new = "".join(lines[:first]) + entry + "".join(lines[first:])
    return edited[:body] + new.encode("utf-8", "surrogateescape")


def _gap(text: str, ending: str) -> str:
    """What has to stand between a text and an entry behind it, so that a blank line does."""
    if not text:
        return ending
    if not text.endswith(("\n", "\r")):
        return ending * 2
    return "" if text.endswith(ending * 2) or not text.strip() else ending


def _count_up(data: bytes, at: str) -> bytes:
    data = frontmatter.set_scalar(data, "last-entry", at) or data
    count = frontmatter.read(data).fields.get("entry-count")
    if isinstance(count, str) and count.isdecimal():
        count = int(count)
    if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 10**9:
        data = frontmatter.set_scalar(data, "entry-count", str(count + 1)) or data
    return data


_OURS = re.compile(
    r"## [^\n]* - squirrel:[^\n]*\n\n(?:Imported package|Took back the package) from [^\n]* via P2P\.\n"
    r"(?:- [^\n]*\n)*\nsigned: squirrel:[^\n]*\n*"
)
_COUNTERS = re.compile(rb"(?m)^(?:last-entry|entry-count)[ \t]*:[^\r\n]*(?:\r\n|\n|\r)?")


def without_imports(data: bytes) -> bytes:
    """A log without the entries of receives and without its counters: what of it is somebody's own."""
    block = frontmatter.read(data)
    lines = split_lines(data[block.body :].decode("utf-8", "surrogateescape"))
    starts = [index for index, level in headings(lines) if level in (0, 2)]
    kept = lines[: starts[0]] if starts else lines
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        entry = "".join(lines[start:end])
        if not _OURS.fullmatch(entry.replace("\r\n", "\n").replace("\r", "\n")):
            kept += lines[start:end]
    head = _COUNTERS.sub(b"", data[: block.body])
    return head + "".join(kept).strip().encode("utf-8", "surrogateescape")


def has_entry(data: bytes, record: ImportRecord) -> bool:
    """Whether the log has this very entry, with whatever line endings."""
    return record.render().strip().encode("utf-8", "replace") in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def has_import(data: bytes, import_id: str) -> bool:
    """Whether the log already has an entry for this import."""
    wanted = f"- import_id: {import_id[:16]}".encode()
    return any(line.strip() == wanted for line in data.splitlines())
