// What the scripts of the results share: tables of a text, slopes, and the part of a page that a script writes.
open System
open System.IO

let line cells = "| " + String.concat " | " cells + " |"

/// A table whose first column is words and whose others are numbers.
let table (header: string list) (rows: string list list) =
    line header
    :: line [ for i in 1 .. header.Length -> if i = 1 then "---" else "---:" ]
    :: List.map line rows

/// The slope of a line through points, both axes in logarithms: the power of x that y grows with.
let power points =
    let x, y = points |> List.map (fst >> log), points |> List.map (snd >> log)
    let mx, my = List.average x, List.average y

    (List.zip x y |> List.sumBy (fun (x, y) -> (x - mx) * (y - my)))
    / (x |> List.sumBy (fun x -> (x - mx) ** 2.0))

/// That power over the longer half, where launches no longer count.
let exponent points =
    points |> List.sortBy fst |> List.skip (List.length points / 2) |> power

/// Writes a page anew behind its line "## Tables".
let writeBehindMark (page: string) (lines: string list) =
    let mark = "## Tables"
    let written = File.ReadAllText page

    File.WriteAllText(
        page,
        written[.. written.IndexOf(mark, StringComparison.Ordinal) - 1]
        + mark
        + "\n"
        + String.concat "\n" lines
        + "\n"
    )
