"""Optimizers: PyTorch's own, in their fastest form for the device."""

from __future__ import annotations

from torch import nn, optim

from babysit.record import OptimizerSection


def build_optimizer(section: OptimizerSection, network: nn.Module) -> optim.Optimizer:
    """The optimizer a recipe asks for, over all parameters that learn.

    Weight decay is none of its business: the penalties do it, the same for all optimizers.

    Args:
        section: The recipe's, its rate decided.
        network: Already on its device.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    lr = section.lr
    assert lr is not None, "decided before a training begins"
    fused = all(parameter.device.type in ("cpu", "cuda", "mps") for parameter in parameters)
    if section.name == "sgd":
        return optim.SGD(parameters, lr=lr, momentum=section.momentum, nesterov=section.nesterov, fused=fused)
    if section.name == "adam" or section.name == "adamw":
        return optim.Adam(parameters, lr=lr, betas=(section.beta1, section.beta2), fused=fused)
    if section.name == "rmsprop":
        return optim.RMSprop(parameters, lr=lr, alpha=section.decay, momentum=section.momentum, foreach=True)
    return optim.Adagrad(parameters, lr=lr, foreach=True)
