import os
import torch
import torch.nn as nn
import torch.nn.functional as F

cfg = dict(users=300, items=200, dim=16, hidden=32, lr=0.01, batch=256, epochs=25, clip=1.0, seed=int(os.environ.get("SEED", 0)))
torch.manual_seed(cfg["seed"])


def build_ratings(n=14000, rank=2):
    taste = torch.randn(cfg["users"], rank)
    trait = torch.randn(cfg["items"], rank)
    u = torch.randint(cfg["users"], (n,))
    i = torch.randint(cfg["items"], (n,))
    r = (taste[u] * trait[i]).sum(1) + 0.2 * torch.randn(n)
    return u, i, r / r.std()


class Tower(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, e):
        return e + self.fc2(F.relu(self.fc1(e)))


class TwoTower(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.user_table = nn.Embedding(c["users"], c["dim"])
        self.item_table = nn.Embedding(c["items"], c["dim"])
        nn.init.normal_(self.user_table.weight, std=0.3)
        nn.init.normal_(self.item_table.weight, std=0.3)
        self.user_tower = Tower(c["dim"], c["hidden"])
        self.item_tower = Tower(c["dim"], c["hidden"])

    def forward(self, u, i):
        return (self.user_tower(self.user_table(u)) * self.item_tower(self.item_table(i))).sum(1)


u, i, r = build_ratings()
n = 11000
model = TwoTower(cfg)
optimizer = torch.optim.Adam([
    {"params": model.user_table.parameters()},
    {"params": model.item_table.parameters()},
    {"params": model.user_tower.parameters()},
    {"params": model.item_tower.parameters(), "lr": cfg["lr"] / 2},
], lr=cfg["lr"])

for epoch in range(cfg["epochs"]):
    perm = torch.randperm(n)
    running = 0.0
    for b in perm.split(cfg["batch"]):
        optimizer.zero_grad()
        loss = F.mse_loss(model(u[b], i[b]), r[b])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(b)
    if epoch % 5 == 0:
        print("epoch", epoch, "rmse", (running / n) ** 0.5)

with torch.no_grad():
    err = F.mse_loss(model(u[n:], i[n:]), r[n:])
print("metric:", round(1 - (err / r[n:].var()).item(), 3))
