"""Logistic regression on tensors of one's own, stepped by hand."""

import torch

torch.manual_seed(0)
inputs = torch.randn(200, 3)
targets = (inputs @ torch.tensor([1.0, -2.0, 0.5]) > 0).float()
weight = torch.zeros(3, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
for _ in range(30):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weight + bias, targets)
    loss.backward()
    with torch.no_grad():
        for parameter in (weight, bias):
            parameter -= 0.5 * parameter.grad  # type: ignore[operator]
            parameter.grad = None
print(weight.tolist(), bias.item(), loss.item())
