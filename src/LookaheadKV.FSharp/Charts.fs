namespace LookaheadKV.FSharp

open Plotly.NET
open Plotly.NET.LayoutObjects
open Plotly.NET.TraceObjects

/// What figures share: axes, dress, the curve of a policy and its band.
module internal Charts =

    /// A trace's property that Plotly.NET has no parameter for.
    let set (name: string) (value: obj) =
        GenericChart.mapTrace (fun trace ->
            trace.SetProperty(name, value)
            trace)

    let private grid = Color.fromHex "#e5e5e5"
    let private ink = Color.fromHex "#333333"

    /// An axis with a title.
    let axis title =
        LinearAxis.init (
            Title = Title.init (Text = title),
            ShowGrid = true,
            GridColor = grid,
            ShowLine = true,
            LineColor = ink,
            ZeroLine = false
        )

    /// A figure with its title and height, as all figures look.
    let dressed (title: string) (height: float) chart =
        chart
        |> Chart.withLayout (
            Layout.init (
                Title = Title.init (Text = title),
                Font = Font.init (Family = StyleParam.FontFamily.Custom "system-ui, sans-serif", Size = 13., Color = ink),
                PaperBGColor = Color.fromHex "#ffffff",
                PlotBGColor = Color.fromHex "#ffffff",
                Height = int height,
                AutoSize = true
            )
        )
        // As wide as the page, not 600 pixels.
        |> GenericChart.mapLayout (fun layout ->
            layout.RemoveProperty "width" |> ignore
            layout)

    /// A policy's points, joined.
    let curve (style: PolicyStyle) name (xs: float seq) (ys: float seq) =
        Chart.Scatter(
            x = xs,
            y = ys,
            mode = StyleParam.Mode.Lines_Markers,
            Name = name,
            Line = Line.init (Color = Color.fromHex style.Color, Dash = style.Dash, Width = 2.),
            Marker = Marker.init (Color = Color.fromHex style.Color, Symbol = style.Symbol, Size = 8)
        )
        |> set "legendgroup" name

    /// What lies between lower and upper ends, as one closed outline.
    let band (style: PolicyStyle) name (xs: float list) (low: float list) (high: float list) =
        Chart.Scatter(
            x = xs @ List.rev xs,
            y = high @ List.rev low,
            mode = StyleParam.Mode.Lines,
            Name = name,
            ShowLegend = false,
            Line = Line.init (Color = Color.fromHex style.Color, Width = 0.)
        )
        |> set "fill" "toself"
        |> set "fillcolor" (Theme.faded style.Color 0.15)
        |> set "legendgroup" name
        |> set "hoverinfo" "skip"
