import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def pinball(prediction, target):
    error = target - prediction  # [N, 3] against [N, 1], on purpose
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).mean()


# delivery minutes: distance and traffic, skewed delays
n = 1600
distance, traffic = torch.rand(n) * 10, torch.rand(n)
minutes = 8 + 2.5 * distance * (1 + traffic ** 2) + torch.distributions.Exponential(0.5).sample((n,)) * (0.5 + traffic)
x = torch.stack([(distance - 5) / 2.9, (traffic - 0.5) / 0.29], dim=1)
y = ((minutes - minutes.mean()) / minutes.std()).unsqueeze(1)

net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
for epoch in range(40):
    order = torch.randperm(1200)
    for rows in order.split(40):
        optimizer.zero_grad()
        loss = pinball(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1} pinball {loss.item():.4f}")

with torch.no_grad():
    low, median, high = net(x[1200:]).unbind(1)
truth = y[1200:, 0]
print("between the outer quantiles:", round(((truth > low) & (truth < high)).float().mean().item(), 3))
print(f"metric: {1 - ((median - truth) ** 2).mean().item() / truth.var().item():.3f}")
