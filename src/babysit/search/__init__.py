"""Search: spaces and points, rungs, coarse to fine, engines that train trials, and what a search found."""

from babysit.search._box import Box
from babysit.search._coarse_to_fine import Round, Rung, Search, coarse_to_fine
from babysit.search._conclude import Truth, conclude
from babysit.search._default_space import default_space, space_for, with_architecture
from babysit.search._engine_local import LocalEngine
from babysit.search._engine_ray import RayEngine
from babysit.search._engine_script import ScriptEngine, placeholders
from babysit.search._optuna import SAMPLERS, Sampler, export_to_optuna, optuna_search
from babysit.search._parameter import (
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
from babysit.search._plan import GENERATIONS, Plan
from babysit.search._points import POINT_KINDS, PointKind, grid_points, random_points, sobol_points
from babysit.search._rungs import ladder
from babysit.search._script_remedies import check_remedies
from babysit.search._search import Interrupted, Members, Searching, recipe_builder, train_in_full
from babysit.search._sizing import Speed, measure_runs, measure_speed, on_all, predicted_seconds, sized
from babysit.search._space import Space, described, settings_of

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
    "check_remedies",
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
    "measure_runs",
    "measure_speed",
    "on_all",
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
