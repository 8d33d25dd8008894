namespace LookaheadKV.FSharp

open System
open System.Globalization
open LookaheadKV.Evaluation
open LookaheadKV.Eviction
open DynamicObj
open Plotly.NET
open TorchSharp

/// Values as short text; <see cref="Printers"/> makes them the way values are printed.
module Show =

    let private number (format: string) (value: float) =
        value.ToString(format, CultureInfo.InvariantCulture)

    /// <summary>Dtype, shape and device of a tensor, and its first few values.</summary>
    let tensor (value: torch.Tensor) =
        let shape = String.Join(", ", value.shape)

        let first =
            use flat = value.detach().reshape(-1L)
            use some = flat.narrow (0, 0, min 6L (flat.size 0))
            use floats = some.``to`` (torch.ScalarType.Float64)
            use cpu = floats.cpu ()
            cpu.data<float>().ToArray() |> Array.map (number "0.####") |> String.concat " "

        let dots = if value.numel () > 6L then " …" else ""
        $"{value.dtype.ToString().ToLowerInvariant()} [{shape}] {value.device}: {first}{dots}"

    /// <summary>How much of what a kept set keeps, and its first few positions.</summary>
    let kept (value: KeptSet) =
        let head = value.ToArrays()[0]
        let some = head |> Seq.truncate 8 |> Seq.map string |> String.concat " "
        let dots = if head.Length > 8 then " …" else ""

        let counts =
            if value.IsRectangular then
                $"{value.Count} positions for each of {value.Counts[0].Count} kv heads"
            else
                let each = value.Counts[0] |> Seq.map string |> String.concat ", "
                $"{each} positions for the kv heads"

        $"{counts}; the first head's: {some}{dots}"

    /// <summary>Columns of text, aligned; the first column to the left, the others to the right.</summary>
    /// <param name="header">The columns' names.</param>
    /// <param name="lines">Their cells.</param>
    let table (header: string list) (lines: string list list) =
        let widths =
            header :: lines |> List.transpose |> List.map (List.map String.length >> List.max)

        let line (cells: string list) =
            List.zip widths cells
            |> List.mapi (fun i (width, cell) -> if i = 0 then cell.PadRight width else cell.PadLeft width)
            |> String.concat "  "
            |> _.TrimEnd()

        header :: lines |> List.map line |> String.concat Environment.NewLine

    /// <summary>Result rows as a table: accuracy by policy (down) and budget (across) on one task.</summary>
    /// <param name="task">A task's name, or "mean".</param>
    /// <param name="rows">Result rows.</param>
    let results (task: string) (rows: ResultRow seq) =
        let rows = rows |> Seq.filter (fun row -> row.Task = task) |> Seq.toList

        let budgets =
            rows |> List.choose (fun row -> Option.ofObj row.Budget) |> List.distinct

        let cell policy budget =
            rows
            |> List.tryFind (fun row -> row.Policy = policy && (isNull row.Budget || row.Budget = budget))
            |> Option.filter _.Accuracy.HasValue
            |> Option.map (fun row ->
                $"""{number "0.00" row.Accuracy.Value} [{number "0.00" row.Low.Value}, {number "0.00" row.High.Value}]""")
            |> Option.defaultValue ""

        table
            ("policy" :: budgets)
            [
                for policy in rows |> List.map _.Policy |> Theme.order -> policy :: List.map (cell policy) budgets
            ]

    /// <summary>An answer and the cache that it was given on.</summary>
    let answer (value: Answer) =
        $"{value.Text} ({value.Report.KeptTokens} of {value.Report.PromptTokens} tokens kept)"

    /// <summary>How well modules predict: KL in nats, rank correlation, and every recall of the oracle's kept set, of the whole, in the text, and of the attention there.</summary>
    let quality (value: PredictionQuality) =
        let share (value: Nullable<float>) =
            value |> Option.ofNullable |> Option.map (number "0.000") |> Option.defaultValue "-"

        table
            [
                $"{value.Prompts} prompts"
                "KL"
                "Spearman"
                for count in value.Recall.Keys do
                    $"recall@{count}"
                    $"text@{count}"
                    $"attention@{count}"
            ]
            [
                [
                    ""
                    number "0.000" value.Divergence
                    number "0.000" value.Spearman
                    for count in value.Recall.Keys do
                        share value.Recall[count]
                        share value.TextRecall[count]
                        share value.TextAttention[count]
                ]
            ]

    /// <summary>A figure's title and how much it draws; <c>Notebook.figure</c> shows it.</summary>
    let figure (chart: GenericChart) =
        let title =
            chart
            |> GenericChart.getLayout
            |> fun layout -> layout.TryGetTypedPropertyValue<Title> "title"
            |> Option.bind (fun title -> title.TryGetTypedPropertyValue<string> "text")
            |> Option.defaultValue ""

        let traces = GenericChart.getTraces chart |> List.length
        $"figure \"{title}\", traces: {traces}"
