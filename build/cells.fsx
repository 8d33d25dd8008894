(*
Runs the cells of the notebooks one by one, in the notebook's folder, as a notebook kernel does: the kernel's F# is the same F# Interactive session that is used here,
what it shows with is a stand-in for .NET Interactive's types. Fails if a cell does, or shows another number of figures than the committed notebook has.

    dotnet build LookaheadKV.sln -c Release
    dotnet fsi build/cells.fsx                       all notebooks, each in a process of its own
    dotnet fsi build/cells.fsx 01-quickstart …       those of these names
*)
#r "FSharp.Compiler.Service.dll"
#r "../artifacts/bin/LookaheadKV.KernelStandIn/release/LookaheadKV.KernelStandIn.dll"

open System
open System.Diagnostics
open System.IO
open System.Text.Json.Nodes
open FSharp.Compiler.Interactive.Shell
open Microsoft.DotNet.Interactive
open Microsoft.DotNet.Interactive.Formatting

let folder =
    Path.Combine(__SOURCE_DIRECTORY__, "..", "notebooks") |> Path.GetFullPath

/// Source and number of shown outputs of each code cell.
let cellsOf (name: string) =
    let root =
        Path.Combine(folder, name + ".ipynb") |> File.ReadAllText |> JsonNode.Parse |> nonNull

    [
        for cell in (root["cells"] |> nonNull).AsArray() do
            let cell = nonNull cell

            if string cell["cell_type"] = "code" then
                let source =
                    (cell["source"] |> nonNull).AsArray() |> Seq.map string |> String.concat ""

                let shown =
                    [
                        for output in (cell["outputs"] |> nonNull).AsArray() do
                            let output = nonNull output

                            if string output["output_type"] = "display_data" then
                                output
                    ]

                source, shown.Length
    ]

let fail (message: string) =
    eprintfn $"{message}"
    exit 1

let isStill (shown: FormattedValue) =
    shown.MimeType = "text/html"
    && (shown.Value.StartsWith "<svg" || shown.Value.StartsWith "<style")
    && not (shown.Value.Contains "src=")

let runHere (name: string) =
    Directory.SetCurrentDirectory folder
    let errors = new StringWriter()

    use session =
        FsiEvaluationSession.Create(
            FsiEvaluationSession.GetDefaultConfiguration(),
            [| "fsi"; "--noninteractive"; "--nologo" |],
            TextReader.Null,
            TextWriter.Null,
            errors
        )

    let clock = Stopwatch.StartNew()
    let mutable figures = 0

    for number, (source, expected) in List.indexed (cellsOf name) do
        let place = $"{name}, code cell {number + 1}"
        let context = KernelInvocationContext()
        KernelInvocationContext.Current <- context
        let console = Console.Out
        Console.SetOut TextWriter.Null // what the cells print is in the notebooks
        let result, diagnostics = session.EvalInteractionNonThrowing source
        Console.SetOut console
        KernelInvocationContext.Current <- null

        match result with
        | Choice2Of2 error ->
            for diagnostic in diagnostics do
                eprintfn $"{diagnostic}"

            fail $"{place}: {error.Message}\n{errors}"
        | Choice1Of2(Some value) when not (isNull value.ReflectionValue) ->
            // A kernel shows what a cell ends in.
            let text =
                Formatter.Format(value.ReflectionValue, "text/plain")
                |> Option.ofObj
                |> Option.defaultValue (string value.ReflectionValue)

            printfn $"{place} ends in {text}"
        | Choice1Of2 _ -> ()

        if context.Shown.Count <> expected then
            fail $"{place} shows {context.Shown.Count} figures; in the committed notebook it shows {expected}."

        if context.Shown |> Seq.exists (isStill >> not) then
            fail $"{place} shows something that is no picture and no text."

        figures <- figures + expected

    printfn $"{name}: {(cellsOf name).Length} cells, {figures} figures, {clock.Elapsed.TotalSeconds:F0} s"

let runApart (name: string) =
    let start =
        ProcessStartInfo(
            "dotnet",
            [
                "fsi"
                "--quiet"
                Path.Combine(__SOURCE_DIRECTORY__, __SOURCE_FILE__)
                "--here"
                name
            ]
        )

    use child = Process.Start start |> nonNull
    child.WaitForExit()
    child.ExitCode = 0

match fsi.CommandLineArgs |> Array.tail |> List.ofArray with
| [ "--here"; name ] -> runHere name
| names ->
    let all =
        Directory.GetFiles(folder, "*.ipynb")
        |> Array.choose (Path.GetFileNameWithoutExtension >> Option.ofObj)
        |> Array.sort
        |> List.ofArray

    let chosen = if names.IsEmpty then all else names

    match chosen |> List.filter (fun name -> not (List.contains name all)) with
    | [] ->
        match chosen |> List.filter (runApart >> not) with
        | [] -> printfn $"{chosen.Length} notebooks ran cell by cell"
        | broken -> fail $"""failed: {String.concat ", " broken}"""
    | unknown -> fail $"""no notebook {String.concat ", " unknown}"""
