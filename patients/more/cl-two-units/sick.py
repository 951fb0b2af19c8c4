import os
import torch
from torch import nn
from torch.utils.data import TensorDataset, DataLoader
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

data, target = load_digits(return_X_y=True)
data = torch.tensor(data / 16, dtype=torch.float32)
data = data - data.mean(0)
target = torch.tensor(target)
p = torch.randperm(len(target), generator=torch.Generator().manual_seed(seed))
tr, te = p[:1350], p[1350:]

HIDDEN = 2
model = nn.Sequential()
model.add_module("dense1", nn.Linear(64, HIDDEN))
model.add_module("act1", nn.Tanh())
model.add_module("dense2", nn.Linear(HIDDEN, 10))

opt = torch.optim.Adam(model.parameters(), lr=0.01)
dl = DataLoader(TensorDataset(data[tr], target[tr]), batch_size=32, shuffle=True)

for epoch in range(25):
    model.train()
    hit = 0
    for x, y in dl:
        out = model(x)
        loss = nn.functional.cross_entropy(out, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        hit += (out.argmax(1) == y).sum().item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} train acc {hit / len(tr):.3f}")

model.eval()
with torch.no_grad():
    print(f"metric: {(model(data[te]).argmax(1) == target[te]).float().mean().item():.3f}")
