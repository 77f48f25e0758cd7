"""What a power cut may leave of a receive: a model of a file system that keeps only what it was told to flush.

The calls of one real run are recorded, with their data. What is durable is then known exactly: flushing a file makes
its content durable, flushing a folder its names, flushing the file system everything on it. Anything else may be
lost or kept, each on its own; a rename is one step. That is weaker than any file system that is in use, and what
holds on it holds everywhere.

Names and contents are kept apart, as on a disk: a folder holds names of nodes, and a node outlives its names. So a
name may be kept whose content is lost, and the other way round.
"""

import hashlib
import os
import random
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crash import strace

_UMASK = 0o022
_LONG_AGO = 1_700_000_000


class Fate:
    """What becomes of something that was not flushed."""

    KEPT = "kept"
    LOST = "lost"
    CUT = "cut off"
    """Only the first half of what was written arrived."""
    ZEROS = "zeros"
    """The length arrived, and none of the bytes."""


@dataclass(frozen=True)
class Names:
    """Names in folders that are set (to a node) or removed (None), in one step."""

    changes: tuple[tuple[int, str, int | None], ...]

    def concerns(self, node: int) -> bool:
        """Whether flushing this node makes it durable."""
        return any(folder == node for folder, _, _ in self.changes)


@dataclass(frozen=True)
class Content:
    """Bytes written to a node, or its length or permissions set."""

    node: int
    offset: int = 0
    data: bytes = b""
    length: int | None = None
    mode: int | None = None

    def concerns(self, node: int) -> bool:
        """Whether flushing this node makes it durable."""
        return self.node == node


Effect = Names | Content


@dataclass(frozen=True)
class Step:
    """One call: what it changes, and what is durable from then on.

    Attributes:
        told: what it was, for messages.
        effect: what it changes, or None.
        flushed: the nodes that it flushes; None for everything that the model says one flush reaches.
        flushes_all_from: the node whose whole file system is flushed, or None.
    """

    told: str
    effect: Effect | None = None
    flushed: int | None = None
    flushes_all_from: int | None = None


@dataclass
class Node:
    """A file or folder on the disk: permissions, and content or names."""

    is_folder: bool
    mode: int
    data: bytes = b""
    names: dict[str, int] = field(default_factory=dict)
    changed: int = 0

    def copy(self) -> "Node":
        """Another one just like it."""
        return Node(self.is_folder, self.mode, self.data, dict(self.names), self.changed)


Image = Mapping[str, tuple[bool, int, bytes, int]]
"""A tree: by relative path whether it is a folder, its permissions, its content, and when it was changed."""


class Recording:
    """The calls of one run below a folder, as steps on nodes.

    Args:
        root: the folder, as it is before the run.
    """

    ROOT = 0

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nodes: list[Node] = []  # as they are made: for what was there, its beginning
        self.steps: list[Step] = []
        self._live: list[Node] = []
        self._open: dict[int, tuple[int, int]] = {}  # by descriptor: the node, and how far it was written
        self._load(root)

    def _load(self, path: Path) -> int:
        state = path.lstat()
        is_folder = stat.S_ISDIR(state.st_mode)
        number = self._new(is_folder, stat.S_IMODE(state.st_mode), b"" if is_folder else path.read_bytes())
        for child in sorted(path.iterdir()) if is_folder else []:
            self.nodes[number].names[child.name] = self._live[number].names[child.name] = self._load(child)
        return number

    def _new(self, is_folder: bool, mode: int, data: bytes = b"") -> int:
        self.nodes.append(Node(is_folder, mode, data, changed=len(self.steps)))
        self._live.append(Node(is_folder, mode, data, changed=len(self.steps)))
        return len(self.nodes) - 1

    # -- following the calls -----------------------------------------------------------------------------------

    def follow(self, calls: Sequence[strace.Call]) -> None:
        """Add what these calls did. Raises `ValueError` for a call that the model does not know."""
        if len({call.process for call in calls}) > 1:
            raise ValueError("more than one process")
        for call in calls:
            if call.result is None or call.result < 0:
                continue
            if call.name == "openat":
                self._open.pop(call.result, None)
            if call.is_below(self.root):
                self._follow(call)

    def _follow(self, call: strace.Call) -> None:
        told = call.describe(self.root)
        match call.name:
            case "openat":
                self._opened(call, told)
            case "write" | "pwrite64":
                self._written(call, told)
            case "ftruncate":
                self._do(told, Content(self._node(call.paths[0]), length=int(call.arguments[1])))
            case "chmod" | "fchmod" | "fchmodat":
                mode = next(one for one in call.arguments[1:] if one.startswith("0"))
                self._do(told, Content(self._node(call.paths[0]), mode=int(mode, 8)))
            case "mkdir" | "mkdirat":
                folder, name = self._parent(call.paths[0])
                node = self._new(is_folder=True, mode=int(call.arguments[-1], 8) & ~_UMASK)
                self._do(told, Names(((folder, name, node),)))
            case "rename" | "renameat" | "renameat2":
                old, new = map(self._parent, call.paths)
                self._do(told, Names(((*old, None), (*new, self._node(call.paths[0])))))
            case "link" | "linkat":
                self._do(told, Names(((*self._parent(call.paths[1]), self._node(call.paths[0])),)))
            case "unlink" | "unlinkat" | "rmdir":
                self._do(told, Names(((*self._parent(call.paths[0]), None),)))
            case "fsync" | "fdatasync":
                self.steps.append(Step(told, flushed=self._node(call.paths[0])))
            case "syncfs":
                self.steps.append(Step(told, flushes_all_from=self._node(call.paths[0])))
            case "flock":
                pass
            case _:
                raise ValueError(f"what does {told} change?")

    def _opened(self, call: strace.Call, told: str) -> None:
        assert call.result is not None
        if not call.may_write:
            return
        path = call.paths[0]
        folder, name = self._parent(path)
        node = self._live[folder].names.get(name)
        if node is None:
            node = self._new(is_folder=False, mode=int(call.arguments[3], 8) & ~_UMASK)
            self._do(told, Names(((folder, name, node),)))
        elif "O_TRUNC" in call.arguments[2]:
            self._do(told, Content(node, length=0))
        self._open[call.result] = (node, 0)

    def _written(self, call: strace.Call, told: str) -> None:
        assert call.result is not None
        descriptor = int(call.arguments[0].partition("<")[0])
        node, position = self._open[descriptor]
        data = call.data[: call.result]
        if call.name == "pwrite64":
            self._do(told, Content(node, int(call.arguments[3]), data))
            return
        self._do(told, Content(node, position, data))
        self._open[descriptor] = (node, position + len(data))

    def _do(self, told: str, effect: Effect) -> None:
        self.steps.append(Step(told, effect))
        _apply(self._live, effect, Fate.KEPT, len(self.steps))

    def _node(self, path: str) -> int:
        node = self.ROOT
        for part in Path(path).relative_to(self.root).parts:
            node = self._live[node].names[part]
        return node

    def _parent(self, path: str) -> tuple[int, str]:
        return self._node(str(Path(path).parent)), Path(path).name

    # -- what may be left --------------------------------------------------------------------------------------

    def image(self, fates: Mapping[int, str]) -> Image:
        """The disk after the steps up to a point: `fates` says of each effect that is not to be kept or lost whole.

        Steps that are not in `fates` have not happened yet.
        """
        nodes = [node.copy() for node in self.nodes]
        for index in sorted(fates):
            effect = self.steps[index].effect
            if effect is not None and fates[index] != Fate.LOST:
                _apply(nodes, effect, fates[index], index + 1)
        found: dict[str, tuple[bool, int, bytes, int]] = {}
        _walk(nodes, self.ROOT, "", found)
        return found

    def crash_points(self, *, apart: str | None = None) -> Iterator[tuple[int, list[int], list[int]]]:
        """After each step: its number, the steps whose effect is durable, and those whose effect is not.

        Args:
            apart: a folder of the root that lies on a file system of its own, so that flushing the other one does
                not reach it.
        """
        durable: set[int] = set()
        apart_nodes = set() if apart is None else self._below(apart)
        for count in range(len(self.steps) + 1):
            if count:
                step = self.steps[count - 1]
                for index in range(count):
                    effect = self.steps[index].effect
                    if effect is not None and _reaches(step, effect, apart_nodes):
                        durable.add(index)
            so_far = [index for index in range(count) if self.steps[index].effect is not None]
            yield count, [one for one in so_far if one in durable], [one for one in so_far if one not in durable]

    def _below(self, name: str) -> set[int]:
        """Every node that is, or ever was, at or below a folder of the root."""
        below = {self.nodes[self.ROOT].names[name]}
        while True:
            more = {child for one in below for child in self.nodes[one].names.values()}
            for step in self.steps:
                if isinstance(step.effect, Names):
                    more |= {new for folder, _, new in step.effect.changes if folder in below and new is not None}
            if more <= below:
                return below
            below |= more


def _reaches(step: Step, effect: Effect, apart: set[int]) -> bool:
    """Whether a step makes an effect durable."""
    if step.flushed is not None:
        return effect.concerns(step.flushed)
    if step.flushes_all_from is None:
        return False
    nodes = [effect.node] if isinstance(effect, Content) else [folder for folder, _, _ in effect.changes]
    return any((node in apart) == (step.flushes_all_from in apart) for node in nodes)


def _apply(nodes: list[Node], effect: Effect, fate: str, moment: int) -> None:
    if isinstance(effect, Names):
        for folder, name, node in effect.changes:
            if node is None:
                nodes[folder].names.pop(name, None)
            else:
                nodes[folder].names[name] = node
        return
    node_ = nodes[effect.node]
    if effect.mode is not None:
        node_.mode = effect.mode
        return
    node_.changed = moment
    if effect.length is not None:
        node_.data = node_.data[: effect.length].ljust(effect.length, b"\0")
        return
    data = effect.data
    if fate == Fate.CUT:
        data = data[: len(data) // 2]
    if fate == Fate.ZEROS:
        data = bytes(len(data))
    before = node_.data[: effect.offset].ljust(effect.offset, b"\0")
    node_.data = before + data + node_.data[effect.offset + len(data) :]


def _walk(nodes: Sequence[Node], number: int, path: str, found: dict[str, tuple[bool, int, bytes, int]]) -> None:
    node = nodes[number]
    found[path] = (node.is_folder, node.mode, node.data, 0 if node.is_folder else node.changed)
    for name, child in node.names.items():
        _walk(nodes, child, f"{path}/{name}" if path else name, found)


# --- which states there may be --------------------------------------------------------------------------------


def fates(
    recording: Recording, durable: Sequence[int], pending: Sequence[int], *, seeds: Sequence[int], each: bool
) -> Iterator[tuple[str, dict[int, str]]]:
    """What may have become of everything at one crash point, each with words for it.

    Args:
        recording: the run.
        durable: the steps whose effect is durable.
        pending: those whose effect is not.
        seeds: of as many random choices.
        each: whether each pending effect is lost alone, kept alone, and cut off alone as well.
    """
    sure = dict.fromkeys(durable, Fate.KEPT)
    written = [index for index in pending if _is_data(recording.steps[index])]

    def state(default: str, **other: Sequence[int]) -> dict[int, str]:
        chosen = {**sure, **dict.fromkeys(pending, default)}
        for fate, indices in other.items():
            chosen.update(dict.fromkeys(indices, getattr(Fate, fate.upper())))
        return chosen

    yield "everything lost", state(Fate.LOST)
    yield "everything kept", state(Fate.KEPT)
    if written:
        yield "all names, no content", state(Fate.KEPT, lost=written)
        yield "all names, content cut off", state(Fate.KEPT, cut=written)
        yield "all names, content zeros", state(Fate.KEPT, zeros=written)
    for index in pending if each else ():
        told = recording.steps[index].told
        yield f"lost alone: {told}", state(Fate.KEPT, lost=[index])
        yield f"kept alone: {told}", state(Fate.LOST, kept=[index])
    for index in written if each else ():
        told = recording.steps[index].told
        yield f"cut off: {told}", state(Fate.KEPT, cut=[index])
        yield f"zeros: {told}", state(Fate.KEPT, zeros=[index])
    for seed in seeds if pending else ():
        source = random.Random(f"{seed} {len(durable)} {len(pending)}")
        share = source.choice((0.15, 0.5, 0.85))
        chosen = dict(sure)
        for index in pending:
            ways = [Fate.KEPT, Fate.KEPT, Fate.CUT, Fate.ZEROS] if index in written else [Fate.KEPT]
            chosen[index] = source.choice(ways) if source.random() < share else Fate.LOST
        yield f"seed {seed}", chosen


def _is_data(step: Step) -> bool:
    return isinstance(step.effect, Content) and bool(step.effect.data)


# --- images and folders ---------------------------------------------------------------------------------------


def materialise(image: Image, root: Path) -> None:
    """Make a folder be exactly this."""
    shutil.rmtree(root, ignore_errors=True)
    for path, (is_folder, mode, data, changed) in image.items():
        place = root / path
        if is_folder:
            place.mkdir()
        else:
            place.write_bytes(data)
            os.utime(place, (_LONG_AGO + changed, _LONG_AGO + changed))
        place.chmod(mode)


def image_of(root: Path) -> dict[str, tuple[bool, int, bytes, int]]:
    """What a folder is, without the moments."""
    found = {}
    for path in [root, *root.rglob("*")]:
        state = path.lstat()
        is_folder = stat.S_ISDIR(state.st_mode)
        name = "" if path == root else path.relative_to(root).as_posix()
        found[name] = (is_folder, stat.S_IMODE(state.st_mode), b"" if is_folder else path.read_bytes(), 0)
    return found


def key_of(image: Image) -> str:
    """A hash of an image, by which states that are the same are known."""
    digest = hashlib.sha256()
    for path in sorted(image):
        digest.update(repr((path, image[path])).encode())
    return digest.hexdigest()
