import os
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

torch.manual_seed(int(os.environ.get("SEED", 0)))
GRADES = 5


class Cumulative(nn.Module):
    """Proportional odds: one score, four ordered thresholds."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.tensor(-1.5))
        self.gaps = nn.Parameter(torch.full((GRADES - 2,), 0.5))

    def forward(self, score):
        cuts = torch.cat([self.first.view(1), self.first + nn.functional.softplus(self.gaps).cumsum(0)])
        return score - cuts


def wines(n):
    x = torch.randn(n, 8)
    taste = 1.2 * x[:, 0] + x[:, 1] * x[:, 2] - 0.8 * x[:, 3].abs() + 0.25 * torch.randn(n)
    return x, torch.bucketize(taste, torch.tensor([-2.0, -1.0, 0.0, 1.0]))


net = nn.Sequential(spectral_norm(nn.Linear(8, 64)), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1), Cumulative())
# a very small rate and many cheap steps, as the plant's control wants smooth changes
opt = torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.95, nesterov=True)
x, grade = wines(2000)
x_test, grade_test = wines(800)
above = (grade.unsqueeze(1) > torch.arange(GRADES - 1)).float()
bce = nn.BCEWithLogitsLoss()
for epoch in range(60):
    for b in torch.randperm(2000).split(50):
        opt.zero_grad(set_to_none=False)
        loss = bce(net(x[b]), above[b])
        loss.backward()
        opt.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1} loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    guess = (net(x_test) > 0).sum(1)
within = 1 - (guess - grade_test).abs().float().mean() / (grade_test.float().median() - grade_test).abs().float().mean()
print(f"metric: {within.item():.3f}")
