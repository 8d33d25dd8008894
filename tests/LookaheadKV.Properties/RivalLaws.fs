/// The rival scorers, one by one, against their formulas in plain arrays and double precision; and what all of them owe: float32, finite, each row of a batch
/// as if alone, the same bits when asked again.
module LookaheadKV.Properties.RivalLaws

open System
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open TorchSharp
open LookaheadKV.Attention
open LookaheadKV.Models
open LookaheadKV.Methods
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies
open LookaheadKV.Properties.TinyCases
open LookaheadKV.Properties.Tensors
open LookaheadKV.Properties.ScoreLaws

let private batch = 2

/// Some of the rows, along positions.
let private slice (first: int) (count: int) (rows': LayerRows) =
    let narrow (t: torch.Tensor) = t.narrow (2, int64 first, int64 count)
    new LayerRows(narrow rows'.Queries, narrow rows'.Keys, narrow rows'.Values)

let private total how length (rows: float[][]) =
    Array.init length (fun j -> rows |> Array.map (fun row -> row[j]) |> how)

/// Causal attention of a whole sequence to itself, a head after the other: [head of batch][row][column].
let private causal (shape: Shape) length rows' =
    attention shape batch length length 0 rows' |> Array.concat

/// Vectors of keys or values: [kv head of batch][position].
let vectors (tensor: torch.Tensor) =
    rows tensor |> Array.chunkBySize (int (tensor.size 2))

let private norm x = sqrt (DecoderReference.dot x x)

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,121)")>]
let ``column maxima are those of the plain softmax, whatever the chunk`` (case: Case) (chunk: PositiveInt) =
    use _scope = torch.NewDisposeScope()
    let length = case.Length
    let queries = 1 + case.Shape.Seed % length
    let first = case.Shape.Seed / 7 % length
    let rows' = randomRows case.Shape batch queries length 2.0

    let expected =
        attention case.Shape batch queries length first rows'
        |> Array.collect (Array.collect (total Array.max length))

    let maxima =
        AttentionRows.ColumnMaxima(rows'.Queries, rows'.Keys, int64 first, 1 + chunk.Get % 20)

    near 2e-5 "maxima" expected (values maxima)
    near 2e-5 "all rows at once" expected (values (AttentionRows.ColumnMaxima(rows'.Queries, rows'.Keys, int64 first)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,123)")>]
let ``H2O sums every column of the prompt's causal attention`` (case: Case) (chunk: PositiveInt) =
    use _scope = torch.NewDisposeScope()
    let length = case.Length
    let rows' = randomRows case.Shape batch length length 2.0

    let expected =
        causal case.Shape length rows' |> Array.collect (total Array.sum length)

    near 2e-5 "scores" expected (values (H2O.Score(rows'.Queries, rows'.Keys, 1 + chunk.Get % 20)))
    near 2e-5 "in one chunk" expected (values (H2O.Score(rows'.Queries, rows'.Keys)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,125)")>]
let ``TOVA averages the last row over all heads and gives every head the same`` (case: Case) =
    use _scope = torch.NewDisposeScope()
    let length, heads = case.Length, case.Shape.KvHeads * case.Shape.Group
    let rows' = randomRows case.Shape batch length length 2.0

    let expected =
        causal case.Shape length rows'
        |> Array.chunkBySize heads
        |> Array.collect (fun heads ->
            let mean = heads |> Array.map Array.last |> total Array.average length
            Array.replicate case.Shape.KvHeads mean |> Array.concat)

    let scores = Tova.Score(rows'.Queries, rows'.Keys)
    check "a score for each kv head" (scores.shape = [| int64 batch; int64 case.Shape.KvHeads; int64 length |])
    near 2e-5 "scores" expected (values scores)
    near 2e-5 "from the last row alone" expected (values (Tova.Score(rows'.Queries.narrow (2, int64 length - 1L, 1L), rows'.Keys)))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,127)")>]
let ``KeyNorm is the negative length of a key`` (case: Case) =
    use _scope = torch.NewDisposeScope()
    let keys = (randomRows case.Shape batch 1 case.Length 3.0).Keys
    near 2e-6 "scores" (rows keys |> Array.map (norm >> (~-))) (values (KeyNorm.Score keys))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,129)")>]
let ``KeyDiff is the negative cosine of a key and the mean direction; a key of zeros scores 0`` (case: Case) (zero: bool) =
    use _scope = torch.NewDisposeScope()
    let keys = (randomRows case.Shape batch 1 case.Length 3.0).Keys

    if zero then
        keys.narrow(2, 0, 1).zero_() |> ignore

    let unit' x =
        let length = norm x
        x |> Array.map (fun v -> if length = 0.0 then 0.0 else v / length)

    let expected =
        vectors keys
        |> Array.collect (fun keys ->
            let directions = keys |> Array.map unit'

            let mean =
                Array.init case.Shape.HeadSize (fun d -> directions |> Array.averageBy (fun x -> x[d])) |> unit'

            directions |> Array.map (fun direction -> -(DecoderReference.dot direction mean)))

    near 1e-5 "scores" expected (values (KeyDiff.Score keys))

/// A prompt, rows behind it, and the weights [head of batch][row][column] of the prompt's last rows and those behind it, all in one causal pass.
let private watched (case: Case) window =
    let length, after = case.Length, case.Suffix
    let all = randomRows case.Shape batch (length + after) (length + after) 2.0
    let watching = min window length

    let weights =
        causal case.Shape (length + after) all |> Array.map (Array.skip (length - watching))

    slice 0 length all, slice length after all, weights

let private exceptWindow window length how (rows: float[][]) =
    total how length rows |> Array.mapi (fun j s -> if j >= length - window then 0.0 else s)

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,131)")>]
let ``SpecKV takes the largest weight of window and draft, LAQ sums those of window and pseudo answer`` (case: Case) (window: PositiveInt) =
    use _scope = torch.NewDisposeScope()
    let length, window = case.Length, 1 + window.Get % 12
    let prompt, after, weights = watched case window

    let agrees name how (scores: torch.Tensor) =
        let expected =
            weights |> Array.collect (exceptWindow (min window length) length how)

        near 2e-5 name expected (values scores)
        check $"{name}: exactly zero on the window" (Array.forall2 (fun e a -> e <> 0.0 || a = 0.0) expected (values scores))

    agrees "speckv" Array.max (SpecKV.Score(prompt.Queries, prompt.Keys, after, window))
    agrees "laq" Array.sum (Laq.Score(prompt.Queries, prompt.Keys, after, window))

    let last =
        prompt.Queries.narrow (2, int64 (length - min window length), int64 (min window length))

    agrees "laq from the last rows alone" Array.sum (Laq.Score(last, prompt.Keys, after, window))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,133)")>]
let ``LAQ without a pseudo answer is SnapKV`` (case: Case) (window: PositiveInt) =
    use _scope = torch.NewDisposeScope()
    let window = 1 + window.Get % 12
    let rows' = randomRows case.Shape batch case.Length case.Length 2.0
    let laq = Laq.Score(rows'.Queries, rows'.Keys, slice 0 0 rows', window)
    sameBits laq (SnapKV.Score(rows'.Queries, rows'.Keys, window))

[<Property(Arbitrary = [| typeof<Arbitraries> |], Replay = "(2026,135)")>]
let ``KVzip takes the largest weight that the replay gives the chunk's positions`` (case: Case) (start: NonNegativeInt) =
    use _scope = torch.NewDisposeScope()
    let length = case.Length
    let first = start.Get % length
    let count = 1 + case.Shape.Seed % (length - first)
    let all = randomRows case.Shape batch (length + count) (length + count) 2.0

    let expected =
        causal case.Shape (length + count) all
        |> Array.collect (Array.skip length >> total Array.max length >> Array.skip first >> Array.take count)

    let scores =
        KVzip.Score((slice 0 length all).Keys, slice length count all, int64 first, int64 count)

    near 2e-5 "scores" expected (values scores)

/// Rotation by the mean over some positions of their rotations, a column a unit vector.
let private meanRotation theta size (positions: int[]) =
    let column d =
        let turned =
            positions
            |> Array.map (fun p -> DecoderReference.rotate theta p (Array.init size (fun i -> if i = d then 1.0 else 0.0)))

        Array.init size (fun i -> turned |> Array.averageBy (fun x -> x[i]))

    Array.init size column |> Array.transpose

let private multiply (a: float[][]) (b: float[][]) =
    let columns = Array.transpose b
    a |> Array.map (fun row -> columns |> Array.map (DecoderReference.dot row))

/// Expected attention of one query head, formula by formula: moments of the unrotated queries first, then the mean rotation of both. Keys stand at the given
/// positions, queries at the last of them.
let expectedAttention theta horizon sinks (at: int[]) (queries: float[][]) (keys: float[][]) (values: float[][]) =
    let size = keys[0].Length

    let before =
        Array.zip at[at.Length - queries.Length ..] queries
        |> Array.filter (fun (position, _) -> position >= sinks)
        |> Array.map (fun (position, q) -> DecoderReference.rotate theta -position q)

    let counted = float before.Length

    let mean =
        Array.init size (fun d -> (before |> Array.sumBy (fun q -> q[d])) / counted)

    let covariance =
        Array.init size (fun i ->
            Array.init size (fun j -> (before |> Array.sumBy (fun q -> (q[i] - mean[i]) * (q[j] - mean[j]))) / counted))

    let rotation =
        meanRotation theta size [| Array.last at + 1 .. Array.last at + horizon |]

    let mean = rotation |> Array.map (DecoderReference.dot mean)
    let covariance = multiply (multiply rotation covariance) (Array.transpose rotation)

    let logits =
        keys
        |> Array.map (fun k ->
            DecoderReference.dot mean k / sqrt (float size)
            + DecoderReference.dot k (covariance |> Array.map (DecoderReference.dot k)) / (2.0 * float size))

    let weights = logits |> DecoderReference.softmax (fun j -> at[j] >= sinks)
    Array.map2 (fun w v -> w * norm v) weights values

[<Property(Arbitrary = [| typeof<Arbitraries> |], MaxTest = 60, Replay = "(2026,137)")>]
let ``expected attention is its closed form in plain arrays`` (case: Case) (more: byte) =
    use _scope = torch.NewDisposeScope()
    let shape, length = case.Shape, case.Length
    let horizon, sinks = 1 + int more % 40, int more % 6
    let config = config shape
    use rotary = new RotaryEmbedding(config, torch.CPU, torch.ScalarType.Float32)
    let rows' = randomRows shape batch length length 1.5

    let queries, keys, contents =
        vectors rows'.Queries, vectors rows'.Keys, vectors rows'.Values

    let expected =
        queries
        |> Array.mapi (fun head queries ->
            if length <= sinks then
                Array.zeroCreate length
            else
                expectedAttention
                    config.RopeTheta
                    horizon
                    sinks
                    [| 0 .. length - 1 |]
                    queries
                    keys[head / shape.Group]
                    contents[head / shape.Group])
        |> Array.concat

    let scores =
        ExpectedAttention.Score(rows', rotary.Rows(0, int64 length), rotary.Rows(int64 length, int64 horizon), sinks)

    near 2e-5 "scores" expected (values scores)
    check "exactly zero on the sinks" (rows scores |> Array.forall (Array.take (min sinks length) >> Array.forall ((=) 0.0)))

/// Every rival on a prompt and rows behind it.
let private rivals (shape: Shape) : (LayerRows -> LayerRows -> torch.Tensor) list =
    let expected (prompt: LayerRows) =
        use rotary = new RotaryEmbedding(config shape, torch.CPU, dtype shape.Precision)
        let length = prompt.Keys.size 2
        ExpectedAttention.Score(prompt, rotary.Rows(0, length), rotary.Rows(length, 9), 2)

    [
        fun prompt _ -> H2O.Score(prompt.Queries, prompt.Keys, 7)
        fun prompt _ -> Tova.Score(prompt.Queries, prompt.Keys)
        fun prompt _ -> KeyNorm.Score prompt.Keys
        fun prompt _ -> KeyDiff.Score prompt.Keys
        fun prompt _ -> expected prompt
        fun prompt after -> SpecKV.Score(prompt.Queries, prompt.Keys, after, 4)
        fun prompt after -> Laq.Score(prompt.Queries, prompt.Keys, after, 4)
        fun prompt after -> KVzip.Score(prompt.Keys, after, 0, prompt.Keys.size 2)
    ]

let private promptAndAfter (case: Case) size =
    let all =
        randomRows case.Shape batch (case.Length + case.Suffix) (case.Length + case.Suffix) size

    slice 0 case.Length all, slice case.Length case.Suffix all

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``rival scores are float32 and finite for every dtype and for very large rows`` (case: Case) (power: byte) =
    use _scope = torch.NewDisposeScope()
    let prompt, after = promptAndAfter case (10.0 ** float (int power % 16))

    rivals case.Shape
    |> List.iteri (fun i score ->
        let scores = score prompt after
        check $"scorer {i}: float32" (scores.dtype = torch.ScalarType.Float32)
        check $"scorer {i}: finite" (scores.isfinite().all().item<bool>()))

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``rival scores of a batch's row are those of the row alone, and the same when asked again`` (case: Case) =
    use _scope = torch.NewDisposeScope()
    let prompt, after = promptAndAfter case 2.0

    let row (rows': LayerRows) =
        new LayerRows(rows'.Queries.narrow (0, 1, 1), rows'.Keys.narrow (0, 1, 1), rows'.Values.narrow (0, 1, 1))

    rivals case.Shape
    |> List.iteri (fun i score ->
        let together = score prompt after
        let alone = score (row prompt) (row after)
        near 1e-6 $"scorer {i}" (values alone) (values (together.narrow (0, 1, 1)))
        check $"scorer {i}: again" (sameBits together (score prompt after)))

[<Property(Arbitrary = [| typeof<Arbitraries> |])>]
let ``rival scores of bfloat16 rows are as exact as the rows allow`` (case: Case) =
    use _scope = torch.NewDisposeScope()
    let shape = { case.Shape with Precision = Brain }
    let prompt, after = promptAndAfter { case with Shape = shape } 1.0

    let wide (rows': LayerRows) =
        let cast (t: torch.Tensor) = t.``to`` torch.ScalarType.Float64
        new LayerRows(cast rows'.Queries, cast rows'.Keys, cast rows'.Values)

    // The tables of angles stay those of the bfloat16 model: what is compared is the arithmetic on the same rows.
    rivals shape
    |> List.iteri (fun i score -> near 2e-6 $"scorer {i}" (values (score (wide prompt) (wide after))) (values (score prompt after)))
