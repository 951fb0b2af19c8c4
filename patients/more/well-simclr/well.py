import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
bunch = load_digits()
images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1)
images = (images - images.mean()) / images.std()
labels = bunch.target
perm = torch.randperm(len(images))
train, test = perm[:1400], perm[1400:]


def augment(x):
    n = len(x)
    theta = torch.zeros(n, 2, 3)
    angle = 0.3 * torch.randn(n)
    scale = 1 + 0.1 * torch.randn(n)
    theta[:, 0, 0], theta[:, 1, 1] = angle.cos() * scale, angle.cos() * scale
    theta[:, 0, 1], theta[:, 1, 0] = -angle.sin(), angle.sin()
    theta[:, :, 2] = 0.12 * torch.randn(n, 2)
    moved = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False, padding_mode="border")
    return moved * (1 + 0.2 * torch.randn(n, 1, 1, 1)) + 0.15 * torch.randn_like(x)


encoder = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    nn.Linear(128, 16),
)
projector = nn.Sequential(nn.ReLU(), nn.Linear(16, 16))
parameters = list(encoder.parameters()) + list(projector.parameters())
opt = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 12)


def nt_xent(a, b, tau=0.3):
    z = F.normalize(torch.cat([a, b]), dim=1)
    sim = z @ z.T / tau
    sim.fill_diagonal_(float("-inf"))
    n = len(a)
    return F.cross_entropy(sim, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


def probe():
    encoder.eval()
    with torch.no_grad():
        f = encoder(images)
    encoder.train()
    clf = LogisticRegression(max_iter=300).fit(f[train].numpy(), labels[train.numpy()])
    return clf.score(f[test].numpy(), labels[test.numpy()])


print(f"random features: {probe():.3f}")
for epoch in range(12):
    total, count = 0.0, 0
    for idx in train[torch.randperm(len(train))].split(140):
        loss = nt_xent(projector(encoder(augment(images[idx]))), projector(encoder(augment(images[idx]))))
        opt.zero_grad()
        loss.backward()
        opt.step()
        total, count = total + loss.item(), count + 1
    sched.step()
    print(f"epoch {epoch}: nt-xent {total / count:.3f}")
print(f"metric: {probe():.3f}")
