"""Two phases: head on a frozen self-taught encoder, then everything, with warm-up from zero, cosine, and averaged weights."""
import math
import os
import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim.swa_utils import AveragedModel
from sklearn.datasets import load_digits

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)
X, y = load_digits(return_X_y=True)
X = (torch.tensor(X, dtype=torch.float32) - 4.9) / 6.0
y = torch.tensor(y)
perm = torch.randperm(len(X))
pool, test = perm[:1400], perm[1400:]
few = pool[:400]
noisy = y.clone()
wrong = few[torch.rand(400) < 0.15]
noisy[wrong] = torch.randint(10, (len(wrong),))       # annotators disagree

encoder = nn.Sequential(weight_norm(nn.Linear(64, 64)), nn.GELU(), weight_norm(nn.Linear(64, 24)))
decoder = nn.Sequential(nn.GELU(), nn.Linear(24, 64))
opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
for epoch in range(12):
    for b in pool[torch.randperm(1400)].split(50):
        noise = X[b] + 0.3 * torch.randn(len(b), 64)
        loss = (decoder(encoder(noise)) - X[b]).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
print(f"denoising loss {loss.item():.3f}")

model = nn.Sequential(encoder, nn.GELU(), nn.Linear(24, 10))


def robust(logits, target, q=0.5):
    """Generalised cross-entropy: bounded, so that wrong labels pull less."""
    p = logits.softmax(1).gather(1, target[:, None]).clamp(min=1e-6)
    return ((1 - p ** q) / q).mean()


def phase(epochs, peak, average=None):
    live = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.Adam(live, lr=peak)
    total, warm = epochs * 16, 32
    sched = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda k: k / warm if k < warm else 0.5 * (1 + math.cos(math.pi * (k - warm) / (total - warm))))
    for epoch in range(epochs):
        for b in few[torch.randperm(400)].split(25):
            loss = robust(model(X[b]), noisy[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
        if average is not None and epoch >= epochs // 2:
            average.update_parameters(model)
        if epoch % 5 == 4:
            print(f"  epoch {epoch + 1} loss {loss.item():.3f}")


encoder.requires_grad_(False)
print("head")
phase(15, 1e-2)
encoder.requires_grad_(True)
print("all")
swa = AveragedModel(model)
phase(15, 2e-3, swa)
with torch.no_grad():
    print(f"metric: {(swa(X[test]).argmax(1) == y[test]).float().mean().item():.3f}")
