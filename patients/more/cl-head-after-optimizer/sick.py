import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)


class TextureNet(nn.Module):
    """Filters as they would come out of pretraining: fixed cosine patterns."""

    def __init__(self, num_classes=1000):
        super().__init__()
        k = torch.arange(7).float() - 3
        bank = []
        for fy in range(4):
            for fx in range(4):
                bank.append(torch.cos(0.7 * (fy * k[:, None] + fx * k[None, :])))
        bank = torch.stack(bank).unsqueeze(1)
        self.conv = nn.Conv2d(1, 16, 7, bias=False)
        self.conv.weight.data = (bank - bank.mean((2, 3), keepdim=True)) / 7
        self.conv.weight.data[0] = 1 / 49
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x):
        x = self.conv(x).abs().mean((2, 3))
        return self.fc(x)


def textures(n, size=16):
    """Four kinds of stripes under noise."""
    y = torch.randint(0, 4, (n,))
    freq = torch.tensor([[0.7, 0.0], [0.0, 0.7], [1.4, 1.4], [2.1, 0.7]])[y]
    g = torch.arange(size).float()
    phase = torch.rand(n, 1, 1) * 6.28
    img = torch.cos(freq[:, 0, None, None] * g[None, :, None] + freq[:, 1, None, None] * g[None, None, :] + phase)
    return (img + 0.7 * torch.randn(n, size, size)).unsqueeze(1), y


def main():
    x, y = textures(1200)
    x_val, y_val = textures(400)
    model = TextureNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    # keep the features, new classifier for my 4 classes
    for param in model.parameters():
        param.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, 4)

    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    for epoch in range(15):
        model.train()
        running_loss, running_corrects = 0.0, 0
        for inputs, labels in loader:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * len(labels)
            running_corrects += (outputs.argmax(1) == labels).sum().item()
        print(f"Epoch {epoch} Loss: {running_loss / 1200:.4f} Acc: {running_corrects / 1200:.4f}")

    model.eval()
    with torch.no_grad():
        print(f"metric: {(model(x_val).argmax(1) == y_val).float().mean().item():.3f}")


if __name__ == "__main__":
    main()
