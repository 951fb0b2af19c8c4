import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


def roads(n, size=12):
    """A small picture of a lane; the label is the lane's slant in degrees."""
    angle = (torch.rand(n) * 2 - 1) * 30
    rows = torch.arange(size).float() - size / 2
    lane = size / 2 + rows[None] * torch.tan(angle * math.pi / 180)[:, None] + torch.randn(n, 1) * 0.7
    cols = torch.arange(size).float()
    picture = torch.exp(-(cols[None, None] - lane[..., None]) ** 2 / 2)
    picture = picture + 0.1 * torch.randn(n, size, size)
    return (picture.unsqueeze(1) - 0.2) / 0.35, angle.unsqueeze(1)


class Pilot(nn.Module):
    def __init__(self):
        super(Pilot, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(16 * 9, 32)
        self.fc2 = nn.Linear(32, 1)

    def forward(self, x):
        x = F.elu(self.conv1(x))
        x = F.elu(self.conv2(x))
        x = F.elu(self.fc1(x.view(x.size(0), -1)))
        return self.fc2(x)


images, steering = roads(1200)
val_images, val_steering = roads(300)
loader = DataLoader(TensorDataset(images, steering), batch_size=32, shuffle=True)
pilot = Pilot()
optimizer = torch.optim.Adam(pilot.parameters(), lr=0.003)

for epoch in range(15):
    pilot.train()
    total = 0.0
    for image, angle in loader:
        loss = F.mse_loss(pilot(image), angle)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(image)
    print(f"epoch {epoch + 1:2d} mse {total / len(images):.3f}")

pilot.eval()
with torch.no_grad():
    mse = F.mse_loss(pilot(val_images), val_steering).item()
print(f"metric: {1 - mse / val_steering.var(unbiased=False).item():.3f}")
