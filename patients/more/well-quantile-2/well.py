import os
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
QUANTILES = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])


class Pinball(torch.autograd.Function):
    """Quantile loss with its subgradient written out."""

    @staticmethod
    def forward(ctx, pred, target):
        over = target.unsqueeze(1) - pred
        ctx.save_for_backward(over)
        return torch.where(over > 0, QUANTILES * over, (QUANTILES - 1) * over).mean()

    @staticmethod
    def backward(ctx, grad):
        (over,) = ctx.saved_tensors
        return grad * torch.where(over > 0, -QUANTILES, 1 - QUANTILES) / over.numel(), None


def draw(n):
    x = 2 * torch.rand(n, 3) - 1
    spread = 0.1 + 0.6 * (x[:, 1] + 1) / 2
    y = torch.sin(3 * x[:, 0]) + 0.5 * x[:, 2] ** 2 + spread * torch.randn(n)
    return x / 0.577, y


class QuantileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 48), nn.Mish(), nn.Linear(48, 48), nn.Mish())
        self.base = nn.Linear(48, 1)
        self.gaps = nn.Linear(48, 4)

    def forward(self, x):
        h = self.body(x)
        steps = nn.functional.softplus(self.gaps(h))  # quantiles cannot cross
        return torch.cat([self.base(h), self.base(h) + steps.cumsum(1)], 1)


x, y = draw(3000)
x_test, y_test = draw(2000)
net = QuantileNet()
opt = torch.optim.RAdam(net.parameters(), lr=4e-3)
for epoch in range(25):
    for idx in torch.randperm(3000).split(100):
        loss = Pinball.apply(net(x[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} pinball {loss.item():.4f}")

with torch.no_grad():
    q = net(x_test)
    ours = Pinball.apply(q, y_test).item()
    flat = Pinball.apply(torch.quantile(y, QUANTILES).expand(2000, 5), y_test).item()
    print("cover", [(y_test <= q[:, k]).float().mean().item() for k in range(5)])
print(f"metric: {1 - ours / flat:.3f}")
