(**
# What eviction breaks

A table says *how often* a policy answers wrong. This notebook asks *why*: of the thousands of entries that were thrown away, which ones broke the answer? The question
has an exact answer per prompt, found by putting entries back.

You will

* collect prompts that the full cache answers right and an evicted one wrong,
* put dropped entries back, a sentence, a token, a head at a time, until the smallest set is left whose return mends the answer,
* read that set on the text, and count causes over a few dozen failures.

It takes under a minute on two CPU cores and uses a GPU where there is one. Before the first run, in the repository's root:
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
open LookaheadKV
open LookaheadKV.Evaluation.Tasks
open LookaheadKV.Eviction
open LookaheadKV.FSharp

// Tensors, kept sets, results and figures print as what they are.
Printers.register ()

let model = Model.load "nano"
let config = model.Decoder.Config

let cells =
    [
        for layer in 0 .. config.Layers - 1 do
            for head in 0 .. config.KeyValueHeads - 1 -> layer, head
    ]

(**
## The smallest set that mends

Let *mends S* say whether the answer is right once the entries S are back. Putting everything back mends by definition. From there, *delta debugging* (Zeller and
Hildebrandt, 2002) throws out ever smaller parts as long as the answer stays right. The result is minimal in this sense: without any single one of its members the answer is
wrong. It need not be the only such set, nor the smallest of all.
*)
let rec shrink parts mends (items: 'a list) =
    let size = max 1 ((items.Length + parts - 1) / parts)
    let chunks = List.chunkBySize size items

    let without chunk =
        chunks |> List.filter (fun other -> not (obj.ReferenceEquals(other, chunk))) |> List.concat

    match chunks |> List.tryFind (fun chunk -> chunks.Length > 1 && mends (without chunk)) with
    | Some chunk -> shrink (max 2 (parts - 1)) mends (without chunk)
    | None when size = 1 -> items
    | None -> shrink (min items.Length (2 * parts)) mends items

let smallest mends items = shrink 2 mends items

(**
Members are first whole sentences of the text (in all layers and heads), then single tokens of the sentences found, then (layer, head) cells of the tokens found. The
cache grows by what is put back: this is a diagnosis and not a policy. The control puts back as many *random* positions: if that mended answers too, the sets found would mean little.
*)
let random = System.Random 1

let randomPositions (length: int) count =
    List.init count (fun _ -> random.Next length)

type Failure =
    {
        Sample: TaskSample
        Tokens: string[]
        Kept: int[][][]
        Returned: int list
        Sentences: int
        Cells: (int * int) list
        Control: bool
    }

let diagnose (policy: EvictionPolicy) count (sample: TaskSample) =
    use trace = new PromptTrace(model.Decoder, sample.PromptIds, sample.AnswerIds)

    let kept =
        [|
            for set in PromptEviction.Select(policy, trace.Scores(policy, int64 count), int64 (count * config.Layers)) ->
                set.ToArrays() |> Array.map (Array.map int)
        |]

    let right (positions: int list) (where: (int * int) list) =
        let where = Set where

        let sets =
            [|
                for layer in 0 .. config.Layers - 1 ->
                    let heads: System.Collections.Generic.IReadOnlyList<int64>[] =
                        [|
                            for head in 0 .. config.KeyValueHeads - 1 ->
                                let own = kept[layer][head]

                                (if where.Contains((layer, head)) then
                                     Array.append own (List.toArray positions)
                                 else
                                     own)
                                |> Array.distinct
                                |> Array.sort
                                |> Array.map int64
                                :> System.Collections.Generic.IReadOnlyList<int64>
                        |]

                    KeptSet.Of(heads, model.Decoder.Device)
            |]

        use cache = trace.Evict(sets, int64 sample.AnswerIds.Length)
        let isRight = trace.Answers(cache, sample.AnswerIds)
        sets |> Array.iter _.Dispose()
        isRight

    let tokens = [| for id in sample.PromptIds -> model.Tokenizer.Token id |]

    // A token with a full stop or a line break ends a sentence.
    let sentences =
        tokens
        |> Array.scan
            (fun number token ->
                if token.Contains '.' || token.Contains '\n' then
                    number + 1
                else
                    number)
            0
        |> Seq.truncate tokens.Length
        |> Seq.indexed
        |> Seq.groupBy snd
        |> Seq.map (fun (_, members) -> members |> Seq.map fst |> List.ofSeq)
        |> List.ofSeq

    if Seq.toArray trace.Response <> sample.AnswerIds || right [] [] then
        None
    else
        let found = smallest (fun some -> right (List.concat some) cells) sentences
        let returned = smallest (fun some -> right some cells) (List.concat found)

        Some
            {
                Sample = sample
                Tokens = tokens
                Kept = kept
                Returned = returned
                Sentences = found.Length
                Cells = smallest (right returned) cells
                Control = right (randomPositions tokens.Length returned.Length) cells
            }

(**
## One failure, read closely

SnapKV at 64, the two-hop task: who carries what, and what that opens.
*)
let failures policy count tasks samples =
    [
        for task in tasks do
            for index in 0L .. samples - 1L do
                match model |> Model.sample task 2048 11L index |> diagnose policy count with
                | Some failure -> failure
                | None -> ()
    ]

let tasks = [ "multikey"; "multiquery"; "questionfirst"; "twohop"; "variables" ]
let broken = failures (Policy.from "snapkv") 64 tasks 6L
let one = broken |> List.find (fun failure -> failure.Sample.Task = "twohop")

let around (failure: Failure) position =
    let from = max 0 (position - 6)
    let before = failure.Tokens[from .. position - 1] |> String.concat ""
    $"…{before}[{failure.Tokens[position]}]{failure.Tokens[min (failure.Tokens.Length - 1) (position + 1)]}"

let question = one.Sample.Prompt.Substring(one.Sample.Prompt.LastIndexOf "Question")
printfn $"{question}{one.Sample.Answer}"
printfn $"tokens that mend it: {one.Returned.Length}, in sentences: {one.Sentences}, in heads: {one.Cells.Length} of {cells.Length}"

for position in one.Returned do
    printfn $"  %5d{position} {around one position}"

(**
On the text around them: what the policy kept, and beside it what had to come back (darkest).
*)
let returnedAlone =
    [|
        for layer in 0 .. config.Layers - 1 -> [| for _ in 1 .. config.KeyValueHeads -> List.toArray one.Returned |]
    |]

let atlas =
    Anatomy(
        one.Sample,
        one.Tokens,
        Array3D.zeroCreate config.Layers config.QueryHeads one.Tokens.Length,
        null,
        dict [ "snapkv", one.Kept; "what mends it", returnedAlone ] |> System.Collections.Generic.Dictionary,
        "64"
    )

Notebook.html "text" (atlas |> TokenText.part (List.min one.Returned - 80) (List.max one.Returned + 80))

(**
## Causes, counted

A returned token is a *value* if its text stands in the answer, a *key* if it stands in the question, both if in both, and *other* if in neither (a verb, a full stop, a link of a chain that is
never said). The test is on the text of the token and so can err by chance, for digits most of all. A median over so few failures is a description, no estimate.
*)
let causes (all: Failure list) =
    let words (text: string) =
        model.Tokenizer.Encode text |> Seq.map (fun id -> model.Tokenizer.Token(id).Trim()) |> Set

    let median (values: int list) = (List.sort values)[values.Length / 2]

    let line (task, (own: Failure list)) =
        let share isOf =
            let marks =
                [
                    for failure in own do
                        let asked =
                            failure.Sample.Prompt.Split '\n'
                            |> Array.filter (fun line -> line.Contains "Question:")
                            |> String.concat " "
                            |> words

                        let answered = words failure.Sample.Answer

                        for position in failure.Returned ->
                            let token = failure.Tokens[position].Trim()
                            isOf (asked.Contains token) (answered.Contains token)
                ]

            $"%.2f{marks |> List.averageBy (fun mark -> if mark then 1. else 0.)}"

        [
            task
            string own.Length
            own |> List.map _.Sentences |> median |> string
            own |> List.map _.Returned.Length |> median |> string
            own |> List.map _.Cells.Length |> median |> string
            share (fun asked answered -> asked && not answered)
            share (fun asked answered -> answered && not asked)
            share (fun asked answered -> asked && answered)
            share (fun asked answered -> not asked && not answered)
        ]

    Show.table
        [
            "task"
            "failures"
            "sentences"
            "tokens"
            "heads"
            "key"
            "value"
            "both"
            "other"
        ]
        (all |> List.groupBy _.Sample.Task |> List.map line)

printfn $"{causes broken}"

let controls = broken |> List.filter _.Control |> List.length
printfn $"control: as many random positions mend {controls} of {broken.Length}"

(**
And in which heads must the entries be back? The share of failures whose smallest set of heads holds the cell:
*)
let inHeads =
    [
        for layer in 0 .. config.Layers - 1 ->
            $"layer {layer}"
            :: [
                for head in 0 .. config.KeyValueHeads - 1 ->
                    let share =
                        broken
                        |> List.averageBy (fun failure -> if List.contains (layer, head) failure.Cells then 1. else 0.)

                    $"%.2f{share}"
            ]
    ]

printfn $"""{Show.table ("needed in" :: [ for head in 0 .. config.KeyValueHeads - 1 -> $"kv head {head}" ]) inHeads}"""

(**
What has to come back is mostly the *value*, and mostly into a head or two of layers 3 and 5: there this model fetches what it says. That a *key* is seldom needed does not say that keys do not
matter. By the time the last layers run, a value's entry has read its sentence: the name is in it already.

## What to take along

* An answer breaks on few entries: compare the median of tokens with the 1,984 that were dropped in each head.
* The same tokens are not needed everywhere: compare the heads that need them with the twelve there are. This is the room that better scores have.
* What is minimal for one policy's cache is not so for another's: what is put back works together with what is still there.

Next: [methods compared](04-methods.ipynb), [your own scorer](08-your-own-scorer.ipynb).
*)
