import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def banana(n):
    a = torch.randn(n)
    b = 0.4 * torch.randn(n) + 0.8 * a ** 2 - 0.8
    c = torch.sin(2 * a) + 0.2 * torch.randn(n)
    d = torch.sign(torch.randn(n)) + 0.25 * torch.randn(n)
    x = torch.stack([a, b, c, d], 1)
    return (x - x.mean(0)) / x.std(0)


class Coupling(nn.Module):
    def __init__(self, dim, flip, h=48):
        super().__init__()
        self.flip, self.half = flip, dim // 2
        self.net = nn.Sequential(nn.Linear(self.half, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 2 * self.half))
        # the flow starts as the identity
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        log_s, t = self.net(a).chunk(2, 1)
        log_s = torch.tanh(log_s) * 2
        b = b * log_s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), log_s.sum(1)


class Mix(nn.Module):
    """Fixed random rotation between the couplings."""

    def __init__(self, dim):
        super().__init__()
        self.register_buffer("q", torch.linalg.qr(torch.randn(dim, dim))[0])

    def forward(self, x):
        return x @ self.q, 0.0


class Flow(nn.Module):
    def __init__(self, dim=4, depth=6):
        super().__init__()
        parts = []
        for k in range(depth):
            parts += [Coupling(dim, k % 2 == 1), Mix(dim)]
        self.parts = nn.ModuleList(parts)

    def log_prob(self, x):
        total = 0.0
        for part in self.parts:
            x, ld = part(x)
            total = total + ld
        return total - 0.5 * (x ** 2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)


train, test = banana(4000), banana(1000)
flow = Flow()
opt = torch.optim.Adam(flow.parameters(), lr=2e-3)
for epoch in range(14):
    for idx in torch.randperm(len(train)).split(100):
        loss = -flow.log_prob(train[idx]).mean()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        opt.step()
    print(f"epoch {epoch} nll {loss.item():.3f}")

with torch.no_grad():
    gain = flow.log_prob(test).mean()
gauss = torch.distributions.MultivariateNormal(train.mean(0), torch.cov(train.T)).log_prob(test).mean()
print(f"metric: {(gain - gauss).item():.3f}")
