#I "../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.FSharp.dll"

open System.IO
open LookaheadKV.FSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let file name =
    Path.Combine(__SOURCE_DIRECTORY__, "..", "docs", "results", "ablations", $"{name}.json")

let study name = file name |> Studies.read

let predicted = [ "kl", ""; "recall@64", "" ]
let answered = [ "accuracy", "32"; "accuracy", "64" ]
printfn "\u0001cell"

let tokens = study "tokens"

printfn $"{Studies.table (predicted @ answered) tokens}"

Notebook.figure "tokens" (Studies.figure "Share of the oracle's set, by lookahead tokens" "recall@64" "" tokens)
printfn "\u0001cell"

let rank = study "rank"

printfn $"{Studies.table (predicted @ answered) rank}"

Notebook.figure "rank" (Studies.figure "Exact answers on 64 kept entries, by rank" "accuracy" "64" rank)
printfn "\u0001cell"

let targets = study "targets"

printfn $"{Studies.table (predicted @ answered) targets}"
printfn "\u0001cell"

let objective = study "objective"

printfn $"""{Studies.table (("spearman", "") :: predicted @ answered) objective}"""

Notebook.figure "objective" (Studies.figure "Exact answers on 64 kept entries, by loss" "accuracy" "64" objective)
printfn "\u0001cell"

let steps = study "steps"

printfn $"{Studies.table (predicted @ answered) steps}"

Notebook.figure "steps" (Studies.figure "Share of the oracle's set, by training steps" "recall@64" "" steps)

printfn $"""{study "responses" |> Studies.table (predicted @ answered)}"""
printfn "\u0001cell"

let scoring = study "scoring"

printfn $"{Studies.table answered scoring}"
printfn "\u0001cell"

file "tokens"
|> Studies.query
    """
    pivot (select task, tokens, value from cells where metric = 'accuracy' and budget = '64' and task <> 'mean')
    on tokens in (1, 4, 16, 64) using round(avg(value), 2)
    order by "1" desc, task
    """
|> StudyQuery.show
|> printfn "%s"
printfn "\u0001cell"

let model = Model.load "nano"

let own =
    model
    |> Studies.run
        """{"name": "mine", "seeds": [0], "grid": {"rank": [0, 1, 8]},
            "defaults": {"steps": 30, "batch": 4, "trainLength": 256, "length": 512, "samples": 1, "policies": ["lookahead[pool=none]"]}}"""

printfn $"""{Studies.table (predicted @ [ "accuracy", "64" ]) own}"""
printfn "\u0001cell"
