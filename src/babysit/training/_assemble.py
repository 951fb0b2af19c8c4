"""From a recipe and prepared data to a model and examples, ready for the loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from babysit.data import Prepared, Preprocessing, TargetStandardise
from babysit.nn import InitialisationReport, LayerInitialisation, MakeNetwork, build, initialise
from babysit.record import LayerSummary, Recipe, RecipeError
from babysit.training._batches import Examples, as_rows
from babysit.training._loss import build_loss
from babysit.training._model import TrainedModel, build_model
from babysit.training._random import seed_streams, stream_seed

SAMPLE_ROWS = 256  # rows that show the layers their inputs: enough for a standard deviation to within 5 %


def assemble(
    recipe: Recipe, prepared: Prepared, make: MakeNetwork = build
) -> tuple[TrainedModel, tuple[LayerSummary, ...]]:
    """The model before its first step: preprocessing fitted on the training rows, weights initialised.

    Args:
        recipe: Every decision filled in.
        prepared: The data.
        make: Makes the network.

    Raises:
        RecipeError: A choice does not fit the data.
    """
    preprocessing, scaling = fit_steps(recipe, prepared)
    return assemble_around(preprocessing, scaling, recipe, prepared, make)


def fit_steps(recipe: Recipe, prepared: Prepared) -> tuple[Preprocessing, TargetStandardise | None]:
    """What is fitted to the training rows before a network exists: the preprocessing, and the scale of the targets.

    Raises:
        RecipeError: A choice does not fit the data.
    """
    section = recipe.preprocessing
    preprocessing = Preprocessing(
        prepared.layout,
        numbers=section.numbers,
        images=section.images,
        components=section.components,
        low=section.low,
        high=section.high,
    )
    train = prepared.split["train"]
    preprocessing.fit(prepared.inputs.chunks(train))
    scaling = None
    if _scales_targets(recipe, prepared):
        scaling = TargetStandardise()
        scaling.fit([prepared.targets[as_rows(train)]])
    return preprocessing, scaling


def assemble_around(
    preprocessing: Preprocessing,
    scaling: TargetStandardise | None,
    recipe: Recipe,
    prepared: Prepared,
    make: MakeNetwork = build,
) -> tuple[TrainedModel, tuple[LayerSummary, ...]]:
    """The model before its first step, around what `fit_steps` gave, with a summary of its layers."""
    model, report, sample = first_model(preprocessing, scaling, recipe, prepared, make)
    done = {layer.name.rpartition(".")[0]: _in_words(layer) for layer in report.layers}
    return model, summarise_layers(model.network, sample, done)


def first_model(
    preprocessing: Preprocessing,
    scaling: TargetStandardise | None,
    recipe: Recipe,
    prepared: Prepared,
    make: MakeNetwork = build,
) -> tuple[TrainedModel, InitialisationReport, Tensor]:
    """The model before its first step, what was done to its weights, and the sample that showed them their inputs."""
    model = _as_made(preprocessing, scaling, recipe, prepared, make)
    sample = sample_of(preprocessing, prepared)
    return model, _initialised(model, recipe, sample, measure=True), sample


def model_alone(
    preprocessing: Preprocessing,
    scaling: TargetStandardise | None,
    recipe: Recipe,
    prepared: Prepared,
    sample: Tensor,
    make: MakeNetwork = build,
) -> TrainedModel:
    """The same model with the same weights, without measuring its layers: a search makes hundreds.

    Args:
        preprocessing: Fitted.
        scaling: Of the targets.
        recipe: Every decision filled in.
        prepared: The data.
        sample: From `sample_of`.
        make: Makes the network.
    """
    model = _as_made(preprocessing, scaling, recipe, prepared, make)
    if recipe.initialisation.scheme != "pytorch" or recipe.initialisation.bias:
        _initialised(model, recipe, sample, measure=False)
    return model


def sample_of(preprocessing: Preprocessing, prepared: Prepared) -> Tensor:
    """Preprocessed inputs [N, ...] of some training rows, by which layers are initialised and described."""
    sample: Tensor = preprocessing(prepared.inputs[as_rows(prepared.split["train"][:SAMPLE_ROWS])])
    return sample


def _as_made(
    preprocessing: Preprocessing,
    scaling: TargetStandardise | None,
    recipe: Recipe,
    prepared: Prepared,
    make: MakeNetwork,
) -> TrainedModel:
    with torch.random.fork_rng(devices=[]):
        seed_streams(stream_seed(recipe.seed, "build"))
        return build_model(recipe, prepared.task, preprocessing, prepared.columns, scaling, make)


def _initialised(model: TrainedModel, recipe: Recipe, sample: Tensor, *, measure: bool) -> InitialisationReport:
    start = recipe.initialisation
    return initialise(
        model.network,
        start.scheme,
        sample=sample,
        std=start.std,
        bias=start.bias,
        seed=stream_seed(recipe.seed, "initialise"),
        measure=measure,
    )


def _in_words(layer: LayerInitialisation) -> str:
    achieved = "" if layer.output_std is None else f"; its outputs then have std {layer.output_std:.2g}"
    return f"{layer.scheme}, std {layer.std:.2g}, followed by {layer.followed_by}{achieved}"


def _scales_targets(recipe: Recipe, prepared: Prepared) -> bool:
    wanted = recipe.preprocessing.targets
    if prepared.task.kind == "classification" or wanted == "none":
        return False
    if recipe.loss.name != "poisson-nll":
        return True
    if wanted == "standardise":
        raise RecipeError(
            "standardised targets are not counts, and the Poisson loss counts", write="--set targets=none"
        )
    return False


def summarise_layers(network: nn.Module, sample: Tensor, initialised: dict[str, str]) -> tuple[LayerSummary, ...]:
    """Each layer that computes something: its output shape for one row, its parameters, how it was initialised.

    Args:
        network: Left as it was, mode and statistics included.
        sample: Preprocessed inputs [N, ...].
        initialised: What was done to a layer, by name.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    leaves = {name: module for name, module in network.named_modules() if not [*module.children()]}

    def keep(name: str) -> object:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape[1:])

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in leaves.items()]
    was_training = network.training
    try:
        network.eval()
        with torch.no_grad():
            network(sample[:2])
    finally:
        network.train(was_training)
        for handle in hooks:
            handle.remove()
    return tuple(
        LayerSummary(
            name=name,
            kind=type(module).__name__,
            output=shapes.get(name, ()),
            parameters=sum(parameter.numel() for parameter in module.parameters()),
            initialised=initialised.get(name, ""),
        )
        for name, module in leaves.items()
    )


def examples_of(model: TrainedModel, prepared: Prepared, recipe: Recipe, device: torch.device) -> Examples:
    """The rows as the loop takes them: targets on the loss's scale, in memory and on the device where they fit."""
    targets = prepared.targets
    link: Callable[[Tensor], Tensor] = torch.Tensor.clone
    undo = getattr(model.answer, "undo", None)
    if isinstance(undo, TargetStandardise):
        targets = undo(targets.to(device)).float()
    elif recipe.loss.name == "poisson-nll":
        link = torch.exp
        if bool((targets[as_rows(prepared.split["train"])] < 0).any()):
            raise RecipeError(
                f"'{prepared.task.target}' is negative in places, and the Poisson loss counts",
                legal="mse, huber",
                write="--set loss.name=mse",
            )
    return Examples(
        inputs=prepared.inputs,
        targets=targets.to(device),
        preprocessing=model.preprocessing,
        train=as_rows(prepared.split["train"]),
        validation=as_rows(prepared.split["validation"]),
        device=device,
        link=link,
    )


def loss_of(prepared: Prepared, recipe: Recipe, device: torch.device) -> nn.Module:
    """The loss on the device, with balanced weights counted on the training rows."""
    counts: list[int] = []
    if prepared.task.kind == "classification":
        train = prepared.targets[as_rows(np.asarray(prepared.split["train"]))]
        counts = torch.bincount(train, minlength=len(prepared.task.classes)).tolist()
    return build_loss(recipe.loss, prepared.task, counts).to(device)
