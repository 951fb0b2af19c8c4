import argparse
import copy
import os

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def get_args():
    ap = argparse.ArgumentParser()
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--weight-decay", type=float, default=1e-4)
    ap.add_argument("--ema", type=float, default=0.98)
    ap.add_argument("--epochs", type=int, default=20)
    ap.add_argument("--seed", type=int, default=int(os.environ.get("SEED", 0)))
    return ap.parse_args()


def data(seed):
    X, y = load_digits(return_X_y=True)
    a, b, ya, yb = train_test_split(X, y, test_size=400, random_state=seed)
    m, s = a.mean(), a.std()
    f = lambda z: torch.tensor((z - m) / s, dtype=torch.float32)
    return f(a), torch.tensor(ya), f(b), torch.tensor(yb)


class EMA:
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).eval()
        for p in self.model.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        for slow, fast in zip(self.model.parameters(), model.parameters()):
            slow.lerp_(fast, 1 - self.decay)


def main():
    args = get_args()
    torch.manual_seed(args.seed)
    xtr, ytr, xte, yte = data(args.seed)
    model = nn.Sequential(nn.Linear(64, 96), nn.SiLU(), nn.Linear(96, 48), nn.SiLU(), nn.Linear(48, 10))
    ema = EMA(model, args.ema)
    opt = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        for idx in torch.randperm(len(xtr)).split(64):
            opt.zero_grad()
            loss = criterion(model(xtr[idx]), ytr[idx])
            loss.backward()
            opt.step()
            ema.update(model)
        if epoch % 5 == 4:
            with torch.no_grad():
                acc = (ema.model(xte).argmax(1) == yte).float().mean().item()
            print(f"epoch {epoch + 1} loss {loss.item():.3f} ema acc {acc:.3f}")
    print(f"metric: {acc:.3f}")


if __name__ == "__main__":
    main()
