/// Pictures that are drawn without a browser: well formed, and everything in its place.
module LookaheadKV.Properties.DrawingLaws

open System.Globalization
open System.Xml.Linq
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open Plotly.NET
open LookaheadKV.FSharp

// Plotly.NET takes a tenth of a second to write a figure: twenty cases a law.
let private svg (chart: GenericChart) =
    (XDocument.Parse(Svg.ofChart chart)).Root |> nonNull

let private named name (picture: XElement) =
    picture.Elements() |> Seq.filter (fun element -> element.Name.LocalName = name) |> List.ofSeq

let private attribute name (element: XElement) =
    element.Attribute(XName.Get name) |> nonNull |> _.Value

let private places (polyline: XElement) =
    [
        for pair in (attribute "points" polyline).Split ' ' ->
            let parts =
                pair.Split ',' |> Array.map (fun part -> System.Double.Parse(part, CultureInfo.InvariantCulture))

            parts[0], parts[1]
    ]

let private titled (title: string) (ys: float list) =
    CostFigures.proportions title title [ CostFigures.measured title [ for i, y in List.indexed ys -> float i, y ] ]

[<Property(MaxTest = 20)>]
let ``Whatever a figure is called, the picture is well formed and says it`` (characters: char[]) =
    // XML has no place for control characters, and reads line ends as one.
    let title =
        characters |> Array.filter (fun c -> c >= ' ' && c < '\ud800') |> System.String |> _.Trim()

    let words = titled title [ 1.; 2. ] |> svg |> named "text" |> List.map _.Value
    title = "" || words |> List.filter ((=) title) |> List.length >= 3

[<Property(MaxTest = 20)>]
let ``A curve lies within its axes, and higher values lie higher`` (ys: NonEmptyArray<uint16>) =
    let ys = [ for y in ys.Get -> float y + 1. ]

    let drawn =
        titled "curve" ys |> svg |> named "polyline" |> List.exactlyOne |> places

    let within =
        drawn |> List.forall (fun (x, y) -> x >= 74. && x <= 960. - 150. && y >= 58. && y <= 420. - 58.)

    let ordered =
        List.zip ys (List.map snd drawn)
        |> List.pairwise
        |> List.forall (fun ((value, y), (next, below)) -> if value < next then below <= y else y <= below)

    within |> Prop.label "within" .&. (ordered |> Prop.label "ordered")

[<Property(MaxTest = 20)>]
let ``A share of 1 has the brightest cell, one of 0 the darkest`` (shares: NonEmptyArray<bool>) =
    let rows =
        [ "row", [| [| for share in shares.Get -> if share then 1. else 0. |] |] ]

    let cells = KeptFigures.shares "shares" rows |> svg |> named "path"

    let filled color =
        cells
        |> List.exists (fun path -> path.Attribute(XName.Get "fill") |> Option.ofObj |> Option.exists (fun fill -> fill.Value = color))

    filled "#fee838" = Array.contains true shares.Get
    && filled Theme.cividis.Head = Array.contains false shares.Get
