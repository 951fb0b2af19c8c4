"""Trainings made by chance from a grammar: the odd things that real programs do, in all their combinations.

Each program ends with a line that tells everything it came to: weights, buffers, the optimizer's state, three random
streams, hooks and attributes that it finds on its own objects, and how often its own code was called.
"""

from __future__ import annotations

import random
import textwrap

HEAD = """\
import contextlib, copy, functools, hashlib, io, pickle, random, threading, warnings
import numpy as np
import torch
from concurrent.futures import ThreadPoolExecutor
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import cross_entropy as imported_cross_entropy
from torch.nn.utils import parametrizations
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset, TensorDataset

torch.manual_seed({seed})
random.seed({seed})
np.random.seed({seed})
calls = dict()

def count(name):
    calls[name] = calls.get(name, 0) + 1

def watched(*_):
    return contextlib.nullcontext()

def sha(*parts):
    made = hashlib.sha256()
    for one in parts:
        made.update(one if isinstance(one, bytes) else str(one).encode())
    return made.hexdigest()[:12]

def of_tensor(one):
    one = one.detach()
    if one.layout is not torch.strided:
        one = one.to_dense()
    one = one.resolve_conj().contiguous()
    return bytes(one.reshape(-1).view(torch.uint8).tolist()) if one.numel() else b""

def everything():
    found = [(k, of_tensor(v)) for k, v in net.state_dict().items() if isinstance(v, torch.Tensor)]
    hooks = [len(getattr(one, kind) or ()) for one in net.modules() for kind in (
        "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")]
    marks = [sorted(vars(one)) for one in (x, y, x[:3], *net.parameters())]
    on_weights = [len(one._backward_hooks or ()) for one in net.parameters() if one.is_leaf]
    states = [(k, of_tensor(v)) for one in optimizers for s in one.state.values() for k, v in s.items()
              if isinstance(v, torch.Tensor)] if all(hasattr(one, "state") for one in optimizers) else []
    state = np.random.get_state()
    print("END", sha(*found), sha(*states), sha(torch.get_rng_state().numpy().tobytes()),
          sha(state[1].tobytes(), state[2:]), sha(random.getstate()), sum(hooks), sum(marks, []), sum(on_weights),
          sorted(calls.items()), torch.is_grad_enabled(), len(torch.overrides._get_current_function_mode_stack()))
"""

# What the network is made of: each makes a module from `a` to `b` numbers a row.
LAYERS = {
    "linear": "nn.Linear({a}, {b})",
    "spectral": "parametrizations.spectral_norm(nn.Linear({a}, {b}))",
    "weight-norm": "parametrizations.weight_norm(nn.Linear({a}, {b}))",
    "orthogonal": "parametrizations.orthogonal(nn.Linear({a}, {b}))",
    "old-spectral": "nn.utils.spectral_norm(nn.Linear({a}, {b}))",
    "old-weight-norm": "nn.utils.weight_norm(nn.Linear({a}, {b}))",
    "lazy": "nn.LazyLinear({b})",
    "no-bias": "nn.Linear({a}, {b}, bias=False)",
    "by-hand": "ByHand({a}, {b})",
    "scripted": "torch.jit.script(nn.Linear({a}, {b}))",
    "checkpointed": "Checkpointed(nn.Linear({a}, {b}), False)",
    "checkpointed-reentrant": "Checkpointed(nn.Linear({a}, {b}), True)",
    "as-transformers": "AsTransformers(nn.Linear({a}, {b}))",
    "recurrent": "Recurrent({a}, {b})",
    "convolution": "Convolution({a}, {b})",
    "vmapped": "Vmapped(nn.Linear({a}, {b}))",
    "functional-call": "Functional(nn.Linear({a}, {b}))",
    "swapped": "Swapped({a}, {b})",
    "listed": "Listed({a}, {b})",
}
MIDDLES = {
    "relu": "nn.ReLU()",
    "in-place": "nn.ReLU(inplace=True)",
    "tanh": "nn.Tanh()",
    "gelu": "nn.GELU()",
    "prelu": "nn.PReLU()",
    "rrelu": "nn.RReLU()",
    "dropout": "nn.Dropout(0.3)",
    "scheduled-dropout": "Scheduled()",
    "stateful": "Stateful()",
    "stochastic": "Stochastic()",
    "own-function": "Own()",
    "own-attribute": "Slope()",
    "batch-norm": "nn.BatchNorm1d(8)",
    "layer-norm": "nn.LayerNorm(8)",
    "identity": "nn.Identity()",
    "own-relu": "MyReLU()",
    "warns": "Warns()",
    "frozen": "Frozen()",
    "in-place-op": "InPlace()",
    "view": "View()",
    "softmax-without-dim": "nn.Softmax()",
    "traced": "torch.jit.trace(nn.Sequential(nn.Tanh()), torch.randn(4, 8, dtype=torch.get_default_dtype()))",
    "compiled": "torch.compile(nn.Tanh(), backend='eager')",
    "compiled-aot": "torch.compile(nn.Sequential(nn.Linear(8, 8), nn.Tanh()), backend='aot_eager')",
    "moe": "Routed()",
    "stop": "Stops()",
}
CLASSES = """
class ByHand(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(a, b) * 0.3), nn.Parameter(torch.zeros(b))
    def forward(self, rows):
        count("by-hand")
        return torch.addmm(self.b, rows, self.w) if random.random() < 0.5 else rows @ self.w + self.b
class Checkpointed(nn.Module):
    def __init__(self, inner, reentrant):
        super().__init__()
        self.inner, self.reentrant = inner, reentrant
    def forward(self, rows):
        count("checkpointed")
        return checkpoint(self._again, rows, use_reentrant=self.reentrant)
    def _again(self, rows):
        count("recomputed")
        return F.silu(self.inner(rows))
class AsTransformers(nn.Module):
    gradient_checkpointing = True
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self._gradient_checkpointing_func = functools.partial(checkpoint, use_reentrant=False)
    def __call__(self, *args, **kwargs):
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(functools.partial(super().__call__, **kwargs), *args)
        return super().__call__(*args, **kwargs)
    def forward(self, rows):
        count("as-transformers")
        return self.inner(rows) * torch.sigmoid(rows.mean(1, keepdim=True))
class Recurrent(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.cell = nn.GRU(1, b, batch_first=True)
    def forward(self, rows):
        return self.cell(rows[:, :, None])[0][:, -1]
class Convolution(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv, self.out = nn.Conv1d(1, 4, 3, padding=1), nn.Linear(4 * a, b)
    def forward(self, rows):
        return self.out(F.max_pool1d(F.relu(self.conv(rows[:, None])), 1).flatten(1))
class Vmapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, rows):
        return torch.func.vmap(self.inner)(rows)
class Functional(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, rows):
        given = {k: v * 1.0 for k, v in self.inner.named_parameters()}
        return torch.func.functional_call(self.inner, given, (rows,))
class Swapped(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.inner = nn.Linear(a, b)
        self.times = 0
    def forward(self, rows):
        self.times += 1
        if self.times == 3:
            self.extra = nn.Linear(rows.shape[1], rows.shape[1])
        return self.inner(self.extra(rows) if hasattr(self, "extra") else rows)
class Listed(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.hidden = [nn.Linear(a, b)]
        self.scale = nn.Parameter(torch.ones(b))
    def forward(self, rows):
        return self.hidden[0](rows) * self.scale
class Scheduled(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = 0.5
    def forward(self, rows):
        if self.training:
            self.p = max(0.0, self.p - 0.02)
        return F.dropout(rows, self.p, self.training)
class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(1))
        self.register_buffer("mean", torch.zeros(1))
    def forward(self, rows):
        count("stateful")
        self.n += 1
        self.mean.mul_(0.9).add_(rows.detach().mean() * 0.1)
        return F.relu(rows - self.mean)
class Stochastic(nn.Module):
    def forward(self, rows):
        return F.relu(rows) + 0.01 * torch.randn_like(rows) * random.random() * float(np.random.rand())
class _Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows):
        count("own-forward")
        ctx.save_for_backward(rows)
        return rows.clamp(min=0)
    @staticmethod
    def backward(ctx, gradient):
        count("own-backward")
        rows, = ctx.saved_tensors
        return gradient * (rows > 0) + 0.01 * gradient
class Own(nn.Module):
    def forward(self, rows):
        return _Own.apply(rows)
class Slope(nn.LeakyReLU):
    def __init__(self):
        super().__init__(0.1)
        del self.negative_slope
    @property
    def negative_slope(self):
        count("slope")
        return 0.1
    def __getattr__(self, name):
        count("attribute " + name)
        return super().__getattr__(name)
class MyReLU(nn.ReLU):
    def forward(self, rows):
        count("my-relu")
        return super().forward(rows) * 1.01
class Warns(nn.Module):
    def forward(self, rows):
        warnings.warn("odd rows", stacklevel=2)
        warnings.warn("odd rows here")
        return rows * rows[0].T.sum().sign() if rows.ndim > 5 else F.tanh(rows) + F.softmax(rows)
class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8).requires_grad_(False)
    def forward(self, rows):
        return torch.relu(self.inner(rows))
class InPlace(nn.Module):
    def forward(self, rows):
        rows = rows + 0.0
        rows[:, 0] *= 2.0
        rows.add_(0.1).mul_(0.9)
        return torch.relu_(rows)
class View(nn.Module):
    def forward(self, rows):
        left, right = rows.view(len(rows), 2, 4).unbind(1)
        return torch.cat([left * torch.sigmoid(right), right.clone()], 1)
class Routed(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(8, 2), nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
    def forward(self, rows):
        chosen = self.gate(rows).argmax(1)
        made = torch.zeros_like(rows)
        for number, expert in enumerate(self.experts):
            at = (chosen == number).nonzero()[:, 0]
            made = made.index_add(0, at, expert(rows[at]))
        return made + self.gate(rows).sum(1, keepdim=True)
class Stops(nn.Module):
    def forward(self, rows):
        calls["stop"] = calls.get("stop", 0) + 1
        if calls["stop"] % 5 == 3:
            raise ValueError("not this one")
        return rows
class Net(nn.Module):
    def __init__(self, first, middle, second, last):
        super().__init__()
        self.first, self.middle, self.second, self.last = first, middle, second, last
        self.steps = 0
    def forward(self, rows):
        self.steps += 1
        count("net")
        made = self.last(self.second(self.middle(self.first(rows))))
        return {answer}
class Counted(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        count("subclass")
        return super().__torch_function__(func, types, args, kwargs or dict())
class Functions(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        count("function-mode")
        return func(*args, **(kwargs or dict()))
class Operations(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        count("dispatch-mode")
        return func(*args, **(kwargs or dict()))
class Rows(Dataset):
    def __len__(self):
        return len(x)
    def __getitem__(self, at):
        return x[at] + random.random() * 0.01, y[at]
class Replacing(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(parameters, dict(lr=lr))
    def step(self, closure=None):
        count("replacing")
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    one.data = one.data - group["lr"] * one.grad
class Mine:
    def __init__(self, parameters):
        self.parameters, self.state = list(parameters), dict()
    def zero_grad(self):
        for one in self.parameters:
            one.grad = None
    @torch.no_grad()
    def step(self):
        for one in self.parameters:
            if one.grad is not None:
                one -= 0.05 * one.grad
"""
ANSWERS = {"plain": "made", "tuple": "(made, rows)", "dict": "dict(logits=made)", "named": "NAMED(made, rows)"}
OUT_OF = {"plain": "out", "tuple": "out[0]", "dict": "out['logits']", "named": "out.logits"}
LOSSES = {
    "cross-entropy": "F.cross_entropy(logits, target)",
    "imported": "imported_cross_entropy(logits, target)",
    "module": "nn.CrossEntropyLoss(label_smoothing=0.1)(logits, target)",
    "nll": "F.nll_loss(F.log_softmax(logits, 1), target)",
    "sum": "F.cross_entropy(logits, target, reduction='sum') / 9",
    "none": "F.cross_entropy(logits, target, reduction='none').mean()",
    "by-hand": "(logits.logsumexp(1) - logits[torch.arange(len(logits)), target]).mean()",
    "mse": "F.mse_loss(logits[:, 0], target.to(logits.dtype))",
    "broadcast": "F.mse_loss(logits[:, :1], target.to(logits.dtype))",
    "bce": "F.binary_cross_entropy_with_logits(logits[:, 0], target.to(logits.dtype))",
    "huber": "F.smooth_l1_loss(logits[:, 1], target.to(logits.dtype)) + logits.square().mean() * 1e-3",
    "two": "F.cross_entropy(logits, target) + 0.1 * F.mse_loss(logits[:, 0], target.to(logits.dtype))",
    "not-a-number": "F.cross_entropy(logits, target) + (torch.log(logits.mean() * 0 - 1) if step == 4 else 0)",
    "scripted": "scripted_loss(logits, target)",
    "labels-that-fail": "F.cross_entropy(logits, target + (5 if step == 4 else 0))",
}
BACKWARDS = {
    "plain": "loss.backward()",
    "function": "torch.autograd.backward(loss)",
    "list": "torch.autograd.backward([loss])",
    "twice": "loss.backward(retain_graph=True); (loss * 0.5).backward()",
    "double": (
        "made = torch.autograd.grad(loss, [p for p in net.parameters() if p.requires_grad], create_graph=True,"
        " allow_unused=True)\n(loss + 0.01 * sum(g.square().sum() for g in made if g is not None)).backward()"
    ),
    "by-grad": (
        "for p, g in zip(list(net.parameters()), torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)"
        " if all(p.requires_grad for p in net.parameters()) else [None] * 99):\n    p.grad = g"
    ),
    "with-gradient": "loss.backward(gradient=torch.ones_like(loss) * 0.5)",
    "create-graph": "loss.backward(create_graph=True)",
    "with-inputs": "loss.backward(inputs=[p for p in net.parameters() if p.requires_grad])",
    "scaled": "scaler.scale(loss).backward(); scaler.unscale_(optimizer)",
}
OPTIMIZERS = {
    "sgd": "torch.optim.SGD(net.parameters(), 0.05)",
    "momentum": "torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=1e-3)",
    "adam": "torch.optim.Adam(net.parameters(), 1e-2)",
    "adamw-each": "torch.optim.AdamW(net.parameters(), 1e-2, foreach=False)",
    "amsgrad": "torch.optim.Adam(net.parameters(), torch.tensor(1e-2), amsgrad=True)",
    "rmsprop": "torch.optim.RMSprop(net.parameters(), 1e-3)",
    "replacing": "Replacing(net.parameters(), 0.05)",
    "groups": "torch.optim.SGD([dict(params=[p], lr=0.01 * (n + 1)) for n, p in enumerate(net.parameters())])",
    "by-hand": "Mine(net.parameters())",
}
STEPS = {
    "plain": "optimizer.step()",
    "clipped": "nn.utils.clip_grad_norm_(net.parameters(), 1.0)\noptimizer.step()",
    "accumulated": "if step % 3 == 2:\n    optimizer.step()",
    "anew": (
        "optimizer.step()\nif step == 5 and isinstance(optimizer, torch.optim.Optimizer):\n"
        "    optimizer = torch.optim.SGD(net.parameters(), 0.02)\n    optimizers.append(optimizer)"
    ),
    "scheduled": (
        "optimizer.step()\nif isinstance(optimizer, torch.optim.Optimizer):\n    optimizer.param_groups[0]['lr'] *= 0.9"
    ),
    "replaced": (
        "optimizer.step()\nif step == 4 and hasattr(optimizer, 'param_groups'):\n"
        "    net.extra = nn.Parameter(torch.zeros(3))\n    optimizer.add_param_group(dict(params=[net.extra]))"
    ),
}
# The user's own hooks, put on before the training.
HOOKS = {
    "none": "",
    "forward": "net.first.register_forward_hook(lambda m, i, o: count('forward') or o * 1.1)",
    "pre": "net.second.register_forward_pre_hook(lambda m, i: count('pre') or (i[0] * 0.9,))",
    "full-backward": "net.last.register_full_backward_hook(lambda m, gi, go: count('full-backward'))",
    "tensor": "[p.register_hook(lambda g: count('tensor') or g * 0.5) for p in net.parameters() if p.requires_grad]",
    "accumulated": (
        "[p.register_post_accumulate_grad_hook(lambda p: count('accumulated')) for p in net.parameters()"
        " if p.requires_grad and not nn.parameter.is_lazy(p)]"
    ),
    "output": (
        "net.first.register_forward_hook(lambda m, i, o: o.register_hook(\n"
        "    lambda g: count('output') or g.clamp(-1, 1)) and None)"
    ),
    "raises": (
        "def refuse(m, i, o):\n    count('refuse')\n"
        "    if calls['refuse'] % 4 == 2:\n        raise RuntimeError('refused')\n"
        "net.last.register_forward_hook(refuse)"
    ),
    "raises-backward": (
        "def refuse(g):\n    count('refuse')\n    if calls['refuse'] % 5 == 2:\n        raise RuntimeError('refused')\n"
        "[p.register_hook(refuse) for p in list(net.parameters())[:1] if p.requires_grad and p.is_leaf]"
    ),
    "always": "net.register_forward_hook(lambda m, i, o: count('always'), always_call=True)",
    "global": "nn.modules.module.register_module_forward_hook(lambda m, i, o: count('global'))",
    "optimizer": (
        "if isinstance(optimizer, torch.optim.Optimizer):\n"
        "    optimizer.register_step_pre_hook(lambda *_: count('step-pre'))\n"
        "    optimizer.register_step_post_hook(lambda *_: count('step-post'))"
    ),
    "every-optimizer": "torch.optim.optimizer.register_optimizer_step_post_hook(lambda *_: count('any-step'))",
    "retained": (
        "net.first.register_forward_hook(\n"
        "    lambda m, i, o: o.retain_grad() if o.requires_grad and not o.is_leaf else None)"
    ),
}
# Contexts around the whole loop, and around forward passes.
AROUND = {
    "none": "contextlib.nullcontext()",
    "function-mode": "Functions()",
    "dispatch-mode": "Operations()",
    "anomaly": "torch.autograd.detect_anomaly(check_nan=False)",
    "saved": "torch.autograd.graph.saved_tensors_hooks(lambda t: count('pack') or t, lambda t: count('unpack') or t)",
    "save-on-cpu": "torch.autograd.graph.save_on_cpu()",
    "profiler": "torch.autograd.profiler.record_function('training')",
    "device": "torch.device('cpu')",
}
INSIDE = {"none": "contextlib.nullcontext()", "autocast": "torch.autocast('cpu', dtype=torch.bfloat16)"}
ROWS = {
    "dense": "x",
    "subclass": "x.as_subclass(Counted)",
    "sparse": "(x * (x > 0.5)).to_sparse()",
    "csr": "(x * (x > 0.5)).to_sparse_csr()",
    "requires-grad": "x.clone().requires_grad_()",
    "strided": "torch.stack([x, x], 2)[:, :, 0]",
}
# What else happens between steps.
BETWEEN = {
    "nothing": "",
    "print": "print(step, float(loss.detach().real))",
    "evaluate": (
        "net.eval()\nwith torch.no_grad():\n    out = net(rows)\n    logits = OUT.real\n"
        "    right = int((logits.argmax(1) == target).sum())\n"
        "    print('right', right, F.cross_entropy(logits.float(), target).item())\nnet.train()"
    ),
    "inference": "with torch.inference_mode():\n    out = net(rows)\n    print(float((OUT).real.sum()))",
    "deepcopy": "kept = copy.deepcopy(net)",
    "pickle": "kept = pickle.loads(pickle.dumps(net.state_dict()))",
    "save": (
        "made = io.BytesIO()\ntorch.save(dict(net=net.state_dict(), rows=x[:5]), made)\nprint(sha(made.getvalue()))"
    ),
    "reload": "net.load_state_dict(copy.deepcopy(net.state_dict()))",
    "average": "kept = torch.optim.swa_utils.AveragedModel(net)",
    "trace": "if step == 3:\n    torch.jit.trace(net.last, torch.randn(4, 8))",
    "script": (
        "if step == 3:\n    kept = torch.jit.script(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))\n"
        "    kept(torch.randn(2, 8))\n    torch.jit.script(net)"
    ),
    "grad-of": (
        "made = torch.func.grad(lambda w: torch.func.functional_call(net.last, w, (torch.ones(2, 8),)).sum())(\n"
        "    {k: v.detach() for k, v in net.last.named_parameters()})"
    ),
    "draw": "random.random(), np.random.rand(), torch.rand(3)",
    "export": "if step == 3:\n    torch.fx.symbolic_trace(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))",
    "outputs": "made = io.BytesIO()\ntorch.save(out, made)",
    "toggle": "net.last.requires_grad_(step % 2 == 0)",
    "leave": "if step == 6:\n    return",
    "exit": "if step == 6:\n    raise SystemExit(3)",
    "interrupt": "if step == 6:\n    raise KeyError('the end')",
    "zero-rows": "with torch.no_grad():\n    out = net(rows[:1])",
    "frozen-copy": "kept = copy.deepcopy(net).eval().requires_grad_(False)\nkept(rows)",
    "compare": "count('equal ' + str(bool((x == x).all())))",
    "norm": "print(float(sum(p.grad.abs().sum() for p in net.parameters() if p.grad is not None)))",
}
CAUGHT = "(ValueError, RuntimeError, IndexError)"
LOOPS = {
    "plain": "def go():\n    train()\ngo()",
    "thread": "one = threading.Thread(target=train)\none.start()\none.join()",
    "pool": "with ThreadPoolExecutor(1) as pool:\n    pool.submit(train).result()",
    "two-pools": "for _ in range(2):\n    with ThreadPoolExecutor(1) as pool:\n        pool.submit(train).result()",
    "two-threads": (
        "other = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)).double()\n"
        "theirs = torch.optim.SGD(other.parameters(), 0.1)\n"
        "def beside():\n    for _ in range(40):\n        theirs.zero_grad()\n"
        "        F.cross_entropy(other(x.detach().double()), y).backward()\n        theirs.step()\n"
        "one = threading.Thread(target=beside)\none.start()\n"
        "try:\n    train()\nfinally:\n    one.join()\n    print(sha(*map(of_tensor, other.parameters())))"
    ),
}


def chosen(rng: random.Random, table: dict[str, str], plain: str, odds: float) -> str:
    """A name: mostly the plain one, so that programs differ in a few things at a time."""
    return plain if rng.random() > odds else rng.choice(list(table))


def generate(seed: int, odds: float = 0.45, *, compiled: bool = True) -> tuple[str, list[str]]:
    """A program, and the names of what is odd about it."""
    rng = random.Random(seed)
    first = rng.choice(list(LAYERS))
    second = chosen(rng, LAYERS, "linear", odds)
    middles = {name: text for name, text in MIDDLES.items() if compiled or "compile" not in name}
    middle, last = rng.choice(list(middles)), chosen(rng, LAYERS, "linear", odds / 2)
    answer = chosen(rng, ANSWERS, "plain", odds / 2)
    loss, backward = chosen(rng, LOSSES, "cross-entropy", odds), chosen(rng, BACKWARDS, "plain", odds)
    optimizer, step = chosen(rng, OPTIMIZERS, "sgd", odds), chosen(rng, STEPS, "plain", odds)
    hook, around, inside = (
        chosen(rng, HOOKS, "none", odds),
        chosen(rng, AROUND, "none", odds / 2),
        chosen(rng, INSIDE, "none", odds / 2),
    )
    rows, between = chosen(rng, ROWS, "dense", odds / 2), chosen(rng, BETWEEN, "nothing", 0.8)
    loop = chosen(rng, LOOPS, "plain", odds / 2)
    dtype = rng.choice(["float32"] * 5 + ["float64", "bfloat16", "default-float64"])
    if rng.random() < 0.08:  # few layers take complex numbers
        dtype, first, second, last, rows = "cfloat", "linear", "no-bias", "linear", "dense"
        middle = rng.choice(["tanh", "identity", "dropout", "view", "own-attribute"])
    if rows in ("sparse", "csr"):
        first, dtype = rng.choice(["linear", "by-hand"]), "float32"
    loader = rng.choice(["rows"] * 4 + ["loader", "workers", "own-data"])
    closure = rng.random() < 0.1
    catch = rng.random() < 0.7
    if backward == "scaled":
        step, closure = "plain", False
    odd = [first, middle, second, last, answer, loss, backward, optimizer, step, hook, around, inside, rows, between]
    odd += [loop, dtype, loader, *(["closure"] if closure else []), *(["caught"] if catch else [])]
    lines = [HEAD.replace("{seed}", str(seed)), CLASSES.replace("{answer}", ANSWERS[answer]), "import collections"]
    lines.append("NAMED = collections.namedtuple('NAMED', ['logits', 'rows'])")
    lines.append("x = torch.randn(32, 6)\ny = (x[:, 0] > 0).long()")
    if dtype == "default-float64":
        lines.append("torch.set_default_dtype(torch.float64)\nx = x.double()")
    sizes = ((first, 6, 8), (second, 8, 8), (last, 8, 2))
    parts = [LAYERS[name].format(a=a, b=b) for name, a, b in sizes]
    lines.append(f"net = Net({parts[0]}, {MIDDLES[middle]}, {parts[1]}, {parts[2]})")
    if dtype in ("float64", "bfloat16", "cfloat"):
        lines.append(f"net = net.to(torch.{dtype})\nx = x.to(torch.{dtype})")
    if loss == "scripted":
        lines.append(
            "@torch.jit.script\ndef scripted_loss(logits, target):\n    return F.cross_entropy(logits, target)"
        )
    if backward == "scaled":
        lines.append("scaler = torch.amp.GradScaler('cpu', init_scale=8.0)")
    lines.append(f"optimizer = {OPTIMIZERS[optimizer]}\noptimizers = [optimizer]")
    lines.append(HOOKS[hook])
    body = [f"with {INSIDE[inside]}:", "    out = net(rows)", f"    logits = {OUT_OF[answer]}"]
    body.append("    logits = logits.abs() if logits.is_complex() else logits")
    body.append(f"    loss = {LOSSES[loss]}")
    body += BACKWARDS[backward].splitlines()
    if closure and optimizer != "by-hand":
        inner = "\n".join(["optimizer.zero_grad()", *body, "return loss"])
        made = "def closure():\n" + textwrap.indent(inner, "    ") + "\nloss = optimizer.step(closure)"
        made += "\nloss = torch.zeros(()) if loss is None else loss\nout = logits = net(rows)"
        body = made.splitlines()
    else:
        taken = "scaler.step(optimizer)\nscaler.update()" if backward == "scaled" else STEPS[step]
        body = ["optimizer.zero_grad()", *body, *taken.splitlines()]
    body += BETWEEN[between].replace("OUT", OUT_OF[answer]).splitlines()
    if catch:
        indented = textwrap.indent("\n".join(body), "    ")
        text = f"try:\n{indented}\nexcept {CAUGHT} as error:\n    print('caught', type(error).__name__, error)"
        body = text.splitlines()
    if loader == "rows":
        goes = f"for step in range(12):\n    rows, target = {ROWS[rows]}, y\n"
    else:
        made = {
            "loader": "DataLoader(TensorDataset(x.detach(), y), 16, shuffle=True)",
            "workers": "DataLoader(TensorDataset(x.detach(), y), 16, shuffle=True, num_workers=1)",
            "own-data": "DataLoader(Rows(), 16, shuffle=True)",
        }[loader]
        goes = f"loader = {made}\nfor step, (rows, target) in enumerate(one for _ in range(6) for one in loader):\n"
    goes += textwrap.indent("\n".join(body), "    ")
    goes = f"with watched(net, optimizer), {AROUND[around]}:\n" + textwrap.indent(goes, "    ")
    lines.append("def train():\n    global optimizer, loss\n" + textwrap.indent(goes, "    "))
    lines.append("try:\n" + textwrap.indent(LOOPS[loop], "    ") + "\nfinally:\n    everything()")
    return "\n".join(lines) + "\n", [one for one in odd if one not in ("plain", "none", "nothing", "rows", "dense")]
