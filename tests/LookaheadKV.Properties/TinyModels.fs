/// Tiny decoders of every family, described by plain records and built from their seeds.
module LookaheadKV.Properties.TinyModels

open System
open TorchSharp
open LookaheadKV.Runtime
open LookaheadKV.Models
open LookaheadKV.Lookahead

type Precision =
    | Single
    | Brain
    | Double

/// The shape of a decoder; its weights follow from the seed.
type Shape =
    {
        Layers: int
        KvHeads: int
        Group: int
        HeadSize: int
        Width: int
        FeedForward: int
        Vocabulary: int
        Tied: bool
        Precision: Precision
        Seed: int
    }

let maxPositions = 72

let dtype precision =
    match precision with
    | Single -> torch.ScalarType.Float32
    | Brain -> torch.ScalarType.BFloat16
    | Double -> torch.ScalarType.Float64

let elementSize precision =
    match precision with
    | Single -> 4
    | Brain -> 2
    | Double -> 8

/// What sets the families apart, beside rotary scaling.
type Family =
    | Llama
    | LlamaWithBiases
    | Qwen2
    | Qwen3
    /// Its window covers all that these models see.
    | Mistral
    | Olmo2
    /// Norms before and behind each block, and of all heads together: of no family that is read, but the layer has them all.
    | FourNorms

let families = [| Llama; LlamaWithBiases; Qwen2; Qwen3; Mistral; Olmo2; FourNorms |]

let private weightNames family =
    match family with
    | Olmo2 ->
        WeightTable.Llama.WithNorms(
            struct ("post_attention_layernorm", NormName.AttentionOut),
            struct ("post_feedforward_layernorm", NormName.FeedForwardOut)
        )
    | FourNorms ->
        WeightTable.Llama.WithNorms(
            struct ("input_layernorm", NormName.AttentionIn),
            struct ("post_attention_layernorm", NormName.AttentionOut),
            struct ("pre_feedforward_layernorm", NormName.FeedForwardIn),
            struct ("post_feedforward_layernorm", NormName.FeedForwardOut)
        )
    | _ -> WeightTable.Llama

let familyConfig (family: Family) (shape: Shape) =
    let biases =
        match family with
        | LlamaWithBiases -> Seq.toArray LinearNames.All
        | Qwen2 -> [| LinearName.Query; LinearName.Key; LinearName.Value |]
        | _ -> [||]

    DecoderConfig(
        VocabularySize = shape.Vocabulary,
        Width = shape.Width,
        Layers = shape.Layers,
        QueryHeads = shape.KvHeads * shape.Group,
        KeyValueHeads = shape.KvHeads,
        HeadSize = shape.HeadSize,
        IntermediateSize = shape.FeedForward,
        MaxPositions = maxPositions,
        RopeTheta = 100.0,
        Biases = biases,
        Norms =
            (match family with
             | Olmo2 -> BlockNorms.After
             | FourNorms -> BlockNorms.Both
             | _ -> BlockNorms.Before),
        QueryKeyNorm =
            (match family with
             | Qwen3 -> QueryKeyNorm.Heads
             | Olmo2
             | FourNorms -> QueryKeyNorm.Whole
             | _ -> QueryKeyNorm.None),
        WeightNames = weightNames family,
        SlidingWindow =
            (if family = Mistral then
                 Nullable(maxPositions + 64)
             else
                 Nullable()),
        TiedEmbeddings = shape.Tied,
        EndTokens = [| 0 |]
    )

let config shape = familyConfig Llama shape

/// Weights large enough that attention is far from uniform and no two positions are alike.
let private executions =
    System.Runtime.CompilerServices.ConditionalWeakTable<Decoder, Execution>()

/// Sets how the laws run a decoder.
let runAs (execution: Execution) (decoder: Decoder) =
    executions.AddOrUpdate(decoder, execution)

/// How the laws run a decoder: half of all one operator a call, the others compiled.
let executionOf (decoder: Decoder) =
    match executions.TryGetValue decoder with
    | true, execution -> execution
    | _ -> Execution.Compiled

let familyDecoder (family: Family) (shape: Shape) =
    use _scope = torch.NewDisposeScope()
    use generator = new torch.Generator(uint64 shape.Seed, torch.CPU)
    let config = familyConfig family shape

    let lengths =
        dict [ for struct (name, sizes) in DecoderWeights.Shapes config -> name, sizes ]

    let weight (name: string) =
        let normal (sizes: int64[]) =
            torch.randn (sizes, generator = generator)

        let linear =
            LinearNames.All |> Seq.tryFind (fun linear -> name.Contains(linear.Path()))

        let values =
            match linear with
            | Some linear when name.EndsWith ".bias" ->
                let struct (rows, _) = linear.Shape config
                normal([| int64 rows |]).mul(0.7.ToScalar())
            | Some linear ->
                let struct (rows, columns) = linear.Shape config
                normal([| int64 rows; int64 columns |]).mul((1.6 / sqrt (float columns)).ToScalar())
            | None when name.Contains "q_norm" || name.Contains "k_norm" -> normal(lengths[name]).mul(0.4.ToScalar()).add(1.0.ToScalar())
            | None when name.Contains "norm" -> normal([| int64 shape.Width |]).mul(0.2.ToScalar()).add(1.0.ToScalar())
            | None -> normal [| int64 shape.Vocabulary; int64 shape.Width |]

        values.``to`` (dtype shape.Precision)

    let decoder = new Decoder(config, DecoderWeights.Collect(config, weight))
    // Every law holds however the layers run.
    if shape.Seed % 2 <> 0 then
        runAs Execution.Reference decoder

    decoder

let decoder shape = familyDecoder Llama shape

/// A module none of whose parameters is zero, so that LoRA does something.
let lookaheadModule shape tokens rank seed =
    let settings =
        LookaheadSettings(Tokens = tokens, Rank = rank, Alpha = 2.0 * float (max 1 rank), EmbeddingStd = 1.0)

    let lookahead = LookaheadModule.Create(config shape, settings, int64 seed)
    use _scope = torch.NewDisposeScope()
    use generator = new torch.Generator(uint64 seed + 1UL, torch.CPU)

    for layer in lookahead.Layers do
        for pair in layer.Pairs.Values do
            pair.B.copy_ (torch.randn(pair.B.shape, generator = generator).mul(0.4.ToScalar())) |> ignore

    lookahead

/// A smaller decoder of the same vocabulary.
let draft (shape: Shape) seed =
    decoder
        {
            Layers = 1
            KvHeads = 1
            Group = 1
            HeadSize = 4
            Width = 8
            FeedForward = 5
            Vocabulary = shape.Vocabulary
            Tied = true
            Precision = shape.Precision
            Seed = seed
        }
