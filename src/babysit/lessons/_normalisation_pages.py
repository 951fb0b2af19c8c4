"""Pages of batch norm, layer norm and dropout, each with its experiment."""

from __future__ import annotations

import functools
from functools import partial

import numpy as np
import torch
from torch import nn

from babysit.lessons import _oracles as oracles
from babysit.lessons._page import Page
from babysit.lessons._short_training import digits, train_a_little
from babysit.reports import HistogramsFigure, LessonFigure, Line, LinesFigure, Panel, TableFigure

SCALES = tuple(float(scale) for scale in np.logspace(-4, 0, 9))  # the lecture's, every second one
DEPTH, WIDTH, STEPS = 8, 50, 60
BINS = 40


def deep(norm: bool, scale: float) -> nn.Sequential:
    """The lecture's eight layers of 50 units with weights of N(0, scale^2)."""
    layers: list[nn.Module] = []
    wide = 64
    for _ in range(DEPTH - 1):
        layers += [nn.Linear(wide, WIDTH), *([nn.BatchNorm1d(WIDTH)] if norm else []), nn.ReLU()]
        wide = WIDTH
    network = nn.Sequential(*layers, nn.Linear(wide, 10))
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=scale)
            nn.init.zeros_(module.bias)
    return network


@functools.cache
def sweep_of_scales() -> tuple[Line, Line]:
    """Accuracy after a short training by the first weights' scale, with and without batch norm."""
    lines = []
    for norm in (True, False):
        scores = [
            train_a_little(partial(deep, norm, scale), torch.optim.Adam, 3e-3, STEPS).accuracy for scale in SCALES
        ]
        lines.append(Line("with batch norm" if norm else "without", SCALES, tuple(scores)))
    return lines[0], lines[1]


def _batch_norm() -> tuple[LessonFigure, ...]:
    inputs, _ = digits()
    rows = []
    for norm in (False, True):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            network = deep(norm, 0.05)
            entering, panels = inputs, list[Panel]()
            for module in network:
                if isinstance(module, nn.ReLU):
                    values = entering.flatten().numpy()
                    reach = max(1e-9, 3 * float(values.std()))
                    counts, edges = np.histogram(values, BINS, (-reach, reach))
                    panels.append(
                        Panel(
                            f"before nonlinearity {len(panels) + 1}",
                            tuple(edges.tolist()),
                            tuple(counts.tolist()),
                            f"std {values.std():.2g}",
                        )
                    )
                entering = module(entering)
        rows.append(("with batch norm" if norm else "without", tuple(panels)))
    return (
        HistogramsFigure(
            "histograms",
            "The inputs of each layer's nonlinearity",
            "Digits through seven layers with small first weights (std 0.05). Without normalisation the numbers"
            " shrink to zero; with it, every layer gets mean 0 and variance 1.",
            tuple(rows),
        ),
        LinesFigure(
            "scales",
            "How much the first weights matter",
            f"Eight layers on the digits, {STEPS} steps each, trained now: accuracy by the scale of the first weights.",
            "std of the first weights",
            "accuracy",
            sweep_of_scales(),
            log_x=True,
            mode="lines+points",
        ),
        _modes(),
    )


def _modes() -> TableFigure:
    stream = np.random.default_rng(0)
    x = 3 + 2 * stream.standard_normal((32, 1))
    scale, shift = np.ones(1), np.zeros(1)
    trained = oracles.batch_norm(x, scale, shift)
    alone = oracles.batch_norm_evaluation(x[:1], scale, shift, x.mean(axis=0), x.var(axis=0))
    other = oracles.batch_norm(np.concatenate([x[:1], x[1:] + 5]), scale, shift)
    rows = (
        ("in its batch of 32, training", f"{trained[0, 0]:.3f}"),
        ("the same row, 31 others moved up by 5", f"{other[0, 0]:.3f}"),
        ("alone, evaluation mode", f"{alone[0, 0]:.3f}"),
    )
    text = "In training a row's answer depends on its batch; in evaluation, on running averages. So the mode matters."
    return TableFigure("modes", "One row, three answers", text, ("row 0", "becomes"), rows)


def _layer_norm() -> tuple[LessonFigure, ...]:
    stream = np.random.default_rng(0)
    x = stream.standard_normal((5, 8)) * np.array([[0.1], [1], [1], [10], [1]]) + np.array([[0], [3], [-2], [0], [9]])
    after = oracles.layer_norm(x, np.ones(8), np.zeros(8))
    rows = tuple(
        (str(number), f"{one.mean():.2g}", f"{one.std():.2g}", f"{abs(two.mean()):.2g}", f"{two.std():.2g}")
        for number, (one, two) in enumerate(zip(x, after, strict=True))
    )
    columns = ("row", "mean", "std", "mean after", "std after")
    return (
        TableFigure(
            "rows", "Each row by itself", "Rows of very different size get the same mean and spread.", columns, rows
        ),
    )


def _dropout() -> tuple[LessonFigure, ...]:
    def network(share: float) -> nn.Module:
        return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(share), nn.Linear(256, 10))

    shares = (0.0, 0.2, 0.5, 0.8, 0.95)
    results = [train_a_little(partial(network, share), torch.optim.Adam, 3e-3, 150) for share in shares]
    steps = tuple(float(step) for step in range(150))
    curves = tuple(
        Line(f"dropped {share:g}", steps, tuple(result.losses)) for share, result in zip(shares, results, strict=True)
    )
    table = tuple(
        (f"{share:g}", f"{result.losses[-1]:.3f}", f"{result.accuracy:.3f}")
        for share, result in zip(shares, results, strict=True)
    )
    return (
        LinesFigure(
            "curves", "Loss of batches while training", "Digits, 150 steps, trained now.", "step", "loss", curves
        ),
        TableFigure(
            "table",
            "After them",
            "Accuracy on rows held out, in evaluation mode.",
            ("share dropped", "last loss in training", "accuracy"),
            table,
        ),
    )


NORMALISATION_PAGES: tuple[Page, ...] = (
    Page(
        name="batch-norm",
        kind="normalisation",
        title="Batch normalisation",
        words=(
            "The numbers that enter a nonlinearity should lie around zero and vary by about one. Batch norm makes"
            " them so: for each unit, it takes the numbers over the rows of the batch, subtracts their mean and"
            " divides by their standard deviation.",
            "A learned scale and a learned shift for each unit then let the network undo that: with the right two"
            " numbers the layer is what it was before.",
            "In use there may be only one row. So evaluation mode uses running averages of mean and variance,"
            " collected in training, instead of those of the batch.",
        ),
        formula="y = scale (x - mean) / sqrt(var + 1e-5) + shift, mean and var over the batch",
        when="After a linear or convolutional layer, before its nonlinearity. Gradients keep their size, learning"
        " rates can be higher, first weights matter less, and it regularises a little.",
        wrong="Small batches give noisy statistics; training mode in use, or running averages that are not up to"
        " date, give other answers than in training.",
        source="Ioffe and Szegedy 2015, arXiv:1502.03167; CS231n lecture 6",
        oracle=(oracles.batch_norm, oracles.batch_norm_gradient, oracles.batch_norm_evaluation),
        figures=_batch_norm,
        see=("layer-norm", "batch-norm-statistics-stale", "evaluation-mode-in-training", "initialisation"),
    ),
    Page(
        name="layer-norm",
        kind="normalisation",
        title="Layer normalisation",
        words=(
            "Like batch norm along the other axis: each row is normalised over its own units. Rows stay independent"
            " of each other, training and use are the same, and a batch of one row is enough.",
        ),
        formula="y = scale (x - mean) / sqrt(var + 1e-5) + shift, mean and var over the units of a row",
        when="In transformers and recurrent networks, and with small batches.",
        wrong="In convolutional networks batch norm usually does better.",
        source="Ba et al. 2016, arXiv:1607.06450",
        oracle=(oracles.layer_norm, oracles.layer_norm_gradient),
        figures=_layer_norm,
        see=("batch-norm",),
    ),
    Page(
        name="dropout",
        kind="normalisation",
        title="Dropout",
        words=(
            "At every step a random share of a layer's outputs is set to zero, so no unit can rely on another one."
            " The outputs that are kept are divided by the share kept, so that the mean stays the same. In use"
            " nothing is dropped.",
            "It makes overfitting harder. So it helps a network that overfits, and harms one that does not fit its"
            " training rows yet.",
        ),
        formula="y = x kept / (1 - share) in training, y = x in use",
        when="When the gap between training and validation is large; a share of 0.2 to 0.5.",
        wrong="Too much of it, or left on in use.",
        source="Srivastava et al. 2014, JMLR 15",
        oracle=(oracles.dropout, oracles.dropout_gradient),
        figures=_dropout,
        see=("dropout-too-high", "overfitting", "training-mode-in-evaluation"),
    ),
)
