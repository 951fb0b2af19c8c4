"""Subjects, rehearsals, and the checks that come before hours are spent."""

from babysit.rehearsal._batches import tensors_of
from babysit.rehearsal._check_data import check_data
from babysit.rehearsal._check_init import check_init
from babysit.rehearsal._check_initial_loss import check_initial_loss
from babysit.rehearsal._check_overfit_tiny import check_overfit_tiny
from babysit.rehearsal._check_rate_range import check_rate_range
from babysit.rehearsal._check_regularisation import check_regularisation
from babysit.rehearsal._check_short_training import check_short_training
from babysit.rehearsal._check_wiring import check_wiring
from babysit.rehearsal._combinations import Combination, asked_by
from babysit.rehearsal._compare_initialisations import COMPARED as COMPARED_SCHEMES
from babysit.rehearsal._compare_initialisations import compare_initialisations
from babysit.rehearsal._dependence import Dependence
from babysit.rehearsal._evaluated_twice import EvaluatedTwice
from babysit.rehearsal._examination import WATCHED_STEPS, Examination
from babysit.rehearsal._experiments import EXPERIMENTS, KINDS
from babysit.rehearsal._heal import HEAL_SECONDS, heal
from babysit.rehearsal._live_objects import LiveObjects, OptimizerLike
from babysit.rehearsal._loader_workers import workers_repeat
from babysit.rehearsal._noise_followed import NoiseFollowed
from babysit.rehearsal._outcome import RehearsalOutcome, gain, outcome_of
from babysit.rehearsal._paired import ERROR as PAIRED_ERROR
from babysit.rehearsal._paired import FIRST_LOOK as PAIRED_FIRST_LOOK
from babysit.rehearsal._paired import PairedLook, failures_tell, look_at
from babysit.rehearsal._pre_flight import pre_flight
from babysit.rehearsal._rate_ladder import find_rate_range
from babysit.rehearsal._rate_range import RateRange, rate_range
from babysit.rehearsal._rate_sweep import RateSweep, read_sweep, sweep_rates
from babysit.rehearsal._recipe_subject import RecipeSubject
from babysit.rehearsal._restore import random_streams_restored, restored
from babysit.rehearsal._rows_followed import RowsFollowed
from babysit.rehearsal._subject import (
    CHECK_SECONDS,
    ENDED_BY,
    TIME_LIMIT,
    TO_THE_END,
    Ask,
    LiveParts,
    Look,
    PatchedCopy,
    Probes,
    RehearseLosses,
    Subject,
    one_by_one,
    out_of_time,
)
from babysit.rehearsal._tried_remedies import tried_remedies
from babysit.rehearsal._verdict import verdict_of_trace
from babysit.rehearsal._where import where_in_script

__all__ = [
    "Ask",
    "CHECK_SECONDS",
    "COMPARED_SCHEMES",
    "Combination",
    "Dependence",
    "ENDED_BY",
    "EXPERIMENTS",
    "EvaluatedTwice",
    "Examination",
    "HEAL_SECONDS",
    "KINDS",
    "LiveObjects",
    "LiveParts",
    "Look",
    "NoiseFollowed",
    "OptimizerLike",
    "PAIRED_ERROR",
    "PAIRED_FIRST_LOOK",
    "PairedLook",
    "PatchedCopy",
    "Probes",
    "RateRange",
    "RateSweep",
    "RecipeSubject",
    "RehearsalOutcome",
    "RehearseLosses",
    "RowsFollowed",
    "Subject",
    "TIME_LIMIT",
    "TO_THE_END",
    "WATCHED_STEPS",
    "asked_by",
    "check_data",
    "check_init",
    "check_initial_loss",
    "check_overfit_tiny",
    "check_rate_range",
    "check_regularisation",
    "check_short_training",
    "check_wiring",
    "compare_initialisations",
    "failures_tell",
    "find_rate_range",
    "gain",
    "heal",
    "look_at",
    "one_by_one",
    "out_of_time",
    "outcome_of",
    "pre_flight",
    "random_streams_restored",
    "rate_range",
    "read_sweep",
    "restored",
    "sweep_rates",
    "tensors_of",
    "tried_remedies",
    "verdict_of_trace",
    "where_in_script",
    "workers_repeat",
]
