import os

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))
device = "cpu"

# two interleaving half rings
n = 1200
outer = torch.rand(n) < 0.5
t = torch.rand(n) * 3.1416
x0 = torch.where(outer, t.cos(), 1 - t.cos())
x1 = torch.where(outer, t.sin(), 0.5 - t.sin())
X = (torch.stack([x0 - 0.5, x1 - 0.25], dim=1) + 0.1 * torch.randn(n, 2)) / torch.tensor([0.87, 0.5])
y = outer.float()


class BinaryClassification(nn.Module):
    def __init__(self):
        super(BinaryClassification, self).__init__()
        self.layer_1 = nn.Linear(2, 64)
        self.layer_2 = nn.Linear(64, 64)
        self.layer_out = nn.Linear(64, 1)
        self.relu = nn.ReLU()
        self.sigmoid = nn.Sigmoid()

    def forward(self, inputs):
        x = self.relu(self.layer_1(inputs))
        x = self.relu(self.layer_2(x))
        return self.sigmoid(self.layer_out(x))


def binary_acc(y_pred, y_test):
    y_pred_tag = torch.round(torch.sigmoid(y_pred))
    return (y_pred_tag == y_test).float().mean().item()


train_loader = DataLoader(TensorDataset(X[:900], y[:900]), batch_size=64, shuffle=True)
model = BinaryClassification().to(device)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

model.train()
for e in range(1, 31):
    epoch_loss, epoch_acc = 0, 0
    for X_batch, y_batch in train_loader:
        optimizer.zero_grad()
        y_pred = model(X_batch)
        loss = criterion(y_pred, y_batch.unsqueeze(1))
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
        epoch_acc += binary_acc(y_pred, y_batch.unsqueeze(1))
    if e % 5 == 0:
        print(f"Epoch {e:03}: | Loss: {epoch_loss / len(train_loader):.5f} | Acc: {epoch_acc / len(train_loader):.3f}")

model.eval()
with torch.no_grad():
    print(f"metric: {binary_acc(model(X[900:]), y[900:].unsqueeze(1)):.3f}")
