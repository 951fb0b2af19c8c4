"""Pages of the check's first steps: the rows as they come, and what is connected to what."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.lessons import _oracles as oracles
from babysit.lessons._page import Page
from babysit.lessons._short_training import digit_rows, digits, small_network, train_a_little
from babysit.reports import LessonFigure, TableFigure

STEPS, LR, ROWS = 150, 0.05, 64


class _Rescaled(nn.Module):
    """Inputs with another offset and scale."""

    def __init__(self, offset: float, factor: float) -> None:
        super().__init__()
        self.offset, self.factor = offset, factor

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs - self.offset) * self.factor


def _of_scale(offset: float, factor: float) -> nn.Module:
    return nn.Sequential(_Rescaled(offset, factor), small_network())


def _data() -> tuple[LessonFigure, ...]:
    inputs, _ = digits()
    grey = digit_rows()
    zero, std = -float(grey.mean() / grey.std()), float(grey.std())  # where black is, and what a step of grey is worth
    rows = []
    for name, offset, factor in (
        ("standardised", 0.0, 1.0),
        ("from 0 to 1", zero, std / 16),
        ("from 0 to 16", zero, std),
        ("from 0 to 255", zero, std * 255 / 16),
        ("standardised, plus 100", -100.0, 1.0),
    ):
        seen = (inputs - offset) * factor
        short = train_a_little(partial(_of_scale, offset, factor), torch.optim.SGD, LR, STEPS)
        rows.append((name, f"{_rounded(float(seen.mean()))}", f"{float(seen.std()):.3g}", f"{short.accuracy:.1%}"))
    text = f"The digits, their grey levels scaled in five ways; {STEPS} steps at one and the same rate, trained now."
    return (TableFigure("scales", "One rate, five scales", text, ("inputs", "mean", "std", "accuracy"), tuple(rows)),)


def _rounded(mean: float) -> str:
    return f"{0.0 if abs(mean) < 1e-5 else mean:.3g}"


class _Detached(nn.Module):
    """Outputs detached from the graph, as for a figure."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.detach()


def _wired(fault: str) -> nn.Module:
    first, nonlinearity, last = small_network().children()
    return nn.Sequential(
        first,
        *([_Detached()] if fault == "detached" else []),
        *([] if fault == "linear" else [nonlinearity]),
        last,
        *([nn.Softmax(1)] if fault == "softmax" else [nn.Softmax(0)] if fault == "axis" else []),
    )


def _wiring() -> tuple[LessonFigure, ...]:
    inputs, labels = digits()
    rows = []
    for name, fault in (
        ("sound", ""),
        ("a softmax before the loss", "softmax"),
        ("a softmax over the rows", "axis"),
        ("detached after layer 1", "detached"),
        ("nothing between the layers", "linear"),
    ):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = _wired(fault)
        outputs = network(inputs[:ROWS])
        torch.autograd.backward(functional.cross_entropy(outputs, labels[:ROWS]))
        reached = [one.grad is not None and bool(one.grad.any()) for one in network.parameters()]
        sums = outputs.detach().sum(1)
        short = train_a_little(partial(_wired, fault), torch.optim.SGD, 0.5, STEPS)
        rows.append(
            (
                name,
                f"{sum(reached)} of {len(reached)}",
                f"{float(sums.min()):.2f} to {float(sums.max()):.2f}",
                f"{short.accuracy:.1%}",
            )
        )
    text = f"One network on the digits, wired in five ways. All five run without an error; {STEPS} steps, trained now."
    columns = ("wiring", "parameters reached", "outputs of a row add up to", "accuracy")
    return (TableFigure("wirings", "What one batch shows", text, columns, tuple(rows)),)


STEP_PAGES: tuple[Page, ...] = (
    Page(
        name="data",
        kind="check",
        title="Looking at the rows first",
        words=(
            "What a network learns, and how fast, depends on its rows and their scale. So look at them before any"
            " training: are all values numbers, of about the same size, around zero? Does one class have most rows?"
            " Are the rows shuffled?",
            "Validation and test rows must be rows that the network has never seen. A row in both parts makes the"
            " score a test of memory, and a mean taken over both parts does so a little.",
        ),
        formula="mean about 0, std about 1; no row in both splits",
        when="Before anything else.",
        wrong="No error is raised: a column of size 10,000 outweighs the others, and the loss just falls slowly.",
        source="CS231n lecture 6, data preprocessing; Karpathy, A recipe for training neural networks, 2019",
        oracle=(oracles.scales, oracles.shared_rows),
        figures=_data,
        see=("inputs-badly-scaled", "inputs-not-centred", "split-leaks", "batches-not-shuffled", "standardise"),
    ),
    Page(
        name="wiring",
        kind="check",
        title="One batch through",
        words=(
            "A wrongly built network seldom raises an error. It runs, its loss even falls a little, and it learns"
            " something else, or uses half of its weights.",
            "One batch shows most of it: what enters the loss and in which shape, which weights get a gradient,"
            " whether every weight is in an optimizer exactly once, and whether rows of a batch are independent.",
        ),
        formula="every parameter: gradient not 0, in one optimizer",
        when="After every change of the network or the loss.",
        wrong="Without this check, such a fault looks like a bad learning rate and costs days.",
        source="Karpathy, A recipe for training neural networks, 2019",
        figures=_wiring,
        see=(
            "double-softmax",
            "parameters-frozen",
            "parameters-not-optimised",
            "loss-broadcasts",
            "batch-independence",
        ),
    ),
)
