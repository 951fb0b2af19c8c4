import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# sum of the marked numbers in a sequence (the adding problem, short)
T = 12


def make(n):
    values = torch.rand(n, T)
    marks = torch.zeros(n, T)
    first = torch.randint(0, T // 2, (n,))
    second = torch.randint(T // 2, T, (n,))
    marks[torch.arange(n), first] = 1
    marks[torch.arange(n), second] = 1
    target = (values * marks).sum(1, keepdim=True) - 1
    return torch.stack([values, marks], dim=2), target


class Adder(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden_size, batch_first=True)
        self.linear = nn.Linear(hidden_size, 1)

    def forward(self, seq):
        out, _ = self.lstm(seq)
        return self.linear(out[:, -1])


x_train, y_train = make(2000)
x_test, y_test = make(500)
model = Adder(32)
loss_function = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(40):
    total = 0
    for rows in torch.randperm(2000).split(50):
        loss = loss_function(model(x_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 3:
        print(f"epoch: {epoch + 1:3} loss: {total / 40:.6f}")

model.eval()
with torch.no_grad():
    residual = loss_function(model(x_test), y_test) / y_test.var(unbiased=False)
print(f"metric: {1 - residual.item():.3f}")
