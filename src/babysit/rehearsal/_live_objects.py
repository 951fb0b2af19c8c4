"""Live objects as a Subject: a network, a loss, a loader and an optimizer as the user has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from babysit.probes import unwrapped
from babysit.record import InputError, RegularisationSection, RehearsalError, Remedy, Trace
from babysit.rehearsal._batches import Batches, seed_streams
from babysit.rehearsal._experiments import KINDS
from babysit.rehearsal._restore import restored
from babysit.rehearsal._subject import LiveParts, MakeOptimizer, Probes, Subject
from babysit.rehearsal._train_steps import quiet, train_steps
from babysit.remedies import AppliedRemedies, Batch, LossOf, RehearsalState, apply_to_live, inputs_and_targets

OptimizerLike = Optimizer | Callable[[Iterable[nn.Parameter]], Optimizer]


class LiveObjects(Subject):
    """A network, a loss, a loader and an optimizer as the user has them.

    A rehearsal trains the network itself and restores it afterwards, so that losses and loaders that refer to it
    work as usual.

    Args:
        network: The network.
        loss: Of (outputs, targets); None where the network gives its loss itself, as `outputs.loss` or
            `outputs["loss"]`.
        loader: Of training batches: (inputs, targets), several inputs before the targets, or a mapping that becomes
            the network's keyword arguments.
        optimizer: As it is, or a function that makes one from parameters.
        validation: Loader of the validation rows.
        scheduler: It is restored; rehearsals keep the learning rate constant.
        step: The loss of a batch, in place of `loss`: `step(network, batch)`.
        regularisation: Clipping, and what acts on the weights beside the loss and the optimizer.
        name: What to call it.

    Raises:
        InputError: One of them is something else.

    Example:
        >>> batches = [(torch.randn(8, 3), torch.randint(0, 2, (8,))) for _ in range(4)]
        >>> net = nn.Linear(3, 2)
        >>> subject = LiveObjects(net, nn.CrossEntropyLoss(), batches, lambda p: torch.optim.SGD(p, lr=0.1))
        >>> len(subject.rehearse(3).series("loss").values)
        3
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[..., Tensor] | None,
        loader: Iterable[Any],
        optimizer: OptimizerLike,
        *,
        validation: Iterable[Any] | None = None,
        scheduler: LRScheduler | None = None,
        step: Callable[[nn.Module, Batch], Tensor] | None = None,
        regularisation: RegularisationSection | None = None,
        name: str = "",
    ) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(f"a {type(network).__name__} cannot be trained", legal="a torch.nn.Module")
        if loss is not None and not callable(loss):
            raise InputError(f"a {type(loss).__name__} is not a loss", legal="a function of (outputs, targets)")
        if not isinstance(optimizer, Optimizer) and not callable(optimizer):
            raise InputError(
                f"a {type(optimizer).__name__} is not an optimizer",
                legal="a torch.optim.Optimizer, or a function that makes one from parameters",
                write="lambda parameters: torch.optim.Adam(parameters, lr=1e-3)",
            )
        device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
        if device.type == "meta":
            raise InputError("the network's weights are on the meta device and have no values", write="give it weights")
        self._network = network
        self._optimizer = optimizer
        self._batches = Batches(loader, device)
        self._validation = Batches(validation, device) if validation is not None else None
        self._schedulers = [scheduler] if scheduler is not None else []
        self._loss = loss
        self._loss_of: LossOf = step or self._plain_loss
        self._regularisation = regularisation
        self._name = name or type(unwrapped(network)).__name__

    @property
    def name(self) -> str:
        """The network's class, or what it was called."""
        return self._name

    def rehearse(
        self,
        steps: int,
        remedies: Sequence[Remedy] = (),
        *,
        seed: int = 0,
        probes: Probes = "all",
        seconds: float | None = None,
    ) -> Trace:
        """Train for some steps, and be afterwards as before; see `Subject`."""
        if steps < 1:
            raise InputError(f"a rehearsal of {steps} steps", legal="1 or more")
        with self.as_before():
            seed_streams(seed)
            acts = self._regularisation
            state = RehearsalState(
                self._network,
                self._made(),
                self._batches.stream(seed),
                self._loss_of,
                clip_norm=None if acts is None else acts.clip_norm,
                regularisation=acts,
                facts=self.facts(),
                applied=AppliedRemedies(seed),
                epoch_steps=len(self._batches) or None,
                shuffled=self._batches.shuffled,
            )
            with state.undo, quiet():
                apply_to_live(state, remedies, KINDS)
                seed_streams(seed)  # what a remedy drew changes nothing of what is drawn in training
                try:
                    trace = train_steps(state, steps, probes=probes, seconds=seconds)
                except RehearsalError as error:
                    state.applied.check(failed=str(error))
                    raise
                state.applied.check()
                return trace

    def live_parts(self) -> LiveParts:
        """The live parts."""
        validation = self._validation
        return LiveParts(
            network=self._network,
            loss_of=self._loss_of,
            make_optimizer=self._maker(),
            optimizers=[self._optimizer] if isinstance(self._optimizer, Optimizer) else [],
            batches=self._batches.stream,
            validation=None if validation is None else lambda: validation.epoch(0),
            epoch_steps=len(self._batches) or None,
            rows=self._batches.rows,
            loaders=self._loaders(),
        )

    def as_before(self) -> Any:
        """Within it anything may be done to the live parts; afterwards they are as they were."""
        networks = [self._network] + ([self._loss] if isinstance(self._loss, nn.Module) else [])
        optimizers = [self._optimizer] if isinstance(self._optimizer, Optimizer) else []
        return restored(networks, optimizers, self._schedulers, self._loaders())

    def facts(self) -> dict[str, str]:
        """Rows and batches, as far as they are known."""
        found = {"rows": self._batches.rows, "steps-per-epoch": len(self._batches) or None}
        return {name: str(value) for name, value in found.items() if value is not None}

    def _loaders(self) -> tuple[object, ...]:
        return tuple(one.loader for one in (self._batches, self._validation) if one is not None)

    def _made(self) -> list[Optimizer]:
        if isinstance(self._optimizer, Optimizer):
            return [self._optimizer]
        return [self._maker()(self._network.parameters())]

    def _maker(self) -> MakeOptimizer:
        given = self._optimizer
        if isinstance(given, Optimizer):
            return same_options(given, self._network)

        def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
            made = given(parameters)
            if not isinstance(made, Optimizer):
                raise InputError(
                    f"the optimizer's function gave a {type(made).__name__}", legal="a torch.optim.Optimizer"
                )
            return made

        return make

    def _plain_loss(self, network: nn.Module, batch: Batch) -> Tensor:
        if isinstance(batch, Mapping) and self._loss is None:
            return given_loss(network(**batch))
        parts = inputs_and_targets(batch)
        if parts is None:
            raise InputError(
                f"a batch is a {type(batch).__name__}, which does not say what the loss compares",
                legal="(inputs, targets), or a mapping with a network that gives its loss itself",
                write="step=lambda network, batch: ...",
            )
        outputs = network(*parts[0])
        loss = self._loss(outputs, parts[1]) if self._loss is not None else given_loss(outputs)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = "x".join(map(str, loss.shape)) if isinstance(loss, Tensor) else type(loss).__name__
            raise InputError(f"the loss is {what}, not one number", cause="reduction='none'", write="loss.mean()")
        return loss


def given_loss(outputs: Any) -> Tensor:
    """The loss within what a network gives.

    Raises:
        InputError: There is none.
    """
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
    if not isinstance(loss, Tensor):
        raise InputError(
            f"the network gives a {type(outputs).__name__} without a loss", write="a loss of (outputs, targets)"
        )
    return loss


def same_options(optimizer: Optimizer, network: nn.Module) -> MakeOptimizer:
    """A function that makes such an optimizer, without its state, for a copy of the network.

    Groups keep their options; a parameter is known by its place among the network's.
    """
    place = {id(parameter): number for number, parameter in enumerate(network.parameters())}
    groups = [
        (
            [place[id(one)] for one in group["params"] if id(one) in place],
            {name: value for name, value in group.items() if name != "params" and name in optimizer.defaults},
        )
        for group in optimizer.param_groups
    ]

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        found = list(parameters)
        built = [{"params": [found[number] for number in places], **options} for places, options in groups if places]
        kind: Any = type(optimizer)
        made: Optimizer = kind(built, **{"lr": optimizer.defaults["lr"]} if "lr" in optimizer.defaults else {})
        return made

    return make
