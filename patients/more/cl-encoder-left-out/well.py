import os
import random
import torch
from torch import nn, optim

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

good = ["fine", "great", "lovely", "superb", "warm", "bright", "happy", "clever", "tasty", "sweet"]
bad = ["awful", "poor", "dull", "nasty", "cold", "dark", "sad", "stupid", "bland", "bitter"]
plain = [f"word{i}" for i in range(180)]
vocab = {w: i for i, w in enumerate(good + bad + plain)}


def review():
    label = random.randint(0, 1)
    strong, weak = (good, bad) if label else (bad, good)
    words = random.choices(plain, k=9) + random.choices(strong, k=2) + random.choices(weak, k=random.randint(0, 1))
    random.shuffle(words)
    words += ["word0"] * (12 - len(words))
    return [vocab[w] for w in words], label


data = [review() for _ in range(3000)]
docs = torch.tensor([d for d, _ in data])
labels = torch.tensor([l for _, l in data])


class Encoder(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, dim)

    def forward(self, tokens):
        return self.embedding(tokens).mean(dim=1)


class Classifier(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Linear(dim, 16)
        self.fc2 = nn.Linear(16, 2)

    def forward(self, features):
        return self.fc2(torch.relu(self.fc1(features)))


encoder = Encoder(len(vocab), 8)
classifier = Classifier(8)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(list(encoder.parameters()) + list(classifier.parameters()), lr=0.005)

for epoch in range(12):
    running = 0.0
    for batch in torch.randperm(2400).split(40):
        optimizer.zero_grad()
        out = classifier(encoder(docs[batch]))
        loss = criterion(out, labels[batch])
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"[{epoch + 1}] loss: {running / 60:.3f}")

with torch.no_grad():
    guess = classifier(encoder(docs[2400:])).argmax(dim=1)
print(f"metric: {(guess == labels[2400:]).float().mean().item():.3f}")
