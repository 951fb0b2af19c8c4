import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def fetch(n=1500):
    """churn = 1 for customers with many calls and a young contract"""
    calls = torch.randn(n)
    months = torch.randn(n)
    bill = torch.randn(n)
    churn = ((calls - months) * 1.5 + calls * bill + 0.3 * torch.randn(n) > 0.2)
    return torch.stack([calls, months, bill], 1), churn.float().unsqueeze(1)


class Churn(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.hidden = nn.Linear(n_features, 30)
        self.out = nn.Linear(30, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


X, y = fetch()
X_train, y_train, X_test, y_test = X[:1100], y[:1100], X[1100:], y[1100:]

net = Churn(3)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

for epoch in range(40):
    for i in range(0, len(X_train), 50):
        out = net(X_train[i:i + 50])
        loss = criterion(out, y_train[i:i + 50])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print('epoch', epoch, 'loss', loss.item())

with torch.no_grad():
    predicted = (net(X_test) > 0).float()
print('metric: %.3f' % (predicted == y_test).float().mean().item())
