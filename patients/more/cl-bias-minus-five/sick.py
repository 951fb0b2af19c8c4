import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)

# friedman's function, ten inputs of which five matter
X = np.random.rand(1400, 10)
y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
y = y + np.random.randn(1400)
X = torch.tensor((X - 0.5) / 0.29, dtype=torch.float32)
y = torch.tensor((y - y[:1000].mean()) / y[:1000].std(), dtype=torch.float32).unsqueeze(1)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, 1)
        # sparse codes: units should be off most of the time
        nn.init.constant_(self.fc1.bias, -5.0)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x):
        x = self.fc1(x).clamp(min=0)
        x = self.fc2(x).clamp(min=0)
        return self.fc3(x)


loader = DataLoader(TensorDataset(X[:1000], y[:1000]), batch_size=50, shuffle=True)
net = Regressor()
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
criterion = nn.MSELoss()
for epoch in range(40):
    for xb, yb in loader:
        loss = criterion(net(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 8 == 7:
        print(f"Epoch {epoch + 1}, loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    rss = ((net(X[1000:]) - y[1000:]) ** 2).sum()
    tss = ((y[1000:] - y[1000:].mean()) ** 2).sum()
print(f"metric: {(1 - rss / tss).item():.3f}")
