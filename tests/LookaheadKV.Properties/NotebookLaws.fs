module LookaheadKV.Properties.NotebookLaws

open System
open System.Collections.Generic
open System.IO
open Xunit
open LookaheadKV.Evaluation
open LookaheadKV.Eviction
open LookaheadKV.FSharp
open Microsoft.DotNet.Interactive
open Microsoft.DotNet.Interactive.Formatting
open TorchSharp

let private chart = Figures.loss [ struct (1L, 2.); struct (2L, 1.) ]

/// What some code shows when it runs in a cell.
let private inCell (code: unit -> unit) =
    let context = KernelInvocationContext()
    KernelInvocationContext.Current <- context

    try
        code ()
    finally
        KernelInvocationContext.Current <- null

    List.ofSeq context.Shown

let private formatted (value: obj) mime =
    Formatter.Format(value, mime)
    |> Option.ofObj
    |> Option.defaultWith (fun () -> failwith $"no formatter of {mime}")

[<Fact>]
let ``A figure in a cell is shown below it as a picture that needs no network`` () =
    let shown = Assert.Single(inCell (fun () -> Notebook.figure "loss" chart))
    Assert.Equal("text/html", shown.MimeType)
    Assert.StartsWith("<svg ", shown.Value)
    Assert.Contains(">Training loss<", shown.Value)
    Assert.DoesNotContain("<script", shown.Value)
    Assert.DoesNotContain("href", shown.Value)

[<Fact>]
let ``A page in a cell brings its style`` () =
    let shown = Assert.Single(inCell (fun () -> Notebook.html "text" "<b>kept</b>"))
    Assert.StartsWith("<style>", shown.Value)
    Assert.EndsWith("<b>kept</b>", shown.Value)

[<Fact>]
let ``Outside of cells a figure is a file that carries plotly`` () =
    Notebook.figure "notebook-laws" chart

    let page =
        File.ReadAllText(Path.Combine(Path.GetTempPath(), "lookaheadkv", "notebook-laws.html"))

    Assert.Contains("Plotly.newPlot(\"figure\"", page)
    Assert.DoesNotContain("<script src", page)
    Assert.True(page.Length > 1_000_000, "plotly.js is not in the page")

[<Fact>]
let ``A cell that ends in a value shows what it is`` () =
    KernelInvocationContext() |> ignore // the kernel is there before anything is registered with it, whichever test runs first
    Printers.register ()
    use tensor = torch.arange (12L, dtype = torch.ScalarType.Float32)
    Assert.StartsWith("<pre>float32 [12] cpu: 0 1 2 3 4 5 …</pre>", formatted tensor "text/html")
    Assert.StartsWith("float32 [12]", formatted tensor "text/plain")

    use kept =
        KeptSet.Of([| [| 0L; 3L |] :> IReadOnlyList<int64>; [| 1L; 2L |] |], torch.CPU)

    Assert.Contains("2 positions for each of 2 kv heads; the first head&#39;s: 0 3", formatted kept "text/html")

    let rows: IReadOnlyList<ResultRow> = [||]
    Assert.Contains("policy", formatted rows "text/html")
    Assert.StartsWith("<svg ", formatted chart "text/html")
    Assert.Equal("figure \"Training loss\", traces: 1", formatted chart "text/plain")
