import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Flatten(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), -1)


class CNN(nn.Module):
    def __init__(self, bn_momentum=0.1):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(16, momentum=bn_momentum)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(32, momentum=bn_momentum)
        self.flat = Flatten()
        self.fc = nn.Linear(32 * 4, 64)
        self.bn3 = nn.BatchNorm1d(64, momentum=bn_momentum)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = F.relu(self.bn3(self.fc(self.flat(x))))
        return self.out(x)


images, labels = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8)
images = (images - images.mean()) / images.std()
labels = torch.tensor(labels)
r = torch.randperm(len(labels))
train = DataLoader(TensorDataset(images[r[:1400]], labels[r[:1400]]), batch_size=64, shuffle=True)

net = CNN()
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
for epoch in range(6):
    net.train()
    correct = 0
    for x, y in train:
        optimizer.zero_grad()
        out = net(x)
        loss = F.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        correct += (out.argmax(1) == y).sum().item()
    net.eval()
    with torch.no_grad():
        val = (net(images[r[1400:]]).argmax(1) == labels[r[1400:]]).float().mean().item()
    print("epoch {} train acc {:.3f} val acc {:.3f}".format(epoch, correct / 1400, val))
print("metric: {:.3f}".format(val))
