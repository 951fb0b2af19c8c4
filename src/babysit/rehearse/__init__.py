"""Subjects, rehearsals, and the checks that come before hours are spent."""

from babysit.rehearse._bench import Bench
from babysit.rehearse._check_data import check_data
from babysit.rehearse._check_init import check_init
from babysit.rehearse._check_initial_loss import check_initial_loss
from babysit.rehearse._check_overfit_tiny import check_overfit_tiny
from babysit.rehearse._check_rate_range import check_rate_range
from babysit.rehearse._check_regularisation import check_regularisation
from babysit.rehearse._check_short_training import check_short_training
from babysit.rehearse._check_wiring import check_wiring
from babysit.rehearse._compare_initialisations import COMPARED as COMPARED_SCHEMES
from babysit.rehearse._compare_initialisations import compare_initialisations
from babysit.rehearse._examination import SECONDS, WATCHED_STEPS, Examination
from babysit.rehearse._live_objects import LiveObjects, OptimizerLike
from babysit.rehearse._members import Member, TrainMembers, one_by_one
from babysit.rehearse._pre_flight import pre_flight
from babysit.rehearse._rate_ladder import find_rate_range
from babysit.rehearse._rate_range import RateRange, rate_range
from babysit.rehearse._rate_sweep import RateSweep, read_sweep, sweep_rates
from babysit.rehearse._recipe_subject import RecipeSubject
from babysit.rehearse._restore import restored
from babysit.rehearse._subject import Probes, Subject

__all__ = [
    "Bench",
    "COMPARED_SCHEMES",
    "Examination",
    "LiveObjects",
    "Member",
    "OptimizerLike",
    "Probes",
    "RateRange",
    "RateSweep",
    "RecipeSubject",
    "SECONDS",
    "Subject",
    "TrainMembers",
    "WATCHED_STEPS",
    "check_data",
    "check_init",
    "check_initial_loss",
    "check_overfit_tiny",
    "check_rate_range",
    "check_regularisation",
    "check_short_training",
    "check_wiring",
    "compare_initialisations",
    "find_rate_range",
    "one_by_one",
    "pre_flight",
    "rate_range",
    "read_sweep",
    "restored",
    "sweep_rates",
]
