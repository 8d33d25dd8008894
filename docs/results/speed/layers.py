"""Where a prompt's pass through 32 layers of Llama-3.1-8B's shape spends the GPU's time, with and without 32 observer rows behind it.

Runs the program that layers.fsx beside it writes, which is what the library compiles, under PyTorch's profiler, on random weights in bfloat16. Kinds of pass take turns, and
each figure is a median over the turns: the card's clock follows its power, and drifts by a few per cent.

    dotnet fsi docs/results/speed/layers.fsx > layers.txt
    python3 docs/results/speed/layers.py [--program layers.txt] [--length 8192] [--rounds 15] [--commit COMMIT, where there is no git] [--out FILE]
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess

import torch
from torch.profiler import ProfilerActivity, profile

E, F, H, G, D, RANK, LAYERS, OBSERVERS = 4096, 14336, 32, 8, 128, 8, 32, 32
ROOT = pathlib.Path(__file__).resolve().parents[3]


def layer_functions(program):
    """The product's TorchScript, in the names of PyTorch's Python front end."""
    names = "linear|silu_|silu|scaled_dot_product_attention"
    return torch.jit.CompilationUnit(re.sub(rf"(?<![\w.])torch\.({names})\(", r"torch._C._nn.\1(", program.read_text()))


def random(*shape):
    return (torch.randn(*shape, device="cuda") * 0.02).bfloat16()


NONE = torch.empty(0)


def weights():
    """By LayerSlots: weight and bias of q, k, v, output, gate, up, down, then the norms."""
    sizes = [(H * D, E), (G * D, E), (G * D, E), (E, H * D), (F, E), (F, E), (E, F)]
    norms = [1 + random(E), NONE, NONE, NONE, 1 + random(E), NONE]
    return [tensor for size in sizes for tensor in (random(*size), NONE)] + norms


def low_rank():
    """A, B and scale of each map; of maps that read the same rows in the place of the first."""
    pairs = [random(3 * RANK, E), random((H + 2 * G) * D, 3 * RANK), NONE] + 6 * [NONE]
    pairs += [random(RANK, H * D), random(E, RANK), NONE]
    pairs += [random(2 * RANK, E), random(2 * F, 2 * RANK), NONE] + 3 * [NONE]
    return pairs + [random(RANK, F), random(E, RANK), NONE]


def kind(event, rows):
    """What a kernel is there for, from its operator and the shapes it was given."""
    shapes = [shape for shape in event.input_shapes if shape]
    if "mm" in event.name:
        return "low-rank products" if all(shape[0] != rows for shape in shapes) else "products"
    if "attention" in event.name:
        return "attention"
    if "rms_norm" in event.name:
        return "norms"
    wide = any(shape[-1] == F for shape in shapes)
    return "gate" if wide else "rotation" if any(len(shape) == 4 for shape in shapes) else "other"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).with_suffix(".json"))
    arguments.add_argument("--program", type=pathlib.Path, default=pathlib.Path("layers.txt"))
    arguments.add_argument("--commit")
    arguments.add_argument("--length", type=int, default=8192)
    arguments.add_argument("--rounds", type=int, default=15)
    options = arguments.parse_args()
    torch.manual_seed(0)
    torch._C._jit_set_profiling_mode(False)
    functions = layer_functions(options.program)
    layers, pairs = [weights() for _ in range(8)], [low_rank() for _ in range(8)]  # eight in turn: more than the card's cache holds
    none = [NONE] * 21
    prompt = random(1, options.length + OBSERVERS, E) * 50

    def run(observers, lora):
        hidden = prompt[:, : options.length + observers].clone()
        cos, sin = (torch.ones(1, 1, hidden.size(1), D, device="cuda").bfloat16() for _ in range(2))
        for l in range(LAYERS):
            w, p = layers[l % 8], pairs[l % 8] if lora else none
            rows = functions.prompt_attend(hidden, w, p, observers, cos, sin, 1e-5, G, False)
            hidden = functions.prompt_feed(rows[3], w, p, observers, 1e-5, 8192)

    passes = {"prompt": (0, False), "with 32 rows behind it": (OBSERVERS, False), "with low-rank pairs on those": (OBSERVERS, True)}
    wall = {name: [] for name in passes}
    kernels = {name: [] for name in passes}
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    with torch.no_grad():
        for turn in range(options.rounds + 3):
            for name, (observers, lora) in passes.items():
                torch.cuda.synchronize()
                start.record()
                run(observers, lora)
                end.record()
                torch.cuda.synchronize()
                if turn >= 3:
                    wall[name].append(start.elapsed_time(end))
        for turn in range(options.rounds):
            for name, (observers, lora) in passes.items():
                with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], record_shapes=True) as seen:
                    run(observers, lora)
                    torch.cuda.synchronize()
                sums = {}
                for event in seen.events():
                    for kernel in event.kernels:
                        which = kind(event, options.length + observers)
                        sums[which] = sums.get(which, 0) + kernel.duration / 1e3
                kernels[name].append(sums)
    median = lambda values: round(statistics.median(values), 3)
    result = {
        "command": f"python3 docs/results/speed/layers.py --length {options.length} --rounds {options.rounds}",
        "commit": options.commit or subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip(),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "length": options.length,
        "rounds": options.rounds,
        "wall_ms": {name: median(values) for name, values in wall.items()},
        "over_prompt_ms": {name: [round(a - b, 2) for a, b in zip(values, wall["prompt"])] for name, values in wall.items() if name != "prompt"},
        "kernels_ms": {name: {which: median([turn.get(which, 0) for turn in turns]) for which in turns[0]} for name, turns in kernels.items()},
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
