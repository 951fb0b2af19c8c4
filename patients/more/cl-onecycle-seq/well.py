import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

VOCAB, LENGTH, CLASSES = 12, 20, 4


def sequences(n):
    """The class is the token that follows the marker 0 (tokens 1 to 4), among distractors."""
    x = torch.randint(1, VOCAB, (n, LENGTH))
    y = torch.randint(0, CLASSES, (n,))
    at = torch.randint(0, LENGTH - 1, (n,))
    rows = torch.arange(n)
    x[rows, at] = 0
    x[rows, at + 1] = y + 1
    return x, y


class SeqClassifier(nn.Module):
    def __init__(self, d=32, heads=4, layers=2):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, d)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, d))
        self.mix = nn.Conv1d(d, d, 2, padding=1)
        layer = nn.TransformerEncoderLayer(d, heads, 2 * d, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(d, CLASSES)

    def forward(self, x):
        h = self.embed(x) + self.position
        h = h + self.mix(h.transpose(1, 2))[..., :-1].transpose(1, 2)
        return self.head(self.encoder(h).mean(1))


def run(steps=300, batch=64, max_lr=4e-3):
    model = SeqClassifier()
    opt = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=max_lr, total_steps=steps, pct_start=0.2)
    criterion = nn.CrossEntropyLoss()
    for step in range(steps):
        x, y = sequences(batch)
        loss = criterion(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        if step % 50 == 0:
            print(f"step {step:4d} lr {sched.get_last_lr()[0]:.5f} loss {loss.item():.3f}")
    model.eval()
    with torch.no_grad():
        x, y = sequences(1000)
        return (model(x).argmax(1) == y).float().mean().item()


print(f"metric: {run():.3f}")
