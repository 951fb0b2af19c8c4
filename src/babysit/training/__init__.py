"""One visible training loop, checkpoints, evaluation and prediction."""

from babysit.training._assemble import assemble, examples_of, loss_of
from babysit.training._batches import Examples, batches_per_epoch, epoch_batches
from babysit.training._cohort import Cohort, Layout
from babysit.training._decide import choose_device, decide
from babysit.training._evaluate import answers, evaluate, evaluate_phase
from babysit.training._export import example_rows, export
from babysit.training._guard import GUARD_FOLDER, GUARD_MODES, Guard, GuardMode, check_guard, plain_optimizer
from babysit.training._guard_rules import blown_up, dead_start
from babysit.training._judging import judged_rows
from babysit.training._layouts import computing_with
from babysit.training._load import load
from babysit.training._loop import Interruption, Outcome, Training
from babysit.training._loss import MultiClassHinge, build_loss, outputs_needed
from babysit.training._model import TrainedModel, pack_weights
from babysit.training._phase import PhaseNumbers, check_first_loss
from babysit.training._predict import predict
from babysit.training._random import stream_seed
from babysit.training._scores import score_classes, score_numbers
from babysit.training._side_by_side import FORKS
from babysit.training._step import Penalty, Plateau, StepTaken, build_optimizer, rate_at, take_step
from babysit.training._trial_member import Member, pack_members, unpack_members
from babysit.training._trial_starts import Fold, Starts

__all__ = [
    "Cohort",
    "Examples",
    "FORKS",
    "Fold",
    "GUARD_FOLDER",
    "GUARD_MODES",
    "Guard",
    "GuardMode",
    "Interruption",
    "Layout",
    "Member",
    "MultiClassHinge",
    "Outcome",
    "Penalty",
    "PhaseNumbers",
    "Plateau",
    "Starts",
    "StepTaken",
    "TrainedModel",
    "Training",
    "answers",
    "assemble",
    "batches_per_epoch",
    "blown_up",
    "build_loss",
    "build_optimizer",
    "check_first_loss",
    "check_guard",
    "choose_device",
    "computing_with",
    "dead_start",
    "decide",
    "epoch_batches",
    "evaluate",
    "evaluate_phase",
    "example_rows",
    "examples_of",
    "export",
    "judged_rows",
    "load",
    "loss_of",
    "outputs_needed",
    "pack_members",
    "pack_weights",
    "plain_optimizer",
    "predict",
    "rate_at",
    "score_classes",
    "score_numbers",
    "stream_seed",
    "take_step",
    "unpack_members",
]
