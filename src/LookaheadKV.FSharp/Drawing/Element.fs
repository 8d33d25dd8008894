namespace LookaheadKV.FSharp.Drawing

open System
open System.Globalization
open LookaheadKV.FSharp

/// Elements of SVG, a text each.
module internal Element =

    /// A length or a place, to a tenth of a pixel.
    let number (value: float) =
        Math.Round(value, 1).ToString(CultureInfo.InvariantCulture)

    /// A number as people read it, in no country's way.
    let label (value: float) =
        Math.Round(value, 6).ToString(CultureInfo.InvariantCulture)

    /// <summary>Words at a place; no element where there are none.</summary>
    /// <param name="x">Their start, middle or end, as the anchor says.</param>
    /// <param name="y">Their line.</param>
    /// <param name="anchor">start, middle or end.</param>
    /// <param name="size">Of the font.</param>
    /// <param name="extra">More attributes.</param>
    /// <param name="words">What is written.</param>
    let words x y anchor (size: int) extra (words: string) =
        [
            if words <> "" then
                $"<text x=\"{number x}\" y=\"{number y}\" text-anchor=\"{anchor}\" font-size=\"{size}\" {extra}>{Html.escape words}</text>"
        ]

    /// A filled rectangle.
    let box x y width height fill =
        $"<rect x=\"{number x}\" y=\"{number y}\" width=\"{number width}\" height=\"{number height}\" fill=\"{fill}\"/>"
