"""Golden values of the model families: tiny random-weight folders and what transformers makes of them.

    python3 tests/golden/make_families.py OUT_DIR      (needs torch and transformers 5; CPU, a minute)

writes OUT_DIR/families/<case>/: config.json, the weights (float32, one case in shards), and expected.safetensors with
    ids           [N]     the prompt
    logits        [N, V]  float32, one pass over the prompt
    bf16_argmax   [N]     most likely tokens with bfloat16 weights and activations
    greedy        [64]    greedy continuation with a cache, float32
and OUT_DIR/families.json: the versions, and what each case is. Half of the configurations are rewritten by hand in the form of transformers 4
(rope_theta, rope_scaling, torch_dtype); transformers itself must read the same model from them.
"""

import json
import platform
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers import LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

VOCABULARY, PROMPT, ANSWER = 192, 150, 64
SIZES = dict(
    vocab_size=VOCABULARY,
    hidden_size=48,
    intermediate_size=80,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    bos_token_id=None,
    eos_token_id=None,
    pad_token_id=None,
)
ORIGINAL = 64  # context before scaling: less than half of the prompt

LINEAR = dict(rope_type="linear", factor=4.0)
DYNAMIC = dict(rope_type="dynamic", factor=4.0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=ORIGINAL)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=ORIGINAL)
YARN_MSCALE = YARN | dict(mscale=1.2, mscale_all_dim=0.7, beta_fast=8.0, beta_slow=0.5, truncate=False)
YARN_FACTOR = YARN | dict(attention_factor=1.3, beta_fast=4.0)


def llama(theta=10_000.0, rope=None, **options):
    return LlamaConfig, options, dict(rope_theta=theta) | (rope or dict(rope_type="default"))


def qwen2(theta=1_000_000.0, rope=None, **options):
    return Qwen2Config, options, dict(rope_theta=theta) | (rope or dict(rope_type="default"))


def qwen3(theta=1_000_000.0, rope=None, **options):
    return Qwen3Config, options, dict(rope_theta=theta) | (rope or dict(rope_type="default"))


def mistral(theta=10_000.0, rope=None, **options):
    return MistralConfig, options, dict(rope_theta=theta) | (rope or dict(rope_type="default"))


# name: (form of the configuration, shards?, model)
CASES = {
    "llama": (5, False, llama(head_dim=16, rms_norm_eps=1e-5)),
    "llama-shards": (4, True, llama(theta=500_000.0)),
    "llama-biases": (5, False, llama(attention_bias=True, mlp_bias=True)),
    "llama-linear": (4, False, llama(rope=LINEAR, max_position_embeddings=ORIGINAL, tie_word_embeddings=True)),
    "llama-dynamic": (5, False, llama(rope=DYNAMIC, max_position_embeddings=ORIGINAL, tie_word_embeddings=True)),
    "llama-llama3": (4, False, llama(rope=LLAMA3, tie_word_embeddings=True)),
    "llama-yarn": (5, False, llama(rope=YARN_MSCALE, tie_word_embeddings=True)),
    "qwen2": (4, False, qwen2(tie_word_embeddings=True)),
    "qwen2-yarn": (5, False, qwen2(rope=YARN, max_position_embeddings=ORIGINAL, tie_word_embeddings=True)),
    "qwen3": (5, False, qwen3(head_dim=16, tie_word_embeddings=True)),
    "qwen3-yarn": (4, False, qwen3(head_dim=24, attention_bias=True, rope=YARN_FACTOR, tie_word_embeddings=True)),
    "mistral": (4, False, mistral(sliding_window=None, head_dim=16)),
    "mistral-window": (5, False, mistral(sliding_window=40)),
}


def weights(model, seed):
    """Weights with which attention is far from uniform, norms and biases matter, and the most likely tokens stand out."""
    generator = torch.Generator().manual_seed(seed)

    def normal(parameter):
        return torch.randn(parameter.shape, generator=generator)

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(1 + 0.2 * normal(parameter))
            elif name.endswith("bias"):
                parameter.copy_(0.4 * normal(parameter))
            elif "embed_tokens" in name or "lm_head" in name:
                size = torch.randn(parameter.shape[0], 1, generator=generator).mul(0.8).exp()
                parameter.copy_(normal(parameter) * size)
            else:
                gain = 0.7 if "o_proj" in name or "down_proj" in name else 1.2
                parameter.copy_(normal(parameter) * gain / parameter.shape[1] ** 0.5)


def rewrite(path):
    """config.json of transformers 5 in the form that transformers 4 wrote."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype", "float32")
    path.write_text(json.dumps(config, indent=2) + "\n")


def load(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()


@torch.no_grad()
def expected(folder, ids):
    # A model each: dynamic scaling leaves its frequencies behind.
    logits = load(folder)(ids).logits[0].float()
    brain = load(folder, torch.bfloat16)(ids).logits[0].float()
    greedy = load(folder).generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=ANSWER, min_new_tokens=ANSWER, do_sample=False, pad_token_id=0
    )
    assert greedy.shape[1] == PROMPT + ANSWER and logits.isfinite().all()
    return dict(
        ids=ids[0].int(),
        logits=logits.contiguous(),
        bf16_argmax=brain.argmax(-1).int(),
        greedy=greedy[0, PROMPT:].int().contiguous(),
    )


def make(root, name, seed, form, shards, model):
    kind, options, rope = model
    config = kind(**(SIZES | options), rope_parameters=rope)
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    made = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    weights(made, seed)
    made.save_pretrained(folder, **(dict(max_shard_size="60KB") if shards else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    assert (folder / "model.safetensors.index.json").exists() == shards
    ids = torch.randint(VOCABULARY, (1, PROMPT), generator=torch.Generator().manual_seed(seed + 1000))
    values = expected(folder, ids)
    if form == 4:
        rewrite(folder / "config.json")
        with torch.no_grad():
            assert torch.equal(load(folder)(ids).logits[0].float(), values["logits"]), f"{name}: another model in the form of transformers 4"
    agreement = (values["logits"].argmax(-1) == values["bf16_argmax"]).float().mean().item()
    save_file(values, folder / "expected.safetensors")
    print(f"{name:16} form {form}  bf16 argmax = float32 argmax at {agreement:.3f}  different greedy tokens {len(set(values['greedy'].tolist()))}")
    return dict(form=form, shards=shards, architecture=made.config.architectures[0], rope=rope, bf16_as_float32=round(agreement, 4))


def main(out):
    torch.set_num_threads(4)
    root = Path(out) / "families"
    cases = {name: make(root, name, seed, *case) for seed, (name, case) in enumerate(CASES.items())}
    versions = dict(python=platform.python_version(), torch=torch.__version__, transformers=transformers.__version__)
    (Path(out) / "families.json").write_text(json.dumps(dict(versions=versions, cases=cases), indent=2) + "\n")
    print(sum(f.stat().st_size for f in root.rglob("*") if f.is_file()), "bytes in all")


if __name__ == "__main__":
    main(sys.argv[1])
