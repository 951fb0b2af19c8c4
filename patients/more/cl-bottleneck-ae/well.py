import os
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = load_digits(return_X_y=True)
X = (X - 8.0) / 6.0
Xtr, Xte, ytr, yte = train_test_split(X.astype(np.float32), y, test_size=0.25, random_state=seed, stratify=y)
Xtr, Xte, ytr, yte = map(torch.from_numpy, (Xtr, Xte, ytr, yte))


class JointModel(torch.nn.Module):
    """Encoder to a small code; a decoder draws the image again, a classifier reads the code."""

    def __init__(self, code=4):
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ELU(), torch.nn.Linear(64, code))
        self.decoder = torch.nn.Sequential(torch.nn.Linear(code, 64), torch.nn.ELU(), torch.nn.Linear(64, 64))
        self.classifier = torch.nn.Sequential(torch.nn.Linear(code, 32), torch.nn.ELU(), torch.nn.Linear(32, 10))

    def encode(self, x):
        return self.encoder(x)

    def forward(self, x):
        code = self.encode(x)
        return self.decoder(code), self.classifier(code)


def joint_loss(drawn, logits, x, y, alpha=0.5):
    rec = ((drawn - x) ** 2).mean()
    cls = torch.nn.functional.cross_entropy(logits, y)
    return alpha * rec + (1 - alpha) * cls, rec, cls


model = JointModel()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(1, 41):
    model.train()
    for idx in torch.randperm(len(Xtr)).split(64):
        opt.zero_grad()
        drawn, logits = model(Xtr[idx])
        loss, rec, cls = joint_loss(drawn, logits, Xtr[idx], ytr[idx])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(f"{epoch:3d} total {loss.item():.3f} rec {rec.item():.3f} cls {cls.item():.3f}")

model.eval()
with torch.no_grad():
    _, logits = model(Xte)
    print(f"metric: {(logits.argmax(1) == yte).float().mean().item():.3f}")
