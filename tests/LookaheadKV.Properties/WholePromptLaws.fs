/// The scorers that run a model (SpecKV's draft, LAQ's pseudo answer, KVzip's replay, expected attention's angles) against whole passes in plain arrays.
module LookaheadKV.Properties.WholePromptLaws

open System
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Generation
open LookaheadKV.Models
open LookaheadKV.Passes
open LookaheadKV.Methods
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors
open LookaheadKV.Properties.RivalLaws

let private noAnswer =
    Lazy<int[]>(fun () -> failwith "nobody asked for the model's own answer")

let private idsOf (prompts: int[][]) : torch.Tensor =
    torch.tensor(prompts |> Array.collect (Array.map int64)).reshape(int64 prompts.Length, int64 prompts[0].Length)

/// A batch of prompts after their pass; the next token is the first prompt's.
let private whole (decoder: Decoder) (prompts: int[][]) =
    let ids = idsOf prompts
    let layers = ResizeArray<LayerRows>()

    use scope = torch.NewDisposeScope()
    let keep (t: torch.Tensor) = t.MoveToOtherDisposeScope scope

    let hidden =
        PromptPass.Run(
            decoder,
            ids,
            (fun _ rows -> layers.Add(new LayerRows(keep rows.Queries, keep rows.Keys, keep rows.Values))),
            execution = executionOf decoder
        )

    for rows in layers do
        for tensor in [ rows.Queries; rows.Keys; rows.Values ] do
            tensor.MoveToOuterDisposeScope() |> ignore

    let next =
        (decoder.Logits hidden).argmax(-1) |> integerRows |> Array.head |> Array.last

    WholePrompt(PromptContext(decoder, ids, noAnswer, Execution = executionOf decoder), layers, int next)

/// Some decoder in double precision, where rounding decides no kept set and no token.
let private withDouble (case: Case) (run: Decoder -> int[] -> unit) =
    use _noGrad = torch.no_grad ()
    use _scope = torch.NewDisposeScope()

    use decoder = decoder { case.Shape with Precision = Double }

    run decoder (fst (tokens case))

let private greedy (logits: float[][]) =
    let last = Array.last logits
    Array.IndexOf(last, Array.max last)

/// Tokens that follow one after the other, until an end token or the limit; the first is given.
let rec private answer (decoder: Decoder) limit (logits: int[] -> float[][]) (written: int[]) =
    if written.Length >= limit || Seq.contains (Array.last written) decoder.Config.EndTokens then
        written
    else
        answer decoder limit logits (Array.append written [| greedy (logits written) |])

/// Maximum or sum over rows, by position.
let private over how length (rows: float[][]) =
    Array.init length (fun j -> rows |> Array.map (fun row -> row[j]) |> how)

let private window count length (scores: float[]) =
    scores |> Array.mapi (fun j s -> if j >= length - count then 0.0 else s)

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40, Replay = "(2026,151)")>]
let ``KVzip replays every chunk behind the whole prompt`` (Precise case) (size: PositiveInt) (instruction: byte) =
    withDouble case (fun decoder prompt ->
        let length, chunk = prompt.Length, 1 + size.Get % 40

        let instruction =
            Array.init (int instruction % 4) (fun i -> 1 + (i + case.Shape.Seed) % (case.Shape.Vocabulary - 1))

        let expected =
            Array.chunkBySize chunk [| 0 .. length - 1 |]
            |> Array.map (fun positions ->
                let trace =
                    DecoderReference.forward decoder (Array.concat [ prompt; instruction; positions |> Array.map (Array.get prompt) ])

                trace.Layers
                |> Array.map (fun layer ->
                    layer.Attention
                    |> Array.map (fun rows ->
                        rows
                        |> Array.skip length
                        |> over Array.max length
                        |> fun all -> positions |> Array.map (Array.get all))))

        let scores =
            KVzip(chunk, Instruction = instruction).Score(whole decoder [| prompt |], 1L)

        check "a score for each layer" (scores.Count = case.Shape.Layers)

        scores
        |> Seq.iteri (fun layer actual ->
            let heads = case.Shape.KvHeads * case.Shape.Group

            let expected =
                Array.init heads (fun head -> expected |> Array.collect (fun layers -> layers[layer][head]))

            near 1e-4 $"layer {layer}" (Array.concat expected) (values actual)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 30)>]
let ``KVzip scores each row of a batch as the row alone`` (Precise case) (size: PositiveInt) =
    withDouble case (fun decoder prompt ->
        let other = prompt |> Array.map (fun id -> 1 + id % (case.Shape.Vocabulary - 1))
        let scorer = KVzip(1 + size.Get % 40)
        let together = scorer.Score(whole decoder [| prompt; other |], 1L)
        let alone = scorer.Score(whole decoder [| other |], 1L)

        Seq.zip together alone
        |> Seq.iter (fun (together, alone) -> near 1e-9 "row" (values alone) (values (together.narrow (0, 1, 1)))))

/// What SnapKV with max-pool 7 keeps of a traced prompt: [layer][kv head].
let private snapKept (case: Case) (trace: DecoderReference.Trace) length watching count =
    trace.Layers
    |> Array.map (fun layer ->
        layer.Attention
        |> Array.map (Array.skip (length - watching) >> over Array.sum length >> window watching length)
        |> Array.chunkBySize case.Shape.Group
        |> Array.map (fun group ->
            let mean = over Array.average length group

            let pooled =
                Array.init length (fun j -> mean[max 0 (j - 3) .. min (length - 1) (j + 3)] |> Array.max)

            let protectedCount = min watching count

            let best =
                [| 0 .. length - protectedCount - 1 |]
                |> Array.sortBy (fun j -> -pooled[j], j)
                |> Array.truncate (count - protectedCount)

            Set(Seq.append best [ length - protectedCount .. length - 1 ])))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,153)")>]
let ``LAQ writes on SnapKV's cache and asks the full one`` (Precise case) (most: byte) (wide: byte) =
    // Now and then a prompt that leaves the answer little room or none.
    let case =
        if most % 4uy = 0uy then
            { case with
                Length = maxPositions - case.Suffix % 4
            }
        else
            case

    withDouble case (fun decoder prompt ->
        let length, most, wide = prompt.Length, int most % 15, 1 + int wide % 10
        let watching, count = min wide length, case.Kept
        let trace = DecoderReference.forward decoder prompt
        let kept = snapKept case trace length watching count

        let continued written =
            DecoderReference.masked decoder prompt written kept

        let limit = min most (maxPositions - length)

        let written =
            if limit = 0 then
                [||]
            else
                answer decoder limit (fun written -> (continued written).Logits) [| greedy trace.Logits |]

        let after = continued written

        let expected =
            after.Layers
            |> Array.mapi (fun layer rows ->
                rows.Queries
                |> Array.mapi (fun head queries ->
                    let keys = rows.Keys[head / case.Shape.Group]

                    // The full cache: the prompt's keys do not depend on what was evicted, and nothing is hidden but what comes later.
                    let asked =
                        [|
                            for i in length .. length + written.Length - 1 do
                                keys
                                |> Array.map (fun key -> DecoderReference.dot queries[i] key / sqrt (float case.Shape.HeadSize))
                                |> DecoderReference.softmax (fun j -> j <= i)
                        |]

                    Array.append (Array.skip (length - watching) trace.Layers[layer].Attention[head]) asked
                    |> over Array.sum length
                    |> window watching length))

        let scorer = Laq(most, wide)
        let prompt = whole decoder [| prompt |]
        let pseudo = scorer.PseudoAnswer(prompt, int64 count)
        check "pseudo rows" (pseudo |> Seq.forall (fun rows -> rows.Queries.size 2 = int64 written.Length))

        Seq.zip expected (scorer.Score(prompt, int64 count))
        |> Seq.iteri (fun layer (expected, actual) -> near 2e-4 $"layer {layer}" (Array.concat expected) (values actual)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40, Replay = "(2026,155)")>]
let ``SpecKV asks with the window and with what the draft model writes`` (Precise case) (most: byte) (wide: byte) =
    withDouble case (fun decoder prompt ->
        let length, most, wide = prompt.Length, 1 + int most % 15, 1 + int wide % 10
        let watching = min wide length

        use draft =
            TinyModels.decoder
                { case.Shape with
                    Layers = 1
                    Width = 6
                    Seed = case.Shape.Seed + 1
                    Precision = Double
                }

        let draftLogits written =
            (DecoderReference.forward draft (Array.append prompt written)).Logits

        let limit = min most (maxPositions - length)
        let written = answer draft limit draftLogits [| greedy (draftLogits [||]) |]
        let trace = DecoderReference.forward decoder (Array.append prompt written)
        let scorer = SpecKV(draft, most, wide)
        let context = (whole decoder [| prompt |]).Context
        let observer = scorer.Observe context
        check "the draft" (Seq.toArray (observer :?> ResponseRows).Ids = written)

        let holds layer rows draftRows =
            let actual = scorer.Score(layer, rows, draftRows)

            let expected =
                trace.Layers[layer].Attention
                |> Array.collect (Array.skip (length - watching) >> over Array.max length >> window watching length)

            near 1e-4 $"layer {layer}" expected (values actual)

        use pass = new ObserverPass(decoder, observer, 1, int64 length, holds)
        (whole decoder [| prompt |]).Layers.HandTo pass)

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 40, Replay = "(2026,157)")>]
let ``expected attention takes the model's own angles, before and behind the prompt`` (Precise case) (more: byte) =
    withDouble case (fun decoder prompt ->
        let horizon, sinks = 1 + int more % 60, int more % 4
        let trace = DecoderReference.forward decoder prompt
        let prompt = whole decoder [| prompt |]
        let scorer = ExpectedAttention(horizon, sinks)

        prompt.Layers
        |> Seq.iteri (fun layer rows ->
            let expected =
                trace.Layers[layer].Queries
                |> Array.mapi (fun head queries ->
                    if queries.Length <= sinks then
                        Array.zeroCreate queries.Length
                    else
                        let kv = head / case.Shape.Group

                        expectedAttention
                            decoder.Config.RopeTheta
                            horizon
                            sinks
                            [| 0 .. queries.Length - 1 |]
                            queries
                            trace.Layers[layer].Keys[kv]
                            trace.Layers[layer].Values[kv])

            near 2e-4 $"layer {layer}" (Array.concat expected) (values (scorer.Score(prompt.Context, layer, rows)))))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 30)>]
let ``whole-prompt scores leave no tensor behind and are the same when asked again`` (case: Case) =
    use _noGrad = torch.no_grad ()
    use decoder = decoder case.Shape
    use _scope = torch.NewDisposeScope()
    let prompt = whole decoder [| fst (tokens case) |]

    let live () =
        DisposeScopeManager.Statistics.ThreadTotalLiveCount

    let scorers: IWholePromptScorer list = [ KVzip 7; Laq(5, 3) ]

    for scorer in scorers do
        let score () =
            use _inner = torch.NewDisposeScope()
            let scores = scorer.Score(prompt, int64 case.Kept)
            check "float32" (scores |> Seq.forall (fun s -> s.dtype = torch.ScalarType.Float32))
            check "finite" (scores |> Seq.forall (fun s -> s.isfinite().all().item<bool>()))
            scores |> Seq.map bytes |> Seq.toArray

        let first = score ()
        let before = live ()
        check $"{scorer.Name}: again" (score () = first)
        check $"{scorer.Name}: {live () - before} tensors more" (live () = before)
