/// Random tiny decoders, prompts and policies: described by plain records that FsCheck can print and shrink, built from their seeds.
module LookaheadKV.Properties.TinyModels

open System
open FsCheck
open FsCheck.FSharp
open TorchSharp
open LookaheadKV.Runtime
open LookaheadKV.Models
open LookaheadKV.Budgeting
open LookaheadKV.Methods
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

/// A method of the catalogue, its free parameters drawn.
type Recipe =
    {
        Method: string
        /// What stands in brackets.
        Options: (string * string) list
        /// Tokens and rank of the modules, where it needs some.
        Module: int * int
        /// Of what is drawn: noise, modules, a draft model.
        Seed: int
    }

/// How the layers share a budget; β of a pyramid in halves, so that it is exact.
type Layering =
    | Level
    | Slope of halves: int
    | Pool

/// How the heads of a layer share its part; α in hundredths.
type Heading =
    | Same
    | Competing of hundredths: int

/// How the same budget is written.
type Written =
    | InTokens
    | InShare
    | InBytes

type Smoothing =
    | Plain
    | Largest of width: int
    | Average of width: int

/// What replaces a method's own ways of allocating, smoothing and reducing, and is protected beside what it protects itself. Extra: entries (of a head, in all
/// layers together) beyond whole tokens; a budget in tokens has none.
type Plan =
    {
        Layering: Layering
        Heading: Heading
        Sinks: int
        Recent: int
        Given: int list
        Smoothing: Smoothing
        GroupMaximum: bool
        Written: Written
        Extra: int
    }

/// A prompt of Length tokens evicted to Kept entries a head, then Suffix more tokens. Without a plan the method's own one, and a budget in tokens.
type Case =
    {
        Shape: Shape
        Recipe: Recipe
        Plan: Plan option
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

[<RequireQualifiedAccess>]
module Recipe =

    let of' method options seed =
        {
            Method = method
            Options = options
            Module = 2, 2
            Seed = seed
        }

    let full = of' "full" [] 0
    let oracle = of' "oracle" [] 0
    let random seed = of' "random" [] seed

    let streaming (sinks: int) =
        of' "streaming" [ "sinks", string sinks ] 0

    let snapkv (window: int) (pool: int) =
        of' "snapkv" [ "window", string window; "pool", $"max:{pool}" ] 0

    let lookahead tokens rank seed =
        { of' "lookahead" [] seed with
            Module = tokens, rank
        }

    let descriptor recipe =
        Catalogue.Methods |> Seq.find (fun method -> method.Name = recipe.Method)

    let isFull recipe = isNull (descriptor recipe).Scorer

    /// The number that an option has, if it is given.
    let number name recipe =
        recipe.Options |> List.tryFind (fst >> (=) name) |> Option.map (snd >> int)

    /// Positions that snapkv's maximum is taken over.
    let pool recipe =
        recipe.Options |> List.find (fst >> (=) "pool") |> snd |> _.Substring("max:".Length) |> int

    let text recipe =
        let options = recipe.Options |> List.map (fun (key, value) -> $"{key}={value}")

        if options.IsEmpty then
            recipe.Method
        else
            $"""{recipe.Method}[{String.Join(",", options)}]"""

/// What a method protects of itself: the first so many positions and the last.
let ownProtection recipe =
    let protection = (Recipe.descriptor recipe).Defaults.Protection

    Recipe.number "sinks" recipe |> Option.defaultValue protection.First,
    Recipe.number "window" recipe |> Option.defaultValue protection.Last

let protectedCount recipe length =
    let first, last = ownProtection recipe
    min length (first + last)

/// First, last and single positions that a case protects.
let protection (case: Case) =
    let first, last = ownProtection case.Recipe

    match case.Plan with
    | Some plan -> max first plan.Sinks, max last plan.Recent, plan.Given
    | None -> first, last, []

let isProtected (case: Case) position =
    let first, last, given = protection case

    position < first || position >= case.Length - last || List.contains position given

let heldCount (case: Case) =
    Seq.length (Seq.filter (isProtected case) (seq { 0 .. case.Length - 1 }))

/// The layers' and heads' shares of a budget, the method's own where there is no plan.
let sharing (case: Case) =
    match case.Plan with
    | Some plan -> plan.Layering, plan.Heading
    | None ->
        let defaults = (Recipe.descriptor case.Recipe).Defaults

        let layering =
            match defaults.Layers with
            | :? LayerAllocation.Pyramid as pyramid -> Slope(int (2.0 * pyramid.Beta))
            | :? LayerAllocation.Global -> Pool
            | _ -> Level

        let heading =
            match defaults.Heads with
            | :? HeadAllocation.Adaptive as adaptive -> Competing(int (round (100.0 * adaptive.Floor)))
            | _ -> Same

        layering, heading

/// Entries that a head keeps, in all layers together.
let entriesOf (case: Case) =
    let all = case.Shape.Layers * case.Length

    match case.Plan with
    | _ when Recipe.isFull case.Recipe -> all
    | Some plan -> min all (case.Shape.Layers * case.Kept + plan.Extra)
    | None -> min all (case.Shape.Layers * case.Kept)

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

    // Every law holds however the layers run.
    new Decoder(
        config,
        DecoderWeights.Collect(config, weight),
        Execution =
            (if shape.Seed % 2 = 0 then
                 Execution.Compiled
             else
                 Execution.Reference)
    )

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

/// A recipe's modules.
let modulesOf shape recipe =
    lookaheadModule shape (fst recipe.Module) (snd recipe.Module) recipe.Seed

/// Runs something with a method as it is, without a budget.
let private withMethod (shape: Shape) recipe (run: EvictionPolicy -> 'a) =
    let draft = lazy (draft shape recipe.Seed)
    let modules = lazy (modulesOf shape recipe)

    try
        let parts =
            PolicyParts((fun () -> modules.Value), (fun () -> draft.Value), int64 recipe.Seed)

        (PolicyText.Parse(Recipe.text recipe)).Build parts |> run
    finally
        if draft.IsValueCreated then
            draft.Value.Dispose()

        if modules.IsValueCreated then
            modules.Value.Dispose()

/// Runs something with a method's policy, a budget in tokens included.
let withPolicy (shape: Shape) recipe (kept: int) (run: EvictionPolicy -> 'a) =
    withMethod shape recipe (fun policy ->
        run (
            if isNull policy.Scorer then
                policy
            else
                policy.With(Budget.Tokens kept)
        ))

/// Bytes of an entry of all heads of a layer.
let entryBytes (shape: Shape) =
    2L * int64 shape.KvHeads * int64 shape.HeadSize * int64 (elementSize shape.Precision)

/// So many entries, written in one of the three ways; bytes that buy nothing more are part of it.
let private budget (case: Case) written =
    let entries = entriesOf case

    match written with
    | InTokens -> Budget.Tokens case.Kept
    | InShare -> Budget.Ratio(float entries / float (case.Shape.Layers * case.Length))
    | InBytes -> Budget.Bytes(int64 entries * entryBytes case.Shape + int64 case.Shape.Seed % entryBytes case.Shape)

let private planned (case: Case) (plan: Plan) (policy: EvictionPolicy) =
    let first, last, given = protection case

    let pooling =
        match plan.Smoothing with
        | Plain -> Pooling.None
        | Largest width -> Pooling.Max width
        | Average width -> Pooling.Mean width

    let layers: LayerAllocation =
        match plan.Layering with
        | Level -> LayerAllocation.Uniform
        | Slope halves -> LayerAllocation.Pyramid(float halves / 2.0)
        | Pool -> LayerAllocation.Global()

    let heads: HeadAllocation =
        match plan.Heading with
        | Same -> HeadAllocation.Uniform
        | Competing hundredths -> HeadAllocation.Adaptive(float hundredths / 100.0)

    policy
        .With(
            if plan.GroupMaximum then
                GroupReduction.Max
            else
                GroupReduction.Mean
        )
        .With(pooling)
        .With(Protection(first, last, Given = LookaheadKV.EquatableList<int> given))
        .With(layers)
        .With(heads)
        .With(budget case plan.Written)

/// Runs something with a case's policy, plan and budget included.
let withPlan (case: Case) (run: EvictionPolicy -> 'a) =
    match case.Plan with
    | Some plan when not (Recipe.isFull case.Recipe) -> withMethod case.Shape case.Recipe (planned case plan >> run)
    | _ -> withPolicy case.Shape case.Recipe case.Kept run

let withCase (case: Case) (run: Decoder -> EvictionPolicy -> 'a) =
    use _noGrad = torch.no_grad ()
    use decoder = decoder case.Shape
    withPlan case (run decoder)

/// The tokens of a case: its prompt and what is appended afterwards. Token 0 is left to end answers.
let tokens (case: Case) =
    let random = System.Random(case.Shape.Seed + 17 * case.Length)

    let draw count =
        Array.init count (fun _ -> random.Next(1, case.Shape.Vocabulary))

    draw case.Length, draw case.Suffix

/// What a policy really keeps of a prompt.
let keptOf (case: Case) =
    if Recipe.isFull case.Recipe then
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
            Gen.constant Recipe.full
            Gen.map Recipe.random (Gen.choose (0, 1000))
            Gen.map Recipe.streaming (Gen.choose (0, 4))
            Gen.map2 (fun window pool -> Recipe.snapkv window (2 * pool + 1)) (Gen.choose (1, 8)) (Gen.choose (0, 3))
            Gen.map3 Recipe.lookahead (Gen.choose (1, 6)) (Gen.choose (0, 3)) (Gen.choose (0, 1000))
            Gen.constant Recipe.oracle
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
                Plan = None
                Length = length
                Kept = kept
                Suffix = suffix
            }
    }

/// A value of a method's own parameter, small more often than not.
let private value (parameter: Parameter) =
    match parameter with
    | :? TokenCount as count ->
        [
            3, Gen.choose (count.Least, count.Least + 4)
            1, Gen.choose (count.Least, count.Least + 24)
        ]
        |> Gen.frequency
        |> Gen.map string
    | :? SeedNumber -> Gen.choose (-1000, 1000) |> Gen.map string
    | _ -> failwith $"no value is drawn for {parameter}"

/// A method with its parameters drawn, and the ends that it protects.
let private drawn (method: Method) =
    let protection = method.Defaults.Protection

    let option name (values: Gen<string>) =
        values |> Gen.map (fun value -> name, value)

    gen {
        let! own =
            [
                for parameter in method.Parameters do
                    if parameter.Name <> "window" then
                        option parameter.Name (value parameter)
            ]
            |> Gen.sequenceToList

        let! ends =
            [
                if protection.First > 0 then
                    option "sinks" (Gen.map string (Gen.choose (0, 4)))

                if protection.Last > 0 then
                    option "window" (Gen.map string (Gen.choose (1, 8)))
            ]
            |> Gen.sequenceToList

        let! tokens = Gen.choose (1, 6)
        let! rank = Gen.choose (0, 3)
        let! seed = Gen.choose (0, 1000)

        return
            { Recipe.of' method.Name (own @ ends) seed with
                Module = tokens, rank
            }
    }

/// All methods of the catalogue.
let methods = [ for method in Catalogue.Methods -> method.Name, drawn method ]

let private plans layers length layering heading =
    gen {
        let! sinks = Gen.choose (0, 3)
        let! recent = Gen.choose (0, 3)
        let! count = Gen.choose (0, 3)
        // Given positions overlap the ends, and some lie beyond the prompt.
        let! given = Gen.listOfLength count (Gen.choose (0, length + 2))
        let! width = Gen.elements [ 1; 3; 5; 7 ]
        let! smoothing = Gen.elements [ Plain; Largest width; Average width ]
        let! groupMaximum = Gen.elements [ true; false ]
        let! written = Gen.elements [ InTokens; InShare; InBytes ]
        let! extra = Gen.choose (0, layers - 1)

        return
            {
                Layering = layering
                Heading = heading
                Sinks = sinks
                Recent = recent
                Given = given |> List.distinct |> List.sort
                Smoothing = smoothing
                GroupMaximum = groupMaximum
                Written = written
                Extra = if written = InTokens then 0 else extra
            }
    }

/// Cases of one method under one kind of allocation, in one dtype.
let plannedCases recipe layering heading precision =
    gen {
        let! shape = shapes [ precision ]
        let! recipe = recipe
        let! length = Gen.oneof [ Gen.choose (1, 8); Gen.choose (1, 40) ]
        let! plan = plans shape.Layers length layering heading
        let! suffix = Gen.choose (1, 4)

        let case =
            {
                Shape = shape
                Recipe = recipe
                Plan = Some plan
                Length = length
                Kept = length
                Suffix = suffix
            }

        let! kept = Gen.choose (max 1 (heldCount case), length)
        return { case with Kept = kept }
    }

let private shrinkPlan (plan: Plan) =
    seq {
        if plan.Given <> [] then
            { plan with
                Given = List.tail plan.Given
            }

        if plan.Sinks > 0 then
            { plan with Sinks = plan.Sinks - 1 }

        if plan.Recent > 0 then
            { plan with Recent = plan.Recent - 1 }

        if plan.Smoothing <> Plain then
            { plan with Smoothing = Plain }

        if plan.GroupMaximum then
            { plan with GroupMaximum = false }

        if plan.Extra > 0 then
            { plan with Extra = 0 }

        if plan.Written <> InTokens && plan.Extra = 0 then
            { plan with Written = InTokens }

        if plan.Heading <> Same then
            { plan with Heading = Same }

        if plan.Layering <> Level then
            { plan with Layering = Level }
    }

let shrinkCase case =
    let fits (c: Case) =
        c.Length >= 1
        && c.Kept >= max 1 (heldCount c)
        && c.Kept <= c.Length
        && c.Plan |> Option.forall (fun plan -> plan.Extra < c.Shape.Layers)

    seq {
        for plan in case.Plan |> Option.toList |> Seq.collect shrinkPlan do
            { case with Plan = Some plan }

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
