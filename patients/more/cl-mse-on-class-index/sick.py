import os
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

SEED = int(os.environ.get("SEED", 0))
np.random.seed(SEED)
torch.manual_seed(SEED)

digits = load_digits()
order = np.random.permutation(len(digits.target))
images = torch.from_numpy((digits.data[order] / 16).astype(np.float32))
target = torch.from_numpy(digits.target[order]).float().view(-1, 1)
train, test = TensorDataset(images[:1400], target[:1400]), TensorDataset(images[1400:], target[1400:])

model = nn.Sequential(
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.002)


def predict(x):
    return model(x).round().clamp(0, 9)


for epoch in range(25):
    running_loss = 0.0
    for inputs, labels in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    if epoch % 5 == 4:
        print('[%d] loss: %.3f' % (epoch + 1, running_loss / 44))

with torch.no_grad():
    x, y = test.tensors
    accuracy = (predict(x) == y).float().mean().item()
print('metric: %.3f' % accuracy)
