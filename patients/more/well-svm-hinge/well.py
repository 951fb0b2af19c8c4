import os
import torch
import torch.nn as nn
from sklearn.datasets import make_classification

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = make_classification(n_samples=1500, n_features=12, n_informative=6, class_sep=1.5, flip_y=0.02, random_state=seed)
X = torch.tensor(X, dtype=torch.float32)
X = (X - X[:1200].mean(0)) / X[:1200].std(0)
Y = torch.tensor(y * 2 - 1, dtype=torch.float32)  # -1 / +1

# random Fourier features, then a linear max-margin classifier: a kernel SVM on the cheap
omega = torch.randn(12, 200) * 0.25
phase = torch.rand(200) * 6.2832
Z = torch.cos(X @ omega + phase) * (2 ** 0.5)

model = nn.Linear(200, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
c = 0.002
for epoch in range(40):
    perm = torch.randperm(1200)
    sum_loss = 0.0
    for i in range(0, 1200, 10):
        rows = perm[i:i + 10]
        output = model(Z[rows]).squeeze(1)
        loss = torch.clamp(1 - Y[rows] * output, min=0).mean()
        loss = loss + c * (model.weight ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sum_loss += loss.item()
    if epoch % 10 == 9:
        print("Epoch: {:4d}\tloss: {:.4f}".format(epoch + 1, sum_loss / 120))

with torch.no_grad():
    acc = (torch.sign(model(Z[1200:]).squeeze(1)) == Y[1200:]).float().mean().item()
print("metric: {:.3f}".format(acc))
