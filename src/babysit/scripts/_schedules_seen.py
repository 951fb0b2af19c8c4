"""Schedules of the learning rate: whether they are ever stepped, by whom, and how far they come."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from babysit.rehearsal import where_in_script
from babysit.remedies import Replacements
from babysit.scripts._networks_seen import parameters_of

LEAST_STEPS = 20  # of the optimizer, from which on a schedule that was never stepped was forgotten
# A schedule that is made for as many steps as the optimizer takes (within this factor), and is stepped so much more
# rarely, was made for batches and is stepped once an epoch.
MADE_FOR, RARELY = 2.0, 0.2
NEVER_WARM = 0.1  # of the rate that was asked for, which a warm-up that ends comes to
LENGTHS = ("total_steps", "T_max", "total_iters")


@dataclass
class _Schedule:
    """What is known of one; the schedule itself is the script's and is not kept."""

    kind: str
    line: str
    optimizer: int
    parameters: frozenset[int]
    length: int  # steps that it is made for; 0 where it does not say
    part: bool = False  # of another schedule, which steps it
    first: bool = False  # stepped before its optimizer was
    steps: int = 0
    asked: float = 0.0  # the rate that the optimizer was made with
    rates: list[float] = field(default_factory=list)  # the first and the latest three


class SchedulesSeen:
    """Looks at schedules being made and stepped.

    Args:
        tell: Where events go, each once: its name, what was seen, and the line.
    """

    def __init__(self, tell: Callable[[str, str, str], None]) -> None:
        self._tell = tell
        self._known: weakref.WeakKeyDictionary[Any, _Schedule] = weakref.WeakKeyDictionary()
        self._all: list[_Schedule] = []
        self._making = 0
        self._stepped: dict[int, int] = {}  # optimizers and how often
        self._parameters: dict[int, frozenset[int]] = {}

    def install(self, replaced: Replacements) -> None:
        """Before the script's first line."""
        kinds = [one for one in vars(lr_scheduler).values() if isinstance(one, type) and issubclass(one, LRScheduler)]
        for kind in dict.fromkeys(kinds):
            if "__init__" in vars(kind):
                replaced.put(kind, "__init__", self._making_one)
            if "step" in vars(kind):
                replaced.put(kind, "step", self._stepping)

    def stepped_by(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""
        if id(optimizer) not in self._stepped:
            self._parameters[id(optimizer)] = frozenset(map(id, parameters_of(optimizer)))
        self._stepped[id(optimizer)] = self._stepped.get(id(optimizer), 0) + 1

    def finished(self) -> None:
        """The training came to its own end: what a schedule did not do by now, it never does."""
        for one in self._all:
            if not one.part:
                self._judge(one)

    def _judge(self, one: _Schedule) -> None:
        taken = self._stepped.get(one.optimizer, 0)
        beside = [other for other in self._all if other.optimizer == one.optimizer and other.steps]
        others = [
            count
            for key, count in self._stepped.items()
            if key != one.optimizer and self._parameters[key] & one.parameters
        ]
        if not one.steps and taken >= LEAST_STEPS and not beside:
            text = f"{one.kind} is made and never stepped in {taken} steps of its optimizer: the rate stays constant"
            self._tell("learning-rate-schedule-inert", text, one.line)
        elif one.steps and not taken and any(count >= LEAST_STEPS for count in others):
            text = f"{one.kind} changes the rate of an optimizer that takes no step: another one has the same weights"
            self._tell("learning-rate-schedule-inert", f"{text} and takes {max(others)}", one.line)
        elif self._in_other_units(one, taken) or self._never_warm(one, taken):
            pass
        elif one.first and taken:
            self._tell("schedule-before-optimizer", f"{one.kind} is stepped before its optimizer is", one.line)

    def _in_other_units(self, one: _Schedule, taken: int) -> bool:
        """Made for as many steps as there are batches, and stepped once an epoch."""
        made_for_batches = one.length and taken / MADE_FOR <= one.length <= taken * MADE_FOR
        if not made_for_batches or not 0 < one.steps <= RARELY * taken:
            return False
        text = (
            f"{one.kind} is made for {one.length} steps and stepped {one.steps} times, while its optimizer takes"
            f" {taken}: it counts batches and is stepped once an epoch; the rate goes from {one.rates[0]:.3g} to"
            f" {one.rates[-1]:.3g}"
        )
        self._tell("learning-rate-schedule-inert", text, one.line)
        return True

    def _never_warm(self, one: _Schedule, taken: int) -> bool:
        """A warm-up that does not end: it is stepped once an epoch, and counts batches."""
        rates = one.rates
        if len(rates) < 4 or not 0 < one.steps <= RARELY * taken or rates != sorted(set(rates)):
            return False
        if not 0 < rates[-1] <= NEVER_WARM * one.asked:
            return False
        text = f"{one.kind} raises the rate to {rates[-1]:.3g} in {one.steps} steps of its own, while its optimizer"
        self._tell("learning-rate-schedule-inert", f"{text} takes {taken}; it was asked for {one.asked:.3g}", one.line)
        return True

    def _making_one(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def make(schedule: Any, *arguments: Any, **options: Any) -> None:
            self._making += 1
            try:
                original(schedule, *arguments, **options)
            finally:
                self._making -= 1
            if not self._making:
                with contextlib.suppress(Exception):
                    self._made(schedule)

        return make

    def _made(self, schedule: Any) -> None:
        parts = getattr(schedule, "_schedulers", ())
        for part in parts:
            if (known := self._known.get(part)) is not None:
                known.part = True
        optimizer = schedule.optimizer
        length = next((getattr(schedule, name) for name in LENGTHS if hasattr(schedule, name)), 0)
        # A user's own kind may step in a way of its own, and one that is resumed has been stepped before.
        own = type(schedule).step not in {one.step for one in vars(lr_scheduler).values() if _is_schedule(one)}
        resumed = getattr(schedule, "last_epoch", 0) > 0
        if own or resumed or schedule in self._known:
            return
        group = optimizer.param_groups[0]
        self._known[schedule] = made = _Schedule(
            type(schedule).__name__,
            where_in_script(),
            id(optimizer),
            frozenset(map(id, parameters_of(optimizer))),
            int(length),
            asked=float(group.get("initial_lr", group["lr"])),
            rates=[float(group["lr"])],
        )
        self._all.append(made)

    def _stepping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(schedule: Any, *arguments: Any, **options: Any) -> Any:
            result = original(schedule, *arguments, **options)
            if not self._making:
                with contextlib.suppress(Exception):
                    self._was_stepped(schedule)
            return result

        return step

    def _was_stepped(self, schedule: Any) -> None:
        known = self._known.get(schedule)
        if known is None:
            return
        known.first = known.first or (not known.steps and not self._stepped.get(known.optimizer))
        known.steps += 1
        rate = float(schedule.optimizer.param_groups[0]["lr"])
        known.rates = [known.rates[0], *known.rates[1:][-2:], rate]


def _is_schedule(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, LRScheduler)
