import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

EPOCHS = 30
BATCH = 50


def make_sequences(n, length=16):
    """Class = which of four motifs is hidden in the noise."""
    motifs = torch.tensor([[1, 1, -1, -1, 1], [1, -1, 1, -1, 1], [-1, 1, 1, 1, -1], [1, 1, 1, -1, -1.0]]) * 1.6
    y = torch.randint(0, 4, (n,))
    x = 0.5 * torch.randn(n, length)
    start = torch.randint(0, length - 5, (n,))
    for i in range(n):
        x[i, start[i]:start[i] + 5] += motifs[y[i]]
    return x.unsqueeze(1), y


x, y = make_sequences(600)
x_test, y_test = make_sequences(500)
loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)

net = nn.Sequential(
    nn.Conv1d(1, 16, 5, padding=2), nn.ReLU(),
    nn.Conv1d(16, 16, 5, padding=2), nn.ReLU(),
    nn.AdaptiveMaxPool1d(1), nn.Flatten(),
    nn.Linear(16, 4),
)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(EPOCHS):
    running = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print("epoch %d: loss %.3f" % (epoch + 1, running / len(loader)))

with torch.no_grad():
    acc = (net(x_test).argmax(1) == y_test).float().mean().item()
print("metric: %.3f" % acc)
