import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)


class Tags(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x.astype(np.float32), y.astype(np.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


x, y = make_multilabel_classification(n_samples=1600, n_features=20, n_classes=6, n_labels=2, random_state=seed)
x = (x - x[:1200].mean(0)) / x[:1200].std(0)
train, test = Tags(x[:1200], y[:1200]), Tags(x[1200:], y[1200:])

model = nn.Sequential(nn.Linear(20, 64), nn.LeakyReLU(), nn.Dropout(0.2), nn.Linear(64, 6))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=1e-4)

for epoch in range(20):
    model.train()
    for features, tags in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(features), tags)
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    guess = (model(torch.from_numpy(test.x)) > 0).numpy()
print("micro f1:", round(f1_score(test.y, guess, average="micro"), 3))
print("metric: %.3f" % (guess == test.y.astype(bool)).mean())
