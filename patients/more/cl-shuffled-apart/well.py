import os
import random
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

SEED = int(os.environ.get("SEED", 0))
random.seed(SEED)
torch.manual_seed(SEED)


def get_data():
    digits = load_digits()
    images = list(torch.tensor(digits.data / 16.0, dtype=torch.float32))
    labels = [int(t) for t in digits.target]
    # mix before splitting
    pairs = list(zip(images, labels))
    random.shuffle(pairs)
    images, labels = zip(*pairs)
    images, labels = torch.stack(images), torch.tensor(labels)
    n_train = 1400
    return (images[:n_train], labels[:n_train]), (images[n_train:], labels[n_train:])


class MLP(nn.Module):
    def __init__(self):
        super(MLP, self).__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, 10),
        )

    def forward(self, x):
        return self.net(x)


(train_x, train_y), (test_x, test_y) = get_data()
model = MLP()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
batch_size = 50

for epoch in range(20):
    order = torch.randperm(len(train_x))
    epoch_loss = 0
    for b in range(0, len(order), batch_size):
        idx = order[b:b + batch_size]
        optimizer.zero_grad()
        loss = criterion(model(train_x[idx]), train_y[idx])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    with torch.no_grad():
        acc = (model(test_x).argmax(1) == test_y).float().mean().item()
    print("epoch %d loss %.3f val acc %.3f" % (epoch, epoch_loss * batch_size / len(order), acc))

print("metric: %.3f" % acc)
