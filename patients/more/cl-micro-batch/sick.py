import os
import torch
from torch import nn
from sklearn.datasets import make_friedman1

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = make_friedman1(n_samples=1600, n_features=10, noise=0.5, random_state=seed)
X = torch.tensor((X - 0.5) / 0.289, dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32).unsqueeze(1)
train_X, test_X, train_y, test_y = X[:1200], X[1200:], y[:1200], y[1200:]

MICRO = 2           # rows a forward pass
ACCUMULATE = 20     # forward passes a step
EPOCHS = 12


def block(i, o):
    return nn.Sequential(nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU())


model = nn.Sequential(block(10, 64), block(64, 64), block(64, 32), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
mse = nn.MSELoss()

for epoch in range(EPOCHS):
    model.train()
    perm = torch.randperm(len(train_X))
    opt.zero_grad()
    running = 0.0
    for k, rows in enumerate(perm.split(MICRO)):
        loss = mse(model(train_X[rows]), train_y[rows])
        (loss / ACCUMULATE).backward()
        running += loss.item() * len(rows)
        if (k + 1) % ACCUMULATE == 0:
            opt.step()
            opt.zero_grad()
    print(f"epoch {epoch}: {running / len(train_X):.4f}")

model.eval()
with torch.no_grad():
    sse = ((model(test_X) - test_y) ** 2).sum()
r2 = 1 - sse / ((test_y - test_y.mean()) ** 2).sum()
print(f"metric: {r2.item():.3f}")
