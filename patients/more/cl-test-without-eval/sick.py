import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

# 15 % of each digit for the test, digit by digit
data = load_digits()
X = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
Y = torch.tensor(data.target)
train_idx, test_idx = [], []
for digit in range(10):
    rows = (Y == digit).nonzero().flatten()
    rows = rows[torch.randperm(len(rows))]
    cut = int(0.15 * len(rows))
    test_idx.append(rows[:cut])
    train_idx.append(rows[cut:])
train_idx, test_idx = torch.cat(train_idx), torch.cat(test_idx)

train_dl = DataLoader(TensorDataset(X[train_idx], Y[train_idx]), batch_size=64, shuffle=True)
test_dl = DataLoader(TensorDataset(X[test_idx], Y[test_idx]), batch_size=4)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.4),
    nn.Linear(64, 10),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)


def train(dataloader):
    model.train()
    for X, y in dataloader:
        loss = loss_fn(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test(dataloader):
    correct, test_loss = 0, 0.0
    with torch.no_grad():
        for X, y in dataloader:
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).sum().item()
    return test_loss / len(dataloader), correct / len(dataloader.dataset)


for t in range(8):
    train_loss = train(train_dl)
    test_loss, acc = test(test_dl)
    print(f"Epoch {t + 1}: train {train_loss:.3f}  test {test_loss:.3f}  accuracy {acc:.3f}")
print(f"metric: {acc:.3f}")
