/// Random tiny decoders, prompts and policies: described by plain records that FsCheck can print and shrink, built from their seeds.
module LookaheadKV.Properties.TinyModels

open System
open FsCheck
open FsCheck.FSharp
open TorchSharp
open LookaheadKV.Models
open LookaheadKV.Budgeting
open LookaheadKV.Scoring
open LookaheadKV.Eviction
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

/// A policy, its free parameters drawn.
[<RequireQualifiedAccess>]
type Recipe =
    | Full
    | Random of seed: int
    | Streaming of sinks: int
    | SnapKV of window: int * pool: int
    | Lookahead of tokens: int * rank: int * seed: int
    | Oracle

/// A prompt of Length tokens evicted to Kept entries a head, then Suffix more tokens.
type Case =
    {
        Shape: Shape
        Recipe: Recipe
        Length: int
        Kept: int
        Suffix: int
    }

/// A case whose dtype is float32 or float64, for comparisons with references in double precision.
type PreciseCase = Precise of Case

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

let protectedCount recipe length =
    match recipe with
    | Recipe.Streaming sinks -> min sinks length
    | Recipe.SnapKV(window, _) -> min window length
    | _ -> 0

let config (shape: Shape) =
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
        TiedEmbeddings = shape.Tied,
        EndTokens = [| 0 |]
    )

/// Weights large enough that attention is far from uniform and no two positions are alike.
let decoder (shape: Shape) =
    use _scope = torch.NewDisposeScope()
    use generator = new torch.Generator(uint64 shape.Seed, torch.CPU)
    let config = config shape

    let weight (name: string) =
        let normal (sizes: int64[]) =
            torch.randn (sizes, generator = generator)

        let linear =
            LinearNames.All |> Seq.tryFind (fun linear -> name.Contains(linear.Path()))

        let values =
            match linear with
            | Some linear ->
                let struct (rows, columns) = linear.Shape config
                normal([| int64 rows; int64 columns |]).mul((1.6 / sqrt (float columns)).ToScalar())
            | None when name.Contains "norm" -> normal([| int64 shape.Width |]).mul(0.2.ToScalar()).add(1.0.ToScalar())
            | None -> normal [| int64 shape.Vocabulary; int64 shape.Width |]

        values.``to`` (dtype shape.Precision)

    new Decoder(config, DecoderWeights.Collect(config, weight))

/// A module none of whose parameters is zero, so that LoRA does something.
let lookaheadModule shape tokens rank seed =
    let settings =
        LookaheadSettings(Tokens = tokens, Rank = rank, Alpha = 2.0 * float rank, EmbeddingStd = 1.0)

    let lookahead = LookaheadModule.Create(config shape, settings, int64 seed)
    use _scope = torch.NewDisposeScope()
    use generator = new torch.Generator(uint64 seed + 1UL, torch.CPU)

    for layer in lookahead.Layers do
        for pair in layer.Pairs.Values do
            pair.B.copy_ (torch.randn(pair.B.shape, generator = generator).mul(0.4.ToScalar())) |> ignore

    lookahead

/// Runs something with a case's policy, budget included.
let withPolicy (shape: Shape) recipe (kept: int) (run: EvictionPolicy -> 'a) =
    let budgeted (policy: EvictionPolicy) = policy.With(Budget.Tokens kept)

    match recipe with
    | Recipe.Full -> run Policies.Full
    | Recipe.Random seed -> run (budgeted (Policies.Random(int64 seed)))
    | Recipe.Streaming sinks -> run (budgeted (Policies.Streaming sinks))
    | Recipe.SnapKV(window, pool) ->
        let policy = Policies.SnapKV window

        run (
            EvictionPolicy(
                Name = policy.Name,
                Scorer = policy.Scorer,
                Pooling = Pooling.Max pool,
                Protection = policy.Protection,
                Budget = Budget.Tokens kept
            )
        )
    | Recipe.Oracle -> run (budgeted Policies.Oracle)
    | Recipe.Lookahead(tokens, rank, seed) ->
        use lookahead = lookaheadModule shape tokens rank seed
        run (budgeted (Policies.Lookahead lookahead))

let withCase (case: Case) (run: Decoder -> EvictionPolicy -> 'a) =
    use _noGrad = torch.no_grad ()
    use decoder = decoder case.Shape
    withPolicy case.Shape case.Recipe case.Kept (run decoder)

/// The tokens of a case: its prompt and what is appended afterwards. Token 0 is left to end answers.
let tokens (case: Case) =
    let random = System.Random(case.Shape.Seed + 17 * case.Length)

    let draw count =
        Array.init count (fun _ -> random.Next(1, case.Shape.Vocabulary))

    draw case.Length, draw case.Suffix

/// What a policy really keeps of a prompt.
let keptOf (case: Case) =
    if case.Recipe = Recipe.Full then
        case.Length
    else
        min case.Kept case.Length

let shapes precisions =
    gen {
        let! layers = Gen.choose (1, 3)
        let! kvHeads = Gen.choose (1, 2)
        let! group = Gen.choose (1, 3)
        let! headSize = Gen.choose (2, 8)
        let! width = Gen.choose (4, 12)
        let! feedForward = Gen.choose (3, 20)
        let! vocabulary = Gen.choose (11, 40)
        let! tied = Gen.elements [ true; false ]
        let! precision = Gen.elements precisions
        let! seed = Gen.choose (0, 1_000_000)

        return
            {
                Layers = layers
                KvHeads = kvHeads
                Group = group
                HeadSize = 2 * headSize
                Width = 2 * width
                FeedForward = feedForward
                Vocabulary = vocabulary
                Tied = tied
                Precision = precision
                Seed = seed
            }
    }

let recipes =
    Gen.oneof
        [
            Gen.constant Recipe.Full
            Gen.map Recipe.Random (Gen.choose (0, 1000))
            Gen.map Recipe.Streaming (Gen.choose (0, 4))
            Gen.map2 (fun window pool -> Recipe.SnapKV(window, 2 * pool + 1)) (Gen.choose (1, 8)) (Gen.choose (0, 3))
            Gen.map3
                (fun tokens rank seed -> Recipe.Lookahead(tokens, rank, seed))
                (Gen.choose (1, 6))
                (Gen.choose (0, 3))
                (Gen.choose (0, 1000))
            Gen.constant Recipe.Oracle
        ]

let cases precisions =
    gen {
        let! shape = shapes precisions
        let! recipe = recipes
        let! length = Gen.oneof [ Gen.choose (1, 8); Gen.choose (1, 60) ]
        let! kept = Gen.choose (max 1 (protectedCount recipe length), length)
        let! suffix = Gen.choose (1, 5)

        return
            {
                Shape = shape
                Recipe = recipe
                Length = length
                Kept = kept
                Suffix = suffix
            }
    }

let shrinkCase case =
    let fits (c: Case) =
        c.Length >= 1 && c.Kept >= max 1 (protectedCount c.Recipe c.Length) && c.Kept <= c.Length

    seq {
        if case.Shape.Layers > 1 then
            { case with
                Case.Shape.Layers = case.Shape.Layers - 1
            }

        if case.Shape.KvHeads > 1 then
            { case with Case.Shape.KvHeads = 1 }

        if case.Shape.Group > 1 then
            { case with
                Case.Shape.Group = case.Shape.Group - 1
            }

        if case.Suffix > 1 then
            { case with Suffix = 1 }

        { case with
            Length = case.Length / 2
            Kept = case.Kept / 2
        }

        { case with Length = case.Length - 1 }

        { case with
            Length = case.Length - 1
            Kept = case.Kept - 1
        }
    }
    |> Seq.filter fits

type Arbitraries =
    static member Case() =
        Arb.fromGenShrink (cases [ Single; Brain ], shrinkCase)

    static member PreciseCase() =
        Arb.fromGenShrink (Gen.map Precise (cases [ Single; Double ]), (fun (Precise case) -> Seq.map Precise (shrinkCase case)))
