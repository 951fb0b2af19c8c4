"""A function of the user's as what makes networks, in the place of `build`."""

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
            initialisation. Where it has a parameter `inputs` it is told how a preprocessed row looks: the number of
            columns of a table, (channels, height, width) of an image; as `outputs` how many numbers must come out; as
            `levels` how many codes each category has, whose columns come last. All its other parameters are arguments
            that may be searched.

    Attributes:
        name: Of the function, with its module; a recipe holds it as `model.factory`.
        arguments: Names that may be searched, in the order of the parameters.

    Raises:
        InputError: It is no function, or has parameters that cannot be given by name.

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
                f"a {type(function).__name__} makes no networks",
                legal="a function or class that gives a torch.nn.Module",
                cause="a network was given, and a search needs a fresh one for each trial",
                write="model=lambda inputs, outputs: nn.Sequential(...)",
            )
        self.function = function
        qualified = getattr(function, "__qualname__", type(function).__qualname__)
        self.name = f"{getattr(function, '__module__', '') or '__main__'}:{qualified}"
        try:
            parameters = [*inspect.signature(function).parameters.values()]
        except (TypeError, ValueError):
            raise InputError(f"{self.name} does not say its parameters", legal="a Python function") from None
        unnamed = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY and one.default is one.empty]
        if unnamed:
            raise InputError(f"{self.name} takes '{unnamed[0]}' by place only", legal="parameters that have a name")
        named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        self._takes = {one.name for one in named}
        self._needs = {one.name for one in named if one.default is one.empty}
        self.arguments = tuple(one.name for one in named if one.name not in OF_THE_DATA)

    def __call__(self, section: ModelSection, inputs: Features | Pixels, outputs: int) -> nn.Module:
        """A network for such rows, tried on two of them.

        Raises:
            InputError: The recipe holds another function, an argument is unknown or missing, or what came back is no
                network for these rows. What the function itself raises is passed on.
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
                f"{self.name} needs '{missing[0]}', and nobody says what it is",
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
            InputError: It has not.
        """
        for name in arguments:
            if name not in self.arguments:
                raise InputError(
                    f"{self.name} has no argument '{name}' that can be chosen",
                    legal=", ".join(self.arguments) or "none: it has no parameters but those that the data fills in",
                )

    def _of_the_data(self, inputs: Features | Pixels, outputs: int) -> dict[str, Any]:
        levels = inputs.levels if isinstance(inputs, Features) else ()
        if levels and "levels" not in self._takes:
            raise InputError(
                f"the data has {len(levels)} category columns, and {self.name} does not ask for their `levels`",
                cause="codes of categories are no quantities, and a network has to embed them",
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
        except Exception as error:  # whatever a network does not like about its rows
            raise InputError(
                f"the network of {self.name} does not take {ROWS} rows {[*rows.shape]}: {error}".splitlines()[0],
                cause="its first layer is made for other rows",
                write="a parameter `inputs`, which is told how a row looks",
            ) from error
        finally:
            network.train(training)
        shape = [*answers.shape] if isinstance(answers, Tensor) else type(answers).__name__
        if shape != [ROWS, outputs]:
            raise InputError(
                f"the network of {self.name} gives {shape} for {ROWS} rows",
                legal=f"{[ROWS, outputs]}",
                cause="its last layer has another width than the data has answers",
                write="a parameter `outputs`, which is told how many numbers must come out",
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
    """What makes networks: a user's function, or `build` where there is none.

    Example:
        >>> maker_of(None) is build, isinstance(maker_of(nn.Linear), NetworkFactory)
        (True, True)
    """
    if model is None:
        return build
    return model if isinstance(model, NetworkFactory) else NetworkFactory(model)
