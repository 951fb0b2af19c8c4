import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


def shapes(n, size=12):
    """Filled square, hollow square or cross at a random place, under noise."""
    images, labels = torch.zeros(n, 1, size, size), torch.randint(0, 3, (n,))
    for img, label in zip(images, labels):
        r, c = torch.randint(0, size - 6, (2,)).tolist()
        if label == 2:
            img[0, r + 2:r + 4, c:c + 6] = 1
            img[0, r:r + 6, c + 2:c + 4] = 1
        else:
            img[0, r:r + 6, c:c + 6] = 1
            if label == 1:
                img[0, r + 2:r + 4, c + 2:c + 4] = 0
    return (images + 0.3 * torch.randn_like(images) - 0.2) / 0.5, labels


x, y = shapes(1200)
x_test, y_test = shapes(400)
loader = DataLoader(TensorDataset(x, y), batch_size=48, shuffle=True)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.ReLU(), nn.AdaptiveMaxPool2d(1),
    nn.Flatten(), nn.Linear(32, 3),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, epochs=8, steps_per_epoch=len(loader))

for epoch in range(8):
    model.train()
    for images, labels in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
            logits = model(images)
            loss = criterion(logits, labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
    print(f"epoch {epoch + 1} loss {loss.item():.4f}")

model.eval()
with torch.no_grad(), torch.autocast(device_type="cpu", dtype=torch.bfloat16):
    accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric: {accuracy:.3f}")
