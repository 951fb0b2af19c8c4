"""Latent units that are sampled from a learned distribution: whether their means still tell rows apart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from babysit.rehearsal import NoiseFollowed

FIRST = 3  # passes in which samples are looked for; where there are none, no more are followed
GROWTH = 0.05  # of the steps taken: by so many later the next pass is followed
LEAST_ROWS = 8
# Variance of a unit's mean over rows, below which it is not active (Burda, Grosse, Salakhutdinov 2016, section 4).
ACTIVE = 0.01
PAID = 0.05  # of a nat a unit: what the divergence from a standard normal is then, at most
LEAST_LOOKS = 3  # at the end, all of them without an active unit
# By which a healthy one has active units. Measured on three autoencoders of digits: the last look without one at step
# 38, 2 to 8 of 8 units from step 52 on, all of them at 101.
LEAST_STEPS = 150


class _Look(NamedTuple):
    step: int
    units: int
    active: int
    divergence: float  # from a standard normal, a unit


class LatentsSeen:
    """Follows some passes of training.

    Args:
        tell: Where events go: name, what was seen, line.
    """

    def __init__(self, tell: Callable[[str, str, str], None]) -> None:
        self._tell = tell
        self._passes = 0
        self._next = 0
        self._looks: list[_Look] = []

    @contextlib.contextmanager
    def following(self, module: nn.Module, step: int) -> Iterator[None]:
        """Around a pass of training."""
        wanted = step >= self._next and (self._passes < FIRST or bool(self._looks))
        if not wanted or not isinstance(module, nn.Module) or hasattr(module, "_orig_mod"):
            yield
            return
        with NoiseFollowed() as noise:
            yield
        self._passes += 1
        self._next = step + 1 + int(GROWTH * step)
        with contextlib.suppress(Exception):
            look = _look(step, noise.samples)
            if look is not None:
                self._looks.append(look)

    def end(self) -> None:
        """The training is over."""
        last = self._looks[-LEAST_LOOKS:]
        if len(last) < LEAST_LOOKS or last[-1].step < LEAST_STEPS:
            return
        if any(one.active or one.divergence > PAID for one in last):
            return
        text = (
            f"none of {last[-1].units} latent units tells rows apart at step {last[-1].step}: the variance of each mean"
            f" over rows is below {ACTIVE:g}, and their penalty has come down to {last[-1].divergence:.2g} a unit"
        )
        self._tell("latent-collapsed", text, "latent units")


def _look(step: int, samples: Sequence[tuple[Tensor, Tensor]]) -> _Look | None:
    """How many units are active; None where nothing is sampled by row, as by a policy of a constant deviation."""
    units = active = 0
    divergence = 0.0
    for mean, deviation in samples:
        if mean.shape != deviation.shape or mean.ndim < 2 or len(mean) < LEAST_ROWS or mean.is_leaf:
            continue
        of_mean, spread = mean.detach().float().flatten(1), deviation.detach().float().flatten(1)
        if bool((spread == spread[:1]).all()):
            continue
        units += of_mean.shape[1]
        active += int((of_mean.var(0) > ACTIVE).sum())
        terms = of_mean.square() + spread.square() - 1 - spread.square().clamp_min(1e-30).log()
        divergence += float(0.5 * terms.sum(1).mean())
    return _Look(step, units, active, divergence / units) if units else None
