(**
# What it costs: eviction in theory and on the clock

Eviction is paid once, when the prompt has been read, and is paid back in two coins: memory at once, and time with every generated token. How much is
each of them, what *should* it be, and after how many tokens is a prompt even?

You will

* write down in six short formulas what a pass, a score, a selection, a compaction and a token must compute and move,
* measure the same things on the shipped model, and see how far from its floor each of them is,
* find the break-even length: the answer from which on eviction saves time too,
* do it again for a model of 8 billion parameters on a large GPU, from the formulas and from times that were measured there.

It takes about a minute on two CPU cores and uses a GPU where there is one. Before the first run, in the repository's root:
`dotnet build LookaheadKV.sln -c Release`.

Letters: `L` layers, `H` query heads, `G` key/value heads, `D` head size, `N` prompt tokens, `C` entries kept, `n` lookahead tokens, `W` SnapKV's window.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "MathNet.Numerics.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"

open System.IO
open LookaheadKV.Evaluation.Speed
open LookaheadKV.FSharp
open LookaheadKV.Models
open MathNet.Numerics.Statistics
open TorchSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let model = Model.load "nano"
let nano = model.Decoder.Config
let device = model.Decoder.Device
let onGpu = device.``type`` = DeviceType.CUDA

printfn $"L = {nano.Layers}, H = {nano.QueryHeads}, G = {nano.KeyValueHeads}, D = {nano.HeadSize}; float32"

(**
## Six formulas

A `Work` is operations and bytes. No program that does the same work is faster than its operations at the device's best rate, nor than its
bytes at the memory's: the larger of the two times is the *floor*. `SpeedFloor`, which `lookahead bench` divides by, knows it for a pass and for a token; the
rest is added here. Every formula takes the model's shape, and the bytes of a number where they matter.
*)
/// A pass over the prompt: two operations a weight and token, and the lower half of N×N attention weights, twice.
let prefill (shape: DecoderConfig) size N =
    {
        Operations = SpeedFloor.PrefillFlops(shape, N)
        Bytes = SpeedFloor.LinearWeights shape * float size
    }

/// n more rows through all layers, behind the prompt: what a longer pass takes more.
/// They attend to the prompt's keys and values, which are read.
let rows (shape: DecoderConfig) size n N =
    {
        Operations = SpeedFloor.PrefillFlops(shape, N + n) - SpeedFloor.PrefillFlops(shape, N)
        Bytes = float (N * shape.CacheBytesPerToken size)
    }

/// The attention weights of n rows on N positions, in float32: a product, and each weight written and read once.
let weights (shape: DecoderConfig) (n: int64) (N: int64) =
    let count = float shape.Layers * float shape.QueryHeads * float n * float N

    {
        Operations = 2. * count * float shape.HeadSize
        Bytes = 2. * 4. * count
    }

/// The best C of N scores a layer and key/value head: the scores are read, and sorted.
let selection (shape: DecoderConfig) (N: int64) =
    let count = float (shape.Layers * shape.KeyValueHeads) * float N

    {
        Operations = count * System.Math.Log2(float N)
        Bytes = 4. * count
    }

/// C entries a layer and head, read and written. A full cache is stored in the same way, with C = N.
let store (shape: DecoderConfig) size (C: int64) =
    {
        Operations = 0.
        Bytes = 2. * float (C * shape.CacheBytesPerToken size)
    }

/// A token on a cache of C entries: every weight of the model is read once, and the cache.
let token (shape: DecoderConfig) size (C: int64) =
    {
        Operations =
            2. * (SpeedFloor.LinearWeights shape + float shape.VocabularySize * float shape.Width)
            + 4. * float (shape.Layers * shape.QueryHeads * shape.HeadSize) * float C
        Bytes = SpeedFloor.DecodeBytes(shape, float C, size)
    }

(**
The methods are sums of these. StreamingLLM has no scores. SnapKV scores the last W rows, H2O all of them, though each row sees only what stands before it.
LookaheadKV sends n rows through the model first. Where they do not ride in the prompt's own pass, as on a CPU, the layers' weights are read
a second time for them.
*)
let streaming shape size C (_: int64) = store shape size C

let snapkv shape size C N =
    weights shape 32L N + selection shape N + store shape size C

let h2o shape size C N =
    0.5 * weights shape N N + selection shape N + store shape size C

let lookahead rides shape size C N =
    let again =
        {
            Operations = 0.
            Bytes = SpeedFloor.LinearWeights shape * float size
        }

    (if rides then 0. else 1.) * again
    + rows shape size 32L N
    + weights shape 32L N
    + selection shape N
    + store shape size C

let count = 64L

printfn
    $"""{Show.table
             [ "at N = 2,048, C = 64"; "Mop"; "MiB" ]
             [
                 for name, work in
                     [
                         "the pass", prefill nano 4 2048L
                         "storing everything", store nano 4 2048L
                         "streaming", streaming nano 4 count 2048L
                         "snapkv", snapkv nano 4 count 2048L
                         "lookahead", lookahead onGpu nano 4 count 2048L
                         "h2o", h2o nano 4 count 2048L
                         "a token on the full cache", token nano 4 2048L
                         "a token on 64 entries", token nano 4 count
                     ] -> [ name; $"%.0f{work.Operations / 1e6}"; $"%.1f{work.Bytes / 1048576.}" ]
             ]}"""

(**
Before any clock runs, the table says most of what follows. Lookahead's rows are 32 more behind 2,048, and all of its work is less than 3 % of the pass's operations. SnapKV,
whose rows are there already, does with a quarter of that. H2O lays down N² attention weights that the pass itself, on its fused kernel, never holds.

A token on 64 entries reads 3 % of the cache. What that is of all its bytes depends on the model: here the weights stay, and 38 % are saved.

## On the clock

The ceilings are measured too, the best of five tries: a large product, and a copy of 64 MiB, which a processor's own cache may hold in part. Then policies take turns on the same prompts, after two
rounds for warming up, since the first calls compile the layers. Times are medians of seven; on a machine with other work they wander by tens of percent, so they are rounded and
nothing here is built on them.
*)
let ceilings =
    let tries =
        List.init 5 (fun _ -> DeviceCeilings.Measure(device, torch.ScalarType.Float32))

    DeviceCeilings(tries |> List.map _.FlopsPerSecond |> List.max, tries |> List.map _.BytesPerSecond |> List.max)

printfn $"ceilings: %.1g{ceilings.FlopsPerSecond} operations and %.1g{ceilings.BytesPerSecond} bytes a second"

let lengths = [ 256; 512; 1024; 2048 ]

let policies =
    [
        Policy.from "streaming"
        Policy.from "snapkv"
        Policy.lookahead (Model.modules model) |> Policy.pooling NoPooling
        Policy.from "h2o"
    ]

let options = SpeedOptions(Runs = 7, WarmUp = 2, DecodeTokens = 32)

let measured = model |> Costs.measure options ceilings (int count) policies lengths

let of' name =
    measured |> List.filter (fun row -> row.Policy = name)

let names = measured |> List.map _.Policy |> Theme.order
let full = of' "full"

(**
### The pass
*)
Notebook.figure
    "prefill"
    (CostFigures.costs
        "A pass over the prompt"
        "prompt tokens"
        [
            CostFigures.measured "full" [ for row in full -> float row.Length, row.TtftMs ]
            CostFigures.floor
                "full"
                [
                    for row in full -> float row.Length, Costs.floor ceilings (prefill nano 4 (int64 row.Length))
                ]
        ])

(**
### Eviction

Scoring, selecting and storing, by the clock around them. `full` scores nothing, but a cache that nothing is thrown out of must be stored as well: what a
policy really adds is the distance to that line.
*)
let floors =
    Map
        [
            "full", (fun N -> store nano 4 N)
            "streaming", streaming nano 4 count
            "snapkv", snapkv nano 4 count
            "lookahead", lookahead onGpu nano 4 count
            "h2o", h2o nano 4 count
        ]

let evicting (row: SpeedRow) =
    row.EvictionMs |> Option.ofNullable |> Option.orElse (Option.ofNullable row.CostMs)

Notebook.figure
    "eviction"
    (CostFigures.costs
        "Scoring, selecting, storing"
        "prompt tokens"
        [
            for name in names do
                CostFigures.measured
                    name
                    [
                        for row in of' name do
                            match evicting row with
                            | Some time -> float row.Length, time
                            | None -> ()
                    ]

                CostFigures.floor name [ for N in lengths -> float N, Costs.floor ceilings (floors[name](int64 N)) ]
        ])

printfn
    $"""{Show.table
             ("ms, at N =" :: [ for N in lengths -> $"{N}" ] @ [ "÷ floor at 2048" ])
             [
                 for name in names ->
                     let times = of' name |> List.map (evicting >> Option.defaultValue nan)

                     name :: [ for time in times -> $"%.1f{time}" ]
                     @ [ $"%.0f{List.last times / Costs.floor ceilings (floors[name] 2048L)}" ]
             ]}"""

(**
The order of the formulas is the order of the clock, and from the shortest prompt to the longest H2O's line climbs about as N² does, the others' as N or less. But all are several times their floor, and
`streaming`, whose floor is next to nothing, hundreds of times. A floor knows nothing of launching an operator, of a softmax that goes over its rows more than once, of tensors made on
the way. For six small layers that overhead *is* the cost: the left ends of the measured lines are nearly flat.

### A token

A decoded token on the full cache at four lengths, and on what the policies left.
*)
let perToken = full |> List.map (fun row -> row.KeptTokens, row.DecodeMs)

let onKept =
    measured |> List.filter (fun row -> not (isNull row.Budget)) |> List.map _.DecodeMs

Notebook.figure
    "token"
    (CostFigures.proportions
        "A decoded token"
        "entries in the cache, a layer and head"
        [
            CostFigures.measured "full" perToken
            CostFigures.measured "64 kept" [ float count, Statistics.Median onKept ]
            CostFigures.floor
                "full"
                [
                    for entries in int count :: lengths -> float entries, Costs.floor ceilings (token nano 4 (int64 entries))
                ]
        ])

(**
## Bytes are exact

Times wander, bytes do not. The cache that a policy leaves is C entries for every layer and key/value head, to the byte, and the most that is ever held during the pass is that, with the room
reserved for the answer, and one full layer (with the lookahead rows, where they ride in the pass). If a formula and the storage differ, the notebook stops.
*)
for row in measured do
    let kept = if isNull row.Budget then int64 row.Length else count
    let predicted = kept * nano.CacheBytesPerToken 4

    if row.CacheBytes <> predicted then
        failwith $"{row.Policy} at {row.Length}: {row.CacheBytes} bytes are held, {predicted} were promised"

    let reserved = int64 options.Reserve * nano.CacheBytesPerToken 4
    let riding = if onGpu && row.Policy = "lookahead" then 32L else 0L

    let oneLayer =
        (int64 row.Length + riding) * nano.CacheBytesPerToken 4 / int64 nano.Layers

    if row.PeakCacheBytes <> predicted + reserved + oneLayer then
        failwith $"{row.Policy} at {row.Length}: {row.PeakCacheBytes} bytes at most, {predicted + reserved + oneLayer} were promised"

let kib bytes = $"{bytes / 1024L}"

printfn
    $"""{Show.table
             [ "N"; "full, KiB"; "64 kept"; "at most, full"; "at most, 64 kept" ]
             [
                 for whole, part in List.zip full (of' "lookahead") ->
                     [
                         $"{whole.Length}"
                         kib whole.CacheBytes
                         kib part.CacheBytes
                         kib whole.PeakCacheBytes
                         kib part.PeakCacheBytes
                     ]
             ]}"""

(**
## When is it even?

Eviction adds `cost` milliseconds to the first token and takes `saved` milliseconds off every later one. Answer and question grow both caches alike, so `saved` stays the same however long the
answer is, and the time is even after

    m = cost / saved = (eviction(N, C) - store(N)) / (token(N) - token(C)).

The memory is saved at once, whatever `m` is.
*)
let evenByFormula shape size ceilings (evict: int64 -> Work) (C: int64) (N: int64) =
    let least = Costs.floor ceilings
    Costs.breakEven (least (evict N) - least (store shape size N)) (least (token shape size N) - least (token shape size C))

let tokens even =
    match even with
    | Some count -> $"{count}"
    | None -> "never"

let even (row: SpeedRow) =
    let cost = Costs.ofEviction measured row |> Option.defaultValue nan

    let byFloor =
        evenByFormula nano 4 ceilings floors[row.Policy] count (int64 row.Length)

    $"{tokens (Costs.breakEven cost (Costs.savedByToken measured row))} ({tokens byFloor})"

printfn
    $"""{Show.table
             ([ "C = 64"; "cost, ms at 2048"; "saved, ms a token" ] @ [ for N in lengths -> $"even at {N}" ])
             [
                 for name in List.tail names ->
                     let row = of' name |> List.last
                     let cost = Costs.ofEviction measured row |> Option.defaultValue nan

                     [ name; $"%.1f{cost}"; $"%.1f{Costs.savedByToken measured row}" ] @ (of' name |> List.map even)
             ]}"""

(**
In brackets: what the floors say. On the longer prompts a handful of tokens pay for SnapKV, a few dozen for LookaheadKV, and H2O is even only behind answers of hundreds. A short prompt saves so
little a token that the clock can hardly tell it from nothing: "never" there would mean that a token on the small cache happened to take longer.

The same as a picture: the time to the last token of an answer, by its length. Where a line crosses the full cache's, it is even.
*)
Notebook.figure
    "even"
    (CostFigures.answers
        "Time after the pass, 2,048 tokens, 64 kept"
        60
        [
            for name in [ "full"; "streaming"; "snapkv"; "lookahead" ] do
                let row = of' name |> List.last

                let first =
                    if isNull row.Budget then
                        Some 0.
                    else
                        Costs.ofEviction measured row

                name, Option.defaultValue 0. first, row.DecodeMs
        ])

(**
## Eight billion parameters

The formulas do not care what is counted. Put in the shape of Llama-3.1-8B in bfloat16 and what one H100 was measured to do at best; two numbers,
which you may replace by those of your own card. There the lookahead rows ride in the prompt's pass, so that no weight is read twice for them.
*)
let eight = ModelShapes.Find "llama-3.1-8b"
let card = DeviceCeilings(FlopsPerSecond = 7.6e14, BytesPerSecond = 2.95e12)
let least = Costs.floor card

let long' = [ for power in 10..17 -> 1L <<< power ]

printfn
    $"""{Show.table
             [
                 "N"
                 "pass, ms"
                 "snapkv"
                 "lookahead"
                 "of the pass"
                 "storing all"
                 "token, full"
                 "C = 1,024"
                 "even after"
                 "GiB full"
                 "kept"
             ]
             [
                 for N in long' ->
                     let cost = least (lookahead true eight 2 1024L N)
                     let pass = least (prefill eight 2 N)

                     let gib entries =
                         float (entries * eight.CacheBytesPerToken 2) / 1073741824.

                     [
                         $"{N}"
                         $"%.0f{pass}"
                         $"%.2f{least (snapkv eight 2 1024L N)}"
                         $"%.2f{cost}"
                         $"%.2f{100. * cost / pass} %%"
                         $"%.2f{least (store eight 2 N)}"
                         $"%.2f{least (token eight 2 N)}"
                         $"%.2f{least (token eight 2 1024L)}"
                         tokens (evenByFormula eight 2 card (lookahead true eight 2 1024L) 1024L N)
                         $"%.2f{gib N}"
                         $"%.2f{gib 1024L}"
                     ]
             ]}"""

(**
Two things to see. From 4,096 tokens on the cost is less than a percent of the pass, and its share shrinks with N: rows times N against N². And the break-even stops at two tokens: 32 rows read the cache once, as
a token does, and lay down about as many bytes of weights as the full cache takes to be stored; all of it is in proportion to N, as is what a token saves. At N = C nothing is saved, and at
131,072 tokens the full cache is as large as the model's weights.

These are floors of *this way* of working. A kernel that never lays the weights down would go below SnapKV's, and a pass that writes keys straight into the cache below the full cache's storing.

What was measured on such a card, by `lookahead bench`, lies in `docs/results/speed`:
*)
let file name =
    Path.Combine(__SOURCE_DIRECTORY__, "..", "docs", "results", "speed", $"{name}.json") |> Costs.read

let cards =
    [ "lengths"; "rivals"; "64k"; "128k" ] |> List.collect (fun name -> (file name).Rows)

let costsOf name =
    [
        for row in cards |> List.filter (fun row -> row.Policy = name) |> List.sortBy _.Length do
            match Option.ofNullable row.CostMs with
            | Some cost -> row, cost
            | None -> ()
    ]

let onCard name =
    CostFigures.measured name [ for row, cost in costsOf name -> float row.Length, cost ]

/// What a policy's floor adds to the full cache's: a measured cost is such a difference.
let beyond name evict =
    CostFigures.floor
        name
        [
            for N in long' -> float N, least (evict eight 2 1024L N) - least (store eight 2 N)
        ]

Notebook.figure
    "card"
    (CostFigures.costs
        "Llama-3.1-8B's shape on an H100: the pass, and what eviction adds"
        "prompt tokens"
        [
            CostFigures.measured
                "full"
                [
                    for row in cards do
                        if row.Policy = "full" then
                            float row.Length, row.TtftMs
                ]
            CostFigures.measured
                "evicted"
                [
                    for row in cards do
                        if row.Policy = "lookahead" then
                            float row.Length, row.TtftMs
                ]
            onCard "lookahead"
            onCard "snapkv"
            CostFigures.floor "full" [ for N in long' -> float N, least (prefill eight 2 N) ]
            beyond "lookahead" (lookahead true)
            beyond "snapkv" snapkv
        ])

printfn
    $"""{Show.table
             [
                 "lookahead at N ="
                 "C"
                 "cost, ms"
                 "95 %"
                 "saved, floor"
                 "saved, measured"
                 "even after"
             ]
             [
                 for row, cost in costsOf "lookahead" ->
                     let bound =
                         least (token eight 2 (int64 row.Length)) - least (token eight 2 (int64 row.KeptTokens))

                     let low, high =
                         row.CostLowMs.GetValueOrDefault(), row.CostHighMs.GetValueOrDefault()

                     [
                         $"{row.Length}"
                         $"{int row.KeptTokens}"
                         $"%.1f{cost}"
                         $"%.0f{low} to %.0f{high}"
                         $"%.2f{bound}"
                         $"%.1f{Costs.savedByToken cards row}"
                         tokens (Costs.breakEven cost bound)
                     ]
             ]}"""

(**
`full` is the pass that keeps everything, `evicted` the same with LookaheadKV; the lines below are what LookaheadKV and SnapKV add, and the dotted ones their floors. From 16,384 tokens on the intervals reach below zero: a full layer
need not be copied, and what evicts a layer runs beside its feed-forward block. A logarithmic axis has no place for what is not above zero, so the last point is missing: there the pass with eviction was the *faster* one. At the
left end the opposite: up to 4,096 tokens the pass is over before the host has launched eviction's small operators, and the cost is theirs, 6 to 11 ms.

`even after` divides the measured cost by what a token saves *by the floor*. The measured saving is no use for that: in these runs a token was bound by the host, which takes 8 ms and more to launch a thousand kernels while the card
is done in 7, so that differences of a millisecond are the machine's mood. Recorded as a CUDA graph (`--execution graph`) a token takes 6.9 ms on 1,024 entries, 7.4 on 8,192 and 8.4 on 32,768: then the saving can be seen.

## What to take along

* Memory is saved at once and to the byte; that alone is why long prompts are evicted.
* Time: on one prompt and one answer, eviction by few rows is even after a few tokens to a few dozen, from 4,096 tokens on. Methods that read all rows are not.
* A share of the pass is a kind number: it falls with N by itself. Ask for milliseconds, at your length, with an interval.
* On your own machine: `lookahead bench --model nano --lengths 512,2048 --policies full,snapkv,lookahead --budgets 64`.

Next: [your own model](07-your-own-model.ipynb), [ablations](05-ablations.ipynb), [methods compared](04-methods.ipynb).
*)
