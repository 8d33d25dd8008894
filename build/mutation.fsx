/// Counts of a mutation run, a folder each, and its survivors, from the JSON report of dotnet-stryker:
/// dotnet fsi build/mutation.fsx tests/LookaheadKV.Tests/StrykerOutput/TIME/reports/mutation-report.json
open System.IO
open System.Text.Json

let path =
    match fsi.CommandLineArgs with
    | [| _; path |] -> path
    | _ -> failwith "give the path of a mutation-report.json."

let report = JsonDocument.Parse(File.ReadAllText path).RootElement

/// Folder, file, line, status, mutation of every mutant that could be tested.
let mutants =
    [
        for file in report.GetProperty("files").EnumerateObject() do
            for mutant in file.Value.GetProperty("mutants").EnumerateArray() do
                let text (name: string) = mutant.GetProperty(name).GetString()

                if not (List.contains (text "status") [ "Ignored"; "CompileError" ]) then
                    let line =
                        mutant.GetProperty("location").GetProperty("start").GetProperty("line").GetInt32()

                    let source = file.Value.GetProperty("source").GetString().Split('\n')[line - 1]
                    let replacement = (text "replacement").ReplaceLineEndings " "
                    let folder = Path.GetFileName(Path.GetDirectoryName file.Name)

                    folder, text "status", $"{Path.GetFileName file.Name}:{line} {source.Trim()}  →  {replacement}"
    ]

let row name (mutants: (string * string * string) list) =
    let count status =
        mutants |> List.filter (fun (_, s, _) -> s = status) |> List.length

    let found = count "Killed" + count "Timeout"

    printfn
        $"""| {name} | {mutants.Length} | {count "Killed"} | {count "Timeout"} | {count "Survived"} | {count "NoCoverage"} | {100.0 * float found / float mutants.Length:F1} %% |"""

printfn "| folder | mutants | killed | timed out | survived | not covered | score |"
printfn "|---|---:|---:|---:|---:|---:|---:|"

for folder, mutants in mutants |> List.groupBy (fun (folder, _, _) -> folder) do
    row folder mutants

row "all" mutants
printfn ""

for _, status, place in mutants do
    if status = "Survived" || status = "NoCoverage" then
        printfn $"{status}: {place}"
