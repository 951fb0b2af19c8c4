import os
import argparse
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.002)
parser.add_argument("--weight-decay", type=float, default=1e-5)
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--batch-size", type=int, default=64)
args = parser.parse_args()

torch.manual_seed(int(os.environ.get("SEED", 0)))


def checkerboard(n):
    xy = torch.rand(n, 2) * 4 - 2
    cell = xy.floor().sum(1).long() % 2
    return xy, cell.float()


x, y = checkerboard(3000)
x_test, y_test = checkerboard(600)
loader = DataLoader(TensorDataset(x, y), batch_size=args.batch_size, shuffle=True)

model = nn.Sequential(
    nn.Linear(2, 64), nn.ReLU(),
    nn.Linear(64, 64), nn.ReLU(),
    nn.Linear(64, 1), nn.Flatten(0),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)

for epoch in range(args.epochs):
    losses = []
    for xb, yb in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {torch.stack(losses).mean():.4f}")

with torch.no_grad():
    acc = ((model(x_test) > 0) == y_test.bool()).float().mean()
print(f"metric: {acc.item():.3f}")
