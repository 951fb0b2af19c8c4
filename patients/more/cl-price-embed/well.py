import argparse
import os

import numpy as np
import torch
from torch import nn

p = argparse.ArgumentParser(description="House prices from district, type, area, age")
p.add_argument("--epochs", type=int, default=30)
p.add_argument("--lr", type=float, default=2e-3)
p.add_argument("--batch", type=int, default=64)
p.add_argument("--emb", type=int, default=6)
p.add_argument("--seed", type=int, default=int(os.environ.get("SEED", 0)))
args = p.parse_args()

torch.manual_seed(args.seed)
rng = np.random.default_rng(args.seed)

N, DISTRICTS, TYPES = 3000, 20, 5
level = rng.normal(0, 1, DISTRICTS)
quality = rng.normal(0, 1, TYPES)
district = rng.integers(0, DISTRICTS, N)
kind = rng.integers(0, TYPES, N)
area = rng.normal(0, 1, N)
age = rng.normal(0, 1, N)
price = 290_000 + 45_000 * level[district] + 25_000 * quality[kind] + 60_000 * area * (1 + 0.3 * level[district]) - 15_000 * age
price = price + rng.normal(0, 10_000, N)

cat = torch.tensor(np.stack([district, kind], 1))
num = torch.tensor(np.stack([area, age], 1), dtype=torch.float32)
y = torch.tensor(price, dtype=torch.float32).unsqueeze(1)
n_train = 2400
mean, std = y[:n_train].mean(), y[:n_train].std()
target = (y - mean) / std


class PriceModel(nn.Module):
    def __init__(self, emb):
        super().__init__()
        self.district = nn.Embedding(DISTRICTS, emb)
        self.kind = nn.Embedding(TYPES, emb)
        self.mlp = nn.Sequential(nn.Linear(2 * emb + 2, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, cat, num):
        return self.mlp(torch.cat([self.district(cat[:, 0]), self.kind(cat[:, 1]), num], dim=1))


model = PriceModel(args.emb)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

for epoch in range(args.epochs):
    order = torch.randperm(n_train)
    losses = []
    for i in range(0, n_train, args.batch):
        idx = order[i:i + args.batch]
        loss = criterion(model(cat[idx], num[idx]), target[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:3d}  mse {np.mean(losses):.4g}")

model.eval()
with torch.no_grad():
    pred = model(cat[n_train:], num[n_train:])
    t = target[n_train:]
    r2 = 1 - ((pred - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric: {r2.item():.3f}")
