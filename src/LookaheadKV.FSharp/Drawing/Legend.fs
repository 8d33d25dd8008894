namespace LookaheadKV.FSharp.Drawing

open System.Text.Json

/// Names of traces beside the plots, each with what it looks like.
module internal Legend =

    let private sample x y trace =
        if FigureJson.kind trace = "bar" then
            [
                Element.box x (y - 9.) 24. 10. (FigureJson.text (Stroke.color trace) "marker.color" trace)
            ]
        else
            [
                $"<path d=\"M{Element.number x} {Element.number (y - 4.)}h28\" stroke=\"{Stroke.color trace}\" stroke-width=\"2\"{Stroke.dash trace}/>"
                yield! Stroke.marker (x + 14.) y trace
            ]

    /// The legend of a figure.
    let ofTraces (sheet: Sheet) (data: JsonElement[]) =
        let named =
            data
            |> Array.filter (fun trace -> (FigureJson.get "name" trace).IsSome && FigureJson.holds "showlegend" trace)

        [
            for i, trace in Array.indexed named do
                let x, y = sheet.Width - sheet.Right + 20., sheet.Top + 12. + 22. * float i
                yield! sample x y trace
                yield! Element.words (x + 34.) y "start" 13 "" (FigureJson.text "" "name" trace)
        ]
