import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


def block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.Tanh())


class DeepMLP(nn.Module):
    def __init__(self, depth=14, width=32):
        super().__init__()
        self.blocks = nn.Sequential(block(64, width), *[block(width, width) for _ in range(depth - 1)])
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        return self.fc(self.blocks(x))


def evaluate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


x, y = load_digits(return_X_y=True)
dataset = TensorDataset((torch.tensor(x).float() - 4.9) / 6.0, torch.tensor(y))
train_set, test_set = random_split(dataset, [1400, 397])
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
test_loader = DataLoader(test_set, batch_size=397)

model = DeepMLP()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()
model.train()

print("untrained:", evaluate(model, test_loader))
for epoch in range(12):
    model.train()
    total = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1}: loss {total / len(train_loader):.3f}, test {evaluate(model, test_loader):.3f}")

print(f"metric: {evaluate(model, test_loader):.3f}")
