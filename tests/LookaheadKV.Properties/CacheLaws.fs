/// Law 3: layers are [B, G, n, D] in storage of their own, and bytes are counted from it. Law 4: logical and stored length are different things; the
/// next position is the logical length; what a row sees follows from the positions that are really stored.
module LookaheadKV.Properties.CacheLaws

open System
open System.Collections.Generic
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Cache
open LookaheadKV.Models
open LookaheadKV.Eviction
open LookaheadKV.Methods
open LookaheadKV.Scoring
open LookaheadKV.Budgeting
open LookaheadKV.Generation
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

/// 2·B·G·n·D·sizeof of one layer.
let private layerBytes (shape: Shape) batch entries =
    2L
    * int64 batch
    * int64 shape.KvHeads
    * int64 entries
    * int64 shape.HeadSize
    * int64 (elementSize shape.Precision)

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``compaction copies the kept entries into storage of exactly the promised size`` (case: Case) (batches: bool) (reserve: byte) =
    use _scope = torch.NewDisposeScope()
    let shape, batch, reserve = case.Shape, (if batches then 2 else 1), int reserve % 20

    let random () : torch.Tensor =
        torch.randn([| int64 batch; int64 shape.KvHeads; int64 case.Length; int64 shape.HeadSize |]).``to``(dtype shape.Precision)

    let keys, values' = random (), random ()

    use kept =
        Selection.Top(torch.rand [| int64 batch; int64 shape.KvHeads; int64 case.Length |], int64 case.Kept)

    use layer = Compaction.Keep(keys, values', kept, int64 reserve)

    let gathered (source: torch.Tensor) =
        let all = rows source

        [|
            for b in 0 .. batch - 1 do
                for g in 0 .. shape.KvHeads - 1 do
                    for p in kept.ToArrays(b)[g] -> all[(b * shape.KvHeads + g) * case.Length + int p]
        |]

    let expectedKeys, expectedValues = gathered keys, gathered values'
    keys.zero_ () |> ignore
    values'.zero_ () |> ignore
    check "layout" (layer.Keys.shape = [| int64 batch; int64 shape.KvHeads; int64 case.Kept; int64 shape.HeadSize |])
    check "layout of values" (layer.Values.shape = layer.Keys.shape)
    check "keys survive their source" (rows layer.Keys = expectedKeys)
    check "values survive their source" (rows layer.Values = expectedValues)
    check "positions" (integers layer.Positions = integers kept.Positions)
    check "dtype" (layer.Keys.dtype = dtype shape.Precision && layer.Values.dtype = dtype shape.Precision)
    check "bytes in use" (layer.Bytes = layerBytes shape batch case.Kept)
    check "bytes held" (layer.StorageBytes = layerBytes shape batch (case.Kept + reserve))

    check
        "bytes counted from the views' own storage"
        (StorageBytesOf.Tensor layer.Keys + StorageBytesOf.Tensor layer.Values = layer.StorageBytes)

    check "bytes of positions" (layer.PositionBytes = 8L * int64 batch * int64 shape.KvHeads * int64 (case.Kept + reserve))

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``a prefill holds the compacted layers and one full layer at its peak, and reports what it holds`` (case: Case) (reserve: byte) =
    let reserve = int reserve % 20

    withCase case (fun decoder policy ->
        let prompt, _ = tokens case

        use session =
            Session.Start(decoder, prompt, policy, reserve, execution = executionOf decoder)

        let kept, layers = keptOf case, int64 case.Shape.Layers
        let report = session.Report
        check "kept" (report.KeptTokens = float kept && report.PromptTokens = int64 case.Length)
        check "cache bytes" (report.CacheBytes = layers * layerBytes case.Shape 1 kept && report.CacheBytes = session.Cache.Bytes)
        check "held" (session.Cache.StorageBytes = layers * layerBytes case.Shape 1 (kept + reserve))
        check "peak" (report.PeakCacheBytes = session.Cache.StorageBytes + layerBytes case.Shape 1 case.Length)
        check "stored length" (session.Cache.MeanStoredLength = float kept)

        for layer in session.Cache.Layers do
            check "layout" ((keysOf layer).shape = [| 1L; int64 case.Shape.KvHeads; int64 kept; int64 case.Shape.HeadSize |]))

/// Keeps hold of the rows it is shown, to see whether they are gone when the next layer comes.
type private Witness() =
    let seen = List<LayerRows>()
    let live = List<int64>()
    member _.Live = live |> Seq.toArray

    member _.AllGone =
        seen
        |> Seq.forall (fun rows -> rows.Queries.IsInvalid && rows.Keys.IsInvalid && rows.Values.IsInvalid)

    interface IPromptScorer with
        member _.Name = "witness"

        member this.Score(_, _, prompt) =
            check "the layers before are gone" this.AllGone
            seen.Add prompt
            live.Add DisposeScopeManager.Statistics.ThreadTotalLiveCount
            StreamingLlm.Score prompt.Keys

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``a layer's full rows are freed before the next layer is scored`` (case: Case) =
    use _noGrad = torch.no_grad ()
    use decoder = decoder { case.Shape with Layers = 3 }
    let prompt, _ = tokens { case with Length = case.Length + 1 }
    let witness = Witness()

    let policy =
        EvictionPolicy(Name = "witness", Scorer = witness, Budget = Budget.Tokens case.Length)

    use session =
        Session.Start(decoder, prompt, policy, 3, execution = executionOf decoder)

    check "the last layer is gone" witness.AllGone
    // Four tensors stay of each layer: its compacted keys, values and positions, and the largest score of each head, by which a NaN is found at the end.
    let live = witness.Live

    check
        $"live tensors grow by more than the compacted layers: {live[0]}, {live[1]}, {live[2]}"
        (live[1] - live[0] = 4L && live[2] - live[1] = 4L)

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``what follows stands at the logical length, behind what is stored`` (case: Case) =
    withCase case (fun decoder policy ->
        let prompt, suffix = tokens case

        use session =
            Session.Start(decoder, prompt, policy, case.Suffix, execution = executionOf decoder)

        let kept, cache = keptOf case, session.Cache
        check "logical length" (cache.LogicalLength = int64 case.Length)
        use _logits = session.Append suffix
        check "both lengths advance" (cache.LogicalLength = int64 (case.Length + case.Suffix))

        for layer in cache.Layers do
            check "stored length" (storedLength layer = int64 (kept + case.Suffix))

            for head in integerRows (positionsOf layer) do
                check "new positions" (head[kept..] = [| for i in 0 .. case.Suffix - 1 -> int64 (case.Length + i) |])
        // In the first layer a key depends on its token and its position alone.
        use _scope = torch.NewDisposeScope()

        let fresh =
            decoder.Project(0, decoder.Embed(decoder.Ids suffix), decoder.Angles(int64 case.Length, int64 case.Suffix))

        near
            (if case.Shape.Precision = Brain then 0.02 else 1e-6)
            "rotated to the logical position"
            (values fresh.Keys)
            (values ((keysOf cache.Layers[0]).narrow(2, int64 kept, int64 case.Suffix))))

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``a row sees the entries that exist and stand at or before it, head by head`` (case: Case) =
    use _scope = torch.NewDisposeScope()
    let random = Random case.Shape.Seed
    let batch, heads, entries = 2, case.Shape.KvHeads, case.Kept

    let stored =
        Array.init (batch * heads) (fun _ -> Array.init entries (fun _ -> int64 (random.Next(-1, case.Length))))

    let firsts = Array.init batch (fun _ -> int64 (random.Next case.Length))

    let rowPositions =
        firsts |> Array.map (fun first -> Array.init case.Suffix (fun i -> first + int64 i))

    let visible =
        CacheAttention.Visible(
            torch.tensor(Array.concat stored).reshape(int64 batch, int64 heads, int64 entries),
            torch.tensor(Array.concat rowPositions).reshape(int64 batch, int64 case.Suffix)
        )

    let expected =
        [|
            for b in 0 .. batch - 1 do
                for g in 0 .. heads - 1 do
                    for row in rowPositions[b] do
                        for entry in stored[b * heads + g] -> if entry >= 0L && entry <= row then 1L else 0L
        |]

    integers visible = expected

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``rolling back forgets exactly what came after the mark`` (case: Case) =
    withCase case (fun decoder policy ->
        let prompt, suffix = tokens case

        use session =
            Session.Start(decoder, prompt, policy, 2 * case.Suffix, execution = executionOf decoder)

        use before = (keysOf session.Cache.Layers[0]).clone()
        let mark = session.Cache.Mark()
        use once = session.Append suffix
        session.Cache.RollBack mark
        check "logical length" (session.Cache.LogicalLength = int64 case.Length)
        check "entries" (session.Cache.Layers |> Seq.forall (fun layer -> storedLength layer = int64 (keptOf case)))
        check "keys" (sameBits before (keysOf session.Cache.Layers[0]))
        use again = session.Append suffix
        check "the same question has the same answer" (sameBits once again))
