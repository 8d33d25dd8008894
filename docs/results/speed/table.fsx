(*
The tables and figures of ../speed.md from the files beside, after a build: dotnet fsi docs/results/speed/table.fsx
Everything behind the line "## Tables" is written anew.
*)
#I "../../../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"
#load "../tables.fsx"

open System
open System.Globalization
open System.IO
open System.Text.Json
open LookaheadKV.Evaluation.Speed
open LookaheadKV.FSharp
open LookaheadKV.Models
open Tables

CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture

let read name =
    use document =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(__SOURCE_DIRECTORY__, name + ".json")))

    document.RootElement.Clone()

let results name =
    (read name).GetProperty("results").EnumerateArray() |> List.ofSeq

let number (name: string) (row: JsonElement) =
    match row.TryGetProperty name with
    | true, value when value.ValueKind = JsonValueKind.Number -> Some(value.GetDouble())
    | _ -> None

let text (name: string) (row: JsonElement) =
    match row.GetProperty name with
    | value when value.ValueKind = JsonValueKind.Null -> "all"
    | value -> value.ToString()

let show digits value =
    value |> Option.map (fun (x: float) -> x.ToString $"F{digits}") |> Option.defaultValue ""

let origin name =
    let run (key: string) =
        (read name).GetProperty("run").GetProperty(key).GetString()

    $"""`{run "command"}` (commit {(run "commit")[..6]}; {run "device"})"""

/// Whole passes.
let passes name =
    let row (row: JsonElement) =
        let ratio time floor =
            Option.map2 (/) (number time row) (number floor row) |> show 2

        let cost =
            match number "costMs" row, number "costLowMs" row, number "costHighMs" row with
            | Some cost, Some low, Some high -> $"%.1f{cost} (%.1f{low} to %.1f{high})"
            | _ -> ""

        let share =
            number "costShare" row
            |> Option.map (fun share -> $"%.1f{100.0 * share} %%")
            |> Option.defaultValue ""

        [
            text "policy" row
            text "budget" row
            text "length" row
            number "ttftMs" row |> show 1
            ratio "ttftMs" "prefillFloorMs"
            cost
            share
            number "firstStepMs" row |> show 1
            number "decodeMs" row |> show 2
            ratio "decodeMs" "decodeFloorMs"
        ]

    [
        ""
        $"### {name}"
        ""
        origin name
        ""
        yield!
            results name
            |> List.map row
            |> table
                [
                    "policy"
                    "budget"
                    "prompt"
                    "first token ms"
                    "÷ floor"
                    "cost ms (95 %)"
                    "cost"
                    "first step ms"
                    "decode ms"
                    "÷ floor"
                ]
    ]

/// Device memory of processes that ran one prompt length, beside what the shape says.
let memory names =
    let gibibytes bytes = $"%.2f{bytes / 1073741824.0}"

    let row name =
        let file = read name
        let own = (results name).Head
        let get key = number key own |> Option.get

        // Lookahead's 32 rows, a reserve of 8 tokens and the one that is timed by itself, bfloat16.
        let predicted =
            PrefillMemory.Predict(ModelShapes.Find "llama-3.1-8b", int64 (get "length"), 32L, get "keptTokens", 9L, 2)

        let device = get "deviceBytes" - (number "contextBytes" file |> Option.get)

        [
            text "length" own
            gibibytes device
            gibibytes (float predicted.Total)
            $"%.1f{100.0 * (device / float predicted.Total - 1.0)} %%"
            for part in
                [
                    predicted.Weights
                    predicted.Activations
                    predicted.FullLayer
                    predicted.Cache
                    predicted.Scoring
                ] do
                gibibytes (float part)
        ]

    [
        yield ""
        yield "### peak"
        yield ""
        yield! names |> List.map origin |> List.map (fun text -> text + "  ")
        yield ""
        yield!
            names
            |> List.map row
            |> table
                [
                    "prompt"
                    "device GiB"
                    "by shape"
                    "more"
                    "weights"
                    "activations"
                    "one full layer"
                    "compacted cache"
                    "observers' weights"
                ]
    ]

let steps =
    [
        for row in results "steps" ->
            text "step" row, number "length" row |> Option.get, number "ms" row |> Option.get, number "floorMs" row |> Option.get
    ]

let stepNames = steps |> List.map (fun (step, _, _, _) -> step) |> List.distinct

let pointsOf step pick =
    [
        for name, length, ms, floor in steps do
            if name = step then
                length, pick (ms, floor)
    ]

let stepTable =
    [
        ""
        "### steps"
        ""
        origin "steps"
        ""
        yield!
            steps
            |> List.map (fun (_, length, _, _) -> length)
            |> List.distinct
            |> List.map (fun length ->
                $"%.0f{length}"
                :: [
                    for step in stepNames -> pointsOf step fst |> List.find (fun (at, _) -> at = length) |> snd |> sprintf "%.3f"
                ])
            |> fun rows ->
                rows
                @ [
                    "exponent, upper half"
                    :: [ for step in stepNames -> pointsOf step fst |> exponent |> sprintf "%.2f" ]
                ]
            |> table ("prompt" :: [ for step in stepNames -> $"{step} ms" ])
    ]

/// What the kernels of a pass are there for, by PyTorch's profiler.
let layersTable =
    let file = read "layers"
    let get (key: string) = file.GetProperty(key).ToString()

    let passes =
        [
            for pass in file.GetProperty("kernels_ms").EnumerateObject() -> pass.Name, pass.Value
        ]

    let groups =
        passes
        |> List.collect (fun (_, sums) -> [ for group in sums.EnumerateObject() -> group.Name ])
        |> List.distinct
        |> List.sortByDescending (fun group -> passes |> List.map (fun (_, sums) -> number group sums) |> List.max)

    let total sums =
        groups |> List.sumBy (fun group -> number group sums |> Option.defaultValue 0.0)

    [
        ""
        "### layers"
        ""
        $"""`{get "command"}` (commit {get "commit"}; {get "device"}, PyTorch {get "torch"}): milliseconds of the GPU's time in"""
        $"""32 layers over {get "length"} tokens, medians of {get "rounds"} turns."""
        ""
        yield!
            [
                for group in groups do
                    group, [ for _, sums in passes -> number group sums |> Option.defaultValue 0.0 ]
                "in all", [ for _, sums in passes -> total sums ]
            ]
            |> List.map (fun (name, values) -> name :: [ for value in values -> $"%.2f{value}" ])
            |> table ("kernels" :: [ for name, _ in passes -> name ])
    ]

let draw (name: string) chart =
    File.WriteAllText(Path.Combine(__SOURCE_DIRECTORY__, name), Svg.ofChart chart)

let curve files policy key =
    [
        for file in files do
            for row in results file do
                if text "policy" row = policy then
                    Option.map2 (fun x y -> x, y) (number "length" row) (number key row)
                    |> Option.toList
                    |> List.exactlyOne
    ]
    |> List.distinctBy fst

let lengths = [ "lengths"; "lookahead"; "64k"; "128k" ]

CostFigures.costs
    "Time to the first token, Llama-3.1-8B's shape on one H100"
    "tokens of the prompt"
    [
        CostFigures.measured "full" (curve lengths "full" "ttftMs")
        CostFigures.measured "lookahead" (curve lengths "lookahead" "ttftMs")
        CostFigures.floor "full" (curve lengths "lookahead" "prefillFloorMs")
    ]
|> draw "first-token.svg"

CostFigures.costs
    "Evicting one layer of Llama-3.1-8B's shape on one H100"
    "tokens of the prompt"
    [
        for step in stepNames do
            CostFigures.measured step (pointsOf step fst)
            CostFigures.floor step (pointsOf step snd)
    ]
|> draw "steps.svg"

writeBehindMark
    (Path.Combine(__SOURCE_DIRECTORY__, "..", "speed.md"))
    [
        for name in
            [
                "rivals"
                "lookahead"
                "lengths"
                "64k"
                "128k"
                "decode-reference"
                "decode-compiled"
                "decode-fused"
                "decode-graph"
            ] do
            yield! passes name
        yield! layersTable
        yield! memory [ "peak-8k"; "peak-32k"; "128k" ]
        yield! stepTable
        for name in
            [
                "llama-3.2-1b"
                "qwen3-1.7b"
                "qwen3-4b"
                "qwen3-8b"
                "cpu-reference"
                "cpu-compiled"
                "cpu-fused"
                "cpu-100m"
            ] do
            yield! passes name
    ]
