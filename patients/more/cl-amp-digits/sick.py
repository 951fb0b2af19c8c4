import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from sklearn.datasets import load_digits

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)
np.random.seed(SEED)


class ScanDataset(Dataset):
    """8-bit grey scans with their digit."""

    def __init__(self, scans, labels):
        self.scans, self.labels = scans, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.scans[i], int(self.labels[i])


def collate(samples):
    scans = np.stack([s for s, _ in samples]).astype(np.float32)
    return torch.from_numpy(scans).unsqueeze(1), torch.tensor([l for _, l in samples])


bunch = load_digits()
scans = np.clip(bunch.images * 15.9 + 12 * np.random.randn(*bunch.images.shape), 0, 255).astype(np.uint8)
perm = np.random.permutation(len(scans))
train = ScanDataset(scans[perm[:1300]], bunch.target[perm[:1300]])
test = ScanDataset(scans[perm[1300:]], bunch.target[perm[1300:]])
train_loader = DataLoader(train, batch_size=64, shuffle=True, collate_fn=collate)
test_loader = DataLoader(test, batch_size=64, collate_fn=collate)


class LeNetish(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(64, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = nn.functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        return self.fc2(torch.tanh(self.fc1(x.flatten(1))))


net = LeNetish()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for epoch in range(8):
    net.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(images)
        loss = criterion(logits.float(), labels)
        loss.backward()
        optimizer.step()
    print(f"Epoch {epoch + 1}: last loss {loss.item():.3f}")

net.eval()
correct = 0
with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
    for images, labels in test_loader:
        correct += (net(images).argmax(1) == labels).sum().item()
print(f"metric: {correct / len(test):.3f}")
