"""The guard: it keeps a training's last good state on disk, and stops a training that is lost, or goes back.

It judges after a step was taken, when it is known what the step did: a bad loss whose step a scaler or the program left
out does no harm. Of one process, or of all that train one network together: they decide as one.
"""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.probes import Aside, listen, readable, stop_listening, unwrapped
from babysit.record import BabysitError, Event, InputError, write_atomic
from babysit.training._guard_rules import FIRST_LOOK, GROWTH, LAST_LOOK, LossRules
from babysit.training._kept_state import all_finite, pack_state, put_back, read_state

GuardMode = Literal["off", "stop", "rollback"]
GUARD_MODES: tuple[GuardMode, ...] = ("off", "stop", "rollback")
GUARD_FOLDER = "babysit-guard"
CONFIRMED = 25  # steps after which a kept state is a good one: what breaks a training breaks it within fewer
SHARE = 0.01  # of the time may be spent on keeping states
LOWER = 0.1  # the rate after going back, of the one before
MOST_RETURNS = 3  # a thousandth of the rate does not learn either
KEPT, UNDER_WAY = "last-good.safetensors", "next.safetensors"


class Guard:
    """Guards one training.

    Args:
        network: What is trained.
        optimizers: What steps it. The first one's steps are counted; empty where `step_taken` is called by hand.
        mode: `stop` or `rollback`.
        folder: Where to keep states; each training has a folder of its own in it.
        tell: Gets what the guard did, as it does it.
        look: Says from the findings by now why the training is lost; empty where it is not.
        stop: Called when the training has to be stopped, with the reason; it may raise.
        together: Whether several processes train one network, each in the same steps.
        lower: Called with what the rate is to be multiplied by, where no optimizer is given; None where one is.
        share: Of the time that may be spent on keeping states; None keeps one as often as one can be confirmed.

    Attributes:
        stopped: Why the training was stopped; empty while it is not.
        returns: How often it went back.
        kept: The file with the last good state; None before the first.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[Optimizer],
        *,
        mode: GuardMode,
        folder: pathlib.Path,
        tell: Callable[[Event], None],
        look: Callable[[], str],
        stop: Callable[[str], None],
        together: bool = False,
        lower: Callable[[float], object] | None = None,
        share: float | None = SHARE,
    ) -> None:
        self.stopped = ""
        self.returns = 0
        self.kept: pathlib.Path | None = None
        self._network, self._optimizers = unwrapped(network), [plain_optimizer(one) for one in optimizers]
        self._mode, self._tell, self._look, self._stop, self._together = mode, tell, look, stop, together
        self._lower = lower
        self._folder = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._share = share
        self._rules = LossRules()
        self._waiting: list[Tensor] = []  # losses on a device, read one step later: nobody has to wait for them then
        self._why = ""
        self._step = self._kept_step = 0
        self._under_way: int | None = None  # the step of a state that is not confirmed yet
        self._next, self._next_look = 0.0, FIRST_LOOK
        self._factor = 1.0
        self._rates: list[tuple[dict[str, Any], Any]] = []
        self._handles: list[Any] = []
        self._on = self._spoilt = False

    def begin(self) -> None:
        """Begin to guard."""
        self._on = True
        listen(self)
        for optimizer in self._optimizers:
            self._handles.append(optimizer.register_step_pre_hook(self._before))
            self._handles.append(optimizer.register_step_post_hook(self._after))

    def end(self, *, keep: bool) -> None:
        """End it.

        Args:
            keep: Whether the last good state stays on disk though the guard did nothing.
        """
        self._let_go()
        if self._spoilt and self.kept is not None:
            self._fenced(self._put_back)
        with contextlib.suppress(OSError):
            (self._folder / UNDER_WAY).unlink(missing_ok=True)
            if not (keep or self.stopped or self.returns):
                (self._folder / KEPT).unlink(missing_ok=True)
                self._folder.rmdir()
                self._folder.parent.rmdir()  # where it is empty
        if self.kept is not None and not self.kept.exists():
            self.kept = None

    def _let_go(self) -> None:
        self._on = False
        stop_listening(self)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._rates_again()

    # What the training calls.

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """Nothing: what counts is what `backward` is called on."""

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """Nothing."""

    def backward_begins(self, loss: Tensor, scale: float | Tensor, *, adds: bool = True) -> None:
        """A backward pass begins at `loss`."""
        if self._on and not self.stopped and readable(loss) and loss.numel() == 1:
            self._fenced(self._take, loss.detach().reshape(()) / scale)
            if self._why and self._rules.broken:  # no step may ever come: a scaler leaves out all of them
                self._spoilt = True
                self._halt(self._why)

    def step_taken(self) -> None:
        """A step was taken by something that is not an optimizer of PyTorch."""
        if self._on and not self.stopped:
            self._fenced(self._keep_if_due)
            self._after_step()

    def _before(self, optimizer: Optimizer, *_: object) -> None:
        if not self._on or self.stopped:
            return
        if optimizer is self._optimizers[0]:
            self._fenced(self._keep_if_due)
        self._rates_again()
        if self._factor < 1:
            for group in optimizer.param_groups:
                self._rates.append((group, group["lr"]))
                group["lr"] = group["lr"] * self._factor

    def _after(self, optimizer: Optimizer, *_: object) -> None:
        self._rates_again()
        if self._on and not self.stopped and optimizer is self._optimizers[0]:
            self._after_step()

    def _rates_again(self) -> None:
        for group, rate in self._rates:
            group["lr"] = rate
        self._rates.clear()

    def _fenced(self, do: Callable[..., object], *arguments: Any) -> None:
        """Errors of the guard's own end the guard, and not the training."""
        try:
            with Aside():
                do(*arguments)
        except Exception as error:
            self._let_go()
            told = error.given if isinstance(error, BabysitError) else f"{type(error).__name__}: {error}"
            self._tell(Event(self._step, "unseen", f"the training is not guarded any more: {told}"))

    def _take(self, loss: Tensor) -> None:
        if loss.device.type != "cpu":
            loss, *self._waiting = [*self._waiting, loss]
            if not self._waiting:
                self._waiting = [loss]
                return
        self._why = self._why or self._rules.take(float(loss))

    # What it does.

    def _keep_if_due(self) -> None:
        if self._under_way is not None:
            if self._step - self._under_way >= CONFIRMED and self._rules.calm:
                (self._folder / UNDER_WAY).replace(self._folder / KEPT)
                self._kept_step, self._under_way = self._under_way, None
            return
        now = time.perf_counter()
        if now < self._next or not self._rules.calm or not all_finite(self._network):
            return
        first = self.kept is None
        if first and not self._writes():
            self.kept, self._next = self._folder / KEPT, math.inf  # another process keeps it
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        content = pack_state(self._network, self._optimizers, self._step)
        write_atomic(self._folder / (KEPT if first else UNDER_WAY), content, durable=False)
        if first:
            self.kept, self._kept_step = self._folder / KEPT, self._step
        else:
            self._under_way = self._step
        after = time.perf_counter()
        self._next = after if self._share is None else after + (after - now) / self._share

    def _writes(self) -> bool:
        return not self._together or torch.distributed.get_rank() == 0

    def _after_step(self) -> None:
        self._fenced(self._judge)
        why, self._why = self._why, ""
        if why and self._on:
            self._act(why)
        self._step += 1

    def _judge(self) -> None:
        if not self._why and self._rules.broken and not all_finite(self._network):
            self._why = "the loss became NaN or infinite, and the weights with it"
        if not self._why and self._step + 1 >= self._next_look and self._next_look <= LAST_LOOK:
            self._next_look = int(self._next_look * GROWTH)
            self._why = self._look()
        if self._together:
            lost = torch.tensor(float(bool(self._why)), device=next(self._network.parameters()).device)
            torch.distributed.all_reduce(lost, torch.distributed.ReduceOp.MAX)
            if lost.item() and not self._why:
                self._why = "it is lost in another process"

    def _act(self, why: str) -> None:
        # A state from before the first step does not help what never began.
        back = self.kept is not None and "dead start" not in why
        if back:
            self._fenced(self._put_back)
        if not back or self._mode == "stop" or self.returns == MOST_RETURNS or not self._on:
            self._halt(why)
            return
        self.returns += 1
        self._factor *= LOWER
        self._rules.begin_anew()
        if self._lower is not None:
            self._fenced(self._lower, LOWER)
        text = (
            f"the guard went back from step {self._step} to step {self._kept_step}: {why}. The rate is"
            f" {self._factor:.3g} of what it was ({self.returns} of {MOST_RETURNS} returns)"
        )
        self._tell(Event(self._step, "guard", text))

    def _put_back(self) -> None:
        content = [read_state(self.kept) if self.kept is not None and self._writes() else b""]
        if self._together:
            torch.distributed.broadcast_object_list(content)
        put_back(content[0], self._network, self._optimizers)
        with contextlib.suppress(OSError):
            (self._folder / UNDER_WAY).unlink(missing_ok=True)
        self._under_way = None

    def _halt(self, why: str) -> None:
        self.stopped = why
        text = f"the guard stopped the training at step {self._step}: {why}"
        if "dead start" in why:
            text += ". The weights are as they are; the sick findings say what to mend"
        elif self.kept is not None:
            text += f". The network has the weights of step {self._kept_step} again; they are kept in {self.kept}"
        self._tell(Event(self._step, "guard", text))
        self._stop(text)


def plain_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer of PyTorch within the wrapper of a framework."""
    for _ in range(5):
        if "_optimizer_step_pre_hooks" in vars(optimizer):
            break
        inner = vars(optimizer).get("optimizer") or vars(optimizer).get("_optimizer")
        if not isinstance(inner, Optimizer):
            break
        optimizer = inner
    return optimizer


def check_guard(mode: str) -> None:
    """Refuse a mode that there is not.

    Raises:
        InputError: With the legal ones.
    """
    if mode not in GUARD_MODES:
        raise InputError(f"guard is '{mode}'", legal=", ".join(GUARD_MODES), write='guard="stop"')
