"""Cohort: trials of one search trained side by side, as stacks where that is faster, else one by one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from babysit.data import physical_memory
from babysit.record import Decision, Trial, TrialProgress, Until, from_json, steps_for, to_json
from babysit.training._batches import in_order
from babysit.training._cohort_stack import Stack, kind_of
from babysit.training._cohort_watch import CohortWatch
from babysit.training._judging import judged
from babysit.training._layouts import (
    MEMORY_SHARE,
    ComputePlan,
    bytes_of_member,
    choose_plan,
    computing_with,
    cut,
    pace,
    side_by_side,
)
from babysit.training._model import pack_weights
from babysit.training._phase import PhaseNumbers
from babysit.training._side_by_side import LOOK_EVERY, Helpers, Job, Measured
from babysit.training._trial_alone import Alone, Look, measure_alone
from babysit.training._trial_member import Member
from babysit.training._trial_rules import Constant, Learned, at_chance, constant_answer, learned_constant
from babysit.training._trial_starts import Start, Starts
from babysit.training._vmap_network import unlike_alone

Layout = Literal["auto", "alone", "stacked"]
# Steps of members from which a step of one is timed, the usual layout is measured once, and layouts are compared: that
# takes 4, up to 32, and up to 200 of them.
WORTH_A_LOOK, WORTH_MEASURING, WORTH_COMPARING = 40, 300, 2_000
ROUNDING = 1e-9


@dataclass(frozen=True)
class _Group:
    """Members of one kind that go the same way.

    Attributes:
        members: Where they stand.
        plan: How they are computed.
        until: Steps that they are brought to.
        seconds: That it takes one core; 0 where nothing was measured.
        bytes: Of memory.
    """

    members: Sequence[Member]
    plan: ComputePlan
    until: int
    seconds: float
    bytes: int


class Cohort:
    """Trains members, whatever their shapes; it holds none of them.

    Args:
        starts: Where trials begin.
        layout: How members are computed: `auto` measures what is fastest for each kind of them, and computes stacks
            side by side on the processor's cores; `stacked` and `alone` measure nothing, and use the calling thread.
    """

    def __init__(self, starts: Starts, layout: Layout = "auto") -> None:
        self._starts = starts
        self._layout = layout
        self._threads = torch.get_num_threads() if starts.device.type == "cpu" else 1
        self._learned: dict[Hashable, Learned] = {}
        self._constants: dict[Hashable, Constant] = {}
        self._plans: dict[str, ComputePlan] = {}
        self._paces: dict[str, float] = {}
        self._unlike: dict[str, str] = {}
        self._bearable = int(MEMORY_SHARE * _memory(starts.device))  # bytes
        self._helpers = Helpers(self._do)

    def begin(self, trial: Trial) -> Member:
        """A trial before its first step.

        Raises:
            InputError: Its recipe does not fit the data.
        """
        self._starts.of(trial)
        return Member(trial, dict(self._starts.first_weights(trial)))

    def due(self, member: Member, until: int) -> int:
        """Steps that the member still has to take to `until`, or to the end of its own budget."""
        if member.course.ended:
            return 0
        return max(0, min(until, member.steps(len(self._starts.of(member.trial).examples.train))) - member.course.step)

    def train(
        self,
        members: Sequence[Member],
        until_step: Until,
        stop: Callable[[], bool],
        progress: Callable[[TrialProgress], object],
    ) -> Measured:
        """Train each member to its number of steps, or until its budget or a disease ends it; `stop` ends it sooner.

        Args:
            members: Whose numbers differ.
            until_step: Steps since their beginning that all are brought to, or each by its number.
            stop: Asked a few times a second.
            progress: Receives where it stands.

        Returns:
            Validation loss and score, by number, of those that took steps, arrived and have not failed.
        """
        until = steps_for([member.trial for member in members], until_step)
        steps = sum(self.due(member, until[member.trial.number]) for member in members)
        watch = CohortWatch(steps, members, stop, progress)
        with computing_with(1):  # what the layouts do not say otherwise
            groups, planned = self._groups(members, until), list[_Group]()
            for due, group in groups:
                if planned:  # what was measured for the last may have taken a moment
                    watch.report()
                if watch.asked:
                    return {}
                starts = [self._starts.of(member.trial) for member in group]
                plan = self._plan(group, starts, due, beside=len(groups) > 1)
                planned.append(self._planned(group, plan, due))
            return self._train_groups(planned, watch)

    def _groups(self, members: Sequence[Member], until: Mapping[int, int]) -> list[tuple[int, list[Member]]]:
        """Steps to take and who takes them, of one kind, which says where they stand."""
        groups: dict[Hashable, tuple[int, list[Member]]] = {}
        for member in members:
            if due := self.due(member, until[member.trial.number]):
                kind = kind_of(member, self._starts.of(member.trial))
                groups.setdefault((kind, due), (due, []))[1].append(member)
        return [*groups.values()]

    def _plan(self, group: Sequence[Member], starts: Sequence[Start], due: int, *, beside: bool) -> ComputePlan:
        """How members of a kind are computed.

        Beside others means that members of other kinds keep the other cores busy.
        """
        work = due * len(group)
        by_process = self._helpers.usable
        recipe = group[0].trial.recipe
        what = f"{recipe.optimizer.name} {recipe.loss.name} {recipe.budget.batch_size}"
        if self._layout != "auto" or (work < WORTH_MEASURING and len(group) > 1):
            seconds = 0.0
            if self._layout == "auto" and work >= WORTH_A_LOOK:
                if (place := f"{what}\n{starts[0].kind}") not in self._paces:
                    self._paces[place] = pace(group[0], starts[0])
                seconds = self._paces[place]
            why = "as was asked" if self._layout == "alone" else starts[0].no_rule
            if why and self._layout == "stacked":
                why = self._unlike_alone(group[0], starts[0])
            if why:
                threads = 1 if seconds and by_process else self._threads
                return ComputePlan("alone", 1, threads, seconds, f"one by one: {why}")
            return ComputePlan("stacked", len(group), 1, seconds, "layouts were not compared")
        # Measurements hold for about so many members: half as many may be computed otherwise.
        many = f"{len(group).bit_length()}{' beside others' if len(group) == 1 and beside else ''}"
        thorough = work >= WORTH_COMPARING
        key = f"{what} {many} {thorough}\n{starts[0].kind}"
        if key not in self._plans:
            self._plans[key] = choose_plan(
                group, starts, self._threads, self._bearable, by_process=by_process, beside=beside, thorough=thorough
            )
        return self._plans[key]

    def _unlike_alone(self, member: Member, start: Start) -> str:
        """Why a network without a stacked rule cannot be computed through torch.func."""
        kind = f"{member.trial.recipe.loss.name} {start.kind}"
        if kind not in self._unlike:
            self._unlike[kind] = unlike_alone(start, member)
        return self._unlike[kind]

    def _do(self, job: Job, look: Look) -> Measured:
        """Bring a job's members up to date, with this thread or process alone."""
        starts = [self._starts.of(member.trial) for member in job.members]
        with computing_with(job.plan.threads):
            if job.plan.way == "stacked":
                return self._train_stack(job, starts, look)
            found: Measured = {}
            for member, start, constant in zip(job.members, starts, job.constants, strict=True):
                if look([]):
                    break
                Alone(start, member, constant, channels_last=job.plan.channels_last).train(job.until, look)
                if not (member.failed or self.due(member, job.until)):
                    found[member.trial.number] = measure_alone(start, member)
            return found

    def _train_stack(self, job: Job, starts: list[Start], look: Look) -> Measured:
        if look([]):
            return {}
        stack = Stack(starts, job.members, job.constants)
        stack.train(job.until, look)
        found: Measured = {}
        for member, start, numbers in zip(job.members, starts, stack.measure(), strict=True):
            if member.course.ended == "stopped":
                found[member.trial.number] = measure_alone(start, member)
            elif not member.failed and not self.due(member, job.until):
                found[member.trial.number] = numbers
        return found

    def _planned(self, members: Sequence[Member], plan: ComputePlan, due: int) -> _Group:
        """What a group costs; all that it needs is made here, before processes are forked, which then share it."""
        until = members[0].course.step + due
        parts = [judged(self._starts.of(one.trial), one, until) for one in members]
        for part in parts:
            _ = part.held_out
        # A forward pass takes a third of a step.
        judging = sum(len(part.validation) for part in parts) / (3 * (members[0].trial.recipe.budget.batch_size or 1))
        seconds = plan.seconds * (judging + due * len(members))
        needed = len(members) * bytes_of_member(members[0], self._starts.of(members[0].trial))
        return _Group(members, plan, until, seconds, needed)

    def _train_groups(self, groups: Sequence[_Group], watch: CohortWatch) -> Measured:
        """Train members of all kinds, side by side where that is worth it."""
        threads = self._threads if self._layout == "auto" else 1
        # A call that computes with several threads leaves no core for others.
        beside = [group for group in groups if group.plan.threads == 1]
        seconds = sum(group.seconds for group in beside)
        processes = self._helpers.worth(seconds, threads)
        if max((group.bytes for group in beside), default=0) > self._bearable:
            processes = 1  # what is handed over takes as much again
        found: Measured = {}
        handed: list[tuple[float, Job]] = []
        for group in groups:
            share = 1
            if handing := processes > 1 and group.plan.threads == 1:
                share = max(1, math.ceil(processes * group.seconds / seconds - ROUNDING))
            own = 1 if handing or group.plan.threads > 1 else threads
            jobs = self._jobs(group, own, share)
            if handing:
                handed += [(group.seconds / len(jobs), job) for job in jobs]
            elif own > 1 and not self._helpers.usable and side_by_side([job.members for job in jobs], group.plan):
                found |= self._in_threads(jobs, own, watch)
            else:
                found |= self._here(jobs, watch)
        # The longest first: what comes last should be short.
        return found | self._handed([job for _, job in sorted(handed, key=lambda one: -one[0])], processes, watch)

    def _jobs(self, group: _Group, threads: int, processes: int) -> list[Job]:
        return [
            # Found before others begin: what is found is kept, and threads only read it.
            Job(members, [self.constant(member).train_loss for member in members], group.plan, group.until)
            for members in cut(group.members, group.plan, threads, processes)
        ]

    def _here(self, jobs: Sequence[Job], watch: CohortWatch) -> Measured:
        """One after the other."""
        found: Measured = {}
        for job in jobs:
            if not watch.asked:
                found |= self._do(job, watch.look)
        return found

    def _handed(self, jobs: Sequence[Job], processes: int, watch: CohortWatch) -> Measured:
        """Train jobs in so many processes at a time."""
        if len(jobs) < 2:
            return self._here(jobs, watch)
        watch.takes_note = True
        try:
            return self._helpers.train(jobs, processes, watch)
        finally:
            watch.takes_note = False

    def _in_threads(self, jobs: Sequence[Job], threads: int, watch: CohortWatch) -> Measured:
        """Train jobs in threads, where a process cannot be forked. Each job computes with one thread."""
        found: Measured = {}
        watch.takes_note = True
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                pending: set[Future[Measured]] = {pool.submit(self._do, job, watch.look) for job in jobs}
                while pending:
                    done, pending = wait(pending, timeout=LOOK_EVERY, return_when="FIRST_COMPLETED")
                    for future in done:
                        found |= future.result()
                    watch.report()
            finally:
                # After an error or a Ctrl-C the others stop between two steps; else nothing is left to stop.
                watch.asked = watch.asked or bool(pending)
                watch.takes_note = False
        return found

    def constant(self, member: Member) -> Constant:
        """What a constant answer costs under the member's loss, on its rows: those that it is judged on now."""
        trial, start = member.trial, self._starts.of(member.trial)
        examples = judged(start, member)
        rows = (trial.fold, trial.recipe.loss, trial.recipe.preprocessing)
        if rows not in self._learned:
            self._learned[rows] = learned_constant(start.loss, start.examples, start.outputs)
        key = (*rows, len(examples.validation))
        if key not in self._constants:
            self._constants[key] = constant_answer(start.loss, examples, self._learned[rows])
        return self._constants[key]

    def answers_by_chance(self, member: Member, measured: PhaseNumbers) -> bool:
        """Whether what was measured is no better than a constant answer."""
        return at_chance(measured, self.constant(member))

    @property
    def score_name(self) -> str:
        """accuracy or r2."""
        return "accuracy" if self._starts.prepared.task.kind == "classification" else "r2"

    def weights(self, member: Member) -> bytes:
        """Its whole model as the bytes of a safetensors file."""
        model = copy.deepcopy(self._starts.of(member.trial).model)
        model.network.load_state_dict(member.kept)
        return pack_weights(model)

    @torch.no_grad()
    def answer(self, member: Member, phase: str) -> Tensor:
        """Scores [N, C] or values [N] for the rows of a phase, on the CPU."""
        start = self._starts.of(member.trial)
        network = start.fresh_network(member.trial.recipe).eval()
        network.load_state_dict(member.kept)
        rows = torch.from_numpy(self._starts.rows_of(member.trial.fold).split[phase])
        pieces = [
            start.model.answer(network(start.examples.cut(part)[0])).cpu() for part in in_order(rows) if len(part)
        ]
        return torch.cat(pieces) if pieces else torch.empty(0)

    def close(self) -> None:
        """End its processes."""
        self._helpers.close()

    @property
    def side_by_side(self) -> int:
        """Members that are trained at the same time, each for itself."""
        return self._threads if self._layout == "auto" and self._helpers.usable else 1

    def forget(self, numbers: Sequence[int]) -> None:
        """Forget what is kept for trials that are dropped."""
        for number in numbers:
            self._starts.forget(number)

    @property
    def plans(self) -> dict[str, Any]:
        """What was chosen so far, as plain JSON values."""
        return {key: to_json(plan) for key, plan in self._plans.items()}

    @plans.setter
    def plans(self, content: dict[str, Any]) -> None:
        self._plans |= {key: from_json(ComputePlan, plan) for key, plan in content.items()}

    def decisions(self) -> tuple[Decision, ...]:
        """How members are computed, with the measurements that decided it."""
        return tuple(
            Decision(
                setting="layout",
                value=plan.way if plan.way == "alone" else f"stacks of up to {plan.size}",
                why=plan.why,
            )
            for plan in self._plans.values()
        )


def _memory(device: torch.device) -> int:
    """Bytes of memory where stacks are computed."""
    if device.type == "cuda":
        total: int = torch.cuda.get_device_properties(device).total_memory
        return total
    return physical_memory()
