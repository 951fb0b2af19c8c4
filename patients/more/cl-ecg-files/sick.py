"""Pulse type classifier. Recordings are dumped to a folder, one .npy a recording, labels in labels.csv."""
import csv
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, random_split

SEED = int(os.environ.get("SEED", 0))
np.random.seed(SEED)
torch.manual_seed(SEED)


def record(kind, n=96):
    t = np.arange(n) / n
    start = np.random.uniform(0.15, 0.6)
    width = np.random.uniform(0.03, 0.05)
    bump = np.exp(-((t - start) / width) ** 2)
    second = np.exp(-((t - start - 0.2) / width) ** 2)
    wave = {0: bump, 1: bump + 0.8 * second, 2: bump - 0.8 * second, 3: -bump}[kind]
    return (wave + 0.25 * np.random.randn(n)).astype(np.float32)


def export(folder, count):
    with open(os.path.join(folder, "labels.csv"), "w", newline="") as f:
        out = csv.writer(f)
        for i in range(count):
            kind = np.random.randint(4)
            np.save(os.path.join(folder, f"rec_{i}.npy"), record(kind))
            out.writerow([f"rec_{i}.npy", kind])


class PulseFolder(Dataset):
    def __init__(self, folder):
        with open(os.path.join(folder, "labels.csv")) as f:
            rows = list(csv.reader(f))
        self.labels = [int(kind) for _, kind in rows]
        self.files = sorted(f for f in os.listdir(folder) if f.endswith(".npy"))
        self.signals = [np.load(os.path.join(folder, name)) for name in self.files]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return self.signals[i][None], self.labels[i]


class PulseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv1d(1, 16, 7, padding=3)
        self.c2 = nn.Conv1d(16, 32, 7, padding=3)
        self.fc = nn.Linear(32, 4)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.c1(x)), 4)
        x = F.max_pool1d(F.relu(self.c2(x)), 4)
        return self.fc(x.amax(2))


with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as fresh:
    export(folder, 1200)
    data = PulseFolder(folder)
    np.random.seed(SEED + 1000)
    x_new, y_new = [], []
    for _ in range(400):
        kind = np.random.randint(4)
        x_new.append(record(kind))
        y_new.append(kind)

train, val = random_split(data, [1000, 200])
train_loader = DataLoader(train, batch_size=50, shuffle=True)
val_loader = DataLoader(val, batch_size=200)
net = PulseNet()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(12):
    net.train()
    for x, y in train_loader:
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        x, y = next(iter(val_loader))
        out = net(x)
        print(epoch, f"train {loss.item():.3f} val {F.cross_entropy(out, y).item():.3f} acc {(out.argmax(1) == y).float().mean().item():.3f}")

x_new = torch.from_numpy(np.stack(x_new))[:, None]
with torch.no_grad():
    acc = (net(x_new).argmax(1) == torch.tensor(y_new)).float().mean().item()
print(f"metric: {acc:.3f}")
