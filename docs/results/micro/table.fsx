(*
The tables and the figure of ../micro.md from the files beside, after a build: dotnet fsi docs/results/micro/table.fsx
Everything behind the line "## Tables" is written anew. The files are what the benchmarks leave in artifacts/benchmarks/results.
*)
#I "../../../artifacts/bin/LookaheadKV.FSharp/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.Evaluation.dll"
#r "LookaheadKV.FSharp.dll"
#load "../tables.fsx"

open System.Globalization
open System.IO
open System.Text.Json
open LookaheadKV.FSharp
open LookaheadKV.Models
open Tables

CultureInfo.CurrentCulture <- CultureInfo.InvariantCulture

let read name =
    use document =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(__SOURCE_DIRECTORY__, $"LookaheadKV.Benchmarks.{name}-report.json")))

    document.RootElement.Clone()

/// The classes of benchmarks, in the order of an eviction.
let files =
    [
        "AttentionBenchmarks"
        "ScoringBenchmarks"
        "MomentBenchmarks"
        "AllRowsBenchmarks"
        "ShapingBenchmarks"
        "SelectionBenchmarks"
        "CompactionBenchmarks"
    ]
    |> List.map read

/// A step at a length: nanoseconds, the 95 % interval of their mean, and the managed bytes that a call allocates.
type Measured =
    {
        Step: string
        Length: float
        Median: float
        Low: float
        High: float
        Allocated: float
    }

let measured =
    [
        for file in files do
            for row in file.GetProperty("rows").EnumerateArray() do
                let number (name: string) = row.GetProperty(name).GetDouble()

                {
                    Step = row.GetProperty("step").GetString()
                    Length = number "length"
                    Median = number "medianNs"
                    Low = number "lowNs"
                    High = number "highNs"
                    Allocated = number "allocatedBytes"
                }
    ]

let steps = measured |> List.map _.Step |> List.distinct

let ofStep step =
    measured |> List.filter (fun row -> row.Step = step) |> List.sortBy _.Length

let points step =
    [ for row in ofStep step -> row.Length, row.Median ]

let longest step = ofStep step |> List.last

/// Float32 numbers that a step must read or write at least, a token of the prompt; None where its time goes with the square of the prompt.
let least =
    let shape = ModelShapes.Find "llama-3.2-1b"
    let heads, kvHeads = float shape.QueryHeads, float shape.KeyValueHeads
    let layers = float shape.Layers
    let keys = kvHeads * float shape.HeadSize
    let kept = 1. / 8.
    let positions = 2. * kvHeads // int64

    function
    | "softmax of 32 rows" -> Some(keys + 32. * heads)
    | "column sums"
    | "column maxima"
    | "lookahead"
    | "oracle"
    | "snapkv"
    | "laq"
    | "speckv" -> Some(keys + heads)
    | "tova"
    | "keynorm"
    | "keydiff" -> Some(keys + kvHeads)
    | "streaming"
    | "random" -> Some kvHeads
    | "expected" -> Some(heads * float shape.HeadSize + 2. * keys + heads)
    | "group: mean"
    | "group: max" -> Some(heads + kvHeads)
    | "pool: max of 7"
    | "pool: mean of 7" -> Some(2. * kvHeads)
    | "top"
    | "top, a window protected"
    | "shared by a layer's heads" -> Some(kvHeads + kept * positions)
    | "shared by 16 layers" -> Some(layers * (kvHeads + kept * positions))
    | "copy of a layer" -> Some(4. * keys)
    | "keep all" -> Some(4. * keys + positions)
    | "keep, rectangular"
    | "keep, ragged"
    | "keep, of a cache" -> Some(kept * (4. * keys + 2. * positions))
    | "h2o"
    | "kvzip" -> None
    | step -> failwith $"how much does {step} move?"

let bytes step =
    least step |> Option.map (fun numbers -> 4. * numbers)

/// Bytes a nanosecond, which are GB/s, of a step's least traffic at its longest prompt.
let speed step =
    bytes step |> Option.map (fun bytes -> let row = longest step in bytes * row.Length / row.Median)

let milliseconds nanoseconds =
    let ms = nanoseconds / 1e6

    if ms >= 100. then $"%.0f{ms}"
    elif ms >= 1. then $"%.1f{ms}"
    else $"%.3f{ms}"

let thousands (length: float) = $"{length / 1024.}K"

let times =
    let lengths = measured |> List.map _.Length |> List.distinct |> List.sort

    let at step length =
        match ofStep step |> List.tryFind (fun row -> row.Length = length) with
        | Some row -> milliseconds row.Median
        | None -> ""

    let interval step =
        let row = longest step
        $"{milliseconds row.Low} to {milliseconds row.High}"

    [
        for step in steps ->
            step :: [ for length in lengths -> at step length ]
            @ [
                interval step
                points step |> power |> sprintf "%.2f"
                points step |> exponent |> sprintf "%.2f"
            ]
    ]
    |> table (
        "step, ms" :: [ for length in lengths -> thousands length ]
        @ [ "95 % at the longest"; "power of N"; "upper half" ]
    )

let doublings =
    [
        for step in steps -> step :: [ for (_, one), (_, two) in points step |> List.pairwise -> $"%.1f{two / one}" ]
    ]
    |> List.map (fun row -> row @ List.replicate (8 - row.Length) "")
    |> table ("step" :: [ for i in 1..7 -> thousands (1024. * 2. ** float i) ])

let traffic =
    let copy = speed "copy of a layer" |> Option.get

    [
        for step in steps do
            let row = longest step

            [
                step
                bytes step |> Option.map (sprintf "%.0f") |> Option.defaultValue "goes with N"
                speed step |> Option.map (sprintf "%.2f") |> Option.defaultValue ""
                speed step |> Option.map (fun speed -> $"%.0f{100. * speed / copy} %%") |> Option.defaultValue ""
                $"%.1f{(ofStep step).Head.Allocated / 1024.}"
                $"%.1f{row.Allocated / 1024.}"
            ]
    ]
    |> table
        [
            "step"
            "least bytes a token"
            "GB/s at the longest"
            "of the copy's"
            "managed KiB, 1K"
            "managed KiB, longest"
        ]

let origin =
    let run (name: string) =
        files.Head.GetProperty("run").GetProperty(name).GetString()

    $"""`{run "command"}` (commit {(run "commit")[..6]}; {run "device"}; {run "dtype"}, a layer of {run "model"})"""

CostFigures.costs
    "Steps of evicting one layer of Llama-3.2-1B's shape, one CPU thread"
    "tokens of the prompt"
    [
        for step in
            [
                "lookahead"
                "snapkv"
                "h2o"
                "expected"
                "keydiff"
                "top"
                "copy of a layer"
            ] -> CostFigures.measured step [ for length, ns in points step -> length, ns / 1e6 ]
    ]
|> Svg.ofChart
|> fun svg -> File.WriteAllText(Path.Combine(__SOURCE_DIRECTORY__, "steps.svg"), svg)

writeBehindMark
    (Path.Combine(__SOURCE_DIRECTORY__, "..", "micro.md"))
    [
        ""
        origin
        ""
        "### Time against N"
        ""
        yield! times
        ""
        "### What a doubling costs"
        ""
        "The time at N over the time at half of it."
        ""
        yield! doublings
        ""
        "### Bytes"
        ""
        yield! traffic
    ]
