namespace LookaheadKV.FSharp.Drawing

open System
open System.Text.Json

/// What an axis is of.
type internal AxisKind =
    /// Names, a place each.
    | Names
    /// Numbers, from 0.
    | FromZero
    /// Numbers, with a share of what they span free beyond them.
    | Around of float

/// One axis: from a value of the data to its share of the axis' length, and its ticks.
type internal Axis =
    {
        Place: string -> float
        Ticks: (float * string) list
        Title: string
        ShowTicks: bool
    }

module internal Axis =

    /// Some six round numbers between two.
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

    /// Places and ticks of names; where they are many, of some of them.
    let private ofNames isReversed (values: string[]) =
        let names = Array.distinct values

        let place value =
            let share = (float (Array.IndexOf(names, value)) + 0.5) / float names.Length
            if isReversed then 1. - share else share

        let every = max 1 (names.Length / 24)
        place, [ for i in 0..every .. names.Length - 1 -> place names[i], names[i] ]

    /// The ends of an axis of numbers, as the layout gives them or as the values need them.
    let private ends range kind (values: float[]) =
        let low, high =
            match range, kind with
            | [| low; high |], _ -> FigureJson.ofText low, FigureJson.ofText high
            | _, FromZero -> 0., Array.max values * 1.05
            | _, Around free ->
                let margin = (Array.max values - Array.min values) * free
                Array.min values - margin, Array.max values + margin
            | _, Names -> invalidArg (nameof kind) "names have no ends."

        low, (if high > low then high else low + 1.)

    /// Places and ticks of numbers.
    let private ofNumbers (node: JsonElement option) kind (values: string[]) =
        let texts path =
            node |> Option.map (FigureJson.texts path) |> Option.defaultValue [||]

        let isLog = node |> Option.map (FigureJson.text "" "type") = Some "log"
        let scale value = if isLog then log10 value else value

        let low, high =
            values |> Array.map (FigureJson.ofText >> scale) |> ends (texts "range") kind

        let share scaled = (scaled - low) / (high - low)
        let place = FigureJson.ofText >> scale >> share

        let ticks =
            match texts "tickvals", texts "ticktext" with
            | [||], _ when isLog -> [ for at, value in decades low high -> share at, Element.label value ]
            | [||], _ -> [ for value in steps low high -> share value, Element.label value ]
            | values, names -> [ for value, name in Array.zip values names -> place value, name ]

        place, ticks |> List.filter (fun (share, _) -> share >= -1e-6 && share <= 1.000001)

    /// <summary>An axis of a layout.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="name">The axis' name there.</param>
    /// <param name="kind">What it is of.</param>
    /// <param name="values">What is drawn along it.</param>
    let ofLayout layout name kind (values: string[]) =
        let node = FigureJson.get name layout

        let find path =
            node |> Option.bind (FigureJson.at path)

        let place, ticks =
            match kind with
            | Names -> ofNames ((find "autorange" |> Option.map string) = Some "reversed") values
            | _ -> ofNumbers node kind values

        {
            Place = place
            Ticks = ticks
            Title = find "title.text" |> Option.map string |> Option.defaultValue ""
            ShowTicks = find "showticklabels" |> Option.forall (fun shown -> shown.GetBoolean())
        }
