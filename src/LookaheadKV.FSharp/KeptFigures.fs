namespace LookaheadKV.FSharp

open System
open DynamicObj
open LookaheadKV.Evaluation
open LookaheadKV.Methods
open Plotly.NET

/// Figures of kept sets, head by head, of one call each.
module KeptFigures =

    // A row a policy, a column a layer and kv head, the number in every cell.
    let private byHead (title: string) unit (format: float -> string) (ticks: float list) (rows: (string * float[][]) list) =
        let first = rows |> List.head |> snd

        let columns =
            [
                for layer in 0 .. first.Length - 1 do
                    for head in 0 .. first[layer].Length - 1 -> $"{layer}·{head}"
            ]

        let cells = rows |> List.map (snd >> Array.concat)
        let yAxis = Charts.axis ""
        yAxis.SetProperty("type", "category")
        yAxis.SetProperty("autorange", "reversed")
        yAxis.SetProperty("showgrid", false)
        yAxis.SetProperty("automargin", true)
        let xAxis = Charts.axis "layer·kv head"
        xAxis.SetProperty("showgrid", false)
        xAxis.SetProperty("range", [ -0.5; float columns.Length - 0.5 ])
        xAxis.SetProperty("tickvals", [ 0 .. columns.Length - 1 ])
        xAxis.SetProperty("ticktext", columns)
        let bar = DynamicObj()
        bar.SetProperty("tickvals", ticks)
        bar.SetProperty("ticktext", ticks |> List.map format)
        bar.SetProperty("title", dict [ "text", unit ])

        Chart.Heatmap(
            zData = (cells |> List.map (Array.map (fun value -> Math.Round(value, 4)))),
            X = [ 0 .. columns.Length - 1 ],
            Y = (rows |> List.map fst)
        )
        |> Charts.set "zmin" (List.min ticks)
        |> Charts.set "zmax" (List.max ticks)
        |> Charts.set "colorscale" "Cividis"
        |> Charts.set "colorbar" bar
        |> Charts.set "text" (cells |> List.map (Array.map format))
        |> Charts.set "texttemplate" "%{text}"
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis yAxis
        |> Charts.dressed title (float (150 + 26 * rows.Length))

    /// <summary>Shares 0..1 of anything, a row a name, a cell a layer and kv head.</summary>
    /// <param name="title">What they are shares of.</param>
    /// <param name="rows">Names, and shares by layer and kv head.</param>
    let shares (title: string) (rows: (string * float[][]) list) =
        rows
        |> byHead
            title
            "share"
            (fun share -> share.ToString("0.00", Globalization.CultureInfo.InvariantCulture))
            [ 0.; 0.25; 0.5; 0.75; 1. ]

    /// <summary>Share of the oracle's kept set that each policy keeps too, a cell a layer and kv head.</summary>
    /// <param name="anatomy">One prompt, looked into, the oracle's among its kept sets and another one.</param>
    /// <exception cref="T:LookaheadKV.InputException">There is no kept set of the oracle, or no other.</exception>
    let recall (anatomy: Anatomy) =
        let others =
            anatomy.Kept.Keys |> Theme.order |> List.filter ((<>) Oracle.Method.Name)

        match anatomy.Kept.TryGetValue Oracle.Method.Name, others with
        | (true, reference), _ :: _ ->
            others
            |> List.map (fun policy -> policy, Keeping.recallByHead reference anatomy.Kept[policy])
            |> shares $"Share of the oracle's kept set, budget {anatomy.Budget}"
        | _ ->
            raise (
                LookaheadKV.InputException
                    $"recall needs a kept set of policy \"{Oracle.Method.Name}\" and of another one; inspect the prompt with both among the policies."
            )

    /// <summary>How many entries every layer and kv head keeps: flat for even budgets, not so for adaptive heads, pyramids and global budgets.</summary>
    /// <param name="anatomy">One prompt, looked into, with at least one kept set.</param>
    /// <exception cref="T:LookaheadKV.InputException">There is no kept set.</exception>
    let counts (anatomy: Anatomy) =
        if anatomy.Kept.Count = 0 then
            raise (LookaheadKV.InputException "there is no kept set to count; inspect the prompt with at least one policy.")

        let rows =
            [
                for policy in Theme.order anatomy.Kept.Keys -> policy, anatomy.Kept[policy] |> Array.map (Array.map (Array.length >> float))
            ]

        let most = rows |> Seq.collect snd |> Seq.concat |> Seq.max |> max 1.

        byHead
            $"Entries kept by each head, budget {anatomy.Budget}"
            "entries"
            (fun count -> string (int count))
            [ for quarter in 0..4 -> Math.Round(most * float quarter / 4.) ]
            rows

    /// <summary>How much of the attention the C most attended positions hold, against C: a curve a layer, the mean of its heads.</summary>
    /// <param name="title">What it is of.</param>
    /// <param name="importance">Values [L, H, N], at least 0, no row all 0.</param>
    let mass (title: string) (importance: float32[,,]) =
        let layers, heads, length =
            importance.GetLength 0, importance.GetLength 1, importance.GetLength 2

        let counts =
            Seq.initInfinite (fun i -> 1 <<< i) |> Seq.takeWhile (fun count -> count < length) |> Seq.toList

        let held layer =
            let shares =
                [
                    for head in 0 .. heads - 1 -> Array.init length (fun position -> importance[layer, head, position]) |> Keeping.topShares
                ]

            [
                for count in counts -> shares |> List.averageBy (fun share -> share[count - 1])
            ]

        let line layer =
            // The lightest end of the scale is too pale for a line.
            let color = Theme.cividis[layer * (Theme.cividis.Length - 2) / max 1 (layers - 1)]

            Chart.Scatter(
                x = (counts |> List.map float),
                y = held layer,
                mode = StyleParam.Mode.Lines_Markers,
                Name = $"layer {layer}",
                Line = Line.init (Color = Color.fromHex color, Width = 2.),
                Marker =
                    TraceObjects.Marker.init (
                        Color = Color.fromHex color,
                        Symbol =
                            List.item
                                (layer % 4)
                                [
                                    StyleParam.MarkerSymbol.Circle
                                    StyleParam.MarkerSymbol.Square
                                    StyleParam.MarkerSymbol.Diamond
                                    StyleParam.MarkerSymbol.Cross
                                ],
                        Size = 8
                    )
            )

        let xAxis = Charts.axis "C, positions kept"
        xAxis.SetProperty("type", "log")
        xAxis.SetProperty("tickvals", counts)
        xAxis.SetProperty("ticktext", counts |> List.map string)
        let yAxis = Charts.axis "share of the attention on the prompt"
        yAxis.SetProperty("range", [ -0.03; 1.03 ])

        [ for layer in 0 .. layers - 1 -> line layer ]
        |> Chart.combine
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis yAxis
        |> Charts.dressed title 400.
