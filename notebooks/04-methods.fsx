(**
# Sixteen ways to forget

Every method of KV-cache eviction answers one question: *which entries will the answer need?* They differ in what they look at. This notebook
puts all of them on identical selection code, on the same prompts, and asks not only which wins, but why.

You will

* draw accuracy against budget for all policies, with intervals, and compare two policies *pairwise*, to see what a few prompts can tell and what not,
* see where in the model a policy misses: its recall of the oracle's set, layer by layer and head by head,
* see how adaptive heads and global budgets divide the same number of entries,
* read the prompt's own text with four policies' choices on it,
* take the question away, evict first and ask later, and watch the order of the methods turn over.

It takes about two minutes on two CPU cores, nearly all of it in the two comparisons, and uses a GPU where there is one. Before the first run,
in the repository's root: `dotnet build LookaheadKV.sln -c Release`.
*)
#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"

open System.IO
open LookaheadKV.Budgeting
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Tasks
open LookaheadKV.Methods
open LookaheadKV.FSharp
open LookaheadKV.Checkpoints
open LookaheadKV.Models

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let model = Model.load "nano"

// A smaller model with the same tokenizer: SpecKV lets it write a first answer.
let draft =
    Decoder.Load(ModelFolders.Draft(model.Folder), model.Decoder.Device, model.Decoder.DType)

let parts = PolicyParts((fun () -> Model.modules model), (fun () -> draft))

let policies names =
    names |> List.map (fun name -> Policy.parse parts name)

(**
## What each method looks at

| looks at | policies |
|---|---|
| nothing | `random`, `streaming` (the first 4 and the last) |
| keys alone | `keynorm` (small ones), `keydiff` (unusual ones) |
| what prompt tokens look at | `h2o` (all of them), `snapkv` (the last 32), `tova` (the last one) |
| the same, entries divided otherwise | `pyramidkv` (among layers), `adakv` (among heads) |
| what future queries would look at, on average | `expected` |
| rows that follow the prompt | `lookahead` (trained tokens), `speckv` (a small model's answer), `laq` (a first answer on an evicted cache), `kvzip` (a replay of the context) |
| the answer itself | `oracle`: not a method, but the bound of all of them |

## All of them, the question in the prompt

Three prompts of each of the eight tasks, 2,048 tokens each, exact answers. Every policy sees the same prompts, and one prefill of a prompt serves
them all.
*)
let window = [ "snapkv"; "adakv"; "pyramidkv"; "tova"; "h2o" ]
let blind = [ "random"; "streaming"; "keynorm"; "keydiff"; "expected" ]
let ahead = [ "lookahead"; "speckv"; "laq"; "kvzip" ]
let all = window @ blind @ ahead @ [ "oracle" ]

let run names budgets samples query =
    let options =
        CompareOptions(
            Policies = List.toArray (policies names),
            Budgets = [| for count in budgets -> Budget.Tokens count |],
            Tasks = TaskNames.All,
            Samples = samples,
            Seed = 7L,
            Query = query
        )

    Comparison.Run(model.Decoder, model.Encoder, options)

let aware = run all [ 32; 64; 256 ] 3 QueryMode.Aware
let rows = ResultTable.Summarise aware

printfn $"{Show.results ResultTable.Mean rows}"

(**
Brackets are 95 % bootstrap intervals of the mean over 24 prompts, drawn anew within each task. They are honest about chance among prompts like
these, and silent about everything else: one model, one language, one length. A score that is 0 or 1 on every prompt gets an interval of width
zero. Read that as "fewer than about one in eight" rather than as certainty: with 24 prompts, the rule of three allows 3/24.

Three families, each with the bounds and lookahead for reference:
*)
let shown family =
    rows
    |> Seq.filter (fun row -> row.Policy = "full" || List.contains row.Policy ([ "oracle"; "lookahead" ] @ family))

Notebook.figure "accuracy-window" (Figures.accuracy ResultTable.Mean (shown window))

(**
**What the prompt looks at is not what the answer looks at.** These five rank by attention that prompt tokens pay. SnapKV's 32 last tokens
include the question, so it keeps what the question names. It cannot keep what only the answer's *second* step needs: nobody has looked there
yet. At a budget of 32 its window is the whole budget, and the score is 0 by construction rather than by a bad score. H2O averages over
2,000 tokens of filler, TOVA over all heads at once.
*)
Notebook.figure "accuracy-blind" (Figures.accuracy ResultTable.Mean (shown blind))

(**
**Without a query, only the odd ones stand out.** Names and numbers have keys unlike the filler's, so `keydiff` finds many facts, though it
cannot know which of them will be asked for. With room for 256 entries that matters less. `keynorm` relies on a property of large models (their
most attended keys are small) that this small model does not have.
*)
Notebook.figure "accuracy-ahead" (Figures.accuracy ResultTable.Mean (shown ahead))

(**
**Whoever looks ahead wins.** All four put rows behind the prompt and keep what those rows look at. They differ in the rows: a real draft of the
answer (`speckv`, whose draft model was trained on these very tasks, its best case), a first try on a damaged cache (`laq`, wrong where the
damage is), the whole context again (`kvzip`, whatever will be asked), and trained tokens (`lookahead`), which were fitted to exactly this
question.

## Which task breaks whom

The mean hides the pattern. The same rows by task, at 64:
*)
let byTask =
    let cell policy task =
        rows
        |> Seq.find (fun row -> row.Policy = policy && row.Task = task && row.Budget = "64")
        |> fun row -> $"%.2f{row.Accuracy.Value}"

    Show.table
        ("at 64" :: List.ofSeq TaskNames.All)
        [
            for policy in Theme.order all -> policy :: [ for task in TaskNames.All -> cell policy task ]
        ]

printfn $"{byTask}"

(**
Three prompts a cell: 0.33 and 0.67 are one prompt apart, and no two neighbouring cells prove anything. What the table can show is a column or row of
zeros and ones. Four such patterns hold in longer runs too ([all methods, 80 prompts](../docs/results/rivals.md)):

* `single` needs one fact that the question names: SnapKV and Ada-KV solve it, as they were made to.
* `twohop` and `variables` need facts that only an earlier part of the *answer* names. Methods that look at the prompt mostly fail on them.
* `listall` has an answer of about a hundred tokens over the whole text. A draft of 32 tokens ends before it does, and `kvzip`'s replay does not save it either.
* `questionfirst` asks before the text. The window at the end holds no question at all.

## Two policies on the same prompts

Intervals of two policies may overlap although one is better on every prompt where they differ, because both share the prompts' luck. The right
question is about the *difference* on each prompt. 
*)
// How often chance alone splits so many fair coins at least as unevenly.
let signTest better worse =
    let n = better + worse

    let choose k =
        Seq.fold (fun product i -> product * float (n - i) / float (i + 1)) 1. [ 0 .. k - 1 ]

    let tail = [ 0 .. min better worse ] |> List.sumBy choose
    min 1. (2. * tail / 2. ** float n)

let difference (results: seq<PromptResult>) budget first second =
    let score policy =
        Map
            [
                for result in results do
                    if result.Policy = policy && result.Budget = budget then
                        (result.Task, result.Sample), result.Score.Value
            ]

    let one, two = score first, score second

    let groups =
        one
        |> Map.toList
        |> List.groupBy (fun ((task, _), _) -> task)
        |> List.map (fun (_, prompts) ->
            [| for key, value in prompts -> value - two[key] |] :> System.Collections.Generic.IReadOnlyList<float>)

    let struct (low, high) = Bootstrap.Interval(List.toArray groups)
    let mean = groups |> List.averageBy Seq.average
    let all = groups |> Seq.concat |> Seq.toList
    let better = all |> List.filter (fun d -> d > 0.) |> List.length
    let worse = all |> List.filter (fun d -> d < 0.) |> List.length

    [
        $"{first} - {second}"
        $"%+.2f{mean}"
        $"[%+.2f{low}, %+.2f{high}]"
        $"{better} : {worse}"
        $"%.3f{signTest better worse}"
    ]

let differences results (pairs: (string * string) list) =
    Show.table
        [ "at 64"; "difference"; "95 %"; "better : worse"; "sign test" ]
        [ for first, second in pairs -> difference results "64" first second ]

let pairs =
    [
        "lookahead", "speckv"
        "lookahead", "kvzip"
        "speckv", "kvzip"
        "kvzip", "laq"
        "laq", "snapkv"
        "adakv", "snapkv"
        "snapkv", "pyramidkv"
        "keydiff", "snapkv"
        "oracle", "lookahead"
    ]

printfn $"{differences aware pairs}"

(**
Read the last column first. The bootstrap draws prompts anew within a task, and where the three prompts of a task agree it sees no spread at all, so
its intervals are too narrow for so few. The sign test needs no spread: of the prompts on which the two differ, how uneven is the split, and how often would fair
coins be as uneven? Four to nothing happens by chance once in eight times. So these prompts do *not* settle lookahead against speckv or kvzip at 64, although
the bootstrap interval excludes 0; they do settle kvzip against laq and laq against snapkv. And where two policies never differ (oracle and lookahead here) nothing
was measured but that the task is too easy at this budget. A table of means with the largest in bold would hide all of this.

## Where in the model a policy misses

One prompt of the two-hop task, which needs a fact that the question does not name. For each policy, each layer and each key/value head: how much of
what the oracle keeps at 64 does the policy keep? A column is a head, `layer·head`.
*)
let sample = model |> Model.sample "twohop" 2048 7L 1L

let seen =
    model
    |> Model.inspect
        (policies
            [
                "oracle"
                "lookahead"
                "speckv"
                "laq"
                "kvzip"
                "snapkv"
                "h2o"
                "keydiff"
                "streaming"
                "random"
            ])
        (Tokens 64)
        sample

printfn $"""…{sample.Prompt.Substring(sample.Prompt.LastIndexOf "Question")}{sample.Answer}"""

Notebook.figure "recall-by-head" (KeptFigures.recall seen)

(**
**Recall is no accuracy.** `kvzip` and `speckv` answer most of these questions and still share only a part of the oracle's set, because most of
that set is not needed: the oracle ranks *all* attention of the answer, and much of it falls on places that carry nothing (the first token, full stops,
the last words). Streaming's recall comes from those alone. What decides are a few dozen entries, in a few heads, that hold the facts. A method may
miss 80 % of the oracle's set and none of those. Read recall together with accuracy, never for it.

**The heads are not alike.** In some heads every method agrees with the oracle more than in others: these heads look at the ends of the prompt, whatever is
asked. In the heads that fetch facts, the rows separate.

## Who gets how many entries

With even budgets every head keeps 64. Adaptive heads let the two heads of a layer compete; a pyramid gives more to the lower layers; a global
budget lets all heads of all layers compete. The sum is the same in each row: 64 × 12.
*)
let divided =
    model
    |> Model.inspect
        [
            Policy.from "snapkv"
            Policy.from "adakv"
            Policy.from "pyramidkv"
            Policy.from "snapkv" |> Policy.shared |> Policy.named "snapkv·all"
            Policy.lookahead (Model.modules model)
            Policy.lookahead (Model.modules model) |> Policy.adaptive |> Policy.named "look·heads"
            Policy.lookahead (Model.modules model) |> Policy.shared |> Policy.named "look·all"
            Policy.from "kvzip"
        ]
        (Tokens 64)
        sample

Notebook.figure "budget-by-head" (KeptFigures.counts divided)

for name in Theme.order divided.Kept.Keys do
    let total = divided.Kept[name] |> Seq.concat |> Seq.sumBy Array.length
    printfn $"%-11s{name} {total} entries"

(**
**Competition follows the scores, not the need.** A pool compares raw scores across heads, as if a unit of attention meant the same in all of them. Look at which heads
win and which end up with a handful, then at the figure before: the winners of one method are not the winners of another. Does it help the
answers? The budgets above, measured on the same 24 prompts:
*)
let shapes =
    [
        "snapkv"
        "adakv"
        "pyramidkv"
        "snapkv[layers=global]"
        "lookahead"
        "lookahead[heads=adaptive]"
        "lookahead[layers=global]"
    ]

let divisions = run shapes [ 64 ] 3 QueryMode.Aware

printfn $"{Show.results ResultTable.Mean (ResultTable.Summarise divisions)}"

printfn
    $"""{differences
             divisions
             [
                 "adakv", "snapkv"
                 "pyramidkv", "snapkv"
                 "snapkv[layers=global]", "snapkv"
                 "lookahead[heads=adaptive]", "lookahead"
                 "lookahead[layers=global]", "lookahead"
             ]}"""

(**
How entries are divided moves accuracy far less than what they are scored by. It cannot repair a score that does not know the fact.

## On the text itself

The end of the matter is a text with some words kept. The darker a token, the more of the 12 (layer, head) pairs keep it.
*)
let four = [ "snapkv"; "keydiff"; "kvzip"; "lookahead" ]

Notebook.html "text" (seen |> Keeping.only four |> TokenText.sideBySide)

(**
Look for the two facts of the answer, who carries what and what that opens. SnapKV marks the first (the question names the person) and the
neighbourhood of its window; `keydiff` and `kvzip` mark every fact of the text a little; lookahead marks the two that matter, and their look-alikes.

## The question comes later

A cache that is shared by many questions must be evicted before any of them is known. The same policies, scored on the context alone; the question
then follows untouched.
*)
let later = run all [ 64; 256 ] 2 QueryMode.Agnostic

printfn $"{Show.results ResultTable.Mean (ResultTable.Summarise(later, 0L, null, QueryMode.Agnostic))}"

let agnosticPairs =
    [
        "kvzip", "lookahead"
        "lookahead", "snapkv"
        "keydiff", "snapkv"
        "lookahead", "keydiff"
        "kvzip", "speckv"
        "oracle", "kvzip"
    ]

printfn $"{differences later agnosticPairs}"

(**
**The order turns over.** Two things happen at once. Methods that lived on the question (`snapkv`, `laq`, `speckv`, `lookahead`) lose it: there is no question
in the window, and a draft has nothing to answer. And methods that never used one keep what they had: `kvzip` now has the highest mean, though against
`lookahead` that is five prompts to none, which the sign test does not yet tell from chance, and `keydiff` and SnapKV differ on four prompts alone.
`lookahead` was trained on prompts that end with their question; here it is asked for something it never saw. It still answers more than SnapKV, since
facts attract its tokens with or without a question.

Sixteen prompts, two a task: trust the table of differences, not the third digit.

## What to take along

* Ask first whether the question is part of what is scored. No ranking of methods holds on both sides of that line.
* Methods that look ahead beat methods that look back, at any division of the budget. This model's tasks are made of facts that must be
  fetched, which favours them; on large models and free text the literature reports far smaller gaps.
* A difference on the same prompts says more than two intervals. Below a few dozen prompts, most differences between good methods are not there to be seen.

Next: [attention by hand](02-attention.ipynb), [your own scorer](08-your-own-scorer.ipynb), [what eviction breaks](09-what-eviction-breaks.ipynb).
*)
