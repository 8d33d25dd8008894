#!/usr/bin/env python3
"""Golden scores and kept sets of every method, from the formulas alone, with torch.

    python3 tests/golden/make_scores.py OUT_DIR

writes OUT_DIR/scores.safetensors (inputs, scores, kept positions) and OUT_DIR/scores.json (shapes, keep rules, versions).
Inputs are float32; everything is computed from them in float64 and scores are saved as float32. Letters: B batch, H query heads,
G key/value heads, N prompt length, M rows behind the prompt (a draft, a pseudo answer, a replay, lookahead tokens or the answer), D head size.
"""

import json
import math
import platform
import struct
import sys
from pathlib import Path

import torch

F = torch.float64

CASES = [
    dict(name="gqa", batch=2, heads=6, kv_heads=2, length=40, after=5, head_size=16, theta=10000.0, budget=16),
    dict(name="mha", batch=1, heads=3, kv_heads=3, length=24, after=3, head_size=8, theta=500.0, budget=12),
    dict(name="mqa", batch=1, heads=4, kv_heads=1, length=45, after=9, head_size=10, theta=100.0, budget=11),
]
WINDOW = 8
HORIZON = 512
SINKS = 4


def rotate(x, first, theta, turn=1):
    """Rotary embedding of rows [.., T, D] at positions first, first + 1, ...: the pair (i, i + D/2) turns by position * theta^(-2i/D).

    turn = -1 takes it back.
    """
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=F) / half)
    angle = turn * torch.arange(first, first + x.shape[-2], dtype=F)[:, None] * frequency
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def mean_rotation(first, count, size, theta):
    """The mean of the rotation matrices of some positions, [D, D]."""
    unit = torch.eye(size, dtype=F)[:, None, :].expand(size, count, size)  # each unit vector at each position
    return rotate(unit, first, theta).mean(1).T  # row i of the mean is R e_i: a column of R


def heads_of(x, heads):
    """Keys or values [B, G, T, D] for each query head: head h reads h // (H / G)."""
    return x.repeat_interleave(heads // x.shape[1], dim=1)


def attention(queries, keys, first):
    """Softmax rows [B, H, R, T] of queries at positions first, first + 1, ... over the keys at 0..T-1 that they may see."""
    rows, columns = queries.shape[-2], keys.shape[-2]
    logits = queries @ heads_of(keys, queries.shape[1]).transpose(-1, -2) / math.sqrt(queries.shape[-1])
    hidden = torch.arange(columns)[None, :] > first + torch.arange(rows)[:, None]
    return logits.masked_fill(hidden, -math.inf).softmax(-1)


def without_window(scores):
    scores = scores.clone()
    scores[..., scores.shape[-1] - WINDOW :] = 0
    return scores


def expected_attention(queries, keys, values, theta):
    length, size = keys.shape[-2], keys.shape[-1]
    before = rotate(queries, 0, theta, turn=-1)[:, :, SINKS:]
    mean = before.mean(2)  # [B, H, D]
    centred = before - mean[:, :, None]
    covariance = torch.einsum("bhni,bhnj->bhij", centred, centred) / before.shape[2]
    turn = mean_rotation(length, HORIZON, size, theta)
    mean = mean @ turn.T
    covariance = turn @ covariance @ turn.T
    k = heads_of(keys, queries.shape[1])[:, :, SINKS:]
    v = heads_of(values, queries.shape[1])[:, :, SINKS:]
    logits = torch.einsum("bhi,bhni->bhn", mean, k) / math.sqrt(size)
    logits = logits + torch.einsum("bhni,bhij,bhnj->bhn", k, covariance, k) / (2 * size)
    return torch.nn.functional.pad(logits.softmax(-1) * v.norm(dim=-1), (SINKS, 0))


def methods(q, k, v, length, theta):
    """name -> (scores [B, H or G, N], group reduction, max-pool width, first and last tokens that are always kept)."""
    batch, kv_heads = k.shape[0], k.shape[1]
    all_rows = attention(q, k, 0)  # [B, H, N+M, N+M]: every row sees the prompt and what is behind it up to itself
    prompt = all_rows[:, :, :length, :length]
    behind = all_rows[:, :, length:, :length]
    observed = all_rows[:, :, length - WINDOW :, :length]  # the prompt's last W rows and those behind
    keys, values = k[:, :, :length], v[:, :, :length]
    unit = keys / keys.norm(dim=-1, keepdim=True)
    anchor = unit.mean(2, keepdim=True)
    return {
        "streaming": (torch.arange(length, dtype=F).expand(batch, kv_heads, length), "mean", 1, 4, 0),
        "h2o": (prompt.sum(2), "mean", 1, 0, 8),
        "tova": (prompt[:, :, -1].mean(1, keepdim=True).expand(batch, kv_heads, length), "mean", 1, 0, 1),
        "snapkv": (without_window(prompt[:, :, length - WINDOW :].sum(2)), "mean", 7, 0, WINDOW),
        "keynorm": (-keys.norm(dim=-1), "mean", 1, 0, 0),
        "keydiff": (-(unit * anchor).sum(-1) / anchor.norm(dim=-1), "mean", 1, 0, 0),
        "expected": (expected_attention(q[:, :, :length], keys, values, theta), "mean", 1, SINKS, 0),
        "kvzip": (behind.amax(2), "max", 1, 0, 0),
        "laq": (without_window(observed.sum(2)), "mean", 7, 0, WINDOW),
        "speckv": (without_window(observed.amax(2)), "max", 7, 0, WINDOW),
        "lookahead": (behind.mean(2), "mean", 1, 0, 0),
        "oracle": (behind.mean(2), "mean", 1, 0, 0),
    }


def keep(scores, kv_heads, group, pool, first, last, budget):
    """Kept positions [B, G, C], increasing; None where rounding could decide between two of them."""
    batch, heads, length = scores.shape
    if heads != kv_heads:
        grouped = scores.reshape(batch, kv_heads, heads // kv_heads, length)
        scores = grouped.mean(2) if group == "mean" else grouped.amax(2)
    padded = torch.nn.functional.pad(scores, (pool // 2, pool // 2), value=-math.inf)
    pooled = padded.unfold(-1, pool, 1).amax(-1)
    position = torch.arange(length)
    always = (position < first) | (position >= length - last)
    ranked = torch.sort(pooled.masked_fill(always, math.inf), dim=-1, descending=True, stable=True)
    gap = ranked.values[..., budget - 1] - ranked.values[..., budget]
    if bool(((gap != 0) & (gap < 1e-4 * pooled.abs().amax())).any()):
        return None
    return ranked.indices[..., :budget].sort(-1).values


def make_case(case, seed):
    """Tensors of a case, or None where a kept set hangs on rounding."""
    generator = torch.Generator().manual_seed(seed)
    total = case["length"] + case["after"]

    def normal(heads):
        return torch.randn(case["batch"], heads, total, case["head_size"], generator=generator, dtype=F)

    # Rounded to float32 once: the same numbers for everyone.
    q = rotate(normal(case["heads"]) * 1.3 + 0.3, 0, case["theta"]).float()
    k = rotate(normal(case["kv_heads"]) * 1.3 - 0.2, 0, case["theta"]).float()
    v = normal(case["kv_heads"]).float()
    tensors = {"queries": q, "keys": k, "values": v}
    rules = {}
    for name, (scores, group, pool, first, last) in methods(q.to(F), k.to(F), v.to(F), case["length"], case["theta"]).items():
        kept = keep(scores, case["kv_heads"], group, pool, first, last, case["budget"])
        if kept is None:
            return None
        tensors[f"scores.{name}"] = scores.float()
        tensors[f"kept.{name}"] = kept
        rules[name] = dict(group=group, pool=pool, first=first, last=last)
    return tensors, rules


def write_safetensors(path, tensors):
    """8 bytes of header length, the header, the bytes: int64 first, so that all lie aligned."""
    types = {torch.int64: "I64", torch.float32: "F32"}
    order = sorted(tensors, key=lambda name: (tensors[name].dtype != torch.int64, name))
    header, body = {}, b""
    for name in order:
        tensor = tensors[name].contiguous()
        data = struct.pack(f"<{tensor.numel()}{'q' if tensor.dtype == torch.int64 else 'f'}", *tensor.flatten().tolist())
        header[name] = {"dtype": types[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    tensors, cases = {}, []
    for case in CASES:
        for seed in range(1000):
            made = make_case(case, seed)
            if made is not None:
                break
        else:
            sys.exit(f"case {case['name']}: every seed leaves a kept set to rounding")
        tensors |= {f"{case['name']}.{name}": tensor for name, tensor in made[0].items()}
        cases.append({**case, "seed": seed, "methods": made[1]})
    write_safetensors(out / "scores.safetensors", tensors)
    about = {
        "made_by": "tests/golden/make_scores.py",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "window": WINDOW,
        "horizon": HORIZON,
        "sinks": SINKS,
        "cases": cases,
    }
    (out / "scores.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
