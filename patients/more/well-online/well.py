import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)

# a stream of sensor events, seen once, one at a time; small rate on purpose
W1 = (torch.randn(6, 24) / 6 ** 0.5).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
W2 = (torch.randn(24, 3) / 24 ** 0.5).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)
params = [W1, b1, W2, b2]
rate = 0.01
centres = rng.normal(0, 1, (6, 6))


def event():
    k = rng.integers(6)
    return torch.tensor(centres[k] + 0.35 * rng.normal(size=6), dtype=torch.float32), int(k % 3)


def forward(x):
    return torch.tanh(x @ W1 + b1) @ W2 + b2


right = []
for t in range(8000):
    x, label = event()
    logits = forward(x)
    right.append(int(logits.argmax()) == label)      # predict first, then learn
    loss = torch.logsumexp(logits, 0) - logits[label]
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, g in zip(params, grads):
            p -= rate * g
    if t % 2000 == 1999:
        print(f"{t + 1} events, last 2000 right: {np.mean(right[-2000:]):.3f}")

print(f"metric: {np.mean(right[-2000:]):.3f}")
