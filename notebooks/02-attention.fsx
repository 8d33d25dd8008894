(**
# Attention by hand: from tensors to a smaller cache

Eviction is a short chain of small functions on tensors. This notebook walks along that chain on the layers of a real model, one step a cell, with
the shape of everything. Nothing here is special to the notebook: these are the functions that every policy of the library runs.

You will

* compute attention weights of a few rows from queries and keys, and check one of them by hand,
* read off the *true importance* of every prompt position and see what a head looks at,
* measure how much of the attention the C most attended positions hold,
* reduce query heads to key/value heads, smooth, select, and compact,
* verify that evicting an entry is the same as masking it, to rounding, and that evicting nothing changes no bit.

It takes about 20 seconds on two CPU cores and uses a GPU where there is one. Before the first run, in the repository's root:
`dotnet build LookaheadKV.sln -c Release`.

Letters: `B` rows of a batch, `H` query heads, `G` key/value heads, `N` prompt tokens, `M` answer tokens, `D` head size, `C` entries kept, `L` layers.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"

open LookaheadKV.Attention
open LookaheadKV.Evaluation
open LookaheadKV.Eviction
open LookaheadKV.FSharp
open LookaheadKV.Generation
open LookaheadKV.Models
open LookaheadKV.Passes
open LookaheadKV.Methods
open LookaheadKV.Scoring
open TorchSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let model = Model.load "nano"
let config = model.Decoder.Config

/// A small number, short.
let inline tiny value = (float value).ToString "0.0e-0"

// A question that needs two facts: who carries what, and what that opens.
let sample = model |> Model.sample "twohop" 2048 7L 1L
let trace = new PromptTrace(model.Decoder, sample.PromptIds, sample.AnswerIds)
let length = int64 sample.PromptIds.Length

printfn $"L = {config.Layers}, H = {config.QueryHeads}, G = {config.KeyValueHeads}, D = {config.HeadSize}, N = {length}"
printfn $"""{sample.Prompt.Substring(sample.Prompt.LastIndexOf "Question")}{sample.Answer}"""

(**
## Queries, keys and values

`PromptTrace` prefills a prompt and remembers what each layer's attention used. Keys and queries are already rotated (RoPE): position is part of a key, and a key that is moved
in storage still knows where it stood. That is why entries can be thrown out without renumbering the rest.
*)
let layer = 3
let rows = trace.Layers[layer]

printfn $"queries [B,H,N,D] {Show.tensor rows.Queries}"
printfn $"keys    [B,G,N,D] {Show.tensor rows.Keys}"
printfn $"values  [B,G,N,D] {Show.tensor rows.Values}"

(**
Four query heads share two key/value heads: query heads 0 and 1 read key/value head 0, heads 2 and 3 read head 1 (grouped-query attention). Only keys and
values are cached, so only they can be evicted, and a *pair* of query heads must agree on what stays.

## Attention of a few rows

The weight of row *i* on position *j* is

    A_h[i,j] = softmax_j (q_i · k_j / √D),   j ≤ i.

For N = 2,048 the whole matrix of one layer has 16 million weights; eviction never needs more than a few rows of it. `AttentionRows.Softmax` takes the
queries of those rows and the position of the first one. Here are the last four rows of the prompt:
*)
let lastFour = rows.Queries.narrow (2, length - 4L, 4L)
let weights = AttentionRows.Softmax(lastFour, rows.Keys, length - 4L)

printfn $"[B,H,R,N] {Show.tensor weights}"
printfn $"sum of a row: {Show.tensor (weights.sum -1L)}"
printfn $"row N-4 sees nothing of N-3..N-1: {Show.tensor (weights.[0, 0, 0].narrow(0, length - 4L, 4L))}"

(**
By hand, for query head 2 and the last row: its key/value head is 2 / (H/G) = 1.
*)
let byHand =
    let query = rows.Queries.[0, 2, length - 1L] // [D]
    let keys = rows.Keys.[0, 1] // [N,D]
    keys.matmul(query).div((sqrt (float config.HeadSize)).ToScalar()).softmax -1L

let gap = (byHand - weights.[0, 2, 3]).abs().max().item<float32>()
printfn $"largest difference: {tiny gap}"

if gap > 1e-5f then
    failwith "the two softmaxes differ"

(**
## True importance

Which entries does the *answer* need? Let the model answer on its full cache, and average the attention of the answer's M rows on each prompt position:

    s_true[h,j] = (1/M) Σᵢ A_h[y_i, x_j].

The answer's rows attend to the prompt *and* to the answer so far. The softmax runs over both, and the prompt's columns are taken afterwards, so a row's sum
over the prompt is at most 1. The rows follow the prompt through the layers; `Observe` carries them.
*)
let answers = ResizeArray<LayerRows>()
trace.Observe(ResponseRows trace.Response, fun _ _ rows -> answers.Add(rows.Detach()))

let answer = answers[layer]
let answerLength = answer.Queries.size 2

let attention =
    AttentionRows.Softmax(answer.Queries, answer.KeysBehind rows.Keys, length) // [B,H,M,N+M]

let importance = attention.narrow(-1L, 0L, length).mean [| 2L |] // [B,H,N]

printfn $"answer of M = {answerLength} tokens: {model.Tokenizer.Decode(trace.Response, false)}"
printfn $"attention  [B,H,M,N+M] {Show.tensor attention}"
printfn $"importance [B,H,N]     {Show.tensor importance}"
printfn $"the share that falls on the prompt, by head: {Show.tensor (importance.sum -1L)}"

let whole = Inspection.Importance(trace, Oracle()) // [L,H,N]: the same for all layers
let same = (whole.[layer] - importance.[0]).abs().max().item<float32>()
printfn $"the library's own: {Show.tensor whole}, largest difference {tiny same}"

if same > 1e-5f then
    failwith "importance by hand is not the library's"

(**
## What a head map looks like

A row of the picture is a query head, a column a stretch of the prompt, the colour is the importance on a logarithmic scale.
*)
let anatomy =
    model
    |> Model.inspect
        [
            Policy.from "oracle"
            Policy.from "snapkv"
            Policy.lookahead (Model.modules model)
        ]
        (Tokens 64)
        sample

Notebook.figure "importance" (Figures.importance "True importance" anatomy.TrueImportance)

(**
Three kinds of heads can be told apart by eye: *edge* heads, whose light falls on the first tokens and the last ones; *diffuse* heads, a grey row without a peak;
and *fetching* heads, dark with a few bright points. The bright points should be the facts. Here are the five positions with the largest importance in each of the sharpest heads, read as
text (the first and last 32 positions left out, for they draw attention whatever they say):
*)
let words position =
    [ max 0 (position - 3) .. position + 1 ] |> Seq.map (fun i -> anatomy.Tokens[i]) |> String.concat ""

let inside = [ 32 .. int length - 33 ]

let peaks =
    [
        for l in 0 .. config.Layers - 1 do
            for h in 0 .. config.QueryHeads - 1 ->
                l, h, inside |> List.sortByDescending (fun j -> anatomy.TrueImportance[l, h, j]) |> List.truncate 5
    ]
    |> List.sortByDescending (fun (l, h, top) -> anatomy.TrueImportance[l, h, List.head top])

for l, h, top in List.truncate 4 peaks do
    printfn $"layer {l}, head {h}"

    for j in top do
        printfn $"  %5d{j}  %.3f{anatomy.TrueImportance[l, h, j]}  …{words j}"

(**
Each line shows the position's token last but one, with three before it. Compare them with the answer.

## How much do the best C hold?

If attention were even, 64 of 2,048 positions would hold 3 % of it. Sort the positions of each head by importance, and add up.
*)
Notebook.figure "mass" (KeptFigures.mass "Attention held by the C most attended positions" anatomy.TrueImportance)

(**
The curve is the upper bound of every method *per head*. Where it is high at 64, eviction to 64 can be nearly free. Where it is low, a head spreads its attention, and cutting
it changes the head's output; whether the answer suffers is another question, since a diffuse head often averages what does not matter. The numbers at 64, layer by layer:
*)
let headRow l h =
    Array.init (int length) (fun j -> anatomy.TrueImportance[l, h, j])

let heldBy (kept: int[]) l h =
    let row = headRow l h
    float (kept |> Array.sumBy (fun j -> row[j])) / float (Array.sum row)

let perGroup = config.QueryHeads / config.KeyValueHeads

let layerMean held =
    [
        for l in 0 .. config.Layers - 1 -> [ 0 .. config.QueryHeads - 1 ] |> List.averageBy (held l)
    ]

let lines =
    [
        yield "best 64 of each query head", layerMean (fun l h -> (Keeping.topShares (headRow l h))[63])
        for policy in [ "oracle"; "lookahead"; "snapkv" ] do
            yield $"kept by {policy}", layerMean (fun l h -> heldBy anatomy.Kept[policy].[l].[h / perGroup] l h)
        yield "even attention", [ for _ in 1 .. config.Layers -> 64. / float length ]
    ]

printfn
    $"""{Show.table
             ("share of the answer's attention" :: [ for l in 0 .. config.Layers - 1 -> $"layer {l}" ])
             [
                 for name, shares in lines -> name :: [ for share in shares -> $"%.2f{share}" ]
             ]}"""

(**
From the first line to the second is the price of grouping: two query heads that want different positions share 64 entries.

## One score a key/value head

`Grouping.Reduce` makes `[B,G,N]` of `[B,H,N]`, by mean or maximum. The mean favours what both heads want, the maximum what one of them wants badly.
*)
let mean =
    Grouping.Reduce(importance, int64 config.KeyValueHeads, GroupReduction.Mean)

let most =
    Grouping.Reduce(importance, int64 config.KeyValueHeads, GroupReduction.Max)

printfn $"mean [B,G,N] {Show.tensor mean}"
printfn $"max  [B,G,N] {Show.tensor most}"

(**
## Neighbours

`Pooling` lets a position inherit from its neighbours, so that phrases stay whole. A single bright position becomes a run of seven.
*)
let pooled = (Pooling.Max 7).Apply mean

let bright =
    int (mean.[0, 0].narrow(0, 32L, length - 64L).argmax().item<int64>()) + 32

let near (scores: torch.Tensor) =
    scores.[0, 0].narrow(0, int64 bright - 4L, 9L).cpu().data<float32>().ToArray()
    |> Array.map (fun value -> $"%.3f{value}")
    |> String.concat " "

printfn $"around position {bright}, alone:  {near mean}"
printfn $"around position {bright}, pooled: {near pooled}"

(**
## Selection

The best 64 of each key/value head, with the last eight protected as a *set*: their scores are not touched, they are joined to the set before anything is ranked.
*)
let kept = Selection.Top(mean, 64L, Protection.LastTokens 8)
let plain = Selection.Top(mean, 64L)

printfn $"protected: {Show.kept kept}"
printfn $"plain:     {Show.kept plain}"

(**
## Compaction

Kept keys and values are copied into storage of their own, so that dropping the full layer frees its memory. Their positions travel along.
*)
let compact = Compaction.Keep(rows.Keys, rows.Values, plain)

printfn $"keys      {Show.tensor compact.Keys}"
printfn $"positions {Show.tensor compact.Positions}"
let before = (rows.Keys.numel () + rows.Values.numel ()) * rows.Keys.element_size ()
printfn $"{before} bytes before, {compact.Bytes} after"

(**
## Evicting is masking

An entry that is gone must act like one that was never seen, a logit of -∞. So attention over the 64 entries has to equal attention over all 2,048 with a mask. Any
difference would be a bug: a wrong position, a wrong head, a key set to zero in place of gone.
*)
let distance (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float32>()

let compared =
    [
        for l in 0 .. config.Layers - 1 do
            let rows = trace.Layers[l]
            let query = answers[l].Queries.narrow(2, 0L, 1L) // the answer's first row, [B,H,1,D]
            let scores = Grouping.Reduce(whole.[l].unsqueeze 0L, int64 config.KeyValueHeads)
            let stays = Selection.Top(scores, 64L)
            let mask = stays.Mask length // [B,G,N]
            let small = Compaction.Keep(rows.Keys, rows.Values, stays)
            let evicted = FusedAttention.Visible(query, small.Keys, small.Values, null)

            let masked =
                FusedAttention.Visible(query, rows.Keys, rows.Values, mask.unsqueeze 2L)

            let full = FusedAttention.Visible(query, rows.Keys, rows.Values, null)

            let zeroed =
                FusedAttention.Visible(query, rows.Keys * mask.unsqueeze -1L, rows.Values, null)

            let grouped =
                query.reshape (1L, int64 config.KeyValueHeads, int64 perGroup, int64 config.HeadSize)

            let logits =
                grouped.matmul(rows.Keys.transpose (2L, 3L)).div((sqrt (float config.HeadSize)).ToScalar())

            if distance evicted masked > 1e-5f then
                failwith $"layer {l}: evicting is not masking"

            yield
                [
                    $"layer {l}"
                    tiny (distance evicted masked)
                    tiny (distance zeroed masked)
                    tiny (distance full masked)
                    $"%.1f{logits.max().item<float32>()}"
                ]
    ]

printfn $"""{Show.table [ "against masked"; "evicted"; "zeroed keys"; "full"; "largest logit" ] compared}"""

(**
The first column is rounding: sums in another order. The third is what eviction really changes in that layer, for this row. The second is a classic mistake: a key that is set
to zero is *not* missing. Its logit is 0, e⁰ = 1, and it takes part. Where logits are moderate the mistake is as large as eviction itself. In a layer whose largest logit is near 90, a logit of 0
weighs nothing in float32 and the mistake is invisible: a check on that layer alone would have passed it.
*)
(**
## The whole model, bit by bit

Keeping every position must give the very logits of the full cache; keeping 64 must not. The last check of the chain, on the answer:
*)
let logits (policy: EvictionPolicy) =
    use session = Session.Start(model.Decoder, sample.PromptIds, policy)
    session.Append trace.Response

let fullLogits = logits Policy.full
let keepAll = logits (Policy.from "snapkv" |> Policy.budget (Tokens(int length)))
let keepSome = logits (Policy.from "oracle" |> Policy.budget (Tokens 64))

printfn $"keeping all {length}: {tiny (distance fullLogits keepAll)}"

printfn
    $"keeping 64:       {tiny (distance fullLogits keepSome)}, the same words: {fullLogits.argmax(-1L).equal(keepSome.argmax -1L).all().item<bool>()}"

if distance fullLogits keepAll <> 0f then
    failwith "evicting nothing changed a bit"

(**
Ninety-seven percent of the cache are gone, the logits have moved, and the words are the same: the margin of the right token is wider than the damage. Where it is not, an answer breaks.
[What eviction breaks](09-what-eviction-breaks.ipynb) looks at those; [methods compared](04-methods.ipynb) asks who predicts the bright points best.
*)
trace.Dispose()
