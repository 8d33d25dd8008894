namespace LookaheadKV.FSharp

open System
open System.IO
open Plotly.NET

/// Showing figures and pages wherever a script runs: in a notebook below the cell, in `dotnet fsi` as a file whose path is printed.
module Notebook =

    /// Names a folder; what is shown is then put there and announced on a line of the output, for whoever makes notebooks of scripts.
    let folderVariable = "LOOKAHEADKV_NOTEBOOK"

    /// What such a line starts with; the media type and the file's name follow.
    let marker = "\u0001display "

    let private put (name: string) extension (content: string) folder =
        Directory.CreateDirectory folder |> ignore
        let path = Path.Combine(folder, name + extension)
        File.WriteAllText(path, content)
        path

    let private present name mime extension (fragment: string) (page: unit -> string) =
        match Environment.GetEnvironmentVariable folderVariable |> Option.ofObj, Hosts.display () with
        | Some folder, _ ->
            put name extension fragment folder |> ignore
            printfn $"{marker}{mime} {name}{extension}"
        | None, Some display -> display fragment
        | None, None ->
            let path =
                Path.Combine(Path.GetTempPath(), "lookaheadkv") |> put name ".html" (page ())

            printfn $"figure: {path}"

    /// <summary>Shows a figure.</summary>
    /// <param name="name">A name for its file.</param>
    /// <param name="chart">The figure.</param>
    let figure (name: string) (chart: GenericChart) =
        present name "image/svg+xml" ".svg" (Svg.ofChart chart) (fun () -> Html.page name "" (Html.figure "figure" chart))

    /// <summary>Shows a piece of HTML, with the style of coloured prompts.</summary>
    /// <param name="name">A name for its file.</param>
    /// <param name="fragment">What stands in the page.</param>
    let html (name: string) (fragment: string) =
        present name "text/html" ".html" $"<style>{TokenText.css}</style>{fragment}" (fun () -> Html.page name TokenText.css fragment)
