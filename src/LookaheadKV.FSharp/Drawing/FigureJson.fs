namespace LookaheadKV.FSharp.Drawing

open System
open System.Globalization
open System.Text.Json

/// Reads a figure as plotly writes it: members by paths, with what stands for those that are not there.
module internal FigureJson =

    /// A member; None where there is none, or null.
    let get (name: string) (node: JsonElement) =
        match node.ValueKind with
        | JsonValueKind.Object ->
            match node.TryGetProperty name with
            | true, value when value.ValueKind <> JsonValueKind.Null -> Some value
            | _ -> None
        | _ -> None

    /// A member of members, by names with dots between.
    let at (path: string) node =
        Seq.fold (fun found name -> Option.bind (get name) found) (Some node) (path.Split '.')

    /// A member as text.
    let text fallback path node =
        at path node |> Option.map string |> Option.defaultValue fallback

    /// Text as a number.
    let ofText (value: string) =
        Double.Parse(value, CultureInfo.InvariantCulture)

    /// A member as a number.
    let amount fallback path node =
        at path node |> Option.map (string >> ofText) |> Option.defaultValue fallback

    /// The elements of a member; none where it is not there.
    let list path node =
        at path node
        |> Option.map (fun items -> [| for item in items.EnumerateArray() -> item |])
        |> Option.defaultValue [||]

    /// The same as texts.
    let texts path node = list path node |> Array.map string

    /// What kind of marks a trace is drawn by.
    let kind trace = text "scatter" "type" trace

    /// Whether something holds of a trace, which does unless it says no.
    let holds name trace = text "True" name trace <> "False"
