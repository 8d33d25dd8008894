"""Checks SmolLM2-135M-Instruct against Hugging Face transformers, from its GGUF file by way of `lookahead convert`.

    python3 check_with_transformers.py --model MODEL.gguf --reference DIR --command lookahead --out transformers-check.json

transformers loads the folder that `convert` writes (float32, CPU) and its tokenizer and chat template; what it says is compared with the recorded
answers of DIR (answers.json, tokens.json) and with what the command says from the GGUF file itself.
"""

import argparse
import json
import os
import shlex
import subprocess
import tempfile

import safetensors.torch
import tokenizers
import torch
import transformers

arguments = argparse.ArgumentParser()
arguments.add_argument("--model", required=True)
arguments.add_argument("--reference", required=True)
arguments.add_argument("--command", required=True)
arguments.add_argument("--out", required=True)
arguments = arguments.parse_args()


def lookahead(*words):
    subprocess.run([*shlex.split(arguments.command), *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def dump(path, value):
    with open(path, "w") as file:
        json.dump(value, file)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def texts_of(reference):
    entries = reference["cases"] if isinstance(reference, dict) and "cases" in reference else reference
    return [(e["text"], e["ids"]) if isinstance(e, dict) else tuple(e) for e in entries]


chats = load(os.path.join(arguments.reference, "answers.json"))
texts = texts_of(load(os.path.join(arguments.reference, "tokens.json")))

with tempfile.TemporaryDirectory() as folder:
    at = lambda name: os.path.join(folder, name)
    lookahead("convert", arguments.model, "--out", at("model"))
    model = transformers.AutoModelForCausalLM.from_pretrained(at("model"), dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(at("model"))
    same = {
        "texts": sum(tokenizer(text, add_special_tokens=False)["input_ids"] == list(ids) for text, ids in texts),
        "prompts": 0,
        "promptIds": 0,
        "greedyTransformers": 0,
        "greedyOurs": 0,
    }
    worst = {"transformersToReference": 0.0, "oursToTransformers": 0.0}
    for chat in chats:
        messages = [{"role": "user", "content": chat["user"]}]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        same["prompts"] += prompt == chat["prompt"]
        same["promptIds"] += ids == chat["ids"]
        with torch.no_grad():
            theirs = model(torch.tensor([chat["ids"]])).logits[0].float()
            greedy = model.generate(
                torch.tensor([chat["ids"]]), max_new_tokens=len(chat["greedy"]), do_sample=False, pad_token_id=tokenizer.pad_token_id or 0
            )[0, len(chat["ids"]):].tolist()
        same["greedyTransformers"] += greedy == chat["greedy"]
        top = theirs[-1][torch.tensor(chat["top_ids"])]
        worst["transformersToReference"] = max(worst["transformersToReference"], (top - torch.tensor(chat["top_logits"])).abs().max().item())
        dump(at("ids.json"), chat["ids"])
        lookahead("logits", "--model", arguments.model, "--ids", at("ids.json"), "--device", "cpu", "--out", at("logits.safetensors"), "--overwrite")
        ours = safetensors.torch.load_file(at("logits.safetensors"))["logits"]
        worst["oursToTransformers"] = max(worst["oursToTransformers"], (ours - theirs).abs().max().item())
        lookahead("generate", "--model", arguments.model, "--ids", at("ids.json"), "--device", "cpu", "--max-new-tokens", len(chat["greedy"]), "--json", at("answer.json"), "--overwrite")
        same["greedyOurs"] += load(at("answer.json"))["ids"] == chat["greedy"]

dump(
    arguments.out,
    {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "safetensors": safetensors.__version__,
        },
        "texts": len(texts),
        "chats": len(chats),
        "same": same,
        "largestDifferenceOfLogits": worst,
    },
)
print(open(arguments.out).read())
