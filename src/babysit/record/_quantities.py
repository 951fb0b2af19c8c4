"""The one table of quantities: a name, a unit and a definition each. Docs are made from it."""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    """What a number in a Trace means."""

    name: str
    unit: str
    definition: str


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        # the whole network
        Quantity("loss", "", "the loss that was made small on the batch, penalties included, as it was"),
        Quantity("data-loss", "", "mean loss over the rows of a phase, penalties left out"),
        Quantity("accuracy", "share", "rows whose likeliest class is the right one"),
        Quantity(
            "balanced-accuracy",
            "share",
            "mean over the classes of the share of their rows answered right; of a constant answer 1 / classes",
        ),
        Quantity("r2", "", "1 - squared error over the squared error of the phase's mean target"),
        Quantity("criterion", "", "value that a known loss function gave in the step, whatever was made of it after"),
        Quantity(
            "constant-answer-loss",
            "",
            "what the loss of the batch would be, were every row given the best answer"
            " that ignores the inputs; of a loss written by hand, penalties included",
        ),
        Quantity("lr", "per step", "learning rate of the step; of the first parameter group where rates differ"),
        Quantity("momentum", "", "momentum of the optimizer, the first beta of an adaptive one"),
        Quantity("gradient-norm", "", "length of the gradient before clipping; of a layer's weights or of all"),
        Quantity(
            "clip-factor", "", "length of the gradient at the step over its length before clipping; 1: not clipped"
        ),
        Quantity(
            "gradient-noise-scale",
            "rows",
            "trace of the covariance of rows' gradients over the squared length of"
            " their mean: the batch size at which noise and signal are equal (McCandlish et al. 2018, eq. 2.9)",
        ),
        Quantity("update-cosine", "", "cosine between the step's change of the weights and the negative gradient"),
        Quantity("backwards", "count", "backward passes since the step before"),
        Quantity(
            "left-over-gradient",
            "",
            "length of the gradient found in the parameters before a step's first"
            " backward pass; 0 where it was cleared",
        ),
        Quantity(
            "evaluation-mode-share",
            "share",
            "training passes so far that ran in evaluation mode though the network has dropout or batch norm",
        ),
        Quantity(
            "training-mode-evaluations",
            "count",
            "passes without gradients so far that ran in training mode, of a network that has dropout or batch norm",
        ),
        Quantity("step-seconds", "seconds", "wall time of a step that nobody measured"),
        Quantity("rows-per-second", "per second", "rows of the batch over the time of a step that nobody measured"),
        # the batch: (inputs), one feature of it as (inputs)[3], (outputs) as they entered the loss, (targets)
        Quantity("batch-rows", "count", "rows of the batch"),
        Quantity("rows-seen", "count", "rows measured so far, over which the values and features below are taken"),
        Quantity("not-finite-share", "share", "values of the batch that are NaN or infinite"),
        Quantity("value-mean", "", "mean of all finite values seen so far"),
        Quantity("value-std", "", "standard deviation of all finite values seen so far"),
        Quantity("value-min", "", "smallest finite value seen so far"),
        Quantity("value-max", "", "largest finite value seen so far"),
        Quantity("feature-mean", "", "mean of a feature (a column, or an image's channel) over the rows seen"),
        Quantity("feature-std", "", "standard deviation of a feature over the rows seen"),
        Quantity("feature-std-low", "", "smallest standard deviation of a feature that varies"),
        Quantity("feature-std-median", "", "median standard deviation of the features that vary"),
        Quantity("feature-std-high", "", "largest standard deviation of a feature"),
        Quantity("feature-offset-median", "", "median over features of |mean| / std"),
        Quantity("feature-offset-high", "", "largest |mean| / std of a feature"),
        Quantity("features", "count", "features of a row: columns, or an image's channels"),
        Quantity("constant-features", "count", "features with one value over all rows seen"),
        Quantity("one-sign-share", "share", "features whose values all have one sign, over the rows seen"),
        Quantity("width", "count", "outputs a row has"),
        Quantity("row-sum-one-share", "share", "rows of outputs that lie in [0, 1] and sum to one"),
        Quantity("column-sum-one-share", "share", "columns of outputs in [0, 1] that sum to one over the batch"),
        Quantity("log-normalised-share", "share", "rows of outputs whose exponentials sum to one: log-probabilities"),
        Quantity("unit-interval-share", "share", "values in [0, 1]"),
        Quantity("negative-share", "share", "values below zero"),
        Quantity("gradient-zero-row-share", "share", "rows whose outputs get a gradient of exactly zero from the loss"),
        Quantity(
            "gradient-one-sign",
            "0 or 1",
            "whether the loss pushes every output the same way, while some targets"
            " lie above and others below, or are of two classes",
        ),
        Quantity(
            "exchanged-rows-change",
            "share",
            "largest change of the loss when the outputs of the batch's rows are exchanged, over the loss",
        ),
        Quantity("zero-share", "share", "values that are exactly zero"),
        Quantity("constant-share", "share", "outputs whose value is the same for all rows of the batch"),
        Quantity("integer-share", "share", "values that are whole numbers"),
        Quantity("label-min", "", "smallest class number seen"),
        Quantity("label-max", "", "largest class number seen"),
        Quantity("classes-seen", "count", "different classes among the rows seen"),
        Quantity("label-top-share", "share", "rows seen that are of the commonest class"),
        Quantity("label-entropy", "nats", "entropy of the classes' shares among the rows seen"),
        Quantity(
            "label-dispersion",
            "",
            "spread of class counts between batches over what shuffled rows would give:"
            " about 1 when shuffled, about the batch size when sorted",
        ),
        Quantity("target-dispersion", "", "variance of batches' mean targets over what shuffled rows would give"),
        Quantity("recurring-rows", "count", "rows of inputs that came again in a later batch"),
        Quantity("same-target-share", "share", "of the rows that came again, those that had the same target again"),
        Quantity("same-target-chance", "share", "pairs of any two rows that have the same target"),
        Quantity("duplicate-rows-share", "share", "validation rows whose inputs stand among the training rows, too"),
        Quantity("twin-rows-share", "share", "training rows whose inputs another training row has, too"),
        Quantity(
            "fitted-on-both-share",
            "share",
            "features whose mean and standard deviation are 0 and 1 over training"
            " and validation rows together, and not over the training rows",
        ),
        Quantity(
            "evaluation-shift",
            "deviations",
            "of all input values: distance of the mean in evaluation from that in training, over the deviation in"
            " training; of tables whose columns have another scale the root of its mean square by column, if larger",
        ),
        Quantity(
            "evaluation-spread-ratio",
            "",
            "of all input values: their deviation in evaluation over that in training; of tables the median by column,"
            " where that is further from 1",
        ),
        Quantity(
            "return-company",
            "share",
            "of the batch that a row came in before: how much of it comes with the row when it comes again; mean over"
            " rows",
        ),
        Quantity(
            "return-gap-variation",
            "",
            "rows between a row and its coming again: their standard deviation over their mean",
        ),
        Quantity(
            "row-mixing",
            "",
            "largest change of a row's outputs when all other rows of the batch are others, in"
            " evaluation mode, over the standard deviation of the outputs",
        ),
        # a layer, forwards
        Quantity("activation-mean", "", "mean of the layer's outputs"),
        Quantity("activation-std", "", "standard deviation of the layer's outputs"),
        Quantity("activation-max", "", "largest size of an output"),
        Quantity("activation-zero-share", "share", "outputs that are exactly zero"),
        Quantity("activation-flat-share", "share", "outputs where the activation's slope is below 0.01"),
        Quantity("activation-not-finite-share", "share", "outputs that are NaN or infinite"),
        Quantity("never-active-share", "share", "units whose output was zero for every row of the window"),
        Quantity("saturated-unit-share", "share", "units at a flat end for at least 95 % of the window's rows"),
        Quantity("window-rows", "count", "rows in the window over which units were judged"),
        Quantity("identical-units-share", "share", "units whose outputs equal another unit's on every row"),
        Quantity(
            "row-spread",
            "",
            "standard deviation over rows, averaged over units, over that of all outputs: near 0"
            " when a layer answers every row alike",
        ),
        Quantity(
            "running-mean-gap",
            "",
            "of a batch normalisation in training: median over units of the distance"
            " between the batch's mean and the running one, over the running standard deviation",
        ),
        Quantity(
            "running-std-ratio",
            "",
            "of a batch normalisation in training: median over units of the batch's"
            " standard deviation over the running one; 1 where evaluation normalises as training does",
        ),
        Quantity("maxout-pieces-used", "share", "pieces of a maxout layer that win for at least one row"),
        # a layer, backwards and over the step
        Quantity("activation-gradient-std", "", "root mean square of the loss's gradient with respect to the outputs"),
        Quantity("gradient-mean", "", "mean of the gradient of the layer's weights"),
        Quantity("gradient-std", "", "standard deviation of the gradient of the layer's weights"),
        Quantity("gradient-zero-share", "share", "gradients of the layer's weights that are exactly zero"),
        Quantity("gradient-not-finite-share", "share", "gradients of the layer's weights that are NaN or infinite"),
        Quantity(
            "gradient-sign-share",
            "share",
            "of a unit's weight gradients, those of the commoner sign, averaged"
            " over units: 1 is the zig-zag of all-positive inputs, 0.5 no preference",
        ),
        Quantity("weight-norm", "", "Euclidean length of the layer's weights"),
        Quantity("weight-std", "", "standard deviation of the layer's weights"),
        Quantity("weight-not-finite-share", "share", "weights that are NaN or infinite"),
        Quantity("update-norm", "", "length of the step's true change of the layer's weights"),
        Quantity("update-ratio", "", "length of the step's true change of the weights over the length of the weights"),
        # a search: phase "search", a step is a trial's number
        Quantity("trial-score", "", "score of a trial of a search over the validation rows; higher is better"),
        Quantity("trial-failed", "0 or 1", "a coarse trial that diverged, exploded or was stuck at chance"),
        Quantity("trial-steps", "steps", "steps a trial of a search was trained for"),
        Quantity("trial-ended", "0 or 1", "a trial of a search that its patience ended: it came as far as it could"),
        Quantity(
            "trial-setting",
            "",
            "a trial's setting, by recipe path, as its place in the range that was searched:"
            " 0 its lower end, 1 its upper end, beyond where the search was widened",
        ),
        Quantity("best-of", "", "median of the best score among as many trials as the step says, bootstrapped"),
        Quantity("score-error", "", "standard error of a score, from the number of rows it was measured on"),
    )
}

# What is counted in histograms: of a layer's outputs, its weights, the gradient of its weights.
HISTOGRAMS = ("activation", "gradient", "weight")

FACTS: dict[str, str] = {
    "batch-size": "rows of the first batch",
    "classes": "number of classes, where the task is to tell them apart",
    "each-step": "that every step has the same rows, where that was seen",
    "epochs": "epochs that are planned",
    "log": "of a log without its program: what its numbers are counted by, step, epoch or record",
    "loss": "the loss function: cross-entropy, nll, bce, bce-with-logits, mse, l1, smooth-l1, huber, hinge, kl, "
    "gaussian-nll, poisson-nll, other",
    "loss-reduction": "mean, sum or none; own: another multiple or function of the mean",
    "network-mode": "train or evaluation: the mode of the first training pass",
    "optimizer": "the optimizer's name in small letters: sgd, adam, adamw, ...",
    "output-shape": "of what entered the loss, as 64x10",
    "parameters": "numbers that can be learned",
    "rehearsal": "what was rehearsed in place of the training as it is: tiny-batch",
    "rows": "training rows",
    "score": "of a search: what its scores are",
    "steps-per-epoch": "optimizer steps an epoch",
    "target-kind": "classes, probabilities or numbers",
    "target-shape": "of the targets, as 64",
    "unpassable": "of a search: settings and the end of their range beyond which they have no legal value",
    "weight-decay": "of the optimizer's first parameter group",
    "widened": "of a search: settings whose range was widened",
}

EVENTS: dict[str, str] = {
    "data-changed-in-place": "stored rows changed in two epochs in a row; where they are gone through",
    "evaluation-not-repeatable": "the same rows were evaluated twice and got different answers; what draws at random",
    "failed": "the training ended by an error; the layer in which it was raised",
    "future-leaks": "answers depend on the later tokens that are their targets",
    "gradient-missing": "a parameter that asks for a gradient was never given one",
    "gradient-sign-flipped": "the optimizer is given the opposite of the loss's gradient",
    "gradients-not-finite": "gradients that are NaN or infinite under a finite loss; where the step is taken",
    "guard": "what a guard did: it stopped the training, or went back to the last good state; why",
    "inputs-ignored": "answers that depend on padding alone",
    "kept-state-is-live": "a kept state that shares its memory with the weights is loaded; where",
    "latent-collapsed": "sampled latent units whose means are the same for all rows",
    "learning-rate-schedule-inert": "a schedule that was not stepped as it is made for; where it is made",
    "loss-impossible": "a loss with a value, or with targets, that it cannot have; where it is computed",
    "network-never-updated": "a network is loaded with its own weights, or gone through after each step and never"
    " changed; where",
    "not-finite": "a number that is NaN or infinite appeared; the layer where it was born",
    "outputs-identical": "all rows, or all positions of rows, get one answer",
    "padding-averaged": "answers that change with the padding of rows, by a mean over it alone",
    "padding-counts": "answers or a loss that change with the padding of rows; where the loss is computed",
    "parameter-frozen": "a parameter does not ask for a gradient",
    "parameter-in-two-optimizers": "a parameter is in more than one optimizer",
    "parameter-not-optimised": "a parameter is given gradients and is in no optimizer",
    "positions-mixed": "heads and positions are joined or split without a permute; where",
    "scaler-misused": "gradients that a scaler has multiplied are clipped or stepped with, or others divided; where",
    "schedule-before-optimizer": "a schedule is stepped before its optimizer is; where it is made",
    "step-missing": "backward passes were never followed by an optimizer step",
    "targets-conflict": "equal or mirrored rows with targets that contradict each other",
    "targets-in-inputs": "the target of an answer is the last token that it depends on",
    "targets-misaligned": "the target of an answer is two or more tokens behind the last that it depends on",
    "tied-weights-badly-scaled": "weights that output and embedding share, and that make the first logits too large",
    "unseen": "something of the network cannot be measured, and why",
    "workers-repeat": "workers of a loader that give the same random numbers or rows",
}
