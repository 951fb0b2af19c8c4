"""Pages of the checks that come before and during a training, each with its experiment."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import nn

from babysit.lessons import _oracles as oracles
from babysit.lessons._optimisation_pages import loss_by_rate
from babysit.lessons._page import Page
from babysit.lessons._short_training import small_network, train_a_little
from babysit.reports import LessonFigure, Line, LinesFigure, TableFigure


def _first_loss() -> tuple[LessonFigure, ...]:
    stream = np.random.default_rng(0)
    rows = []
    for name, shares in (
        ("10 equal classes", np.full(10, 0.1)),
        ("2 equal classes", np.full(2, 0.5)),
        ("90 %, 9 %, 1 %", np.array([0.9, 0.09, 0.01])),
    ):
        labels = stream.choice(len(shares), 2000, p=shares)
        measured = oracles.softmax_cross_entropy(0.01 * stream.standard_normal((2000, len(shares))), labels)
        zero, constant = oracles.first_loss(shares)
        rows.append((name, f"{zero:.4f}", f"{measured:.4f}", f"{constant:.4f}"))
    text = "Measured: a network with small weights. The last column is what output biases at the shares would give."
    columns = ("classes", "ln C", "measured", "entropy of shares")
    return (TableFigure("losses", "The loss of a network that knows nothing", text, columns, tuple(rows)),)


def _regularisation() -> tuple[LessonFigure, ...]:
    stream = np.random.default_rng(0)
    weights = [1e-4 * stream.standard_normal((3072, 50)), 1e-4 * stream.standard_normal((50, 10))]
    rows = tuple(
        (
            f"{strength:g}",
            f"{math.log(10):.5f}",
            f"{oracles.penalty(weights, strength):.5f}",
            f"{math.log(10) + oracles.penalty(weights, strength):.5f}",
        )
        for strength in (0.0, 1.0, 100.0, 1000.0)
    )
    text = "The lecture's network, 3072-50-10 with weights of 0.0001 N(0, 1): 2.30 becomes 3.07 at a strength of 1000."
    return (TableFigure("penalty", "The loss with a penalty", text, ("strength", "data", "penalty", "loss"), rows),)


def _with_a_softmax() -> nn.Module:
    return nn.Sequential(small_network(), nn.Softmax(1))


def _tiny() -> tuple[LessonFigure, ...]:
    steps = 200
    at = tuple(float(step) for step in range(steps))
    sound = train_a_little(small_network, torch.optim.Adam, 1e-2, steps, rows=20)
    broken = train_a_little(_with_a_softmax, torch.optim.Adam, 1e-2, steps, rows=20)
    frozen = train_a_little(small_network, torch.optim.SGD, 1e-5, steps, rows=20)
    lines = (
        Line("sound", at, sound.losses),
        Line("a softmax too many", at, broken.losses),
        Line("a rate far too low", at, frozen.losses),
    )
    text = "Twenty digits, trained now. The sound network overfits them; the others show that something is wrong."
    return (LinesFigure("curves", "Overfitting twenty rows", text, "step", "loss", lines, log_y=True),)


def _ratios() -> tuple[LessonFigure, ...]:
    steps = 100
    at = tuple(float(step) for step in range(steps))
    rates = (("1e-5, too low", 1e-5), ("1e-3, good", 1e-3), ("0.3, too high", 0.3))
    results = [(name, train_a_little(small_network, torch.optim.Adam, rate, steps)) for name, rate in rates]
    return (
        LinesFigure(
            "ratios",
            "Length of a step over that of the weights",
            "The first layer of a small network on the"
            " digits, three rates, trained now. About a thousandth is a good sign.",
            "step",
            "ratio",
            tuple(Line(name, at, result.ratios) for name, result in results),
            log_y=True,
        ),
        LinesFigure(
            "losses",
            "Their losses",
            "The same trainings.",
            "step",
            "loss",
            tuple(Line(name, at, result.losses) for name, result in results),
            log_y=True,
        ),
    )


def _gradient_check() -> tuple[LessonFigure, ...]:
    stream = np.random.default_rng(0)
    scores, labels = stream.standard_normal((4, 5)), np.array([0, 3, 2, 4])
    written = oracles.softmax_cross_entropy_gradient(scores, labels)
    rows = []
    for h in (1e-1, 1e-3, 1e-5, 1e-8, 1e-11):
        counted = oracles.numeric_gradient(lambda w: oracles.softmax_cross_entropy(w, labels), scores.copy(), h)
        rows.append((f"{h:g}", f"{oracles.relative_error(counted, written):.1e}"))
    wrong = oracles.relative_error(2 * written, written)
    text = f"Softmax and cross-entropy. A gradient that is wrong by a factor of two has an error of {wrong:.1g}."
    return (
        TableFigure("steps", "Written gradient against numeric gradient", text, ("h", "relative error"), tuple(rows)),
    )


def _shrunk() -> nn.Module:
    """A network with a bad initialisation: no signal passes until its weights have grown."""
    network = nn.Sequential(
        nn.Linear(64, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 10)
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.03) if parameter.ndim > 1 else nn.init.zeros_(parameter)
    return network


def _curves() -> tuple[LessonFigure, ...]:
    steps = 200
    at = tuple(float(step) for step in range(steps))
    sgd = partial(train_a_little, small_network, torch.optim.SGD)
    kinds = (
        ("good", sgd(0.1, steps)),
        ("too low: nearly straight", sgd(1e-3, steps)),
        ("too high: it jumps", sgd(3.0, steps)),
        ("bad start: flat, then a drop", train_a_little(_shrunk, torch.optim.SGD, 0.3, steps)),
    )
    few = train_a_little(partial(small_network, 256), torch.optim.Adam, 1e-2, 300, rows=60, held=True)
    held = tuple(float(10 * number) for number in range(len(few.held_losses)))
    return (
        LinesFigure(
            "curves",
            "Four curves",
            "A small network on the digits, four set-ups, trained now.",
            "step",
            "loss",
            tuple(Line(name, at, result.losses) for name, result in kinds),
        ),
        LinesFigure(
            "gap",
            "The gap",
            "Only sixty rows: the network overfits them and fails on others.",
            "step",
            "loss",
            (
                Line("training rows", tuple(float(step) for step in range(300)), few.losses),
                Line("rows held out", held, few.held_losses),
            ),
            log_y=True,
        ),
    )


def _rate_range() -> tuple[LessonFigure, ...]:
    rates, found, _ = loss_by_rate()
    steps = 100
    sweep = tuple(float(rate) for rate in np.logspace(-6, 1, steps))
    stream = np.random.default_rng(0)
    # A sweep's loss: nothing at low rates but noise, a fall near 1e-1; the reading by rate trips over the noise.
    losses_of_sweep = 2.3 - 1.8 / (1 + (3e-2 / np.array(sweep)) ** 2) + 0.02 * stream.standard_normal(steps)
    by_rate = sweep[int(np.argmin(np.gradient(losses_of_sweep, np.array(sweep))))]
    smooth = np.convolve(losses_of_sweep, np.ones(9) / 9, "same")[8:-8]
    by_log = oracles.steepest(np.array(sweep)[8:-8], smooth)
    return (
        LinesFigure(
            "ladder",
            "A ladder of constant rates",
            "A small network on the digits, 120 steps at each rate, trained now: each point is a training of its own.",
            "rate",
            "loss after",
            (Line("loss", rates, found),),
            log_x=True,
            log_y=True,
            mode="lines+points",
        ),
        TableFigure(
            "sweep",
            "One sweep, read in two ways",
            "The same noisy sweep, whose fall is at 3e-2:"
            " differentiated"
            " by the rate itself, and by its logarithm, smoothed.",
            ("read by", "answer"),
            (("the rate", f"{by_rate:.1e}"), ("its logarithm", f"{by_log:.1e}")),
        ),
    )


def _independence() -> tuple[LessonFigure, ...]:
    rows = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = {
            "linear": nn.Linear(8, 4),
            "batch norm, training": nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)),
            "batch norm, evaluation": nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)).eval(),
            "softmax over rows": nn.Sequential(nn.Linear(8, 4), nn.Softmax(0)),
        }
        inputs = torch.randn(6, 8, requires_grad=True)
        for name, network in networks.items():
            (gradient,) = torch.autograd.grad((network(inputs)[0] ** 2).sum(), inputs)
            sizes = gradient.abs().amax(1)
            rows.append((name, f"{float(sizes[0]):.2g}", f"{float(sizes[1:].max()):.2g}"))
    text = "The gradient of what row 0 answers, by its own inputs and by those of the other rows."
    return (TableFigure("gradients", "Who changes row 0?", text, ("network", "its own", "others"), tuple(rows)),)


def _search() -> tuple[LessonFigure, ...]:
    stream = np.random.default_rng(0)
    best: dict[str, list[float]] = {"grid": [], "random": []}
    for _ in range(200):
        where = stream.uniform(0, 1)

        def score(rate: float, other: float, where: float = where) -> float:
            return math.exp(-(((rate - where) / 0.1) ** 2)) + 0.02 * other

        grid = [(a, b) for a in (1 / 6, 0.5, 5 / 6) for b in (1 / 6, 0.5, 5 / 6)]
        drawn = stream.uniform(0, 1, (9, 2))
        best["grid"].append(max(score(*one) for one in grid))
        best["random"].append(max(score(float(a), float(b)) for a, b in drawn))
    drawn = stream.uniform(0, 1, (9, 2))
    grid_line = Line("grid", (1 / 6, 0.5, 5 / 6) * 3, tuple(b for b in (1 / 6, 0.5, 5 / 6) for _ in range(3)))
    random_line = Line("random", tuple(drawn[:, 0].tolist()), tuple(drawn[:, 1].tolist()))
    rows = tuple((name, f"{np.mean(found):.3f}", f"{np.quantile(found, 0.1):.3f}") for name, found in best.items())
    return (
        LinesFigure(
            "points",
            "Nine trials",
            "Nine grid points try three rates; nine random ones try nine.",
            "what matters, such as the rate",
            "what hardly does",
            (grid_line, random_line),
            mode="points",
            equal_axes=True,
        ),
        TableFigure(
            "best",
            "The best of nine, 200 times",
            "One of two numbers matters, its best place drawn anew each time; 1.02 is the most there is.",
            ("", "mean", "worst tenth"),
            rows,
        ),
    )


LECTURE = "CS231n lecture 6, babysitting the learning process"

CHECK_PAGES: tuple[Page, ...] = (
    Page(
        name="first-loss",
        kind="check",
        title="The first loss",
        words=(
            "Before the first step a network knows nothing, and the loss of equal answers is known: with ten classes"
            " ln 10 = 2.303. If the first loss is much higher, the outputs are large for no reason, and the first"
            " steps only undo that.",
            "Where classes are rare, their shares alone already lower the loss: output biases that start at the"
            " logarithms of the shares use that from the beginning.",
        ),
        formula="ln C; the entropy of the shares with biases there",
        when="Always: it takes one batch.",
        wrong="A first loss of 20 means a bad initialisation, inputs that are not scaled, or a loss that gets wrong"
        " values.",
        source=LECTURE,
        oracle=(oracles.first_loss,),
        figures=_first_loss,
        see=("initial-loss-off", "softmax-cross-entropy"),
    ),
    Page(
        name="regularisation-check",
        kind="check",
        title="Regularisation raises the loss",
        words=(
            "Turn the penalty up, and the loss must go up, by half lambda times the sum of squared weights. That"
            " proves that the penalty is in the loss.",
            "PyTorch's weight_decay acts on the weights, not on the loss, so it never shows there; babysit computes"
            " what it would add, and compares one step with it.",
        ),
        formula="L + lambda/2 sum w^2",
        when="Once, before a training with regularisation.",
        wrong="Without this check nothing shows that the decay is off, far too strong, or acts on biases and"
        " normalisations too.",
        source=LECTURE,
        oracle=(oracles.penalty,),
        figures=_regularisation,
        see=("l2", "weight-decay-too-strong"),
    ),
    Page(
        name="overfit-tiny",
        kind="check",
        title="Overfitting twenty rows",
        words=(
            "Take twenty rows, turn off everything that regularises, and train. A network has more than enough"
            " weights"
            " to store twenty rows: the loss must reach zero and every answer must be right, within seconds.",
            "If that fails, more rows or more hours cannot help. No other test finds as many faults in as little time.",
        ),
        formula="20 rows, loss near 0, accuracy 1",
        when="Before every long training.",
        wrong="Nothing, unless two of the rows are alike and have different answers.",
        source=LECTURE,
        figures=_tiny,
        see=("cannot-overfit-tiny-batch", "learning-rate-too-low"),
    ),
    Page(
        name="update-ratio",
        kind="check",
        title="How far a step moves the weights",
        words=(
            "Compare the length of a step with that of the weights. About a thousandth means that a thousand steps"
            " can change everything; a hundred-thousandth means that nothing happens; a tenth means that each step"
            " undoes what the last one did.",
        ),
        formula="|w_after - w_before| / |w_before|, about 1e-3",
        when="In the first steps, layer by layer.",
        wrong="It says little of weights that start at zero, such as biases.",
        source="CS231n lecture 6 and notes 3",
        oracle=(oracles.update_ratio,),
        figures=_ratios,
        see=("learning-rate", "learning-rate-too-high"),
    ),
    Page(
        name="gradient-check",
        kind="check",
        title="Written gradients against numeric gradients",
        words=(
            "A gradient written by hand can be checked with a numeric one: move one weight up a little, then down a"
            " little, and see how the loss changes. Both must agree to many digits.",
        ),
        formula="(L(w + h) - L(w - h)) / 2h",
        when="For own functions with own gradients; in double precision.",
        wrong="A too large h misses the curvature, a too small one is lost in rounding; at kinks the two differ.",
        source="CS231n notes 3",
        oracle=(oracles.numeric_gradient, oracles.relative_error),
        figures=_gradient_check,
        see=("softmax-cross-entropy",),
    ),
    Page(
        name="loss-curves",
        kind="check",
        title="Reading a loss curve",
        words=(
            "A nearly straight fall: the learning rate is too low. A quick fall and then a plateau: it is too high."
            " Flat for long and then a drop: the initialisation was bad. A large gap between training and validation"
            " rows: the network overfits. No gap at all: it could be larger.",
        ),
        formula="loss against step",
        when="Always, with the raw loss beside the smoothed one.",
        wrong="Smoothing hides jumps; a filter hides NaN.",
        source=LECTURE,
        figures=_curves,
        see=("learning-rate", "overfitting", "update-ratio"),
    ),
    Page(
        name="rate-range",
        kind="check",
        title="The range of good rates",
        words=(
            "Train the same network several times, a few dozen steps each, at constant rates a factor of three"
            " apart;"
            " then finer where it is good. The result is an interval of good rates, and how certain it is.",
            "One sweep in which the rate rises with every step is cheaper, but confounds the rate with how much was"
            " learned by then; and if its slope is taken by the rate instead of its logarithm, the answer is wrong.",
        ),
        formula="rates 10^(k/2), then 10^(k/6) around the best",
        when="Before every long training, and after every change of the network.",
        wrong="Too few steps make high rates look better than they are; a flat or noisy answer must be refused.",
        source="CS231n lecture 6; Smith 2017, arXiv:1506.01186, for the sweep",
        oracle=(oracles.steepest,),
        figures=_rate_range,
        see=("learning-rate",),
    ),
    Page(
        name="batch-independence",
        kind="check",
        title="Rows that do not mix",
        words=(
            "What a network answers to one row should not depend on which other rows happen to be in the batch,"
            " batch"
            " norm in training aside. So take the gradient of one row's answer by all rows' inputs: others must be"
            " zero.",
        ),
        formula="d answer_i / d input_j = 0 for i other than j",
        when="Once for each network with reshapes or sequences.",
        wrong="A recurrent layer that takes the rows for time steps passes all other tests.",
        source="Karpathy, A recipe for training neural networks, 2019",
        figures=_independence,
        see=("rows-mixed", "batch-norm"),
    ),
    Page(
        name="coarse-to-fine",
        kind="check",
        title="Coarse to fine, at random",
        words=(
            "Draw settings at random, on a log scale where factors matter. Train each for a short time, see where"
            " the good ones are, draw again there, and train longer. Random points try as many values of each number"
            " as there are trials; a grid tries a few of them again and again.",
            "When the best one lies at the edge of the range, the range was wrong.",
        ),
        formula="rate = 10^U(-6, -3)",
        when="Once the checks pass, to find the best settings.",
        wrong="Linear scales, grids, ranges that end at the best point.",
        source="CS231n lecture 6; Bergstra and Bengio 2012",
        figures=_search,
        see=("learning-rate", "rate-range"),
    ),
)
