import math
import os
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

WORDS = "the cat sat on a mat and saw some birds in old green trees while rain fell over quiet fields".split()
text = " ".join(random.choice(WORDS) for _ in range(4000))
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
ids = torch.tensor([stoi[c] for c in text])
split = int(0.9 * len(ids))
V, T, D = len(chars), 32, 48


class CausalSelfAttention(nn.Module):
    def __init__(self, d, heads=3):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)
        self.register_buffer("mask", torch.tril(torch.ones(T, T)).bool())

    def forward(self, x):
        B, L, C = x.shape
        q, k, v = (z.view(B, L, self.heads, -1).transpose(1, 2) for z in self.qkv(x).chunk(3, dim=-1))
        att = q @ k.transpose(-2, -1) / math.sqrt(C // self.heads)
        att = att.masked_fill(~self.mask[:L, :L], float("-inf")).softmax(dim=-1)
        return self.proj((att @ v).transpose(1, 2).reshape(B, L, C))


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.att = CausalSelfAttention(d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        x = x + self.att(self.n1(x))
        return x + self.mlp(self.n2(x))


class CharLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(V, D), nn.Embedding(T, D)
        self.blocks = nn.Sequential(Block(D), Block(D))
        self.norm = nn.LayerNorm(D)
        self.head = nn.Linear(D, V)

    def forward(self, idx):
        x = self.tok(idx) + self.pos(torch.arange(idx.shape[1]))
        x = self.head(self.norm(self.blocks(x)))
        return F.log_softmax(x, dim=-1)


def get_batch(part, n=24):
    at = torch.randint(len(part) - T - 1, (n,))
    return torch.stack([part[i:i + T] for i in at]), torch.stack([part[i + 1:i + T + 1] for i in at])


model = CharLM()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
for step in range(240):
    x, y = get_batch(ids[:split])
    logp = model(x)
    loss = F.nll_loss(logp.view(-1, V), y.view(-1))
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    if step % 40 == 0:
        print(f"step {step}: {loss.item():.3f}")

model.eval()
right = total = 0
with torch.no_grad():
    for i in range(split, len(ids) - T - 1, 2 * T):
        guess = model(ids[i:i + T].unsqueeze(0)).argmax(-1).squeeze(0)
        right += (guess == ids[i + 1:i + T + 1]).sum().item()
        total += T
print(f"metric: {right / total:.3f}")
