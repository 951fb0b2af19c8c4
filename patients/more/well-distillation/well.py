import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

d = load_digits()
X = torch.tensor(d.data, dtype=torch.float32) / 8 - 1
Y = torch.tensor(d.target)
r = torch.randperm(len(X))
train_dl = DataLoader(TensorDataset(X[r[:1400]], Y[r[:1400]]), batch_size=64, shuffle=True)
X_test, Y_test = X[r[1400:]], Y[r[1400:]]

teacher = nn.Sequential(
    nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3),
    nn.Linear(128, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3),
    nn.Linear(128, 10),
)
student = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))


def test(model):
    model.eval()
    with torch.no_grad():
        return (model(X_test).argmax(1) == Y_test).float().mean().item()


opt = torch.optim.Adam(teacher.parameters(), lr=2e-3)
for epoch in range(8):
    teacher.train()
    for x, y in train_dl:
        loss = F.cross_entropy(teacher(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
print("teacher", test(teacher))

# the teacher only answers from here on
teacher.eval()
T, alpha = 3.0, 0.7
opt = torch.optim.Adam(student.parameters(), lr=3e-3)
for epoch in range(15):
    student.train()
    for x, y in train_dl:
        with torch.no_grad():
            soft = F.softmax(teacher(x) / T, dim=1)
        logits = student(x)
        distill = F.kl_div(F.log_softmax(logits / T, dim=1), soft, reduction="batchmean") * T * T
        loss = alpha * distill + (1 - alpha) * F.cross_entropy(logits, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {loss.item():.4f} student {test(student):.3f}")

print(f"metric: {test(student):.3f}")
