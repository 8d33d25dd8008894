/// Counts of mutation runs, a folder each, and their survivors, from JSON reports of dotnet-stryker; where a mutant is in several, the last one counts:
/// dotnet fsi build/mutation.fsx REPORT.json...
/// With --globs: where survivors and mutants that timed out stand, as patterns that mutate them alone.
open System.IO
open System.Text.Json
open System.Text.RegularExpressions

type Mutant =
    {
        /// The last part of a package's name; empty for the library itself.
        Package: string
        File: string
        Start: int * int
        End: int * int
        Source: string[]
        Replacement: string
        Status: string
    }

    member this.Path = Path.Combine(this.Package, this.File)

    member this.Folder = Path.GetDirectoryName this.Path

let arguments = Array.toList fsi.CommandLineArgs[1..]
let globs = List.contains "--globs" arguments
let paths = List.except [ "--globs" ] arguments

if paths.IsEmpty then
    failwith "give the path of a mutation-report.json."

/// Every mutant of a report that could be tested: it compiles, and does not bring the test process down. Reports name files in full.
let read (path: string) =
    let report = JsonDocument.Parse(File.ReadAllText path).RootElement

    [
        for file in report.GetProperty("files").EnumerateObject() do
            let source = file.Value.GetProperty("source").GetString()

            let name =
                Regex.Match(file.Name.Replace('\\', '/'), @"/src/LookaheadKV(\.(?<package>\w+))?/(?<file>.*)")

            for mutant in file.Value.GetProperty("mutants").EnumerateArray() do
                let text (key: string) = mutant.GetProperty(key).GetString()

                let place (key: string) =
                    let place = mutant.GetProperty("location").GetProperty key
                    place.GetProperty("line").GetInt32(), place.GetProperty("column").GetInt32()

                if not (List.contains (text "status") [ "Ignored"; "CompileError"; "RuntimeError" ]) then
                    {
                        Package = name.Groups["package"].Value
                        File = name.Groups["file"].Value
                        Start = place "start"
                        End = place "end"
                        Source = source.Split '\n'
                        Replacement = (text "replacement").ReplaceLineEndings " "
                        Status = text "status"
                    }
    ]

let mutants =
    paths
    |> List.collect read
    |> List.groupBy (fun mutant -> mutant.File, mutant.Start, mutant.End, mutant.Replacement)
    |> List.map (snd >> List.last)

/// Those to look at: a time that ran out says that a machine was busy, or that the mutant never ends.
let open' mutant =
    List.contains mutant.Status [ "Survived"; "NoCoverage"; "Timeout" ]

/// Where a line and column, both from 1, stand in the text.
let offset mutant (line, column) =
    (mutant.Source |> Seq.take (line - 1) |> Seq.sumBy (fun line -> line.Length + 1)) + column - 1

let row (name: string) (mutants: Mutant list) =
    let count status =
        mutants |> List.filter (fun mutant -> mutant.Status = status) |> List.length

    let found = count "Killed" + count "Timeout"

    printfn
        $"""| {name} | {mutants.Length} | {count "Killed"} | {count "Timeout"} | {count "Survived"} | {count "NoCoverage"} | {100.0 * float found / float mutants.Length:F1} %% |"""

if globs then
    for file, mutants in mutants |> List.filter open' |> List.groupBy _.File do
        let spans =
            mutants
            |> List.map (fun mutant -> $"{{{offset mutant mutant.Start}..{offset mutant mutant.End}}}")
            |> List.distinct

        printfn $"""{file}{String.concat "" spans}"""
else
    printfn "| folder | mutants | killed | timed out | survived | not covered | score |"
    printfn "|---|---:|---:|---:|---:|---:|---:|"

    for folder, mutants in mutants |> List.groupBy _.Folder |> List.sortBy fst do
        row folder mutants

    row "all" mutants
    printfn ""

    for mutant in mutants |> List.filter open' do
        let line = fst mutant.Start
        printfn $"{mutant.Status}: {mutant.Path}:{line} {mutant.Source[line - 1].Trim()}  →  {mutant.Replacement}"
