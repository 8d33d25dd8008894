/// Law 7: scores are float32 and finite for every dtype; what a row is (prompt or answer) is an argument, never inferred. And the scores themselves against
/// plain arrays in double precision.
module LookaheadKV.Properties.ScoreLaws

open System
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Attention
open LookaheadKV.Generation
open LookaheadKV.Lookahead
open LookaheadKV.Models
open LookaheadKV.Methods
open LookaheadKV.Scoring
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors

/// Random rows in the shape of a case: queries [B,H,R,D], keys and values [B,G,N,D], as large as asked for.
let randomRows (shape: Shape) batch queries length (size: float) =
    use generator = new torch.Generator(uint64 shape.Seed, torch.CPU)

    let rows heads count : torch.Tensor =
        torch
            .randn([| int64 batch; int64 heads; int64 count; int64 shape.HeadSize |], generator = generator)
            .mul(size.ToScalar())
            .``to``(dtype shape.Precision)

    new LayerRows(rows (shape.KvHeads * shape.Group) queries, rows shape.KvHeads length, rows shape.KvHeads length)

/// Attention weights [batch][head][row][column] in plain arrays: head h shares the keys of kv head h / group.
let attention (shape: Shape) batch queries length first (rows': LayerRows) =
    let q, k = rows rows'.Queries, rows rows'.Keys
    let heads = shape.KvHeads * shape.Group

    Array.init batch (fun b ->
        Array.init heads (fun h ->
            Array.init queries (fun r ->
                let query = q[(b * heads + h) * queries + r]

                Array.init length (fun j ->
                    DecoderReference.dot query k[(b * shape.KvHeads + h / shape.Group) * length + j]
                    / sqrt (float shape.HeadSize))
                |> DecoderReference.softmax (fun j -> j <= first + r))))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,83)")>]
let ``attention rows and their column sums are the plain softmax, whatever the chunk`` (case: Case) (chunk: PositiveInt) (large: bool) =
    use _scope = torch.NewDisposeScope()
    let batch, length = 2, case.Length
    let queries = 1 + case.Shape.Seed % length

    let first =
        if case.Suffix = 1 then
            length - queries
        else
            case.Shape.Seed / 7 % length

    let rows' = randomRows case.Shape batch queries length (if large then 8.0 else 1.0)
    let expected = attention case.Shape batch queries length first rows'
    let weights = AttentionRows.Softmax(rows'.Queries, rows'.Keys, int64 first)
    check "float32" (weights.dtype = torch.ScalarType.Float32)
    near 2e-5 "rows" (expected |> Array.collect (Array.collect Array.concat)) (values weights)

    let sums =
        AttentionRows.ColumnSums(rows'.Queries, rows'.Keys, int64 first, 1 + chunk.Get % 20)

    let columns rows =
        Array.init length (fun j -> rows |> Array.sumBy (fun (row: float[]) -> row[j]))

    check "float32 sums" (sums.dtype = torch.ScalarType.Float32)
    near 2e-5 "column sums" (expected |> Array.collect (Array.collect columns)) (values sums)

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,85)")>]
let ``SnapKV sums the last rows' attention and gives its own window nothing`` (case: Case) (window: PositiveInt) =
    use _scope = torch.NewDisposeScope()
    let batch, length, window = 2, case.Length, 1 + window.Get % 12
    let rows' = randomRows case.Shape batch length length 1.0
    let watching = min window length

    let expected =
        attention case.Shape batch length length 0 rows'
        |> Array.collect (
            Array.collect (fun rows ->
                Array.init length (fun j ->
                    if j >= length - watching then
                        0.0
                    else
                        rows |> Array.skip (length - watching) |> Array.sumBy (fun row -> row[j])))
        )

    let scores = SnapKV.Score(rows'.Queries, rows'.Keys, window)
    near 2e-5 "scores" expected (values scores)
    check "exactly zero on the window" (Array.forall2 (fun e a -> e <> 0.0 || a = 0.0) expected (values scores))

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``grouping and pooling are those of plain loops`` (case: Case) (width: byte) =
    use _scope = torch.NewDisposeScope()

    let heads, length, width =
        case.Shape.KvHeads * case.Shape.Group, case.Length, 1 + 2 * (int width % 5)

    let scores = torch.rand [| 2L; int64 heads; int64 length |]
    let groups = rows scores |> Array.chunkBySize case.Shape.Group

    let reduce how =
        groups
        |> Array.map (fun group -> Array.init length (fun j -> group |> Array.map (fun row -> row[j]) |> how))

    let grouped reduction =
        Grouping.Reduce(scores, int64 case.Shape.KvHeads, reduction)

    near 1e-6 "mean" (Array.concat (reduce Array.average)) (values (grouped GroupReduction.Mean))
    let largest = reduce Array.max
    check "maximum" (rows (grouped GroupReduction.Max) = largest)

    let pool how =
        largest
        |> Array.collect (fun row -> Array.init length (fun j -> row[max 0 (j - width / 2) .. min (length - 1) (j + width / 2)] |> how))

    let pooled (pooling: Pooling) =
        pooling.Apply(grouped GroupReduction.Max) |> values

    check "max pooling" (pooled (Pooling.Max width) = pool Array.max)
    near 1e-6 "mean pooling" (pool (fun near -> Array.sum near / float width)) (pooled (Pooling.Mean width))
    check "no pooling" (pooled Pooling.None = Array.concat largest)

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``StreamingLLM keeps the first tokens and the last`` (case: Case) (sinks: byte) =
    let sinks = int sinks % 5
    let kept = max (min sinks case.Length) case.Kept

    let case =
        { case with
            Recipe = Recipe.streaming sinks
            Kept = kept
        }

    withCase case (fun decoder policy ->
        use session =
            Session.Start(decoder, fst (tokens case), policy, 0, execution = executionOf decoder)

        let first = min sinks case.Length

        let expected =
            [|
                for p in 0 .. case.Length - 1 do
                    if p < first || p >= case.Length - (kept - first) then
                        int64 p
            |]

        session.Cache.Layers
        |> Seq.forall (fun layer -> integerRows (positionsOf layer) |> Array.forall ((=) expected)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60)>]
let ``random scores depend on seed and layer, not on batch, dtype or keys`` (case: Case) (seed: byte) =
    use _scope = torch.NewDisposeScope()

    let keys batch precision =
        (randomRows
            { case.Shape with
                Precision = precision
            }
            batch
            1
            60
            1.0)
            .Keys

    let score batch precision seed layer =
        RandomScore.Score(keys batch precision, seed, layer)

    let one = score 1 Single (int64 seed) 0
    check "range" (values one |> Array.forall (fun s -> s >= 0.0 && s < 1.0))
    check "dtype of the model" (sameBits one (score 1 Brain (int64 seed) 0))
    check "each row as if alone" (sameBits one ((score 2 Single (int64 seed) 0).narrow(0, 1, 1)))
    check "another layer" (not (sameBits one (score 1 Single (int64 seed) 1)))
    check "another seed" (not (sameBits one (score 1 Single (int64 seed + 1L) 0)))

let private scorers: (LayerRows -> torch.Tensor) list =
    [
        fun rows -> SnapKV.Score(rows.Queries, rows.Keys, 4)
        fun rows -> LookaheadScore.Score(rows.Keys, rows)
        fun rows -> Oracle.Score(rows.Keys, rows)
        fun rows -> StreamingLlm.Score rows.Keys
        fun rows -> RandomScore.Score(rows.Keys, 1, 0)
    ]

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``scores are float32 and finite for every dtype and for very large rows`` (case: Case) (power: byte) =
    scorers
    |> List.forall (fun score ->
        use _scope = torch.NewDisposeScope()

        let scores =
            score (randomRows case.Shape 1 case.Length case.Length (10.0 ** float (int power % 16)))

        scores.dtype = torch.ScalarType.Float32 && scores.isfinite().all().item<bool>())

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,87)")>]
let ``bfloat16 rows are scored in float32: as exactly as the rows allow`` (case: Case) =
    use _scope = torch.NewDisposeScope()
    let shape = { case.Shape with Precision = Brain }
    let rows' = randomRows shape 1 case.Length case.Length 1.0

    let wide =
        new LayerRows(rows'.Queries.``to`` torch.ScalarType.Float64, rows'.Keys.``to`` torch.ScalarType.Float64, rows'.Values)

    let exact = AttentionRows.ColumnSums(wide.Queries, wide.Keys, 0)
    near 1e-6 "column sums" (values exact) (values (AttentionRows.ColumnSums(rows'.Queries, rows'.Keys, 0)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,89)")>]
let ``a prompt of one token is a prompt, and an append of one token is no prompt`` (Precise case) =
    let case =
        { case with
            Length = 1
            Kept = 1
            Suffix = 1
        }

    withCase case (fun decoder policy ->
        let prompt, suffix = tokens case

        use session =
            Session.Start(decoder, prompt, policy, 1, execution = executionOf decoder)

        let reference = DecoderReference.forward decoder (Array.append prompt suffix)
        near 2e-4 "prompt" reference.Logits[0] (values session.NextLogits)
        use logits = session.Append suffix
        near 2e-4 "append" reference.Logits[1] (values logits)
        check "nothing is evicted after the prompt" (session.Cache.Layers |> Seq.forall (fun layer -> storedLength layer = 2L)))

/// What is kept must be best by the reference's scores: no evicted position may score higher than a kept one by more than rounding.
[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 80, Replay = "(2026,91)")>]
let ``a session keeps what the reference's own pass scores highest`` (Precise case) =
    withCase case (fun decoder policy ->
        let prompt, _ = tokens case
        let length = case.Length

        use session =
            Session.Start(decoder, prompt, policy, 0, execution = executionOf decoder)

        let mean (trace: DecoderReference.LayerTrace) kv (score: float[][] -> int -> float) j =
            Array.init case.Shape.Group (fun i -> score trace.Attention[kv * case.Shape.Group + i] j)
            |> Array.average

        let observed (trace: DecoderReference.Trace) layer kv =
            let importance = DecoderReference.importance length trace.Layers[layer]
            Array.init length (fun j -> Array.init case.Shape.Group (fun i -> importance[kv * case.Shape.Group + i][j]) |> Array.average)

        let scores: (int -> int -> float[]) option =
            match case.Recipe.Method with
            | "lookahead" ->
                use lookahead = modulesOf case.Shape case.Recipe
                Some(observed (DecoderReference.withLookahead decoder prompt lookahead))
            | "oracle" ->
                let answer =
                    Session.GreedyResponse(decoder, prompt, execution = executionOf decoder)

                Some(observed (DecoderReference.forward decoder (Array.append prompt answer)))
            | "snapkv" ->
                let window, pool =
                    Option.get (Recipe.number "window" case.Recipe), Recipe.pool case.Recipe

                let trace = DecoderReference.forward decoder prompt
                let watching = min window length

                let sum (rows: float[][]) j =
                    if j >= length - watching then
                        0.0
                    else
                        rows |> Array.skip (length - watching) |> Array.sumBy (fun row -> row[j])

                Some(fun layer kv ->
                    let raw = Array.init length (mean trace.Layers[layer] kv sum)
                    Array.init length (fun j -> raw[max 0 (j - pool / 2) .. min (length - 1) (j + pool / 2)] |> Array.max))
            | _ -> None

        scores
        |> Option.iter (fun scores ->
            let isProtected j =
                j >= length - protectedCount case.Recipe length

            session.Cache.Layers
            |> Seq.iteri (fun layer stored ->
                integerRows (positionsOf stored)
                |> Array.iteri (fun kv positions ->
                    let kept = positions |> Array.map int |> Set
                    let scores = scores layer kv

                    let worstKept =
                        kept |> Seq.filter (isProtected >> not) |> Seq.map (fun j -> scores[j]) |> Seq.fold min infinity

                    let bestEvicted =
                        [ 0 .. length - 1 ]
                        |> Seq.filter (fun j -> not (kept.Contains j))
                        |> Seq.map (fun j -> scores[j])
                        |> Seq.fold max -infinity

                    check "protected" ([ 0 .. length - 1 ] |> Seq.filter isProtected |> Seq.forall kept.Contains)
                    check $"layer {layer}, head {kv}: kept {worstKept}, evicted {bestEvicted}" (worstKept >= bestEvicted - 1e-4)))))
