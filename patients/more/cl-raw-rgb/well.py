import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)

CLASSES = ["sky", "grass", "brick", "sand"]
BASE = np.array([[110, 160, 220], [80, 150, 70], [165, 85, 70], [200, 175, 125]])


def photos(n, size=12):
    """uint8 patches [N, 3, H, W]: a base colour in changing light, with a grain of its own."""
    label = np.random.randint(0, 4, n)
    light = np.random.uniform(0.45, 1.15, (n, 1, 1, 1))
    img = BASE[label][:, :, None, None] * light + np.random.normal(0, 12, (n, 1, size, size))
    img[label == 2, :, ::4, :] *= 0.7
    img += np.random.normal(0, 25, (n, 3, 1, 1))
    return np.clip(img, 0, 255).astype(np.uint8), label


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(3, 6, 3)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 3)
        self.fc1 = nn.Linear(16 * 9, 32)
        self.fc2 = nn.Linear(32, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = F.relu(self.conv2(x))
        x = x.view(-1, 16 * 9)
        return self.fc2(F.relu(self.fc1(x)))


images, labels = photos(1500)
images = (torch.from_numpy(images).float() - 127.5) / 60
labels = torch.from_numpy(labels)
train_x, train_y, test_x, test_y = images[:1200], labels[:1200], images[1200:], labels[1200:]

net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

for epoch in range(12):
    perm = torch.randperm(1200)
    running_loss = 0.0
    for i in range(0, 1200, 30):
        batch = perm[i:i + 30]
        optimizer.zero_grad()
        loss = criterion(net(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print("[%d] loss: %.3f" % (epoch + 1, running_loss / 40))
print("Finished Training")

with torch.no_grad():
    correct = (net(test_x).argmax(1) == test_y).sum().item()
print("metric: %.3f" % (correct / 300))
