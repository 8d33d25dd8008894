namespace LookaheadKV.FSharp

open Plotly.NET
open LookaheadKV.Methods

/// How a policy is drawn: always the same way, and told apart without colour by dash, marker and hatching.
type PolicyStyle =
    {
        /// A colour that most kinds of colour vision tell from the others and that is dark enough on white in grey, "#RRGGBB".
        Color: string
        /// The line's dash.
        Dash: StyleParam.DrawingStyle
        /// The points' marker.
        Symbol: StyleParam.MarkerSymbol
        /// Hatching of bars, a pattern of plotly.js; "" is none.
        Hatch: string
    }

/// One look for all figures.
module Theme =

    let private style color dash symbol hatch =
        {
            Color = color
            Dash = dash
            Symbol = symbol
            Hatch = hatch
        }

    // Of the methods that have one of their own, by their places.
    let private own =
        [|
            style "#000000" StyleParam.DrawingStyle.Dot StyleParam.MarkerSymbol.Circle ""
            style "#666666" StyleParam.DrawingStyle.LongDash StyleParam.MarkerSymbol.Star "x"
            style "#D55E00" StyleParam.DrawingStyle.Solid StyleParam.MarkerSymbol.Circle ""
            style "#0072B2" StyleParam.DrawingStyle.Dash StyleParam.MarkerSymbol.Square "/"
            style "#009E73" StyleParam.DrawingStyle.DashDot StyleParam.MarkerSymbol.Diamond "-"
            style "#CC79A7" StyleParam.DrawingStyle.Dot StyleParam.MarkerSymbol.X "."
        |]

    let private spare =
        [|
            style "#E69F00" StyleParam.DrawingStyle.LongDashDot StyleParam.MarkerSymbol.TriangleUp "|"
            style "#56B4E9" StyleParam.DrawingStyle.Dash StyleParam.MarkerSymbol.Pentagon "+"
            style "#999933" StyleParam.DrawingStyle.Solid StyleParam.MarkerSymbol.TriangleDown "\\"
            style "#882255" StyleParam.DrawingStyle.LongDash StyleParam.MarkerSymbol.Cross "/"
            style "#44AA99" StyleParam.DrawingStyle.Dot StyleParam.MarkerSymbol.Square "-"
        |]

    let private place policy =
        Catalogue.Find policy |> Option.ofObj |> Option.bind (_.FigurePlace >> Option.ofNullable)

    /// <summary>The order in which policies are listed: bounds first, then the method, then its rivals.</summary>
    /// <param name="policies">Names in any order, with repetitions.</param>
    let order (policies: string seq) =
        policies
        |> Seq.distinct
        |> Seq.sortBy (fun name -> place name |> Option.defaultValue own.Length, name)
        |> Seq.toList

    /// <summary>Gives every policy its style; those without one of their own share the spare ones, in order.</summary>
    /// <param name="policies">Names in any order, with repetitions.</param>
    let styles (policies: string seq) =
        let known, others = order policies |> List.partition (place >> Option.isSome)

        Map
            [
                for name in known -> name, own[(place name).Value]
                for i, name in List.indexed others -> name, spare[i % spare.Length]
            ]

    /// <summary>The colour of a policy at an opacity, as CSS.</summary>
    let faded (hex: string) (opacity: float) =
        let part i =
            System.Convert.ToInt32(hex.Substring(i, 2), 16)

        $"rgba({part 1},{part 3},{part 5},{opacity})"

    /// <summary>Anchors of cividis, dark to light: even in brightness, alike for every kind of colour vision.</summary>
    let cividis =
        [
            "#00224e"
            "#123570"
            "#3b496c"
            "#575d6d"
            "#707173"
            "#8a8678"
            "#a59c74"
            "#c3b369"
            "#e1cc55"
            "#fee838"
        ]
