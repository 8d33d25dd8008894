(**
# What of it matters: ablations

LookaheadKV has choices: how many lookahead tokens, LoRA of which rank on which maps, which loss, how long. Which of them carry the method?

You will

* read seven studies that were run on a GPU with three seeds each, 96 trainings and measurements, and see what each finds,
* run a small study of your own, here, in about a minute,
* see how the command runs large ones, in pieces that may be killed.

It takes a minute and a half on two CPU cores. Before the first run, in the repository's root: `dotnet build LookaheadKV.sln -c Release`.
*)
#I "../artifacts/bin/LookaheadKV.Reports/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"
#r "LookaheadKV.Reports.dll"

open System.IO
open LookaheadKV.FSharp
open LookaheadKV.Reports

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let file name =
    Path.Combine(__SOURCE_DIRECTORY__, "..", "docs", "results", "ablations", $"{name}.json")

let study name = file name |> Studies.read

let predicted = [ "kl", ""; "recall@64", "" ]
let answered = [ "accuracy", "32"; "accuracy", "64" ]

(**
A study is a file: settings, values to vary, seeds. Its results lie beside it, a file a cell. ± is half the 95 % interval of the mean over three
seeds; with so few it is wide, and that is what three seeds can say.

## How many tokens

Each lookahead token stands for some tokens of the answer to come. One alone must look everywhere at once.
*)
let tokens = study "tokens"

printfn $"{Studies.table (predicted @ answered) tokens}"

Notebook.figure "tokens" (Studies.figure "Share of the oracle's set, by lookahead tokens" "recall@64" "" tokens)

(**
The paper's saturation at 32 is there for recall: 16, 32 and 64 tokens find as much as each other.

## LoRA, and the tokens without it

`rank 0` trains the tokens alone; `trained lora` leaves the tokens at their random start.
*)
let rank = study "rank"

printfn $"{Studies.table (predicted @ answered) rank}"

Notebook.figure "rank" (Studies.figure "Exact answers on 64 kept entries, by rank" "accuracy" "64" rank)

(**
LoRA matters, its rank does not: here rank 1 does what rank 16 does. The paper's "wider helps" is not confirmed at this size of model.

## Which linear maps
*)
let targets = study "targets"

printfn $"{Studies.table (predicted @ answered) targets}"

(**
Attention's four maps do what all seven do. The intervals of the answers overlap throughout: do not read an order into them.

## Which loss
*)
let objective = study "objective"

printfn $"""{Studies.table (("spearman", "") :: predicted @ answered) objective}"""

Notebook.figure "objective" (Studies.figure "Exact answers on 64 kept entries, by loss" "accuracy" "64" objective)

(**
Here is a lesson about metrics. By rank correlation and by recall the reversed divergence is *better*; by answers it is much worse. It is right about
the many small entries, and wrong about the few that carry the answer. Measure answers.

## How long, and on whose responses
*)
let steps = study "steps"

printfn $"{Studies.table (predicted @ answered) steps}"

Notebook.figure "steps" (Studies.figure "Share of the oracle's set, by training steps" "recall@64" "" steps)

printfn $"""{study "responses" |> Studies.table (predicted @ answered)}"""

(**
Every doubling of the training helps. Whose responses are used makes no difference on this model, and none could be expected: it says what the
data set says.

## What is made of the scores

One set of modules, the shipped one; only what happens between scores and kept set changes.
*)
let scoring = study "scoring"

printfn $"{Studies.table answered scoring}"

(**
Pooling hurts where answers are scattered tokens: neighbours take their places. A suffix window (`window`) of 8 buys nothing that the modules have not found; one of 32 takes all 32 places there are. How a
group's query heads become one score (`group`), and whether a layer's heads compete (`heads`), changes nothing beyond the intervals.

## Ask the cells themselves

A table of means hides what it averages. `StudyQuery.ofFile` asks the cells in SQL (DuckDB's): the table `cells` has a row a number, with all settings of its
cell, its seed, policy, budget, task, metric and value. Which tasks need many lookahead tokens? Exact answers on 64 kept entries, a column for each number
of tokens:
*)
file "tokens"
|> StudyQuery.ofFile
    """
    pivot (select task, tokens, value from cells where metric = 'accuracy' and budget = '64' and task <> 'mean')
    on tokens in (1, 4, 16, 64) using round(avg(value), 2)
    order by "1" desc, task
    """
|> StudyQuery.show
|> printfn "%s"

(**
One fact is found by a single token; a chain, or everything at once, by many.

## A study of your own

Three trainings of 30 short steps, far from convergence: enough to see that tokens alone learn slower than tokens with LoRA.
*)
let model = Model.load "nano"

let own =
    model
    |> Studies.run
        """{"name": "mine", "seeds": [0], "grid": {"rank": [0, 1, 8]},
            "defaults": {"steps": 30, "batch": 4, "trainLength": 256, "length": 512, "samples": 1, "policies": ["lookahead[pool=none]"]}}"""

printfn $"""{Studies.table (predicted @ [ "accuracy", "64" ]) own}"""

(**
One seed has no interval; the ± 0 is no precision. For more, write the JSON into a file and run

    lookahead ablate --study mine.json

which can be killed and called again, split by `--shard 2/12` over processes and machines that share a folder, merged by `--merge`, and asked by `--query "select … from cells"`. [On a cluster with Slurm](../docs/slurm.md) the shards are a job array.
*)
