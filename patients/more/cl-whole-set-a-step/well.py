import os

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)

N = 4000
X = torch.randn(N, 12)
w = torch.randn(12, 3, generator=torch.Generator().manual_seed(3))
Y = ((X @ w) ** 2).argmax(1)

train, val = random_split(TensorDataset(X, Y), [3200, 800])
batch_size = 32

train_loader = DataLoader(train, batch_size=batch_size, shuffle=True)
val_loader = DataLoader(val, batch_size=800)

model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def accuracy():
    model.eval()
    with torch.no_grad():
        for x, y in val_loader:
            return (model(x).argmax(1) == y).float().mean().item()


for epoch in range(20):
    model.train()
    for x, y in train_loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1}: {loss.item():.4f}, val acc {accuracy():.3f}")
print(f"metric: {accuracy():.3f}")
