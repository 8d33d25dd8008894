"""The importance that lookahead modules predict, computed with transformers and peft alone.

    pip install torch transformers peft safetensors
    python docs/predicted_importance.py MODEL MODULES IDS.json OUT.safetensors

MODEL is a Hugging Face folder, MODULES the folder that `lookahead train` wrote (adapter_config.json and adapter_model.safetensors as peft
reads them, the latter with `lookahead_embeddings` too; lookahead.json with the settings), IDS.json an array of token ids. OUT gets
`predicted` [layers, query heads, tokens], float32: the attention that the lookahead tokens behind the prompt pay to each of its tokens.
"""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM


def load(model_folder, module_folder):
    """The base model with the modules' LoRA, and the lookahead tokens' embeddings [n, width]."""
    # Eager attention is the one that gives its weights away.
    model = AutoModelForCausalLM.from_pretrained(str(model_folder), dtype=torch.float32, attn_implementation="eager")
    settings = json.loads((Path(module_folder) / "lookahead.json").read_text())
    if settings["rank"] > 0:
        model = PeftModel.from_pretrained(model, str(module_folder))
    embeddings = load_file(str(Path(module_folder) / "adapter_model.safetensors"))["lookahead_embeddings"]
    return model.eval(), embeddings


# How the rows' attention [1, H, n, N] becomes one score, by the name that lookahead.json has for it.
REDUCTIONS = {
    "mean": lambda attention: attention.mean(dim=2),
    "max": lambda attention: attention.amax(dim=2),
    "power": lambda attention: attention.double().pow(4).mean(dim=2).pow(0.25).float(),
}


@torch.no_grad()
def predicted_importance(model, embeddings, ids, rows="mean"):
    """Attention of the lookahead rows to each token of the prompt, reduced over the rows: [layers, query heads, tokens]."""
    reduce = REDUCTIONS[rows]
    prompt = torch.tensor([ids])
    length, count = prompt.shape[1], embeddings.shape[0]
    # The prompt's rows are the base model's: LoRA belongs to the lookahead rows alone, which run over the prompt's cache.
    if isinstance(model, PeftModel):
        with model.disable_adapter():
            cache = model(input_ids=prompt, use_cache=True).past_key_values
    else:
        cache = model(input_ids=prompt, use_cache=True).past_key_values
    behind = model(
        inputs_embeds=embeddings.unsqueeze(0),
        past_key_values=cache,
        position_ids=torch.arange(length, length + count).unsqueeze(0),
        use_cache=True,
        output_attentions=True,
    )
    # The softmax ran over prompt and lookahead tokens; the prompt's columns are taken afterwards: L x [1, H, n, N + n] -> [L, H, N].
    return torch.cat([reduce(weights[..., :length].float()) for weights in behind.attentions])


def main(model_folder, module_folder, ids_file, out):
    model, embeddings = load(model_folder, module_folder)
    settings = json.loads((Path(module_folder) / "lookahead.json").read_text())
    predicted = predicted_importance(model, embeddings, json.loads(Path(ids_file).read_text()), settings.get("rows", "mean"))
    save_file({"predicted": predicted.contiguous()}, out)
    print(f"predicted {list(predicted.shape)} -> {out}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
