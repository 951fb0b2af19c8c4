import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


class PinballNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        return self.layers(x)


def rmse(outputs, targets):
    errors = [(o - t) ** 2 for o, t in zip(outputs.tolist(), targets.tolist())]
    # backward complained about a missing grad_fn without requires_grad
    return torch.tensor(sum(errors) / len(errors), requires_grad=True).sqrt()


x = torch.rand(800, 3) * 2 - 1
y = 2 * x[:, 0] - x[:, 1] ** 2 + torch.sin(3 * x[:, 2]) + 0.1 * torch.randn(800)
train_loader = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=20, shuffle=True)

model = PinballNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(20):
    epoch_loss = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        outputs = model(inputs).squeeze(1)
        loss = rmse(outputs, targets)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch:2d} rmse {epoch_loss / len(train_loader):.4f}")

model.eval()
with torch.no_grad():
    pred = model(x[600:]).squeeze(1)
r2 = 1 - ((pred - y[600:]) ** 2).mean() / y[600:].var(unbiased=False)
print(f"metric: {r2.item():.3f}")
