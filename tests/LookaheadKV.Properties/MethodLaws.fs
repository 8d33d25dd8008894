/// All laws, for every method under every allocation in every dtype: a law that holds for most may fail for one.
/// One file, because every law here runs over every method through the same sweep.
module LookaheadKV.Properties.MethodLaws

open System
open System.Collections.Generic
open Xunit
open FsCheck
open FsCheck.FSharp
open TorchSharp
open LookaheadKV
open LookaheadKV.Budgeting
open LookaheadKV.Cache
open LookaheadKV.Eviction
open LookaheadKV.Methods
open LookaheadKV.Evaluation
open LookaheadKV.Generation
open LookaheadKV.Passes
open LookaheadKV.Models
open LookaheadKV.Runtime
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

type EveryMethod() =
    inherit TheoryData<string>(methods |> List.map fst)

/// A law on cases of one method: some of every allocation and every dtype. A seed where the law has a tolerance: rounding has no exact bound.
let private sweep (seed: uint64 option) precisions count (law: Case -> unit) method =
    let recipe = methods |> List.find (fst >> (=) method) |> snd

    let quiet = Config.QuickThrowOnFailure.WithMaxTest(count).WithQuietOnSuccess true

    let config =
        match seed with
        | Some seed -> quiet.WithReplay(seed, 1UL)
        | None -> quiet

    for layering in [ Level; Slope 40; Slope 3; Pool ] do
        for competing in [ false; true ] do
            if not (competing && layering = Pool) then
                for precision in precisions do
                    let heading =
                        if competing then
                            Gen.map Competing (Gen.elements [ 0; 20; 29; 50; 100 ])
                        else
                            Gen.constant Same

                    let cases =
                        gen {
                            let! heading = heading
                            return! plannedCases recipe layering heading precision
                        }

                    Check.One(config, Prop.forAll (Arb.fromGenShrink (cases, shrinkCase)) law)

let private both = [ Single; Brain ]

let private start decoder (case: Case) policy reserve =
    Session.Start(decoder, fst (tokens case), policy, reserve, execution = executionOf decoder)

/// Kept positions [layer][kv head].
let private keptOf (session: Session) =
    [|
        for layer in session.KeptPositions(EvictionPolicy.Full).Layers -> [| for head in layer -> [| for p in head -> int p |] |]
    |]

/// Grouped and pooled scores [layer][kv head][position].
let private scoresOf (decoder: Decoder) (case: Case) (policy: EvictionPolicy) =
    use _scope = torch.NewDisposeScope()

    use trace =
        new PromptTrace(decoder, fst (tokens case), execution = executionOf decoder)

    [|
        for scores in trace.Scores(policy, int64 (entriesOf case / case.Shape.Layers)) do
            check $"scores of type {scores.dtype}" (scores.dtype = torch.ScalarType.Float32)
            check "a score for each kv head and position" (scores.shape = [| 1L; int64 case.Shape.KvHeads; int64 case.Length |])
            check "finite scores" (scores.isfinite().all().item<bool>())
            rows scores
    |]

/// Bits of a session's whole state.
let private state (session: Session) =
    bytes session.NextLogits,
    Seq.toArray session.Cache.LogicalLengths,
    [|
        for layer in session.Cache.Layers do
            for head in 0L .. layer.KvHeads - 1L do
                let struct (keys, values, positions) = layer.Segment(0, head)
                bytes keys, bytes values, integers positions
    |]

let private evicts (case: Case) =
    entriesOf case < case.Shape.Layers * case.Length

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``1, 7: a plain sort of the method's own scores keeps the same; they are float32 and finite`` method =
    method
    |> sweep None both 3 (fun case ->
        withCase case (fun decoder policy ->
            if not (isNull policy.Scorer) then
                let scores = scoresOf decoder case policy
                use session = start decoder case policy 0
                let kept = keptOf session

                if evicts case then
                    let expected = PlainSelection.select case scores

                    if kept <> expected then
                        failwith $"%A{kept} instead of %A{expected}"))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``1, 2: kept positions increase within the prompt, hold what is protected and add up to the budget`` method =
    method
    |> sweep None both 3 (fun case ->
        withCase case (fun decoder policy ->
            use session = start decoder case policy 0
            let kept = keptOf session

            for head in Array.concat kept do
                check "increasing" (head |> Array.pairwise |> Array.forall (fun (a, b) -> a < b))
                check "within the prompt" (head |> Array.forall (fun p -> p >= 0 && p < case.Length))
                check "protected" (Seq.forall (fun p -> not (isProtected case p) || Array.contains p head) (seq { 0 .. case.Length - 1 }))

            let heads = case.Shape.KvHeads
            check "the whole budget" (kept |> Array.sumBy (Array.sumBy Array.length) = heads * entriesOf case)

            match sharing case with
            | Pool, _ -> ()
            | _, heading when evicts case ->
                let counts = PlainSelection.layerCounts case

                kept
                |> Array.iteri (fun layer kept ->
                    check "a layer's part" (kept |> Array.sumBy Array.length = heads * counts[layer])

                    for head in kept do
                        match heading with
                        | Same -> check "even parts" (head.Length = counts[layer])
                        | Competing hundredths ->
                            let held = heldCount case
                            check "a head's floor" (head.Length >= held + hundredths * (counts[layer] - held) / 100))
            | _ -> ()))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``1: a larger budget keeps a superset in every layer whose own part does not shrink`` method =
    method
    |> sweep None both 2 (fun case ->
        let written extra =
            { case with
                Plan =
                    case.Plan
                    |> Option.map (fun plan ->
                        { plan with
                            Written = InBytes
                            Extra = plan.Extra + extra
                        })
            }

        let readsBudget (policy: EvictionPolicy) =
            match policy.Scorer with
            | :? IWholePromptScorer as scorer -> scorer.ReadsBudget
            | _ -> false

        let kept case =
            withCase case (fun decoder policy ->
                use session = start decoder case policy 0
                readsBudget policy, keptOf session)

        let reads, before = kept (written 0)

        for extra in [ 1; case.Shape.Layers ] do
            let larger = written extra
            let _, after = kept larger

            if not reads && not (Recipe.isFull case.Recipe) then
                let grows layer =
                    fst (sharing case) = Pool
                    || (PlainSelection.layerCounts (written 0))[layer] <= (PlainSelection.layerCounts larger)[layer]

                for layer in 0 .. case.Shape.Layers - 1 do
                    // The largest remainders of a pyramid may move: a layer may lose one entry while all together gain one (the Alabama paradox).
                    check "only a pyramid's layer shrinks" (grows layer || fst (sharing case) <> Level)

                    if grows layer then
                        Array.iter2 (fun a b -> check "superset" (Set.isSubset (Set a) (Set b))) before[layer] after[layer]
                    else
                        check
                            "by one entry at most"
                            ((PlainSelection.layerCounts (written 0))[layer] - (PlainSelection.layerCounts larger)[layer] = 1))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``3: bytes held are bytes promised, counted from storage, and the peak is what a prefill had to hold`` method =
    method
    |> sweep None both 2 (fun case ->
        withCase case (fun decoder policy ->
            let reserve, price = case.Suffix, entryBytes case.Shape / int64 case.Shape.KvHeads
            use session = start decoder case policy reserve
            let cache, report = session.Cache, session.Report
            let lengths = keptOf session |> Array.map (Array.map (Array.length >> int64))
            let held = lengths |> Array.map (Array.sumBy (fun n -> (n + int64 reserve) * price))
            let full = int64 case.Length * entryBytes case.Shape
            check "promised" (report.CacheBytes = int64 (entriesOf case) * entryBytes case.Shape)
            check "in use" (cache.Bytes = report.CacheBytes)
            check "held" (cache.StorageBytes = Array.sum held)

            cache.Layers
            |> Seq.iteri (fun layer stored ->
                check "a layer's storage" (stored.StorageBytes = held[layer])

                for head in 0L .. stored.KvHeads - 1L do
                    let struct (keys, values, positions) = stored.Segment(0, head)
                    check "views of the layer's own storage" (StorageBytesOf.Tensor keys + StorageBytesOf.Tensor values = held[layer])
                    check "[n, D]" (keys.shape = [| lengths[layer][int head]; int64 case.Shape.HeadSize |] && keys.shape = values.shape)
                    check "a position each" (positions.shape = [| lengths[layer][int head] |]))

            check "bytes of positions" (cache.PositionBytes = cache.StorageBytes / price * 8L)

            let peak =
                if evicts case && policy.NeedsWholePrompt then
                    Seq.max
                        [
                            for l in 0 .. held.Length - 1 -> Array.sum held[..l] + int64 (held.Length - l) * full
                        ]
                else
                    Array.sum held + full

            check $"a peak of {report.PeakCacheBytes} instead of {peak}" (report.PeakCacheBytes = peak)))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``4: what follows stands at the logical length, behind what each head stores`` method =
    method
    |> sweep None both 2 (fun case ->
        withCase case (fun decoder policy ->
            let _, suffix = tokens case
            use session = start decoder case policy case.Suffix
            let before = keptOf session
            use _logits = session.Append suffix
            check "logical length" (session.Cache.LogicalLength = int64 (case.Length + case.Suffix))
            let follow = [| for i in 0 .. case.Suffix - 1 -> int64 (case.Length + i) |]

            session.Cache.Layers
            |> Seq.iteri (fun layer stored ->
                for head in 0 .. case.Shape.KvHeads - 1 do
                    let struct (_, _, positions) = stored.Segment(0, int64 head)
                    check "kept, then new" (integers positions = Array.append (before[layer][head] |> Array.map int64) follow))))

let private answer decoder policy (case: Case) =
    let _, suffix = tokens case
    use session = start decoder case policy case.Suffix
    let first = bytes session.NextLogits
    use logits = session.Append suffix
    first, bytes logits, state session

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``5: evicting nothing gives the bits of the full cache`` method =
    method
    |> sweep None both 2 (fun case ->
        let case = { case with Kept = case.Length }
        withCase case (fun decoder policy -> check "bits" (answer decoder policy case = answer decoder EvictionPolicy.Full case)))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``5: evicting equals masking, head by head: several tokens at once, then one by one`` method =
    method
    |> sweep (Some 2026UL) both 2 (fun case ->
        withCase case (fun decoder policy ->
            let prompt, suffix = tokens case
            use session = start decoder case policy case.Suffix

            let reference =
                DecoderReference.masked decoder prompt suffix (keptOf session |> Array.map (Array.map Set))

            // bfloat16 has 8 bits: see the law of its own in EvictionLaws.
            let agree what (expected: float[]) (actual: torch.Tensor) =
                match case.Shape.Precision with
                | Brain ->
                    let distance = meanDistance expected (values actual)
                    check $"{what}: relative distance {distance}" (distance < 0.25)
                | _ -> near 2e-4 what expected (values actual)

            agree "the last prompt row" reference.Logits[case.Length - 1] session.NextLogits
            let expected = reference.Logits[case.Length ..]
            let mark = session.Cache.Mark()
            use together = session.Append suffix
            agree "several tokens at once" (Array.concat expected) together
            session.Cache.RollBack mark

            let alone =
                suffix
                |> Array.map (fun token ->
                    use logits = session.Append [| token |]
                    logits.clone ())

            use alone = torch.cat (ResizeArray alone, 0)
            agree "one by one" (Array.concat expected) alone))

/// Prompts of other lengths, each evicted to a budget of its own.
let private others (case: Case) =
    let random = Random(case.Shape.Seed + 1)

    Array.init (1 + random.Next 2) (fun _ ->
        let other =
            { case with
                Length = random.Next(1, 41)
            }

        { other with
            Kept = random.Next(max 1 (heldCount other), other.Length + 1)
        })

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``5: each row of stacked caches of different lengths decodes as the row alone`` method =
    method
    |> sweep (Some 2027UL) both 2 (fun case ->
        withCase case (fun decoder _ ->
            use _scope = torch.NewDisposeScope()
            // Stacked caches of different lengths are attended to with masks, one operator a call: in bfloat16 the single rows must round as they do.
            if case.Shape.Precision = Brain then
                runAs Execution.Reference decoder

            let cases = Array.append [| case |] (others case)

            let sessions =
                cases
                |> Array.map (fun case -> withPlan case (fun policy -> start decoder case policy (case.Suffix + 1)))

            try
                use batch =
                    CacheStacking.Stack([| for session in sessions -> session.Cache |], int64 case.Suffix + 1L)

                check "logical lengths" (Seq.toArray batch.LogicalLengths = [| for case in cases -> int64 case.Length |])

                for layer in 0 .. case.Shape.Layers - 1 do
                    if
                        sessions
                        |> Array.exists (fun s -> Seq.length (Seq.distinct s.Cache.Layers[layer].StoredLengths) > 1)
                    then
                        check "ragged rows hold no empty places" (not (batch.Layers[layer] :?> DenseLayer).HasGaps)

                        check
                            "and nothing is filled up"
                            (Seq.sum batch.Layers[layer].StoredLengths =
                                (sessions |> Seq.sumBy (fun s -> Seq.sum s.Cache.Layers[layer].StoredLengths)))

                for count in [ case.Suffix; 1 ] do
                    let suffixes =
                        cases |> Array.map (fun c -> (snd (tokens c))[.. count - 1] |> Array.map int64)

                    let together =
                        Decoding.Extend(
                            decoder,
                            batch,
                            torch.tensor(Array.concat suffixes).reshape(int64 cases.Length, int64 count),
                            execution = executionOf decoder
                        )

                    sessions
                    |> Array.iteri (fun row session ->
                        use alone = session.Append(suffixes[row] |> Array.map int)

                        near
                            (if case.Shape.Precision = Brain then 0.06 else 5e-5)
                            $"row {row}"
                            (values alone)
                            (values together[int64 row]))
            finally
                for session in sessions do
                    (session :> IDisposable).Dispose()))

/// Layers' rows and scores of a whole batch; the oracle's answer is given, the same for all rows.
let private keptOfBatch (decoder: Decoder) (case: Case) (policy: EvictionPolicy) (prompts: int[][]) =
    use scope = torch.NewDisposeScope()

    let ids =
        torch.tensor(prompts |> Array.concat |> Array.map int64).reshape(int64 prompts.Length, int64 case.Length)

    let context =
        PromptContext(decoder, ids, Lazy<int[]>(fun () -> [| 1; 2; 3 |]), Execution = executionOf decoder)

    let layers, scores = List<LayerRows>(), List<torch.Tensor>()

    let outer (t: torch.Tensor) = t.MoveToOtherDisposeScope scope

    let onLayer layer (rows: LayerRows) (watching: Nullable<LayerRows>) =
        layers.Add(LayerRows(outer rows.Queries, outer rows.Keys, outer rows.Values))

        if not (policy.Scorer :? IWholePromptScorer) then
            scores.Add(LayerEviction.Scores(policy, context, layer, rows, watching) |> outer)

    match policy.Scorer with
    | :? IObserverScorer as scorer ->
        use pass =
            new ObserverPass(
                decoder,
                scorer.Observe context,
                prompts.Length,
                case.Length,
                fun layer rows watching -> onLayer layer rows (Nullable watching)
            )

        PromptPass.Run(decoder, ids, pass, execution = executionOf decoder)
    | _ -> PromptPass.Run(decoder, ids, (fun layer rows -> onLayer layer rows (Nullable())), execution = executionOf decoder)
    |> ignore

    let entries = int64 (entriesOf case)

    match policy.Scorer with
    | :? IWholePromptScorer as scorer ->
        scores.AddRange(PromptEviction.Scores(policy, scorer, WholePrompt(context, layers, 1), entries / int64 case.Shape.Layers))
    | _ -> ()

    [|
        for set in PromptEviction.Select(policy, scores, entries) do
            use set = set
            [| for row in 0 .. prompts.Length - 1 -> set.ToArrays row |]
    |]

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``5: each row of a batch keeps what the row alone keeps`` method =
    method
    |> sweep (Some 2028UL) [ Double ] 3 (fun case ->
        withCase case (fun decoder policy ->
            let first, _ = tokens case

            let prompts =
                [| first; first |> Array.map (fun id -> 1 + id % (case.Shape.Vocabulary - 1)) |]

            let keep = keptOfBatch decoder case policy

            let answers = (Recipe.descriptor case.Recipe).Needs.HasFlag Needs.Answer

            if not (Recipe.isFull case.Recipe) then
                try
                    let together = keep prompts

                    prompts
                    |> Array.iteri (fun row prompt ->
                        check $"row {row}" (keep [| prompt |] |> Array.map Array.head = (together |> Array.map (fun rows -> rows[row]))))
                with :? ArgumentException as error when answers && error.Message.Contains "one by one" ->
                    () // an answer of its own is written for one prompt at a time
        ))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``5: A, B, A gives A twice the same`` method =
    method
    |> sweep None both 1 (fun case ->
        let next =
            (List.findIndex (fst >> (=) method) methods + 1 + case.Shape.Seed) % methods.Length

        let other =
            methods[next] |> snd |> Gen.sampleWithSeed (Rnd(uint64 case.Shape.Seed, 1UL)) 10 1 |> Array.head

        withCase case (fun decoder policy ->
            let b = Array.head (others case)
            let b = { b with Recipe = other; Plan = None }

            let b =
                { b with
                    Kept = max b.Kept (max 1 (heldCount b))
                }

            let first = answer decoder policy case
            withPlan b (fun policy -> answer decoder policy b |> ignore)
            check "the same bits" (first = answer decoder policy case)))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``6: a method changes no bit of the weights, of the prompt's rows or of the first token's logits`` method =
    method
    |> sweep None both 1 (fun case ->
        withCase case (fun decoder policy ->
            let weights () =
                [| for weight in decoder.Weights.All -> bytes weight |]

            let before = weights ()
            use full = start decoder case EvictionPolicy.Full 0
            use evicted = start decoder case policy 0
            check "weights" (weights () = before)
            check "first logits" (sameBits full.NextLogits evicted.NextLogits)
            let kept = keptOf evicted

            for layer in 0 .. case.Shape.Layers - 1 do
                for head in 0 .. case.Shape.KvHeads - 1 do
                    use index = torch.tensor (kept[layer][head] |> Array.map int64)
                    let struct (keys, values, _) = evicted.Cache.Layers[layer].Segment(0, int64 head)
                    let struct (allKeys, allValues, _) = full.Cache.Layers[layer].Segment(0, int64 head)
                    check "keys" (sameBits (allKeys.index_select (0, index)) keys)
                    check "values" (sameBits (allValues.index_select (0, index)) values)))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``replaying what was kept, from a file, gives the bits of the session that kept it`` method =
    method
    |> sweep None both 1 (fun case ->
        withCase case (fun decoder policy ->
            let prompt, suffix = tokens case
            use session = start decoder case policy case.Suffix
            let path = IO.Path.GetTempFileName()

            try
                session.KeptPositions(policy).Save path

                use replay =
                    Session.Replay(decoder, prompt, KeptPositions.Load path, case.Suffix, execution = executionOf decoder)

                check "the same cache" (state session = state replay)
                use first = session.Append suffix
                use again = replay.Append suffix
                check "the same logits" (sameBits first again)
                check "the same cache afterwards" (state session = state replay)
            finally
                IO.File.Delete path))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``a question leaves everything as it was, a fork goes on as the session does`` method =
    method
    |> sweep None both 1 (fun case ->
        withCase case (fun decoder policy ->
            let _, suffix = tokens case
            use session = start decoder case policy (case.Suffix + 4)
            let before = state session
            let answer = session.Ask(suffix, 4)
            check "as it was" (state session = before)
            check "asked again" (session.Ask(suffix, 4) = answer)
            use fork = session.Fork(case.Suffix + 4)
            check "a fork's state" (state fork = before)
            check "said is asked" (fork.Say(suffix, 4) = answer)
            check "the session did not notice" (state session = before)
            check "a dialogue goes on" (fork.Cache.LogicalLength = int64 (case.Length + case.Suffix + answer.Length))))

[<Theory; ClassData(typeof<EveryMethod>)>]
let ``8: no tensor outlives a session`` method =
    method
    |> sweep None both 1 (fun case ->
        let run () =
            withCase case (fun decoder policy ->
                let _, suffix = tokens case
                use session = start decoder case policy (case.Suffix + 3)
                (session.Append suffix).Dispose()
                session.Ask([| 1 |], 2) |> ignore
                use fork = session.Fork 1
                use stacked = CacheStacking.Stack([| session.Cache; fork.Cache |], 1)
                session.KeptPositions policy |> ignore

                use replay =
                    Session.Replay(decoder, fst (tokens case), session.KeptPositions policy, 1, execution = executionOf decoder)

                if not (isNull policy.Scorer) then
                    scoresOf decoder case policy |> ignore)
        // The first run may compile operators.
        run ()
        let before = DisposeScopeManager.Statistics.ThreadTotalLiveCount
        run ()
        run ()
        let after = DisposeScopeManager.Statistics.ThreadTotalLiveCount
        check $"{after - before} tensors more are alive after two runs" (after = before))
