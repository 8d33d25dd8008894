(**
# Train LookaheadKV and watch predicted meet true

The modules of LookaheadKV are small: 32 token embeddings, and LoRA pairs that act on those 32 tokens alone. The model itself never changes.
Here they are trained from a random start, on the CPU in about a minute and a half, and looked at before and after.

You will

* see what untrained lookahead tokens predict: little,
* train them to attend where the answer will, with the loss printed as it falls,
* compare predicted with true importance, head by head and as a calibration curve,
* measure on held-out prompts how much of the oracle's kept set they find.

It takes about two minutes on two CPU cores. On a GPU it trains longer, and gets near the shipped modules. Before the first run, in the
repository's root: `dotnet build LookaheadKV.sln -c Release`.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.FSharp.dll"

open LookaheadKV.FSharp

let model = Model.load "nano"
let onGpu = model.Decoder.Device.``type`` = TorchSharp.DeviceType.CUDA

(**
## What is trained, and on what

For a prompt X and the model's own answer Y, the *true importance* of a prompt token is the attention that the answer's tokens put on it, for
every layer and head. The lookahead tokens stand behind the prompt, where the answer will, and their attention is the *prediction*. Both are
made to sum to 1 over the prompt; the loss is the divergence `KL(true ‖ predicted)`, the mean over layers and heads.

The prompts come from the training half of the synthetic tasks; everything below is measured on the other half.
*)
let settings =
    if onGpu then
        { Training.settings with
            Steps = 1500
            Batch = 16
            Length = 1024
        }
    else
        { Training.settings with
            Steps = 300
            Batch = 8
            Length = 256
            LearningRate = 4e-3
        }

let modules = model |> Training.start settings
let untrained = model |> Training.start settings

printfn
    $"{settings.Module.ParameterCount model.Decoder.Config} parameters, {settings.Steps} steps of {settings.Batch} prompts of {settings.Length} tokens"

(**
## Before

A prompt that was not trained on. On the left where the answer looks; on the right where 32 random tokens look.
*)
let sample = model |> Model.sample "multiquery" 1024 1L 3L

let look modules =
    model |> Model.inspect [ Policy.lookahead modules; Policy.oracle ] (Tokens 64) sample

let before = look untrained

Notebook.figure "before" (Figures.importances before)

(**
## The training
*)
let curve =
    model |> Training.run (Training.everySteps (int64 settings.Steps / 10L)) settings modules

Notebook.figure "loss" (Figures.loss curve)

(**
The loss jumps from step to step because the prompts do: each step asks another mix of tasks.

## After

The same prompt. The prediction was made without the answer.
*)
let after = look modules

Notebook.figure "after" (Figures.importances after)

(**
One head in detail, the one whose answer looks hardest at one place of the text:
*)
let layer, head = Figures.sharpest after

Notebook.figure "one-head" (Figures.overlay layer head after)

(**
Heat maps flatter: the eye finds what it looks for. The calibration curve asks the sober question. Take all entries whose predicted importance
is about 0.01; is their true importance 0.01? On the dotted diagonal it is.
*)
Notebook.figure "calibration" (TrainingFigures.calibration [ "before", before; "after", after ])

(**
## How much of the right set is found

The oracle keeps the 64 entries of highest true importance, for each layer and key/value head. Which share of them is among the 64 of highest
predicted importance? Sixteen held-out prompts of 2,048 tokens, two of each task; the shipped modules, which were trained for longer on longer prompts, beside ours.
*)
let measured =
    model |> Training.quality [ 64 ] 2048 16 [ untrained; modules; Model.modules model ]

let recall (quality: LookaheadKV.Evaluation.PredictionQuality) =
    quality.Recall[64] |> Option.ofNullable |> Option.get

printfn
    $"""{Show.table
             [ "modules"; "KL"; "Spearman"; "recall@64" ]
             [
                 for name, quality in List.zip [ "untrained"; "trained here"; "shipped" ] measured ->
                     [
                         name
                         $"%.3f{quality.Divergence}"
                         $"%.3f{quality.Spearman}"
                         $"%.3f{recall quality}"
                     ]
             ]}"""

let missed = 1.0 - recall measured[0]
let found = recall measured[1] - recall measured[0]

printfn
    $"recall at 64: %.2f{recall measured[1] / recall measured[0]} times what it was; of what was missed, %.2f{found / missed} is found now"

if found / missed < 0.3 then
    failwith $"the training should find 30 %% of what the untrained tokens miss; it found %.0f{100.0 * found / missed} %%."

(**
Untrained tokens already find a third: the first tokens and the last ones, which every row at the end of a prompt looks at. What matters for
an answer is in the rest, and that is what training finds. Perfect recall would be three times the start; nobody reaches it without having
seen the answer.
*)

(**
And does it answer? The prompt from above, on 64 of 1,024 tokens:
*)
for name, modules in
    [
        "untrained", untrained
        "trained here", modules
        "shipped", Model.modules model
    ] do
    let policy =
        Policy.lookahead modules |> Policy.budget (Tokens 64) |> Policy.pooling NoPooling

    let answer = model |> Model.ask policy sample.Prompt
    let mark = if answer.Text = sample.Answer then "right" else "wrong"
    printfn $"{name}:{answer.Text} ({mark})"

(**
## Where to go

* The command trains with checkpoints, resumes, and takes your own prompts: `lookahead train --model DIR --data prompts.jsonl`.
* Which of these choices matter (32 tokens, rank 8, all linear maps, the KL divergence, how long): the ablations in `docs/results/ablations.md`.
*)
