import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
x = torch.tensor(digits.data / 16 - 0.3, dtype=torch.float32)
y = torch.tensor(digits.target)
perm = torch.randperm(len(x))
train, test = perm[:1300], perm[1300:]
by_class = [train[y[train] == c] for c in range(10)]


class EmbeddingNet(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(64, 64), nn.PReLU(), nn.Linear(64, dim))

    def forward(self, x):
        return F.normalize(self.fc(x), dim=1)


def triplets(n=64):
    a, p, q = [], [], []
    for _ in range(n):
        c, d = torch.randperm(10)[:2].tolist()
        i, j = torch.randint(len(by_class[c]), (2,)).tolist()
        k = torch.randint(len(by_class[d]), (1,)).item()
        a.append(by_class[c][i]), p.append(by_class[c][j]), q.append(by_class[d][k])
    return x[torch.stack(a)], x[torch.stack(p)], x[torch.stack(q)]


model = EmbeddingNet()
criterion = nn.TripletMarginLoss(margin=0.5)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(300):
    anchor, positive, negative = triplets()
    loss = criterion(model(anchor), model(positive), model(negative))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:4d} triplet loss {loss.item():.4f}")

# nearest training row in the embedding says the class
model.eval()
with torch.no_grad():
    nearest = torch.cdist(model(x[test]), model(x[train])).argmin(1)
print(f"metric: {(y[train][nearest] == y[test]).float().mean().item():.3f}")
