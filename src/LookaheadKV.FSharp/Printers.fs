namespace LookaheadKV.FSharp

open System
open LookaheadKV.Evaluation
open LookaheadKV.Eviction
open Plotly.NET
open TorchSharp

/// Tensors, kept sets, results, answers and figures as what they are, wherever a cell or an interaction ends in one.
module Printers =

    let private add<'T> (text: 'T -> string) (html: 'T -> string) =
        Hosts.print text

        match Hosts.formatter () with
        | Some register ->
            register typeof<'T> "text/plain" (unbox<'T> >> text)
            register typeof<'T> "text/html" (unbox<'T> >> html)
        | None -> ()

    let private addText<'T> (text: 'T -> string) =
        add text (fun value -> $"<pre>{Html.escape (text value)}</pre>")

    /// Registers all printers: with F# Interactive in <c>dotnet fsi</c>, with .NET Interactive in a notebook. Elsewhere it does nothing.
    let register () =
        addText<torch.Tensor> Show.tensor
        addText<KeptSet> Show.kept
        addText<seq<ResultRow>>(Show.results ResultTable.Mean)
        addText<Answer> Show.answer
        addText<PredictionQuality> Show.quality
        add<GenericChart> Show.figure Svg.ofChart
