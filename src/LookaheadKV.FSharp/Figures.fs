namespace LookaheadKV.FSharp

open System
open System.Collections.Generic
open DynamicObj
open LookaheadKV.Evaluation
open LookaheadKV.Methods
open LookaheadKV.Evaluation.Metrics
open LookaheadKV.FSharp.Charts
open Plotly.NET

/// Figures of one call each.
module Figures =

    let private budgetOf (row: ResultRow) = Option.ofObj row.Budget

    /// Where the budgets of some rows stand on an axis: their tokens, or bytes where they are not all written in tokens.
    let private budgets (rows: ResultRow seq) =
        let byBudget =
            rows
            |> Seq.choose (fun row -> budgetOf row |> Option.map (fun budget -> budget, row))
            |> Seq.groupBy fst
            |> Seq.toList

        let inTokens =
            byBudget |> List.forall (fun (budget, _) -> fst (Int32.TryParse budget))

        let place (budget: string, rows: (string * ResultRow) seq) =
            budget,
            (if inTokens then
                 float budget
             else
                 rows |> Seq.averageBy (fun (_, row) -> float row.CacheBytes))

        let title =
            if inTokens then
                "budget, tokens a layer and head"
            else
                "budget (by the bytes of the cache)"

        byBudget |> List.map place |> List.sortBy snd, title

    // What was measured: exact answers, or what else scored them.
    let private metricOf (rows: ResultRow seq) =
        rows |> Seq.map _.Metric |> MetricNames.Of |> MetricNames.Title

    let private capital (text: string) =
        string (Char.ToUpperInvariant text[0]) + text.Substring 1

    let private accuracyOf (styles: Map<string, PolicyStyle>) showLegend (rows: ResultRow list) =
        let places, title = budgets rows
        let position = dict places
        let ends = places |> List.map snd

        let evicted policy =
            let points =
                [
                    for row in rows do
                        match budgetOf row with
                        | Some budget when row.Policy = policy && row.Accuracy.HasValue -> position[budget], row
                        | _ -> ()
                ]
                |> List.sortBy fst

            let xs, points = List.unzip points
            let style = styles[policy]

            if points.IsEmpty then
                []
            else
                [
                    band style policy xs (points |> List.map _.Low.Value) (points |> List.map _.High.Value)
                    curve style policy xs (points |> List.map _.Accuracy.Value) |> set "showlegend" showLegend
                ]

        let full =
            match rows |> List.tryFind (budgetOf >> Option.isNone) with
            | Some row when not ends.IsEmpty && row.Accuracy.HasValue ->
                let xs = [ List.head ends; List.last ends ]

                [
                    curve styles[row.Policy] row.Policy xs [ row.Accuracy.Value; row.Accuracy.Value ]
                    |> set "mode" "lines"
                    |> set "showlegend" showLegend
                ]
            | _ -> []

        let xAxis = axis title
        xAxis.SetProperty("type", "log")
        xAxis.SetProperty("tickvals", ends)
        xAxis.SetProperty("ticktext", places |> List.map fst)
        let yAxis = axis (metricOf rows)
        yAxis.SetProperty("range", [ -0.03; 1.03 ])

        full @ (rows |> List.map _.Policy |> Theme.order |> List.collect evicted)
        |> Chart.combine
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis yAxis

    /// <summary>Answers' mean score against budget, under the name of its metric: a curve a policy with the band of its 95 % interval, the full cache as a level.</summary>
    /// <param name="task">A task's name, or "mean".</param>
    /// <param name="rows">Result rows; those of other tasks are ignored.</param>
    let accuracy (task: string) (rows: ResultRow seq) =
        let rows = rows |> Seq.filter (fun row -> row.Task = task) |> Seq.toList

        accuracyOf (rows |> Seq.map _.Policy |> Theme.styles) true rows
        |> dressed
            (if task = ResultTable.Mean then
                 $"{capital (metricOf rows)}, mean of the tasks"
             else
                 $"{capital (metricOf rows)}: {task}")
            460.

    /// <summary>Answers' mean score against budget, a small picture a task.</summary>
    /// <param name="rows">Result rows; the mean, and tasks whose answers nobody knows, are left out.</param>
    let accuracyByTask (rows: ResultRow seq) =
        let rows = rows |> Seq.filter _.Accuracy.HasValue |> Seq.toList
        let styles = rows |> Seq.map _.Policy |> Theme.styles

        let tasks =
            rows |> List.filter (fun row -> row.Task <> ResultTable.Mean) |> List.groupBy _.Task

        let overall = rows |> metricOf

        // Where the tasks' metrics differ, each picture says which is its own.
        let title (task, rows) =
            if overall = MetricNames.Mixed then
                $"{task} ({metricOf rows})"
            else
                task

        let columns = min 3 tasks.Length
        let lines = (tasks.Length + columns - 1) / columns

        tasks
        |> List.mapi (fun i (_, rows) ->
            let chart = accuracyOf styles (i = 0) rows
            // Titles under and beside every small picture would only repeat each other.
            chart |> Chart.withXAxisStyle (TitleText = "") |> Chart.withYAxisStyle (TitleText = ""))
        |> Chart.Grid(nRows = lines, nCols = columns, SubPlotTitles = (tasks |> List.map title), XGap = 0.12, YGap = 0.28)
        |> dressed $"{capital overall} against budget, by task" (90. + 230. * float lines)

    let private headRow (importance: float32[,,]) layer head =
        Array.init (importance.GetLength 2) (fun position -> importance[layer, head, position])

    let private least = 1e-3

    // Attention is spread over orders of magnitude; below the least nothing is told apart.
    let private logarithm (value: float32) =
        Math.Round(log10 (max least (float value)), 2)

    /// <summary>Importance of every layer and head as a heat map, on a logarithmic scale.</summary>
    /// <param name="title">What it is of.</param>
    /// <param name="importance">Values [L, H, N], 0..1.</param>
    let importance (title: string) (importance: float32[,,]) =
        let columns = 256

        let layers, heads, length =
            importance.GetLength 0, importance.GetLength 1, importance.GetLength 2

        let rows =
            [
                for layer in 0 .. layers - 1 do
                    for head in 0 .. heads - 1 ->
                        $"{layer}·{head}", headRow importance layer head |> Binning.byMax columns |> Array.map logarithm
            ]

        let yAxis = axis "layer·head"
        yAxis.SetProperty("type", "category")
        yAxis.SetProperty("autorange", "reversed")
        yAxis.SetProperty("showgrid", false)
        let xAxis = axis "position in the prompt"
        xAxis.SetProperty("showgrid", false)
        let bar = DynamicObj()
        bar.SetProperty("tickvals", [ -3; -2; -1; 0 ])
        bar.SetProperty("ticktext", [ "≤ 0.001"; "0.01"; "0.1"; "1" ])
        bar.SetProperty("title", dict [ "text", "attention" ])

        Chart.Heatmap(zData = (rows |> List.map snd), X = Binning.starts columns length, Y = (rows |> List.map fst))
        |> set "zmin" (log10 least)
        |> set "zmax" 0
        |> set "colorscale" "Cividis"
        |> set "colorbar" bar
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis yAxis
        |> dressed title (float (150 + 13 * rows.Length))

    /// <summary>True and predicted importance side by side; the true one alone where there is no prediction.</summary>
    /// <param name="anatomy">One prompt, looked into.</param>
    let importances (anatomy: Anatomy) =
        let truth = importance "" anatomy.TrueImportance

        let unlabelled = axis ""
        unlabelled.SetProperty("showticklabels", false)

        match anatomy.Predicted with
        | null ->
            truth
            |> dressed "True importance" (float (150 + 13 * anatomy.TrueImportance.GetLength 0 * anatomy.TrueImportance.GetLength 1))
        | predicted ->
            [
                truth |> set "showscale" false
                importance "" predicted |> Chart.withYAxis unlabelled
            ]
            |> Chart.Grid(nRows = 1, nCols = 2, SubPlotTitles = [ "true importance"; "predicted by the lookahead tokens" ], XGap = 0.08)
            |> dressed "" (float (150 + 13 * predicted.GetLength 0 * predicted.GetLength 1))

    /// <summary>The head whose answer looks hardest at one place of the text: the largest true importance but for the first and last 64 tokens,
    /// which draw attention whatever they say.</summary>
    /// <param name="anatomy">One prompt, looked into.</param>
    /// <returns>Layer and head.</returns>
    let sharpest (anatomy: Anatomy) =
        let length = anatomy.TrueImportance.GetLength 2
        let edge = min 64 ((length - 1) / 2)

        let peak (layer, head) =
            let row = headRow anatomy.TrueImportance layer head
            Array.max row[edge .. length - 1 - edge]

        Seq.allPairs [ 0 .. anatomy.TrueImportance.GetLength 0 - 1 ] [ 0 .. anatomy.TrueImportance.GetLength 1 - 1 ]
        |> Seq.maxBy peak

    /// <summary>Predicted over true importance of one head, position by position.</summary>
    /// <param name="layer">0..L-1.</param>
    /// <param name="head">Query head, 0..H-1.</param>
    /// <param name="anatomy">One prompt, looked into.</param>
    let overlay layer head (anatomy: Anatomy) =
        let columns = 1024

        let places =
            Binning.starts columns (anatomy.TrueImportance.GetLength 2) |> Array.map float

        let line name color dash (width: float) (importance: float32[,,]) =
            let values =
                headRow importance layer head
                |> Binning.byMax columns
                |> Array.map (fun v -> Math.Round(max least (float v), 5))

            Chart.Scatter(
                x = places,
                y = values,
                mode = StyleParam.Mode.Lines,
                Name = name,
                Line = Line.init (Color = Color.fromHex color, Dash = dash, Width = width)
            )

        let yAxis = axis "attention"
        yAxis.SetProperty("type", "log")
        yAxis.SetProperty("range", [ log10 least; 0.0 ])
        yAxis.SetProperty("tickvals", [ 0.001; 0.01; 0.1; 1.0 ])
        yAxis.SetProperty("ticktext", [ "0.001"; "0.01"; "0.1"; "1" ])

        [
            line "true" "#000000" StyleParam.DrawingStyle.Solid 2. anatomy.TrueImportance
            match anatomy.Predicted with
            | null -> ()
            | predicted -> line "predicted" "#D55E00" StyleParam.DrawingStyle.Dot 1.5 predicted
        ]
        |> Chart.combine
        |> Chart.withXAxis (axis "position in the prompt")
        |> Chart.withYAxis yAxis
        |> dressed $"Layer {layer}, head {head}" 360.

    /// <summary>Share of the oracle's kept set that each policy keeps, layer by layer.</summary>
    /// <param name="anatomy">One prompt, looked into, the oracle's among its kept sets.</param>
    /// <exception cref="T:LookaheadKV.InputException">There is no kept set of the oracle.</exception>
    let recall (anatomy: Anatomy) =
        match anatomy.Kept.TryGetValue Oracle.Method.Name with
        | false, _ ->
            raise (
                LookaheadKV.InputException
                    $"there is no kept set of policy \"{Oracle.Method.Name}\" to compare with; inspect the prompt with it among the policies."
            )
        | true, reference ->
            let styles = Theme.styles anatomy.Kept.Keys
            let yAxis = axis "share of the oracle's kept set"
            yAxis.SetProperty("range", [ -0.03; 1.03 ])
            let xAxis = axis "layer"
            xAxis.SetProperty("dtick", 1)

            [
                for policy in Theme.order anatomy.Kept.Keys do
                    if policy <> Oracle.Method.Name then
                        let shares = Keeping.recall reference anatomy.Kept[policy]
                        curve styles[policy] policy (Seq.init shares.Length float) shares
            ]
            |> Chart.combine
            |> Chart.withXAxis xAxis
            |> Chart.withYAxis yAxis
            |> dressed $"What the oracle keeps and a policy keeps too, budget {anatomy.Budget}" 380.

    let private bars title unit (value: ResultRow -> float) (rows: ResultRow seq) =
        let rows =
            rows |> Seq.filter (fun row -> row.Task = ResultTable.Mean && (budgetOf row).IsSome) |> Seq.toList

        let places, _ = budgets rows
        let styles = rows |> Seq.map _.Policy |> Theme.styles
        let xAxis = axis "budget"
        xAxis.SetProperty("type", "category")

        [
            for policy in rows |> Seq.map _.Policy |> Theme.order do
                let own = rows |> List.filter (fun row -> row.Policy = policy)

                let values =
                    [
                        for budget, _ in places do
                            match own |> List.tryFind (fun row -> budgetOf row = Some budget) with
                            | Some row -> budget, value row
                            | None -> ()
                    ]

                let marker = DynamicObj()
                marker.SetProperty("color", styles[policy].Color)
                marker.SetProperty("pattern", dict [ "shape", styles[policy].Hatch ])

                Chart.Column(values = (values |> List.map snd), Keys = (values |> List.map fst), Name = policy)
                |> set "marker" marker
        ]
        |> Chart.combine
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis (axis unit)
        |> dressed title 360.

    /// <summary>Bytes of the cache that each policy leaves, by budget.</summary>
    /// <param name="rows">Result rows; the means are drawn.</param>
    let cacheBytes (rows: ResultRow seq) =
        bars "Cache left after the prompt" "KiB" (fun row -> float row.CacheBytes / 1024.) rows

    /// <summary>Time that each policy spends on evicting, by budget.</summary>
    /// <param name="rows">Result rows; the means are drawn.</param>
    let evictionTime (rows: ResultRow seq) =
        bars "Time for scoring, selecting and compacting" "ms a prompt" _.EvictionMs rows

    /// <summary>A loss over training steps, on a logarithmic scale.</summary>
    /// <param name="points">Step and loss, losses above 0.</param>
    let loss (points: struct (int64 * float) seq) =
        let points = Seq.toArray points
        let yAxis = axis "loss"
        yAxis.SetProperty("type", "log")

        Chart.Scatter(
            x = (points |> Array.map (fun struct (step, _) -> float step)),
            y = (points |> Array.map (fun struct (_, loss) -> loss)),
            mode = StyleParam.Mode.Lines,
            Line = Line.init (Color = Color.fromHex "#D55E00", Width = 1.5)
        )
        |> Chart.withXAxis (axis "step")
        |> Chart.withYAxis yAxis
        |> dressed "Training loss" 360.
