"""The models of a search's winners, kept as Runs beneath the Study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from babysit.data import Prepared
from babysit.nn import MakeNetwork, NetworkFactory, build
from babysit.record import Decision, Engine, Recipe, Run, RunSummary, Study, StudyResult
from babysit.training import assemble, evaluate_phase, load

CPU = torch.device("cpu")


def keep_winners(
    study: Study,
    result: StudyResult,
    recipes: Mapping[int, Recipe],
    engine: Engine,
    prepared: Prepared,
    make: MakeNetwork = build,
) -> StudyResult:
    """Write a Run for each winner, scored on the rows never seen.

    Args:
        study: Where to.
        result: With the winners, the best first.
        recipes: Of one trial of each winner, by its number.
        engine: That holds the trials.
        prepared: The data.
        make: Makes networks.

    Returns:
        The result with the names of the Runs.
    """
    kept = []
    for place, winner in enumerate(result.winners, start=1):
        number = next((trial for trial in winner.trials if trial in recipes), None)
        if number is None:
            kept.append(winner)
            continue
        name = f"winners/{place}"
        _keep(study, name, number, recipes[number], engine, prepared, result.score_name, winner.mean, make)
        kept.append(replace(winner, run=name))
    return replace(result, winners=tuple(kept))


def _keep(
    study: Study,
    name: str,
    number: int,
    recipe: Recipe,
    engine: Engine,
    prepared: Prepared,
    score_name: str,
    score: float,
    make: MakeNetwork,
) -> None:
    path = study.path / name
    if path.exists():
        return  # an earlier process was killed after it had kept it
    model, layers = assemble(recipe, prepared, make)
    why = f"trial {number} of {study.path.name}: validation {score_name} {score:.4f}, mean over its seeds"
    summary = RunSummary(
        data=prepared.summary,
        decisions=(*prepared.decisions, Decision(setting="search", value=study.path.name, why=why)),
        preprocessing=tuple(model.preprocessing.describe()),
        layers=layers,
    )
    run = Run.create(
        path,
        recipe=recipe,
        summary=summary,
        model=model.settings(recipe.loss),
        split=dict(prepared.split),
        weights=engine.weights(number),
        fingerprint=prepared.fingerprint,
    )
    with run.writing():
        trained = load(run, make if isinstance(make, NetworkFactory) else None)
        for phase in ("validation", "test"):
            if len(prepared.split[phase]):
                run.write_evaluation(evaluate_phase(trained, prepared, phase, CPU, recipe.seed))
        run.set_status("finished")
