/// Law 5, batches: a row of a batch equals the row alone, padding included.
module LookaheadKV.Properties.BatchLaws

open System
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV
open LookaheadKV.Cache
open LookaheadKV.Eviction
open LookaheadKV.Generation
open LookaheadKV.Passes
open LookaheadKV.Models
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

let private tolerance precision =
    match precision with
    | Brain -> 0.06
    | _ -> 2e-5

let private draw (random: System.Random) vocabulary count =
    Array.init count (fun _ -> random.Next(1, vocabulary))

let private batchIds (rows: int[][]) : torch.Tensor =
    torch.tensor(rows |> Array.collect (Array.map int64)).reshape(int64 rows.Length, int64 rows[0].Length)

/// Prompts of one length through the layer pieces, the way Session goes for one prompt. The greedy answers of different rows have different lengths, so
/// the oracle's observer, like lookahead's, is given: here the same rows for the whole batch.
let private prefill (decoder: Decoder) (policy: EvictionPolicy) kept reserve (ids: torch.Tensor) =
    use _scope = torch.NewDisposeScope()
    let batch, length = ids.shape[0], ids.shape[1]
    let cache = new KeyValueCache(Array.create (int batch) length)
    let answer = Lazy<int[]>(fun () -> [| 1; 2; 3 |])

    let context = PromptContext(decoder, ids, answer, Execution = executionOf decoder)

    let keep (rows: LayerRows) scores =
        use set = LayerEviction.Select(policy, scores, kept)
        cache.Add(Compaction.Keep(rows.Keys, rows.Values, set, reserve))

    match policy.Scorer with
    | null -> PromptPass.Run(decoder, ids, (fun _ rows -> cache.Add(LayerEviction.KeepAll(rows, reserve))), execution = executionOf decoder)
    | :? IObserverScorer as scorer ->
        use pass =
            new ObserverPass(
                decoder,
                scorer.Observe context,
                batch,
                length,
                fun layer rows watching -> keep rows (LayerEviction.Scores(policy, context, layer, rows, watching))
            )

        PromptPass.Run(decoder, ids, pass, execution = executionOf decoder)
    | _ ->
        PromptPass.Run(
            decoder,
            ids,
            (fun layer rows -> keep rows (LayerEviction.Scores(policy, context, layer, rows, Nullable()))),
            execution = executionOf decoder
        )
    |> ignore

    cache

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,43)")>]
let ``each row of a batch of equally long prompts equals the row alone`` (Precise case) (more: byte) =
    withCase case (fun decoder policy ->
        use _scope = torch.NewDisposeScope()
        let random = Random case.Shape.Seed
        let draw = draw random case.Shape.Vocabulary
        let prompts = Array.init (2 + int more % 2) (fun _ -> draw case.Length)
        let suffixes = prompts |> Array.map (fun _ -> draw case.Suffix)
        let reserve = int64 case.Suffix
        use batch = prefill decoder policy (int64 case.Kept) reserve (batchIds prompts)

        let together =
            Decoding.Extend(decoder, batch, batchIds suffixes, execution = executionOf decoder)

        prompts
        |> Array.iteri (fun row prompt ->
            use alone = prefill decoder policy (int64 case.Kept) reserve (batchIds [| prompt |])

            let logits =
                Decoding.Extend(decoder, alone, batchIds [| suffixes[row] |], execution = executionOf decoder)

            for layer in 0 .. case.Shape.Layers - 1 do
                let positions (cache: KeyValueCache) (row: int) =
                    integerRows ((positionsOf cache.Layers[layer]).select(0L, int64 row))

                check $"kept positions of row {row}, layer {layer}" (positions batch row = positions alone 0)

            near (tolerance case.Shape.Precision) $"row {row}" (values logits) (values together[int64 row])))

/// Prompts of different lengths, each evicted to its own budget.
let private others (case: Case) count =
    let random = Random(case.Shape.Seed + 1)

    Array.init count (fun _ ->
        let length = random.Next(max 1 (protectedCount case.Recipe 60), 61)
        let least = max 1 (protectedCount case.Recipe length)
        let kept = random.Next(least, length + 1)

        { case with
            Length = length
            Kept = kept
        })

let private fillEmptyPlaces (random: Random) (layer: DenseLayer) =
    use _scope = torch.NewDisposeScope()
    let empty = layer.Positions.lt((0).ToScalar()).unsqueeze(-1)

    for places in [ layer.Keys; layer.Values ] do
        let garbage =
            torch.randn(places.shape).mul((10.0 ** float (random.Next(0, 6))).ToScalar()).``to`` places.dtype

        places.copy_ (torch.where (empty, garbage, places)) |> ignore

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,45)")>]
let ``each row of stacked caches decodes as the row alone, whatever lies in the empty places`` (case: Case) (more: byte) =
    withCase case (fun decoder _ ->
        use _scope = torch.NewDisposeScope()
        let random = Random case.Shape.Seed
        let cases = Array.append [| case |] (others case (1 + int more % 3))

        let sessions =
            cases
            |> Array.map (fun c ->
                withPolicy c.Shape c.Recipe c.Kept (fun policy ->
                    Session.Start(decoder, fst (tokens c), policy, 2 * case.Suffix, execution = executionOf decoder)))

        try
            use batch =
                CacheStacking.Stack([| for session in sessions -> session.Cache |], 2L * int64 case.Suffix)

            check "logical lengths" (Seq.toArray batch.LogicalLengths = [| for c in cases -> int64 c.Length |])

            for layer in batch.Layers do
                check "stored length" (storedLength layer = int64 (cases |> Array.map keptOf |> Array.max))
                fillEmptyPlaces random (layer :?> DenseLayer)
            // Several tokens at once, then one: both ways of masking.
            for count in [ case.Suffix; 1 ] do
                let suffixes = cases |> Array.map (fun _ -> draw random case.Shape.Vocabulary count)

                let together =
                    Decoding.Extend(decoder, batch, batchIds suffixes, execution = executionOf decoder)

                sessions
                |> Array.iteri (fun row session ->
                    use alone = session.Append suffixes[row]
                    near (tolerance case.Shape.Precision) $"row {row}" (values alone) (values together[int64 row]))

            check "each goes on at its own length" (Seq.toArray batch.LogicalLengths = [| for s in sessions -> s.Cache.LogicalLength |])
        finally
            for session in sessions do
                (session :> IDisposable).Dispose())

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40)>]
let ``stacking copies: the rows' own caches can go`` (case: Case) =
    withCase case (fun decoder policy ->
        let start () =
            Session.Start(decoder, fst (tokens case), policy, 1, execution = executionOf decoder)

        let session = start ()
        use batch = CacheStacking.Stack([| session.Cache; session.Cache |], 0L)

        let kept =
            [|
                for layer in session.Cache.Layers -> Array.append (bytes (keysOf layer)) (bytes (keysOf layer))
            |]

        for layer in session.Cache.Layers do
            (keysOf layer).zero_().Dispose()

        (session :> IDisposable).Dispose()

        [| for layer in batch.Layers -> bytes (keysOf layer) |] = kept
        && batch.StorageBytes =
            2L
            * int64 case.Shape.Layers
            * 2L
            * int64 (case.Shape.KvHeads * keptOf case * case.Shape.HeadSize * elementSize case.Shape.Precision))
