namespace LookaheadKV.FSharp.Drawing

open System
open LookaheadKV.FSharp

/// Cells coloured by their values, with a scale beside them.
module internal HeatMap =

    let private shades = 24

    /// The colour at a share of the scale.
    let private cividis share =
        let anchors = Theme.cividis |> List.toArray
        let place = min 0.9999 (max 0. share) * float (anchors.Length - 1)
        let i, rest = int place, place - floor place

        let part (hex: string) k =
            float (Convert.ToInt32(hex.Substring(k, 2), 16))

        let mix k =
            int (Math.Round(part anchors[i] k * (1. - rest) + part anchors[i + 1] k * rest))

        $"#%02x{mix 1}%02x{mix 3}%02x{mix 5}"

    let private colorOf shade = cividis (float shade / float shades)

    /// Neighbours of one shade in a row: the shade, the row, the first column, how many.
    let private runs (shadesOf: int[][]) =
        [
            for r, row in Array.indexed shadesOf do
                let mutable start = 0

                for c in 1 .. row.Length do
                    if c = row.Length || row[c] <> row[start] then
                        row[start], (r, start, c - start)
                        start <- c
        ]

    /// A path a shade: all that has its colour at once.
    let private cells (area: Area) (shadesOf: int[][]) =
        let width = area.Width / float shadesOf[0].Length
        let height = area.Height / float shadesOf.Length

        // A little larger than they are, so that no light shines between them.
        let outline (row, start, count) =
            let x, y = area.X + width * float start, area.Y + height * float row
            let across = Element.number (width * float count + 0.2)
            $"M{Element.number x} {Element.number y}h{across}v{Element.number (height + 0.2)}h-{across}z"

        [
            for shade, runs in runs shadesOf |> List.groupBy fst ->
                $"""<path fill="{colorOf shade}" d="{runs |> List.map (snd >> outline) |> String.concat ""}"/>"""
        ]

    /// Numbers in the cells, readable on dark and light.
    let private numbers (area: Area) (shadesOf: int[][]) trace =
        let width = area.Width / float shadesOf[0].Length
        let height = area.Height / float shadesOf.Length

        [
            for r, row in FigureJson.list "text" trace |> Array.indexed do
                for c, label in row.EnumerateArray() |> Seq.indexed do
                    let color = if 2 * shadesOf[r][c] < shades then "#fff" else "#111"
                    let x, y = area.X + width * (float c + 0.5), area.Y + height * (float r + 0.5)
                    yield! Element.words x (y + 4.) "middle" 12 $"fill=\"{color}\"" (string label)
        ]

    /// The scale beside the cells.
    let private scale (sheet: Sheet) (plot: Plot) share trace =
        let x = sheet.Width - sheet.Right + 24.
        let height = plot.Area.Height / float (shades + 1)

        [
            for shade in 0..shades do
                let y =
                    plot.Area.Y + plot.Area.Height * (1. - float (shade + 1) / float (shades + 1))

                Element.box x y 16. (height + 0.3) (colorOf shade)
            for value, name in Array.zip (FigureJson.list "colorbar.tickvals" trace) (FigureJson.texts "colorbar.ticktext" trace) do
                let y = plot.Area.Y + plot.Area.Height * (1. - share (value.GetDouble())) + 4.
                yield! Element.words (x + 22.) y "start" 12 "" name
            yield! Element.words x (plot.Area.Y - 8.) "start" 12 "" (FigureJson.text "" "colorbar.title.text" trace)
        ]

    /// The marks of a heat map.
    let marks (sheet: Sheet) (plot: Plot) trace =
        let low, high = FigureJson.amount 0. "zmin" trace, FigureJson.amount 1. "zmax" trace
        let share value = (value - low) / (high - low)

        let shadesOf =
            FigureJson.list "z" trace
            |> Array.map (fun row ->
                [|
                    for value in row.EnumerateArray() -> int (Math.Round(share (value.GetDouble()) * float shades))
                |])

        [
            yield! cells plot.Area shadesOf
            yield! numbers plot.Area shadesOf trace
            if FigureJson.holds "showscale" trace then
                yield! scale sheet plot share trace
        ]
