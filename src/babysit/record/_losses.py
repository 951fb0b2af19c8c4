"""The one vocabulary of losses, for recipes, facts, findings and remedies: PyTorch's names, and what each compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What targets are: numbers, class numbers, or shares between 0 and 1.
Compares = Literal["numbers", "classes", "shares"]


@dataclass(frozen=True)
class LossFacts:
    """What is known of one loss.

    Attributes:
        function: Its name in torch.nn.functional.
        module: Its class in torch.nn.
        compares: What its targets are.
        plain: Whether it takes outputs and targets alone, so that it can stand in the place of another one.
        elementwise: Whether outputs and targets have one shape.
        distance: Whether it is a squared or absolute difference of numbers.
        least_zero: Whether it is never below zero, as long as targets are what they should be.
        nats: Whether it is a logarithm of a probability, or a margin of scores: of about 1 at the start.
    """

    function: str
    module: str
    compares: Compares
    plain: bool = False
    elementwise: bool = False
    distance: bool = False
    least_zero: bool = False
    nats: bool = False


def _distance(function: str, module: str) -> LossFacts:
    return LossFacts(function, module, "numbers", plain=True, elementwise=True, distance=True, least_zero=True)


LOSS_FACTS: dict[str, LossFacts] = {
    "bce": LossFacts(
        "binary_cross_entropy", "BCELoss", "shares", plain=True, elementwise=True, least_zero=True, nats=True
    ),
    "bce-with-logits": LossFacts(
        "binary_cross_entropy_with_logits",
        "BCEWithLogitsLoss",
        "shares",
        plain=True,
        elementwise=True,
        least_zero=True,
        nats=True,
    ),
    "cross-entropy": LossFacts("cross_entropy", "CrossEntropyLoss", "classes", plain=True, least_zero=True, nats=True),
    "gaussian-nll": LossFacts("gaussian_nll_loss", "GaussianNLLLoss", "numbers", elementwise=True),
    "hinge": LossFacts("multi_margin_loss", "MultiMarginLoss", "classes", least_zero=True, nats=True),
    "huber": _distance("huber_loss", "HuberLoss"),
    "kl": LossFacts("kl_div", "KLDivLoss", "shares"),
    "l1": _distance("l1_loss", "L1Loss"),
    "mse": _distance("mse_loss", "MSELoss"),
    "nll": LossFacts("nll_loss", "NLLLoss", "classes", plain=True, nats=True),
    "poisson-nll": LossFacts("poisson_nll_loss", "PoissonNLLLoss", "numbers", elementwise=True),
    "smooth-l1": _distance("smooth_l1_loss", "SmoothL1Loss"),
}
# Functions of torch.nn.functional and the names of their losses: several functions are one kind of loss.
LOSS_FUNCTIONS: dict[str, str] = {facts.function: name for name, facts in LOSS_FACTS.items()} | {
    "hinge_embedding_loss": "hinge",
    "multilabel_soft_margin_loss": "bce-with-logits",
    "soft_margin_loss": "hinge",
}
# What recipes called losses before they had PyTorch's names; read, and never written.
FORMER_NAMES = {"squared": "mse", "bce": "bce-with-logits", "poisson": "poisson-nll"}


def loss_name(former: str) -> str:
    """A recipe's loss by the name it has today.

    Example:
        >>> loss_name("squared"), loss_name("huber")
        ('mse', 'huber')
    """
    return FORMER_NAMES.get(former, former)


def losses_that(**facts: object) -> frozenset[str]:
    """Names of losses with these facts.

    Example:
        >>> sorted(losses_that(distance=True))
        ['huber', 'l1', 'mse', 'smooth-l1']
    """
    return frozenset(
        name
        for name, known in LOSS_FACTS.items()
        if all(getattr(known, field) == value for field, value in facts.items())
    )
