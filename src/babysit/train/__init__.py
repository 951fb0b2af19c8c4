"""One visible training loop, checkpoints, evaluation and prediction."""

from babysit.train._assemble import assemble, examples_of, loss_of
from babysit.train._batches import Examples, batches_per_epoch, epoch_batches
from babysit.train._cohort import Cohort, Layout
from babysit.train._decide import choose_device, decide
from babysit.train._evaluate import answers, evaluate, evaluate_phase
from babysit.train._export import example_rows, export
from babysit.train._first_loss import check_first_loss
from babysit.train._interrupt import Interruption
from babysit.train._judging import judged_rows
from babysit.train._load import load
from babysit.train._loop import Outcome, Training
from babysit.train._loss import MultiClassHinge, build_loss, outputs_needed
from babysit.train._model import TrainedModel, pack_weights
from babysit.train._optimizer import build_optimizer
from babysit.train._phase import PhaseNumbers
from babysit.train._predict import predict
from babysit.train._random import stream_seed
from babysit.train._schedule import Plateau, rate_at
from babysit.train._scores import score_classes, score_numbers
from babysit.train._side_by_side import FORKS
from babysit.train._threads import computing_with
from babysit.train._trial_member import Member, pack_members, unpack_members
from babysit.train._trial_starts import Fold, Starts

__all__ = [
    "Cohort",
    "Examples",
    "FORKS",
    "Fold",
    "Interruption",
    "Layout",
    "Member",
    "MultiClassHinge",
    "Outcome",
    "PhaseNumbers",
    "Plateau",
    "Starts",
    "TrainedModel",
    "Training",
    "answers",
    "assemble",
    "batches_per_epoch",
    "build_loss",
    "build_optimizer",
    "check_first_loss",
    "choose_device",
    "computing_with",
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
    "predict",
    "rate_at",
    "score_classes",
    "score_numbers",
    "stream_seed",
    "unpack_members",
]
