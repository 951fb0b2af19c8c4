import os
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import make_circles

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = make_circles(n_samples=1000, noise=0.05, factor=0.5, random_state=seed)
X = torch.from_numpy(X).type(torch.float) / 0.57
y = torch.from_numpy(y).type(torch.float)
X_train, X_test, y_train, y_test = X[:800], X[800:], y[:800], y[800:]


class CircleModelV1(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(in_features=2, out_features=20)
        self.layer_2 = nn.Linear(in_features=20, out_features=20)
        self.layer_3 = nn.Linear(in_features=20, out_features=1)

    def forward(self, x):
        return self.layer_3(self.layer_2(self.layer_1(x)))


model_1 = CircleModelV1()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = optim.SGD(model_1.parameters(), lr=0.1, momentum=0.9)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)

for epoch in range(30):
    model_1.train()
    for xb, yb in loader:
        y_logits = model_1(xb).squeeze(1)
        loss = loss_fn(y_logits, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model_1.eval()
    with torch.inference_mode():
        test_pred = torch.round(torch.sigmoid(model_1(X_test).squeeze(1)))
        test_acc = torch.eq(test_pred, y_test).sum().item() / len(y_test)
    if epoch % 5 == 0:
        print(f"Epoch: {epoch} | Loss: {loss:.5f} | Test acc: {test_acc:.2f}")
print(f"metric: {test_acc:.3f}")
