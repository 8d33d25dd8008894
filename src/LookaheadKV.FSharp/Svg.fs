namespace LookaheadKV.FSharp

open System
open System.Globalization
open System.Text
open System.Text.Json
open Plotly.NET

/// Figures of this library as still pictures, drawn without a browser: curves, bands, bars and heat maps, on one pair of axes or a grid.
module Svg =

    let private number (value: float) =
        Math.Round(value, 1).ToString(CultureInfo.InvariantCulture)

    let private get (name: string) (node: JsonElement) =
        match node.ValueKind with
        | JsonValueKind.Object ->
            match node.TryGetProperty name with
            | true, value when value.ValueKind <> JsonValueKind.Null -> Some value
            | _ -> None
        | _ -> None

    let private at (path: string) node =
        Seq.fold (fun found name -> Option.bind (get name) found) (Some node) (path.Split '.')

    let private text fallback path node =
        at path node |> Option.map string |> Option.defaultValue fallback

    let private list path node =
        at path node
        |> Option.map (fun items -> [| for item in items.EnumerateArray() -> item |])
        |> Option.defaultValue [||]

    /// One axis: from a value of the data to its share of the axis' length, and its ticks.
    type private Axis =
        {
            Place: string -> float
            Ticks: (float * string) list
            Title: string
            ShowTicks: bool
        }

    let private ofText (value: string) =
        Double.Parse(value, CultureInfo.InvariantCulture)

    let private steps low high =
        let raw = (high - low) / 6.
        let power = Math.Pow(10., floor (log10 raw))

        let step =
            [ 1.; 2.; 5.; 10. ] |> List.map ((*) power) |> List.find (fun step -> step >= raw * 0.999)

        [
            for i in int (ceil (low / step - 1e-9)) .. int (floor (high / step + 1e-9)) -> float i * step
        ]

    /// Powers of ten between two of their logarithms; where they are fewer than three, their doubles and halves too.
    let private decades low high =
        let within factors =
            [
                for power in int (floor low) .. int (ceil high) do
                    for factor in factors do
                        let place = log10 factor + float power

                        if place >= low - 1e-9 && place <= high + 1e-9 then
                            place, factor * Math.Pow(10., float power)
            ]

        match within [ 1. ] with
        | few when few.Length < 3 -> within [ 1.; 2.; 5. ]
        | powers -> powers

    /// An axis of a layout. Where it gives no range, a share of what the values span stays free beyond them.
    let private axisOf (layout: JsonElement) (values: string[]) isCategory name fromZero free =
        let node = get name layout
        let find path = node |> Option.bind (at path)

        let texts path =
            node |> Option.map (list path) |> Option.defaultValue [||] |> Array.map string

        let title = find "title.text" |> Option.map string |> Option.defaultValue ""

        let showTicks =
            find "showticklabels" |> Option.forall (fun shown -> shown.GetBoolean())

        if isCategory then
            let names = Array.distinct values

            let place value =
                (float (Array.IndexOf(names, value)) + 0.5) / float names.Length

            let reversed = (find "autorange" |> Option.map string) = Some "reversed"

            let turned value =
                if reversed then 1. - place value else place value

            let every = max 1 (names.Length / 24)
            let ticks = [ for i in 0..every .. names.Length - 1 -> turned names[i], names[i] ]

            {
                Place = turned
                Ticks = ticks
                Title = title
                ShowTicks = showTicks
            }
        else
            let isLog = (find "type" |> Option.map string) = Some "log"
            let scale value = if isLog then log10 value else value
            let scaled = values |> Array.map (ofText >> scale)

            let low, high =
                match texts "range" with
                | [| low; high |] -> ofText low, ofText high
                | _ when fromZero -> 0., Array.max scaled * 1.05
                | _ ->
                    let margin = (Array.max scaled - Array.min scaled) * free
                    Array.min scaled - margin, Array.max scaled + margin

            let high = if high > low then high else low + 1.
            let place value = (scale value - low) / (high - low)

            let ticks =
                match texts "tickvals", texts "ticktext" with
                | [||], _ ->
                    [
                        for at, value in
                            (if isLog then
                                 decades low high
                             else
                                 [ for value in steps low high -> value, value ]) ->
                            (at - low) / (high - low), Math.Round(value, 6).ToString(CultureInfo.InvariantCulture)
                    ]
                | values, names -> [ for value, name in Array.zip values names -> place (ofText value), name ]

            {
                Place = ofText >> place
                Ticks = ticks |> List.filter (fun (share, _) -> share >= -1e-6 && share <= 1.000001)
                Title = title
                ShowTicks = showTicks
            }

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

    let private shades = 24

    let private cividis share =
        let anchors = Theme.cividis |> List.toArray
        let place = min 0.9999 (max 0. share) * float (anchors.Length - 1)
        let i, rest = int place, place - floor place

        let part (hex: string) k =
            float (Convert.ToInt32(hex.Substring(k, 2), 16))

        let mix k =
            int (Math.Round(part anchors[i] k * (1. - rest) + part anchors[i + 1] k * rest))

        $"#%02x{mix 1}%02x{mix 3}%02x{mix 5}"

    /// <summary>Draws a figure.</summary>
    /// <param name="chart">A figure of <see cref="Figures"/>.</param>
    let ofChart (chart: GenericChart) =
        use document = chart |> GenericChart.toFigureJson |> JsonDocument.Parse
        let data = list "data" document.RootElement
        let layout = document.RootElement.GetProperty "layout"
        let width = 960.
        let height = text "420" "height" layout |> ofText
        let right, top, bottom = 150., 58., 58.

        // Names of a heat map's rows need the room that they need.
        let left =
            data
            |> Seq.filter (fun trace -> text "" "type" trace = "heatmap")
            |> Seq.collect (list "y")
            |> Seq.map (fun name -> 16. + 5.6 * float (string name).Length)
            |> Seq.append [ 74. ]
            |> Seq.max

        let out = StringBuilder()
        let add (line: string) = out.Append(line).Append('\n') |> ignore

        let write x y anchor size extra (value: string) =
            if value <> "" then
                add
                    $"<text x=\"{number x}\" y=\"{number y}\" text-anchor=\"{anchor}\" font-size=\"{size}\" {extra}>{Html.escape value}</text>"

        let rows = text "1" "grid.rows" layout |> int
        let columns = text "1" "grid.columns" layout |> int
        let share name = text "0" name layout |> ofText

        let cellWidth =
            (width - left - right)
            / (float columns - share "grid.xgap" * float (columns > 1 |> Convert.ToInt32))

        let spanX = (width - left - right) / float columns
        let spanY = (height - top - bottom) / float rows

        let plotWidth =
            if columns = 1 then
                cellWidth
            else
                spanX * (1. - share "grid.xgap")

        let plotHeight = if rows = 1 then spanY else spanY * (1. - share "grid.ygap")
        let titles = list "annotations" layout |> Array.map (text "" "text")

        let index (trace: JsonElement) =
            (text "x" "xaxis" trace).TrimStart 'x' |> fun rest -> if rest = "" then 1 else int rest

        for k, traces in data |> Array.groupBy index do
            let x0 = left + spanX * float ((k - 1) % columns)
            let y0 = top + spanY * float ((k - 1) / columns)
            let suffix = if k = 1 then "" else string k
            let kind = text "scatter" "type" traces[0]
            let xs = traces |> Array.collect (list "x") |> Array.map string
            let ys = traces |> Array.collect (list "y") |> Array.map string

            let xAxis =
                axisOf layout xs (kind = "bar") $"xaxis{suffix}" false (if kind = "heatmap" then 0. else 0.03)

            let yAxis = axisOf layout ys (kind = "heatmap") $"yaxis{suffix}" (kind = "bar") 0.05
            let px value = x0 + plotWidth * xAxis.Place value

            let py value =
                y0 + plotHeight * (1. - yAxis.Place value)

            // Names that would touch stand on two lines in turn.
            let isCrowded =
                xAxis.Ticks
                |> List.pairwise
                |> List.exists (fun ((before, name: string), (after, next: string)) ->
                    (after - before) * plotWidth < 3.3 * float (name.Length + next.Length))

            for i, (share, name) in List.indexed xAxis.Ticks do
                let x = x0 + plotWidth * share
                let lower = if isCrowded && i % 2 = 1 then 14. else 0.

                if kind = "scatter" then
                    add $"<path d=\"M{number x} {number y0}v{number plotHeight}\" stroke=\"#e5e5e5\"/>"

                write x (y0 + plotHeight + 16. + lower) "middle" 12 "" name

            for share, name in yAxis.Ticks do
                let y = y0 + plotHeight * (1. - share)

                if kind <> "heatmap" then
                    add $"<path d=\"M{number x0} {number y}h{number plotWidth}\" stroke=\"#e5e5e5\"/>"

                if yAxis.ShowTicks then
                    write (x0 - 6.) (y + 4.) "end" (if kind = "heatmap" then 10 else 12) "" name

            for i, trace in Array.indexed traces do
                let tx = list "x" trace |> Array.map string
                let ty = list "y" trace |> Array.map string

                match kind with
                | "heatmap" ->
                    let low, high = text "0" "zmin" trace |> ofText, text "1" "zmax" trace |> ofText

                    let z =
                        list "z" trace |> Array.map (fun row -> [| for v in row.EnumerateArray() -> v.GetDouble() |])

                    let cellW = plotWidth / float z[0].Length
                    let cellH = plotHeight / float z.Length

                    let shade value =
                        int (Math.Round((value - low) / (high - low) * float shades))

                    let runs =
                        [
                            for r, row in Array.indexed z do
                                let mutable start = 0

                                for c in 1 .. row.Length do
                                    if c = row.Length || shade row[c] <> shade row[start] then
                                        shade row[start], (r, start, c - start)
                                        start <- c
                        ]

                    for level, runs in List.groupBy fst runs do
                        let path = StringBuilder()

                        for _, (r, start, count) in runs do
                            let x, y = x0 + cellW * float start, y0 + cellH * float r

                            path.Append
                                $"M{number x} {number y}h{number (cellW * float count + 0.2)}v{number (cellH + 0.2)}h-{number (cellW * float count + 0.2)}z"
                            |> ignore

                        add $"<path fill=\"{cividis (float level / float shades)}\" d=\"{path}\"/>"

                    // Numbers in the cells, readable on dark and light.
                    for r, row in list "text" trace |> Array.indexed do
                        for c, label in row.EnumerateArray() |> Seq.indexed do
                            let color = if 2 * shade (z[r][c]) < shades then "#fff" else "#111"
                            let x, y = x0 + cellW * (float c + 0.5), y0 + cellH * (float r + 0.5)
                            write x (y + 4.) "middle" 12 $"fill=\"{color}\"" (string label)

                    if text "True" "showscale" trace <> "False" then
                        let x = width - right + 24.

                        for level in 0..shades do
                            let y = y0 + plotHeight * (1. - float (level + 1) / float (shades + 1))

                            add
                                $"<rect x=\"{number x}\" y=\"{number y}\" width=\"16\" height=\"{number (plotHeight / float (shades + 1) + 0.3)}\" fill=\"{cividis (float level / float shades)}\"/>"

                        for value, name in Array.zip (list "colorbar.tickvals" trace) (list "colorbar.ticktext" trace) do
                            write
                                (x + 22.)
                                (y0 + plotHeight * (1. - (value.GetDouble() - low) / (high - low)) + 4.)
                                "start"
                                12
                                ""
                                (string name)

                        write x (y0 - 8.) "start" 12 "" (text "" "colorbar.title.text" trace)
                | "bar" ->
                    let group = plotWidth / float (Array.distinct xs).Length * 0.8
                    let bar = group / float traces.Length

                    for x, y in Array.zip tx ty do
                        let top = py y
                        let fill = text "#333" "marker.color" trace

                        add
                            $"<rect x=\"{number (px x - group / 2. + bar * float i)}\" y=\"{number top}\" width=\"{number (bar - 1.)}\" height=\"{number (y0 + plotHeight - top)}\" fill=\"{fill}\"/>"
                | _ ->
                    let points =
                        Array.map2 (fun x y -> $"{number (px x)},{number (py y)}") tx ty |> String.concat " "

                    let color = text "#333" "line.color" trace

                    match get "fillcolor" trace with
                    | Some fill -> add $"<polygon points=\"{points}\" fill=\"{fill}\"/>"
                    | None ->
                        let dash =
                            dashes
                            |> Map.tryFind (text "" "line.dash" trace)
                            |> Option.map (sprintf " stroke-dasharray=\"%s\"")
                            |> Option.defaultValue ""

                        let line = text "2" "line.width" trace |> ofText
                        add $"<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{number line}\"{dash}/>"

                        if (text "" "mode" trace).Contains "markers" then
                            for x, y in Array.zip tx ty do
                                write
                                    (px x)
                                    (py y + 4.)
                                    "middle"
                                    11
                                    $"fill=\"{color}\""
                                    (glyphs |> Map.tryFind (text "0" "marker.symbol" trace) |> Option.defaultValue "●")

            add $"<path d=\"M{number x0} {number y0}v{number plotHeight}h{number plotWidth}\" fill=\"none\" stroke=\"#333\"/>"
            write (x0 + plotWidth / 2.) (y0 + plotHeight + (if isCrowded then 50. else 38.)) "middle" 13 "" xAxis.Title
            let middle = y0 + plotHeight / 2.
            write (x0 - 56.) middle "middle" 13 $"transform=\"rotate(-90 {number (x0 - 56.)} {number middle})\"" yAxis.Title

            if k <= titles.Length then
                write (x0 + plotWidth / 2.) (y0 - 8.) "middle" 13 "" titles[k - 1]

        let named =
            data
            |> Array.filter (fun trace -> (get "name" trace).IsSome && text "True" "showlegend" trace <> "False")

        for i, trace in Array.indexed named do
            let y = top + 12. + 22. * float i
            let x = width - right + 20.
            let color = text "#333" "line.color" trace

            if text "" "type" trace = "bar" then
                let color = text color "marker.color" trace
                add $"<rect x=\"{number x}\" y=\"{number (y - 9.)}\" width=\"24\" height=\"10\" fill=\"{color}\"/>"
            else
                let dash =
                    dashes
                    |> Map.tryFind (text "" "line.dash" trace)
                    |> Option.map (sprintf " stroke-dasharray=\"%s\"")
                    |> Option.defaultValue ""

                add $"<path d=\"M{number x} {number (y - 4.)}h28\" stroke=\"{color}\" stroke-width=\"2\"{dash}/>"

                if (text "" "mode" trace).Contains "markers" then
                    write
                        (x + 14.)
                        y
                        "middle"
                        11
                        $"fill=\"{color}\""
                        (glyphs |> Map.tryFind (text "0" "marker.symbol" trace) |> Option.defaultValue "●")

            write (x + 34.) y "start" 13 "" (text "" "name" trace)

        write left 24. "start" 17 "" (text "" "title.text" layout)

        $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {number width} {number height}\" width=\"{number width}\" font-family=\"system-ui, sans-serif\" fill=\"#333\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n{out}</svg>\n"
