(**
# Your own scorer in ten lines

A method of KV-cache eviction is a function from a layer's queries, keys and values to one number per head and position. Grouping, smoothing, budgets,
selection, compaction and decoding are the library's, the same for all methods. So a new idea costs ten lines, and comparing it with the
others costs one more.

You will

* write two scorers, one that needs no query and one that does, in F#,
* check the laws that every kept set must obey, on your own scorer, in the notebook,
* combine them with budgets, protection and adaptive heads,
* compare them with the shipped methods on the same prompts, with intervals, and see why one of them fails.

It takes about a minute on two CPU cores and uses a GPU where there is one. Before the first run, in the repository's root:
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
open LookaheadKV.Eviction
open LookaheadKV.FSharp
open LookaheadKV.Generation
open LookaheadKV.Models
open LookaheadKV.Methods
open LookaheadKV.Scoring
open TorchSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let model = Model.load "nano"

(**
## A scorer

`IPromptScorer` is handed one layer: queries `[B,H,N,D]`, keys and values `[B,G,N,D]`, rotated as attention used them. It gives back scores
`[B,H,N]` or `[B,G,N]` in float32, and higher means keep.

The idea: where neighbouring keys are alike, one of them can stand for the others. A position is worth keeping where its key *differs from the key before it*,

    s[g,j] = -cos(k_j, k_{j-1}).
*)
type Turn() =
    interface IPromptScorer with
        member _.Name = "turn"

        member _.Score(_, _, prompt: LayerRows) =
            use scope = torch.NewDisposeScope()
            let keys = prompt.Keys.``to`` torch.ScalarType.Float32 // [B,G,N,D]
            let before = keys.roll (1L, 2L) // position 0 sees the last key
            let scores = torch.nn.functional.cosine_similarity(keys, before, -1L).neg()
            scores.MoveToOuterDisposeScope() // [B,G,N]

(**
That is a method. As a policy it goes wherever the shipped ones go:
*)
let turn = Turn() |> Policy.ofScorer
let sample = model |> Model.sample "multikey" 2048 3L 0L
let answer = model |> Model.ask (turn |> Policy.budget (Tokens 64)) sample.Prompt

printfn $"{answer.Text} (expected:{sample.Answer}), {answer.Report.KeptTokens} of {answer.Report.PromptTokens} tokens kept"

(**
Two lines of the ten are about memory. `NewDisposeScope` frees the intermediate tensors when the scorer returns, and `MoveToOuterDisposeScope` hands the result on to the
caller. Without them a long run leaks.

## A second one, with a query

SnapKV sums the attention of the last 32 rows over positions. That treats all rows alike, though the last row is the one that will speak. Weight row
*i* by 2^(-(N-1-i)/h) instead: a half-life of *h* rows. `AttentionRows.ColumnSums` never materialises more rows than it must, and takes the weights.
*)
type Fading(halfLife: float, rows: int64) =
    interface IPromptScorer with
        member _.Name = "fading"

        member _.Score(_, _, prompt: LayerRows) =
            use scope = torch.NewDisposeScope()
            let length = prompt.Keys.size 2
            let rows = min rows length
            let last = prompt.Queries.narrow (2, length - rows, rows) // [B,H,R,D]
            let age = torch.arange (rows - 1L, -1L, -1L, torch.float32, last.device)
            let weights = age.mul((-log 2. / halfLife).ToScalar()).exp().unsqueeze 0L // [1,R]

            let sums =
                LookaheadKV.Attention.AttentionRows.ColumnSums(last, prompt.Keys, length - rows, weights = weights)

            sums.MoveToOuterDisposeScope() // [B,H,N]: grouping makes [B,G,N] of it

let fading =
    Fading(8., 32L)
    |> Policy.ofScorer
    |> Policy.pooling (MaxPooling 7)
    |> Policy.protect (Protection.LastTokens 8)

(**
## The laws, checked on the spot

Whatever the scores are, what is kept must obey some laws. The library enforces them for every scorer, which is worth seeing once. `PromptTrace` prefills a
prompt and remembers every layer's rows; from it any policy can be scored and selected as often as one likes.
*)
let trace = new PromptTrace(model.Decoder, sample.PromptIds)

let select (policy: EvictionPolicy) (count: int64) =
    let sets =
        PromptEviction.Select(policy, trace.Scores(policy, count), count * int64 model.Decoder.Config.Layers)

    [| for set in sets -> set.ToArrays() |] // [L][G] positions

let scores = trace.Scores(turn, 64L)
printfn $"layer 0: {Show.tensor scores[0]}"

let length = int64 sample.PromptIds.Length

let increasing (positions: int64[]) =
    Array.pairwise positions |> Array.forall (fun (a, b) -> a < b)

let laws (policy: EvictionPolicy) =
    let layers = trace.Scores(policy, 64L)
    let small, large = select policy 64L, select policy 96L
    let heads = Array.concat small

    let isProtected position =
        position < int64 policy.Protection.First || position >= length - int64 policy.Protection.Last

    let protectedPositions = [ 0L .. length - 1L ] |> List.filter isProtected

    let superset =
        Array.forall2 (fun few many -> Set.isSubset (Set few) (Set many)) heads (Array.concat large)

    // The lowest score that stays is no lower than the highest that goes, protected positions aside.
    let best layer head =
        let all = layers[layer].[0L, int64 head].cpu().data<float32>().ToArray()
        let stays = Set small[layer].[head]

        let free =
            Array.indexed all |> Array.filter (fun (position, _) -> not (isProtected (int64 position)))

        let kept, gone =
            free |> Array.partition (fun (position, _) -> stays.Contains(int64 position))

        Array.isEmpty kept || (kept |> Array.map snd |> Array.min) >= (gone |> Array.map snd |> Array.max)

    [
        "scores are finite", layers |> Seq.forall (fun layer -> layer.isfinite().all().item<bool>())
        "scores are float32, [1,G,N]",
        layers
        |> Seq.forall (fun layer ->
            layer.dtype = torch.ScalarType.Float32
            && layer.shape = [| 1L; int64 model.Decoder.Config.KeyValueHeads; length |])
        "every head keeps exactly its budget", heads |> Array.forall (fun head -> head.Length = 64)
        "positions are increasing", heads |> Array.forall increasing
        "positions are within the prompt", heads |> Array.forall (Array.forall (fun position -> position >= 0L && position < length))
        "what is protected is kept", heads |> Array.forall (fun head -> Set.isSubset (Set protectedPositions) (Set head))
        "the best are kept",
        Seq.allPairs [ 0 .. small.Length - 1 ] [ 0 .. small[0].Length - 1 ]
        |> Seq.forall (fun (l, h) -> best l h)
        "a larger budget keeps a superset", superset
        "twice the same", (Array.concat (select policy 64L) = heads)
    ]

for policy in [ turn; fading ] do
    printfn $"{policy.Name}"

    for law, holds in laws policy do
        let mark = if holds then "holds" else "BROKEN"
        printfn $"  %-36s{law} {mark}"

        if not holds then
            failwith $"{policy.Name}: {law}: broken"

(**
A script that breaks a law stops here. A score that is NaN has no rank, and it is refused rather than sorted somewhere:
*)
type Broken() =
    interface IPromptScorer with
        member _.Name = "broken"

        member _.Score(_, _, prompt: LayerRows) =
            torch.full_like (prompt.Keys.select (3L, 0L), nan.ToScalar())

try
    model
    |> Model.ask (Broken() |> Policy.ofScorer |> Policy.budget (Tokens 64)) sample.Prompt
    |> ignore

    failwith "NaN was ranked"
with :? LookaheadKV.InputException as refusal ->
    printfn $"refused: {refusal.Message}"

(**
## Adaptive heads for nothing

Selection is not the scorer's business, so every allocation works with every scorer. The heads of a layer may compete for its entries, layers may share one pool. The numbers
are entries that each `layer·head` keeps.
*)
let anatomy =
    model
    |> Model.inspect
        [
            fading
            fading |> Policy.adaptive |> Policy.named "fading·heads"
            fading |> Policy.pyramid |> Policy.named "fading·pyr"
            turn |> Policy.shared |> Policy.named "turn·all"
        ]
        (Tokens 64)
        sample

Notebook.figure "budget-by-head" (KeptFigures.counts anatomy)

(**
## Against the shipped ones

The same prompts for all, four of each of five tasks. The bounds belong into every comparison: the full cache says whether the model can do the task at all, and `random`
whether the score says more than nothing.
*)
let tasks = [ "single"; "multikey"; "multiquery"; "questionfirst"; "twohop" ]

let rivals =
    [
        Policy.from "random"
        Policy.from "keydiff"
        turn
        Policy.from "snapkv"
        fading
        Policy.lookahead (Model.modules model)
        Policy.from "oracle"
    ]

let rows = model |> Model.compare rivals [ 32; 64; 256 ] tasks 4

printfn $"{Show.results ResultTable.Mean rows}"

Notebook.figure "accuracy" (Figures.accuracy ResultTable.Mean rows)

(**
Twenty prompts give intervals as wide as the bands. What they do show:
*)
printfn
    $"""{Show.table
             ("at 256" :: tasks)
             [
                 for policy in rivals ->
                     policy.Name
                     :: [
                         for task in tasks ->
                             rows
                             |> Seq.find (fun row -> row.Policy = policy.Name && row.Budget = "256" && row.Task = task)
                             |> fun row -> $"%.2f{row.Accuracy.Value}"
                     ]
             ]}"""

(**
`turn` is near the floor, and that is a result: not every plausible idea is a method. `keydiff`, which asks the same question of the *mean* key instead of the neighbour's, gets
further. At 32 `fading` answers a fifth of the prompts, as `keydiff` does, and SnapKV none: it protects 8 tokens and not 32, so a budget of 32 leaves room to choose. At 64 and 256 the two are
within each other's intervals. A half-life is no substitute for seeing the answer, which is what separates both from `lookahead`.

## Why, in one figure

Recall of the oracle's set on one prompt, head by head:
*)
let why =
    model |> Model.inspect (Policy.from "oracle" :: rivals[.. rivals.Length - 2]) (Tokens 64) sample

Notebook.figure "recall-by-head" (KeptFigures.recall why)

(**
`turn` shares hardly more with the oracle than `random` does. Its scores explain it: in running text *every* key differs from its neighbour, as words differ. The filler turns as sharply as the
facts, so the ranking is nearly noise. The mean key, in contrast, *is* the filler, and what is unlike it is a fact.

The rows of `fading` and `snapkv` are nearly the same: they ask the same rows of the prompt. If a new scorer's row looks like an old one's, it will answer the same prompts.

## From a notebook to a method

* A method that reads rows behind the prompt implements `IObserverScorer`; one that must see all layers first implements `IWholePromptScorer`.
* [Add a method](../docs/add-a-method.md) shows the same in C#, with its test, and how it gets a name on the command line.
* The properties in `tests/LookaheadKV.Properties` put a scorer under all laws above and more, over random models, prompts and budgets.
*)
trace.Dispose()
