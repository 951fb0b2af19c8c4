"""REINFORCE with a baseline on a small grid: walk to the goal, avoid the pits."""
import os
import random
import torch
from torch import nn
from torch.distributions import Categorical

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

SIZE, GOAL, PITS = 5, (4, 4), {(1, 2), (3, 1), (3, 3)}
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class GridWorld:
    def reset(self):
        while True:
            self.at = (random.randrange(SIZE), random.randrange(SIZE))
            if self.at != GOAL and self.at not in PITS:
                break
        self.t = 0
        return self.at

    def step(self, a):
        dy, dx = MOVES[a]
        self.at = (min(max(self.at[0] + dy, 0), SIZE - 1), min(max(self.at[1] + dx, 0), SIZE - 1))
        self.t += 1
        if self.at == GOAL:
            return self.at, 1.0, True
        if self.at in PITS:
            return self.at, -1.0, True
        return self.at, -0.02, self.t >= 30


def one_hot(s):
    v = torch.zeros(SIZE * SIZE)
    v[s[0] * SIZE + s[1]] = 1.0
    return v


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(SIZE * SIZE, 48), nn.Tanh())
        self.actor = nn.Linear(48, 4)
        self.critic = nn.Linear(48, 1)

    def forward(self, s):
        h = self.body(s)
        return self.actor(h), self.critic(h).squeeze(-1)


env, net = GridWorld(), ActorCritic()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
history = []
for update in range(150):
    states, actions, returns = [], [], []
    for _ in range(8):
        s, done, rewards = env.reset(), False, []
        while not done:
            states.append(one_hot(s))
            with torch.no_grad():
                a = Categorical(logits=net(states[-1])[0]).sample()
            s, r, done = env.step(a.item())
            actions.append(a)
            rewards.append(r)
        g, back = 0.0, []
        for r in reversed(rewards):
            g = r + 0.97 * g
            back.append(g)
        returns += reversed(back)
        history.append(sum(rewards))
    logits, values = net(torch.stack(states))
    target = torch.tensor(returns)
    pi = Categorical(logits=logits)
    advantage = target - values.detach()
    loss = -(pi.log_prob(torch.stack(actions)) * advantage).mean() + 0.5 * (values - target).pow(2).mean() - 0.01 * pi.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 30 == 29:
        print(f"update {update + 1}: mean return {sum(history[-100:]) / 100:.3f}")

wins = 0
for _ in range(200):
    s, done = env.reset(), False
    while not done:
        with torch.no_grad():
            s, r, done = env.step(net(one_hot(s))[0].argmax().item())
    wins += r == 1.0
print(f"metric: {wins / 200:.3f}")
