"""What is asked of a relay's host, and sent to it, by way of a throw-away repository (relay.md §8)."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.git_command import REMOTE, Done, Git, OvertimeError, QuotaError
from alive_p2p.relay.transports.git_errors import error_of, overtime, refused
from alive_p2p.relay.transports.git_scratch import Scratch, is_object

OnTick = Callable[[int, bytes], None]
"""Called with the bytes that have arrived, and the end of what git has said."""

ALL_OR_NOTHING = "the relay: it takes all of a change or nothing of it"

_NO_BRANCH = re.compile(r"couldn't find remote ref|remote ref does not exist")
_NOT_BY_NAME = re.compile(r"does not allow request for unadvertised object")
_UNKNOWN = re.compile(r"not our ref|remote error: upload-pack: not our ref")
_OTHER_FORMAT = re.compile(r"mismatched algorithms|object format '?sha|hash algorithm", re.IGNORECASE)
_FORBIDDEN = "[remote rejected] (non-fast-forward)"
"""What a host says that lets nobody replace what its branches stand for, as `git init --shared` sets it."""
_RACES = ("fetch first", "non-fast-forward", "stale info", "failed to update ref", "needs force")
_NOT_THAT_COMMAND = re.compile(
    r"unrecognized command|unknown (?:git\S* )?command|invalid command|not allowed", re.IGNORECASE
)
_SENDING = 1 << 44
_WRITTEN = re.compile(rb"Writing objects: .*?, (?P<number>[\d.]+) (?P<unit>bytes|KiB|MiB|GiB)")
_UNITS = {b"bytes": 1, b"KiB": 1 << 10, b"MiB": 1 << 20, b"GiB": 1 << 30}


class NotByNameError(Exception):
    """The host gives only what a branch or a tag stands for."""


class FixedCommandsError(Exception):
    """The host runs git as it likes, and not as we do."""


class WrongFormatError(Exception):
    """The relay names its objects in another way than the throw-away repository."""


def written(said: bytes) -> int:
    """How many bytes git says to have sent so far; 0 where it says nothing of it."""
    found = [int(float(match["number"]) * _UNITS[match["unit"]]) for match in _WRITTEN.finditer(said)]
    return found[-1] if found else 0


class Host:
    """The host of one relay.

    Args:
        git: what talks to it.
        scratch: what takes what it sends.
    """

    def __init__(self, git: Git, scratch: Scratch) -> None:
        self._git = git
        self._scratch = scratch

    def references(self, *patterns: str) -> Iterator[tuple[str, str]]:
        """What it has under these names: pairs of a name, and an object, or `ref: ` with another name.

        Raises:
            QuotaError: it does not stop talking.
            FixedCommandsError: the host does not run git as we do.
            RelayError: the relay cannot be read.
        """
        done = self._ask("ls-remote", "--symref", REMOTE, *patterns, quota=0)
        if done.code != 0:
            raise self._failure(done)
        for line in done.out.decode("utf-8", "surrogateescape").splitlines():
            what, tab, name = line.partition("\t")
            if tab and (what.startswith("ref: ") or is_object(what)):
                yield name, what

    def fetch_tip(self, branch: str, filter_by: str | None, *, quota: int, on_tick: OnTick | None = None) -> str | None:
        """Fetch the newest commit of a branch, without its past, as far as a filter lets it through.

        Returns:
            The commit, or None where there is no such branch.

        Raises:
            QuotaError: more bytes came than may.
            FixedCommandsError: the host does not run git as we do.
            WrongFormatError: the relay names its objects in another way.
            RelayError: the relay cannot be read.
        """
        options = ["--depth=1", *([f"--filter={filter_by}"] if filter_by else [])]
        done = self._fetch(options, [f"refs/heads/{branch}"], quota, on_tick)
        tip = self._scratch.take_fetched()
        if done.code != 0:
            if _NO_BRANCH.search(done.err):
                return None
            raise self._failure(done)
        if filter_by is None or "filtering not recognized" in done.err:
            self._scratch.has_everything = True
        if not is_object(tip):
            raise RelayError(
                "relay-hostile",
                f"{self._git.address.place} sent something else than a commit",
                untouched="everything",
                hint="ask the relay's owner to look at it with `git fsck`",
            )
        return tip

    def fetch_objects(
        self, names: Sequence[str], filter_by: str | None, *, quota: int, on_tick: OnTick | None = None
    ) -> bool:
        """Fetch objects by their names: files, or with a filter folders and what is below them.

        Returns:
            Whether the host has them; it gives all of them or none.

        Raises:
            QuotaError: more bytes came than may.
            NotByNameError: it does not do that.
            FixedCommandsError: the host does not run git as we do.
            WrongFormatError: the relay names its objects in another way.
            RelayError: the relay cannot be read.
        """
        # Without a depth, a fetch with a filter takes a folder that is here for one that is here with all below it.
        options = ["--no-write-fetch-head", *(["--depth=1", f"--filter={filter_by}"] if filter_by else [])]
        done = self._fetch(options, [name for name in names if is_object(name)], quota, on_tick)
        if done.code == 0:
            return True
        if _NOT_BY_NAME.search(done.err):
            raise NotByNameError
        if _UNKNOWN.search(done.err):
            return False
        raise self._failure(done)

    def push(self, commit: str, branch: str, *, lease: str | None = None, on_tick: OnTick | None = None) -> bool:
        """Send a commit with what belongs to it, and let a branch stand for it.

        Args:
            commit: its full name; an empty one would remove the branch.
            branch: its name.
            lease: the commit that the branch stands for now, where it may be replaced by one that does not follow it.
            on_tick: as for fetching.

        Returns:
            False where somebody was faster.

        Raises:
            FixedCommandsError: the host does not run git as we do.
            WrongFormatError: the relay names its objects in another way.
            RelayError: the host did not take it.
        """
        if not is_object(commit):
            raise ValueError("not the full name of a commit")
        options = ["--porcelain", "--progress", "--no-verify", "--no-signed", "--no-follow-tags"]
        if lease is not None:
            options.append(f"--force-with-lease=refs/heads/{branch}:{lease}")
        refspec = f"{commit}:refs/heads/{branch}"
        try:
            done = self._git.network(
                self._scratch.folder, "push", *options, REMOTE, refspec, quota=_SENDING, on_tick=on_tick
            )
        except OvertimeError as error:
            if self._stands_for(branch, commit):
                return True
            raise overtime(str(error), self._git.address, untouched=ALL_OR_NOTHING) from None
        finally:
            self._scratch.put_settings_back()
        if done.code == 0:
            return True
        lines = done.out.decode("utf-8", "replace").splitlines()
        refusal = next((line.split("\t")[-1] for line in lines if line.startswith("!\t")), None)
        if refusal is None:
            if self._stands_for(branch, commit):  # it took it, and the answer got lost
                return True
            raise self._failure(done, ALL_OR_NOTHING)
        is_for_good = lease is not None and refusal.startswith(_FORBIDDEN)  # whoever is faster or slower
        if not is_for_good and (any(f"({race})" in refusal for race in _RACES) or "cannot lock ref" in done.err):
            return False
        raise refused(refusal, done.err, self._git.address, untouched="everything; nothing was changed there")

    def _stands_for(self, branch: str, commit: str) -> bool:
        """Whether a branch stands for a commit, as far as that can be found out."""
        with suppress(RelayError, QuotaError, FixedCommandsError, WrongFormatError):
            return (f"refs/heads/{branch}", commit) in self.references(f"refs/heads/{branch}")
        return False

    def _fetch(self, options: Sequence[str], names: Sequence[str], quota: int, on_tick: OnTick | None) -> Done:
        try:
            return self._ask("fetch", "--progress", "--no-tags", *options, REMOTE, *names, quota=quota, on_tick=on_tick)
        finally:
            self._scratch.put_settings_back()

    def _ask(self, *arguments: str, quota: int, on_tick: OnTick | None = None) -> Done:
        try:
            return self._git.network(self._scratch.folder, *arguments, quota=quota, on_tick=on_tick)
        except OvertimeError as error:
            raise overtime(str(error), self._git.address) from None

    def _failure(self, done: Done, untouched: str = "everything") -> Exception:
        if self._git.is_far_side_ours and self._git.address.host and _NOT_THAT_COMMAND.search(done.err):
            return FixedCommandsError()
        if _OTHER_FORMAT.search(done.err):
            return WrongFormatError()
        return error_of(done.err, self._git.address, untouched=untouched)
