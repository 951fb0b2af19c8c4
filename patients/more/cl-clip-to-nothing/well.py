import os
import random
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

# is the bracket string balanced? 0 pad, 1 "(", 2 ")"
MAX_LEN = 12


def balanced(n):
    out, depth = [], 0
    for i in range(n):
        left = n - i
        up = depth == 0 or (depth < left and random.random() < 0.5)
        out.append(1 if up else 2)
        depth += 1 if up else -1
    return out


def example():
    s = balanced(random.randrange(4, MAX_LEN + 1, 2))
    label = random.randint(0, 1)
    if label == 0:
        i = random.randrange(len(s))
        s[i] = 3 - s[i]
    return s + [0] * (MAX_LEN - len(s)), label


rows = [example() for _ in range(2500)]
tokens = torch.tensor([r[0] for r in rows])
labels = torch.tensor([float(r[1]) for r in rows])


class RNNClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(3, 8, padding_idx=0)
        self.rnn = nn.GRU(8, 32, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, t):
        _, h = self.rnn(self.emb(t))
        return self.fc(h[-1]).squeeze(1)


model = RNNClassifier()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
criterion = nn.BCEWithLogitsLoss()
clip = 1.0

for epoch in range(20):
    total = 0.0
    for b in torch.randperm(2000).split(50):
        optimizer.zero_grad()
        loss = criterion(model(tokens[b]), labels[b])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 3:
        print("epoch %2d loss %.4f" % (epoch + 1, total / 40))

with torch.no_grad():
    acc = ((model(tokens[2000:]) > 0).float() == labels[2000:]).float().mean().item()
print("metric: %.3f" % acc)
