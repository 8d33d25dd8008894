/// A whole decoder in double-precision arrays, one row and one number at a time: no tensor operation, no cache, no fusion. What a row may see is a
/// predicate, so that evicting is masking; low-rank deltas touch the rows behind the prompt only, so that lookahead is one causal pass.
module LookaheadKV.Properties.DecoderReference

open System
open LookaheadKV.Models
open LookaheadKV.Lookahead
open LookaheadKV.Properties.Tensors

type Vector = float[]
type Matrix = float[][]

let dot (a: Vector) (b: Vector) =
    let mutable sum = 0.0

    for i in 0 .. a.Length - 1 do
        sum <- sum + a[i] * b[i]

    sum

let apply (weight: Matrix) (x: Vector) =
    weight |> Array.map (fun row -> dot row x)

let add (a: Vector) (b: Vector) = Array.map2 (+) a b

let rmsNorm epsilon (weight: Vector) (x: Vector) =
    let size = sqrt (dot x x / float x.Length + epsilon)
    Array.map2 (fun v w -> v / size * w) x weight

let silu x = x / (1.0 + exp -x)

/// Softmax over the columns that are visible; 0 elsewhere.
let softmax (visible: int -> bool) (logits: Vector) =
    let seen =
        logits |> Array.mapi (fun j x -> if visible j then x else Double.NegativeInfinity)

    let top = Array.max seen
    let weights = seen |> Array.map (fun x -> exp (x - top))
    let total = Array.sum weights
    weights |> Array.map (fun w -> w / total)

/// The pair (i, i + D/2) turns by position · θ^(-2i/D).
let rotate theta position (x: Vector) =
    let half = x.Length / 2
    let turned = Array.copy x

    for i in 0 .. half - 1 do
        let angle = float position * Math.Pow(theta, -2.0 * float i / float x.Length)
        turned[i] <- x[i] * cos angle - x[i + half] * sin angle
        turned[i + half] <- x[i + half] * cos angle + x[i] * sin angle

    turned

/// Indices: [head][row].
type LayerTrace =
    {
        Queries: Vector[][]
        Keys: Vector[][]
        Values: Vector[][]
        Attention: Vector[][]
    }

type Trace =
    { Layers: LayerTrace[]; Logits: Matrix }

/// The base weights of a row, and those of a row on which low-rank deltas are active.
type private Maps = LinearName -> int -> Vector -> Vector

let embeddings (decoder: Decoder) (ids: int[]) =
    let table = rows decoder.Weights.Embedding
    ids |> Array.map (fun id -> table[id])

/// <param name="hidden">Embedded rows, at positions 0, 1, …</param>
/// <param name="visible">layer, kv head, row, column: whether the row sees the column.</param>
/// <param name="lora">layer, row: the deltas of a row.</param>
let run (decoder: Decoder) (hidden: Matrix) (visible: int -> int -> int -> int -> bool) (lora: int -> int -> LayerLora option) =
    let config = decoder.Config
    let heads, kvHeads, size = config.QueryHeads, config.KeyValueHeads, config.HeadSize
    let mutable hidden = hidden

    let traces =
        [|
            for layer in 0 .. config.Layers - 1 do
                let weights = decoder.Weights.Layers[layer]

                let matrices =
                    LinearNames.All |> Seq.map (fun name -> name, rows weights[name]) |> dict

                let deltas =
                    hidden
                    |> Array.indexed
                    |> Array.choose (fun (row, _) -> lora layer row)
                    |> Array.tryHead
                    |> Option.map (fun pairs ->
                        pairs.Pairs |> Seq.map (fun p -> p.Key, (rows p.Value.A, rows p.Value.B, p.Value.Scale)) |> dict)

                let biases =
                    LinearNames.All
                    |> Seq.choose (fun name -> weights.Bias name |> Option.ofObj |> Option.map (fun bias -> name, values bias))
                    |> dict

                let linear (name: LinearName) row (x: Vector) =
                    let y =
                        match biases.TryGetValue name with
                        | true, bias -> add (apply matrices[name] x) bias
                        | _ -> apply matrices[name] x

                    match lora layer row, deltas with
                    | Some _, Some deltas when deltas.ContainsKey name ->
                        let a, b, scale = deltas[name]
                        add y (x |> apply a |> apply b |> Array.map ((*) scale))
                    | _ -> y

                // As it is where the model has no norm there.
                let norm (place: NormName) (x: Vector) =
                    match Option.ofObj (weights.Norm place) with
                    | Some weight -> rmsNorm config.RmsNormEpsilon (values weight) x
                    | None -> x

                let normed = hidden |> Array.map (norm NormName.AttentionIn)

                let project name count normAll turn =
                    let all =
                        normed |> Array.mapi (fun row x -> linear name row x |> normAll |> Array.chunkBySize size)

                    Array.init count (fun head -> all |> Array.mapi (fun row heads -> turn row heads[head]))

                // OLMo 2 normalises all heads together, Qwen3 each one, before they turn.
                let rotated name count place =
                    if config.QueryKeyNorm = QueryKeyNorm.Whole then
                        project name count (norm place) (rotate config.RopeTheta)
                    else
                        project name count id (fun row -> norm place >> rotate config.RopeTheta row)

                let queries = rotated LinearName.Query heads NormName.Query
                let keys = rotated LinearName.Key kvHeads NormName.Key
                let contents = project LinearName.Value kvHeads id (fun _ x -> x)

                let attention =
                    queries
                    |> Array.mapi (fun head rows ->
                        let kv = head / (heads / kvHeads)

                        rows
                        |> Array.mapi (fun row q ->
                            keys[kv] |> Array.map (fun k -> dot q k / sqrt (float size)) |> softmax (visible layer kv row)))

                let attended row =
                    Array.init heads (fun head ->
                        let content = contents[head / (heads / kvHeads)]

                        Array.init size (fun d ->
                            Array.fold2 (fun sum weight (v: Vector) -> sum + weight * v[d]) 0.0 (attention[head][row]) content))
                    |> Array.concat

                hidden <-
                    hidden
                    |> Array.mapi (fun row x ->
                        let middle =
                            add x (linear LinearName.Output row (attended row) |> norm NormName.AttentionOut)

                        let normed = norm NormName.FeedForwardIn middle

                        let gated =
                            Array.map2 (fun g u -> silu g * u) (linear LinearName.Gate row normed) (linear LinearName.Up row normed)

                        add middle (linear LinearName.Down row gated |> norm NormName.FeedForwardOut))

                {
                    Queries = queries
                    Keys = keys
                    Values = contents
                    Attention = attention
                }
        |]

    let norm, head = values decoder.Weights.FinalNorm, rows decoder.Weights.Head

    {
        Layers = traces
        Logits = hidden |> Array.map (rmsNorm config.RmsNormEpsilon norm >> apply head)
    }

let causal _ _ row column = column <= row

let noLora _ _ : LayerLora option = None

/// The base model on some tokens.
let forward decoder ids =
    run decoder (embeddings decoder ids) causal noLora

/// The prompt in full, then rows that see of it only what each layer and head kept.
let masked decoder (prompt: int[]) (suffix: int[]) (kept: Set<int>[][]) =
    let visible layer kv row column =
        column <= row
        && (row < prompt.Length || column >= prompt.Length || Set.contains column (kept[layer][kv]))

    run decoder (embeddings decoder (Array.append prompt suffix)) visible noLora

/// [prompt; lookahead tokens] in one causal pass, deltas on the lookahead rows alone.
let withLookahead decoder (prompt: int[]) (lookahead: LookaheadModule) =
    let lora layer row =
        if row >= prompt.Length then
            Option.ofObj (lookahead.Lora layer)
        else
            None

    run decoder (Array.append (embeddings decoder prompt) (rows lookahead.Embeddings)) causal lora

/// Mean over the rows behind the prompt of their attention to the prompt: [head][column].
let importance (length: int) (trace: LayerTrace) =
    trace.Attention
    |> Array.map (fun rows ->
        let observers = rows |> Array.skip length
        Array.init length (fun j -> observers |> Array.averageBy (fun row -> row[j])))
