/// Scores are functions of queries, keys, values and positions: entries need not stand at 0, 1, …, and where a sequence starts is nothing to attention.
module LookaheadKV.Properties.PositionLaws

open System
open System.Collections.Generic
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Generation
open LookaheadKV.Lookahead
open LookaheadKV.Methods
open LookaheadKV.Models
open LookaheadKV.Passes
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors
open LookaheadKV.Properties.ScoreLaws
open LookaheadKV.Properties.RivalLaws

let private batch = 2

/// Some positions of a prompt in order, the last ones among them.
let private someOf (case: Case) window =
    let random = Random(case.Shape.Seed + 3)

    [|
        for position in 0 .. case.Length - 1 do
            if position >= case.Length - window || random.Next 2 = 0 then
                position
    |]

let private at (positions: int[]) (rows': torch.Tensor) =
    rows'.index_select (2, torch.tensor (Array.map int64 positions))

let private placed (positions: int[]) =
    torch.tensor(Array.map int64 positions).reshape(1L, 1L, -1L)

let private contextOf decoder (length: int) =
    PromptContext(
        decoder,
        torch.zeros (int64 batch, int64 length, torch.ScalarType.Int64),
        Lazy<int[]>(fun () -> [| 1 |]),
        Execution = executionOf decoder
    )

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,149)")>]
let ``scores of stored entries are the plain ones of these entries at their positions`` (Precise case) (more: byte) =
    use _scope = torch.NewDisposeScope()
    let shape, window, seed = case.Shape, 1 + int more % 5, case.Shape.Seed % 97
    use decoder = decoder shape
    let watching = min window case.Length
    let positions = someOf case watching
    let count = positions.Length
    let all = randomRows shape batch case.Length case.Length 1.0
    let last = [| case.Length - watching .. case.Length - 1 |]

    let stored (asking: int[]) =
        LayerRows(at asking all.Queries, at positions all.Keys, at positions all.Values, Positions = placed positions)

    let score (scorer: IPromptScorer) asking =
        scorer.Score(contextOf decoder case.Length, 1, stored asking)

    let columns how (rows: float[][]) =
        Array.init count (fun j -> rows |> Array.map (fun row -> row[j]) |> how)

    let attended = attention shape batch watching count (count - watching) (stored last)

    let outside =
        attended
        |> Array.collect (Array.collect (columns Array.sum >> Array.mapi (fun j sum -> if j >= count - watching then 0.0 else sum)))

    near 2e-5 "snapkv" outside (values (score (SnapKV window) last))

    let lastRows =
        attended
        |> Array.collect (fun heads ->
            let mean = heads |> Array.map Array.last |> columns Array.average
            Array.replicate shape.KvHeads mean |> Array.concat)

    near 2e-5 "tova" lastRows (values (score (Tova()) last))

    let all' =
        attention shape batch count count 0 (stored positions)
        |> Array.collect (Array.collect (columns Array.sum))

    near 2e-5 "h2o" all' (values (score (H2O()) positions))

    let perHead = Array.replicate (batch * shape.KvHeads)
    check "streaming" (rows (score (StreamingLlm()) last) = perHead (Array.map float positions))
    let whole = RandomScore.Score(all.Keys, int64 seed, 1)
    check "random" (sameBits (at positions whole) (score (RandomScore(int64 seed)) last))
    let horizon, sinks = 1 + int more % 30, int more % 4
    let asked = stored last

    let queries, keys, contents =
        vectors asked.Queries, vectors asked.Keys, vectors asked.Values

    let expected =
        queries
        |> Array.mapi (fun head queries ->
            if Array.last positions < sinks then
                Array.zeroCreate count
            else
                let kv = head / shape.Group
                expectedAttention decoder.Config.RopeTheta horizon sinks positions queries keys[kv] contents[kv])
        |> Array.concat

    near 2e-5 "expected attention" expected (values (score (ExpectedAttention(horizon, sinks)) last))

/// Rows as they come out of a layer's maps, before any rotation: those of a prompt and of rows behind it.
let private unrotated (case: Case) =
    randomRows case.Shape batch (case.Length + case.Suffix) (case.Length + case.Suffix) 1.0

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,151)")>]
let ``where a sequence starts changes no score of attention`` (Precise case) (shift: byte) =
    use _scope = torch.NewDisposeScope()
    use decoder = decoder case.Shape
    let length, after, window = case.Length, case.Suffix, 4
    let plain = unrotated case

    let startingAt (first: int) =
        let positions = [| first .. first + length + after - 1 |]
        let angles = decoder.AnglesAt((placed positions).squeeze 0L)
        let queries, keys = angles.Apply plain.Queries, angles.Apply plain.Keys

        let part from count =
            let narrow (t: torch.Tensor) = t.narrow (2, int64 from, int64 count)
            LayerRows(narrow queries, narrow keys, narrow plain.Values, Positions = placed positions[from .. from + count - 1])

        part 0 length, part length after

    let scores first =
        let prompt, behind = startingAt first
        let context = contextOf decoder (first + length)

        [
            "snapkv", SnapKV.Score(prompt.Queries, prompt.Keys, window)
            "h2o", H2O.Score(prompt.Queries, prompt.Keys)
            "tova", Tova.Score(prompt.Queries, prompt.Keys)
            "laq", Laq.Score(prompt.Queries, prompt.Keys, behind, window)
            "speckv", SpecKV.Score(prompt.Queries, prompt.Keys, behind, window)
            "kvzip", KVzip.Score(prompt.Keys, behind, 0L, int64 length)
            "oracle", Oracle.Score(prompt.Keys, behind)
            "lookahead", LookaheadScore.Score(prompt.Keys, behind)
            "keynorm", KeyNorm.Score prompt.Keys
            "expected", ExpectedAttention(9, 0).Score(context, 0, prompt)
        ]

    for (name, here), (_, there) in List.zip (scores 0) (scores (1 + int shift % 64)) do
        near 2e-4 name (values here) (values there)

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,153)")>]
let ``observers stand behind what was seen and see what is stored`` (Precise case) =
    withCase case (fun decoder policy ->
        use _scope = torch.NewDisposeScope()
        let prompt, suffix = tokens case

        use session =
            Session.Start(decoder, prompt, policy, suffix.Length, execution = executionOf decoder)

        let first = session.Cache.LogicalLength

        let stored =
            [|
                for layer in session.Cache.Layers ->
                    let keys = (keysOf layer).clone()
                    LayerRows(keys.narrow (2, 0, 0), keys, (valuesOf layer).clone(), Positions = (positionsOf layer).clone())
            |]

        let observed = List<float[] * float[] * int64[]>()

        let take (_: int) (_: LayerRows) (rows': LayerRows) =
            observed.Add(values rows'.Queries, values rows'.Keys, integers (rows'.KeyPositions()))

        use pass = new ObserverPass(decoder, ResponseRows suffix, 1L, first, take)
        RememberedLayers.HandTo(stored, pass)

        let agrees (layer: int) (rows': LayerRows) =
            check "positions" (integers (rows'.KeyPositions()) = [| for i in 0L .. int64 suffix.Length - 1L -> first + i |])
            let queries, keys, positions = observed[layer]
            check "positions of observers" (positions = integers (rows'.KeyPositions()))
            near 2e-5 $"queries of layer {layer}" (values rows'.Queries) queries
            near 2e-5 $"keys of layer {layer}" (values rows'.Keys) keys

        Decoding.Extend(decoder, session.Cache, decoder.Ids suffix, Action<int, LayerRows> agrees, execution = executionOf decoder)
        |> ignore)
