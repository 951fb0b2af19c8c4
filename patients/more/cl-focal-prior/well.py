import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
PRIOR = 0.01


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, alpha=0.75):
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits, target):
        ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        p = torch.sigmoid(logits)
        pt = p * target + (1 - p) * (1 - target)
        weight = self.alpha * target + (1 - self.alpha) * (1 - target)
        return (weight * (1 - pt) ** self.gamma * ce).sum() / target.sum().clamp(min=1)


class Detector(nn.Module):
    """Says for each of the 8 x 8 cells of a 32 x 32 image whether a cross has its centre there."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, stride=2, padding=2)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.cls = nn.Conv2d(32, 1, 1)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.zeros_(m.bias)
        nn.init.normal_(self.cls.weight, std=0.01)
        nn.init.constant_(self.cls.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        return self.cls(x).squeeze(1)


def scenes(n):
    images = 0.3 * torch.randn(n, 32, 32)
    truth = torch.zeros(n, 8, 8)
    for k in range(n):
        for _ in range(3):
            y, x = torch.randint(3, 29, (2,)).tolist()
            images[k, y - 2:y + 3, x] = 1.5
            images[k, y, x - 2:x + 3] = 1.5
            truth[k, y // 4, x // 4] = 1.0
        for _ in range(3):
            y, x = torch.randint(3, 29, (2,)).tolist()
            images[k, y - 2:y + 3, x] = 1.5
    return ((images - 0.1) / 0.5).unsqueeze(1), truth


images, truth = scenes(500)
test_images, test_truth = scenes(200)
net = Detector()
criterion = FocalLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(10):
    total = 0
    for rows in torch.randperm(len(images)).split(25):
        loss = criterion(net(images[rows]), truth[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print("epoch", epoch, "focal loss", round(total / 20, 4))

with torch.no_grad():
    score = net(test_images).sigmoid()
# average precision over all cells
order = score.flatten().argsort(descending=True)
hit = test_truth.flatten()[order]
precision = hit.cumsum(0) / torch.arange(1, len(hit) + 1)
print(f"metric: {((precision * hit).sum() / hit.sum()).item():.3f}")
