import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def make_images(n, size=24):
    """Faint spots (lesions) on a noisy ground; the mask marks the spot."""
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    cy = torch.randint(3, size - 3, (n, 1, 1))
    cx = torch.randint(3, size - 3, (n, 1, 1))
    d2 = (yy - cy) ** 2 + (xx - cx) ** 2
    mask = (d2 <= 5).float()
    image = torch.randn(n, size, size) + 0.9 * mask
    image = image - image.mean()
    return image.unsqueeze(1) / image.std(), mask.unsqueeze(1)


class Segmenter(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, c, 5, padding=2), nn.ReLU(),
            nn.Conv2d(c, c, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c, 1, 1),
        )

    def forward(self, x):
        return self.body(x)


class Trainer:
    def __init__(self, model, criterion, lr=5e-3, batch_size=16):
        self.model, self.criterion, self.batch_size = model, criterion, batch_size
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def epoch(self, images, masks):
        self.model.train()
        total, right = 0.0, 0.0
        for idx in torch.randperm(len(images)).split(self.batch_size):
            out = self.model(images[idx])
            loss = self.criterion(out, masks[idx])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(idx)
            right += ((out > 0) == (masks[idx] > 0.5)).float().mean().item() * len(idx)
        return total / len(images), right / len(images)

    @torch.no_grad()
    def balanced_accuracy(self, images, masks):
        self.model.eval()
        out = self.model(images) > 0
        truth = masks > 0.5
        return 0.5 * (out[truth].float().mean() + (~out[~truth]).float().mean()).item()


train_x, train_m = make_images(400)
test_x, test_m = make_images(150)
trainer = Trainer(Segmenter(), nn.BCEWithLogitsLoss())
for e in range(8):
    loss, acc = trainer.epoch(train_x, train_m)
    print(f"[{e}] loss={loss:.4f} pixel accuracy={acc:.4f}")
print(f"metric: {trainer.balanced_accuracy(test_x, test_m):.3f}")
