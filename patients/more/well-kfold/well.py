import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Subset, TensorDataset
from sklearn.datasets import load_wine
from sklearn.model_selection import KFold

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)


def build():
    return nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))


def reset_weights(m):
    if hasattr(m, "reset_parameters"):
        m.reset_parameters()


wine = load_wine()
data = torch.tensor(wine.data, dtype=torch.float32)
labels = torch.tensor(wine.target)
results = []
for fold, (train_ids, test_ids) in enumerate(KFold(3, shuffle=True, random_state=seed).split(wine.data)):
    print(f"FOLD {fold}")
    mean, std = data[train_ids].mean(0), data[train_ids].std(0)
    dataset = TensorDataset((data - mean) / std, labels)
    trainloader = DataLoader(Subset(dataset, train_ids), batch_size=10, shuffle=True)
    testloader = DataLoader(Subset(dataset, test_ids), batch_size=60)

    network = build()
    network.apply(reset_weights)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(12):
        network.train()
        for inputs, targets in trainloader:
            optimizer.zero_grad()
            loss = loss_function(network(inputs), targets)
            loss.backward()
            optimizer.step()

    network.eval()
    correct = 0
    with torch.no_grad():
        for inputs, targets in testloader:
            correct += (network(inputs).argmax(1) == targets).sum().item()
    results.append(correct / len(test_ids))
    print(f"accuracy of fold {fold}: {results[-1]:.3f}")

print(f"metric: {np.mean(results):.3f}")
