import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# toy data: a noisy ring
RADIUS, SPREAD = 1.5, 0.15
latent_dim = 4
batch_size = 256


def sample_real(n):
    phi = torch.rand(n, 1) * 2 * math.pi
    return RADIUS * torch.cat([phi.cos(), phi.sin()], dim=1) + SPREAD * torch.randn(n, 2)


G = nn.Sequential(
    nn.Linear(latent_dim, 64), nn.ReLU(),
    nn.Linear(64, 64), nn.ReLU(),
    nn.Linear(64, 2),
)
D = nn.Sequential(
    nn.Linear(2, 64), nn.LeakyReLU(0.2),
    nn.Linear(64, 64), nn.LeakyReLU(0.2),
    nn.Linear(64, 1),
)

criterion = nn.BCEWithLogitsLoss()
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))
real_label = torch.ones(batch_size, 1)
fake_label = torch.zeros(batch_size, 1)

for step in range(2000):
    # (1) discriminator: real up, fake down
    real = sample_real(batch_size)
    fake = G(torch.randn(batch_size, latent_dim))
    loss_d = criterion(D(real), real_label) + criterion(D(fake.detach()), fake_label)
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()

    # (2) generator: fool the updated discriminator
    loss_g = criterion(D(fake), real_label)
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()

    if step % 250 == 0:
        print(f"[{step}] loss_D {loss_d.item():.3f}  loss_G {loss_g.item():.3f}")

with torch.no_grad():
    points = G(torch.randn(4000, latent_dim))
on_ring = (points.norm(dim=1) - RADIUS).abs() < 3 * SPREAD
sector = ((torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi) + 0.5) * 16).long().clamp(max=15)
share = torch.bincount(sector[on_ring], minlength=16) / on_ring.sum().clamp(min=1)
covered = (share > 0.25 / 16).sum().item()
print(f"sectors covered: {covered}/16")
# share of samples on the ring, times the share of the ring that is found
print(f"metric: {on_ring.float().mean().item() * covered / 16:.3f}")
