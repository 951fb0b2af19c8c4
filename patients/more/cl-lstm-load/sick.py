import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)
np.random.seed(SEED)

# hourly load of a small grid: day and week cycle plus weather-like noise
hours = np.arange(2600)
noise = np.zeros(len(hours))
for i in range(1, len(hours)):
    noise[i] = 0.8 * noise[i - 1] + 0.15 * np.random.randn()
series = np.sin(2 * np.pi * hours / 24) + 0.4 * np.sin(2 * np.pi * hours / 168) + noise

LOOK_BACK = 24
cut = 2100
series = (series - series[:cut].mean()) / series[:cut].std()


def windows(s):
    X, y = [], []
    for i in range(len(s) - LOOK_BACK):
        X.append(s[i:i + LOOK_BACK])
        y.append(s[i + LOOK_BACK])
    return torch.FloatTensor(np.array(X)).unsqueeze(-1), torch.FloatTensor(np.array(y))


X_train, y_train = windows(series[:cut])
X_test, y_test = windows(series[cut:])
train_loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)


class LoadForecaster(nn.Module):
    def __init__(self, hidden_size=24):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden_size, batch_first=True)
        self.linear = nn.Linear(hidden_size, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1])


model = LoadForecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_fn = nn.SmoothL1Loss()

for epoch in range(10):
    model.train()
    for X_batch, y_batch in train_loader:
        y_pred = model(X_batch)
        loss = loss_fn(y_pred, y_batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("Epoch %d: train loss %.4f" % (epoch, loss.item()))

model.eval()
with torch.no_grad():
    forecast = model(X_test).numpy().ravel()
truth = y_test.numpy()
print("metric: %.3f" % (1 - ((forecast - truth) ** 2).mean() / truth.var()))
