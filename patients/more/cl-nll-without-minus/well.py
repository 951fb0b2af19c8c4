import os
import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))

iris = load_iris()
x = torch.tensor(iris.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(iris.target)
mix = torch.randperm(150)
train, test = mix[:105], mix[105:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 12)
        self.b = nn.Linear(12, 3)

    def forward(self, x):
        return torch.log_softmax(self.b(torch.tanh(self.a(x))), dim=1)


def log_likelihood_loss(log_probs, target):
    # mean log probability of the right class
    return -log_probs.gather(1, target.unsqueeze(1)).mean()


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(60):
    for rows in train[torch.randperm(len(train))].split(15):
        optimizer.zero_grad()
        loss = log_likelihood_loss(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"{epoch + 1:3d} {loss.item():.4f}")

with torch.no_grad():
    right = (net(x[test]).argmax(1) == y[test]).sum().item()
print(f"metric: {right / len(test):.3f}")
