import collections
import os
import random
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

Step = collections.namedtuple("Step", "s a r s2 done")


class Catch:
    """A fruit falls down an 8 x 6 field, a basket at the bottom moves left, stays or moves right."""

    H, W = 8, 6

    def reset(self):
        self.y, self.x, self.basket = 0, random.randrange(self.W), random.randrange(self.W)
        return self.state()

    def state(self):
        v = torch.zeros(3)
        v[0], v[1], v[2] = self.y / 3.5 - 1, self.x / 2.5 - 1, self.basket / 2.5 - 1
        return v

    def step(self, a):
        self.basket = min(max(self.basket + a - 1, 0), self.W - 1)
        self.y += 1
        done = self.y == self.H - 1
        reward = (1.0 if self.basket == self.x else -1.0) if done else 0.0
        return self.state(), reward, done


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.value, self.advantage = nn.Linear(64, 1), nn.Linear(64, 3)

    def forward(self, s):
        h = self.body(s)
        a = self.advantage(h)
        return self.value(h) + a - a.mean(1, keepdim=True)


policy, target = DQN(), DQN()
target.load_state_dict(policy.state_dict())
optimizer = torch.optim.Adam(policy.parameters(), lr=2e-3)
memory = collections.deque(maxlen=3000)
env, epsilon, updates = Catch(), 1.0, 0
scores = []
for episode in range(350):
    s, done = env.reset(), False
    while not done:
        if random.random() < epsilon:
            a = random.randrange(3)
        else:
            with torch.no_grad():
                a = policy(s.unsqueeze(0)).argmax().item()
        s2, r, done = env.step(a)
        memory.append(Step(s, a, r, s2, float(done)))
        s = s2
        if len(memory) >= 200:
            batch = Step(*zip(*random.sample(memory, 64)))
            q = policy(torch.stack(batch.s)).gather(1, torch.tensor(batch.a).unsqueeze(1)).squeeze(1)
            with torch.no_grad():
                nxt = target(torch.stack(batch.s2)).max(1).values
            goal = torch.tensor(batch.r) + 0.95 * nxt * (1 - torch.tensor(batch.done))
            loss = nn.functional.smooth_l1_loss(q, goal)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            updates += 1
            if updates % 100 == 0:
                target.load_state_dict(policy.state_dict())
    epsilon = max(0.05, epsilon * 0.985)
    scores.append(r)
    if episode % 50 == 49:
        print(f"episode {episode + 1}: score {sum(scores[-50:]) / 50:.2f}")

caught = 0
for _ in range(200):
    s, done = env.reset(), False
    while not done:
        with torch.no_grad():
            s, r, done = env.step(policy(s.unsqueeze(0)).argmax().item())
    caught += r > 0
print(f"metric: {caught / 200:.3f}")
