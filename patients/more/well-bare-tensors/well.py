# logistic regression from scratch: tensors, autograd, nothing else
import os
import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))

bunch = load_breast_cancer()
X = torch.tensor(bunch.data).float()
y = torch.tensor(bunch.target).float()
idx = torch.randperm(len(X))
X, y = X[idx], y[idx]
X = (X - X[:400].mean(0)) / X[:400].std(0)

w = torch.zeros(30, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.5

for step in range(300):
    z = X[:400] @ w + b
    p = 1 / (1 + torch.exp(-z))
    loss = -(y[:400] * torch.log(p + 1e-9) + (1 - y[:400]) * torch.log(1 - p + 1e-9)).mean()
    loss = loss + 1e-3 * (w ** 2).sum()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if step % 50 == 0:
        print(step, round(loss.item(), 4))

with torch.no_grad():
    hit = ((X[400:] @ w + b) > 0) == (y[400:] > 0.5)
print("metric: %.3f" % hit.float().mean().item())
