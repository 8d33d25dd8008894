"""Holds the predicted importance of `lookahead importance` against that of docs/predicted_importance.py.

    python3 tests/golden/check_importance.py LOOKAHEAD OUT.json

LOOKAHEAD is the command (a published program, or the one under artifacts/). The shipped model comes with its modules; for the tiny folders of
tests/golden/families modules are trained for a few steps first, at a rate that makes them large. Fails where any head's importance differs by
more than 1e-4 of the head's largest, or by more than 1e-4. OUT.json gets the differences and the versions.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import safetensors
import torch
import transformers
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from predicted_importance import load, predicted_importance  # noqa: E402

NANO = ROOT / "src/LookaheadKV.Nano/models/nano"
FAMILIES = ["llama", "llama-biases", "llama-llama3", "qwen2", "qwen3", "mistral"]
LIMIT = 1e-4


def run(command, *arguments):
    subprocess.run([command, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def random_ids(seed, count, folder):
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    drawn = random.Random(seed)
    return [drawn.randrange(1, vocabulary) for _ in range(count)]


def train(command, folder, work):
    """Modules whose LoRA is not zero: 20 steps at a high rate."""
    data, out = work / "data.jsonl", work / "modules"
    data.write_text("".join(json.dumps({"prompt_ids": random_ids(seed, 40 + seed, folder)}) + "\n" for seed in range(8)))
    options = ["--steps", 20, "--batch", 2, "--learning-rate", 0.02, "--tokens", 6, "--rank", 3, "--max-response", 8, "--held-out", 0]
    run(command, "train", "--model", folder, "--data", data, "--out", out, "--device", "cpu", *options)
    return out


def check(command, name, folder, length, work):
    work.mkdir()
    ids = random_ids(2026, length, folder)
    (work / "ids.json").write_text(json.dumps(ids))
    modules = folder / "lookahead" if (folder / "lookahead").exists() else train(command, folder, work)
    out = work / "importance.safetensors"
    run(command, "importance", "--model", folder, "--modules", modules, "--ids", work / "ids.json", "--out", out, "--device", "cpu")
    ours = load_file(str(out))["predicted"]
    model, embeddings = load(folder, modules)
    theirs = predicted_importance(model, embeddings, ids)
    assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
    adapters = load_file(str(modules / "adapter_model.safetensors"))
    largest_b = max(float(tensor.abs().max()) for key, tensor in adapters.items() if "lora_B" in key)
    assert largest_b > 1e-3, f"{name}: the LoRA is as good as zero, so that this checks nothing of it"
    difference = (ours - theirs).abs()
    result = {
        "model": name,
        "tokens": length,
        "shape": list(ours.shape),
        "absolute": float(difference.max()),
        "relativeToLargestOfHead": float((difference.amax(-1) / theirs.amax(-1)).max()),
        "largestLoraB": largest_b,
    }
    print(json.dumps(result))
    assert result["absolute"] <= LIMIT and result["relativeToLargestOfHead"] <= LIMIT, result
    return result


def main(command, out):
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        results = [check(command, "nano", NANO, 700, work / "nano")]
        results += [check(command, name, ROOT / "tests/golden/families" / name, 150, work / name) for name in FAMILIES]
    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft, safetensors)}
    Path(out).write_text(json.dumps({"limit": LIMIT, "versions": versions, "results": results}, indent=2) + "\n")
    print(f"all within {LIMIT} -> {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
