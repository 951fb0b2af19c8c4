import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)


def read_sensor_log(rows=1500):
    """Stand-in for the csv: temperature, humidity, pressure, wind, then the measured yield."""
    sensors = np.random.randn(rows, 4)
    t, h, p, w = sensors.T
    output = np.sin(1.5 * t) + 0.8 * h * p + 0.5 * np.abs(w) + 0.1 * np.random.randn(rows)
    return np.column_stack([sensors, output]).astype(np.float32)


log = read_sensor_log()
# every reading with its yield
features = log[:, :4]
target = log[:, 4:]
target = (target - target.mean()) / target.std()

cut = 1200
train = DataLoader(TensorDataset(torch.from_numpy(features[:cut]), torch.from_numpy(target[:cut])),
                   batch_size=32, shuffle=True)
x_val, y_val = torch.from_numpy(features[cut:]), torch.from_numpy(target[cut:])


class YieldNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.body(x))


net = YieldNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
mse = nn.MSELoss()
for epoch in range(30):
    net.train()
    for x, y in train:
        loss = mse(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        net.eval()
        with torch.no_grad():
            print(f"epoch {epoch + 1} train batch {loss.item():.3f} val {mse(net(x_val), y_val).item():.3f}")

net.eval()
with torch.no_grad():
    r2 = 1 - mse(net(x_val), y_val) / y_val.var(unbiased=False)
print(f"metric: {r2.item():.3f}")
