namespace LookaheadKV.FSharp.Drawing

open System.Text.Json

/// What is drawn of a trace.
module internal Marks =

    let private pairs trace =
        Array.zip (FigureJson.texts "x" trace) (FigureJson.texts "y" trace)

    /// Columns; those of several traces stand side by side.
    let private bars (plot: Plot) (traces: JsonElement[]) i trace =
        let names = traces |> Array.collect (FigureJson.texts "x") |> Array.distinct
        let group = plot.Area.Width / float names.Length * 0.8
        let bar = group / float traces.Length
        let fill = FigureJson.text "#333" "marker.color" trace

        [
            for x, y in pairs trace do
                let top = plot.Y y
                Element.box (plot.X x - group / 2. + bar * float i) top (bar - 1.) (plot.Bottom - top) fill
        ]

    /// A curve with its points, or the closed outline of a band.
    let private curve (plot: Plot) trace =
        let places = pairs trace |> Array.map (fun (x, y) -> plot.X x, plot.Y y)

        let points =
            places |> Array.map (fun (x, y) -> $"{Element.number x},{Element.number y}") |> String.concat " "

        match FigureJson.get "fillcolor" trace with
        | Some fill -> [ $"<polygon points=\"{points}\" fill=\"{fill}\"/>" ]
        | None ->
            let width = FigureJson.amount 2. "line.width" trace |> Element.number

            [
                $"<polyline points=\"{points}\" fill=\"none\" stroke=\"{Stroke.color trace}\" stroke-width=\"{width}\"{Stroke.dash trace}/>"
                for x, y in places do
                    yield! Stroke.marker x (y + 4.) trace
            ]

    /// The marks of a plot's traces.
    let ofTraces sheet (plot: Plot) (traces: JsonElement[]) =
        [
            for i, trace in Array.indexed traces do
                match plot.Kind with
                | "heatmap" -> yield! HeatMap.marks sheet plot trace
                | "bar" -> yield! bars plot traces i trace
                | _ -> yield! curve plot trace
        ]
