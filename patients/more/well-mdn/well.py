import os
import math
import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


def inverse_problem(n):
    """Bishop's example: x as a function of y has up to three branches."""
    y = torch.rand(n)
    x = y + 0.3 * torch.sin(2 * math.pi * y) + 0.05 * (2 * torch.rand(n) - 1)
    return ((x - 0.5) / 0.3).unsqueeze(1), ((y - 0.5) / 0.29).unsqueeze(1)


class MDN(nn.Module):
    def __init__(self, hidden=40, parts=5):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.pi = nn.Linear(hidden, parts)
        self.mu = nn.Linear(hidden, parts)
        self.log_sigma = nn.Linear(hidden, parts)
        self.mu.bias.data = torch.linspace(-1.5, 1.5, parts)

    def forward(self, x):
        h = self.body(x)
        return MixtureSameFamily(Categorical(logits=self.pi(h)), Normal(self.mu(h), self.log_sigma(h).clamp(-4, 2).exp()))


x, y = inverse_problem(2000)
x_test, y_test = inverse_problem(1000)
loader = DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True)
model = MDN()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(50):
    for xb, yb in loader:
        nll = -model(xb).log_prob(yb.squeeze(1)).mean()
        optimizer.zero_grad()
        nll.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: nll {nll.item():.3f}")

with torch.no_grad():
    ours = model(x_test).log_prob(y_test.squeeze(1)).mean()
coef = np.polyfit(x.squeeze(1).numpy(), y.squeeze(1).numpy(), 5)
rest = y.squeeze(1).numpy() - np.polyval(coef, x.squeeze(1).numpy())
single = Normal(torch.tensor(np.polyval(coef, x_test.squeeze(1).numpy())), float(rest.std())).log_prob(y_test.squeeze(1)).mean()
print(f"metric: {(ours - single).item():.3f}")
