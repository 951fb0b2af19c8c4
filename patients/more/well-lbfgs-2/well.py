import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class SplineLayer(nn.Module):
    """Kolmogorov-Arnold style: each edge has a learned sum of bumps instead of a weight."""

    def __init__(self, fan_in, fan_out, knots=8, reach=2.0):
        super().__init__()
        self.register_buffer("centres", torch.linspace(-reach, reach, knots))
        self.width = 2 * reach / (knots - 1)
        self.coef = nn.Parameter(0.3 * torch.randn(fan_in, knots, fan_out) / (fan_in ** 0.5))
        self.base = nn.Parameter(torch.randn(fan_in, fan_out) / fan_in ** 0.5)

    def forward(self, x):
        bumps = torch.exp(-((x.unsqueeze(-1) - self.centres) / self.width) ** 2)
        return torch.einsum("bik,iko->bo", bumps, self.coef) + nn.functional.silu(x) @ self.base


def f(x):
    return torch.exp(torch.sin(2 * x[:, :1]) + 0.5 * x[:, 1:2] ** 2) / 2 + x[:, 2:3] * x[:, :1]


x = 2 * torch.rand(900, 3) - 1
y = f(x) + 0.03 * torch.randn(900, 1)
x_test = 2 * torch.rand(500, 3) - 1
y_test = f(x_test)
m, s = y.mean(), y.std()
y, y_test = (y - m) / s, (y_test - m) / s

net = nn.Sequential(SplineLayer(3, 6), SplineLayer(6, 1))
opt = torch.optim.LBFGS(net.parameters(), lr=1.0, max_iter=10, history_size=20, line_search_fn="strong_wolfe")


def closure():
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y) + 1e-5 * sum(p.pow(2).sum() for p in net.parameters())
    loss.backward()
    return loss


for it in range(15):
    loss = opt.step(closure)
    print(f"{it}: {loss.item():.5f}")

with torch.no_grad():
    print(f"metric: {1 - nn.functional.mse_loss(net(x_test), y_test).item() / y_test.var().item():.4f}")
