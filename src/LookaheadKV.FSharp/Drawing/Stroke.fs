namespace LookaheadKV.FSharp.Drawing

/// How a curve is told from others: its colour, its dash and its points.
module internal Stroke =

    let private dashes =
        Map
            [
                "dot", "2,3"
                "dash", "7,4"
                "longdash", "11,5"
                "dashdot", "7,3,2,3"
                "longdashdot", "11,4,2,4"
            ]

    let private glyphs =
        Map
            [
                "0", "●"
                "1", "■"
                "2", "◆"
                "3", "✚"
                "4", "✖"
                "5", "▲"
                "6", "▼"
                "13", "⬟"
                "17", "★"
            ]

    /// A trace's colour.
    let color trace =
        FigureJson.text "#333" "line.color" trace

    /// The attribute of a trace's dash; nothing for a solid line.
    let dash trace =
        dashes
        |> Map.tryFind (FigureJson.text "" "line.dash" trace)
        |> Option.map (sprintf " stroke-dasharray=\"%s\"")
        |> Option.defaultValue ""

    /// A trace's marker at a place; nothing where it is drawn without.
    let marker x y trace =
        if (FigureJson.text "" "mode" trace).Contains "markers" then
            let glyph =
                glyphs |> Map.tryFind (FigureJson.text "0" "marker.symbol" trace) |> Option.defaultValue "●"

            Element.words x y "middle" 11 $"fill=\"{color trace}\"" glyph
        else
            []
