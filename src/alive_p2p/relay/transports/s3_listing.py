"""From the objects of a bucket to what lies in a relay (relay.md §4, §8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.base import MOST_ENTRIES, Entry, Listing, refusal
from alive_p2p.relay.transports.s3_bucket import Bucket, Stored
from alive_p2p.relay.transports.s3_errors import Kind, StoreProblem

_LEVELS = 3
"""So deep does a relay go: `inbox/<peer>/<file>`."""

_SHOWN = 200
"""So much is shown of a name that is passed over."""

_UNREADABLE = "a name in it is none that anybody accepts, so nothing in it is read"
_TOO_DEEP = "it has folders that no relay has, which are not looked into"


@dataclass(frozen=True)
class Found:
    """Some objects, the prefixes of what lies deeper, and what was passed over: a prefix, and why."""

    objects: Sequence[Stored]
    deeper: Sequence[str] = ()
    oddities: Sequence[tuple[str, str]] = ()


Again = Callable[[Callable[[], Found]], Found]
"""Asks the store, and asks once more where that makes sense."""


def listing(bucket: Bucket, folders: Sequence[str], again: Again) -> Listing:
    """What lies below these folders of the relay, or everywhere.

    Args:
        bucket: the bucket.
        folders: their paths; none for everything.
        again: asks the store.

    Raises:
        StoreProblem: it cannot be listed.
        RelayError: `relay-hostile`: there is no end of it, or a name in one of these very folders hides all others.
    """
    start = bucket.address.key("")
    prefixes = [f"{start}{folder.strip('/')}/" for folder in folders] or [start]
    entries: dict[str, Entry] = {}
    odd: list[str] = []
    count = 0
    for found in bucket.together([lambda prefix=prefix: _below(bucket, prefix, again) for prefix in prefixes]):  # type: ignore[misc]
        if isinstance(found, Exception):
            raise found
        odd += [f"'{prefix.removeprefix(start)[:_SHOWN]}': {why}" for prefix, why in found.oddities]
        for one in found.objects:
            _sort_in(one, start, entries, odd)
        count += len(found.objects) + len(found.oddities)
        if count > MOST_ENTRIES:
            raise RelayError(
                "relay-hostile",
                f"there are more than {MOST_ENTRIES:,} files in the relay",
                untouched="everything",
                hint="ask the relay's owner who else may write there",
            )
    return Listing(dict(sorted(entries.items())), tuple(odd))


def _below(bucket: Bucket, prefix: str, again: Again) -> Found:
    """The objects below a prefix.

    The library gives nothing of what it lists together with a name that it does not take. Then every folder is listed
    by itself: whoever may write into one must not keep everybody from all the others.
    """
    try:
        return again(lambda: Found(bucket.below(prefix, MOST_ENTRIES)))
    except StoreProblem as problem:
        if problem.kind is not Kind.BAD_NAME:
            raise
    objects: list[Stored] = []
    odd: list[tuple[str, str]] = []
    level: Sequence[str] = [prefix]
    for depth in range(_LEVELS):
        deeper: list[str] = []
        for one, found in zip(
            level,
            bucket.together([lambda one=one: _folder(bucket, one, again) for one in level]),  # type: ignore[misc]
            strict=True,
        ):
            if isinstance(found, Exception):
                raise found
            if depth == 0 and found.oddities:
                raise RelayError(
                    "relay-hostile",
                    f"a name in '{prefix}' in the bucket is none that anybody accepts, and hides all others",
                    untouched="everything",
                    hint="let the bucket's owner remove it, with what the store has for that",
                )
            objects += found.objects
            odd += found.oddities
            if found.deeper and depth == _LEVELS - 1:
                odd.append((one, _TOO_DEEP))
            deeper += found.deeper
        level = deeper
    return Found(objects, oddities=odd)


def _folder(bucket: Bucket, prefix: str, again: Again) -> Found:
    """What lies right below a prefix."""
    try:
        return again(lambda: Found(*bucket.folder(prefix)))
    except StoreProblem as problem:
        if problem.kind is not Kind.BAD_NAME:
            raise
    return Found((), oddities=[(prefix, _UNREADABLE)])


def _sort_in(one: Stored, start: str, entries: dict[str, Entry], odd: list[str]) -> None:
    name = one.key.removeprefix(start)
    if not name or not one.key.startswith(start) or name in entries:
        return  # what marks a folder: the library takes away the slash at its end
    why = refusal(name)
    if why is None and one.version is None:
        why = "the store gives it no version"
    if why is not None or one.version is None:
        odd.append(f"'{name[:_SHOWN]}': {why}")
    else:
        entries[name] = Entry(name, one.version, one.size)
