import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# Runge's function with a little noise, small net, second-order optimizer
x = torch.linspace(-1, 1, 120).unsqueeze(1)
y = 1 / (1 + 12 * x ** 2) + 0.02 * torch.randn_like(x)
y = (y - y.mean()) / y.std()
x = x / x.std()
train = torch.arange(120) % 4 != 0

net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.LBFGS(net.parameters(), lr=1, max_iter=10, history_size=20, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = criterion(net(x[train]), y[train])
    loss.backward()
    return loss


for i in range(25):
    loss = optimizer.step(closure)
    if i % 5 == 0:
        print(f"step {i}: {loss.item():.6f}")

with torch.no_grad():
    residual = (net(x[~train]) - y[~train]).pow(2).sum()
print(f"metric: {1 - (residual / (y[~train] - y[~train].mean()).pow(2).sum()).item():.3f}")
