namespace LookaheadKV.FSharp

open System
open System.IO
open System.Text.Json
open LookaheadKV
open LookaheadKV.Budgeting
open LookaheadKV.Evaluation.Speed
open LookaheadKV.Eviction
open LookaheadKV.Methods

/// What a piece of work must compute and move.
type Work =
    {
        /// Additions and multiplications.
        Operations: float
        /// Bytes read and written.
        Bytes: float
    }

    /// One work after the other.
    static member (+)(a, b) =
        {
            Operations = a.Operations + b.Operations
            Bytes = a.Bytes + b.Bytes
        }

    /// The same work, so many times.
    static member (*)(times: float, work) =
        {
            Operations = times * work.Operations
            Bytes = times * work.Bytes
        }

/// A file that <c>lookahead bench --json</c> wrote.
type SpeedFile =
    {
        /// What it was run on.
        Device: string
        /// What that device does at best.
        Ceilings: DeviceCeilings
        /// A row a policy, budget and length.
        Rows: SpeedRow list
    }

/// What eviction costs and saves: floors from formulas, and times.
module Costs =

    /// <summary>Least time of a piece of work in milliseconds: its operations or its bytes, whichever takes longer.</summary>
    /// <param name="ceilings">What the device does at best.</param>
    /// <param name="work">The work.</param>
    let floor (ceilings: DeviceCeilings) (work: Work) =
        1e3 * max (work.Operations / ceilings.FlopsPerSecond) (work.Bytes / ceilings.BytesPerSecond)

    /// <summary>After how many generated tokens a cost that is paid once is paid back.</summary>
    /// <param name="cost">What is paid, at most 0 where there is nothing to pay back.</param>
    /// <param name="saved">What each token saves, in the same unit.</param>
    /// <returns>Whole tokens; None where a token saves nothing and there is something to pay back.</returns>
    let breakEven (cost: float) (saved: float) =
        if cost <= 0. then Some 0
        elif saved <= 0. then None
        else Some(int (ceil (cost / saved)))

    /// <summary>Times policies at prompt lengths, taking turns, on random tokens.</summary>
    /// <param name="options">Rounds, warm-up and decoded tokens.</param>
    /// <param name="ceilings">What the device does at best.</param>
    /// <param name="count">Entries kept a layer and kv head by every policy but the full one, which is always there.</param>
    /// <param name="policies">Policies without budgets.</param>
    /// <param name="lengths">Prompt lengths.</param>
    /// <param name="model">The model.</param>
    let measure
        (options: SpeedOptions)
        (ceilings: DeviceCeilings)
        (count: int)
        (policies: EvictionPolicy seq)
        (lengths: int seq)
        (model: LoadedModel)
        =
        let all =
            [|
                yield Policy.full
                for policy in policies -> policy.With(Budget.Tokens count)
            |]

        SpeedBenchmark.Run(model.Decoder, all, Seq.toArray lengths, lazy ceilings, options, Func<_>(fun () -> Nullable()))
        |> List.ofSeq

    let private option (value: Nullable<float>) = Option.ofNullable value

    /// The full cache's row of the same prompt.
    let private fullOf (rows: SpeedRow list) (row: SpeedRow) =
        rows |> List.find (fun other -> isNull other.Budget && other.Length = row.Length)

    /// <summary>What a policy's eviction adds to the time to the first token, in milliseconds: on the CPU by the clock around evicting, less what the
    /// full cache's own storing takes; elsewhere by the difference of whole passes.</summary>
    /// <param name="rows">All rows of a measurement, the full cache's among them.</param>
    /// <param name="row">The policy's.</param>
    let ofEviction (rows: SpeedRow list) (row: SpeedRow) =
        match option row.EvictionMs, option (fullOf rows row).EvictionMs with
        | Some own, Some stored -> Some(own - stored)
        | _ -> option row.CostMs

    /// <summary>What a decoded token takes less than on the full cache of the same prompt, in milliseconds.</summary>
    /// <param name="rows">All rows of a measurement, the full cache's among them.</param>
    /// <param name="row">The policy's.</param>
    let savedByToken (rows: SpeedRow list) (row: SpeedRow) =
        (fullOf rows row).DecodeMs - row.DecodeMs

    /// <summary>Reads what <c>lookahead bench --json</c> wrote.</summary>
    /// <param name="file">The file.</param>
    /// <exception cref="T:LookaheadKV.InputException">There is no such file, or it is no benchmark's.</exception>
    let read (file: string) =
        try
            use document = JsonDocument.Parse(File.ReadAllText file)
            let root = document.RootElement

            {
                Device = root.GetProperty("run").GetProperty("device").GetString() |> string
                Ceilings = root.GetProperty("ceilings").Deserialize<DeviceCeilings> JsonSerializerOptions.Web |> nonNull
                Rows =
                    root.GetProperty("results").Deserialize<SpeedRow[]> JsonSerializerOptions.Web
                    |> nonNull
                    |> List.ofArray
            }
        with
        | :? IOException
        | :? UnauthorizedAccessException
        | :? JsonException
        | :? InvalidOperationException
        | :? Collections.Generic.KeyNotFoundException as error ->
            let reason = error.Message.ReplaceLineEndings " "
            raise (InputException($"{Path.GetFileName file} is no file of `lookahead bench --json` ({reason}).", error))
