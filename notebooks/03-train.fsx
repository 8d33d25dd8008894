(**
# Train LookaheadKV and watch predicted meet true

The modules of LookaheadKV are small: 32 token embeddings, and LoRA pairs that act on those 32 tokens alone. The model itself never changes.
Here they are trained from a random start, on the CPU in about two minutes, and looked at before, on the way, and after.

You will

* see what untrained lookahead tokens predict: little,
* train them to attend where the answer will, with the loss printed as it falls,
* compare predicted with true importance, head by head and as a calibration curve,
* measure on held-out prompts how much of the oracle's kept set they find, and why the part in the text is the one to look at.

It takes about two and a half minutes on two CPU cores. On a GPU it trains as the shipped modules were trained, which takes two minutes on an H100. Before the first run, in the
repository's root: `dotnet build LookaheadKV.sln -c Release`.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"

open LookaheadKV.FSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

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
        Training.shipped
    else
        { Training.settings with
            Steps = 350
            Batch = 8
            Lengths = [ 128; 128; 256; 1024 ] // many short prompts, and far ones to learn distance from
            LearningRate = 3e-3
        }

let modules = model |> Training.start settings
let untrained = model |> Training.start settings

let lengths = settings.Lengths |> List.map string |> String.concat ", "

printfn
    $"{settings.Module.ParameterCount model.Decoder.Config} parameters, {settings.Steps} steps of {settings.Batch} prompts, lengths {lengths}, on {model.Decoder.Device.``type``}"

(**
## Before

A prompt that was not trained on. On the left where the answer looks; on the right where 32 random tokens look.
*)
let sample = model |> Model.sample "multiquery" 1024 1L 3L

let look modules =
    model |> Model.inspect [ Policy.lookahead modules; Policy.from "oracle" ] (Tokens 64) sample

let before = look untrained

Notebook.figure "before" (Figures.importances before)

(**
## The training

A tenth of the way at a time, a copy of the modules is kept. What the copies find is measured below.
*)
let tenth = int64 settings.Steps / 10L
let copies = ResizeArray [ (0L, untrained) ]

let curve =
    model
    |> Training.run
        (fun point ->
            Training.everySteps tenth point

            if point.Step % tenth = 0L then
                copies.Add(point.Step, modules.Copy()))
        settings
        modules

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

The oracle keeps the 64 entries of highest true importance *s*, for each layer and key/value head: the set *O*. The prediction keeps the 64 of highest predicted importance: *P*. The
text *T* is every position but the first 4 and the last 60, which are the 64 that StreamingLLM keeps. Three shares, pooled over sixteen held-out prompts of 2,048 tokens, two of each task:

* **recall**: `|O ∩ P| / |O|`, of the whole set;
* **recall in the text**: `|O ∩ P ∩ T| / |O ∩ T|`;
* **attention in the text**: the same, each entry with its *s*, so that an entry that the answer looks at ten times as hard counts ten times.

Why not the first alone? It starts at a third, and three times a third is all there is: it *cannot* triple, not even for one who has read the answer. A quarter of the oracle's entries are first and
last tokens. Every row at the end of a prompt looks at them, whatever it asks, so that 32 random tokens find them too. And among 64 entries many are hardly looked at: the 64 best of a head whose
attention is spread thin are a matter of chance. What training must find is in the text, and matters as much as it is looked at.
*)
let shipped = Model.modules model

let measured =
    model |> Training.quality [ 64 ] 2048 16 [ yield! Seq.map snd copies; shipped ]

let before', after', reference =
    List.head measured, measured[copies.Count - 1], List.last measured

let whole (quality: LookaheadKV.Evaluation.PredictionQuality) =
    quality.Recall[64] |> Option.ofNullable |> Option.get

let inText (quality: LookaheadKV.Evaluation.PredictionQuality) =
    quality.TextRecall[64] |> Option.ofNullable |> Option.get

let attention (quality: LookaheadKV.Evaluation.PredictionQuality) =
    quality.TextAttention[64] |> Option.ofNullable |> Option.get

printfn
    $"""{Show.table
             [
                 "modules"
                 "KL"
                 "Spearman"
                 "recall"
                 "in the text"
                 "attention in the text"
             ]
             [
                 for name, quality in [ "untrained", before'; "trained here", after'; "shipped", reference ] ->
                     name
                     :: [
                         for value in
                             [
                                 quality.Divergence
                                 quality.Spearman
                                 whole quality
                                 inText quality
                                 attention quality
                             ] -> $"%.3f{value}"
                     ]
             ]}"""

let times measure = measure after' / measure before'
printfn $"times the start: recall %.2f{times whole}, in the text %.2f{times inText}, attention in the text %.2f{times attention}"

if times attention < 3.0 || times inText < 2.6 || whole after' < whole before' + 0.2 then
    failwith
        "training should triple the attention found in the text, find 2.6 times as many entries there, and add 0.2 to the recall of the whole set."

(**
From start to end. The dotted levels are the shipped modules.
*)
Notebook.figure
    "recall-by-steps"
    (TrainingFigures.recallBySteps 64 [ for (step, _), quality in Seq.zip copies measured -> step, quality ] ("shipped", reference))

(**
The same, layer by layer and head by head.
*)
Notebook.figure "recall-by-head" (TrainingFigures.recallByHead 64 [ "untrained", before'; "trained here", after'; "shipped", reference ])

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

* The command trains with checkpoints, resumes, and takes your own prompts: `lookahead train --model DIR --data prompts.jsonl --out modules`.
* Which of these choices matter (32 tokens, rank 8, all linear maps, the KL divergence, how long): the ablations in `docs/results/ablations.md`.
*)
