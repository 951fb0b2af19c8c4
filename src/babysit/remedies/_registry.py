"""The one list of all remedies, and their application to live objects and to scripts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from babysit.record import InputError, Remedy
from babysit.remedies._activation import OtherActivation
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._batch_size import BatchSize
from babysit.remedies._bias_prior import BiasPrior
from babysit.remedies._call_step import CallStep
from babysit.remedies._centre_inputs import CentreInputs
from babysit.remedies._class_weights import ClassWeights
from babysit.remedies._clear_gradients import ClearGradients
from babysit.remedies._clip_norm import ClipNorm
from babysit.remedies._constant_schedule import ConstantSchedule
from babysit.remedies._copy_state import CopyState
from babysit.remedies._drop_constant_features import DropConstantFeatures
from babysit.remedies._dropout import Dropout
from babysit.remedies._epochs import Epochs
from babysit.remedies._evaluation_mode import EvaluationMode
from babysit.remedies._flip_sign import FlipSign
from babysit.remedies._impute_inputs import ImputeInputs
from babysit.remedies._initialise import Initialise
from babysit.remedies._insert_activation import InsertActivation
from babysit.remedies._insert_batch_norm import InsertBatchNorm
from babysit.remedies._linear_output import LinearOutput
from babysit.remedies._loss import OtherLoss
from babysit.remedies._lr import LearningRate
from babysit.remedies._match_shapes import MatchShapes
from babysit.remedies._more_trials import MoreTrials
from babysit.remedies._move_batch_norm import MoveBatchNorm
from babysit.remedies._narrow import Narrow
from babysit.remedies._optimise_all_parameters import OptimiseAllParameters
from babysit.remedies._optimizer import OtherOptimizer
from babysit.remedies._recalibrate_batch_norm import RecalibrateBatchNorm
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._remove_sigmoid import RemoveSigmoid
from babysit.remedies._remove_softmax import RemoveSoftmax
from babysit.remedies._scale_inputs import ScaleInputs
from babysit.remedies._seed_workers import SeedWorkers
from babysit.remedies._shuffle import Shuffle
from babysit.remedies._sigmoid_output import SigmoidOutput
from babysit.remedies._softmax_axis import SoftmaxAxis
from babysit.remedies._standardise_inputs import StandardiseInputs
from babysit.remedies._standardise_targets import StandardiseTargets
from babysit.remedies._state import RehearsalState, arguments_of
from babysit.remedies._step_schedule import StepSchedule
from babysit.remedies._stop_earlier import StopEarlier
from babysit.remedies._train_mode import TrainMode
from babysit.remedies._unfreeze import Unfreeze
from babysit.remedies._unscale_gradients import UnscaleGradients
from babysit.remedies._weight_decay import OtherWeightDecay
from babysit.remedies._widen import Widen
from babysit.remedies._wider import Wider

# In the order in which they are written into a script's text: each into what the ones before have left.
_KINDS: tuple[type[RemedyKind], ...] = (
    Unfreeze,
    OptimiseAllParameters,
    CallStep,
    OtherOptimizer,
    LearningRate,
    OtherWeightDecay,
    ClearGradients,
    ClipNorm,
    FlipSign,
    ConstantSchedule,
    StepSchedule,
    UnscaleGradients,
    CopyState,
    SeedWorkers,
    Epochs,
    BatchSize,
    Shuffle,
    Dropout,
    OtherActivation,
    SoftmaxAxis,
    SigmoidOutput,
    LinearOutput,
    RemoveSoftmax,
    RemoveSigmoid,
    OtherLoss,
    InsertActivation,
    InsertBatchNorm,
    MoveBatchNorm,
    MatchShapes,
    TrainMode,
    EvaluationMode,
    # Those that no text is changed for.
    BiasPrior,
    CentreInputs,
    ClassWeights,
    DropConstantFeatures,
    ImputeInputs,
    Initialise,
    MoreTrials,
    Narrow,
    RecalibrateBatchNorm,
    ScaleInputs,
    StandardiseInputs,
    StandardiseTargets,
    StopEarlier,
    Widen,
    Wider,
)
REMEDIES: dict[str, RemedyKind] = {kind.name: kind() for kind in _KINDS}


def kind_of(remedy: Remedy, kinds: Mapping[str, RemedyKind] = REMEDIES) -> RemedyKind:
    """All that is known of a remedy.

    Raises:
        InputError: There is no remedy of that name.

    Example:
        >>> kind_of(Remedy("lr", "0.1")).summary
        'another learning rate: lr=0.001'
    """
    if remedy.name not in kinds:
        nearest = difflib.get_close_matches(remedy.name, kinds, n=1, cutoff=0.0)[0]
        raise InputError(f"there is no remedy '{remedy.name}'", legal=", ".join(sorted(kinds)), write=f"'{nearest}'")
    return kinds[remedy.name]


def applied_to_script(
    remedies: Sequence[Remedy],
    seed: int = 0,
    kinds: Mapping[str, RemedyKind] = REMEDIES,
    highest_rate: float | None = None,
) -> AppliedRemedies:
    """Remedies for a script that is about to be run in this process, those of its text left out.

    Args:
        remedies: What to apply.
        seed: Of what is drawn for them.
        kinds: Known remedies by name.
        highest_rate: The highest rate that the training takes by itself, where that is known.

    Raises:
        InputError: A remedy that does not exist, or a value that is not legal.
        NotAppliedError: A remedy that no script can take.

    Example:
        >>> applied_to_script([Remedy("lr", "0.1"), Remedy("remove-softmax")]).names
        ('lr', 'remove-softmax')
    """
    applied = AppliedRemedies(seed, highest_rate)
    for remedy in remedies:
        kind = kind_of(remedy, kinds)
        if kind.of_the_text:
            kind.values.check(remedy)
        else:
            kind.script(remedy, applied, applied.application(remedy, kind.unmet))
    return applied


def apply_to_live(
    state: RehearsalState, remedies: Sequence[Remedy], kinds: Mapping[str, RemedyKind] = REMEDIES
) -> None:
    """Apply remedies to live objects, before their first step; `state.undo` takes them off.

    Args:
        state: What is about to be trained.
        remedies: What to apply, in this order.
        kinds: Known remedies by name.

    Raises:
        InputError: A remedy that does not exist, or a value that is not legal.
        NotAppliedError: A remedy that these objects cannot take.
    """
    applied = state.applied
    state.undo.callback(applied.close)
    for remedy in remedies:
        kind = kind_of(remedy, kinds)
        kind.live(remedy, state, applied.application(remedy, kind.unmet))
    if not remedies:
        return
    applied.install()
    first = state.first_batches(1)[0]
    options = first if isinstance(first, Mapping) else {}
    applied.begin(state.network, arguments_of(first), options, state.optimizers)
    applied.around_steps()
