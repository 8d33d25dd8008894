namespace LookaheadKV.Reports

open System
open System.Collections.Generic
open LookaheadKV.Evaluation
open LookaheadKV.Methods
open LookaheadKV.FSharp

/// The report of a comparison: one page that works offline.
[<AbstractClass; Sealed>]
type Report private () =

    static let number = Pages.number

    static let share = number "0.00"

    static let milliseconds = number "0.0"

    static let budgetOf (row: ResultRow) = Option.ofObj row.Budget

    static let accuracyOf (row: ResultRow) = Option.ofNullable row.Accuracy

    static let bytes (count: int64) =
        if count >= 1048576L then
            $"""{number "0.00" (float count / 1048576.)} MiB"""
        else
            $"""{number "0.#" (float count / 1024.)} KiB"""

    static let bounds = set [ Full.Method.Name; Oracle.Method.Name ]

    static let table (rows: ResultRow list) =
        let tasks =
            rows |> List.map _.Task |> List.distinct |> List.filter ((<>) ResultTable.Mean)

        let columns = ResultTable.Mean :: tasks

        let cells =
            dict [ for row in rows -> struct (row.Policy, budgetOf row, row.Task), row ]

        let price (_, row: ResultRow) = row.CacheBytes

        let budgets =
            rows
            |> List.map (fun row -> budgetOf row, row)
            |> List.groupBy fst
            |> List.sortBy (fun (_, group) -> group |> List.map price |> List.max)
            |> List.map fst

        let best =
            dict
                [
                    for budget in budgets do
                        for task in columns do
                            let rivals =
                                rows
                                |> List.filter (fun row -> budgetOf row = budget && row.Task = task && not (bounds.Contains row.Policy))

                            if not rivals.IsEmpty then
                                struct (budget, task), rivals |> List.map accuracyOf |> List.max
                ]

        let cell policy budget task =
            match cells.TryGetValue(struct (policy, budget, task)) with
            | false, _ -> "<td></td>"
            | true, row when not row.Accuracy.HasValue -> "<td></td>"
            | true, row ->
                let value = number "0.000" row.Accuracy.Value

                let isBest =
                    not (bounds.Contains policy)
                    && best.ContainsKey(struct (budget, task))
                    && best[struct (budget, task)] = accuracyOf row

                let shown = if isBest then $"<b>{value}</b>" else value
                $"<td>{shown} <small>{share row.Low.Value}–{share row.High.Value}</small></td>"

        let line isFirst budget policy =
            let any =
                rows |> List.filter (fun row -> row.Policy = policy && budgetOf row = budget)

            let row =
                any |> List.tryFind (fun row -> row.Task = ResultTable.Mean) |> Option.defaultValue any.Head

            let mark = if isFirst then " class=\"first\"" else ""

            $"<tr{mark}><td>{budget |> Option.defaultValue String.Empty |> Html.escape}</td><td>{Html.escape policy}</td>"
            + String.Concat(columns |> List.map (cell policy budget))
            + $"<td>{share row.OracleOverlap}</td><td>{bytes row.CacheBytes}</td><td>{milliseconds row.EvictionMs}</td></tr>"

        let body =
            [
                for budget in budgets do
                    let policies =
                        rows |> List.filter (fun row -> budgetOf row = budget) |> List.map _.Policy |> Theme.order

                    for i, policy in List.indexed policies -> line (i = 0) budget policy
            ]

        "<p>Mean score (of right and wrong answers: the share of right ones) with its 95 % bootstrap interval. Bold: the best but for the bounds, full and oracle.</p><div class=\"scroll\"><table><thead><tr><th>budget</th><th>policy</th>"
        + String.Concat(columns |> List.map (fun task -> $"<th>{Html.escape task}</th>"))
        + "<th>oracle overlap</th><th>cache</th><th>eviction ms</th></tr></thead><tbody>"
        + String.Join("\n", body)
        + "</tbody></table></div>"

    static let warnings (rows: IReadOnlyList<ResultRow>) =
        let lines =
            [
                for reason in SanityGates.Refusals rows do
                    $"Refused: {reason}"
                match List.ofSeq (SanityGates.LeftOut rows) with
                | [] -> ()
                | tasks -> $"""Left out of the mean, for the model cannot do them on the full cache: {String.Join(", ", tasks)}."""
            ]

        if lines.IsEmpty then
            ""
        else
            $"""<div class="warn">{lines |> List.map (fun line -> $"<p>{Html.escape line}</p>") |> String.concat ""}</div>"""

    static let each (anatomies: IReadOnlyList<Anatomy>) draw =
        String.Concat(
            anatomies
            |> Seq.mapi (fun i anatomy ->
                $"<h3>{Html.escape anatomy.Sample.Task} <small>answer:{Html.escape anatomy.Sample.Answer}</small></h3>\n{draw i anatomy}\n")
        )

    /// <summary>The whole page as text.</summary>
    /// <param name="run">What made the results.</param>
    /// <param name="rows">Result rows of tasks and of their mean.</param>
    /// <param name="anatomies">Prompts looked into; may be empty.</param>
    static member Page(run: RunInfo, rows: IReadOnlyList<ResultRow>, anatomies: IReadOnlyList<Anatomy>) =
        let all = List.ofSeq rows
        let figure = Html.figure

        let hasMean =
            all |> List.exists (fun row -> row.Task = ResultTable.Mean && (budgetOf row).IsSome)

        let isScored task =
            all |> List.exists (fun row -> task row.Task && row.Accuracy.HasValue)

        let accuracy =
            (if hasMean && isScored ((=) ResultTable.Mean) then
                 figure "mean" (Figures.accuracy ResultTable.Mean rows)
             else
                 "")
            + (if isScored ((<>) ResultTable.Mean) then
                   figure "by-task" (Figures.accuracyByTask rows)
               else
                   "")
            + (if hasMean then
                   figure "bytes" (Figures.cacheBytes rows) + figure "time" (Figures.evictionTime rows)
               else
                   "")

        let overlay i anatomy =
            let layer, head = Figures.sharpest anatomy
            figure $"overlay{i}" (Figures.overlay layer head anatomy)

        let recall i (anatomy: Anatomy) =
            if anatomy.Kept.ContainsKey Oracle.Method.Name then
                figure $"recall{i}" (Figures.recall anatomy)
            else
                ""

        let parts =
            [
                "summary", "Summary", warnings rows + table all
                "accuracy", "Accuracy against budget", accuracy
                if anatomies.Count > 0 then
                    "importance",
                    "Where the answer looks",
                    "<p>Attention that the answer's tokens put on every prompt token, mean over them: true, and as the lookahead tokens predicted it. "
                    + "Columns are neighbouring positions, by their largest.</p>"
                    + each anatomies (fun i anatomy -> figure $"heat{i}" (Figures.importances anatomy))

                    "overlay",
                    "Predicted over true, one head",
                    "<p>Of each prompt the head that looks hardest at one place of the text.</p>"
                    + each anatomies overlay

                    "recall", "Recall of the oracle's kept set, by layer", each anatomies recall
                    "text", "What was kept of the text", each anatomies (fun _ anatomy -> TokenText.sideBySide anatomy)
            ]

        Pages.document "KV-cache eviction, compared" TokenText.css run parts

    /// <summary>Writes the report: <c>index.html</c> in a folder that is made if it is not there, whole or not at all.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="run">What made the results.</param>
    /// <param name="rows">Result rows of tasks and of their mean.</param>
    /// <param name="anatomies">Prompts looked into; may be empty.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="T:LookaheadKV.InputException">The folder cannot be written.</exception>
    static member Write(folder: string, run: RunInfo, rows: IReadOnlyList<ResultRow>, anatomies: IReadOnlyList<Anatomy>) =
        Report.Page(run, rows, anatomies) |> Pages.write folder
