/// Random tiny decoders, policies and prompts that FsCheck can print and shrink.
module LookaheadKV.Properties.TinyCases

open System
open FsCheck
open FsCheck.FSharp
open LookaheadKV.Methods
open LookaheadKV.Eviction
open LookaheadKV.Properties.TinyModels
open LookaheadKV.Properties.TinyPolicies

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
