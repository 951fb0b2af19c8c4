"""Search: spaces and points, rungs, coarse to fine, engines that train trials, and what a search found.

The room and the main function have one name: `babysit.tune("digits")` is `babysit.procedure.tune("digits")`.
"""

from babysit.tune import _callable
from babysit.tune._box import Box
from babysit.tune._coarse_to_fine import Round, Rung, Search, coarse_to_fine
from babysit.tune._conclude import Truth, conclude
from babysit.tune._default_space import default_space, space_for, with_architecture
from babysit.tune._engine_local import LocalEngine
from babysit.tune._engine_ray import RayEngine
from babysit.tune._engine_script import ScriptEngine, placeholders
from babysit.tune._in_full import train_in_full
from babysit.tune._interventions import check_changes
from babysit.tune._optuna import SAMPLERS, Sampler, export_to_optuna, optuna_search
from babysit.tune._parameter import (
    Choice,
    Condition,
    Parameter,
    Range,
    Value,
    choice,
    integer,
    log_uniform,
    only_if,
    uniform,
)
from babysit.tune._plan import GENERATIONS, Plan
from babysit.tune._points import POINT_KINDS, PointKind, grid_points, random_points, sobol_points
from babysit.tune._rungs import ladder
from babysit.tune._search import Interrupted, Members, Searching, recipe_builder
from babysit.tune._sizing import Speed, measure_speed, predicted_seconds, sized
from babysit.tune._space import Space, described, settings_of

__all__ = [
    "Box",
    "Choice",
    "Condition",
    "GENERATIONS",
    "Interrupted",
    "LocalEngine",
    "Members",
    "POINT_KINDS",
    "Parameter",
    "Plan",
    "PointKind",
    "Range",
    "RayEngine",
    "Round",
    "Rung",
    "SAMPLERS",
    "Sampler",
    "ScriptEngine",
    "Search",
    "Searching",
    "Space",
    "Speed",
    "Truth",
    "Value",
    "check_changes",
    "choice",
    "coarse_to_fine",
    "conclude",
    "default_space",
    "described",
    "export_to_optuna",
    "grid_points",
    "integer",
    "ladder",
    "log_uniform",
    "measure_speed",
    "only_if",
    "optuna_search",
    "placeholders",
    "predicted_seconds",
    "random_points",
    "recipe_builder",
    "settings_of",
    "sized",
    "sobol_points",
    "space_for",
    "train_in_full",
    "uniform",
    "with_architecture",
]

_callable.make_callable(__name__)
