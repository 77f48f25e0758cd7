"""Every disk that a power cut in the middle of a receive may leave, and whether recovery copes with each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alive_p2p.errors import AliveP2PError
from alive_p2p.transactions.recovery import settle
from crash import strace
from crash.lost_writes import Image, Recording, fates, image_of, key_of, materialise
from crash.system_calls import Subject

_DATA = 1 << 24


@dataclass(frozen=True)
class Machine:
    """Where a receive runs.

    Attributes:
        is_first: whether this home has never received anything.
        is_home_apart: whether the home lies on another file system than the walnut.
        has_syncfs: whether the system can flush a whole file system.
    """

    is_first: bool = False
    is_home_apart: bool = False
    has_syncfs: bool = True


@dataclass
class Report:
    """What came of it.

    Attributes:
        points: how many moments the power was cut at.
        states: how many different disks that may have left.
        outcomes: how many of them ended old, and how many new.
        failures: what did not hold.
    """

    points: int = 0
    states: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class PowerCuts:
    """One kind of receive by the installed program, recorded, and cut off anywhere.

    Args:
        program: the installed console script.
        name: of the scenario.
        folder: where there is room.
        machine: where it runs.
        killed_at: a call that the receive is killed at; then it is `recover` that is recorded and cut off.
    """

    def __init__(
        self, program: str, name: str, folder: Path, machine: Machine, *, killed_at: str | None = None
    ) -> None:
        self.subject = Subject(program, name, folder, is_first=machine.is_first)
        self.machine = machine
        self.place = self.subject.begin()
        if killed_at is not None:
            (point,) = [one for one in self.subject.points("kill") if one.about == killed_at]
            self.subject.hit(point, "kill")
            self.place = self.subject.place
        self.recording = Recording(self.place.root)
        ended = self.subject.traced(
            *([] if machine.has_syncfs else ["syncfs:error=ENOSYS"]),
            arguments=None if killed_at is None else ["recover"],
            calls=(*strace.CALLS, *strace.BESIDE),
            data=_DATA,
        )
        if ended.code != 0:
            raise AssertionError(ended.errors)
        self.recording.follow(ended.calls)
        self._expect_a_true_model()
        self._converged: set[str] = set()

    def _expect_a_true_model(self) -> None:
        """With everything kept the model is what is really there: no change was overlooked."""
        everything = dict.fromkeys(range(len(self.recording.steps)), "kept")
        model = {path: (*entry[:3], 0) for path, entry in self.recording.image(everything).items()}
        real = image_of(self.place.root)
        if wrong := sorted(path for path in {*model, *real} if model.get(path) != real.get(path)):
            raise AssertionError(f"the model is wrong about {wrong}")

    def try_all(self, *, seeds: Sequence[int], each: bool) -> Report:
        """Cut the power after every call, and look at every disk that may be left."""
        report = Report()
        apart = "home" if self.machine.is_home_apart else None
        seen: set[str] = set()
        steps = self.recording.steps
        for count, durable, pending in self.recording.crash_points(apart=apart):
            report.points += 1
            is_over = count == len(steps)
            for what, fate in fates(self.recording, durable, pending, seeds=seeds, each=each):
                image = self.recording.image(fate)
                key = key_of(image)
                if key in seen and not is_over:
                    continue
                seen.add(key)
                report.states += 1
                try:
                    report.outcomes[self._check(image, must_be_new=is_over)] += 1
                except (AssertionError, AliveP2PError) as error:
                    moment = f"after {steps[count - 1].told} ({count} of {len(steps)})" if count else "at first"
                    report.failures.append(f"{moment}, {what}: {error}")
        return report

    def _check(self, image: Image, *, must_be_new: bool) -> str:
        place, ends = self.place, self.subject.ends
        materialise(image, place.root)
        if not all(ends.values()):
            self._expect_end("a new walnut, before recovery")
        settle(place.runtime())
        outcome = self._expect_end("after recovery")
        if must_be_new and outcome != "new":
            raise AssertionError("it said it was done, and it is lost")
        self._expect_nothing_left("by recovery")
        key = key_of(image_of(place.root))
        if key in self._converged:
            return outcome
        if settle(place.runtime()):
            raise AssertionError("a second recovery finds something")
        if not place.is_undo or outcome == "old":
            place.act()
        if self._expect_end("received again") != "new":
            raise AssertionError("received again, and it is as before")
        self._expect_nothing_left("by a second receive")
        self._converged.add(key)
        return outcome

    def _expect_end(self, when: str) -> str:
        state = self.place.state()
        told = []
        for name, end in self.subject.ends.items():
            wrong = sorted(path for path in {*state, *end} if state.get(path) != end.get(path))
            if not wrong:
                return name
            told.append(f"not {name}: {wrong}")
        raise AssertionError(f"{when}: {'; '.join(told)}")

    def _expect_nothing_left(self, by: str) -> None:
        if left := self.place.left_over():
            known = self.place.home / ".alive" / "transactions"
            is_known = "" if known.is_dir() and any(known.iterdir()) else ", and nothing is registered"
            raise AssertionError(f"left over {by}{is_known}: {left}")
