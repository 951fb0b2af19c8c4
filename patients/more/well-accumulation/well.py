import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)

X, y = load_breast_cancer(return_X_y=True)
X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, random_state=SEED, stratify=y)
scaler = StandardScaler().fit(X_tr)
to_t = lambda a: torch.tensor(a, dtype=torch.float32)
train_ds = TensorDataset(to_t(scaler.transform(X_tr)), to_t(y_tr))

# the card only takes 8 rows at a time, but I want an effective batch of 32
micro_batch, accumulation_steps = 8, 4
loader = DataLoader(train_ds, batch_size=micro_batch, shuffle=True, drop_last=True)

model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.BCEWithLogitsLoss()

for epoch in range(40):
    model.train()
    optimizer.zero_grad()
    running = 0.0
    for i, (xb, yb) in enumerate(loader):
        loss = criterion(model(xb).squeeze(1), yb) / accumulation_steps
        loss.backward()
        running += loss.item() * accumulation_steps
        if (i + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: loss {running / len(loader):.4f}")

model.eval()
with torch.no_grad():
    pred = model(to_t(scaler.transform(X_te))).squeeze(1) > 0
acc = (pred == torch.tensor(y_te).bool()).float().mean().item()
print(f"metric: {acc:.3f}")
