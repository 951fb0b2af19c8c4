"""A user's function that makes networks, in place of `build`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from babysit.nn._build import Features, Pixels, build
from babysit.record import InputError, ModelSection

MakeNetwork = Callable[[ModelSection, Features | Pixels, int], nn.Module]

# Parameters that say what the data is: filled in where the function has them, never chosen.
OF_THE_DATA = ("inputs", "outputs", "levels")
ROWS = 2  # that a fresh network is shown


class NetworkFactory:
    """A function that makes networks, called with the arguments that a recipe holds under `model.arguments`.

    Args:
        function: Gives an `nn.Module` with its first weights, which are kept as they are unless the recipe names an
            initialisation. A parameter `inputs` receives the shape of a preprocessed row: the number of
            columns of a table, (channels, height, width) of an image; `outputs` the number of outputs for a row;
            `levels` the number of codes of each category, whose columns come last. All other parameters are arguments
            that may be searched.

    Attributes:
        name: Of the function, with its module; a recipe holds it as `model.factory`.
        arguments: Names that may be searched, in the order of the parameters.

    Raises:
        InputError: It is not a function, or has parameters that cannot be given by name.

    Example:
        >>> def perceptron(inputs, outputs, width=16):
        ...     return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
        >>> factory = NetworkFactory(perceptron)
        >>> factory.arguments
        ('width',)
        >>> section = ModelSection(factory=factory.name, arguments={"width": 8})
        >>> factory(section, Features(4), 3)[0]
        Linear(in_features=4, out_features=8, bias=True)
    """

    def __init__(self, function: Callable[..., nn.Module]) -> None:
        if isinstance(function, nn.Module) or not callable(function):
            raise InputError(
                f"a {type(function).__name__} does not make networks",
                legal="a function or class that gives a torch.nn.Module",
                cause="a network was given, and a search needs a new one for each trial",
                write="model=lambda inputs, outputs: nn.Sequential(...)",
            )
        self.function = function
        qualified = getattr(function, "__qualname__", type(function).__qualname__)
        self.name = f"{getattr(function, '__module__', '') or '__main__'}:{qualified}"
        try:
            parameters = [*inspect.signature(function).parameters.values()]
        except (TypeError, ValueError):
            raise InputError(f"{self.name} has parameters that cannot be read", legal="a Python function") from None
        unnamed = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY and one.default is one.empty]
        if unnamed:
            raise InputError(f"{self.name} takes '{unnamed[0]}' by position only", legal="parameters that have a name")
        named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        self._takes = {one.name for one in named}
        self._needs = {one.name for one in named if one.default is one.empty}
        self.arguments = tuple(one.name for one in named if one.name not in OF_THE_DATA)

    def __call__(self, section: ModelSection, inputs: Features | Pixels, outputs: int) -> nn.Module:
        """A network for such rows, after a try on two of them.

        Raises:
            InputError: The recipe holds another function, an argument is unknown or missing, or the result is not a
                network for these rows. Errors of the function itself are passed on.
        """
        if section.factory != self.name:
            raise InputError(
                f"the recipe's network is made by {section.factory or 'babysit'}, and {self.name} was given",
                write=f"model={(section.factory or '').rpartition(':')[2]}" if section.factory else "no model=",
            )
        given = {**self._of_the_data(inputs, outputs), **section.arguments}
        self.check_arguments(section.arguments)
        if missing := sorted(self._needs - given.keys()):
            raise InputError(
                f"{self.name} needs '{missing[0]}', and it was not given",
                legal="an argument with a default, one that is searched, or one under model.arguments",
                write=f"--set model.arguments.{missing[0]}=64",
            )
        network = self.function(**given)
        if not isinstance(network, nn.Module):
            raise InputError(f"{self.name} gave a {type(network).__name__}", legal="a torch.nn.Module")
        self._try(network, inputs, outputs)
        return network

    def check_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Whether the function has parameters of these names.

        Raises:
            InputError: It does not have one.
        """
        for name in arguments:
            if name not in self.arguments:
                raise InputError(
                    f"{self.name} has no argument '{name}' that can be chosen",
                    legal=", ".join(self.arguments) or "no argument: the data gives all its parameters",
                )

    def _of_the_data(self, inputs: Features | Pixels, outputs: int) -> dict[str, Any]:
        levels = inputs.levels if isinstance(inputs, Features) else ()
        if levels and "levels" not in self._takes:
            raise InputError(
                f"the data has {len(levels)} category columns, and {self.name} does not ask for their `levels`",
                cause="codes of categories are not quantities, and a network has to embed them",
                write=f"def {self.name.rpartition(':')[2]}(inputs, outputs, levels, ...), and"
                " babysit.nn.CategoryEmbedding(inputs - len(levels), levels) as its first layer",
            )
        shape = row_shape(inputs)
        known = {"inputs": shape if len(shape) > 1 else shape[0], "outputs": outputs, "levels": levels}
        return {name: value for name, value in known.items() if name in self._takes}

    def _try(self, network: nn.Module, inputs: Features | Pixels, outputs: int) -> None:
        """Two rows of zeros through it, in evaluation mode; lazy layers learn their shapes by them."""
        rows = torch.zeros(ROWS, *row_shape(inputs))
        training = network.training
        network.eval()
        try:
            with torch.no_grad():
                answers = network(rows)
        except Exception as error:  # a network may raise any error
            raise InputError(
                f"the network of {self.name} does not take {ROWS} rows {[*rows.shape]}: {error}".splitlines()[0],
                cause="its first layer is made for other rows",
                write="a parameter `inputs`, which receives the shape of a row",
            ) from error
        finally:
            network.train(training)
        shape = [*answers.shape] if isinstance(answers, Tensor) else type(answers).__name__
        if shape != [ROWS, outputs]:
            raise InputError(
                f"the network of {self.name} gives {shape} for {ROWS} rows",
                legal=f"{[ROWS, outputs]}",
                cause="its last layer has another width than the data has answers",
                write="a parameter `outputs`, which receives the number of outputs",
            )
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise InputError(f"the network of {self.name} has nothing that can be trained", legal="parameters")


def row_shape(inputs: Features | Pixels) -> tuple[int, ...]:
    """Shape of one preprocessed row.

    Example:
        >>> row_shape(Features(3, (4, 2))), row_shape(Pixels(1, 8, 8))
        ((5,), (1, 8, 8))
    """
    if isinstance(inputs, Pixels):
        return inputs.channels, inputs.height, inputs.width
    return (inputs.numbers + len(inputs.levels),)


def maker_of(model: Callable[..., nn.Module] | None) -> MakeNetwork:
    """The maker of networks: a user's function, or `build` without one.

    Example:
        >>> maker_of(None) is build, isinstance(maker_of(nn.Linear), NetworkFactory)
        (True, True)
    """
    if model is None:
        return build
    return model if isinstance(model, NetworkFactory) else NetworkFactory(model)
