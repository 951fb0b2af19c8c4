import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class AutoEncoder(nn.Module):
    def __init__(self, code=12):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, code))
        self.decoder = nn.Sequential(nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


images = torch.tensor(load_digits().images, dtype=torch.float32).flatten(1) / 16
images = images[torch.randperm(len(images))]
loader = DataLoader(images[:1400], batch_size=32, shuffle=True, drop_last=True)
held_out = images[1400:]

autoencoder = AutoEncoder()
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)

for epoch in range(25):
    for batch in loader:
        output = autoencoder(batch)
        loss = criterion(output, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print("epoch [{}/25], loss:{:.4f}".format(epoch + 1, loss.item()))

with torch.no_grad():
    error = (autoencoder(held_out) - held_out).pow(2).sum()
total = (held_out - images[:1400].mean(0)).pow(2).sum()
print("metric: {:.3f}".format((1 - error / total).item()))
