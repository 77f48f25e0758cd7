"""A relay in a git repository, at any host that git reaches (relay.md §4, §8).

What goes over the wire is in proportion to what is wanted, and not to what the relay holds or ever held: the newest
commit without its past and without content, single files by their names, and of a change the new files with the
folders on their way. Everything happens in a throw-away repository; nothing is ever checked out.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeVar

from alive_p2p import files
from alive_p2p.errors import RelayError
from alive_p2p.relay.transports import git_address
from alive_p2p.relay.transports.base import (
    MOST_ENTRIES,
    Entry,
    Listing,
    Progress,
    Put,
    SizeLimits,
    Traffic,
    checked_name,
    gone,
    over_limit,
    refusal,
)
from alive_p2p.relay.transports.git_command import Git, QuotaError
from alive_p2p.relay.transports.git_edit import Added, Plan, edited, plan_of, second_level
from alive_p2p.relay.transports.git_host import FixedCommandsError, Host, NotByNameError, WrongFormatError, written
from alive_p2p.relay.transports.git_listing import Looked
from alive_p2p.relay.transports.git_scratch import Scratch, is_object, scratch, sweep
from alive_p2p.relay.transports.git_small import SMALL, SmallFiles
from alive_p2p.runtime import Runtime

BRANCH = "main"
"""Where a relay is kept, unless its host calls the default branch otherwise and has none of this name."""

MOST_NAMES = 32 << 20
"""Bytes that may arrive when names are asked for: 20,000 of them, each as long as it can be, and packed."""

_SLACK = 1 << 20
"""How much larger a file may be on the wire than it is, with everything around it."""

_MOST_AT_ONCE = 256 << 20
"""How much may arrive where a host gives no single files, and everything has to be fetched for each."""

GIVE_UP_SECONDS = 120.0
_FEWEST_TRIES = 3
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 6.0

_AT_GITHUB = SizeLimits(most=100 << 20, advised=35 << 20)
_ELSEWHERE = SizeLimits(advised=35 << 20)
_BRANCH_NAME = re.compile(r"refs/heads/(?P<name>(?!-)(?!.*(?:\.\.|//))[\w./\-]+)")

_T = TypeVar("_T")
_random = random.SystemRandom()


@dataclass(frozen=True)
class _At:
    """One throw-away repository and the host that fills it."""

    scratch: Scratch
    host: Host


class GitTransport:
    """One person's access to a relay in a git repository.

    Args:
        url: its address, already looked at by `reach.refuse_bad_address`; a password in it is used and never shown.
        runtime: the surroundings; what git finds there of the person's login and settings of ssh it uses.
        timeout_seconds: how long one exchange with the host may take; None for as long as it gets on.
        branch: the branch that is the relay; by default `main`, or else the host's default branch.
        sizes: what the host takes; by default what is known of it.

    Raises:
        RelayError: `git-missing`, `git-too-old`.
    """

    def __init__(
        self,
        url: str,
        runtime: Runtime,
        *,
        timeout_seconds: float | None = None,
        branch: str | None = None,
        sizes: SizeLimits | None = None,
    ) -> None:
        self._address = git_address.parse(url)
        self._runtime = runtime
        self._git = Git(self._address, runtime, timeout_seconds)
        self._branch = branch
        self._format = "sha1"
        self._gives_by_name = True
        self._small = SmallFiles()
        self.url = self._address.url
        self.sizes = sizes or (_AT_GITHUB if self._address.is_github else _ELSEWHERE)
        sweep(runtime)

    # -- reading -----------------------------------------------------------------------------------------------

    def tip(self) -> str | None:
        """What the whole relay is called at this moment: another text means that something has changed in it.

        It costs about 1 KB, so that whoever looks often can see whether there is anything to look at. None where the
        relay is empty.
        """
        return self._tried(lambda at: self._find_branch(at.host)[1])

    def list(self, *folders: str) -> Listing:
        """What lies below these folders, or everywhere."""
        found = self.look(folders or [""], {})
        files = found.entries.keys() & {folder.strip("/") for folder in folders}  # below a file nothing lies
        return replace(found, entries={name: one for name, one in found.entries.items() if name not in files})

    def look(self, places: Sequence[str], known: Mapping[str, str]) -> Listing:
        """What lies at some places, and is not known already, in two exchanges with the host."""
        places = list(dict.fromkeys(place.strip("/") for place in places))
        return self._tried(lambda at: self._look(at, places, known))

    def _look(self, at: _At, places: Sequence[str], known: Mapping[str, str]) -> Listing:
        levels = max((place.count("/") + 1 for place in places), default=1)
        is_part = self._gives_by_name and "" not in places
        tip = self._fetch_tip(at, f"tree:{levels}" if is_part else "blob:none")
        if tip is None:
            return Listing(versions=dict.fromkeys(places, ""))
        looked = Looked(at.scratch, at.scratch.commit(tip)[0], places, known)
        if is_part and not at.scratch.has_everything:
            self._fetch_folders(at, looked.missing(levels))
        return looked.listing(tip, self._small, MOST_ENTRIES)

    def read(self, entry: Entry, output: BinaryIO, *, limit: int, progress: Progress | None = None) -> None:
        """Fetch what `list` has told of: by the name of its content, which git checks when it arrives."""
        if refusal(entry.name) is not None or not is_object(entry.version):
            raise gone(entry)
        self._format = _format_of(entry)
        failures: list[OSError] = []

        def write(data: bytes) -> None:
            try:
                output.write(data)
            except OSError as error:  # where it goes to is the caller's, and so is the error
                failures.append(error)
                raise _OutputError from error

        try:
            if limit > SMALL or not self._read_small(entry, write, limit, progress):
                self._tried(lambda at: self._read(at, entry, write, limit, progress))
        except _OutputError:
            raise failures[0] from None

    def _read_small(self, entry: Entry, write: Callable[[bytes], None], limit: int, progress: Progress | None) -> bool:
        """Read a file that has come with others, or comes with them now; whether it has."""
        data = self._small.content(entry)
        if data is None and self._gives_by_name:
            data = self._tried(lambda at: self._small.fetch(entry, at.host, at.scratch))
        if data is None:
            return False
        if len(data) > limit:
            raise over_limit(entry, limit)
        write(data)
        if progress is not None:
            progress(len(data), len(data))
        return True

    def _read(
        self, at: _At, entry: Entry, write: Callable[[bytes], None], limit: int, progress: Progress | None
    ) -> None:
        def on_tick(arrived: int, _: bytes) -> None:
            if progress is not None and arrived:
                progress(min(arrived, limit), limit if entry.size is None else entry.size)

        if self._format != _format_of(entry):  # the host has just told us that it names them otherwise
            raise gone(entry)
        if self._gives_by_name:
            try:
                is_there = at.host.fetch_objects([entry.version], None, quota=limit + _SLACK, on_tick=on_tick)
            except QuotaError:
                raise over_limit(entry, limit) from None
        else:
            is_there = self._fetch_tip(at, None, quota=max(limit, _MOST_AT_ONCE), on_tick=on_tick) is not None
        known = at.scratch.describe(entry.version) if is_there else None
        if known is None or known[0] != "blob":
            raise gone(entry)
        size = known[1]
        if size > limit:  # it was small on the way: packed zeros
            raise over_limit(entry, limit)
        done = 0

        def hand_out(data: bytes) -> None:
            nonlocal done
            write(data)
            done += len(data)
            if progress is not None:
                progress(done, size)

        at.scratch.copy(entry.version, size, hand_out)

    def stop(self) -> None:
        """End what is under way."""
        self._git.stop()

    # -- writing -----------------------------------------------------------------------------------------------

    def change(
        self, puts: Sequence[Put] = (), removes: Sequence[str] = (), *, progress: Progress | None = None
    ) -> Traffic:
        """Write and remove, all of it or nothing. What was sent is told in bytes of content alone."""
        names = {checked_name(put.name): put for put in puts}
        removes = [checked_name(name) for name in removes]
        if not names and not removes:
            return Traffic()
        return self._tried(lambda at: self._change(at, names, removes, progress))

    def _change(self, at: _At, puts: Mapping[str, Put], removes: Iterable[str], progress: Progress | None) -> Traffic:
        added, total = {}, 0
        for name, put in puts.items():
            with files.translating("read", str(put.content) if not isinstance(put.content, bytes) else name):
                total += put.size
                with put.open() as content:
                    added[name] = Added(at.scratch.add_file(content), put.replaces)
        plan = plan_of(added, [*removes])

        def on_tick(_: int, said: bytes) -> None:
            if progress is not None and (sent := written(said)):
                progress(min(total, sent), total)

        for _ in self._tries():
            tip = self._fetch_tip(at, "tree:2" if self._gives_by_name else "blob:none")
            commit = self._commit(at, tip, plan)
            if commit is None:
                return Traffic()
            if at.host.push(commit, self._wanted, on_tick=on_tick):
                if progress is not None:
                    progress(total, total)
                return Traffic(sent=total)
        raise RelayError(
            "relay-busy",
            f"others were always faster to change the relay at {self._address.place}",
            untouched="everything; nothing was changed there",
            hint="run it again in a few minutes",
        )

    def _commit(self, at: _At, tip: str | None, plan: Plan) -> str | None:
        """The commit that a change makes of the tip; None where there is nothing to change."""
        root = None
        if tip is not None:
            root = at.scratch.commit(tip)[0]
            if self._gives_by_name and not at.scratch.has_everything:
                self._fetch_folders(at, list(second_level(at.scratch, root, plan)))
        new = edited(at.scratch, root, plan)
        if new == root:
            return None
        return at.scratch.add_commit(new or at.scratch.add_tree({}), tip)

    def compact(self) -> bool:
        """Fold the relay's past into one commit that holds what it holds now; for its owner.

        Returns:
            False where somebody has changed something meanwhile: it can be tried again, at any time.
        """
        return self._tried(self._compact)

    def _compact(self, at: _At) -> bool:
        tip = self._fetch_tip(at, "tree:1")
        if tip is None:
            return True
        tree, has_past = at.scratch.commit(tip)
        if not has_past:
            return True
        return at.host.push(at.scratch.add_commit(tree, None), self._wanted, lease=tip)

    @property
    def _wanted(self) -> str:
        return self._branch or BRANCH

    # -- both --------------------------------------------------------------------------------------------------

    def _tried(self, action: Callable[[_At], _T]) -> _T:
        """Do something in a throw-away repository; and again in another where the host is not of the usual kind."""
        for _ in range(4):
            try:
                with scratch(self._git, self._runtime, self._format) as made:
                    return action(_At(made, Host(self._git, made)))
            except WrongFormatError:
                self._format = "sha256" if self._format == "sha1" else "sha1"
            except NotByNameError:
                self._gives_by_name = False
            except FixedCommandsError:
                self._git.is_far_side_ours = False
            except QuotaError:
                break
        raise RelayError(
            "relay-hostile",
            f"{self._address.place} sends what no relay holds, and no end of it",
            untouched="everything",
            hint="ask the relay's owner who else may write there",
        )

    def _tries(self) -> Iterator[None]:
        """As long as trying makes sense, with growing pauses that are others than everybody else's."""
        begun = self._runtime.monotonic()
        tries = 0
        while tries < _FEWEST_TRIES or self._runtime.monotonic() - begun < GIVE_UP_SECONDS:
            if tries:
                self._runtime.sleep(_random.uniform(0.2, 1) * min(_LONGEST_PAUSE, _FIRST_PAUSE * 1.5**tries))
            tries += 1
            yield

    def _fetch_tip(
        self,
        at: _At,
        filter_by: str | None,
        *,
        quota: int | None = None,
        on_tick: Callable[[int, bytes], None] | None = None,
    ) -> str | None:
        quota = MOST_NAMES if quota is None else quota
        with self._within(quota):
            tip = at.host.fetch_tip(self._wanted, filter_by, quota=quota, on_tick=on_tick)
            if tip is None and self._branch is None and self._find_branch(at.host)[0]:
                tip = at.host.fetch_tip(self._wanted, filter_by, quota=quota, on_tick=on_tick)
            return tip

    def _fetch_folders(self, at: _At, names: Sequence[str]) -> None:
        if not names:
            return
        with self._within(MOST_NAMES):
            if not at.host.fetch_objects(names, "blob:none", quota=MOST_NAMES):
                raise RelayError(
                    "relay-unreachable",
                    f"{self._address.place} does not have what it told of a moment ago",
                    untouched="everything",
                    hint="run it again",
                )

    @contextmanager
    def _within(self, quota: int) -> Iterator[None]:
        try:
            yield
        except QuotaError:
            setting = "allowFilter" if self._gives_by_name else "allowAnySHA1InWant"
            raise RelayError(
                "relay-over-limit",
                f"{self._address.place} sends everything, whatever is asked for, and that is over {quota:,} bytes",
                untouched="everything",
                hint=f"let the relay's owner run `git config uploadpack.{setting} true` in it",
            ) from None

    def _find_branch(self, host: Host) -> tuple[str | None, str | None]:
        """Which branch is the relay, and the commit it stands for: `main`, or else the default branch."""
        wanted = self._wanted
        found = list(host.references("HEAD", f"refs/heads/{wanted}"))
        commits = {name: what for name, what in found if is_object(what)}
        if f"refs/heads/{wanted}" in commits:
            return wanted, commits[f"refs/heads/{wanted}"]
        default = next(
            (what.removeprefix("ref: ") for name, what in found if name == "HEAD" and not is_object(what)), ""
        )
        match = _BRANCH_NAME.fullmatch(default)
        if self._branch is not None or match is None or "HEAD" not in commits:
            return None, None
        self._branch = match["name"]
        return self._branch, commits["HEAD"]


def _format_of(entry: Entry) -> str:
    return "sha1" if len(entry.version) == 40 else "sha256"


class _OutputError(Exception):
    """What takes the content did not take it."""
