import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

# gesture data: 3 classes, 20 features, class 0 is the usual one
n = 1600
label = torch.multinomial(torch.tensor([0.6, 0.25, 0.15]), n, replacement=True)
center = torch.randn(3, 20, generator=torch.Generator().manual_seed(7)) * 0.7
feats = center[label] + torch.randn(n, 20)
onehot = torch.eye(3)[label]

train = DataLoader(TensorDataset(feats[:1200], onehot[:1200]), batch_size=40, shuffle=True)
test = DataLoader(TensorDataset(feats[1200:], label[1200:]), batch_size=1)


class GestureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin1 = nn.Linear(20, 40)
        self.lin2 = nn.Linear(40, 3)
        self.softmax = nn.Softmax(dim=0)

    def forward(self, x):
        x = torch.relu(self.lin1(x))
        return self.softmax(self.lin2(x))


net = GestureNet()
crit = nn.MSELoss()
optim = torch.optim.Adam(net.parameters(), lr=0.003)
for epoch in range(20):
    for x, y in train:
        optim.zero_grad()
        loss = crit(net(x), y)
        loss.backward()
        optim.step()
    if epoch % 4 == 3:
        print("epoch", epoch + 1, "loss", round(loss.item(), 4))

good = 0
with torch.no_grad():
    for x, y in test:
        good += (net(x).argmax(dim=1) == y).item()
print("metric:", round(good / len(test), 3))
