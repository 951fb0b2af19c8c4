import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32)
X = (X - X.mean(0)) / (X.std(0) + 1.0)
y = torch.tensor(y)
perm = torch.randperm(len(X))
labelled, unlabelled, test = perm[:1000], perm[1000:1400], perm[1400:]


def accuracy(net, idx):
    net.eval()
    with torch.no_grad():
        return (net(X[idx]).argmax(1) == y[idx]).float().mean().item()


teacher = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10))
opt = torch.optim.Adam(teacher.parameters(), lr=2e-3)
teacher.train()
for epoch in range(15):
    for idx in labelled[torch.randperm(1000)].split(50):
        opt.zero_grad()
        F.cross_entropy(teacher(X[idx]), y[idx]).backward()
        opt.step()
print("teacher", accuracy(teacher, test))
teacher.eval().requires_grad_(False)

student = nn.Sequential(nn.Linear(64, 24), nn.Hardswish(), nn.Linear(24, 10))
opt = torch.optim.Adam(student.parameters(), lr=4e-3)
TEMPERATURE, ALPHA = 3.0, 0.8
for epoch in range(25):
    student.train()
    total = 0.0
    for idx in labelled[torch.randperm(1000)].split(50):
        extra = unlabelled[torch.randint(len(unlabelled), (20,))]
        both = torch.cat([idx, extra])
        with torch.no_grad():
            soft = F.softmax(teacher(X[both]) / TEMPERATURE, dim=1)
        out = student(X[both])
        kd = F.kl_div(F.log_softmax(out / TEMPERATURE, dim=1), soft, reduction="batchmean") * TEMPERATURE ** 2
        loss = ALPHA * kd + (1 - ALPHA) * F.cross_entropy(out[:len(idx)], y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    if epoch % 5 == 4:
        print(f"student epoch {epoch + 1}: loss {total / 20:.3f}")
print(f"metric: {accuracy(student, test):.3f}")
