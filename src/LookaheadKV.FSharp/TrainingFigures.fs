namespace LookaheadKV.FSharp

open System
open System.Collections.Generic
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Metrics
open Plotly.NET
open Plotly.NET.TraceObjects

/// Figures of what modules predict, of one call each.
module TrainingFigures =

    // Bins a decade, and the least value that is told from nothing.
    let private perDecade = 4.0
    let private least = 1e-5

    /// <summary>Predicted importance against the true one: entries binned by their predicted value, a quarter of a decade each.</summary>
    /// <param name="anatomy">One prompt, looked into, with a prediction.</param>
    /// <returns>Mean predicted and mean true value of every bin, small to large.</returns>
    let bins (anatomy: Anatomy) =
        match anatomy.Predicted with
        | null -> raise (LookaheadKV.InputException "nothing was predicted; inspect the prompt with a lookahead policy among the others.")
        | predicted ->
            Seq.zip (Seq.cast<float32> predicted) (Seq.cast<float32> anatomy.TrueImportance)
            |> Seq.filter (fun (guess, _) -> float guess >= least)
            |> Seq.groupBy (fun (guess, _) -> floor (perDecade * log10 (float guess)))
            |> Seq.sortBy fst
            |> Seq.map (fun (_, pairs) -> pairs |> Seq.averageBy (fst >> float), pairs |> Seq.averageBy (snd >> float))
            |> Seq.toList

    /// <summary>The calibration curve of predictions: where they lie on the diagonal, an entry is looked at as much as was predicted.</summary>
    /// <param name="anatomies">Names and prompts, looked into with predictions.</param>
    let calibration (anatomies: (string * Anatomy) list) =
        let looks =
            [
                "#999999", StyleParam.DrawingStyle.Dash, StyleParam.MarkerSymbol.Square
                "#D55E00", StyleParam.DrawingStyle.Solid, StyleParam.MarkerSymbol.Circle
                "#0072B2", StyleParam.DrawingStyle.DashDot, StyleParam.MarkerSymbol.Diamond
            ]

        let logarithmic title =
            let axis = Charts.axis title
            axis.SetProperty("type", "log")
            axis.SetProperty("range", [ log10 least; 0.0 ])
            axis.SetProperty("tickvals", [ 1e-5; 1e-4; 1e-3; 0.01; 0.1; 1.0 ])
            axis.SetProperty("ticktext", [ "0.00001"; "0.0001"; "0.001"; "0.01"; "0.1"; "1" ])
            axis

        let line name (xs: float list) ys (color: string, dash, symbol) mode =
            Chart.Scatter(
                x = xs,
                y = ys,
                mode = mode,
                Name = name,
                Line = Line.init (Color = Color.fromHex color, Dash = dash, Width = 2.),
                Marker = Marker.init (Color = Color.fromHex color, Symbol = symbol, Size = 7)
            )

        [
            line
                "as predicted"
                [ least; 1.0 ]
                [ least; 1.0 ]
                ("#000000", StyleParam.DrawingStyle.Dot, StyleParam.MarkerSymbol.Circle)
                StyleParam.Mode.Lines
            for i, (name, anatomy) in List.indexed anatomies do
                let xs, ys = bins anatomy |> List.unzip
                line name xs (ys |> List.map (max least)) looks[i % looks.Length] StyleParam.Mode.Lines_Markers
        ]
        |> Chart.combine
        |> Chart.withXAxis (logarithmic "predicted importance")
        |> Chart.withYAxis (logarithmic "true importance, mean of the bin")
        |> Charts.dressed "Is what was predicted looked at?" 420.

    /// The recalls of the oracle's kept set: a name, its part of a head's sums, its share over all heads.
    let private recalls =
        [
            "whole set", (fun (head: HeadRecall) -> head.Whole), (fun (quality: PredictionQuality) -> quality.Recall)
            "in the text", (fun (head: HeadRecall) -> head.Text), (fun (quality: PredictionQuality) -> quality.TextRecall)
            "attention there", (fun (head: HeadRecall) -> head.TextAttention), (fun (quality: PredictionQuality) -> quality.TextAttention)
        ]

    /// <summary>Recall of the oracle's kept set by layer and kv head, of the whole set, of its part in the text, and of the attention on that: a row each for every name.
    /// A head of which the oracle keeps nothing there has all of it.</summary>
    /// <param name="count">A C that was measured.</param>
    /// <param name="qualities">Names and what was measured.</param>
    let recallByHead (count: int) (qualities: (string * PredictionQuality) list) =
        [
            for part, counts, _ in recalls do
                for name, quality in qualities ->
                    $"{name}, {part}",
                    quality.Heads[count]
                    |> Array.map (Array.map (fun head -> (counts head).Share |> Option.ofNullable |> Option.defaultValue 1.))
        ]
        |> KeptFigures.shares $"Recall of the oracle's {count} entries, by layer and kv head"

    /// <summary>Recall of the oracle's kept set while modules were trained, of the whole set, of its part in the text, and of the attention on that.</summary>
    /// <param name="count">A C that was measured.</param>
    /// <param name="points">Steps, and what was measured after them.</param>
    /// <param name="level">A name, and what was measured of the modules of that name: levels to compare with.</param>
    let recallBySteps (count: int) (points: (int64 * PredictionQuality) list) (level: string * PredictionQuality) =
        let looks =
            [
                "#0072B2", StyleParam.DrawingStyle.Dash, StyleParam.MarkerSymbol.Square
                "#D55E00", StyleParam.DrawingStyle.Solid, StyleParam.MarkerSymbol.Circle
                "#000000", StyleParam.DrawingStyle.LongDash, StyleParam.MarkerSymbol.Diamond
            ]

        let steps = points |> List.map (fst >> float)
        let yAxis = Charts.axis $"recall of the oracle's {count} entries"
        yAxis.SetProperty("range", [ 0.; 1. ])

        let curves i ((part, _, share: PredictionQuality -> IReadOnlyDictionary<int, Nullable<float>>), (color, dash, symbol)) =
            let draw name xs qualities mode dash =
                Chart.Scatter(
                    x = xs,
                    y =
                        [
                            for quality in qualities -> (share quality).[count] |> Option.ofNullable |> Option.get
                        ],
                    mode = mode,
                    Name = name,
                    Line = Line.init (Color = Color.fromHex color, Dash = dash, Width = 2.),
                    Marker = Marker.init (Color = Color.fromHex color, Symbol = symbol, Size = 8)
                )

            let name, reached = level

            [
                draw part steps (points |> List.map snd) StyleParam.Mode.Lines_Markers dash
                draw name [ List.min steps; List.max steps ] [ reached; reached ] StyleParam.Mode.Lines StyleParam.DrawingStyle.Dot
                // One place in the legend: a level has the colour of its curve.
                |> Charts.set "showlegend" (i = 0)
            ]

        List.zip recalls looks
        |> List.mapi curves
        |> List.concat
        |> Chart.combine
        |> Chart.withXAxis (Charts.axis "steps of training")
        |> Chart.withYAxis yAxis
        |> Charts.dressed "How much of the oracle's set is found" 400.
