// The tables of ../speed.md from the files beside: dotnet fsi docs/results/speed/table.fsx
open System.IO
open System.Text.Json

let read name =
    use document =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(__SOURCE_DIRECTORY__, name + ".json")))

    document.RootElement.Clone()

let number (row: JsonElement) (name: string) =
    match row.GetProperty name with
    | value when value.ValueKind = JsonValueKind.Null -> None
    | value -> Some(value.GetDouble())

let text (row: JsonElement) (name: string) =
    match row.GetProperty name with
    | value when value.ValueKind = JsonValueKind.Null -> "all"
    | value -> value.ToString()

let show digits value =
    value |> Option.map (fun (x: float) -> x.ToString $"F{digits}") |> Option.defaultValue ""

let table name =
    let file = read name
    let run (name: string) =
        file.GetProperty("run").GetProperty(name).GetString()

    let command, commit, device = run "command", (run "commit")[..6], run "device"
    printfn $"\n`{command}` (commit {commit}; {device})\n"
    printfn "| policy | budget | prompt | first token ms | ÷ floor | cost ms (95 %%) | cost | decode ms | ÷ floor |"
    printfn "|---|---:|---:|---:|---:|---:|---:|---:|---:|"

    for row in file.GetProperty("results").EnumerateArray() do
        let value = number row

        let ratio time floor =
            Option.map2 (/) (value time) (value floor) |> show 2

        let cost =
            match value "costMs", value "costLowMs", value "costHighMs" with
            | Some cost, Some low, Some high -> $"%.1f{cost} (%.1f{low} to %.1f{high})"
            | _ -> ""

        let share =
            value "costShare"
            |> Option.map (fun share -> $"%.1f{100.0 * share} %%")
            |> Option.defaultValue ""

        let first, decode = value "ttftMs" |> show 1, value "decodeMs" |> show 2

        printfn
            $"""| {text row "policy"} | {text row "budget"} | {text row "length"} | {first} | {ratio "ttftMs" "prefillFloorMs"} | {cost} | {share} | {decode} | {ratio "decodeMs" "decodeFloorMs"} |"""

for name in
    [
        "rivals"
        "lookahead"
        "lengths"
        "128k"
        "decode-reference"
        "decode-compiled"
        "decode-fused"
        "llama-3.2-1b"
        "qwen3-1.7b"
        "qwen3-4b"
        "qwen3-8b"
        "cpu-reference"
        "cpu-compiled"
        "cpu-fused"
        "cpu-100m"
    ] do
    printfn $"\n### {name}"
    table name
