/// A cache layer is what its interface says and nothing else: a model decodes over layers of plain lists as over dense ones.
module LookaheadKV.Properties.CacheLayerLaws

open System
open System.Collections.Generic
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Cache
open LookaheadKV.Eviction
open LookaheadKV.Generation
open LookaheadKV.Passes
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors
open LookaheadKV.Properties.PlainCacheLayer

let private replace (cache: KeyValueCache) (change: ICacheLayer -> ICacheLayer) =
    for layer in 0 .. cache.Layers.Count - 1 do
        cache.Replace(layer, change cache.Layers[layer])

/// Entry i of segment s stays unless (i + s) mod 3 is 1: heads keep different numbers.
let private evictRaggedly (reserve: int) (layer: ICacheLayer) =
    let kept =
        [|
            for s, length in Seq.indexed layer.StoredLengths ->
                [|
                    for i in 0L .. length - 1L do
                        if (i + int64 s) % 3L <> 1L then
                            i
                |]
        |]

    let counts =
        [| [| for places in kept -> int64 places.Length |] :> IReadOnlyList<int64> |]

    use set = new KeptSet(torch.tensor (Array.concat kept), counts)
    Compaction.Keep(layer, set, int64 reserve)

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,47)")>]
let ``a session over layers of plain lists is a session over dense layers`` (Precise case) =
    withCase case (fun decoder policy ->
        use _scope = torch.NewDisposeScope()
        let prompt, suffix = tokens case
        let reserve = 3 * case.Suffix + 12

        use dense =
            Session.Start(decoder, prompt, policy, reserve, execution = executionOf decoder)

        use plain =
            Session.Start(decoder, prompt, policy, reserve, execution = executionOf decoder)

        replace plain.Cache (fun layer -> PlainCacheLayer.Of layer)
        check "plain" (plain.Cache.Layers |> Seq.forall (fun layer -> layer :? PlainCacheLayer))

        let agree what =
            let kept (session: Session) =
                (session.KeptPositions policy).Layers |> Seq.map (Seq.map List.ofSeq >> List.ofSeq) |> List.ofSeq

            check $"{what}: kept positions" (kept dense = kept plain)
            near 2e-5 $"{what}: logits" (values dense.NextLogits) (values plain.NextLogits)

        let both what (run: Session -> 'a) =
            let expected = run dense
            check $"{what}: tokens" (expected = run plain)
            agree what

        both "an answer to a question" (fun session -> session.Ask(suffix, 3))
        both "a question" (fun session -> (session.Append suffix).Dispose())
        both "an answer" (fun session -> session.Generate 2 |> Seq.toArray)
        use fork = plain.Fork 8

        for session in [ dense; plain ] do
            replace session.Cache (evictRaggedly reserve)

        both "a question behind an eviction" (fun session -> (session.Append suffix[..0]).Dispose())
        both "its answer" (fun session -> session.Generate 2 |> Seq.toArray)
        check "a fork goes on where it was" (fork.Cache.LogicalLength < plain.Cache.LogicalLength)
        // Rows of different lengths, one behind the other; the tokens that were said last are in their caches.
        for session in [ plain; fork ] do
            (session.Append [||]).Dispose()

        use stacked = CacheStacking.Stack([| plain.Cache; fork.Cache |], 2L)
        let ids = torch.tensor([| 3L; 5L |]).reshape(2L, 1L)

        let together =
            Decoding.Extend(decoder, stacked, ids, execution = executionOf decoder)

        for row, session, token in [ 0L, plain, 3; 1L, fork, 5 ] do
            near 2e-5 $"row {row}" (values (session.Append [| token |])) (values together[row]))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 20)>]
let ``layers of different kinds are not stacked`` (case: Case) =
    withCase case (fun decoder policy ->
        let prompt, _ = tokens case

        use dense =
            Session.Start(decoder, prompt, policy, 1, execution = executionOf decoder)

        use plain = dense.Fork 1
        replace plain.Cache (fun layer -> PlainCacheLayer.Of layer)

        let error =
            Assert.Throws<ArgumentException>(Action(fun () -> CacheStacking.Stack([| dense.Cache; plain.Cache |], 1L) |> ignore))

        check error.Message (error.Message.Contains "DenseLayer and PlainCacheLayer"))
