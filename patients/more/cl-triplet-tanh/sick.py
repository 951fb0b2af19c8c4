import os
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = load_digits(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32)
X = (X - X.mean()) / X.std()
y = torch.tensor(y)
perm = torch.randperm(len(X))
train, test = perm[:1200], perm[1200:]


class TanhLayer(torch.nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(fan_in, fan_out))
        self.b = torch.nn.Parameter(torch.zeros(fan_out))

    def forward(self, x):
        return torch.tanh(x @ self.w + self.b)


class Embedder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.l2, self.l3 = TanhLayer(64, 96), TanhLayer(96, 96), TanhLayer(96, 96)
        self.out = torch.nn.Parameter(torch.randn(96, 3) / 96 ** 0.5)

    def forward(self, x):
        return self.l3(self.l2(self.l1(x))) @ self.out


def triplets(n):
    anchor = train[torch.randint(len(train), (n,))]
    positive, negative = torch.empty_like(anchor), torch.empty_like(anchor)
    for k, a in enumerate(anchor):
        same = y[train] == y[a]
        positive[k] = train[same][torch.randint(int(same.sum()), (1,))]
        negative[k] = train[~same][torch.randint(int((~same).sum()), (1,))]
    return anchor, positive, negative


def knn_accuracy(net, k=5):
    with torch.no_grad():
        near = torch.cdist(net(X[test]), net(X[train])).topk(k, largest=False).indices
    return (y[train][near].mode(1).values == y[test]).float().mean().item()


net = Embedder()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(300):
    a, p, n = triplets(64)
    loss = F.triplet_margin_loss(net(X[a]), net(X[p]), net(X[n]), margin=1.0)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.3f}")
print(f"metric: {knn_accuracy(net):.3f}")
