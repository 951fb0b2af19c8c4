import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class ImageFolders(Dataset):
    """Walks the class folders one after the other, the way the files lie on disk."""

    def __init__(self, split):
        digits = load_digits()
        self.items = []
        for label in range(10):
            files = [img for img, t in zip(digits.images, digits.target) if t == label]
            n_val = len(files) // 5
            chosen = files[n_val:] if split == "train" else files[:n_val]
            for img in chosen:
                self.items.append((torch.tensor(img, dtype=torch.float32)[None] / 16 - 0.3, label))

    def __getitem__(self, index):
        return self.items[index]

    def __len__(self):
        return len(self.items)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 2 * 2, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


train_loader = DataLoader(ImageFolders("train"), batch_size=32, shuffle=True)
val_loader = DataLoader(ImageFolders("val"), batch_size=200)

net = ConvNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)


def validate():
    net.eval()
    right = 0
    with torch.no_grad():
        for images, labels in val_loader:
            right += (net(images).argmax(1) == labels).sum().item()
    return right / len(val_loader.dataset)


for epoch in range(12):
    net.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: last loss {loss.item():.4f}, val acc {validate():.3f}")

print(f"metric: {validate():.3f}")
