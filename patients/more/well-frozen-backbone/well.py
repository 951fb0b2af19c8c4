# Transfer learning in miniature: learn digits 0-4, freeze the features, new head for 5-9.
import os
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class SmallNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(),
        )
        self.fc = nn.Linear(32 * 16, num_classes)

    def forward(self, x):
        return self.fc(self.features(x))


def split(images, labels):
    order = torch.randperm(len(labels))
    cut = int(0.75 * len(order))
    return [TensorDataset(images[o], labels[o]) for o in (order[:cut], order[cut:])]


def fit(model, dataset, optimizer, epochs, freeze_bn=False):
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        if freeze_bn:
            model.features.eval()
        total = 0
        for x, y in DataLoader(dataset, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        print(f"  epoch {epoch}: {total / len(dataset):.4f}")


def accuracy(model, dataset):
    model.eval()
    x, y = dataset.tensors
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
images = (images - images.mean()) / images.std()
labels = torch.tensor(digits.target)
low = labels < 5

train_low, test_low = split(images[low], labels[low])
train_high, test_high = split(images[~low], labels[~low] - 5)

print("pretraining on 0-4")
net = SmallNet(5)
fit(net, train_low, optim.Adam(net.parameters(), lr=1e-3), epochs=5)
print("accuracy on 0-4:", round(accuracy(net, test_low), 3))

print("new head on 5-9, backbone frozen")
for p in net.features.parameters():
    p.requires_grad = False
net.fc = nn.Linear(32 * 16, 5)
fit(net, train_high, optim.Adam(net.fc.parameters(), lr=1e-3), epochs=15, freeze_bn=True)
print("metric: {:.3f}".format(accuracy(net, test_high)))
