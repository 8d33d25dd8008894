namespace LookaheadKV.FSharp

open System
open System.Globalization
open Plotly.NET
open Plotly.NET.TraceObjects

/// A curve of costs.
type CostCurve =
    {
        /// Whose: gives the colour, and the name in the legend.
        Policy: string
        /// Whether it is a floor from a formula, drawn thin and dotted in the colour of what it is the floor of, or measured, drawn with its points.
        IsFloor: bool
        /// Where on the axis, and how much there.
        Points: (float * float) list
    }

/// Figures of what eviction costs and saves, of one call each.
module CostFigures =

    /// <summary>A measured curve.</summary>
    let measured policy points =
        {
            Policy = policy
            IsFloor = false
            Points = points
        }

    /// <summary>A curve from a formula.</summary>
    let floor policy points =
        {
            Policy = policy
            IsFloor = true
            Points = points
        }

    /// A number as short as it can be told: 2K for 2,048.
    let private short (value: float) =
        if value >= 1024. && value % 1024. = 0. then
            $"{value / 1024.}K"
        else
            value.ToString("#,0.####", CultureInfo.InvariantCulture)

    let private logarithmic title (values: float list) =
        let axis = Charts.axis title
        axis.SetProperty("type", "log")
        axis.SetProperty("range", [ log10 (List.min values) - 0.04; log10 (List.max values) + 0.04 ])
        axis

    let private line (styles: Map<string, PolicyStyle>) curve =
        let style = styles[curve.Policy]
        let color = Color.fromHex style.Color
        let xs, ys = curve.Points |> List.sortBy fst |> List.unzip

        if curve.IsFloor then
            Chart.Scatter(
                x = xs,
                y = ys,
                mode = StyleParam.Mode.Lines,
                Name = "floor",
                Line = Line.init (Color = color, Dash = StyleParam.DrawingStyle.Dot, Width = 1.)
            )
        else
            Chart.Scatter(
                x = xs,
                y = ys,
                mode = StyleParam.Mode.Lines_Markers,
                Name = curve.Policy,
                Line = Line.init (Color = color, Dash = style.Dash, Width = 2.),
                Marker = Marker.init (Color = color, Symbol = style.Symbol, Size = 8)
            )

    // The floors share a place in the legend: each has the colour of what it is the floor of.
    let private drawn xAxis yAxis title (curves: CostCurve list) =
        let styles = curves |> List.map _.Policy |> Theme.styles
        let measured, floors = curves |> List.partition (fun curve -> not curve.IsFloor)

        List.map (line styles) measured
        @ List.mapi (fun i curve -> line styles curve |> Charts.set "showlegend" (i = 0)) floors
        |> Chart.combine
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis yAxis
        |> Charts.dressed title 420.

    let private given (curves: CostCurve list) =
        if curves |> List.forall _.Points.IsEmpty then
            raise (LookaheadKV.InputException "there is no cost to draw, or none above 0; give at least one curve with a point.")

        curves |> List.filter (fun curve -> not curve.Points.IsEmpty)

    /// <summary>Costs against lengths, both on logarithmic axes, which have no place for a cost of 0 or less: such points are left out.</summary>
    /// <param name="title">What is drawn.</param>
    /// <param name="xTitle">What the lengths are of.</param>
    /// <param name="curves">Curves of milliseconds.</param>
    /// <exception cref="T:LookaheadKV.InputException">No point is above 0.</exception>
    let costs (title: string) (xTitle: string) (curves: CostCurve list) =
        let curves =
            curves
            |> List.map (fun curve ->
                { curve with
                    Points = curve.Points |> List.filter (fun (_, cost) -> cost > 0.)
                })
            |> given

        let xs, ys = curves |> List.collect _.Points |> List.unzip
        let lengths = List.distinct xs
        let xAxis = logarithmic xTitle xs
        xAxis.SetProperty("tickvals", lengths)
        xAxis.SetProperty("ticktext", lengths |> List.map short)
        drawn xAxis (logarithmic "ms" ys) title curves

    /// <summary>Costs in proportion: both axes start at 0.</summary>
    /// <param name="title">What is drawn.</param>
    /// <param name="xTitle">What the costs are drawn against.</param>
    /// <param name="curves">Curves of milliseconds.</param>
    /// <exception cref="T:LookaheadKV.InputException">There is no point.</exception>
    let proportions (title: string) (xTitle: string) (curves: CostCurve list) =
        let curves = given curves

        let fromZero title place =
            let axis = Charts.axis title
            let values = curves |> List.collect _.Points |> List.map place
            axis.SetProperty("range", [ 0.; 1.05 * List.max values ])
            axis

        drawn (fromZero xTitle fst) (fromZero "ms" snd) title curves

    /// <summary>Time to the last token against the answer's length: what was paid for eviction is paid back where its line goes below the full cache's.</summary>
    /// <param name="title">What is drawn.</param>
    /// <param name="tokens">Longest answer.</param>
    /// <param name="lines">For each policy the time before the first token, and that of a token, in milliseconds.</param>
    let answers (title: string) (tokens: int) (lines: (string * float * float) list) =
        let ends = [ 0.; float tokens / 2.; float tokens ]

        lines
        |> List.map (fun (policy, first, each) -> measured policy [ for count in ends -> count, first + each * count ])
        |> proportions title "tokens generated"
