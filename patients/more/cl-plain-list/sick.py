import os
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


def spirals(n, turns=1.5, noise=0.02):
    label = torch.randint(0, 2, (n,))
    r = torch.rand(n).sqrt()
    phi = turns * 2 * math.pi * r + math.pi * label
    xy = torch.stack([r * phi.cos(), r * phi.sin()], 1)
    return xy * 2 + noise * torch.randn(n, 2), label


class DeepNet(nn.Module):
    def __init__(self, sizes=(2, 24, 24, 24)):
        super().__init__()
        self.hidden = []
        for n_in, n_out in zip(sizes[:-1], sizes[1:]):
            self.hidden.append(nn.Linear(n_in, n_out))
        self.last = nn.Linear(sizes[-1], 2)

    def forward(self, x):
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.last(x)


def main():
    x, y = spirals(1500)
    x_val, y_val = spirals(500)
    net = DeepNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
    for epoch in range(60):
        for rows in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1} loss {loss.item():.4f}")
    with torch.no_grad():
        acc = (net(x_val).argmax(1) == y_val).float().mean()
    print(f"metric: {acc.item():.3f}")


if __name__ == "__main__":
    main()
