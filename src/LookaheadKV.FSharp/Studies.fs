namespace LookaheadKV.FSharp

open System.Globalization
open System.IO
open LookaheadKV.Evaluation
open LookaheadKV.Evaluation.Studies
open LookaheadKV.Lookahead
open LookaheadKV.Training
open LookaheadKV.Checkpoints
open LookaheadKV.Models
open Plotly.NET
open TorchSharp

/// Studies: grids of trainings and measurements, read, run and drawn.
module Studies =

    let private summarise study folder =
        [|
            for cell in (study: Study).Cells -> struct (cell, (folder: StudyFolder).Read cell)
        |]
        |> StudyTable.Summarise
        |> List.ofSeq

    /// <summary>The folder beside a study's file, as runs in float32 fill it.</summary>
    /// <param name="file">The study's JSON file.</param>
    /// <param name="study">What it says.</param>
    let folderOf (file: string) (study: Study) =
        StudyFolder.Of(Path.ChangeExtension(file, null) |> nonNull, ModelFolders.Resolve study.Model, torch.ScalarType.Float32)

    /// <summary>Means over seeds of a study that was run in float32, from the cells that lie in the folder beside its file.</summary>
    /// <param name="file">The study's JSON file.</param>
    /// <exception cref="T:LookaheadKV.InputException">The study cannot be read, or a cell is missing.</exception>
    let read (file: string) =
        let study = Study.Read file
        summarise study (folderOf file study)

    /// <summary>Runs a study in this process and keeps nothing.</summary>
    /// <param name="json">The study, as its file would hold it; its model is not looked at.</param>
    /// <param name="model">The model.</param>
    let run (json: string) (model: LoadedModel) =
        let study = Study.Parse json
        let decoder = model.Decoder

        let parts =
            StudyModel(
                decoder,
                model.Encoder,
                (fun () -> LookaheadFiles.Load(ModelFolders.Lookahead(model.Folder), decoder.Config, decoder.Device)),
                fun () -> Decoder.Load(ModelFolders.Draft(model.Folder), decoder.Device, decoder.DType)
            )

        [|
            for cell in study.Cells do
                let measured = StudyCells.Run(parts, cell.Settings, cell.Seed)
                struct (cell, CellResult(cell.Settings, cell.Seed, measured, RunInfo.Of("Studies.run", cell.Seed), 0.0))
        |]
        |> StudyTable.Summarise
        |> List.ofSeq

    let private label (row: StudyRow) =
        match StudyTable.Label row.Varied, row.Policy with
        | "", policy -> policy
        | varied, _ -> varied

    /// The rows of a metric, the mean of the tasks, at a budget ("" for what is of the modules).
    let private rowsOf metric budget (rows: StudyRow list) =
        rows
        |> List.filter (fun row -> row.Metric = metric && row.Budget = budget && row.Task = ResultTable.Mean)

    let private number (value: float) =
        value.ToString("0.000", CultureInfo.InvariantCulture)

    /// <summary>Rows as a table: a line a variant, a column a metric with half its 95 % interval.</summary>
    /// <param name="columns">Metrics and budgets, such as "recall@64", "" or "accuracy", "64".</param>
    /// <param name="rows">Rows of a study.</param>
    let table (columns: (string * string) list) (rows: StudyRow list) =
        let labels =
            columns
            |> List.collect (fun (metric, budget) -> rowsOf metric budget rows |> List.map label)
            |> List.distinct

        let cell name (metric, budget) =
            rowsOf metric budget rows
            |> List.tryFind (fun row -> label row = name)
            |> Option.map (fun row -> $"{number row.Mean} ± {number (row.High - row.Mean)}")
            |> Option.defaultValue ""

        Show.table
            ("variant"
             :: [
                 for metric, budget in columns -> if budget = "" then metric else $"{metric} at {budget}"
             ])
            [ for name in labels -> name :: List.map (cell name) columns ]

    /// <summary>Means with their 95 % intervals, a place a variant.</summary>
    /// <param name="title">What is varied.</param>
    /// <param name="metric">Which metric: "accuracy", "recall@64", "kl", …</param>
    /// <param name="budget">At which budget; "" for what is of the modules.</param>
    /// <param name="rows">Rows of a study.</param>
    let figure (title: string) metric budget (rows: StudyRow list) =
        let points = rowsOf metric budget rows |> List.indexed
        let ink = Line.init (Color = Color.fromHex "#D55E00", Width = 2.)
        let xAxis = Charts.axis ""
        xAxis.SetProperty("range", [ -0.5; float points.Length - 0.5 ])
        xAxis.SetProperty("tickvals", points |> List.map fst)
        xAxis.SetProperty("ticktext", points |> List.map (snd >> label))
        let yAxis = Charts.axis (if budget = "" then metric else $"{metric} at {budget}")

        let line xs ys mode =
            Chart.Scatter(
                x = xs,
                y = ys,
                mode = mode,
                ShowLegend = false,
                Line = ink,
                Marker = TraceObjects.Marker.init (Color = Color.fromHex "#D55E00", Size = 9)
            )

        [
            for i, row in points do
                line [ float i; float i ] [ row.Low; row.High ] StyleParam.Mode.Lines
                line [ float i ] [ row.Mean ] StyleParam.Mode.Markers
        ]
        |> Chart.combine
        |> Chart.withXAxis xAxis
        |> Chart.withYAxis yAxis
        |> Charts.dressed title 380.
