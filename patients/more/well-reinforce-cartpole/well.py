"""REINFORCE on a cart-pole written out by hand (no gym), a batch of poles side by side."""
import math
import os

import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", 0)))

POLES, MAX_STEPS, GAMMA = 16, 100, 0.98
G, CART, POLE, HALF, FORCE, TAU = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02


def reset():
    return torch.rand(POLES, 4) * 0.1 - 0.05


def physics(state, action):
    x, v, th, w = state.unbind(1)
    push = torch.where(action == 1, FORCE, -FORCE)
    tmp = (push + POLE * HALF * w ** 2 * th.sin()) / (CART + POLE)
    turn = (G * th.sin() - th.cos() * tmp) / (HALF * (4 / 3 - POLE * th.cos() ** 2 / (CART + POLE)))
    speed = tmp - POLE * HALF * turn * th.cos() / (CART + POLE)
    state = torch.stack([x + TAU * v, v + TAU * speed, th + TAU * w, w + TAU * turn], dim=1)
    fallen = (state[:, 0].abs() > 2.4) | (state[:, 2].abs() > 12 * math.pi / 180)
    return state, fallen


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 64)
        self.affine2 = nn.Linear(64, 2)

    def forward(self, s):
        return Categorical(logits=self.affine2(torch.tanh(self.affine1(s))))


def rollout(policy):
    state, alive = reset(), torch.ones(POLES, dtype=torch.bool)
    log_probs, rewards, masks = [], [], []
    for _ in range(MAX_STEPS):
        dist = policy(state)
        action = dist.sample()
        log_probs.append(dist.log_prob(action))
        masks.append(alive.float())
        state, fallen = physics(state, action)
        rewards.append(alive.float())
        alive = alive & ~fallen
        if not alive.any():
            break
    return torch.stack(log_probs), torch.stack(rewards), torch.stack(masks)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)

for update in range(80):
    log_probs, rewards, mask = rollout(policy)
    returns, g = torch.zeros_like(rewards), torch.zeros(POLES)
    for t in reversed(range(len(rewards))):
        g = rewards[t] + GAMMA * g
        returns[t] = g
    seen = returns[mask.bool()]
    advantage = (returns - seen.mean()) / (seen.std() + 1e-6)
    loss = -(log_probs * advantage * mask).sum() / mask.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 10 == 9:
        print(f"update {update + 1}: mean episode {rewards.sum(0).mean().item():.1f}")

with torch.no_grad():
    final = torch.cat([rollout(policy)[1].sum(0) for _ in range(4)])
print(f"metric: {final.mean().item() / MAX_STEPS:.3f}")
