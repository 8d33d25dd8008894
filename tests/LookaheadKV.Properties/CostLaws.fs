module LookaheadKV.Properties.CostLaws

open System.IO
open Xunit
open FsCheck.FSharp
open FsCheck.Xunit
open LookaheadKV
open LookaheadKV.Evaluation.Speed
open LookaheadKV.FSharp
open LookaheadKV.Models

let private shape = ModelShapes.Find "llama-100m"

[<Property>]
let ``A cost is paid back by the tokens of its break-even, and not by one fewer`` (cost: int16) (saved: int16) =
    let cost, saved = float cost / 8., float saved / 8.

    match Costs.breakEven cost saved with
    | Some tokens -> float tokens * saved >= cost || tokens = 0 && cost <= 0.
    | None -> saved <= 0. && cost > 0.
    |> Prop.label "paid back"
    .&. (match Costs.breakEven cost saved with
         | Some tokens when tokens > 0 -> float (tokens - 1) * saved < cost
         | _ -> true
         |> Prop.label "not before")

[<Property>]
let ``A floor is reached by operations or by bytes, and more work takes no less`` (operations: uint16) (bytes: uint16) (more: uint16) =
    // Powers of two: the quotients are exact.
    let ceilings = DeviceCeilings(1024., 512.)

    let work =
        {
            Operations = float operations
            Bytes = float bytes
        }

    let added = { Operations = 0.; Bytes = float more }
    let least = Costs.floor ceilings work

    least = max (1e3 * float operations / 1024.) (1e3 * float bytes / 512.)
    && Costs.floor ceilings (work + added) >= least
    && Costs.floor ceilings (work + added) <= least + Costs.floor ceilings added
    && Costs.floor ceilings (3. * work) = 3. * least

[<Property>]
let ``Rows behind a prompt cost their linear maps and what they attend to`` (rows: uint8) (length: uint16) =
    let n, N = int64 rows, int64 length
    let more = SpeedFloor.PrefillFlops(shape, N + n) - SpeedFloor.PrefillFlops(shape, N)

    // Row i sees N + i + 1 positions, of which the triangle counts both products.
    let seen = Seq.sumBy (fun i -> float (N + i + 1L)) (seq { 0L .. n - 1L })

    let expected =
        2. * float n * SpeedFloor.LinearWeights shape
        + 4. * float (shape.Layers * shape.QueryHeads * shape.HeadSize) * seen

    abs (more - expected) <= 1e-9 * SpeedFloor.PrefillFlops(shape, N + n)

let private row policy (budget: string | null) length ttft decode evicting =
    SpeedRow(
        policy,
        budget,
        length,
        ttft,
        [||],
        System.Nullable(ttft - 10.),
        System.Nullable(),
        System.Nullable(),
        System.Nullable(),
        decode,
        [||],
        float length,
        0L,
        0L,
        0L,
        System.Nullable(),
        System.Nullable(),
        0L,
        0L,
        0.,
        0.,
        evicting
    )

[<Fact>]
let ``What eviction adds is by its clock less the full cache's storing, and by whole passes where there is no clock`` () =
    let clocked =
        [
            row "full" null 8 10. 3. (System.Nullable 1.)
            row "full" null 16 20. 4. (System.Nullable 2.)
            row "snapkv" "4" 16 25. 3.5 (System.Nullable 5.)
        ]

    Assert.Equal(Some 3., Costs.ofEviction clocked clocked[2])
    Assert.Equal(0.5, Costs.savedByToken clocked clocked[2])

    let passes =
        [
            row "full" null 16 20. 4. (System.Nullable())
            row "snapkv" "4" 16 25. 3.5 (System.Nullable())
        ]

    Assert.Equal(Some 15., Costs.ofEviction passes passes[1])

[<Fact>]
let ``Rows of a file are read, and another file is refused in one line`` () =
    let folder = Directory.CreateTempSubdirectory("costs").FullName

    try
        let file = Path.Combine(folder, "bench.json")

        File.WriteAllText(
            file,
            """{"run": {"device": "card"}, "ceilings": {"flopsPerSecond": 2, "bytesPerSecond": 3},
                "results": [{"policy": "full", "budget": null, "length": 8, "ttftMs": 1.5, "costMs": null, "decodeMs": 0.5}]}"""
        )

        let read = Costs.read file
        Assert.Equal("card", read.Device)
        Assert.Equal(DeviceCeilings(2., 3.), read.Ceilings)
        Assert.Equal(1.5, read.Rows.Head.TtftMs)
        Assert.Null read.Rows.Head.Budget
        Assert.False read.Rows.Head.EvictionMs.HasValue

        for content in [ "{"; "[]"; "{\"run\": 1}"; "{\"run\": {\"device\": \"card\"}}" ] do
            File.WriteAllText(file, content)
            let refusal = Assert.Throws<InputException>(fun () -> Costs.read file |> ignore)
            Assert.Contains("bench.json", refusal.Message)
            Assert.DoesNotContain("\n", refusal.Message)

        Assert.Throws<InputException>(fun () -> Costs.read (Path.Combine(folder, "none.json")) |> ignore)
        |> ignore
    finally
        Directory.Delete(folder, true)

[<Fact>]
let ``Costs are drawn on logarithmic axes, without those that are not above 0`` () =
    let svg =
        CostFigures.costs
            "costs"
            "tokens"
            [
                CostFigures.measured "lookahead" [ 1024., 10.; 2048., -1.; 4096., 1000. ]
                CostFigures.floor "lookahead" [ 1024., 1.; 4096., 2. ]
                CostFigures.measured "snapkv" [ 1024., 0. ]
            ]
        |> Svg.ofChart

    for text in [ ">1K<"; ">4K<"; ">100<"; ">1000<"; ">lookahead<"; ">floor<" ] do
        Assert.Contains(text, svg)

    Assert.DoesNotContain(">2K<", svg)
    Assert.DoesNotContain(">snapkv<", svg)

    let refusal =
        Assert.Throws<InputException>(fun () -> CostFigures.costs "" "" [ CostFigures.measured "full" [ 1., 0. ] ] |> ignore)

    Assert.Contains("above 0", refusal.Message)

[<Fact>]
let ``Lines of answers start at what was paid`` () =
    let svg =
        CostFigures.answers "even" 10 [ "full", 0., 2.; "snapkv", 5., 1. ] |> Svg.ofChart

    Assert.Contains(">snapkv<", svg)
    Assert.Contains(">tokens generated<", svg)

[<Fact>]
let ``A logarithmic axis is labelled with its values, not with their logarithms`` () =
    let svg losses =
        losses |> List.mapi (fun i loss -> struct (int64 i + 1L, loss)) |> Figures.loss |> Svg.ofChart

    let narrow, wide = svg [ 0.19; 0.08; 0.05 ], svg [ 1000.; 0.05 ]

    for label in [ ">0.1<"; ">0.05<" ] do
        Assert.Contains(label, narrow)

    for label in [ ">0.1<"; ">1<"; ">1000<" ] do
        Assert.Contains(label, wide)

    Assert.DoesNotContain(">-1<", narrow + wide)
    Assert.DoesNotContain(">0.2<", wide)

[<Fact>]
let ``A benchmark clocks eviction on the CPU and counts bytes exactly`` () =
    let tiny =
        DecoderConfig(
            VocabularySize = 32,
            Width = 16,
            Layers = 2,
            QueryHeads = 2,
            KeyValueHeads = 1,
            HeadSize = 8,
            IntermediateSize = 16,
            MaxPositions = 64
        )

    use decoder =
        ModelShapes.Random(tiny, TorchSharp.torch.CPU, TorchSharp.torch.ScalarType.Float32)

    let rows =
        SpeedBenchmark.Run(
            decoder,
            [| Policy.full; Policy.from "keydiff" |> Policy.budget (Tokens 5) |],
            [| 24 |],
            lazy DeviceCeilings(1e9, 1e9),
            SpeedOptions(Runs = 2, WarmUp = 1, DecodeTokens = 2),
            System.Func<_>(fun () -> System.Nullable())
        )
        |> List.ofSeq

    Assert.Equal<int64>([ 24L * 128L; 5L * 128L ], rows |> List.map _.CacheBytes)

    for row in rows do
        Assert.InRange(row.EvictionMs.GetValueOrDefault(), 1e-6, row.TtftRuns |> Seq.max)

    let row = rows[1]
    Assert.Equal(Some(row.EvictionMs.Value - rows[0].EvictionMs.Value), Costs.ofEviction rows row)
