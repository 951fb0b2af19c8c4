import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Extractor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4), nn.ReLU())

    def forward(self, x):
        return self.net(x)


class Multi(nn.Module):
    """One extractor, a head for the value."""

    def __init__(self):
        super().__init__()
        self.extractor = Extractor()
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        features = self.extractor(x)
        self.last_features = features = features.detach()  # kept for plotting
        return self.head(features)


x = torch.randn(1600, 8)
y = (x[:, 0] * x[:, 1] + torch.relu(x[:, 2] + x[:, 3]) - 0.6).unsqueeze(1) + 0.05 * torch.randn(1600, 1)
x_train, y_train, x_test, y_test = x[:1300], y[:1300], x[1300:], y[1300:]

model = Multi()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(60):
    for idx in torch.randperm(1300).split(65):
        optimizer.zero_grad()
        loss = nn.functional.smooth_l1_loss(model(x_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"{epoch + 1}: {loss.item():.4f}  mean feature {model.last_features.mean().item():.2f}")

with torch.no_grad():
    r2 = 1 - (model(x_test) - y_test).pow(2).sum() / (y_test - y_test.mean()).pow(2).sum()
print(f"metric: {r2.item():.3f}")
