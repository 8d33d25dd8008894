(*
Makes the notebooks of the scripts, with their outputs: notebooks/NN-topic.fsx → notebooks/NN-topic.ipynb.

    dotnet build LookaheadKV.sln -c Release
    dotnet fsi build/notebooks.fsx                 runs every script and writes its notebook; fails if a script does
    dotnet fsi build/notebooks.fsx 04-methods …    the same for the scripts of these names alone
    dotnet fsi build/notebooks.fsx --check         writes nothing; fails if the cells of a notebook are not those of its script

In two halves, for a machine that has .NET's runtime but not this repository's tools, such as one with a GPU:

    dotnet fsi build/notebooks.fsx --mark 03-train SCRIPT.fsx
        writes the script as it is run for its notebook: every cell marks the end of what it printed
    LOOKAHEADKV_NOTEBOOK=RUN dotnet fsi --quiet SCRIPT.fsx > RUN/stdout.txt
        over there: RUN gets what the script shows and prints
    dotnet fsi build/notebooks.fsx --from RUN 03-train --out FILE.ipynb
        makes a notebook of that
*)
#I "../artifacts/bin/LookaheadKV.Reports/release"
#r "TorchSharp.dll"
#r "DynamicObj.dll"
#r "Plotly.NET.dll"
#r "LookaheadKV.dll"
#r "LookaheadKV.FSharp.dll"
#r "LookaheadKV.Reports.dll"

open System
open System.Diagnostics
open System.IO
open System.Text.Encodings.Web
open System.Text.Json
open System.Text.Json.Nodes
open LookaheadKV.FSharp
open LookaheadKV.Reports

let folder =
    Path.Combine(__SOURCE_DIRECTORY__, "..", "notebooks") |> Path.GetFullPath

let scripts =
    Directory.GetFiles(folder, "*.fsx")
    |> Array.filter (fun path -> Char.IsDigit (Path.GetFileName path).[0])
    |> Array.sort

let notebookOf (script: string) = Path.ChangeExtension(script, ".ipynb")

/// Ends the output of a cell.
let cellEnd = "\u0001cell"

/// The cells' code as one script, in which each marks the end of its output.
let marked (cells: Cell list) =
    cells
    |> List.choose (function
        | Code code -> Some(code + "\nprintfn \"\\u0001cell\"\n")
        | Markdown _ -> None)
    |> String.concat "\n"

/// What a whole script prints in one run; what it shows goes to a folder.
let run (script: string) (cells: Cell list) (shown: string) =
    // Beside the script, so that its relative paths hold.
    let copy =
        Path.Combine(folder, $".{Path.GetFileNameWithoutExtension script}.marked.fsx")

    File.WriteAllText(copy, marked cells)

    try
        let start =
            ProcessStartInfo("dotnet", [ "fsi"; "--quiet"; copy ], RedirectStandardOutput = true, WorkingDirectory = folder)

        start.Environment[Notebook.folderVariable] <- shown
        use fsi = Process.Start start |> nonNull
        let output = fsi.StandardOutput.ReadToEnd()
        fsi.WaitForExit()

        if fsi.ExitCode <> 0 then
            eprintfn $"{output}"
            failwith $"{Path.GetFileName script} failed; its messages stand above."

        output
    finally
        File.Delete copy

/// What a whole script printed, cell by cell.
let byCell (output: string) =
    let parts = output.ReplaceLineEndings("\n").Split(cellEnd + "\n")
    parts[.. parts.Length - 2] |> List.ofArray

/// Text as notebooks keep it: an array of lines with their ends.
let lines (text: string) =
    let all = text.Split '\n'

    JsonArray(
        [|
            for i, line in Array.indexed all do
                let line = if i < all.Length - 1 then line + "\n" else line

                if line <> "" then
                    JsonValue.Create line :> JsonNode
        |]
    )

let object (members: (string * JsonNode) list) =
    JsonObject(members |> Seq.map Collections.Generic.KeyValuePair.Create)

let text (value: string) = JsonValue.Create value :> JsonNode

/// One cell's output: what it printed, and what it showed in between.
let outputs (shown: string) (output: string) =
    let stream (printed: string) =
        if printed.Trim() = "" then
            []
        else
            [
                object [ "name", text "stdout"; "output_type", text "stream"; "text", lines printed ]
            ]

    let picture (announcement: string) =
        let mime, file = announcement.Split ' ' |> fun parts -> parts[0], parts[1]
        let content = File.ReadAllText(Path.Combine(shown, file))

        let data =
            object
                [
                    mime, lines content
                    "text/plain", lines $"({Path.GetFileNameWithoutExtension file})"
                ]

        object [ "data", data; "metadata", object []; "output_type", text "display_data" ]

    let (printed: string), found =
        output.Split '\n'
        |> Array.fold
            (fun (printed, found) line ->
                if line.StartsWith Notebook.marker then
                    "", found @ stream printed @ [ picture (line.Substring Notebook.marker.Length) ]
                else
                    printed + line + "\n", found)
            ("", [])

    found @ stream (printed.TrimEnd '\n')

let language (kind: string) =
    object
        [
            "dotnet_interactive", object [ ("language", text kind) ]
            "polyglot_notebook", object [ ("kernelName", text kind) ]
        ]

let notebook (cells: Cell list) (results: JsonObject list list) =
    let id i = "id", text $"cell-%02d{i + 1}"
    let mutable remaining = results
    let mutable count = 0

    let cell i cell =
        match cell with
        | Markdown source ->
            object
                [
                    "cell_type", text "markdown"
                    id i
                    "metadata", object []
                    "source", lines source
                ]
            :> JsonNode
        | Code source ->
            let own = List.head remaining
            remaining <- List.tail remaining
            count <- count + 1

            object
                [
                    "cell_type", text "code"
                    "execution_count", JsonValue.Create count
                    id i
                    "metadata", language "fsharp"
                    "outputs", JsonArray [| for output in own -> output :> JsonNode |]
                    "source", lines source
                ]

    let kernel =
        object
            [
                "display_name", text ".NET (F#)"
                "language", text "F#"
                "name", text ".net-fsharp"
            ]

    object
        [
            "cells", JsonArray [| for i, c in List.indexed cells -> cell i c |]
            "metadata",
            object
                [
                    "kernelspec", kernel
                    "language_info",
                    object
                        [
                            "name", text "F#"
                            "file_extension", text ".fs"
                            "mimetype", text "text/x-fsharp"
                        ]
                    "polyglot_notebook",
                    object
                        [
                            ("kernelInfo",
                             object
                                 [
                                     "defaultKernelName", text "fsharp"
                                     "items",
                                     JsonArray
                                         [|
                                             object [ "aliases", JsonArray() :> JsonNode; "name", text "fsharp" ] :> JsonNode
                                         |]
                                 ])
                        ]
                ]
            "nbformat", JsonValue.Create 4
            "nbformat_minor", JsonValue.Create 5
        ]

let json =
    JsonSerializerOptions(WriteIndented = true, IndentSize = 1, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping)

/// Makes the notebook of a script from what a run of it printed and showed.
let assemble (script: string) (output: string) (shown: string) (target: string) =
    let cells = File.ReadAllText script |> Literate.split
    let results = byCell output |> List.map (outputs shown)
    let codes = cells |> List.filter _.IsCode |> List.length

    if results.Length <> codes then
        failwith $"the run of {Path.GetFileName script} ended {results.Length} of its {codes} cells; mark the script and run it again."

    let content = (notebook cells results).ToJsonString json + "\n"

    let places =
        [
            folder
            Path.GetDirectoryName folder |> nonNull
            Path.GetTempPath()
            Environment.GetFolderPath Environment.SpecialFolder.UserProfile
        ]

    match places |> List.tryFind (fun place -> place.Length > 1 && content.Contains place) with
    | Some place -> failwith $"the outputs of {Path.GetFileName script} name the folder {place}; print something else."
    | None -> ()

    File.WriteAllText(target + ".tmp", content)
    File.Move(target + ".tmp", target, true)
    printfn $"{Path.GetFileName target}: {cells.Length} cells, {content.Length / 1024} KiB"

let write script =
    let clock = Stopwatch.StartNew()
    let shown = Directory.CreateTempSubdirectory("notebook").FullName

    try
        let cells = File.ReadAllText script |> Literate.split
        assemble script (run script cells shown) shown (notebookOf script)
        printfn $"  run in {clock.Elapsed.TotalSeconds:F0} s"
    finally
        Directory.Delete(shown, true)

/// The sources of a notebook's cells, with their kind.
let cellsOf (path: string) =
    let root = JsonNode.Parse(File.ReadAllText path) |> nonNull

    [
        for cell in (root["cells"] |> nonNull).AsArray() do
            let cell = nonNull cell
            let source = String.Concat((cell["source"] |> nonNull).AsArray() |> Seq.map string)

            if string cell["cell_type"] = "code" then
                Code source
            else
                Markdown source
    ]

let check script =
    let name = Path.GetFileName(notebookOf script)

    if not (File.Exists(notebookOf script)) then
        [ $"{name} is not there" ]
    elif cellsOf (notebookOf script) <> Literate.split (File.ReadAllText script) then
        [ $"{name} is not what {Path.GetFileName script} says" ]
    else
        []

/// The scripts of some names; ends with a message where there is none of a name.
let named (names: string list) =
    let find (name: string) =
        scripts |> Array.tryFind (fun script -> Path.GetFileNameWithoutExtension script = name)

    match names |> List.filter (find >> Option.isNone) with
    | [] -> names |> List.choose find
    | unknown ->
        let known =
            scripts |> Array.choose (Path.GetFileNameWithoutExtension >> Option.ofObj) |> String.concat ", "

        eprintfn $"""no script {String.concat ", " unknown} in notebooks; give --check, nothing, or some of {known}"""
        exit 2

match fsi.CommandLineArgs |> Array.tail |> List.ofArray with
| [] -> scripts |> Array.iter write
| [ "--check" ] ->
    match scripts |> List.ofArray |> List.collect check with
    | [] -> printfn $"{scripts.Length} notebooks match their scripts"
    | problems ->
        for problem in problems do
            eprintfn $"{problem}; run: dotnet fsi build/notebooks.fsx"

        exit 1
| [ "--mark"; name; target ] ->
    for script in named [ name ] do
        File.WriteAllText(target, File.ReadAllText script |> Literate.split |> marked)
| [ "--from"; run; name; "--out"; target ] ->
    for script in named [ name ] do
        assemble script (File.ReadAllText(Path.Combine(run, "stdout.txt"))) run target
| names -> named names |> List.iter write
