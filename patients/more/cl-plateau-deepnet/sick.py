import os
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)


def spirals(n, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (n,), generator=g)
    r = torch.rand(n, generator=g)
    angle = r * 5.0 + y * 2.0944 + 0.12 * torch.randn(n, generator=g)
    x = torch.stack([r * angle.cos(), r * angle.sin()], 1)
    return x / 0.41, y


def layer(i, o):
    return nn.Sequential(nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU())


class DeepNet(nn.Module):
    def __init__(self, width=32, depth=9):
        super().__init__()
        self.layers = nn.Sequential(layer(2, width), *[layer(width, width) for _ in range(depth - 1)])
        self.out = nn.Linear(width, 3)

    def forward(self, x):
        return self.out(self.layers(x))


class Experiment:
    def __init__(self):
        self.train_loader = DataLoader(TensorDataset(*spirals(1200, SEED)), batch_size=60, shuffle=True)
        self.val_loader = DataLoader(TensorDataset(*spirals(300, SEED + 50)), batch_size=300)
        self.net = DeepNet()
        self.loss = nn.CrossEntropyLoss()
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.sched = ReduceLROnPlateau(self.opt, factor=0.5, patience=4)

    def validate(self, loader):
        self.net.eval()
        loss, hits, n = 0.0, 0, 0
        with torch.no_grad():
            for x, y in loader:
                out = self.net(x)
                loss += self.loss(out, y).item() * len(y)
                hits += (out.argmax(1) == y).sum().item()
                n += len(y)
        return loss / n, hits / n

    def fit(self, epochs):
        print("before training: loss %.3f acc %.3f" % self.validate(self.val_loader))
        for epoch in range(epochs):
            for x, y in self.train_loader:
                self.opt.zero_grad()
                self.loss(self.net(x), y).backward()
                self.opt.step()
            val_loss, val_acc = self.validate(self.val_loader)
            self.sched.step(val_loss)
            print("epoch %d: loss %.3f acc %.3f lr %g" % (epoch, val_loss, val_acc, self.opt.param_groups[0]["lr"]))


exp = Experiment()
exp.fit(12)
test = DataLoader(TensorDataset(*spirals(600, SEED + 99)), batch_size=300)
print("metric: %.3f" % exp.validate(test)[1])
