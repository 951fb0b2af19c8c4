import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
X = torch.tensor(digits.data, dtype=torch.float32)
X = (X - X.mean(0)) / (X.std(0) + 1e-6)
X = X[:, X.std(0) > 0.5]
Y = torch.tensor(digits.target)
perm = torch.randperm(len(X))
Xtr, Ytr, Xte, Yte = X[perm[:1400]], Y[perm[:1400]], X[perm[1400:]], Y[perm[1400:]]


def init_weights(m):
    if isinstance(m, nn.Linear):
        m.weight.data.normal_(0, 1)
        m.bias.data.zero_()


layers, width = [], 100
sizes = [X.shape[1]] + [width] * 5
for n_in, n_out in zip(sizes[:-1], sizes[1:]):
    layers += [nn.Linear(n_in, n_out), nn.Tanh()]
net = nn.Sequential(*layers, nn.Linear(width, 10))
net.apply(init_weights)

optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(12):
    for b in torch.randperm(1400).split(32):
        loss = F.cross_entropy(net(Xtr[b]), Ytr[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        acc = (net(Xte).argmax(1) == Yte).float().mean().item()
    print("epoch", epoch, "loss", round(loss.item(), 3), "test", round(acc, 3))
print("metric:", round(acc, 3))
