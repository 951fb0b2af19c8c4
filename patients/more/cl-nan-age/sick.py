import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)


def passengers(n=1200):
    """A made-up passenger list: class, sex, age, siblings, fare; survived."""
    pclass = rng.choice([1, 2, 3], n, p=[0.25, 0.2, 0.55])
    sex = rng.integers(0, 2, n)
    age = np.clip(rng.normal(38 - 4 * pclass, 13, n), 1, 80)
    sibsp = rng.poisson(0.5, n)
    fare = np.exp(rng.normal(4.6 - 0.7 * pclass, 0.5, n))
    score = 3.2 * sex - 1.3 * (pclass - 2) - 0.05 * (age - 30) - 0.4 * sibsp - 1.4
    survived = (score + rng.logistic(0, 0.4, n) > 0).astype(int)
    age[rng.random(n) < 0.12] = np.nan  # nobody wrote it down
    return np.column_stack([pclass, sex, age, sibsp, np.log(fare)]), survived


class Titanic(Dataset):
    def __init__(self, features, survived):
        self.features = torch.tensor(features, dtype=torch.float32)
        self.survived = torch.tensor(survived, dtype=torch.float32)

    def __len__(self):
        return len(self.survived)

    def __getitem__(self, i):
        return self.features[i], self.survived[i]


table, survived = passengers()
train_rows = 900
table = (table - np.nanmean(table[:train_rows], axis=0)) / np.nanstd(table[:train_rows], axis=0)

train_ds = Titanic(table[:train_rows], survived[:train_rows])
test_ds = Titanic(table[train_rows:], survived[train_rows:])

net = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
loss_fn = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)

for epoch in range(15):
    net.train()
    total = 0.0
    for x, y in DataLoader(train_ds, batch_size=32, shuffle=True):
        opt.zero_grad()
        loss = loss_fn(net(x).squeeze(-1), y)
        loss.backward()
        opt.step()
        total += loss.item() * len(y)
    print("epoch", epoch, "loss", total / len(train_ds))

net.eval()
with torch.no_grad():
    alive = (net(test_ds.features).squeeze(-1) > 0).float()
print("metric: %.3f" % (alive == test_ds.survived).float().mean().item())
