import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

# the noise grows with x: predict mean and variance
n = 1500
x = torch.rand(n, 1) * 4 - 2
noise = 0.05 + 0.15 * (x + 2) / 4
y = torch.sin(2 * x) + 0.4 * x + noise * torch.randn(n, 1)


class MeanVariance(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU())
        self.mean = nn.Linear(48, 1)
        self.log_var = nn.Linear(48, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.mean(h), self.log_var(h).exp()


model = MeanVariance()
criterion = nn.GaussianNLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loader = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=40, shuffle=True)

for epoch in range(40):
    for xb, yb in loader:
        mean, var = model(xb)
        loss = criterion(mean, yb, var)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1}: nll {loss.item():.3f}")  # goes below zero, as it should

with torch.no_grad():
    mean, var = model(x[1200:])
    inside = ((y[1200:] - mean).abs() < 2 * var.sqrt()).float().mean()
    r2 = 1 - (mean - y[1200:]).pow(2).sum() / (y[1200:] - y[1200:].mean()).pow(2).sum()
print(f"within two sigma: {inside.item():.3f}")
print(f"metric: {r2.item():.3f}")
