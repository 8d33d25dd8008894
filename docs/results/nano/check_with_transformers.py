"""Checks the shipped model against Hugging Face transformers: tokens, logits and greedy answers must agree.

    python3 check_with_transformers.py --model FOLDER --command "dotnet run ... --" --out transformers-check.json

FOLDER is the model's Hugging Face folder, the command the `lookahead` program. Logits are compared in float32 on the CPU.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

import safetensors.torch
import tokenizers
import torch
import transformers

arguments = argparse.ArgumentParser()
arguments.add_argument("--model", required=True)
arguments.add_argument("--command", required=True)
arguments.add_argument("--out", required=True)
arguments.add_argument("--samples", type=int, default=3)
arguments.add_argument("--seed", type=int, default=77)
arguments = arguments.parse_args()


def lookahead(*words):
    subprocess.run([*shlex.split(arguments.command), *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def dump(path, value):
    with open(path, "w") as file:
        json.dump(value, file)


def load(path):
    with open(path) as file:
        return json.load(file)


model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
names = "single multikey multivalue multiquery questionfirst twohop variables listall".split()
worst, answers, prompts, tokens = 0.0, 0, 0, 0

with tempfile.TemporaryDirectory() as folder:
    at = lambda name: os.path.join(folder, name)
    samples = []
    for task in names:
        lookahead("tasks", "--model", arguments.model, "--task", task, "--length", 2048, "--samples", arguments.samples, "--seed", arguments.seed, "--out", at("t.jsonl"))
        with open(at("t.jsonl")) as file:
            samples += [json.loads(line) for line in file]
    texts = [s["prompt"] + s["answer"] for s in samples]
    dump(at("texts.json"), texts)
    lookahead("tokenize", "--model", arguments.model, "--texts", at("texts.json"), "--out", at("ids.json"))
    for text, ids in zip(texts, load(at("ids.json"))):
        tokens += int(tokenizer(text, add_special_tokens=False)["input_ids"] == ids and tokenizer.decode(ids) == text)
    for sample in samples:
        ids = sample["prompt_ids"]
        dump(at("p.json"), ids)
        common = ["--model", arguments.model, "--ids", at("p.json"), "--device", "cpu", "--dtype", "float32"]
        lookahead("logits", *common, "--out", at("l.safetensors"))
        lookahead("generate", *common, "--policy", "full", "--max-new-tokens", 80, "--json", at("g.json"))
        ours = safetensors.torch.load_file(at("l.safetensors"))["logits"]
        with torch.no_grad():
            theirs = model(torch.tensor([ids])).logits[0]
            generated = model.generate(torch.tensor([ids]), max_new_tokens=80, do_sample=False, pad_token_id=2)[0, len(ids):].tolist()
        assert ours.shape == theirs.shape and ours.isfinite().all() and theirs.isfinite().all()  # max() would hide a NaN
        worst = max(worst, ((ours - theirs).abs().max() / theirs.abs().max()).item())
        answers += int(load(at("g.json"))["ids"] == generated)
        prompts += 1

result = {
    "prompts": prompts,
    "equal_tokenizations": tokens,
    "worst_relative_logit_difference": worst,
    "equal_greedy_answers": answers,
    "command": " ".join(["python3", *sys.argv]),
    "seed": arguments.seed,
    "device": "CPU, float32",
    "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "torch": torch.__version__, "safetensors": safetensors.__version__},
}
with open(arguments.out, "w") as file:
    file.write(json.dumps(result, indent=2) + "\n")
print(json.dumps(result, indent=2))
sys.exit(0 if answers == prompts == tokens and worst <= 1e-3 else 1)
