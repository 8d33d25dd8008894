/// Policies on prompts of tiny decoders: plain records of a method, its plan and its prompt, and what runs them.
module LookaheadKV.Properties.TinyPolicies

open System
open TorchSharp
open LookaheadKV.Models
open LookaheadKV.Budgeting
open LookaheadKV.Methods
open LookaheadKV.Scoring
open LookaheadKV.Eviction
open LookaheadKV.Properties.TinyModels

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
