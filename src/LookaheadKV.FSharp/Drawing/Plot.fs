namespace LookaheadKV.FSharp.Drawing

open System.Text.Json

/// A pair of axes, and where it stands.
type internal Plot =
    {
        Area: Area
        /// What its marks are.
        Kind: string
        Horizontal: Axis
        Vertical: Axis
    }

    /// The place of a value along the horizontal axis.
    member this.X value =
        this.Area.X + this.Area.Width * this.Horizontal.Place value

    /// The place of a value along the vertical axis.
    member this.Y value =
        this.Area.Y + this.Area.Height * (1. - this.Vertical.Place value)

    /// The lower edge.
    member this.Bottom = this.Area.Y + this.Area.Height

module internal Plot =

    /// <summary>The plot of some traces.</summary>
    /// <param name="layout">The figure's layout.</param>
    /// <param name="area">Where it stands.</param>
    /// <param name="number">Its number among the figure's pairs of axes, from 1.</param>
    /// <param name="traces">What is drawn on it: all of one kind.</param>
    let ofTraces layout area number (traces: JsonElement[]) =
        let kind = FigureJson.kind traces[0]
        let suffix = if number = 1 then "" else string number

        let values path =
            traces |> Array.collect (FigureJson.texts path)

        let across, up =
            match kind with
            | "heatmap" -> Around 0., Names
            | "bar" -> Names, FromZero
            | _ -> Around 0.03, Around 0.05

        {
            Area = area
            Kind = kind
            Horizontal = values "x" |> Axis.ofLayout layout $"xaxis{suffix}" across
            Vertical = values "y" |> Axis.ofLayout layout $"yaxis{suffix}" up
        }

    /// Names that would touch stand on two lines in turn.
    let private isCrowded plot =
        plot.Horizontal.Ticks
        |> List.pairwise
        |> List.exists (fun ((before, name: string), (after, next: string)) ->
            (after - before) * plot.Area.Width < 3.3 * float (name.Length + next.Length))

    let private gridLine = "stroke=\"#e5e5e5\"/>"

    /// What lies behind the marks: ticks, and lines through the places where they tell something.
    let behind (plot: Plot) =
        let area, crowded = plot.Area, isCrowded plot

        [
            for i, (share, name) in List.indexed plot.Horizontal.Ticks do
                let x = area.X + area.Width * share
                let lower = if crowded && i % 2 = 1 then 14. else 0.

                if plot.Kind = "scatter" then
                    $"<path d=\"M{Element.number x} {Element.number area.Y}v{Element.number area.Height}\" {gridLine}"

                yield! Element.words x (plot.Bottom + 16. + lower) "middle" 12 "" name
            for share, name in plot.Vertical.Ticks do
                let y = area.Y + area.Height * (1. - share)

                if plot.Kind <> "heatmap" then
                    $"<path d=\"M{Element.number area.X} {Element.number y}h{Element.number area.Width}\" {gridLine}"

                if plot.Vertical.ShowTicks then
                    yield! Element.words (area.X - 6.) (y + 4.) "end" (if plot.Kind = "heatmap" then 10 else 12) "" name
        ]

    /// <summary>What lies before the marks: the axes' lines, and titles.</summary>
    /// <param name="title">Of the plot; "" for none.</param>
    /// <param name="plot">The plot.</param>
    let before title (plot: Plot) =
        let area = plot.Area
        let centre, middle = area.X + area.Width / 2., area.Y + area.Height / 2.
        let under = if isCrowded plot then 50. else 38.
        let beside = area.X - 56.

        let turned =
            $"transform=\"rotate(-90 {Element.number beside} {Element.number middle})\""

        [
            $"<path d=\"M{Element.number area.X} {Element.number area.Y}v{Element.number area.Height}h{Element.number area.Width}\" fill=\"none\" stroke=\"#333\"/>"
            yield! Element.words centre (plot.Bottom + under) "middle" 13 "" plot.Horizontal.Title
            yield! Element.words beside middle "middle" 13 turned plot.Vertical.Title
            yield! Element.words centre (area.Y - 8.) "middle" 13 "" title
        ]
