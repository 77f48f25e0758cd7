"""A throw-away repository: what was fetched of a relay for one purpose, and what is made to be sent there.

It has no working tree, no hooks and no memory of where missing objects could be had. Git writes that memory down at
every partial fetch, and from then on downloads whatever it is asked about; so the settings are put back after each
(relay.md §4, §8). Nothing in it outlives the operation that it was made for.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from alive_p2p import files
from alive_p2p.errors import FileSystemError, RelayError
from alive_p2p.relay.transports.git_command import REMOTE, Git, QuotaError, end
from alive_p2p.relay.transports.git_errors import error_of
from alive_p2p.runtime import Runtime

PREFIX = "alive-p2p-git-"
_ABANDONED_SECONDS = 24 * 3600

_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ENTRY = re.compile(rb"(?P<mode>[0-7]{6}) (?P<kind>blob|tree|commit) (?P<id>[0-9a-f]{40,64})\t(?P<name>.*)", re.DOTALL)

_FAR_SIDE = "GIT_ALLOW_PROTOCOL= GIT_NO_LAZY_FETCH=1 git -c core.hooksPath=/dev/null"
_UPLOAD = f"{_FAR_SIDE} -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"
_RECEIVE = (
    f"{_FAR_SIDE} -c core.alternateRefsCommand=true -c receive.denyCurrentBranch=refuse -c receive.autogc=false"
    " -c gc.auto=0 -c maintenance.auto=false receive-pack"
)
"""For a relay on this machine the other side runs here too, with the settings of whoever made it: no hooks, no command
that names the references of another repository, no working copy that would be updated, and nothing fetched from where
that repository says it has come from. Git starts both through a shell."""

IDENTITY = "alive-p2p"
EMAIL = "alive-p2p@relay.invalid"
"""Who makes every commit: everybody who may read a relay reads them, and who deposited something is in its sealed note.
The domain is reserved and never anybody's (RFC 2606)."""
MESSAGE = "deposit"


@dataclass(frozen=True)
class TreeEntry:
    """What a folder in git holds under a name."""

    mode: str
    kind: str
    id: str


Tree = dict[bytes, TreeEntry]


@dataclass(frozen=True)
class Listed:
    """A name anywhere in a commit, with its folders, as git has it."""

    name: str
    entry: TreeEntry


def is_object(text: str) -> bool:
    """Whether a text is the full name of an object; nothing else may get into a command."""
    return _OBJECT.fullmatch(text) is not None


@contextmanager
def scratch(git: Git, runtime: Runtime, object_format: str = "sha1") -> Iterator["Scratch"]:
    """Make a throw-away repository, and remove it, whatever happens.

    Raises:
        RelayError: the disk refused.
    """
    try:
        with files.translating("write to", tempfile.gettempdir()):
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            try:
                yield Scratch(git, folder, object_format, runtime)
            finally:
                for _ in range(5):  # what was ended a moment ago may still be writing
                    with suppress(OSError):
                        files.remove_tree(folder)
                        break
    except FileSystemError as error:
        raise RelayError(error.code, error.message, untouched="everything", hint=error.hint) from error


def sweep(runtime: Runtime) -> None:
    """Remove what a killed process has left, where it is old enough to be nobody's any more."""
    with suppress(OSError):
        for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
            with suppress(OSError):  # it may be somebody else's
                if folder.lstat().st_mtime < runtime.now().timestamp() - _ABANDONED_SECONDS:
                    files.remove_tree(folder)


class Scratch:
    """See the module. To be made with `scratch`; every method raises `RelayError` and `OSError`.

    Attributes:
        folder: where it lies.
        has_everything: the host has sent all of the tip; nothing has to be fetched by name.
    """

    def __init__(self, git: Git, folder: Path, object_format: str, runtime: Runtime) -> None:
        self.folder = folder
        self.has_everything = False
        self._git = git
        self._runtime = runtime
        self._repository = folder / "repository"
        self._trees: dict[str, Tree] = {}
        self._settings = _settings(git, object_format)
        for part in ("objects/info", "objects/pack", "refs/heads"):
            (self._repository / part).mkdir(parents=True, exist_ok=True)
        (self._repository / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        self.put_settings_back()

    def put_settings_back(self) -> None:
        """Let git forget what it has written down about the host."""
        config = self._repository / "config"
        config.touch(mode=0o600)
        config.write_text(self._settings, encoding="utf-8")

    def take_fetched(self) -> str:
        """The first object that was fetched last, by `FETCH_HEAD`, which is gone then; empty where nothing was."""
        found = self._repository / "FETCH_HEAD"
        if not found.exists():
            return ""
        text = found.read_text(encoding="utf-8", errors="replace")
        found.unlink()
        return text.partition("\t")[0]

    # -- what is here ------------------------------------------------------------------------------------------

    def describe(self, name: str) -> tuple[str, int] | None:
        """Of which kind an object is, and how many bytes it has; None where it is not here."""
        kind, _, size = self._said("cat-file", "--batch-check=%(objecttype) %(objectsize)", data=name).partition(" ")
        return (kind, int(size)) if size.strip().isdigit() else None

    def commit(self, name: str) -> tuple[str, bool]:
        """Of a commit: its tree, and whether it has a past."""
        headers = self._said("cat-file", "commit", name).partition("\n\n")[0].splitlines()
        tree = headers[0].removeprefix("tree ") if headers else ""
        if not is_object(tree):
            raise error_of("bad object", self._git.address)
        return tree, any(line.startswith("parent ") for line in headers)

    def tree(self, name: str) -> Tree:
        """What a folder holds, under names in bytes."""
        if name not in self._trees:
            self._trees[name] = {match["name"]: _entry(match) for match in self._ls_tree("-z", name)}
        return self._trees[name]

    def everything(self, name: str, most: int) -> list[Listed]:
        """What a folder holds, and all below it: files, folders, and whatever else there is.

        A tree can name the same folder many times over, at every level; so it is counted while it is told.

        Raises:
            RelayError: also `relay-hostile`: it is more than `most`.
        """
        found = self._ls_tree("-r", "-t", "-z", name)
        listed: list[Listed] = []
        files_seen = 0
        for match in found:
            files_seen += match["kind"] != b"tree"
            if files_seen > most or len(listed) > 4 * most:
                raise _too_many(f"more than {most:,}")
            listed.append(Listed(match["name"].decode("utf-8", "surrogateescape"), _entry(match)))
        return listed

    def _ls_tree(self, *arguments: str) -> Iterator[re.Match[bytes]]:
        try:
            done = self._git.local(self.folder, "ls-tree", "--full-tree", *arguments)
        except QuotaError:
            raise _too_many("far too many") from None
        if done.code != 0:
            raise error_of(f"bad tree\n{done.err}", self._git.address)
        return (match for line in done.out.split(b"\0") if (match := _ENTRY.fullmatch(line)))

    def small_files(self, names: Sequence[str], most: int) -> dict[str, bytes]:
        """The content of those files that are here and no larger than `most` bytes each."""
        lines = self._said("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", data="\n".join(names))
        known = [line.split(" ") for line in lines.splitlines()]
        sizes = {one[0]: int(one[2]) for one in known if len(one) == 3 and one[1] == "blob" and int(one[2]) <= most}
        done = self._git.local(self.folder, "cat-file", "--batch=", data="\n".join(sizes).encode())
        contents, at = {}, 0
        for name, size in sizes.items():  # an empty line, the content, the end of its line
            contents[name] = done.out[at + 1 : at + 1 + size]
            at += size + 2
        if done.code != 0 or at != len(done.out):
            raise error_of("bad object", self._git.address)
        return contents

    def copy(self, blob: str, size: int, write: Callable[[bytes], object]) -> None:
        """Hand out the content of a file piece by piece, without ever holding all of it."""
        process = self._git.stream(self.folder, "cat-file", "blob", blob)
        try:
            assert process.stdout is not None  # noqa: S101  (it was asked for)
            left = size
            while piece := process.stdout.read(files.CHUNK):
                left -= len(piece)
                write(piece)
            if process.wait() != 0 or left != 0:
                raise error_of(f"bad object {blob}", self._git.address)
        finally:
            end(process)

    # -- what is made ------------------------------------------------------------------------------------------

    def add_file(self, content: BinaryIO) -> str:
        """Store the content of a file; its name as an object."""
        source: IO[bytes] | None = content
        data = b""
        try:
            content.fileno()
        except OSError:  # it is in memory
            source, data = None, content.read()
        done = self._git.local(self.folder, "hash-object", "-w", "--no-filters", "--stdin", data=data, source=source)
        return self._object(done.code, done.out, done.err)

    def add_tree(self, entries: Mapping[bytes, TreeEntry]) -> str:
        """Store a folder; nothing that it names has to be here."""
        data = b"".join(
            b"%s %s %s\t%s\0" % (one.mode.encode(), one.kind.encode(), one.id.encode(), name)
            for name, one in entries.items()
        )
        done = self._git.local(self.folder, "mktree", "-z", "--missing", data=data)
        return self._object(done.code, done.out, done.err)

    def add_commit(self, tree: str, parent: str | None) -> str:
        """Store a commit that says nothing of who made it, but when."""
        made = f"{IDENTITY} <{EMAIL}> {int(self._runtime.now().timestamp())} +0000"
        lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {made}", f"committer {made}"]
        data = "\n".join([*lines, "", MESSAGE, ""])
        done = self._git.local(self.folder, "hash-object", "-t", "commit", "-w", "--stdin", data=data.encode())
        return self._object(done.code, done.out, done.err)

    def _object(self, code: int, out: bytes, err: str) -> str:
        name = out.decode("ascii", "replace").strip()
        if code != 0 or not is_object(name):
            raise error_of(err, self._git.address)
        return name

    def _said(self, *arguments: str, data: str = "") -> str:
        done = self._git.local(self.folder, *arguments, data=data.encode())
        if done.code != 0:
            raise error_of(f"bad object\n{done.err}", self._git.address)
        return done.out.decode("utf-8", "replace")


def _entry(match: re.Match[bytes]) -> TreeEntry:
    return TreeEntry(match["mode"].decode(), match["kind"].decode(), match["id"].decode())


def _too_many(how_many: str) -> RelayError:
    return RelayError(
        "relay-hostile",
        f"there are {how_many} files in the relay",
        untouched="everything",
        hint="ask the relay's owner who else may write there",
    )


def _settings(git: Git, object_format: str) -> str:
    address = git.address
    lines = [
        "[core]",
        f"repositoryformatversion = {0 if object_format == 'sha1' else 1}",
        "bare = true",
        *([] if object_format == "sha1" else ["[extensions]", f"objectFormat = {object_format}"]),
        f'[remote "{REMOTE}"]',
        f"url = {_quoted(address.url)}",
    ]
    if git.is_far_side_ours:
        lines += [f"uploadpack = {_quoted(_UPLOAD)}", f"receivepack = {_quoted(_RECEIVE)}"]
    if address.authorization is not None:
        root = "/".join(address.url.split("/", 3)[:3])
        lines += [f"[http {_quoted(root)}]", f"extraHeader = {_quoted(f'Authorization: {address.authorization}')}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
