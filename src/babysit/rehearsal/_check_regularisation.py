"""Step 5, regularisation: it raises the loss by the amount it should, half lambda w squared.

PyTorch's `weight_decay` never shows in the loss, so it is added here: computed from the weights, and compared with
what the optimizer's first step really does to them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from babysit.diseases import DISEASES
from babysit.record import Finding, PreFlightStep
from babysit.rehearsal._examination import Examination, skipped
from babysit.rehearsal._subject import LiveParts
from babysit.rehearsal._verdict import verdict_of
from babysit.training import take_step

LARGE = 1e3  # the lecture's: 2.303 becomes 3.07 for weights of 0.0001 randn
PENALTY = 1.0  # of the data's own loss: from there on the first steps serve the penalty, not the data
# Of decoupled decay: lambda times a typical weight. An adaptive step moves each weight by about the rate, decay by the
# rate times this: from one on the decay is the larger of the two. AdamW at .05 to .1, as transformers are trained, is
# worth some thousandths.
PULL = 1.0
SHRINK = 0.01  # of the weights, in the step that is measured: float32 then tells it to some digits
OFF = 0.01  # relative: what the step does to the weights against what half lambda w squared makes of them


@dataclass(frozen=True)
class WeightDecay:
    """What weight decay is worth.

    Attributes:
        strength: lambda of the first group that has one; 0 without any.
        value: Sum over all groups of half lambda w squared, over weights and biases as the optimizer has them.
        square: Sum of w squared over weights: parameters with two or more axes.
        small: Names of decayed parameters with fewer axes: biases, and scales and shifts of normalisations.
        decoupled: Whether the optimizer decays beside the gradient (AdamW).
        pull: lambda times the root mean square of the decayed weights.
    """

    strength: float
    value: float
    square: float
    small: tuple[str, ...]
    decoupled: bool
    pull: float


def check_regularisation(examination: Examination) -> PreFlightStep:
    """Compute what weight decay adds to the loss, and compare it with what a step does to the weights.

    Source: CS231n lecture 6 (regularisation on: the loss goes up); Loshchilov and Hutter 2019 for decoupled decay.
    """
    if not examination.subject.has_live_parts:
        return skipped("regularisation", "the weights of a script cannot be reached from here")
    live = examination.live
    if examination.fails:
        return skipped("regularisation", "no batch could be trained on")
    optimizers = list(live.optimizers) or [live.make_optimizer(live.network.parameters())]
    penalty = penalty_of(live.network, optimizers)
    trace = examination.trace
    losses = trace.series("criterion").values or trace.series("loss").values
    loss = losses[0] if losses else math.nan
    large = 0.5 * LARGE * penalty.square  # as in the lecture: so strong that it is seen at once
    numbers: dict[str, Any] = {
        "loss": loss,
        "weight decay": penalty.strength,
        "penalty": penalty.value,
        f"penalty at {LARGE:g}": large,
    }
    expected = f"half lambda w squared: {large:.3g} more at lambda {LARGE:g}"
    if not penalty.strength:
        return PreFlightStep(
            "regularisation",
            verdict_of([], True if math.isfinite(loss) else None),
            f"no weight decay; the loss is {loss:.4g}",
            expected,
            "begin without weight decay, and add some when the network overfits",
            numbers=numbers,
        )
    with examination.as_before():
        ratio = shrinkage(live, penalty)
    measured = f"weight decay {penalty.strength:g} would add {penalty.value:.3g} to a loss of {loss:.4g}"
    if penalty.small:
        measured += f"; it also decays {len(penalty.small)} biases or normalisation parameters"
        numbers["also decayed"] = list(penalty.small)
    why = "PyTorch leaves weight decay out of the loss it shows, so neither too much nor none at all can be seen there"
    if ratio is not None:
        numbers["decay of the first step over what it should be"] = ratio
        if abs(ratio - 1) > OFF:
            measured += f"; the first step decays weights by {ratio:.3g} times lr lambda w"
            why = "this optimizer divides the decay by the size of a weight's gradients; AdamW decays all weights alike"
    findings = _findings(penalty, loss)
    verdict = verdict_of(findings, (penalty.decoupled or penalty.value <= abs(loss)) if math.isfinite(loss) else None)
    return PreFlightStep("regularisation", verdict, measured, expected, why, tuple(findings), numbers)


def _findings(penalty: WeightDecay, loss: float) -> list[Finding]:
    if penalty.decoupled:
        # It is not part of any gradient, so what it would add to the loss says nothing of its effect.
        if not penalty.pull > PULL:
            return []
        shown = {"decay times typical weight": penalty.pull, "threshold": PULL, "weight decay": penalty.strength}
        return [_finding(penalty, shown)]
    if not math.isfinite(loss) or penalty.value <= PENALTY * abs(loss):
        return []
    evidence = {
        "penalty": penalty.value,
        "loss": loss,
        "threshold": PENALTY * abs(loss),
        "weight decay": penalty.strength,
    }
    return [_finding(penalty, evidence)]


def _finding(penalty: WeightDecay, evidence: dict[str, float]) -> Finding:
    smaller = f"weight-decay={penalty.strength / 100:.1g}"
    disease = DISEASES["weight-decay-too-strong"]
    return disease.finding("step 0", evidence=evidence, severity="warning", remedies=(smaller, "weight-decay=0"))


def penalty_of(network: nn.Module, optimizers: list[Optimizer]) -> WeightDecay:
    """Half lambda w squared over what the optimizers decay.

    Example:
        >>> net = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.ones_(net.weight)
        >>> penalty_of(net, [torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.5)]).value
        0.5
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    value, strength, small, decoupled = 0.0, 0.0, [], False
    count = 0
    for optimizer in optimizers:
        decoupled = decoupled or isinstance(optimizer, AdamW)
        for group in optimizer.param_groups:
            decay = float(group.get("weight_decay", 0.0) or 0.0)
            if not decay:
                continue
            strength = strength or decay
            for parameter in group["params"]:
                value += 0.5 * decay * float(parameter.detach().double().square().sum())
                count += parameter.numel()
                if parameter.ndim < 2 and id(parameter) in names:
                    small.append(names[id(parameter)])
    weights = [parameter for parameter in network.parameters() if parameter.ndim >= 2]
    square = float(sum(float(weight.detach().double().square().sum()) for weight in weights))
    pull = math.sqrt(2 * value * strength / count) if count else 0.0
    return WeightDecay(strength, value, square, tuple(small), decoupled, pull)


def shrinkage(live: LiveParts, penalty: WeightDecay, seed: int = 0) -> float | None:
    """How much more one step with decay takes from the weights than one without, over lr lambda w squared.

    1 for SGD and for decoupled decay: w' = w - lr (g + lambda w). Run within `restored`. Decay is made stronger for it,
    so that a step shrinks weights by a hundredth.

    Returns:
        None where no weight is decayed.
    """
    batch = next(live.batches(seed))
    made = live.make_optimizer(live.network.parameters())
    strongest = max(float(group["lr"]) * float(group.get("weight_decay", 0.0) or 0.0) for group in made.param_groups)
    if not strongest:
        return None
    times = SHRINK / strongest
    after: list[list[torch.Tensor]] = []
    before = [parameter.detach().clone() for parameter in live.network.parameters()]
    expected = 0.0
    for decays in (True, False):
        with torch.no_grad():
            for parameter, value in zip(live.network.parameters(), before, strict=True):
                parameter.copy_(value)
        optimizer = live.make_optimizer(live.network.parameters())
        for group in optimizer.param_groups:
            if not decays and "weight_decay" in group:
                group["weight_decay"] = 0.0
            elif decays and group.get("weight_decay"):
                group["weight_decay"] *= times
                shrinks = float(group["lr"]) * float(group["weight_decay"])
                expected += shrinks * sum(float(one.detach().double().square().sum()) for one in group["params"])
        torch.manual_seed(seed)
        take_step(live.network, [optimizer], functools.partial(live.loss_of, live.network, batch))
        after.append([parameter.detach().clone() for parameter in live.network.parameters()])
    taken = sum(
        float(((without.double() - with_decay.double()) * start.double()).sum())
        for with_decay, without, start in zip(*after, before, strict=True)
    )
    return taken / expected
