namespace LookaheadKV.Reports

open System.Collections.Generic
open System.Globalization
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Speed
open LookaheadKV.FSharp

/// The report of a speed benchmark: one page that works offline.
[<AbstractClass; Sealed>]
type SpeedReport private () =

    static let nameOf (rows: SpeedRow list) (row: SpeedRow) =
        let budgets =
            rows |> List.choose (fun row -> Option.ofObj row.Budget) |> List.distinct

        match Option.ofObj row.Budget with
        | Some budget when budgets.Length > 1 -> $"{row.Policy}, {budget}"
        | _ -> row.Policy

    static let curves value (rows: SpeedRow list) =
        [
            for name, own in rows |> List.groupBy (nameOf rows) do
                CostFigures.measured
                    name
                    [
                        for row in own do
                            for y in Option.toList (value row) -> float row.Length, y
                    ]
        ]

    static let drawn id title (curves: CostCurve list) =
        if curves |> List.exists (fun curve -> curve.Points |> List.exists (fun (_, y) -> y > 0.)) then
            Html.figure id (CostFigures.costs title "tokens of the prompt" curves)
        else
            ""

    static let number = Pages.number

    static let table (rows: SpeedRow list) =
        let gibibytes (bytes: int64 option) =
            bytes
            |> Option.map (fun bytes -> number "0.00" (float bytes / 1073741824.))
            |> Option.defaultValue ""

        let line (row: SpeedRow) =
            let cost =
                match Option.ofNullable row.CostMs, Option.ofNullable row.CostLowMs, Option.ofNullable row.CostHighMs with
                | Some cost, Some low, Some high -> $"""{number "0.0" cost} <small>{number "0.0" low} to {number "0.0" high}</small>"""
                | _ -> ""

            [
                row.Policy
                Option.ofObj row.Budget |> Option.defaultValue "all"
                row.Length.ToString("N0", CultureInfo.InvariantCulture)
                number "0.0" row.TtftMs
                number "0.0" row.PrefillFloorMs
                cost
                number "0.00" row.DecodeMs
                number "0.00" row.DecodeFloorMs
                gibibytes (Option.ofNullable row.DeviceBytes)
                gibibytes (row.PredictedMemory |> Option.ofObj |> Option.map _.Total)
            ]
            |> List.map (fun cell -> $"<td>{cell}</td>")
            |> String.concat ""

        "<div class=\"scroll\"><table><thead><tr><th>policy</th><th>budget</th><th>prompt</th><th>first token ms</th><th>floor</th><th>cost ms</th><th>token ms</th><th>floor</th><th>device GiB</th><th>by shape</th></tr></thead><tbody>"
        + (rows |> List.map (fun row -> $"<tr>{line row}</tr>") |> String.concat "\n")
        + "</tbody></table></div>"

    /// <summary>The page of a benchmark of whole passes.</summary>
    /// <param name="run">What made the results.</param>
    /// <param name="rows">A row a policy, budget and length.</param>
    static member Page(run: RunInfo, rows: IReadOnlyList<SpeedRow>) =
        let rows = List.ofSeq rows

        let prefillFloor =
            CostFigures.floor
                rows.Head.Policy
                [
                    for row in rows |> List.distinctBy _.Length -> float row.Length, row.PrefillFloorMs
                ]

        Pages.document
            "What eviction costs"
            ""
            run
            [
                "summary", "Summary", table rows
                "first",
                "Time to the first token",
                drawn "first-token" "Time to the first token" (curves (fun row -> Some row.TtftMs) rows @ [ prefillFloor ])
                "cost",
                "Eviction",
                "<p>What a policy takes longer than the full cache; times below 0 have no place here.</p>"
                + drawn "cost-of-eviction" "What eviction adds" (curves (fun row -> Option.ofNullable row.CostMs) rows)
                "decode",
                "A decoded token",
                drawn
                    "decoded-token"
                    "Time of a decoded token"
                    (curves (fun row -> Some row.DecodeMs) rows
                     @ [
                         for curve in curves (fun row -> Some row.DecodeFloorMs) rows -> CostFigures.floor curve.Policy curve.Points
                     ])
            ]

    /// <summary>The page of a benchmark of single steps.</summary>
    /// <param name="run">What made the results.</param>
    /// <param name="steps">A row a step and length.</param>
    static member Page(run: RunInfo, steps: IReadOnlyList<StepRow>) =
        let bySteps = steps |> List.ofSeq |> List.groupBy _.Step

        let lines value =
            [
                for step, rows in bySteps -> step, [ for row in rows -> float (row: StepRow).Length, value row ]
            ]

        let measured =
            lines _.Ms |> List.map (fun (step, points) -> CostFigures.measured step points)

        let floors =
            lines _.FloorMs |> List.map (fun (step, points) -> CostFigures.floor step points)

        Pages.document
            "Evicting one layer, step by step"
            ""
            run
            [
                "steps", "Steps against the prompt's length", drawn "step-times" "Evicting one layer" (measured @ floors)
            ]

    /// <summary>Writes the page of whole passes: <c>index.html</c> in a folder that is made if it is not there, whole or not at all.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="run">What made the results.</param>
    /// <param name="rows">A row a policy, budget and length.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="T:LookaheadKV.InputException">The folder cannot be written.</exception>
    static member Write(folder: string, run: RunInfo, rows: IReadOnlyList<SpeedRow>) =
        SpeedReport.Page(run, rows) |> Pages.write folder

    /// <summary>Writes the page of single steps in the same way.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="run">What made the results.</param>
    /// <param name="steps">A row a step and length.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="T:LookaheadKV.InputException">The folder cannot be written.</exception>
    static member Write(folder: string, run: RunInfo, steps: IReadOnlyList<StepRow>) =
        SpeedReport.Page(run, steps) |> Pages.write folder
