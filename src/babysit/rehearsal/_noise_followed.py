"""Follows random numbers through a pass of a network: dropout, masks, noise, and samples of learned distributions."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from babysit.rehearsal._where import where_in_script

Source = Literal["dropout", "mask", "noise", "sample"]
DROPOUTS = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout".split()
)
DRAWN = frozenset("rand randn rand_like randn_like normal normal_ uniform_ _standard_normal".split())
BERNOULLI = frozenset("bernoulli bernoulli_".split())
COMPARED = frozenset("gt lt ge le".split())
KEPT = frozenset("to float half bfloat16 double type expand expand_as view reshape unsqueeze squeeze clone neg floor"
                 " floor_ contiguous detach".split())  # fmt: skip
ADDED, MULTIPLIED = frozenset("add sub rsub iadd isub".split()), frozenset("mul div truediv imul".split())


class Scaled:
    """Noise that was multiplied by a tensor which is learned: the deviation of what is sampled."""

    def __init__(self, deviation: Tensor) -> None:
        self.deviation = deviation


class NoiseFollowed(TorchFunctionMode):
    """A mode in which a pass is made.

    Attributes:
        sources: What the pass draws, each with the line of the script; a sample is drawn on purpose.
        samples: Means and deviations of what is sampled from a learned distribution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sources: dict[Source, str] = {}
        self.samples: list[tuple[Tensor, Tensor]] = []
        self._marks: dict[int, Literal["noise", "mask"] | Scaled] = {}  # by the identity of a tensor
        self._alive: list[Tensor] = []  # so that no identity is given again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        with contextlib.suppress(Exception):
            self._look(getattr(func, "__name__", "").strip("_"), func, args, kwargs or {}, result)
        return result

    def _look(self, name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        if name in DROPOUTS:
            if _is_on(name, func, args, options):
                self._add("dropout")
        elif name == "scaled_dot_product_attention":
            if options.get("dropout_p", args[4] if len(args) > 4 else 0.0) > 0:
                self._add("dropout")
        elif not isinstance(result, Tensor):
            return
        elif name in DRAWN or f"{name}_" in DRAWN:
            self._mark(result, "noise")
        elif name in BERNOULLI:
            given = args[0] if args and isinstance(args[0], Tensor) else None
            learned = given is not None and given.requires_grad
            self._add("sample") if learned else self._mark(result, "mask")
        else:
            self._follow(name, [one for one in args if isinstance(one, Tensor)], result)

    def _follow(self, name: str, operands: list[Tensor], result: Tensor) -> None:
        marked = [one for one in operands if id(one) in self._marks]
        if not marked:
            return
        mark = self._marks[id(marked[0])]
        others = [one for one in operands if one is not marked[0]]
        learned = next((one for one in others if one.requires_grad), None)
        if name in COMPARED and mark == "noise":
            self._add("sample") if learned is not None else self._mark(result, "mask")
        elif name in KEPT or (name in MULTIPLIED and learned is None):
            self._mark(result, mark)
        elif name in MULTIPLIED and learned is not None:
            if mark == "noise":
                self._mark(result, Scaled(learned))
                self._add("sample")
            elif mark == "mask":
                self._add("mask")
        elif name in ADDED:
            if isinstance(mark, Scaled) and others:
                self.samples.append((others[0], mark.deviation))
            elif mark == "noise":
                self._add("noise")
            elif mark == "mask":  # 1 - mask
                self._mark(result, mark)
        elif name in ("masked_fill", "where") and mark == "mask":
            self._add("mask")

    def _add(self, source: Source) -> None:
        self.sources.setdefault(source, where_in_script())

    def _mark(self, tensor: Tensor, mark: Literal["noise", "mask"] | Scaled) -> None:
        self._marks[id(tensor)] = mark
        self._alive.append(tensor)


_SIGNATURES = {name: inspect.signature(getattr(functional, name)) for name in DROPOUTS if hasattr(functional, name)}


def _is_on(name: str, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether a call of dropout drops anything."""
    if func is not getattr(functional, name, None):
        return len(args) > 2 and bool(args[2]) and args[1] > 0  # torch.dropout(input, p, train)
    bound = _SIGNATURES[name].bind(*args, **options)
    bound.apply_defaults()
    return bool(bound.arguments["training"]) and bound.arguments["p"] > 0


def drawn_by(call: Any, *args: Any, **options: Any) -> tuple[Any, NoiseFollowed]:
    """The result of a call, and what it drew."""
    with torch.enable_grad(), NoiseFollowed() as noise:
        return call(*args, **options), noise
