namespace LookaheadKV.FSharp

open System.Text.Json
open LookaheadKV.FSharp.Drawing
open Plotly.NET

/// Figures of this library as still pictures, drawn without a browser: curves, bands, bars and heat maps, on one pair of axes or a grid.
module Svg =

    /// The number of the axes on which a trace is drawn: "x" is the first, "x2" the second.
    let private plotOf trace =
        match (FigureJson.text "x" "xaxis" trace).TrimStart 'x' with
        | "" -> 1
        | number -> int number

    let private plot sheet layout (titles: string[]) (number, traces) =
        let plot = Plot.ofTraces layout (Sheet.area number sheet) number traces
        let title = titles |> Array.tryItem (number - 1) |> Option.defaultValue ""
        Plot.behind plot @ Marks.ofTraces sheet plot traces @ Plot.before title plot

    /// <summary>Draws a figure.</summary>
    /// <param name="chart">A figure of <see cref="Figures"/>.</param>
    let ofChart (chart: GenericChart) =
        use document = chart |> GenericChart.toFigureJson |> JsonDocument.Parse
        let data = FigureJson.list "data" document.RootElement
        let layout = document.RootElement.GetProperty "layout"
        let sheet = Sheet.ofFigure data layout

        let titles =
            FigureJson.list "annotations" layout |> Array.map (FigureJson.text "" "text")

        let elements =
            [
                for group in Array.groupBy plotOf data do
                    yield! plot sheet layout titles group
                yield! Legend.ofTraces sheet data
                yield! Element.words sheet.Left 24. "start" 17 "" (FigureJson.text "" "title.text" layout)
            ]

        let width, height = Element.number sheet.Width, Element.number sheet.Height

        $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" font-family=\"system-ui, sans-serif\" fill=\"#333\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
        + String.concat "" [ for element in elements -> element + "\n" ]
        + "</svg>\n"
