import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# next value of a noisy sine from the last 12, a classic first LSTM
t = torch.arange(900) * 0.25
wave = torch.sin(t) * (1 + 0.3 * torch.sin(0.11 * t)) + 0.03 * torch.randn(900)
seq_len = 12
inputs = torch.stack([wave[i:i + seq_len] for i in range(900 - seq_len)]).unsqueeze(-1)
targets = torch.stack([wave[i + seq_len:i + seq_len + 1] for i in range(900 - seq_len)])
train_x, train_y, test_x, test_y = inputs[:700], targets[:700], inputs[700:], targets[700:]


class LSTM(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, (h, c) = self.lstm(x)
        return self.linear(h[-1]).squeeze()


def log_cosh(pred, true):
    diff = pred - true
    return torch.mean(diff + nn.functional.softplus(-2.0 * diff) - math.log(2.0))


model = LSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(25):
    model.train()
    for rows in torch.randperm(700).split(35):
        optimizer.zero_grad()
        loss = log_cosh(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"Epoch {epoch + 1}: loss {loss.item():.5f}")

model.eval()
with torch.no_grad():
    pred = model(test_x)
r2 = 1 - ((pred - test_y.squeeze()) ** 2).sum() / ((test_y - test_y.mean()) ** 2).sum()
print(f"metric: {r2.item():.3f}")
