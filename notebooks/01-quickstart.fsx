(**
# Keep 64 of 2,048: a first look at KV-cache eviction

A transformer that reads a long prompt keeps keys and values of every token, in every layer, for as long as it answers. Most answers look at
very few of them. *Eviction* throws the rest away right after the prompt is read. The whole question is: which ones?

You will

* see where a model's answer really looks, its *true importance*,
* throw away 97 % of the cache with two methods, SnapKV and LookaheadKV, and ask again,
* measure both on some more prompts and draw accuracy against budget.

It takes less than a minute on two CPU cores and uses a GPU where there is one. Before the first run, in the repository's root:
`dotnet build LookaheadKV.sln -c Release`.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"

open LookaheadKV.Evaluation
open LookaheadKV.FSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let model = Model.load "nano"
let config = model.Decoder.Config

printfn
    $"{config.Layers} layers, {config.QueryHeads} query heads on {config.KeyValueHeads} key/value heads of size {config.HeadSize}, context {config.MaxPositions}"

(**
`nano` is a small Llama that was trained for this project on long synthetic texts. It is a real model in a Hugging Face folder; any other
folder of that kind works in its place. The shipped one comes with trained *lookahead modules*, more on them below.

## A long text and a question

A sample is a text of about 2,048 tokens, a question, and the only right answer. In `multikey` the text holds many codes, and keys that are
half alike.
*)
let sample = model |> Model.sample "multikey" 2048 1L 3L

printfn $"{sample.PromptIds.Length} tokens"
printfn $"… {sample.Prompt.Substring(sample.Prompt.Length - 240)}"
printfn $"expected:{sample.Answer}"

(**
## The full cache answers

`Model.ask` reads the prompt, keeps what the policy says, and decodes greedily. The full policy keeps everything.
*)
let full = model |> Model.ask Policy.full sample.Prompt

printfn $"answer:{full.Text}"
printfn $"cache: {full.Report.KeptTokens} tokens, {full.Report.CacheBytes / 1024L} KiB"

(**
## Where the answer looks

Take the answer that the model just gave, and read off how much attention its tokens put on every prompt token: the *true importance* of the
token in that layer and head, `s_true[l,h,j] = (1/M) Σᵢ A[yᵢ, xⱼ]`. A row of the picture is a head, a column a stretch of the prompt. On the
right: the same as LookaheadKV predicts it *before* there is an answer. The scale is logarithmic.
*)
let lookahead = Policy.lookahead (Model.modules model)

let policies =
    [
        Policy.from "random"
        Policy.from "streaming"
        Policy.from "snapkv"
        lookahead
        Policy.from "oracle"
    ]

let anatomy = model |> Model.inspect policies (Tokens 64) sample

Notebook.figure "importance" (Figures.importances anatomy)

(**
A few bright places in a dark plane: that is why eviction can work at all. And which places are bright depends on the question, so no fixed
pattern (the first tokens, the last ones) will do. Here is one head in detail, the one that looks hardest at one place:
*)
let layer, head = Figures.sharpest anatomy

Notebook.figure "one-head" (Figures.overlay layer head anatomy)

(**
## Throw away 97 %

Both methods score every prompt token and keep the 64 best in every layer and key/value head.

* **SnapKV** looks back: it uses the attention of the prompt's last 32 tokens, smoothed over neighbours, and always keeps those 32.
* **LookaheadKV** looks ahead: it appends 32 trained tokens behind the prompt. They, with small LoRA weights that are active on these
  tokens only, were trained to attend where the answer will. After scoring they are gone, and decoding costs nothing extra.
*)
let evicted =
    [
        Policy.from "snapkv" |> Policy.budget (Tokens 64)
        lookahead |> Policy.budget (Tokens 64) |> Policy.pooling NoPooling
    ]

for policy in evicted do
    let answer = model |> Model.ask policy sample.Prompt
    let mark = if answer.Text = sample.Answer then "right" else "wrong"
    printfn $"{policy.Name}:{answer.Text} ({mark}), {answer.Report.CacheBytes / 1024L} KiB"

(**
How much of what the oracle would keep does each of them keep? The *oracle* ranks by true importance; it has seen the answer, so nothing real
can beat it by much.
*)
Notebook.figure "recall" (Figures.recall anatomy)

(**
The same on the text itself: the darker a token, the more heads keep it. Two policies, side by side.
*)
Notebook.html "text" (anatomy |> Keeping.only [ "snapkv"; "lookahead" ] |> TokenText.sideBySide)

(**
## One prompt proves nothing

So ask more, on three tasks: many codes, several codes at once, and a fact that leads to a second fact. Brackets are 95 % bootstrap intervals.
*)
let rows =
    model |> Model.compare policies [ 32; 64; 128 ] [ "multikey"; "multiquery"; "twohop" ] 4

printfn $"{Show.results ResultTable.Mean rows}"

Notebook.figure "accuracy" (Figures.accuracy ResultTable.Mean rows)

(**
Four prompts a task are few: look at the intervals before you believe an order. The command does the same at any size and writes a report:

    dotnet run --project src/LookaheadKV.Cli -c Release -- compare --model nano --report report

## Where to go

* Other budgets: `Policy.budget (Share 0.05)`, `Policy.budget (Bytes 500_000L)`.
* Other settings: `Policy.pooling (MaxPooling 7)`, `Policy.protect`, `Policy.grouping`.
* Your own model: `Model.load "path/to/a/huggingface/folder"`, then `lookahead train` for its modules.
*)
